"""The ways to split, by name: by group, and as the sources did it, whose splits leak."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from studylib.data.dataset import DataError, Dataset
from studylib.data.splits import Split


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
    _check_fold(fold, folds)
    return _rotated(_folds(dataset, folds, seed, group), fold, folds)


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


def random_folds(dataset: Dataset, *, folds: int = 5, fold: int = 0, seed: int = 0) -> Split:
    """Cut images at random into folds of nearly one size, as study 4's source did (3,064 images: four of 613, one of
    612), whoever they belong to; leaky by design. Test is one fold, validation the next, training the rest.
    """
    _check_fold(fold, folds)
    number = np.empty(len(dataset), dtype=np.int64)
    for place, rows in enumerate(np.array_split(np.random.default_rng(seed).permutation(len(dataset)), folds)):
        number[rows] = place
    how = f"fold {fold} of {folds}, images at random, seed {seed}, groups ignored (the source's split: it leaks)"
    return Split("random_folds", _rotated(number, fold, folds), True, how)


def owner_folds(dataset: Dataset, *, fold: int = 0, group: str = "group") -> Split:
    """Take the folds that a set's owner drew (column `fold`, in ascending order): test is one, validation the next.

    Leaky where a `group` stands in several folds. Raises DataError without the column, with an empty entry, with fewer
    than three folds, or for a fold that holds one class only.
    """
    if "fold" not in dataset.table:
        raise DataError(f"{dataset.name}/metadata.csv has no column 'fold', which the split 'owner_folds' reads")
    given = dataset.table["fold"].astype(str).str.strip()
    if (given == "").any():
        row = int(np.flatnonzero(given == "")[0])
        raise DataError(f"{dataset.name}/metadata.csv row {row + 2}: 'fold' is empty; every image needs its fold")
    names = sorted(given.unique(), key=lambda name: (len(name), name))
    if len(names) < 3:
        raise DataError(
            f"{dataset.name}/metadata.csv has {len(names)} folds ({', '.join(names)}); at least 3 are needed"
        )
    for name in names:
        classes = dataset.table["label"][given == name].unique()
        if len(classes) < 2:
            raise DataError(
                f"{dataset.name}/metadata.csv: all images of fold '{name}' are '{classes[0]}'; a fold needs two "
                "classes to be tested on: redraw the folds, stratified by class"
            )
    _check_fold(fold, len(names))
    number = given.map({name: place for place, name in enumerate(names)}).to_numpy(dtype=np.int64)
    spread = pd.DataFrame({"group": dataset.groups(group), "fold": number}).groupby("group")["fold"].nunique()
    leaky = bool((spread > 1).any())
    how = f"fold {names[fold]} of the owner's {len(names)}"
    if leaky:
        how += f"; {int((spread > 1).sum())} of {len(spread)} groups ({group}) stand in several of them: it leaks"
    return Split("owner_folds", _rotated(number, fold, len(names)), leaky, how)


def _check_fold(fold: int, folds: int) -> None:
    if not 0 <= fold < folds:
        raise ValueError(f"fold {fold} of {folds}: 0 to {folds - 1} are possible")


def _rotated(number: np.ndarray, fold: int, folds: int) -> np.ndarray:
    """Return "test" for one fold, "validation" for the next, "train" for the rest, text (N,)."""
    return np.where(number == fold, "test", np.where(number == (fold + 1) % folds, "validation", "train"))


SPLITS: dict[str, Callable[..., Split]] = {
    "group": by_group,
    "group_originals": originals_only,
    "owner_folds": owner_folds,
    "random_folds": random_folds,
    "random_images": random_images,
}


def options_of(name: str) -> list[str]:
    """Name what the split of that name may be told, besides the data set."""
    return [option for option in inspect.signature(SPLITS[name]).parameters if option != "dataset"]


def make_split(name: str, dataset: Dataset, **options) -> Split:
    """Make the split of that name; ValueError for an unknown name or option names the nearest."""
    if name not in SPLITS:
        near = difflib.get_close_matches(name, SPLITS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no split is called '{name}' (known: {', '.join(SPLITS)}){hint}")
    known = options_of(name)
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"the split '{name}' has no option '{option}' (it has {', '.join(known)}){hint}")
    return SPLITS[name](dataset, **options)
