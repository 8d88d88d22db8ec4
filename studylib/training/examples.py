"""The rows of a fit as arrays: which images, in which part, with which labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Examples:
    """One row an image: pixels (N, S, S[, 3]) uint8; names, groups, parts (N,) str; labels, targets (N,) int.

    `labels` are the truth that predictions are compared with, `targets` what training and validation see: they
    differ only where labels were shuffled on purpose. `outputs` is the number of logits: one for two classes. masks:
    (N, S, S) of 0 and 1, the targets of a network that segments; boxes: (N, 4) left, top, right, bottom in pixels,
    those of a network that detects.
    """

    pixels: np.ndarray
    names: np.ndarray
    groups: np.ndarray
    parts: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    masks: np.ndarray | None = None
    boxes: np.ndarray | None = None

    def __post_init__(self) -> None:
        columns = ["pixels", "names", "groups", "parts", "labels", "targets", "masks", "boxes"]
        lengths = {name: len(given) for name in columns if (given := getattr(self, name)) is not None}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"rows of a fit disagree in number: {lengths}")
        for part in ("train", "validation", "test"):
            if not (self.parts == part).any():
                raise ValueError(f"the split leaves no image for {part}; give more groups or fewer folds")
        train = np.unique(self.targets[self.parts == "train"])
        if len(train) < 2:
            raise ValueError(f"all training images are '{self.classes[int(train[0])]}'; a classifier needs two classes")

    @property
    def outputs(self) -> int:
        return 1 if len(self.classes) == 2 else len(self.classes)

    @property
    def boxed(self) -> np.ndarray | None:
        """Targets of a network that detects, float32 (N, 5): class and box; None without boxes."""
        return None if self.boxes is None else np.column_stack([self.targets, self.boxes]).astype(np.float32)

    def rows(self, part: str) -> np.ndarray:
        """Row numbers of a part, in the order of the table."""
        return np.flatnonzero(self.parts == part)

    def parted(self) -> np.ndarray:
        """Rows that have a part, in the order in which predictions are kept."""
        return np.concatenate([self.rows(part) for part in ("train", "validation", "test", "test_copies")])

    def columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What stands before the predictions of `rows` in a table."""
        return {
            "image": self.names[rows],
            "group": self.groups[rows],
            "part": self.parts[rows],
            "label": self.labels[rows],
            "target": self.targets[rows],
        }

    def digest(self) -> str:
        """Sixteen hex digits of everything but the pixels."""
        sha = hashlib.sha256()
        for column in (self.names, self.groups, self.parts, self.labels.astype(str), self.targets.astype(str)):
            sha.update("\n".join(column.tolist()).encode())
        for given in (self.masks, self.boxes):
            if given is not None:
                sha.update(np.ascontiguousarray(given))
        return sha.hexdigest()[:16]
