"""What experts said on a review sheet, read back into the table of study 3's source: counts by method and verdict,
agreement of two readers, and methods against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from studylib.metrics.classification import cohen_kappa
from studylib.metrics.comparisons import McNemar
from studylib.metrics.estimates import Estimate, at_the_edge, digits
from studylib.metrics.intervals import mean_by, of_columns, statistic_by
from studylib.study.misplacement import VERDICTS, compared, counted, difference, one_sided, pairs, words
from studylib.study.review_files import ReviewError, read_key, read_verdicts

AGREED = "agreed"


@dataclass(frozen=True, eq=False)
class Review:
    """table: a row a reader, photograph and map: reader, image and side (the sheet's), name (the data's), group,
    method, verdict ("" where missing), reason, comment. unit: what intervals resample: the key's group, or the image.
    """

    table: pd.DataFrame
    readers: tuple[str, ...]
    methods: tuple[str, str]
    unit: str = "image"

    def of(self, reader: str) -> pd.DataFrame:
        """One reader's rows; of AGREED those of the maps on which both readers say the same."""
        if reader != AGREED:
            return self.table[self.table["reader"] == reader]
        both = self.beside()
        same = both.loc[both["first"] == both["second"], ["image", "side"]]
        return self.of(self.readers[0]).merge(same, on=["image", "side"]).assign(reader=AGREED)

    def beside(self) -> pd.DataFrame:
        """Verdicts of two readers on the same maps, `first` and `second`; maps that either left out are not there.
        Raises ReviewError for one reader.
        """
        if len(self.readers) != 2:
            raise ReviewError("one reader agrees with nobody; read the verdicts of two")
        one, two = (self.of(reader)[["image", "side", "verdict", "comment"]] for reader in self.readers)
        rows = self.of(self.readers[0])[["image", "side", "name", "group", "method"]].merge(one, on=["image", "side"])
        rows = rows.merge(two, on=["image", "side"], suffixes=("_first", "_second"))
        rows = rows.rename(columns={"verdict_first": "first", "verdict_second": "second"})
        return rows[(rows["first"] != "") & (rows["second"] != "")].reset_index(drop=True)

    def counts(self, reader: str) -> pd.DataFrame:
        """The source's table by one reader: `misplacement.counted`, methods in the order of their names."""
        return counted(self.of(reader)).sort_index()

    def mcnemar(self, reader: str, flag: str = "misplaced") -> McNemar:
        """The two methods by image: how many only the first, only the second has misplaced (or `flag`), and exact p."""
        return compared(self.of(reader), *self.methods, flag)

    def difference(self, reader: str, flag: str = "misplaced", **how) -> Estimate:
        """Share misplaced (or `flag`), first method minus second, paired by image, with its interval over groups."""
        return difference(self.of(reader), *self.methods, flag, **{"unit": self.unit} | how)

    def sides(self, reader: str) -> McNemar:
        """Map A against map B, whatever they were: a reader who misplaces one side more often judges the order."""
        rows = self.of(reader)
        return compared(rows.assign(method=rows["side"]), "A", "B")

    def agreement(self, **how) -> dict[str, Estimate]:
        """Cohen's kappa of two readers over all verdicts (`kappa`) and over misplaced or not (`kappa.misplaced`), and
        the share of maps on which they say the same (`agreed`), each with a bootstrap interval over groups.
        """
        rows, codes = self.beside(), {verdict: code for code, verdict in enumerate(VERDICTS)}
        rows = rows.assign(
            same=(rows["first"] == rows["second"]).astype(float), one=rows["first"].map(codes),
            two=rows["second"].map(codes),
        )  # fmt: skip
        rows = rows.assign(off_one=(rows["one"] > 0).astype(int), off_two=(rows["two"] > 0).astype(int))
        how = {"unit": self.unit} | how
        kappa = {"kappa": ("one", "two", "all verdicts"), "kappa.misplaced": ("off_one", "off_two", "misplaced or not")}
        found = {
            name: statistic_by(rows, of_columns(cohen_kappa, a, b), how=f"Cohen's kappa, {said}", **how)
            for name, (a, b, said) in kappa.items()
        }
        same = mean_by(rows, "same", how="share of maps on which both readers say the same", **how)
        return found | {"agreed": at_the_edge(same)}

    def disagreements(self) -> pd.DataFrame:
        """Maps on which two readers differ, in the sheet's order."""
        rows = self.beside()
        return rows[rows["first"] != rows["second"]].reset_index(drop=True)

    def paired(self, reader: str) -> bool:
        """Whether any photograph has a verdict on both of its maps."""
        rows = self.of(reader)
        return set(rows["method"]) == set(self.methods) and len(pairs(rows, *self.methods)) > 0

    def text(self) -> str:
        """All of it as a terminal shows it."""
        two = len(self.readers) == 2
        parts = [self._of_one(reader) for reader in (*self.readers, *([AGREED] if two else []))]
        return "\n\n".join(parts + ([self._of_both()] if two else []))

    def _of_one(self, reader: str) -> str:
        rows, (a, b) = self.of(reader), self.methods
        lines = [f"{reader}: {rows['image'].nunique()} photographs, {len(rows)} maps"]
        if rows.empty:
            return lines[0]
        table = self.counts(reader).T.rename(index=words).rename_axis(columns=None)
        lines += [table.to_string(float_format=lambda x: f"{x:.4g}")]
        if not self.paired(reader):
            return "\n".join([*lines, f"no photograph has a verdict on both {a} and {b}"])
        lines += [f"misplaced, {a} minus {b}: {self.difference(reader)}"]
        lines += [_said(f"McNemar by image, {a} against {b}", self.mcnemar(reader), (a, b))]
        lines += [_said("map A against map B, whatever they were", self.sides(reader), ("A", "B"))]
        if len(odd := one_sided(rows)):
            named = ", ".join(dict.fromkeys(odd["image"]))
            lines += [f"a fault of the photograph on one of its maps only: {named}"]
        return "\n".join(lines)

    def _of_both(self) -> str:
        names = {
            "kappa": "kappa, all verdicts",
            "kappa.misplaced": "kappa, misplaced or not",
            "agreed": "the same verdict",
        }
        lines = [f"{names[name]}: {estimate}" for name, estimate in self.agreement().items()]
        differ = self.disagreements()
        lines += [f"{len(differ)} maps on which {self.readers[0]} and {self.readers[1]} differ"]
        lines += [
            f"  {row.image} {row.side} ({row.name}, {row.method}): {words(row.first)} / {words(row.second)}"
            for row in differ.itertuples()
        ]
        return "\n".join(lines)


