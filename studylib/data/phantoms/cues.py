"""Planted cues: which patients get one, and how it is put into an image of any family, with the mask of where it is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

MODES = ("planted", "dissociated", "reversed")
CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")


def agreement(strength: float, mode: str = "planted") -> float:
    """Return how probably a cue agrees with the label: `strength`; 1/2 when dissociated, 1 - strength when reversed."""
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} is outside 0..1 (1: always with the class, 0.5: no association)")
    if mode not in MODES:
        raise ValueError(f"mode '{mode}' is unknown (known: {', '.join(MODES)})")
    return {"planted": float(strength), "dissociated": 0.5, "reversed": 1.0 - strength}[mode]


def allot(labels: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Say who carries a cue, bool (N,): it agrees with the label, bool (N,), with this probability, each on its own.

    One uniform number each decides: from the same state of `rng`, who agrees at a probability agrees at a greater one.
    """
    labels = np.asarray(labels, dtype=bool)
    return np.where(rng.random(len(labels)) < probability, labels, ~labels)


def allot_either(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give positives the first cue, the second, or both, a third each (counts differ by one at most); negatives none.

    labels: bool (N,) -> (who has the first, who has the second), bool (N,) each.
    """
    labels = np.asarray(labels, dtype=bool)
    first, second = np.zeros_like(labels), np.zeros_like(labels)
    kinds = rng.permutation(np.flatnonzero(labels))
    first[kinds[0::3]] = second[kinds[1::3]] = True
    first[kinds[2::3]] = second[kinds[2::3]] = True
    return first, second


def plant_marker(
    image: np.ndarray,
    rng: np.random.Generator,
    *,
    box: tuple[int, int, int, int] | None = None,
    corners: Sequence[str] = CORNERS,
    side: float = 0.085,
    brightness: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Put a side marker, a letter in a frame, into one of `corners`; return (image, its mask, bool (H, W)).

    image: (H, W) or (H, W, 3), uint8 or float, not changed. box: left, top, right, bottom in pixels, whose corners are
    meant (the whole image); a marker in a box around the object is kept by a crop to the object. side: share of the
    image's shorter side, at least 7 pixels. brightness: in the image's units (0.92 of white). The mask is its square.
    """
    unknown = [corner for corner in corners if corner not in CORNERS]
    if unknown or not corners:
        raise ValueError(f"corners {list(corners)}: some of {', '.join(CORNERS)} are expected")
    height, width = image.shape[:2]
    left, top, right, bottom = box or (0, 0, width, height)
    corner = corners[int(rng.integers(len(corners)))]
    pixels = max(7, round(side * min(height, width)))
    slack = rng.integers(0, max(2, pixels // 4), 2)
    x = left + slack[0] if corner.endswith("left") else right - pixels - slack[0]
    y = top + slack[1] if corner.startswith("top") else bottom - pixels - slack[1]
    x, y = int(np.clip(x, 0, width - pixels)), int(np.clip(y, 0, height - pixels))
    mask = np.zeros((height, width), dtype=bool)
    mask[y : y + pixels, x : x + pixels] = True
    weight = np.zeros((height, width), dtype=np.float32)
    weight[mask] = _letter(pixels).ravel()
    return _mix(image, weight, _white(image) * 0.92 if brightness is None else brightness), mask


def plant_frame(image: np.ndarray, colour: Sequence[float], width: float = 0.025) -> tuple[np.ndarray, np.ndarray]:
    """Put a coloured frame around a picture, as a clinic's software does; return (image, its mask, bool (H, W)).

    image: (H, W, 3), not changed; colour: red, green, blue in the image's units; width: share of the image's longer
    side, at least 2 pixels.
    """
    pixels = max(2, round(width * max(image.shape[:2])))
    mask = np.ones(image.shape[:2], dtype=bool)
    mask[pixels:-pixels, pixels:-pixels] = False
    framed = image.copy()
    framed[mask] = colour
    return framed, mask


def plant_lump(
    image: np.ndarray, body: np.ndarray, rng: np.random.Generator, *, brightness: float, size: float = 0.045
) -> tuple[np.ndarray, np.ndarray]:
    """Let the surface of a body bulge outward at a random place of its upper half; return (image, mask of the bulge).

    image: (H, W) or (H, W, 3), uint8 or float, not changed; body: bool (H, W); size: the bulge's half height as a share
    of the image's shorter side, its half width twice that; brightness: in the image's units. ValueError without a body.
    """
    if not body.any():
        raise ValueError("no pixel belongs to the body, so there is no surface for a lump")
    height, width = body.shape
    y, x = np.nonzero(body)
    middle = np.array([x.mean(), np.percentile(y, 40)])
    angle = rng.uniform(-0.88 * np.pi, -0.12 * np.pi)
    size = size * rng.uniform(0.85, 1.15) * min(height, width)
    reach = np.arange(0, np.hypot(height, width), 0.5)
    ray = middle + reach[:, None] * np.array([np.cos(angle), np.sin(angle)])
    column, row = np.rint(ray).astype(int).T
    seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    ray, hit = ray[seen], body[row[seen], column[seen]]
    surface = ray[np.flatnonzero(hit)[-1]] if hit.any() else middle
    grown = np.zeros((height, width), np.uint8)
    axes, centre = (round(32 * size), round(16 * size)), tuple(int(round(16 * c)) for c in surface)  # in 1/16 pixel
    cv2.ellipse(grown, centre, axes, np.rad2deg(angle) + 90, 0, 360, 1, -1, cv2.LINE_8, 4)
    rim = cv2.erode(body.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=2, borderValue=1) > 0
    mask = (grown > 0) & ~rim
    weight = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6) * cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)))
    return _mix(image, weight, brightness), mask


def _mix(image: np.ndarray, weight: np.ndarray, brightness: float) -> np.ndarray:
    """Fade an image (H, W[, 3]) into a brightness where weight, float32 (H, W), is 1; the type stays."""
    weight = weight[:, :, None] if image.ndim == 3 else weight
    mixed = image + weight * (np.float32(brightness) - image)
    return np.rint(mixed).astype(np.uint8) if image.dtype == np.uint8 else mixed.astype(image.dtype)


def _white(image: np.ndarray) -> float:
    """Return full brightness in an image's units."""
    return 255.0 if image.dtype == np.uint8 else 1.0


def _letter(pixels: int) -> np.ndarray:
    """Draw an F in a frame, float32 (pixels, pixels) in 0..1."""
    n = 8 * pixels
    big, thick = np.zeros((n, n), np.uint8), max(1, n // 9)
    cv2.rectangle(big, (n // 16, n // 16), (n - 1 - n // 16, n - 1 - n // 16), 255, thick)
    for start, end in (((0.36, 0.26), (0.36, 0.78)), ((0.36, 0.28), (0.70, 0.28)), ((0.36, 0.52), (0.62, 0.52))):
        cv2.line(big, *(tuple(int(n * c) for c in point) for point in (start, end)), 255, thick)
    return cv2.resize(big, (pixels, pixels), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
