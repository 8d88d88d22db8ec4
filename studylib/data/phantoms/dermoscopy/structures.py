"""Dermoscopic structures: where the marks of each lie inside a lesion, in its radii; `looks` says what they absorb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from studylib.data.phantoms.outlines import relative_distance

if TYPE_CHECKING:
    from studylib.data.phantoms.dermoscopy.kinds import Lesion


@dataclass(frozen=True, eq=False)
class Marks:
    """Ellipses, float (n, 5): u, v of the middle, two half axes, turn; lines: polylines (k, 2), each with a width;
    strength: how strong their colour is, 1 as a rule; amount: a number that a pattern without marks is drawn by.
    """

    ellipses: np.ndarray
    lines: tuple[tuple[np.ndarray, float], ...] = ()
    strength: float = 1.0
    amount: float = 0.0


NOTHING = np.zeros((0, 5))


def reach(lesion: Lesion, angles: np.ndarray) -> np.ndarray:
    """Distance of the border from the middle in some directions, (n,)."""
    angles = np.asarray(angles, np.float32)
    return 1 / relative_distance(lesion, np.cos(angles), np.sin(angles), 1.0)


def _inside(lesion: Lesion, rng: np.random.Generator, number: int, low: float, high: float) -> np.ndarray:
    """Points evenly over the ring between two shares of the way to the border, (number, 2)."""
    angles = rng.uniform(0, 2 * np.pi, number)
    away = np.sqrt(rng.uniform(low**2, high**2, number)) * reach(lesion, angles)
    return np.column_stack([away * np.cos(angles), away * np.sin(angles)])


def _dots(few: int, many: int, size: tuple[float, float], ring: tuple[float, float], strength: tuple[float, float]):
    """A structure of round marks: how many, how large, between which shares of the way to the border."""

    def draw(lesion: Lesion, rng: np.random.Generator) -> Marks:
        number = int(rng.integers(few, many + 1))
        radius = rng.uniform(*size, number)
        at = _inside(lesion, rng, number, *ring)
        ellipses = np.column_stack([at, radius, radius * rng.uniform(0.75, 1.0, number), rng.uniform(0, np.pi, number)])
        return Marks(ellipses, strength=float(rng.uniform(*strength)))

    return draw


def _cluster(lesion: Lesion, rng: np.random.Generator, size: tuple[float, float], lobes: int, high: float) -> Marks:
    """Overlapping ellipses around one point: a blotch."""
    middle, radius = _inside(lesion, rng, 1, 0.0, high)[0], rng.uniform(*size)
    at = middle + rng.normal(0, 0.35 * radius, (lobes, 2))
    axes = radius * rng.uniform(0.5, 0.9, (lobes, 2))
    return Marks(np.column_stack([at, axes, rng.uniform(0, np.pi, lobes)]), strength=float(rng.uniform(0.7, 1.0)))


def _veil(lesion: Lesion, rng: np.random.Generator) -> Marks:
    return _cluster(lesion, rng, (0.35, 0.60), 4, 0.4)


def _regression(lesion: Lesion, rng: np.random.Generator) -> Marks:
    return _cluster(lesion, rng, (0.30, 0.50), 5, 0.6)


def _ulcer(lesion: Lesion, rng: np.random.Generator) -> Marks:
    return _cluster(lesion, rng, (0.16, 0.34), 4, 0.6)


def _keratin(lesion: Lesion, rng: np.random.Generator) -> Marks:
    return _cluster(lesion, rng, (0.35, 0.60), 5, 0.2)


def _scar(lesion: Lesion, rng: np.random.Generator) -> Marks:
    return _cluster(lesion, rng, (0.35, 0.60), 5, 0.12)


def _scale(lesion: Lesion, rng: np.random.Generator) -> Marks:
    number = int(rng.integers(6, 16))
    axes = np.column_stack([rng.uniform(0.08, 0.24, number), rng.uniform(0.03, 0.09, number)])
    turns = rng.normal(rng.uniform(0, np.pi), 0.5, number)
    at = _inside(lesion, rng, number, 0, 0.8)
    return Marks(np.column_stack([at, axes, turns]), strength=float(rng.uniform(0.4, 0.9)))


def _leaves(lesion: Lesion, rng: np.random.Generator) -> Marks:
    """Lobes that point outward, in groups that share a base, near the border."""
    found = []
    for _ in range(int(rng.integers(2, 5))):
        angle = rng.uniform(0, 2 * np.pi)
        base = 0.55 * float(reach(lesion, [angle])[0])
        for turn in angle + rng.uniform(0.35, 0.6) * np.arange(-1, 2):
            length, at = rng.uniform(0.10, 0.17), base * np.array([np.cos(angle), np.sin(angle)])
            at = at + 0.8 * length * np.array([np.cos(turn), np.sin(turn)])
            found.append((*at, length, 0.4 * length, turn))
    return Marks(np.array(found), strength=float(rng.uniform(0.6, 1.0)))


def _streaks(lesion: Lesion, rng: np.random.Generator) -> Marks:
    """Lines that run outward at a part of the border, each up to the border."""
    start, width = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 5.0)
    angles = start + np.arange(0, width, rng.uniform(0.16, 0.26))
    ends, lines = reach(lesion, angles), []
    for angle, end in zip(angles, ends, strict=True):
        far = np.array([rng.uniform(0.55, 0.68), rng.uniform(0.90, 0.99)]) * end
        lines.append((np.outer(far, [np.cos(angle), np.sin(angle)]), float(rng.uniform(0.035, 0.06))))
    return Marks(NOTHING, tuple(lines))


def _vessels(lesion: Lesion, rng: np.random.Generator) -> Marks:
    """Trees: a stem from the border inward, whose branches thin out."""
    lines = []
    for _ in range(int(rng.integers(2, 5))):
        angle = rng.uniform(0, 2 * np.pi)
        root = 0.92 * float(reach(lesion, [angle])[0]) * np.array([np.cos(angle), np.sin(angle)])
        _branch(lines, root, angle + np.pi, rng.uniform(0.7, 1.1), 0.05, rng)
    return Marks(NOTHING, tuple(lines), strength=float(rng.uniform(0.6, 1.0)))


def _branch(lines: list, at: np.ndarray, turn: float, length: float, width: float, rng: np.random.Generator) -> None:
    turns = turn + np.cumsum(rng.normal(0, 0.22, 7))
    steps = np.column_stack([np.cos(turns), np.sin(turns)]) * (length / 7)
    line = np.vstack([at, at + np.cumsum(steps, 0)])
    line = line[np.hypot(*line.T) < 0.93] if np.hypot(*at) < 0.93 else line
    if len(line) < 2:
        return
    lines.append((line, width))
    if width > 0.02:
        for place in rng.integers(2, len(line), 2) if len(line) > 2 else ():
            side = turn + rng.choice((-1, 1)) * rng.uniform(0.5, 1.0)
            _branch(lines, line[place], side, 0.55 * length, 0.6 * width, rng)


def _network(lesion: Lesion, rng: np.random.Generator) -> Marks:
    """Meshes as wide as `amount`, stronger or fainter; as wide on the skin whatever the lesion's size."""
    mesh = rng.uniform(0.036, 0.052) / lesion.radius
    return Marks(NOTHING, strength=float(rng.uniform(0.3, 0.9)), amount=float(mesh))


