"""Squares around the middle of a picture, cut or padded: what keeps an object's shape, and what keeps its scale."""

from __future__ import annotations

import numpy as np

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; may reach beyond the picture


def pad_to_square(image: np.ndarray) -> tuple[np.ndarray, Box]:
    """Pad the shorter side of an image (H, W) or (H, W, 3), uint8; return the square and its box."""
    side = max(image.shape[:2])
    return _square(image, side)


def crop_to_window(image: np.ndarray, side: int) -> tuple[np.ndarray, Box]:
    """Cut or pad an image (H, W) or (H, W, 3), uint8, to side x side pixels around its middle; return it and its box.
    Every picture then has the same scale.
    """
    return _square(image, side)


def cut(pixels: np.ndarray, box: Box, fill: int | np.ndarray = 0) -> np.ndarray:
    """The part of an array (H, W[, 3]) in a box; what lies outside of the array is filled."""
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    found = np.empty((bottom - top, right - left, *pixels.shape[2:]), pixels.dtype)
    found[:] = fill
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    found[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = pixels[rows, columns]
    return found


def _square(image: np.ndarray, side: int) -> tuple[np.ndarray, Box]:
    """A square around the middle; padding has the median colour of the picture's border."""
    height, width = image.shape[:2]
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return cut(image, box, np.median(border, axis=0).astype(np.uint8)), box