def read_review(paths: Sequence[str | Path], key: str | Path, *, allow_missing: bool = False) -> Review:
    """Read one or two readers' verdicts.csv with the key of their sheet. allow_missing: rows without a verdict are
    counted instead of refused. Raises ReviewError listing what is wrong with which file and row.
    """
    paths = [Path(path) for path in paths]
    if not 1 <= len(paths) <= 2:
        raise ReviewError(f"{len(paths)} files of verdicts; one or two readers can be read")
    if len(paths) == 2 and paths[0].resolve() == paths[1].resolve():
        raise ReviewError(f"{paths[0].name} is given twice; a second reader has a file of her own")
    opened = read_key(key)
    readers = [path.stem for path in paths]
    if len(set(readers)) < len(readers):
        readers = [f"{path.resolve().parent.name}/{path.stem}" for path in paths]
    if len(set(readers)) < len(readers) or AGREED in readers:
        readers = ["first reader", "second reader"][: len(paths)]
    known = opened[["image", "side", "method", "name", "group"]]
    tables, problems = [], []
    for path, reader in zip(paths, readers, strict=True):
        try:
            said = read_verdicts(path, opened, allow_missing)
        except ReviewError as error:
            problems += error.problems
            continue
        tables.append(said.merge(known, on=["image", "side"], validate="one_to_one").assign(reader=reader))
    if problems:
        raise ReviewError(problems)
    grouped = bool((opened["group"] != "").all())
    table = pd.concat(tables, ignore_index=True)
    table = table if grouped else table.assign(group=table["image"])
    return Review(table, tuple(readers), tuple(sorted(opened["method"].unique())), "group" if grouped else "image")


def _said(what: str, found: McNemar, names: tuple[str, str]) -> str:
    return f"{what}: only {names[0]} misplaced {found.only_a}, only {names[1]} {found.only_b}, p = {digits(found.p)}"
