"""Which images train, select and test: by group, as the sources did it, and the check that nothing crosses."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.data.duplicates import BITS, LIKENESS, contents, near_duplicates, phash

__all__ = [
    "SPLITS",
    "LeakError",
    "Split",
    "by_group",
    "crossing",
    "make_split",
    "near_duplicates",
    "originals_only",
    "phash",
    "random_images",
    "shuffle_labels",
]
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


def _folds(dataset: Dataset, folds: int, seed: int, group: str) -> np.ndarray:
    """Return the fold of each row, 0..folds-1, int64 (N,), the same for all rows of a group.

    Each original counts once, however many copies it has, and rows are sorted first: adding copies, or another order of
    the table, changes no fold.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups, labels = dataset.groups(group), dataset.labels()
    original = dataset.groups("original") if "original" in dataset.table else np.full(len(dataset), "")
    units = np.where(original != "", original, dataset.groups("image"))
    table = pd.DataFrame({"group": groups, "unit": units, "label": labels})
    table = table.drop_duplicates(["group", "unit"]).sort_values(["group", "unit"], kind="stable")
    count = table["group"].nunique()
    if not 3 <= folds <= count:
        raise ValueError(f"{folds} folds of {count} groups ({group}): at least 3, at most one a group")
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    fold_of: dict[str, int] = {}
    try:
        parts = list(splitter.split(table["unit"], table["label"], table["group"]))
    except ValueError as error:
        raise ValueError(f"{dataset.name} cannot be split into {folds} folds by {group}: {error}") from None
    for number, (_, held_out) in enumerate(parts):
        fold_of.update(dict.fromkeys(table["group"].iloc[held_out].tolist(), number))
    return np.array([fold_of[value] for value in groups.tolist()], dtype=np.int64)


def _held_out(dataset: Dataset, folds: int, fold: int, seed: int, group: str) -> np.ndarray:
    """Return "train", "validation" (fold + 1) or "test" (fold) for each row's group, text (N,)."""
    if not 0 <= fold < folds:
        raise ValueError(f"fold {fold} of {folds}: 0 to {folds - 1} are possible")
    number = _folds(dataset, folds, seed, group)
    return np.where(number == fold, "test", np.where(number == (fold + 1) % folds, "validation", "train"))


def by_group(dataset: Dataset, *, folds: int = 7, fold: int = 0, seed: int = 0, group: str = "group") -> Split:
    """Split by group, stratified by class: test is one fold, validation the next, training the rest.

    Where the table holds augmented copies, training and validation are copies, `test` the untouched originals of the
    held-out groups, `test_copies` the copies of those, and originals of the other groups are unused. Copies without
    any original in the table are tested on themselves. Raises ValueError for a fold or number of folds that is not
    possible.
    """
    part = _held_out(dataset, folds, fold, seed, group).astype("<U11")
    copies = dataset.copies()
    how = f"fold {fold} of {folds}, split by {group}, stratified by class, seed {seed}"
    if copies.any() and not copies.all():
        part[(part == "test") & copies] = "test_copies"
        part[(part != "test") & ~copies] = "unused"
        how += "; trained on augmented copies, tested on untouched originals of other groups"
    elif copies.all() and len(copies):
        how += "; augmented copies throughout, no untouched original is in this table"
    return Split("group", part, False, how)


def originals_only(dataset: Dataset, *, folds: int = 7, fold: int = 0, seed: int = 0, group: str = "group") -> Split:
    """Split by group with the folds of `by_group`, but train and validate on the untouched originals, not on copies.

    Copies of training and validation groups are unused. Raises ValueError where the table holds copies only.
    """
    part = _held_out(dataset, folds, fold, seed, group).astype("<U11")
    copies = dataset.copies()
    if copies.all():
        raise ValueError(f"{dataset.name} holds no untouched original; join the originals to it (join_datasets)")
    part[copies & (part != "test")] = "unused"
    part[copies & (part == "test")] = "test_copies"
    how = f"fold {fold} of {folds}, split by {group}, stratified by class, seed {seed}; untouched originals only"
    return Split("group_originals", part, False, how)


def random_images(dataset: Dataset, *, seed: int = 0, shares: Sequence[float] = (0.70, 0.15, 0.15)) -> Split:
    """Split images at random, as study 2's source did, whoever they belong to; leaky by design.

    Only augmented copies are used where there are any. Validation and test sizes are rounded, training takes the rest
    (2,065 images: 1,445, 310, 310). Raises ValueError unless three shares, none negative, sum to 1.
    """
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares {tuple(shares)}: three numbers from 0 that sum to 1 (train, validation, test)")
    copies = dataset.copies()
    rows = np.flatnonzero(copies) if copies.any() else np.arange(len(dataset))
    rows = np.random.default_rng(seed).permutation(rows)
    validation, test = (int(np.floor(share * len(rows) + 0.5)) for share in shares[1:])
    part = np.full(len(dataset), "unused", dtype="<U11")
    part[rows] = "train"
    part[rows[:validation]] = "validation"
    part[rows[validation : validation + test]] = "test"
    percent = "/".join(f"{100 * share:g}" for share in shares)
    how = f"images at random {percent}, seed {seed}, groups ignored (the source's split: it leaks)"
    return Split("random_images", part, True, how)


SPLITS = {"group": by_group, "random_images": random_images, "group_originals": originals_only}


def make_split(name: str, dataset: Dataset, **options) -> Split:
    """Make the split of that name; ValueError for an unknown name or option names the nearest."""
    if name not in SPLITS:
        near = difflib.get_close_matches(name, SPLITS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no split is called '{name}' (known: {', '.join(SPLITS)}){hint}")
    known = [option for option in inspect.signature(SPLITS[name]).parameters if option != "dataset"]
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"the split '{name}' has no option '{option}' (it has {', '.join(known)}){hint}")
    return SPLITS[name](dataset, **options)


def shuffle_labels(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator | int) -> np.ndarray:
    """Give every group the label of a random group, and every row its group's label; shape and dtype of `labels` (N,).

    A group's label is its majority, of equals the smallest. The number of groups a label has stays the same, the
    number of rows need not. Source of the test: Yagis 2021 (labels shuffled per subject must give chance).
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    if labels.shape != groups.shape:
        raise ValueError(f"{len(labels)} labels for {len(groups)} groups")
    names, index = np.unique(groups, return_inverse=True)
    values, coded = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(names), len(values)), dtype=np.int64)
    np.add.at(counts, (index, coded), 1)
    majority = counts.argmax(axis=1) if len(values) else np.zeros(0, dtype=np.int64)
    return values[np.random.default_rng(rng).permutation(majority)][index]
