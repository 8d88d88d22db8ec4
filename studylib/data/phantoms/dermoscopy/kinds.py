"""Kinds of skin lesions: eight classes as dermoscopy describes them, and one lesion of a kind as numbers.

Lengths are in radii of the lesion, angles in radians. Areas are shares of the picture: medians and sigmas of the
logarithm as the quartiles of 4,610 outlined dermoscopic pictures give them (AK and SCC apart).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studylib.data.phantoms.dermoscopy.structures import STRUCTURES, Marks
from studylib.data.phantoms.outlines import draw_waves

HARMONICS = 10  # 2 to 11: notches of a border, not only its bays
LARGEST, SMALLEST = 0.62, 0.02
PLAIN_AREA = (0.20, 0.40)  # of either class where looks or a cue tell, so that the area does not
SIZES = {False: (0.10, 0.16), True: (0.30, 0.16)}  # where the area is the cue; two sigmas apart: 0.14 and 0.22


@dataclass(frozen=True)
class Kind:
    """What lesions of a kind share; pairs are least and greatest. rough: root mean square of the border's deviation
    from an ellipse; soft: width over which the border fades. bodies: (share, melanin, blood, keratin) of each colour
    that occurs; patches: how uneven the pigment is. structures: how often each is there.
    """

    area: tuple[float, float]
    rough: tuple[float, float]
    asymmetry: tuple[float, float]
    stretch: float
    soft: tuple[float, float]
    patches: tuple[float, float]
    bodies: tuple[tuple[float, tuple[float, float], tuple[float, float], tuple[float, float]], ...]
    structures: dict[str, float]


NONE = (0.0, 0.0)
KINDS = {
    "MEL": Kind((0.300, 0.79), (0.07, 0.17), (0.35, 0.95), 1.6, (0.08, 0.30), (0.35, 0.75),
                ((0.70, (0.9, 1.9), (0.0, 0.4), NONE), (0.20, (0.5, 1.0), (0.1, 0.5), NONE),
                 (0.10, (0.15, 0.4), (0.5, 1.0), NONE)),
                {"network": 0.45, "globules": 0.45, "streaks": 0.50, "veil": 0.60, "regression": 0.35, "dots": 0.15}),
    "NV": Kind((0.193, 0.79), (0.02, 0.08), (0.0, 0.40), 1.6, (0.10, 0.40), (0.05, 0.35),
               ((0.70, (0.6, 1.6), (0.0, 0.25), NONE), (0.30, (0.25, 0.6), (0.1, 0.5), NONE)),
               {"network": 0.60, "globules": 0.45, "streaks": 0.06, "veil": 0.04}),
    "BCC": Kind((0.227, 0.79), (0.05, 0.15), (0.2, 0.8), 1.6, (0.25, 0.60), (0.1, 0.4),
                ((0.85, (0.0, 0.18), (0.20, 0.65), NONE), (0.15, (0.2, 0.7), (0.2, 0.5), NONE)),
                {"vessels": 0.75, "leaves": 0.45, "nests": 0.55, "ulcer": 0.35, "regression": 0.20}),
    "BKL": Kind((0.291, 0.77), (0.05, 0.14), (0.1, 0.6), 1.6, (0.04, 0.25), (0.15, 0.5),
                ((0.65, (0.35, 0.9), (0.0, 0.25), (0.0, 0.25)), (0.20, (0.15, 0.35), (0.05, 0.3), (0.0, 0.2)),
                 (0.15, (1.0, 1.8), (0.0, 0.2), NONE)),
                {"cysts": 0.60, "openings": 0.50, "network": 0.15, "scale": 0.10, "regression": 0.12}),
    "AK": Kind((0.432, 0.64), (0.08, 0.18), (0.1, 0.6), 1.5, (0.45, 0.80), (0.25, 0.6),
               ((0.65, (0.0, 0.25), (0.35, 0.8), NONE), (0.35, (0.25, 0.6), (0.2, 0.5), NONE)),
               {"follicles": 0.70, "scale": 0.60, "dots": 0.15}),
    "SCC": Kind((0.385, 0.53), (0.05, 0.15), (0.1, 0.7), 1.4, (0.20, 0.55), (0.15, 0.5),
                ((0.80, (0.0, 0.20), (0.45, 1.0), (0.0, 0.25)), (0.20, (0.3, 0.8), (0.3, 0.7), NONE)),
                {"keratin": 0.65, "scale": 0.55, "dots": 0.65, "ulcer": 0.40, "follicles": 0.12}),
    "DF": Kind((0.283, 0.64), (0.015, 0.06), (0.0, 0.25), 1.4, (0.35, 0.75), (0.05, 0.2),
               ((0.65, (0.25, 0.65), (0.05, 0.35), NONE), (0.35, (0.05, 0.3), (0.25, 0.6), NONE)),
               {"scar": 0.80, "network": 0.65, "dots": 0.10}),
    "VASC": Kind((0.099, 0.94), (0.03, 0.10), (0.0, 0.3), 1.5, (0.06, 0.25), (0.05, 0.3),
                 ((0.65, (0.0, 0.1), (1.1, 2.2), NONE), (0.35, (0.5, 1.3), (1.3, 2.4), NONE)),
                 {"lacunae": 0.85, "veil": 0.20}),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion before it is painted.

    radius: in sides of the picture, of the disc that has the area of its ellipse; stretch, turn, waves: its outline.
    irregularity: the root mean square of what the waves add to the radius; melanin, blood, keratin: of its body;
    asymmetry: how much darker one half is, towards `heavy`. structures: name -> marks. grain: seed of its unevenness.
    """

    kind: str
    radius: float
    stretch: float
    turn: float
    waves: np.ndarray
    irregularity: float
    soft: float
    melanin: float
    blood: float
    keratin: float
    patches: float
    asymmetry: float
    heavy: float
    structures: dict[str, Marks]
    grain: int

    @property
    def area(self) -> float:
        """Share of the picture, at the distance for which `radius` holds; waves add to a disc's."""
        return float(np.pi * self.radius**2 * (1 + self.irregularity**2))


