"""What dermoscopic pictures hold besides skin: hair, gel bubbles, a colour disc, ink of a surgical pen, a ruler, the
dark frame of the lens. Each is blended over a picture and returned with its mask: the pixels that it changes, of the
frame those that it hides.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

# In this order they are laid over each other; how often each is there, whatever the class
SHARES = {"hair": 0.35, "bubbles": 0.15, "disc": 0.07, "ink": 0.10, "ruler": 0.14, "vignette": 0.14}
DISCS = ((0.15, 0.35, 0.75), (0.10, 0.60, 0.45), (0.95, 0.60, 0.10), (0.90, 0.80, 0.20), (0.80, 0.15, 0.25))
GENTIAN = (0.36, 0.20, 0.58)  # what a surgical pen lets through
LEAST = 8 / 255  # cover below which a pixel is left as it is
CLEAR = 0.04  # width of skin, in sides, that a pen keeps from the lesion

Drawn = tuple[np.ndarray, np.ndarray]


def choose(rng: np.random.Generator, cue: str | None, present: bool) -> tuple[str, ...]:
    """Which artefacts a picture has, each by chance; the one that is a cue only where it was decided so."""
    chances = rng.random(len(SHARES))
    by_chance = {name: bool(c < share) for (name, share), c in zip(SHARES.items(), chances, strict=True)}
    return tuple(name for name, there in (by_chance | ({cue: present} if cue in SHARES else {})).items() if there)


def lay(name: str, image: np.ndarray, lesion: np.ndarray, rng: np.random.Generator) -> Drawn:
    """Lay an artefact of SHARES over a picture, float32 (H, W, 3), not changed -> (picture, its mask, bool (H, W)).

    lesion: bool (H, W), which a pen keeps clear of.
    """
    return _DRAW[name](image, lesion, rng)


def _blend(image: np.ndarray, cover: np.ndarray, colour, through: bool = False) -> Drawn:
    """Fade a picture into a colour (through: into itself seen through it) where cover, float32 (H, W), is 1."""
    cover = np.where(cover < np.float32(LEAST), np.float32(0), cover)
    planes = []
    for plane, value in zip(cv2.split(image), np.float32(colour), strict=True):
        planes.append(plane + cover * ((plane * value if through else value) - plane))
    return cv2.merge(planes), cover > 0


def _hair(image: np.ndarray, lesion: np.ndarray, rng: np.random.Generator) -> Drawn:
    """Terminal hairs that lean one way, as a bundle of curves."""
    size = image.shape[0]
    canvas = np.zeros((size, size), np.uint8)
    lean, step = rng.uniform(0, 2 * np.pi), size / 20
    for _ in range(int(rng.integers(3, 22))):
        turns = lean + rng.normal(0, 0.45) + np.cumsum(np.full(16, rng.normal(0, 0.07)))
        long = int(rng.integers(6, 17))
        walk = step * np.cumsum(np.column_stack([np.cos(turns), np.sin(turns)])[:long], 0)
        points = rng.uniform(-0.2, 1.1, 2) * size + walk
        width = max(1, round(size / 128 * rng.uniform(0.5, 1.6)))
        dark = int(rng.integers(130, 256))
        cv2.polylines(canvas, [np.round(16 * points).astype(np.int32)], False, dark, width, cv2.LINE_AA, 4)
    colour = np.array([0.13, 0.08, 0.06]) + rng.uniform(0, 0.18) * np.array([1.0, 0.75, 0.5])
    return _blend(image, canvas.astype(np.float32) * np.float32(rng.uniform(0.65, 0.95) / 255), colour)


def _bubbles(image: np.ndarray, lesion: np.ndarray, rng: np.random.Generator) -> Drawn:
    """Bubbles in the gel: a bright rim with a dark one inside and a glint."""
    size = image.shape[0]
    bright, dark = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(2, 9))):
        x, y, r = (int(16 * v) for v in (*rng.uniform(0, size, 2), size * rng.uniform(0.015, 0.05)))
        width = max(1, round(size / 128))
        cv2.circle(dark, (x, y), max(r - 16 * width, 8), 120, width, cv2.LINE_AA, 4)
        cv2.circle(bright, (x, y), r, 170, width, cv2.LINE_AA, 4)
        cv2.circle(bright, (x - r // 3, y - r // 3), max(r // 5, 8), 230, -1, cv2.LINE_AA, 4)
    first, one = _blend(image, dark.astype(np.float32) / 255, (0.30, 0.22, 0.20))
    both, two = _blend(first, bright.astype(np.float32) / 255, (0.97, 0.95, 0.95))
    return both, one | two


def _disc(image: np.ndarray, lesion: np.ndarray, rng: np.random.Generator) -> Drawn:
    """A sticker of one colour, partly outside of the picture, at a corner or an edge."""
    size = image.shape[0]
    canvas, angle = np.zeros((size, size), np.uint8), rng.uniform(0, 2 * np.pi)
    away = rng.uniform(0.90, 1.10) * 0.5 / max(abs(np.cos(angle)), abs(np.sin(angle)))  # 0.5: to the edge
    radius = rng.uniform(0.15, 0.22)
    x, y = (int(16 * size * (0.5 + away * t)) for t in (np.cos(angle), np.sin(angle)))
    cv2.circle(canvas, (x, y), int(16 * size * radius), 255, -1, cv2.LINE_AA, 4)
    colour = np.array(DISCS[int(rng.integers(len(DISCS)))]) * rng.uniform(0.85, 1.05)
    return _blend(image, canvas.astype(np.float32) / 255, colour)


def _ink(image: np.ndarray, lesion: np.ndarray, rng: np.random.Generator) -> Drawn:
    """Strokes of a surgical pen around the lesion, seen through; where there is no skin beside it, nothing."""
    size = image.shape[0]
    canvas = np.zeros((size, size), np.uint8)
    wide = 2 * round(CLEAR * size) + 1
    free = cv2.dilate(lesion.astype(np.uint8), np.ones((wide, wide), np.uint8)) == 0
    rows, columns = np.nonzero(free)
    if not len(rows):
        return image, np.zeros((size, size), bool)
    middle = np.array([np.nonzero(lesion)[1].mean(), np.nonzero(lesion)[0].mean()]) if lesion.any() else [size / 2] * 2
    off = np.hypot(columns - middle[0], rows - middle[1])
    seen = np.maximum(np.abs(columns - size / 2), np.abs(rows - size / 2)) < 0.40 * size
    likely = np.where(seen, 1.0, 0.02) / (1 + np.square(off / (0.35 * size)))
    for index in rng.choice(len(rows), int(rng.integers(1, 4)), p=likely / likely.sum()):
        at = np.array([columns[index], rows[index]], float)
        tangent = np.arctan2(at[1] - middle[1], at[0] - middle[0]) + np.pi / 2
        turns = tangent + rng.normal(0, 0.15) + np.linspace(-0.5, 0.5, 9) * rng.uniform(0.2, 1.2)
        walk = np.cumsum(np.column_stack([np.cos(turns), np.sin(turns)]), 0) * size * rng.uniform(0.020, 0.038)
        points = at + walk - walk[4]
        width = max(2, round(size * rng.uniform(0.025, 0.042)))
        cv2.polylines(canvas, [np.round(16 * points).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)
    cover = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.5 * size / 128) * free
    return _blend(image, cover * np.float32(rng.uniform(0.75, 0.95)), GENTIAN, through=True)


def _ruler(image: np.ndarray, lesion: np.ndarray, rng: np.random.Generator) -> Drawn:
    """A clear scale near an edge: a paler band with black ticks, every fifth longer."""
    size, edge = image.shape[0], int(rng.integers(4))
    width, start = max(6, round(size * rng.uniform(0.085, 0.12))), round(size * rng.uniform(0.0, 0.06))
    band, ticks = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    band[start : start + width] = rng.uniform(0.25, 0.45)
    apart, thick = size * rng.uniform(0.038, 0.055), max(1, round(size / 128))
    for number, at in enumerate(np.arange(rng.uniform(0, apart), size - thick, apart)):
        long = width if number % 5 == 0 else round(0.55 * width)
        ticks[start : start + long, round(at) : round(at) + thick] = 0.9
    band, ticks = (np.ascontiguousarray(np.rot90(part, edge)) for part in (band, ticks))
    pale, where = _blend(image, band, (0.90, 0.90, 0.88))
    return _blend(pale, ticks, (0.06, 0.06, 0.07))[0], where


def _vignette(image: np.ndarray, lesion: np.ndarray, rng: np.random.Generator) -> Drawn:
    """The dark frame of the lens: all outside of a round opening; its mask leaves out the soft rim."""
    size, radius = image.shape[0], rng.uniform(0.52, 0.62)
    x, y = rng.uniform(-0.02, 0.02, 2)
    steps = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) - np.float32(0.5)
    away = np.hypot(steps[None, :] - np.float32(x), steps[:, None] - np.float32(y))
    cover = np.clip((away - np.float32(radius)) / np.float32(0.02), 0, 1)
    return _blend(image, cover, (0.03, 0.025, 0.03))[0], cover >= 1


_DRAW: dict[str, Callable[..., Drawn]] = {
    "hair": _hair,
    "bubbles": _bubbles,
    "disc": _disc,
    "ink": _ink,
    "ruler": _ruler,
    "vignette": _vignette,
}
