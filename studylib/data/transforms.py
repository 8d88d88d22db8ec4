"""From images of any size to arrays of one size: the source's crop, resizing, augmented copies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from PIL import Image

from studylib.data.dataset import Dataset
from studylib.data.windows import Box, crop_to_window, cut, pad_to_square

CENTRE = 224 / 256  # what Resize(256) and CenterCrop(224) keep of the shorter side


def to_grey(image: np.ndarray) -> np.ndarray:
    """Return the brightness 0.299 R + 0.587 G + 0.114 B of an image (H, W, 3), uint8 (H, W); grey ones as they are."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image


def crop_to_brain(image: np.ndarray, threshold: int = 45, kernel: int = 5, margin: int = 0) -> tuple[np.ndarray, Box]:
    """Crop an image (H, W) or (H, W, 3), uint8, to its largest bright object; return the part and its box.

    Study 2's steps, numbers from the public baseline it builds on: grey, Gaussian blur `kernel` x `kernel` (sigma
    from the kernel), brighter than `threshold`, two erosions and two dilations by 3 x 3, the outer contour of largest
    area, its extreme points. As there, the last row and column of the contour are not part of the crop. `margin`
    widens the box, in pixels. Without a contour, or with one of no height or width, the whole image is returned.
    """
    height, width = image.shape[:2]
    whole = (0, 0, width, height)
    blurred = cv2.GaussianBlur(to_grey(image), (kernel, kernel), 0)
    bright = cv2.threshold(blurred, threshold, 255, cv2.THRESH_BINARY)[1]
    bright = cv2.dilate(cv2.erode(bright, None, iterations=2), None, iterations=2)
    contours = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[-2]
    if not contours:
        return image, whole
    points = max(contours, key=cv2.contourArea).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if left == right or top == bottom:
        return image, whole
    box = (max(left - margin, 0), max(top - margin, 0), min(right + margin, width), min(bottom + margin, height))
    return image[box[1] : box[3], box[0] : box[2]], box


def crop_to_centre(image: np.ndarray) -> tuple[np.ndarray, Box]:
    """Crop an image (H, W) or (H, W, 3) to its central square, 224 / 256 of the shorter side; return the part and its
    box. This is what torchvision's Resize(256) and CenterCrop(224) show of a picture.
    """
    height, width = image.shape[:2]
    side = round(CENTRE * min(height, width))
    left, top = (width - side) // 2, (height - side) // 2
    return image[top : top + side, left : left + side], (left, top, left + side, top + side)


def crop_to_all(image: np.ndarray) -> tuple[np.ndarray, Box]:
    """Return the whole image and its box."""
    return image, (0, 0, image.shape[1], image.shape[0])


CROPS = {"brain": crop_to_brain, "centre": crop_to_centre, "none": crop_to_all, "pad": pad_to_square}


def crop_of(name: str) -> Callable[[np.ndarray], tuple[np.ndarray, Box]]:
    """The crop of that name: one of CROPS, or "window:N", a square of N native pixels. ValueError for another."""
    kind, _, side = name.partition(":")
    if kind == "window" and side.isdecimal() and int(side) > 0:
        return partial(crop_to_window, side=int(side))
    if name not in CROPS:
        raise ValueError(f"crop '{name}' is not known; it is one of {', '.join(CROPS)}, or window:N, N pixels a side")
    return CROPS[name]


def _resize(pixels: np.ndarray, size: int, how: Image.Resampling) -> np.ndarray:
    """Stretch an array (H, W) or (H, W, 3), uint8, to size x size with Pillow, which averages when it shrinks."""
    return np.asarray(Image.fromarray(pixels).resize((size, size), how))


def prepare(dataset: Dataset, size: int, crop: str, channels: int = 1) -> np.ndarray:
    """Read every image, crop it (`crop_of`), and stretch it to size x size; uint8 (N, size, size[, 3]).

    channels: 1 for grey, 3 for colour (grey images three times). Bicubic, averaging when it shrinks; the aspect ratio
    is kept only where the crop is a square. Raises DataError for a file that cannot be read.
    """
    images = np.empty((len(dataset), size, size, 3)[: 3 + (channels == 3)], dtype=np.uint8)
    for i in range(len(dataset)):
        images[i] = prepare_image(dataset.image(i), size, crop, channels)
    return images


