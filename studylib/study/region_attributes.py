"""Numbers behind the words about a region: size, place, shape, boundary, symmetry, colour.

A region is one connected component: of a map the largest one above half of its maximum (ledger 5.32), of a mask its
largest. Shape is measured in pixels as they come: give pictures and masks at the photograph's own aspect, since a
stretched picture has other eccentricities.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from studylib.cam.regions import find_regions, largest_component

FRACTION = 0.5  # of the map's maximum; ledger 5.32
LEAST_PIXELS = 16  # of fewer pixels (4 x 4) the outline is the grid's, not the region's: shape is undefined. Ours
FILLS = 0.9  # share of the image; a larger region has the frame's shape and place, not its own. Ours
LEAST_LIGHT = 0.05  # V of the brightest pixel; below it a picture is black and has no colour. Ours

# Colour classes of a pixel, asked in this order. Ours: the six colours of the ABCD rule (Nachbar 1994,
# doi:10.1016/S0190-9622(94)70061-3), which gives no numbers, in HSV, black joined to dark brown and white to yellow.
DARK_V = 0.40  # V below it: dark brown or black
GREY_S = 0.20  # S below it: no hue, so white where bright and grey elsewhere
BRIGHT_V = 0.75  # V from it on: white, or yellow where the hue is
DULL_S = 0.60  # S below it, where not bright: a dull red is brown (dermoscopes' lamps tint brown skin lesions red)
WARM_HUE = 345.0  # degrees; from it on a dull red may be brown, below it is the pink of vessels
BROWN_HUE, YELLOW_HUE, GREEN_HUE, BLUE_HUE, RED_HUE = 12.0, 40.0, 70.0, 160.0, 290.0  # degrees where each hue begins
COLOURS = ("dark_brown_or_black", "white_or_yellow", "blue_grey", "red_or_pink", "brown", "other")

COLUMNS = (
    "area", "row", "column", "eccentricity", "solidity", "irregularity", "symmetry", "value", "contrast", "colour",
    "colour_share", "at_border", "on_lesion", "pixels", "undefined",
)  # fmt: skip


def attributes_of_maps(maps: ArrayLike, images: ArrayLike, **more) -> pd.DataFrame:
    """Attributes of the region of each map, the largest component above half of its maximum.

    maps: (N, H, W), signed, at the images' size; images: (N, H, W, 3) uint8; more: arguments of `attributes`. A row an
    image as in `attributes`; `undefined` says why a map has no region. Raises ValueError for other shapes.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or maps.shape != np.shape(images)[:3]:
        raise ValueError(
            f"maps have the shape {maps.shape}, images {np.shape(images)}; expected (N, H, W) and (N, H, W, 3): bring "
            "maps to the images' size first"
        )
    found = find_regions(maps, "fraction", FRACTION, largest=True)
    return attributes(found.masks, images, reasons=found.undefined, **more)


