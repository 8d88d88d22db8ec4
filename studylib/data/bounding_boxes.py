"""Boxes of masked objects, in pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def boxes_of(masks: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The smallest box around each mask. masks: (N, H, W) of 0 and 1; names: of the images -> float32 (N, 4): left,
    top, right, bottom, the last two one past the last pixel. Raises ValueError naming the first image without the
    object.
    """
    columns, rows = masks.any(1), masks.any(2)
    empty = np.flatnonzero(~rows.any(1))
    if len(empty):
        raise ValueError(
            f"{len(empty)} of {len(masks)} images show no object to draw a box around (first: {names[int(empty[0])]}); "
            "leave them out, or name other regions in box_regions"
        )
    width, height = masks.shape[2], masks.shape[1]
    left, top = columns.argmax(1), rows.argmax(1)
    right, bottom = width - columns[:, ::-1].argmax(1), height - rows[:, ::-1].argmax(1)
    return np.column_stack([left, top, right, bottom]).astype(np.float32)
