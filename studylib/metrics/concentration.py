"""How concentrated and how smooth a map is, whatever lies under it: one float64 per image of its positive part.

maps: (N, H, W). NaN for a NaN, flat or all-negative map (`maps.reasons` says which).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from studylib.metrics.maps import as_maps, defined, positive, where_defined


def entropy(maps: Any) -> np.ndarray:
    """Return Shannon's entropy of the map as a distribution over pixels, over log(H W): 0 one pixel, 1 even."""
    shares, keep = _shares(maps)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return where_defined(np.maximum(-(shares * logs).sum(1), 0) / np.log(max(shares.shape[1], 2)), keep)


def gini(maps: Any) -> np.ndarray:
    """Return Gini's coefficient of the pixels: 0 even, 1 - 1/n one pixel of n.

    2 sum(i x_i) / (n sum(x)) - (n + 1) / n, with x in rising order and i from 1.
    """
    shares, keep = _shares(maps)
    n = shares.shape[1]
    return where_defined(2 * (np.sort(shares, axis=1) * np.arange(1, n + 1)).sum(1) / n - (n + 1) / n, keep)


def half_mass_area(maps: Any) -> np.ndarray:
    """Return the smallest share of the image that holds half of the map's mass: (N,) in (0, 0.5]."""
    shares, keep = _shares(maps)
    held = np.cumsum(-np.sort(-shares, axis=1), axis=1)
    # a half that is missed by rounding alone counts as reached
    return where_defined(((held < 0.5 - 1e-12).sum(1) + 1) / shares.shape[1], keep)


def total_variation(maps: Any) -> np.ndarray:
    """Return the mean step between neighbours over the map's maximum: 0 for a slow ramp, up to 1 for a chessboard.

    Mean of |difference| over all pairs of pixels side by side or one above the other (Rudin 1992, anisotropic).
    """
    array = as_maps(maps)
    keep = defined(array)
    mass = positive(array, keep)
    steps = [np.abs(np.diff(mass, axis=axis)).reshape(len(mass), -1) for axis in (1, 2)]
    pairs = sum(s.shape[1] for s in steps)
    top = np.where(keep, mass.max((1, 2)), 1.0)
    return where_defined(sum(s.sum(1) for s in steps) / max(pairs, 1) / top, keep)


def _shares(maps: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's share of its map's positive part (N, H * W), and where it is defined (N,)."""
    array = as_maps(maps)
    keep = defined(array)
    mass = positive(array, keep).reshape(len(array), -1)
    return mass / mass.sum(1, keepdims=True), keep
