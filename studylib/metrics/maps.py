"""Maps and masks as measures read them, and why a map or a mask gives no value: one policy for all measures."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_array(values: Any) -> np.ndarray:
    """Return an array or tensor (of any device and precision) as a numpy array."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        # numpy has no bfloat16
        values = values.double() if values.is_floating_point() else values
    return np.asarray(values)


def as_maps(maps: Any) -> np.ndarray:
    """Return maps (N, H, W) as float64; ValueError for another shape."""
    array = np.asarray(as_array(maps), dtype=np.float64)
    if array.ndim != 3:
        raise ValueError(f"maps have shape {array.shape}; expected (N, H, W) (for one map: maps[None])")
    return array


def as_masks(masks: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return masks or regions (N, H, W) as bool; ValueError for other values than 0 and 1 or another shape."""
    array = as_array(masks)
    if array.ndim != 3:
        raise ValueError(f"masks have shape {array.shape}; expected (N, H, W) (for one mask: masks[None])")
    if array.dtype != bool:
        other = np.unique(array[(array != 0) & (array != 1)])
        if len(other):
            raise ValueError(
                f"a mask holds 0 and 1; found {other[:5].tolist()}: compare with a region's value first (mask == 2)"
            )
        array = array == 1
    if shape is not None and array.shape != tuple(shape):
        raise ValueError(f"masks have shape {array.shape}, maps {tuple(shape)}: bring both to one size first")
    return array


def map_reasons(maps: Any, *, ranks: bool = False) -> list[str | None]:
    """Return for each map (N, H, W) why it gives no value, None where it gives one.

    ranks: for measures that only rank pixels (AUPRC, AUROC, pointing, matched area): a signed map that is negative
    everywhere still ranks them. After ReLU such a map is flat.
    """
    array = as_maps(maps)
    high, low = array.max((1, 2), initial=-np.inf), array.min((1, 2), initial=np.inf)  # NaN passes through both
    unsound = ~np.isfinite(high) | ~np.isfinite(low)
    words = np.full(len(array), None, object)
    words[~unsound & (high <= 0) & (not ranks)] = "all-negative map"
    words[~unsound & (high == low)] = "flat map"
    words[unsound] = "NaN map"
    return words.tolist()


def mask_reasons(masks: Any, shape: tuple[int, ...] | None = None) -> list[str | None]:
    """Return for each mask (N, H, W) why nothing can be measured against it: "empty mask", "full mask", else None."""
    share = as_masks(masks, shape).mean((1, 2))
    return ["empty mask" if s == 0 else "full mask" if s == 1 else None for s in share]


def reasons(maps: Any, masks: Any = None, *, ranks: bool = False) -> list[str | None]:
    """Return for each image why a measure of its map, against its mask where given, is NaN; None where it is not.

    maps: (N, H, W); masks: (N, H, W) bool. One of "NaN map", "flat map", "all-negative map", "empty mask", "full mask".
    """
    array = as_maps(maps)
    found = map_reasons(array, ranks=ranks)
    if masks is None:
        return found
    return [a or b for a, b in zip(found, mask_reasons(masks, array.shape), strict=True)]


def defined(maps: Any, masks: Any = None, *, ranks: bool = False) -> np.ndarray:
    """Return where `reasons` has none: (N,) bool."""
    return np.array([r is None for r in reasons(maps, masks, ranks=ranks)], bool)


def positive(maps: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return the positive part of maps (N, H, W), ones where `keep` (N,) is false, so that no division fails there."""
    return np.where(keep[:, None, None], np.maximum(maps, 0), 1.0)


def where_defined(values: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return values (N,) with NaN where `keep` (N,) is false."""
    return np.where(keep, values, np.nan)
