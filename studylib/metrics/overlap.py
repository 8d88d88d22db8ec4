"""IoU of a map with a mask at many thresholds, from one sorting of each map's pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from studylib.metrics.maps import as_maps, as_masks, reasons


def iou_above(maps: Any, masks: Any, levels: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """IoU of the pixels strictly above each level with the mask, and their share of the image.

    maps: (N, H, W); masks: (N, H, W) of 0 and 1; levels: name -> one level a map (N,) -> {name: (iou (N,), area (N,))},
    NaN for a level or map that is NaN, a flat map, an empty region or an empty mask: `maps.reasons` says which.
    """
    maps = as_maps(maps)
    masks = as_masks(masks, maps.shape)
    sound = np.array([reason is None for reason in reasons(maps, masks, ranks=True)], bool)
    found = {name: (np.full(len(maps), np.nan), np.full(len(maps), np.nan)) for name in levels}
    for i in np.flatnonzero(sound):
        values, inside = maps[i].ravel(), masks[i].ravel()
        order = np.argsort(values, kind="stable")
        ascending, size = values[order], values.size
        hits = np.concatenate([np.cumsum(inside[order][::-1])[::-1], [0]])  # mask pixels from a place upward
        for name, level in levels.items():
            if not np.isfinite(level[i]):
                continue
            place = np.searchsorted(ascending, level[i], side="right")
            area, common = size - place, hits[place]
            if area:
                found[name][0][i], found[name][1][i] = common / (area + hits[0] - common), area / size
    return found