def prepare_image(image: np.ndarray, size: int, crop: str, channels: int = 1) -> np.ndarray:
    """One image (H, W) or (H, W, 3), uint8, as `prepare` makes it; uint8 (size, size[, 3])."""
    if channels not in (1, 3):
        raise ValueError(f"{channels} channels: 1 (grey) or 3 (colour)")
    image = crop_of(crop)(image)[0]
    small = _resize(to_grey(image) if channels == 1 else image, size, Image.Resampling.BICUBIC)
    return small if channels == 1 or small.ndim == 3 else np.repeat(small[:, :, None], 3, axis=2)


def prepare_masks(dataset: Dataset, size: int, crop: str, missing: int | None = None) -> np.ndarray:
    """Read every mask, crop it by its image's box, and stretch it by nearest neighbour; uint8 (N, size, size).

    A row without a mask is filled with `missing`; None, the default, raises ValueError, since "not outlined" is not
    "empty".
    """
    cropped = crop_of(crop)
    masks = np.empty((len(dataset), size, size), dtype=np.uint8)
    without = np.flatnonzero(dataset.table["mask_file"].to_numpy() == "")
    if len(without) and missing is None:
        first = dataset.table["image"].iat[int(without[0])]
        raise ValueError(
            f"{len(without)} of {len(dataset)} images of {dataset.name} have no mask (first: {first}); select those "
            'that have one (dataset.select(dataset.table["mask_file"] != "")) or say what `missing` is'
        )
    for i in range(len(dataset)):
        mask = dataset.mask(i)
        if mask is None:
            masks[i] = missing
            continue
        if crop != "none":
            mask = cut(mask, cropped(dataset.image(i))[1])
        masks[i] = _resize(mask, size, Image.Resampling.NEAREST)
    return masks


def copy_matrix(
    height: int, width: int, rotation: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), shear: float = 0.0
) -> np.ndarray:
    """Return the 2 x 3 matrix that takes a pixel (x, y, 1) of an image to its place in an augmented copy, float64.

    rotation and shear in degrees (anticlockwise as seen; shear slants the vertical), shift (right, down) as a share of
    width and height; all about the image's centre, first shear, then rotation, then shift.
    """
    turn, slant = np.deg2rad(rotation), np.deg2rad(shear)
    rotate = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])  # y points down
    linear = rotate @ np.array([[1.0, -np.sin(slant)], [0.0, np.cos(slant)]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = centre - linear @ centre + np.array([shift[0] * width, shift[1] * height])
    return np.column_stack([linear, moved])


def augment_copy(
    image: np.ndarray, mask: np.ndarray | None, rng: np.random.Generator | int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Make one augmented copy of an image (H, W) or (H, W, 3), uint8, and of its mask (H, W), as in study 2's set.

    Drawn evenly: rotation within 10 degrees, shift within 10 % of width and of height, shear within 0.1 degrees (the
    recipe's 0.1 is degrees), either flip with probability 1/2, brightness 0.3 to 1; pixels from outside repeat the
    border. Bilinear for the image, nearest for the mask, which is moved alike and not dimmed. Source: the recipe of
    the public baseline (Keras: rotation_range 10, shifts 0.1, shear_range 0.1, brightness 0.3-1, flips, fill
    "nearest").
    """
    rng = np.random.default_rng(rng)
    height, width = image.shape[:2]
    if mask is not None and mask.shape != (height, width):
        raise ValueError(f"a mask of {mask.shape} for an image of {(height, width)}")
    rotation = rng.uniform(-10, 10)
    shift = (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1))
    matrix = copy_matrix(height, width, rotation, shift, rng.uniform(-0.1, 0.1))
    axes = [axis for axis, drawn in ((1, rng.random()), (0, rng.random())) if drawn < 0.5]
    brightness = rng.uniform(0.3, 1.0)

    def move(pixels: np.ndarray, how: int) -> np.ndarray:
        moved = cv2.warpAffine(pixels, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
        return np.ascontiguousarray(np.flip(moved, axes))

    copy = np.rint(move(image, cv2.INTER_LINEAR) * brightness).astype(np.uint8)
    return copy, None if mask is None else move(mask, cv2.INTER_NEAREST)
