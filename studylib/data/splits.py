"""What a split is: the part of every row, the check that nothing crosses, and labels drawn by lot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.data.duplicates import BITS, LIKENESS, contents, near_duplicates, phash

__all__ = ["LeakError", "Split", "crossing", "near_duplicates", "phash", "shuffle_labels"]
PARTS = ("train", "validation", "test", "test_copies", "unused")
BORDERS = (("train", "validation"), ("train", "test"), ("validation", "test"))  # nothing may cross these


class LeakError(ValueError):
    """Training, validation and test images are related."""


@dataclass(frozen=True, eq=False)
class Split:
    """The part of each row of a dataset: "train", "validation", "test", "test_copies" or "unused", text (N,).

    test_copies: augmented copies of the test groups, beside their untouched originals. leaky: made as a source made
    it, and known to share images between parts. how: one sentence for records and captions.
    """

    name: str
    part: np.ndarray
    leaky: bool
    how: str

    def rows(self, part: str) -> np.ndarray:
        """Return the rows of one part, int64, ascending; ValueError for a part that does not exist."""
        if part not in PARTS:
            raise ValueError(f"no part is called '{part}' (known: {', '.join(PARTS)})")
        return np.flatnonzero(self.part == part)

    def check(self, dataset: Dataset, group: str = "group", near_duplicates: bool = True) -> pd.DataFrame:
        """Return the table of `crossing` if nothing crosses; LeakError counts and shows what does.

        Raises ValueError where training or test is empty, since then nothing could cross.
        """
        for part in ("train", "test"):
            if not len(self.rows(part)):
                raise ValueError(f"the split '{self.name}' of {dataset.name} has no row in '{part}': nothing to check")
        table, examples = _count_crossing(dataset, self, group, near_duplicates)
        if int(table["crossing"].sum()):
            counts = ", ".join(f"{row.crossing} by {row.kind}" for row in table.itertuples() if row.crossing)
            advice = (
                "it is made to leak: count it with `crossing`"
                if self.leaky
                else "put what belongs together in one group"
            )
            raise LeakError(
                f"the split '{self.name}' of {dataset.name} leaks ({counts}); {advice}:\n" + "\n".join(examples)
            )
        return table


def crossing(dataset: Dataset, split: Split, group: str = "group", near_duplicates: bool = True) -> pd.DataFrame:
    """Count what training, validation and test share, without raising; one row each for group, file and near-duplicate.

    Columns: kind; by (the column or rule); crossing (groups, distinct files, or pairs of images in more than one
    part); train_validation, train_test, validation_test (the same for two parts); test_images; test_related (test
    images with a relative in training) and share = test_related / test_images (NaN without test images). test_copies
    count as test in all but the last three. Unused rows do not count. `group="original"` counts the relatives of
    augmented copies.
    """
    return _count_crossing(dataset, split, group, near_duplicates)[0]


def _count_crossing(dataset: Dataset, split: Split, group: str, near: bool) -> tuple[pd.DataFrame, list[str]]:
    """Do the counting of `crossing`; also return up to three lines of examples a kind."""
    if split.part.shape != (len(dataset),):
        raise ValueError(f"the split '{split.name}' has {len(split.part)} rows, {dataset.name} has {len(dataset)}")
    strange = sorted(set(split.part.tolist()) - set(PARTS))
    if strange:
        raise ValueError(f"the split '{split.name}' has unknown parts {strange} (known: {', '.join(PARTS)})")
    parts = {"train": split.rows("train"), "validation": split.rows("validation")}
    parts["test"] = np.flatnonzero(np.isin(split.part, ("test", "test_copies")))
    counted, examples = [], []
    images = dataset.table["image"].to_numpy()
    owners = dataset.groups(group)
    owners = np.where(owners == "", np.char.add("image ", images.astype(str)), owners)  # no value: related to nobody
    for kind, by, values in (("group", group, owners), ("file", "sha256", contents(dataset))):
        within = {part: set(values[rows].tolist()) for part, rows in parts.items()}
        shared = {(a, b): within[a] & within[b] for a, b in BORDERS}
        related = np.isin(values, list(within["train"]))
        counted.append(_row(kind, by, shared, len(set().union(*shared.values())), related, split))
        for (a, b), common in shared.items():
            for value in sorted(common)[:3]:
                first, second = (images[rows[values[rows] == value][0]] for rows in (parts[a], parts[b]))
                examples.append(f"  {kind} '{value[:40]}' is in {a} ({first}) and in {b} ({second})")
    if near:
        shared, related = {}, np.zeros(len(dataset), dtype=bool)
        for a, b in BORDERS:
            pairs = near_duplicates(dataset, parts[a], parts[b])
            shared[a, b] = list(pairs.itertuples(index=False))
            if (a, b) == ("train", "test"):
                related[pairs["row_b"].to_numpy(dtype=np.int64)] = True
            for pair in shared[a, b][:3]:
                examples.append(
                    f"  near-duplicate: {images[pair.row_a]} in {a}, {images[pair.row_b]} in {b} "
                    f"({pair.bits} of 64 bits, correlation {pair.correlation:.3f})"
                )
        rule = f"pHash within {BITS} bits, correlation >= {LIKENESS}"
        counted.append(_row("near-duplicate", rule, shared, sum(map(len, shared.values())), related, split))
    return pd.DataFrame(counted), examples


def _row(kind: str, by: str, shared: dict, total: int, related: np.ndarray, split: Split) -> dict:
    """Build one row of the table of `crossing`."""
    test = split.rows("test")
    hits = int(related[test].sum())
    counts = {f"{a}_{b}": len(common) for (a, b), common in shared.items()}
    share = hits / len(test) if len(test) else np.nan
    return {
        "kind": kind,
        "by": by,
        "crossing": total,
        **counts,
        "test_images": len(test),
        "test_related": hits,
        "share": share,
    }


def shuffle_labels(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator | int) -> np.ndarray:
    """Give every group the label of a random group, and every row its group's label; shape and dtype of `labels` (N,).

    Where groups have one label each, these are permuted: the number of groups a label has stays the same. Where some
    hold several, labels are shared out over groups as they are over rows. The number of rows of a label need not stay.
    Source of the test: Yagis 2021 (labels shuffled per subject must give chance).
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    if labels.shape != groups.shape:
        raise ValueError(f"{len(labels)} labels for {len(groups)} groups")
    names, index = np.unique(groups, return_inverse=True)
    values, coded = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(names), len(values)), dtype=np.int64)
    np.add.at(counts, (index, coded), 1)
    if ((counts > 0).sum(axis=1) > 1).any():
        places = ((np.arange(len(names)) + 0.5) / len(names) * len(coded)).astype(np.int64)
        given = np.sort(coded)[places]
    else:
        given = counts.argmax(axis=1) if len(values) else np.zeros(0, dtype=np.int64)
    return values[np.random.default_rng(rng).permutation(given)][index]
