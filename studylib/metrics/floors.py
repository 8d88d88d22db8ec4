"""Floors: maps that know nothing of the network. A method that does not beat the best of them has shown nothing.

Each returns maps (N, H, W), float64, not negative, to be measured like any other map. A network with random weights is
a floor too; its maps are made like a trained one's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from studylib.metrics.maps import as_array, as_masks


def centred_gaussian(shape: tuple[int, int, int], sigma: float = 0.25) -> np.ndarray:
    """Return a bump in the middle of each image; `sigma` is its standard deviation as a share of each side."""
    n, height, width = shape
    y, x = _from_centre(height) / (sigma * height), _from_centre(width) / (sigma * width)
    return _repeat(np.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2), n)


def centred_disc(shape: tuple[int, int, int], area: float) -> np.ndarray:
    """Return a disc of ones in the middle of each image that covers `area`, a share of the image in (0, 1]."""
    n, height, width = shape
    if not 0 < area <= 1:
        raise ValueError(f"area is a share of the image, above 0 and at most 1; found {area}")
    distance = np.hypot(_from_centre(height)[:, None], _from_centre(width)[None])
    return _repeat((distance <= np.sqrt(area * height * width / np.pi)).astype(float), n)


def class_mean_mask(train_masks: Any, n: int = 1) -> np.ndarray:
    """Return, n times, the mean of training masks (M, H, W): how often each place belongs to the object.

    Empty masks are left out; ValueError where no other is there. Pass masks of one class for a class's floor.
    """
    masks = as_masks(train_masks)
    masks = masks[masks.any((1, 2))]
    if not len(masks):
        raise ValueError("no training mask has an object; a mean mask needs at least one")
    return _repeat(masks.mean(0), n)


def sobel(images: Any) -> np.ndarray:
    """Return the strength of edges: the length of Sobel's gradient of the grey image, borders continued."""
    from scipy import ndimage

    def along(axis: int, weights: list[int], values: np.ndarray) -> np.ndarray:
        return ndimage.correlate1d(values, weights, axis=axis, mode="nearest")

    grey = _grey(images)
    # not ndimage.sobel: on a stack it would smooth from one image into the next
    return np.hypot(*(along(axis, [-1, 0, 1], along(3 - axis, [1, 2, 1], grey)) for axis in (1, 2)))


def brightest(images: Any, inside: Any = None) -> np.ndarray:
    """Return each image's brightness, 0 its darkest pixel, 1 its brightest; 0 outside of `inside` (N, H, W) bool."""
    return _scaled(_grey(images), inside)


def darkest(images: Any, inside: Any = None) -> np.ndarray:
    """Return each image's darkness, 0 its brightest pixel, 1 its darkest; 0 outside of `inside` (N, H, W) bool."""
    return _scaled(-_grey(images), inside)


def uniform_random(shape: tuple[int, int, int], rng: int | np.random.Generator) -> np.ndarray:
    """Return independent values from 0 to 1 at every pixel."""
    return np.random.default_rng(rng).random(shape)


def _from_centre(side: int) -> np.ndarray:
    return np.arange(side) - (side - 1) / 2


def _repeat(plane: np.ndarray, n: int) -> np.ndarray:
    return np.repeat(plane[None], n, axis=0)


def _grey(images: Any) -> np.ndarray:
    """Return the mean over channels, float64 (N, H, W), of images (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or 3."""
    array = np.asarray(as_array(images), float)
    if array.ndim == 3:
        return array
    # a tensor has its channels first, an array last; where both could be meant this decides
    axes = (1, 3) if hasattr(images, "detach") else (3, 1)
    channels = [axis for axis in axes if array.ndim == 4 and array.shape[axis] in (1, 3)]
    if not channels:
        raise ValueError(f"images have shape {array.shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or 3")
    return array.mean(channels[0])


def _scaled(grey: np.ndarray, inside: Any) -> np.ndarray:
    """Return values scaled to [0, 1] over each image, or over `inside`; 0 where all are equal (measures say NaN)."""
    keep = np.ones(grey.shape, bool) if inside is None else as_masks(inside, grey.shape)
    low = np.where(keep, grey, np.inf).min((1, 2), keepdims=True)
    high = np.where(keep, grey, -np.inf).max((1, 2), keepdims=True)
    width = high - low
    scaled = np.divide(grey - low, width, out=np.zeros(grey.shape), where=(width > 0) & keep)
    return np.where(keep, scaled, 0.0)
