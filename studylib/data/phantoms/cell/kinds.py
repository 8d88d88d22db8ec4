"""Kinds of smear cells: five of a screening's classes, and one plain cell of which a single trait is abnormal or not.

Areas are in pixels of the native picture, ratios are nucleus over whole cell; each is a median and the sigma of its
logarithm. Order of sizes and ratios as in single-cell sets of Pap smears: superficial cells are large with a nucleus of
2 to 3 %, dyskeratotic ones small with a third.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studylib.data.phantoms.outlines import draw_waves

TRAITS = ("nucleus", "size", "chromatin", "membrane", "ratio", "none")  # what may tell the two classes of plain cells


@dataclass(frozen=True)
class Kind:
    """What cells of a kind share. eosin: least and greatest share of pink stain in the cytoplasm; chromatin: optical
    density of the nucleus and how coarse it is; halo: depth of a clear zone around the nucleus, 0 to 1.
    """

    area: tuple[float, float]
    ratio: tuple[float, float]
    eosin: tuple[float, float]
    density: float
    cell_rough: float
    nucleus_rough: float
    nucleus_stretch: float
    chromatin: tuple[float, float]
    halo: float = 0.0
    binucleate: float = 0.0


KINDS = {
    "superficial_intermediate": Kind((12000, 0.25), (0.028, 0.25), (0.1, 0.9), 0.45, 0.10, 0.03, 1.25, (1.00, 0.10)),
    "parabasal": Kind((3400, 0.25), (0.15, 0.20), (0.0, 0.2), 0.85, 0.03, 0.03, 1.20, (0.75, 0.16)),
    "metaplastic": Kind((3900, 0.25), (0.22, 0.20), (0.0, 0.35), 1.00, 0.08, 0.03, 1.30, (0.70, 0.14)),
    "dyskeratotic": Kind((2900, 0.30), (0.33, 0.25), (0.7, 1.0), 1.10, 0.12, 0.10, 1.70, (1.15, 0.35)),
    "koilocytotic": Kind((8500, 0.25), (0.085, 0.25), (0.2, 0.7), 0.60, 0.09, 0.08, 1.40, (0.95, 0.25), 0.9, 0.35),
}
PLAIN = Kind((5200, 0.22), (0.12, 0.22), (0.0, 0.6), 0.75, 0.06, 0.03, 1.25, (0.80, 0.14))
GAP = 0.22  # where the ratio tells: how far its logarithm lies from the median, at least


@dataclass(frozen=True, eq=False)
class Shape:
    """An outline: the disc of the same area has this radius, in pixels."""

    radius: float
    stretch: float
    turn: float
    waves: np.ndarray  # (5, 2)

    @property
    def area(self) -> float:
        return float(np.pi * self.radius**2)


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell before it is painted; offsets of its nuclei from its middle, in pixels."""

    kind: str
    body: Shape
    nucleus: Shape
    offsets: tuple[tuple[float, float], ...]
    eosin: float
    density: float
    chromatin: tuple[float, float]
    halo: float
    grain: int

    @property
    def ratio(self) -> float:
        return len(self.offsets) * self.nucleus.area / self.body.area


def draw_cell(kind: str, rng: np.random.Generator, scale: float = 1.0) -> Cell:
    """Draw a cell of one of KINDS; scale: of lengths."""
    return _cell(kind, KINDS[kind], rng, scale)


def draw_plain(
    abnormal: bool, trait: str, rng: np.random.Generator, scale: float = 1.0, amplitude: float = 1.0
) -> Cell:
    """Draw a plain cell of which one trait is abnormal or normal; everything else is drawn alike for both.

    trait: "nucleus" (larger, darker, coarser, irregular), or one of these alone: "size", "chromatin", "membrane";
    "ratio" (nucleus over cell above or below the median, while neither size tells much); "none". amplitude: how strong.
    """
    kind, a = PLAIN, amplitude if abnormal else 0.0
    if trait in ("nucleus", "size"):
        kind = replace(kind, ratio=(kind.ratio[0] * (1 + 0.9 * a), kind.ratio[1]))
    if trait in ("nucleus", "membrane"):
        kind = replace(kind, nucleus_rough=kind.nucleus_rough + 0.10 * a)
    if trait in ("nucleus", "chromatin"):
        dark = 0.25 * a if trait == "nucleus" else 0.0
        kind = replace(kind, chromatin=(kind.chromatin[0] + dark, kind.chromatin[1] + 0.40 * a))
    if trait == "ratio":
        return _by_ratio(abnormal, kind, rng, scale)
    return _cell("plain", kind, rng, scale)


def _by_ratio(abnormal: bool, kind: Kind, rng: np.random.Generator, scale: float) -> Cell:
    """Draw both areas from wide distributions that do not know the class, until their ratio lies on its side."""
    wide = replace(kind, area=(kind.area[0], 0.40))
    while True:
        nucleus = float(kind.area[0] * kind.ratio[0] * np.exp(0.40 * rng.normal()))
        cell = _cell("plain", wide, rng, scale, nucleus)
        away = np.log(cell.ratio / kind.ratio[0])
        if abs(away) > GAP and (away > 0) == abnormal:
            return cell


def _cell(name: str, kind: Kind, rng: np.random.Generator, scale: float, nucleus_area: float | None = None) -> Cell:
    area = kind.area[0] * np.exp(kind.area[1] * np.clip(rng.normal(), -2, 2))
    share = min(kind.ratio[0] * np.exp(kind.ratio[1] * np.clip(rng.normal(), -2, 2)), 0.5)
    inner = area * share if nucleus_area is None else min(nucleus_area, 0.5 * area)
    two = rng.random() < kind.binucleate
    body = _shape(area, (1.0, 1.4), kind.cell_rough, rng, scale)
    nucleus = _shape(inner / (1.4 if two else 1.0), (1.0, kind.nucleus_stretch), kind.nucleus_rough, rng, scale)
    room = max(body.radius / np.sqrt(body.stretch) - nucleus.radius * np.sqrt(nucleus.stretch), 0.0)
    angle, away = rng.uniform(0, 2 * np.pi), 0.45 * room * np.sqrt(rng.random())
    x, y = away * np.cos(angle), away * np.sin(angle)
    side = (np.cos(nucleus.turn + np.pi / 2), np.sin(nucleus.turn + np.pi / 2))
    apart = 0.95 * nucleus.radius if two else 0.0
    offsets = tuple(
        (float(x + s * apart * side[0]), float(y + s * apart * side[1])) for s in ((-1, 1) if two else (0,))
    )
    return Cell(
        kind=name,
        body=body,
        nucleus=nucleus,
        offsets=offsets,
        eosin=float(rng.uniform(*kind.eosin)),
        density=float(kind.density * rng.uniform(0.85, 1.15)),
        chromatin=(float(kind.chromatin[0] * rng.uniform(0.9, 1.1)), kind.chromatin[1]),
        halo=kind.halo,
        grain=int(rng.integers(2**32)),
    )


def _shape(area: float, stretch: tuple[float, float], rough: float, rng: np.random.Generator, scale: float) -> Shape:
    radius = scale * float(np.sqrt(area / np.pi))
    return Shape(radius, float(rng.uniform(*stretch)), float(rng.uniform(0, np.pi)), draw_waves(rng, rough))