def draw_lesion(kind: str, rng: np.random.Generator, area: tuple[float, float] | None = None) -> Lesion:
    """Draw a lesion of one of KINDS; area: median and sigma of the logarithm, unless its kind's."""
    shared = KINDS[kind]
    median, sigma = shared.area if area is None else area
    share = float(np.clip(median * np.exp(sigma * np.clip(rng.normal(), -2, 2)), SMALLEST, LARGEST))
    body = shared.bodies[int(rng.choice(len(shared.bodies), p=[b[0] for b in shared.bodies]))]
    irregularity = float(rng.uniform(*shared.rough))
    waves = draw_waves(rng, 1.0, HARMONICS)
    waves[:, 0] /= np.sqrt(np.arange(1, HARMONICS + 1))  # bays more than notches
    waves[:, 0] *= irregularity / np.sqrt(np.square(waves[:, 0]).sum() / 2)  # exactly as irregular as was drawn
    smooth = Lesion(
        kind=kind,
        radius=float(np.sqrt(share / np.pi / (1 + irregularity**2))),  # waves add to the area
        stretch=float(rng.uniform(1.0, shared.stretch)),
        turn=float(rng.uniform(0, np.pi)),
        waves=waves,
        irregularity=irregularity,
        soft=float(rng.uniform(*shared.soft)),
        melanin=float(rng.uniform(*body[1])),
        blood=float(rng.uniform(*body[2])),
        keratin=float(rng.uniform(*body[3])),
        patches=float(rng.uniform(*shared.patches)),
        asymmetry=float(rng.uniform(*shared.asymmetry)),
        heavy=float(rng.uniform(0, 2 * np.pi)),
        structures={},
        grain=int(rng.integers(2**32)),
    )
    chances = rng.random(len(STRUCTURES))
    there = [n for n, chance in zip(STRUCTURES, chances, strict=True) if chance < shared.structures.get(n, 0.0)]
    return replace(smooth, structures={name: STRUCTURES[name](smooth, rng) for name in there})


def without_veil(lesion: Lesion) -> Lesion:
    """The same lesion without the structure that tells where one structure alone does."""
    return replace(lesion, structures={k: v for k, v in lesion.structures.items() if k != "veil"})


def with_veil(lesion: Lesion, rng: np.random.Generator) -> Lesion:
    """The same lesion with a veil."""
    return replace(lesion, structures=lesion.structures | {"veil": STRUCTURES["veil"](lesion, rng)})
