"""How well the border of a region follows the border of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from studylib.metrics.maps import as_array, as_masks


def boundary_f1(regions: Any, masks: Any, tolerance: float) -> np.ndarray:
    """Return F1 of border pixels within `tolerance` pixels of the other's border (Csurka 2013, section 3): (N,) in
    [0, 1]; NaN where region or mask is empty.

    regions, masks: (N, H, W) of False and True. Precision: the region's border pixels near the mask's border; recall:
    the mask's near the region's. A border pixel belongs to the region and has a neighbour above, below, left or right
    that does not, or lies at the image's edge.
    """
    from scipy.ndimage import distance_transform_edt

    true = as_masks(masks)
    found = as_masks(regions, as_array(masks).shape)
    values = np.full(len(true), np.nan)
    for i, (a, b) in enumerate(zip(found, true, strict=True)):
        if not (a.any() and b.any()):
            continue
        edges = [border(a), border(b)]
        near = [distance_transform_edt(~edge) <= tolerance for edge in edges]
        precision, recall = near[1][edges[0]].mean(), near[0][edges[1]].mean()
        values[i] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return values


def border(region: np.ndarray) -> np.ndarray:
    """Return the pixels of a region (H, W) that touch what is not the region, or the image's edge."""
    padded = np.pad(region, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return region & ~inside
