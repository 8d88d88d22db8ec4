"""Does the map lie on the object: one float64 per image, NaN where map or mask has no meaning (`reasons` says why).

maps: (N, H, W), signed or not; masks and regions: (N, H, W) bool; arrays or tensors. Inputs are never changed, and no
value depends on the other images of a batch. Ties count by expectation, never by position.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from studylib.metrics.maps import (
    as_array,
    as_maps,
    as_masks,
    defined,
    mask_reasons,
    positive,
    reasons,
    where_defined,
)

__all__ = [
    "attainable_iou", "centre_distance", "dice", "energy_inside", "iou", "iou_at_matched_area", "pixel_auprc",
    "pixel_auroc", "pointing_chance", "pointing_game", "prevalence", "reasons", "relative_iou",
]  # fmt: skip

CHUNK = 500_000  # pixels sorted at once: small enough for the processor's cache


def iou(regions: Any, masks: Any) -> np.ndarray:
    """Return the intersection of region and mask over their union: (N,) in [0, 1], NaN for an empty region or mask."""
    both, of_regions, of_masks, keep = _areas(regions, masks)
    return where_defined(both / np.maximum(of_regions + of_masks - both, 1), keep)


def dice(regions: Any, masks: Any) -> np.ndarray:
    """Return twice the intersection over the sum of areas: (N,) in [0, 1], NaN for an empty region or mask."""
    both, of_regions, of_masks, keep = _areas(regions, masks)
    return where_defined(2 * both / np.maximum(of_regions + of_masks, 1), keep)


def attainable_iou(area: Any, region_area: Any) -> np.ndarray:
    """Return the highest IoU of a region of `region_area` with an object of `area`: min / max, NaN where one is 0."""
    a, b = np.broadcast_arrays(np.asarray(as_array(area), float), np.asarray(as_array(region_area), float))
    return np.divide(np.minimum(a, b), np.maximum(a, b), out=np.full(a.shape, np.nan), where=np.minimum(a, b) > 0)


def relative_iou(regions: Any, masks: Any) -> np.ndarray:
    """Return IoU as a share of what a region of this area could reach: (N,) in [0, 1]."""
    _, of_regions, of_masks, _ = _areas(regions, masks)
    return iou(regions, masks) / attainable_iou(of_masks, of_regions)


def prevalence(masks: Any) -> np.ndarray:
    """Return the mask's share of the image (N,): the AUPRC of an uninformed map; NaN for an empty or full mask."""
    array = as_masks(masks)
    return where_defined(array.mean((1, 2)), _sound(array))


def pixel_auprc(maps: Any, masks: Any) -> np.ndarray:
    """Return each image's average precision (N,): sum of (R_k - R_k-1) P_k over thresholds, one a distinct value."""

    def average_precision(ends, count, inside, before, _):
        share = inside[:, -1:]
        return np.where(ends, (inside - before) / share * inside / count, 0).sum(1)

    return _from_ranks(maps, masks, average_precision)


def pixel_auroc(maps: Any, masks: Any) -> np.ndarray:
    """Return the chance that a pixel of the mask has a higher value than one outside, ties counting half: (N,)."""

    def area(ends, count, inside, before, count_before):
        outside = count - inside - (count_before - before)
        total = inside[:, -1] * (count[:, -1] - inside[:, -1])
        return np.where(ends, outside * (inside + before) / 2, 0).sum(1) / total

    return _from_ranks(maps, masks, area)


def iou_at_matched_area(maps: Any, masks: Any, area: Any = None) -> np.ndarray:
    """Return the IoU of the map's highest pixels, as many as the mask has, or `area` pixels (a number or (N,)).

    Where the last places are tied, the intersection is its expectation. Knowing the mask's area is an oracle: it
    compares methods, it does not say what one of them would reach.
    """
    keep = defined(maps, masks, ranks=True)
    array = as_masks(masks)
    of_masks = array.sum((1, 2)).astype(float)
    wanted = of_masks if area is None else np.broadcast_to(np.asarray(as_array(area), float), of_masks.shape)
    pixels = array.shape[1] * array.shape[2]
    if not ((wanted >= 1) & (wanted <= pixels) | ~keep).all():
        raise ValueError(f"area is counted in pixels, 1 to {pixels}; found {np.min(wanted):g} to {np.max(wanted):g}")
    both, at = np.zeros(len(array)), 0
    for ends, count, inside, _, _ in _tie_runs(as_maps(maps), array, keep):
        for row in range(len(ends)):
            last = ends[row]
            both[at] = np.interp(wanted[at], np.append(0, count[0, last]), np.append(0, inside[row, last]))
            at += 1
    return where_defined(both / np.maximum(wanted + of_masks - both, 1), keep)