def attributes(
    masks: ArrayLike, images: ArrayLike, *, lesions: ArrayLike | None = None,
    reasons: Sequence[str | None] | None = None, names: Sequence[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Attributes of the largest component of each mask, a row an image, columns COLUMNS.

    masks: (N, H, W) bool; images: (N, H, W, 3) uint8; lesions: (N, H, W) bool, where the lesion is known; reasons: why
    an image has no region, else "empty"; names: what errors call the images.
    area: share of the image; row, column: centroid from 0 (top, left) to 1; eccentricity and solidity as scikit-image
    has them, solidity of the hull around whole pixels; irregularity: perimeter^2 / (4 pi area), 1 for a disc; symmetry:
    mean IoU with the reflections about both principal axes (ledger 5.34); value: mean V of HSV; contrast: that minus
    the median V of the rest; colour: commonest of COLOURS, on colour_share of the region; at_border: touches the
    frame; on_lesion: share of the region inside the lesion. NaN (colour: None) where undefined: no region, shape of
    fewer than LEAST_PIXELS pixels or of more than FILLS of the image, colour of a black picture. Raises ValueError.
    """
    masks, images, lesions = _checked(masks, images, lesions, names)
    reasons = [None] * len(masks) if reasons is None else list(reasons)
    if len(reasons) != len(masks):
        raise ValueError(f"{len(reasons)} reasons for {len(masks)} masks; give one a mask, None where it has a region")
    rows = []
    for i, mask in enumerate(largest_component(masks) if len(masks) else masks):
        if not mask.any():
            rows.append(dict.fromkeys(COLUMNS, np.nan) | {"colour": None, "pixels": 0})
            rows[-1]["undefined"] = reasons[i] or "empty"
            continue
        ys, xs = np.nonzero(mask)
        height, width = mask.shape
        area = len(ys) / mask.size
        row = {"area": area, "row": (ys.mean() + 0.5) / height, "column": (xs.mean() + 0.5) / width}
        shaped = len(ys) >= LEAST_PIXELS and area <= FILLS
        row |= _shape(mask, ys, xs) if shaped else dict.fromkeys(("eccentricity", "solidity", "irregularity"), np.nan)
        row["symmetry"] = symmetry(mask) if shaped else np.nan
        row |= _light(mask, images[i])
        row["at_border"] = bool(ys.min() == 0 or xs.min() == 0 or ys.max() == height - 1 or xs.max() == width - 1)
        row["on_lesion"] = np.nan if lesions is None or not lesions[i].any() else float(lesions[i][mask].mean())
        rows.append(row | {"pixels": len(ys), "undefined": None})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def symmetry(mask: np.ndarray) -> float:
    """Mean IoU of a region with its reflections about its principal axes. mask: (H, W) bool -> [0, 1], NaN if empty.

    Reflected pixels are read at the nearest pixel; what leaves the frame meets nothing. A region without a longest axis
    (disc, square) is reflected about rows and columns.
    """
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return float("nan")
    centre, spread = _moments(ys, xs)
    _, axes = np.linalg.eigh(spread)
    if abs(spread[0, 1]) < 1e-9 * max(spread.trace(), 1e-300):
        axes = np.eye(2)
    places, overlaps = np.stack([ys, xs], 1) - centre, []
    for axis in axes.T:
        mirrored = np.floor(2 * np.outer(places @ axis, axis) - places + centre + 0.5 + 1e-9).astype(int)
        inside = ((mirrored >= 0) & (mirrored < mask.shape)).all(1)
        shared = int(mask[tuple(mirrored[inside].T)].sum())
        overlaps.append(shared / (2 * len(ys) - shared))
    return float(np.mean(overlaps))


def colour_classes(pixels: np.ndarray) -> np.ndarray:
    """The colour class of each pixel as its place in COLOURS. pixels: (n, 3) uint8 RGB -> (n,)"""
    rgb = np.asarray(pixels, float) / 255
    v, low = rgb.max(1), rgb.min(1)
    chroma = v - low
    safe = np.where(chroma > 0, chroma, 1)
    r, g, b = rgb.T
    sector = np.where(v == r, (g - b) / safe % 6, np.where(v == g, (b - r) / safe + 2, (r - g) / safe + 4))
    hue, s = 60 * sector, np.divide(chroma, v, out=np.zeros_like(v), where=v > 0)
    bright, grey, red = v >= BRIGHT_V, s < GREY_S, (hue >= RED_HUE) | (hue < BROWN_HUE)
    cases = {
        "dark_brown_or_black": v < DARK_V,
        "white_or_yellow": bright & (grey | ((hue >= YELLOW_HUE) & (hue < GREEN_HUE))),
        "blue_grey": grey | ((hue >= BLUE_HUE) & (hue < RED_HUE)),
        "red_or_pink": red & (bright | (s >= DULL_S) | ((hue >= RED_HUE) & (hue < WARM_HUE))),
        "brown": red | (hue < GREEN_HUE),
    }
    return np.select(list(cases.values()), [COLOURS.index(name) for name in cases], COLOURS.index("other"))


def _checked(masks, images, lesions, names):
    masks, images = np.asarray(masks), np.asarray(images)
    where = f" (the first is {names[0]})" if names is not None and len(names) else ""
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"images have the shape {images.shape} and type {images.dtype}{where}; colour needs (N, H, W, 3) uint8: "
            "repeat a grey picture three times, leave alpha out"
        )
    for name, given in (("masks", masks), ("lesions", lesions)):
        if given is not None and (np.shape(given) != images.shape[:3] or np.asarray(given).dtype != bool):
            raise ValueError(
                f"{name} have the shape {np.shape(given)} and type {np.asarray(given).dtype}{where}; expected "
                f"{images.shape[:3]} bool, as the images"
            )
    return masks, images, None if lesions is None else np.asarray(lesions)


def _moments(ys: np.ndarray, xs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroid (2,) and covariance (2, 2) of pixels, rows first."""
    places = np.stack([ys, xs]).astype(float)
    return places.mean(1), np.cov(places, bias=True)


def _shape(mask: np.ndarray, ys: np.ndarray, xs: np.ndarray) -> dict[str, float]:
    from skimage.measure import perimeter_crofton

    small, large = np.linalg.eigvalsh(_moments(ys, xs)[1])
    box = mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    first, last = box.argmax(1), box.shape[1] - box[:, ::-1].argmax(1)
    rows = np.flatnonzero(box.any(1))
    # the hull of whole pixels: their four corners, of which the outermost in each row suffice
    corners = [np.stack([side[rows], rows + step], 1) for side in (first, last) for step in (0, 1)]
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(corners).astype(np.float32)))
    around = perimeter_crofton(np.pad(box, 1), directions=4)
    return {
        "eccentricity": float(np.sqrt(max(0.0, 1 - max(small, 0.0) / large))),
        "solidity": len(ys) / hull,
        "irregularity": around**2 / (4 * np.pi * len(ys)),
    }


def _light(mask: np.ndarray, image: np.ndarray) -> dict:
    value = image.max(2) / 255
    mean = float(value[mask].mean())
    if value.max() < LEAST_LIGHT:
        return {"value": np.nan, "contrast": np.nan, "colour": None, "colour_share": np.nan}
    counts = np.bincount(colour_classes(image[mask]), minlength=len(COLOURS))
    rest = value[~mask]
    return {
        "value": mean,
        "contrast": mean - float(np.median(rest)) if rest.size else np.nan,
        "colour": COLOURS[int(counts.argmax())],
        "colour_share": counts.max() / counts.sum(),
    }