# In this order chances are drawn and marks are painted
STRUCTURES: dict[str, Callable[[Lesion, np.random.Generator], Marks]] = {
    "network": _network,
    "globules": _dots(12, 34, (0.03, 0.07), (0.0, 0.92), (0.6, 1.2)),
    "streaks": _streaks,
    "leaves": _leaves,
    "nests": _dots(2, 7, (0.08, 0.17), (0.0, 0.75), (0.6, 1.0)),
    "lacunae": _dots(9, 24, (0.10, 0.24), (0.0, 0.80), (0.6, 1.0)),
    "openings": _dots(5, 16, (0.03, 0.065), (0.0, 0.85), (0.7, 1.2)),
    "regression": _regression,
    "veil": _veil,
    "vessels": _vessels,
    "dots": _dots(20, 45, (0.018, 0.035), (0.25, 0.9), (0.7, 1.2)),
    "ulcer": _ulcer,
    "follicles": _dots(14, 36, (0.035, 0.07), (0.0, 0.85), (0.35, 0.8)),
    "scar": _scar,
    "keratin": _keratin,
    "scale": _scale,
    "cysts": _dots(5, 18, (0.025, 0.055), (0.0, 0.85), (0.5, 0.95)),
}


def stamp(ellipses: np.ndarray, lines, to_pixels, scale: float, shape: tuple[int, int], blur: float) -> np.ndarray:
    """Cover of marks, float32 (H, W) in 0..1. to_pixels: points (n, 2) in radii -> (pixels, turn added to angles);
    scale: pixels of a radius; blur: sigma in pixels.
    """
    canvas = np.zeros(shape, np.uint8)
    centres, turn = to_pixels(ellipses[:, :2])
    for (x, y), (_, _, a, b, own) in zip(centres, ellipses, strict=True):
        axes = (max(int(16 * a * scale), 6), max(int(16 * b * scale), 6))  # in 1/16 pixel
        cv2.ellipse(
            canvas, (int(16 * x), int(16 * y)), axes, float(np.rad2deg(own + turn)), 0, 360, 255, -1, cv2.LINE_AA, 4
        )
    for line, width in lines:
        points = np.round(16 * to_pixels(line)[0]).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, max(1, round(width * scale)), cv2.LINE_AA, 4)
    found = canvas.astype(np.float32) / np.float32(255)
    return cv2.GaussianBlur(found, (0, 0), blur) if blur > 0 else found
