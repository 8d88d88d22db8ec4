"""Lesions in a picture: from which side and how near they are seen, and where every pixel lies in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from studylib.data.phantoms.dermoscopy.kinds import Lesion
from studylib.data.phantoms.outlines import extent, relative_distance

ANGLES = 2048  # steps of a border's table
APART = 0.21  # how far a lesion reaches from its place where there are several, in sides
SKIN_LATTICES, LESION_LATTICES = (6, 26, 96), (9, 24, 64)  # points a side of noises
SKIN_REACH, LESION_REACH = 1.2, 2.2  # noise is drawn this far from the middle, in sides and in radii


@dataclass(frozen=True)
class View:
    """One picture of a lesion: x, y of its middle from the picture's, in sides; turn in radians; near: scale."""

    x: float
    y: float
    turn: float
    near: float


def place(lesions: Sequence[Lesion], rng: np.random.Generator) -> list[tuple[Lesion, tuple[float, float]]]:
    """Give each of 1 to 4 lesions its place on the skin, in sides from the middle; several never touch."""
    if len(lesions) == 1:
        return [(lesions[0], (0.0, 0.0))]
    cells = rng.permutation(4)[: len(lesions)]
    found = []
    for lesion, cell in zip(lesions, cells, strict=True):
        at = tuple(float(v) for v in (0.48 * np.array([cell % 2, cell // 2]) - 0.24 + rng.uniform(-0.025, 0.025, 2)))
        far = max(abs(v) for v in extent(lesion, 1.0)) * np.sqrt(2)
        found.append((replace(lesion, radius=min(lesion.radius / 2, APART / far)), at))
    return found


def draw_view(radius: float, rng: np.random.Generator) -> View:
    """Draw one picture's view; radius: of its only lesion, 0.5 for several; small lesions may lie far off."""
    away = 0.03 + 0.8 * max(0.42 - radius, 0.0)
    x, y = away * rng.uniform(-1, 1, 2)
    return View(float(x), float(y), float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.9, 1.1)))


@dataclass(frozen=True, eq=False)
class Patch:
    """A lesion in a picture. u, v: of pixels, in its radii; way: 0 in its middle, 1 at its border; noise: three,
    coarse to fine; all float32 (H, W). x, y: of its middle in pixels; scale: pixels of a radius; turn: of the view.
    """

    lesion: Lesion
    u: np.ndarray
    v: np.ndarray
    way: np.ndarray
    noise: tuple[np.ndarray, np.ndarray, np.ndarray]
    x: float
    y: float
    scale: float
    turn: float

    def to_pixels(self, points: np.ndarray) -> tuple[np.ndarray, float]:
        """Points (n, 2) in radii -> (their pixels (n, 2), by how much angles turn)."""
        c, s = self.scale * np.cos(self.turn), self.scale * np.sin(self.turn)
        u, v = points[:, 0], points[:, 1]
        return np.column_stack([self.x + c * u - s * v, self.y + s * u + c * v]), self.turn


@dataclass(frozen=True, eq=False)
class Layout:
    """Where all lies in a picture: lesions, and three noises of the skin, coarse to fine, float32 (H, W)."""

    patches: tuple[Patch, ...]
    skin: tuple[np.ndarray, ...]

    @property
    def lesion(self) -> np.ndarray:
        """Pixels of any lesion, bool (H, W)."""
        return np.logical_or.reduce([patch.way < 1 for patch in self.patches])


def lay_out(placed: Sequence[tuple[Lesion, tuple[float, float]]], seed: int, view: View, size: int) -> Layout:
    """Put lesions and the skin around them (seed: of its noise) into a square picture."""
    steps = (np.arange(size, dtype=np.float32) + np.float32(0.5 - size / 2)) / np.float32(size)
    x, y = steps[None, :] - np.float32(view.x), steps[:, None] - np.float32(view.y)
    c, s = np.float32(np.cos(view.turn) / view.near), np.float32(np.sin(view.turn) / view.near)
    across, down = x * c + y * s, y * c - x * s  # on the skin, in sides
    skin = _noise(_lattices(seed, SKIN_LATTICES), across, down, SKIN_REACH)
    patches = []
    for lesion, (px, py) in placed:
        radius = np.float32(lesion.radius)
        u, v = (across - np.float32(px)) / radius, (down - np.float32(py)) / radius
        noise = _noise(_lattices(lesion.grain, LESION_LATTICES), u, v, LESION_REACH)
        ct, st = view.near * np.cos(view.turn), view.near * np.sin(view.turn)
        at = [size * (0.5 + o) - 0.5 for o in (view.x + ct * px - st * py, view.y + st * px + ct * py)]
        scale = float(size * view.near * lesion.radius)
        patches.append(Patch(lesion, u, v, _way(lesion, u, v), noise, *(float(a) for a in at), scale, view.turn))
    return Layout(tuple(patches), skin)


def _way(lesion: Lesion, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Distance from a lesion's middle over its border's in that direction, by a table of directions."""
    at = ((np.arctan2(v, u) + np.float32(np.pi)) * np.float32(ANGLES / (2 * np.pi))).astype(np.int32) % ANGLES
    return np.sqrt(u * u + v * v) * _border(lesion)[at]


@lru_cache(maxsize=16)
def _border(lesion: Lesion) -> np.ndarray:
    """One over the radius of a lesion in each direction, float32 (ANGLES,)."""
    turns = (np.arange(ANGLES, dtype=np.float32) + np.float32(0.5)) * np.float32(2 * np.pi / ANGLES) - np.float32(np.pi)
    return relative_distance(lesion, np.cos(turns), np.sin(turns), 1.0)


@lru_cache(maxsize=16)  # pictures of a lesion are drawn one after the other
def _lattices(seed: int, points: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((n, n), dtype=np.float32) for n in points)


def _noise(lattices, x: np.ndarray, y: np.ndarray, reach: float) -> tuple[np.ndarray, ...]:
    """Noise that moves with the skin, and is the same at every size of picture."""
    found = []
    for few in lattices:
        scale = np.float32((len(few) - 1) / (2 * reach))
        to = ((x + np.float32(reach)) * scale, (y + np.float32(reach)) * scale)
        smooth = cv2.INTER_CUBIC if len(few) < 40 else cv2.INTER_LINEAR  # what is finer than a few pixels needs none
        found.append(cv2.remap(few, *to, smooth, borderMode=cv2.BORDER_REFLECT_101))
    return tuple(found)
