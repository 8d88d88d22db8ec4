"""What a person wants to know of a set that passed its checks: counts, sizes, masks, groups, and what looks wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.data.duplicates import contents, near_duplicates

FEW_GROUPS = 10  # of a class: intervals over fewer are indicative
MANY = 3000  # images, above which look-alikes are not searched


def inspection(dataset: Dataset, group: str = "group") -> str:
    """A report of a few lines about a valid set. Raises KeyError for a group column that is not there."""
    groups, labels = dataset.groups(group), dataset.table["label"].to_numpy(str)
    lines = [
        f"{dataset.name}: {len(dataset):,} images, {len(np.unique(groups)):,} groups ({group}), "
        f"fingerprint {dataset.fingerprint}; no problem found",
        *_classes(dataset, groups, labels),
        *_parts(dataset, groups),
        *_masks(dataset),
    ]
    warned = [*_few(dataset, groups, labels), *_copies(dataset, groups)]
    lines += [f"mind: {text}" for text in warned]
    options = f"--data {dataset.name} --model MODULE:FUNCTION --weights FILE.safetensors"
    lines.append(f"next: python -m studylib audit {options}")
    return "\n".join(lines)


def _classes(dataset: Dataset, groups: np.ndarray, labels: np.ndarray) -> list[str]:
    rows = [
        f"  {name:<20} {int((labels == name).sum()):>7,} images {len(np.unique(groups[labels == name])):>7,} groups"
        for name in dataset.classes
    ]
    return ["classes", *rows]


def _parts(dataset: Dataset, groups: np.ndarray) -> list[str]:
    if "split" not in dataset.table:
        return ["parts: no column `split`; an audit takes every image as one that the model never saw"]
    parts = dataset.table["split"].to_numpy(str)
    told = [f"{name} {int((parts == name).sum()):,}" for name in dict.fromkeys(parts)]
    both = int((pd.DataFrame({"part": parts, "group": groups}).groupby("group")["part"].nunique() > 1).sum())
    crossing = f"; {both} groups stand in more than one part: a model is tested on what it knows" if both else ""
    return [f"parts: {', '.join(told)}{crossing}"]


def _masks(dataset: Dataset) -> list[str]:
    with_mask = np.flatnonzero(dataset.table["mask_file"].to_numpy() != "") if "mask_file" in dataset.table else []
    if not len(with_mask):
        return ["masks: none; where maps lie cannot be measured, what the model needs of them can"]
    some = with_mask[np.linspace(0, len(with_mask) - 1, min(200, len(with_mask))).round().astype(int)]
    areas = np.array([(dataset.mask(int(row)) == dataset.first_region).mean() for row in some])
    low, middle, high = np.quantile(areas, (0.05, 0.5, 0.95))
    name = dataset.regions.get(dataset.first_region, "region")
    return [
        f"masks: {len(with_mask):,} images; {name} covers {middle:.1%} of the picture in the median "
        f"(5 to 95 %: {low:.1%} to {high:.1%}, {len(some)} masks read)"
    ]


def _few(dataset: Dataset, groups: np.ndarray, labels: np.ndarray) -> list[str]:
    found = [name for name in dataset.classes if len(np.unique(groups[labels == name])) < FEW_GROUPS]
    said = [f"fewer than {FEW_GROUPS} groups in {', '.join(found)}: intervals there are indicative"] if found else []
    if len(np.unique(groups)) == len(dataset):
        said.append("every image is a group of its own: right only where no two show one patient, lesion or slide")
    return said


def _copies(dataset: Dataset, groups: np.ndarray) -> list[str]:
    """Identical files and look-alikes that stand in different groups."""
    same = pd.DataFrame({"file": contents(dataset), "group": groups}).groupby("file")["group"].nunique()
    said = [f"{int((same > 1).sum())} files stand in two groups or more, byte by byte"] if (same > 1).any() else []
    if len(dataset) > MANY:
        return [*said, f"look-alikes were not searched: more than {MANY:,} images"]
    rows = np.arange(len(dataset))
    pairs = near_duplicates(dataset, rows, rows)
    found = zip(pairs["row_a"], pairs["row_b"], strict=True) if len(pairs) else ()
    across = [(a, b) for a, b in found if a < b and groups[a] != groups[b]]
    if across:
        names = dataset.table["image"]
        first = f"{names.iat[across[0][0]]} and {names.iat[across[0][1]]}"
        said.append(f"{len(across)} pairs of images look alike across groups (first: {first}); put them in one group")
    return said
