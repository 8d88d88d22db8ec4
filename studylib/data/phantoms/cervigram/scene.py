"""An anatomy in a photograph: where every part lies, pixel by pixel, and which part is seen there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from studylib.data.phantoms.cervigram.anatomy import ANGLES, Anatomy
from studylib.data.phantoms.cervigram.reasons import CRITERIA

REGIONS = {"1": "cervix", "2": "zone", "3": "lesion", "4": "os", "5": "polyp", "6": "vaginal wall", "7": "speculum"}
CERVIX, ZONE, LESION, OS, POLYP, WALL, SPECULUM = range(1, 8)
CORE = 0.45  # inner part of the os that stays dark, whatever reaches into it
RIM = 0.15  # width of what counts as the rim of the os, in radii of the cervix
LATTICES = (16, 52, 180)  # points a side of three noises
REACH = 2.3  # the grain is drawn this far from the middle, in radii


@dataclass(frozen=True)
class View:
    """One photograph of a woman: x, y of the cervix from the picture's middle and its radius, in the picture's heights;
    turn in radians; blades: y of their edges (x where they stand beside), curve: how they bend; opening: half width and
    half height of what is lit.
    """

    x: float
    y: float
    radius: float
    turn: float
    blades: tuple[float, float]
    curve: float
    opening: tuple[float, float]


def draw_view(anatomy: Anatomy, radius: float, rng: np.random.Generator) -> View:
    """Draw one photograph's view; radius: of this woman's cervix, in heights of the picture."""
    radius = float(radius * rng.uniform(0.96, 1.04))
    x, y = (float(v) for v in rng.uniform((-0.06, -0.02), (0.06, 0.02)))
    middle, wide = (y, 1.0) if anatomy.upright else (x, 1.06)
    gaps = rng.uniform(0.03, 0.13, 2)
    blades = tuple(float(middle + s * radius * (wide + g)) for s, g in zip((-1, 1), gaps, strict=True))
    opening = tuple(float(v) for v in rng.uniform((0.60, 0.48), (0.68, 0.54)))
    return View(x, y, radius, float(rng.normal(0, 0.07)), blades, float(rng.uniform(0.30, 0.65)), opening)


@dataclass(frozen=True, eq=False)
class Layout:
    """Where all lies in a picture (H, W).

    x, y: of pixels from the picture's middle, in its heights, (1, W) and (H, 1); u, v: from the cervix's middle, in its
    radii, turned with it; r, at: distance from the os, and the step of the tables by angle; way: 0 at the rim of the
    os, 1 at the border of the cervix; grain: three noises, float32, coarse to fine, that belong to the tissue; pixel:
    its size in radii. lesion, ulcer, blade, lit: bool; polyp, folds (the wall that closes in): depth in them in radii,
    below 0 outside. regions: uint8, what is seen; reason: bool, the structure that meets the woman's criterion.
    """

    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    r: np.ndarray
    at: np.ndarray
    way: np.ndarray
    grain: tuple[np.ndarray, np.ndarray, np.ndarray]
    pixel: float
    lesion: np.ndarray
    ulcer: np.ndarray
    polyp: np.ndarray
    folds: np.ndarray
    blade: np.ndarray
    lit: np.ndarray
    regions: np.ndarray
    reason: np.ndarray


def lay_out(anatomy: Anatomy, view: View, shape: tuple[int, int]) -> Layout:
    """Put an anatomy into a picture of a shape (H, W)."""
    height, width = shape
    x = (np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5 - width / 2)) / height
    y = (np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 - height / 2)) / height
    c, s = np.cos(view.turn) / view.radius, np.sin(view.turn) / view.radius
    dx, dy = x - np.float32(view.x), y - np.float32(view.y)
    u, v = dx * np.float32(c) + dy * np.float32(s), dy * np.float32(c) - dx * np.float32(s)
    du, dv = u - np.float32(anatomy.os_at[0]), v - np.float32(anatomy.os_at[1])
    r, angle = np.hypot(du, dv), np.arctan2(dv, du)
    at = ((angle + np.float32(np.pi)) * np.float32(ANGLES / (2 * np.pi))).astype(np.int32) % ANGLES
    os, border, zone = anatomy.os[at], anatomy.border[at], anatomy.zone[at]
    way, whole = (r - os) / (border - os), r < border
    grain = _grain(anatomy.grain, u, v)
    lesion, ulcer = _lesion(anatomy, way, r, angle, whole, grain)
    lesion, ulcer = (part & (r > CORE * os) for part in (lesion, ulcer))
    polyp = _polyp(anatomy, du, dv, grain[0])
    folds = _folds(anatomy, u, v, whole, grain[0])
    blade, lit = _blade(view, anatomy.upright, x, y), _lit(view, x, y)
    regions = np.full(shape, WALL, np.uint8)
    zoned = whole & (r < zone + np.float32(0.05) * np.minimum(zone - os, 0.3) * grain[1])
    for value, part in (
        (CERVIX, whole), (ZONE, zoned), (OS, r < os), (LESION, lesion), (POLYP, polyp > 0), (WALL, folds > 0),
        (SPECULUM, blade), (0, ~lit),
    ):  # fmt: skip
        regions[part] = value
    reason = _reason(anatomy, regions, angle, r, at, folds > 0)
    pixel = 1 / (height * view.radius)
    return Layout(x, y, u, v, r, at, way, grain, pixel, lesion, ulcer, polyp, folds, blade, lit, regions, reason)


def box(regions: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (the last two outside) of what is seen of the cervix."""
    seen = (regions >= CERVIX) & (regions <= POLYP)
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _grain(seed: int, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise that moves with the tissue, and is the same at every size of picture."""
    found = []
    for few, how in zip(_lattices(seed), (cv2.INTER_CUBIC, cv2.INTER_CUBIC, cv2.INTER_LINEAR), strict=True):
        scale = np.float32((len(few) - 1) / (2 * REACH))
        to = ((u + np.float32(REACH)) * scale, (v + np.float32(REACH)) * scale)
        found.append(cv2.remap(few, *to, how, borderMode=cv2.BORDER_REFLECT_101))
    return tuple(found)


@lru_cache(maxsize=2)  # a woman's photographs are drawn one after the other
def _lattices(seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((cells, cells), dtype=np.float32) for cells in LATTICES)


def _most(order: np.ndarray, among: np.ndarray, number: int) -> np.ndarray:
    """The `number` pixels of a mask that come first in an order, or all of them."""
    values = order[among]
    if number <= 0 or not len(values):
        return np.zeros_like(among)
    if number >= len(values):
        return among
    return among & (order <= np.partition(values, number - 1)[number - 1])


def _lesion(anatomy: Anatomy, way, r, angle, whole, grain) -> tuple[np.ndarray, np.ndarray]:
    """The lesion, as large as it was asked to be where there is room, and what of it is ulcerated."""
    lesion = anatomy.lesion
    if lesion is None:
        return np.zeros_like(whole), np.zeros_like(whole)
    middle, half = (lesion.inner + lesion.outer) / 2, (lesion.outer - lesion.inner) / 2
    # Its ends wave inward only: where it begins and ends is what two criteria look at.
    band = np.abs(way - np.float32(middle)) < half * (1 - 0.22 * np.clip(grain[0] + 0.5 * grain[1], 0, 1.5))
    away = np.abs((angle - np.float32(lesion.at) + np.float32(np.pi)) % np.float32(2 * np.pi) - np.float32(np.pi))
    ends = np.square((way - np.float32(middle)) / np.float32(half))
    order = away * (0.4 + r) * (1 + 0.5 * ends) + 0.10 * grain[0] + 0.08 * grain[1]
    found = _most(order, band, round(lesion.fraction * int(whole.sum())))
    return found, _most(-grain[0] - 0.6 * grain[1], found, round(lesion.ulcer * int(found.sum())))


def _polyp(anatomy: Anatomy, du: np.ndarray, dv: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Depth in a polyp that hangs out of the os."""
    p = np.float32(anatomy.polyp)
    if not p:
        return np.full_like(du, -1)
    c, s = np.float32(np.cos(anatomy.polyp_turn)), np.float32(np.sin(anatomy.polyp_turn))
    along, across = du * c + dv * s - np.float32(0.55) * p, dv * c - du * s
    return p * (1 + 0.05 * noise) - np.hypot(along / np.float32(1.2), across * np.float32(1.1))


def _folds(anatomy: Anatomy, u, v, whole, noise) -> np.ndarray:
    """Depth in the vaginal wall that closes in from one side or both."""
    c, s = np.float32(np.cos(anatomy.wall_at)), np.float32(np.sin(anatomy.wall_at))
    along, across = u * c + v * s, v * c - u * s
    bulge = np.float32(0.30) * across**2 - np.float32(0.05) * noise
    close = along - bulge
    if anatomy.both_walls:
        close = np.maximum(close, -along - bulge - np.float32(0.12))
    values = close[whole]
    hidden = round(anatomy.covered * len(values))
    if hidden > 0:
        return close - np.partition(values, len(values) - hidden)[len(values) - hidden]
    return close - (values.max() + np.float32(0.02 - 1.2 * min(anatomy.covered, 0)))


def _blade(view: View, upright: bool, x, y) -> np.ndarray:
    """The two blades of the speculum."""
    to, beside = (y, x) if upright else (x, y)
    bend = np.float32(view.curve) * beside**2
    return (to < view.blades[0] + bend) | (to > view.blades[1] - bend)


def _lit(view: View, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What is not in the dark around."""
    x, y = np.square(x / np.float32(view.opening[0])), np.square(y / np.float32(view.opening[1]))
    return x * x + y * y < 1


def _reason(anatomy: Anatomy, regions, angle, r, at, folded) -> np.ndarray:
    """Where the structure lies that meets the woman's criterion; nowhere if none is met."""
    structure = CRITERIA[anatomy.finding.reason].structure if anatomy.finding.reason else ""
    if structure in ("lesion", "zone", "polyp"):
        return regions == {"lesion": LESION, "zone": ZONE, "polyp": POLYP}[structure]
    if structure == "os":
        return (r < anatomy.os[at] + RIM) & (regions >= CERVIX) & (regions <= POLYP)
    if structure == "wall":
        return folded & (regions == WALL) & (r < 1.1 * anatomy.whole[at])
    if structure == "dent":
        # seen from the os, the deformed side is where the border has moved most
        moved = anatomy.whole - anatomy.border > 0.3 * (anatomy.whole - anatomy.border).max()
        return moved[at] & (r < anatomy.whole[at]) & (regions > 0) & (regions != SPECULUM)
    return np.zeros(regions.shape, bool)
