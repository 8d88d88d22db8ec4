"""A user's own images as an audit sees them: which part each row belongs to, which rows it takes, pixels and masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from studylib.data.dataset import DataError, Dataset
from studylib.data.parts import PART_WORDS
from studylib.data.splits import Split
from studylib.data.transforms import prepare, prepare_masks
from studylib.data.validation import nearest
from studylib.study.mapping import Pictures


@dataclass(frozen=True, eq=False)
class OwnImages:
    """Rows of a dataset by part. parts: text (N,); known: whether the table says which rows the model never saw."""

    dataset: Dataset
    parts: np.ndarray
    group: str
    region: int
    known: bool
    size: int
    crop: str

    def rows(self, part: str) -> np.ndarray:
        return np.flatnonzero(self.parts == part)

    @property
    def unit(self) -> str:
        """What a group is called: the column that names it, in the singular that it stands in."""
        return "group" if self.group == "group" else self.group.removesuffix("_id").replace("_", " ")

    @property
    def has_masks(self) -> bool:
        table = self.dataset.table
        return "mask_file" in table and bool((table["mask_file"] != "").any())

    def split(self) -> Split:
        """What the table says of the parts, for the check that nothing crosses."""
        return Split("given", self.parts, leaky=False, how="as the table says")

    def pixels(self, rows: np.ndarray, size: int = 0) -> np.ndarray:
        """uint8 (n, S, S, 3) of some rows."""
        return prepare(self.dataset.select(rows), size or self.size, self.crop, 3)

    def pictures(self, rows: np.ndarray, labels: np.ndarray) -> Pictures:
        """Pixels, masks and names of some rows; an image without a mask has an empty one. labels: of all rows"""
        chosen = self.dataset.select(rows)
        masks = prepare_masks(chosen, self.size, self.crop, missing=0) == self.region
        names, groups = chosen.table["image"].to_numpy(str), chosen.groups(self.group)
        return Pictures(names, groups, labels[rows], self.pixels(rows), masks)

    def sample(self, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
        """At most so many of some rows, whole groups' turns drawn by lot: one image of each group before a second."""
        if len(rows) <= most:
            return rows
        rng = np.random.default_rng([seed, 1])
        shuffled = pd.Series(rng.permutation(rows))
        turn = shuffled.groupby(self.dataset.groups(self.group)[shuffled]).cumcount()
        return np.sort(shuffled.to_numpy()[np.argsort(turn.to_numpy(), kind="stable")[:most]])


def own_images(
    dataset: Dataset, *, split: str = "", group: str = "group", region: str = "", size: int = 224, crop: str = "none"
) -> OwnImages:
    """Which rows are training, validation and test. split: the column that says it, else `split` where there is one,
    else every row is taken as test and `known` is False. Raises DataError for an unknown column, word or region.
    """
    if group not in dataset.table:
        _no_column(dataset, group)
    column = split or ("split" if "split" in dataset.table else "")
    if split and split not in dataset.table:
        _no_column(dataset, split)
    if not column:
        parts, known = np.full(len(dataset), "test", dtype=object), False
    else:
        words = [text.strip().lower() for text in dataset.groups(column)]
        if odd := sorted({word for word in words if word not in PART_WORDS}):
            raise DataError(f"{dataset.name}: column '{column}' holds '{odd[0]}'; expected train, validation or test")
        parts, known = np.array([PART_WORDS[word] for word in words], dtype=object), True
        if not (parts == "test").any():
            raise DataError(f"{dataset.name}: no row of column '{column}' is test; an audit needs images of that part")
    return OwnImages(dataset, parts.astype(str), group, _region(dataset, region), known, size, crop)


def _no_column(dataset: Dataset, name: str) -> None:
    known = [column for column in dataset.table if column not in ("file", "mask_file")]
    there = f"metadata.csv has no column '{name}' (it has {', '.join(known)})"
    raise DataError(f"{dataset.name}: {there}{nearest(name, known)}")


def _region(dataset: Dataset, name: str) -> int:
    """The mask value of a region by its name or first word; the first region where none is named."""
    if not name:
        return dataset.first_region
    found = [value for value, words in dataset.regions.items() if value and name in (words, words.split()[0])]
    if not found:
        known = ", ".join(words for value, words in dataset.regions.items() if value) or "none"
        raise DataError(f"{dataset.name}: no region is called '{name}' (dataset.json names {known})")
    return found[0]