def pointing_game(maps: Any, masks: Any, tolerance: float = 0) -> np.ndarray:
    """Return the share of the maxima that lie within `tolerance` pixels of the mask (Zhang 2018): (N,) in [0, 1].

    1 or 0 where the maximum is one pixel. The source of the measure takes 15 pixels on images of 224: scale it.
    """
    array = as_maps(maps)
    keep = defined(array, masks, ranks=True)
    near = _dilated(as_masks(masks), tolerance)
    peak = array == array.max((1, 2), keepdims=True)
    return where_defined((peak & near).sum((1, 2)) / np.maximum(peak.sum((1, 2)), 1), keep)


def pointing_chance(masks: Any, tolerance: float = 0) -> np.ndarray:
    """Return what a random point scores: the share of the image within `tolerance` of the mask."""
    array = as_masks(masks)
    return where_defined(_dilated(array, tolerance).mean((1, 2)), _sound(array))


def energy_inside(maps: Any, masks: Any) -> np.ndarray:
    """Return the share of the map's positive part that lies in the mask (Wang 2020, energy-based pointing): (N,)."""
    array = as_maps(maps)
    keep = defined(array, masks)
    mass = positive(array, keep)
    return where_defined((mass * as_masks(masks)).sum((1, 2)) / mass.sum((1, 2)), keep)


def centre_distance(maps: Any, masks: Any) -> np.ndarray:
    """Return how far the centre of the map's positive mass is from the mask's, in image diagonals: (N,)."""
    array = as_maps(maps)
    keep = defined(array, masks)
    (y, x), (v, u) = _centres(positive(array, keep)), _centres(as_masks(masks).astype(float))
    return where_defined(np.hypot(y - v, x - u) / np.hypot(array.shape[1] - 1, array.shape[2] - 1), keep)


def _areas(regions, masks):
    """Return intersection, area of region, area of mask (N,), and where both say something."""
    regions = as_masks(regions)
    masks = as_masks(masks, regions.shape)
    of_regions = regions.sum((1, 2))
    return (regions & masks).sum((1, 2)), of_regions, masks.sum((1, 2)), (of_regions > 0) & _sound(masks)


def _sound(masks: np.ndarray) -> np.ndarray:
    return np.array([r is None for r in mask_reasons(masks)], bool)


def _centres(mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of the centre of mass (N,)."""
    total = np.maximum(mass.sum((1, 2)), np.finfo(float).tiny)
    rows, columns = np.arange(mass.shape[1]), np.arange(mass.shape[2])
    return (mass.sum(2) * rows).sum(1) / total, (mass.sum(1) * columns).sum(1) / total


def _dilated(masks: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the pixels within `tolerance` of each mask, centre to centre; an empty mask stays empty."""
    if not tolerance:
        return masks
    from scipy.ndimage import distance_transform_edt

    return np.array([distance_transform_edt(~m) <= tolerance if m.any() else m for m in masks], bool)


def _tie_runs(maps: np.ndarray, masks: np.ndarray, keep: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield, a chunk of images at a time, for pixels in falling order: where a run of ties ends, how many pixels and
    how many of the mask there are up to here, and how many (of the mask, of all) there were when this run began.
    """
    pixels = maps.shape[1] * maps.shape[2]
    step = max(1, CHUNK // pixels)
    for start in range(0, len(maps), step):
        at = slice(start, start + step)
        values = np.where(keep[at, None], -maps[at].reshape(-1, pixels), 0.0)
        order = np.argsort(values, axis=1)
        values = np.take_along_axis(values, order, 1)
        inside = np.take_along_axis(masks[at].reshape(-1, pixels), order, 1).cumsum(1).astype(float)
        ends = np.ones(values.shape, bool)
        ends[:, :-1] = values[:, 1:] != values[:, :-1]
        count = np.arange(1.0, pixels + 1)[None]
        before = np.zeros((2, *values.shape))
        np.maximum.accumulate(np.where(ends, inside, 0)[:, :-1], axis=1, out=before[0][:, 1:])
        np.maximum.accumulate(np.where(ends, count, 0)[:, :-1], axis=1, out=before[1][:, 1:])
        yield ends, count, inside, before[0], before[1]


def _from_ranks(maps: Any, masks: Any, measure) -> np.ndarray:
    array = as_maps(maps)
    keep = defined(array, masks, ranks=True)
    chunks = _tie_runs(array, as_masks(masks), keep)
    with np.errstate(divide="ignore", invalid="ignore"):  # an empty or full mask: NaN, set below
        values = [measure(*chunk) for chunk in chunks]
    return where_defined(np.concatenate([np.empty(0), *values]), keep)
