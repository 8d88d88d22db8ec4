"""A woman's cervix as numbers: outline, os, zone, lesion, polyp, walls. Lengths are in radii of the cervix, angles in
radians, clockwise as seen from the right; what is tabled by angle is measured around the os.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studylib.data.phantoms.cervigram.reasons import CLEAR, CRITERIA, Finding
from studylib.data.phantoms.outlines import draw_waves, relative_distance

ANGLES = 2048  # steps of the tables around the os
TURN = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES) - np.pi
# Half width and half height, each least and greatest; number of lobes and how deep they are; how often
OS_SHAPES = {
    "dot": ((0.075, 0.105), (0.075, 0.105), 3, 0.05, 0.25),  # women who have not given birth
    "slit": ((0.12, 0.16), (0.045, 0.065), 2, 0.05, 0.20),
    "transverse": ((0.22, 0.32), (0.055, 0.085), 3, 0.08, 0.30),  # women who have
    "stellate": ((0.14, 0.20), (0.10, 0.14), 4, 0.40, 0.25),
}
PAROUS = ("transverse", "stellate")
DENT_WIDTH = 0.45  # sigma of a dent, in radians
FULL = CRITERIA["lesion_into_fornix"].value(-CLEAR)  # how far a large lesion reaches


@dataclass(frozen=True, eq=False)
class Lesion:
    """An acetowhite lesion. inner, outer: where it begins and ends on the way from the rim of the os (0) to the border
    of the cervix (1); at: its middle; fraction: its share of the cervix; ulcer: share of it that is ulcerated; density:
    how opaque it is, 0 to 1.
    """

    inner: float
    outer: float
    at: float
    fraction: float
    ulcer: float
    density: float


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One woman's cervix and what surrounds it.

    os_at: x, y from the middle; os, whole (the border without its dent), border, zone: radius by angle, float32
    (ANGLES,); junction: the squamocolumnar junction's way from the os to the zone's end; depth: its depth in the canal,
    0 on the ectocervix, 1 out of sight; polyp: radius, 0 without; covered: share of the cervix behind the wall, below 0
    how far apart it is; cysts: (n, 3) x, y, radius; upright: blades above and below, not beside; grain: seed of its
    texture.
    """

    finding: Finding
    os_shape: str
    os_at: tuple[float, float]
    os: np.ndarray
    whole: np.ndarray
    border: np.ndarray
    zone: np.ndarray
    junction: float
    depth: float
    dent_at: float
    lesion: Lesion | None
    polyp: float
    polyp_turn: float
    covered: float
    wall_at: float
    both_walls: bool
    cysts: np.ndarray
    upright: bool
    grain: int


@dataclass(frozen=True, eq=False)
class _Outline:
    stretch: float
    turn: float
    waves: np.ndarray


def draw_anatomy(finding: Finding, rng: np.random.Generator) -> Anatomy:
    """Draw a cervix that shows a finding."""
    outline = _Outline(float(rng.uniform(1.02, 1.12)), float(rng.normal(0, 0.15)), draw_waves(rng, 0.012))
    upright, side = bool(rng.random() < 0.8), float(rng.choice((0.0, np.pi)))
    beside = side if upright else side + np.pi / 2  # away from the blades
    dent, dent_at = finding.value("cervix_distorted"), float(rng.uniform(-np.pi, np.pi))
    os_at = rng.uniform((-0.10, -0.08), (0.10, 0.10)) + 0.3 * dent * np.array([np.cos(dent_at), np.sin(dent_at)])
    whole, border = (_border(outline, os_at, d, dent_at) for d in (0.0, dent))
    gaping = rng.random() < 0.25 or finding.zone_type == 2
    os_shape, os = _draw_os(gaping, border, rng)
    zone_end, depth = _zone(finding)
    waves = 1 + _around(draw_waves(rng, 0.05, 4), 2)
    return Anatomy(
        finding=finding,
        os_shape=os_shape,
        os_at=(float(os_at[0]), float(os_at[1])),
        os=os,
        whole=whole,
        border=border,
        zone=(os + np.clip(zone_end * waves, -1, 0.97) * (border - os)).astype(np.float32),
        junction=float(rng.uniform(0.55, 0.85)) if finding.zone_type == 1 else 0.0,
        depth=depth,
        dent_at=dent_at,
        lesion=_draw_lesion(finding, beside + float(rng.uniform(-0.5, 0.5)), rng) if finding.lesion else None,
        polyp=finding.value("large_polyp") if finding.polyp else 0.0,
        polyp_turn=float(rng.normal(np.pi / 2, 0.5)),
        covered=finding.value("vaginal_wall_close"),
        wall_at=beside + float(rng.uniform(-0.25, 0.25)),
        both_walls=bool(rng.random() < 0.5),
        cysts=_draw_cysts(border, os, os_at, rng),
        upright=upright,
        grain=int(rng.integers(2**32)),
    )


def _zone(finding: Finding) -> tuple[float, float]:
    """Where the zone ends on the way from os to border (below 0: in the canal); the junction's depth in the canal."""
    if finding.zone_type == 1 and "type_1_ectopy_too_large" in finding.levels:
        return finding.value("type_1_ectopy_too_large"), 0.0
    depth = {1: 0.0, 3: 1.0}.get(finding.zone_type)
    return finding.value("type_3_out_of_sight"), finding.value("type_2_out_of_reach") if depth is None else depth


def _around(waves: np.ndarray, first: int) -> np.ndarray:
    """Harmonics of a radius by angle, (ANGLES,)."""
    return sum(a * np.cos(k * TURN + phase) for k, (a, phase) in enumerate(waves, start=first))


def _border(outline: _Outline, os_at: np.ndarray, dent: float, dent_at: float) -> np.ndarray:
    """How far the border of the cervix lies from the os in each direction, float32 (ANGLES,)."""
    far = np.column_stack([np.cos(TURN), np.sin(TURN)])
    reach = 1 / relative_distance(outline, *far.astype(np.float32).T, 1.0)
    away = np.abs((TURN - dent_at + np.pi) % (2 * np.pi) - np.pi)
    reach = reach * (1 - dent * np.exp(-0.5 * (away / DENT_WIDTH) ** 2))
    x, y = (far * reach[:, None] - os_at).T
    angle, length = np.arctan2(y, x), np.hypot(x, y)
    order = np.argsort(angle)
    return np.interp(TURN, angle[order], length[order], period=2 * np.pi).astype(np.float32)


def _draw_os(gaping: bool, border: np.ndarray, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """Draw the external os: its shape, and its radius by angle."""
    names = list(OS_SHAPES)
    name = names[int(rng.choice(len(names), p=[OS_SHAPES[n][-1] for n in names]))]
    wide, high, lobes, deep, _ = OS_SHAPES[name]
    a, b, open_a, open_b = rng.uniform((wide[0], high[0], 0.18, 0.15), (wide[1], high[1], 0.25, 0.19))
    a, b = (max(a, open_a), max(b, open_b)) if gaping else (a, b)
    turn, phase, lobes = float(rng.normal(0, 0.12)), rng.uniform(0, 2 * np.pi), lobes + int(rng.integers(2))
    ellipse = a * b / np.hypot(b * np.cos(TURN - turn), a * np.sin(TURN - turn))
    radius = ellipse * (1 + (0.5 if gaping else 1) * deep * np.cos(lobes * TURN + phase))
    return name, np.minimum(radius, 0.5 * border).astype(np.float32)


def _draw_lesion(finding: Finding, sideways: float, rng: np.random.Generator) -> Lesion:
    """Draw a lesion that keeps to all of a woman's levels."""
    inner, outer = finding.value("lesion_into_canal"), finding.value("lesion_into_fornix")
    fraction = finding.value("lesion_too_large")
    at, spare, density = float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(1.3, 2.2)), float(rng.uniform(0.75, 0.95))
    if finding.levels["lesion_too_large"] > -CLEAR:  # needs all the room that is left
        inner, outer = (inner + CRITERIA["lesion_into_canal"].value(-CLEAR)) / 2, FULL
    elif "lesion_into_fornix" in (finding.reason, finding.near):  # away from the blades, and not all over the cervix
        at, inner = sideways, max(inner, outer - float(rng.uniform(0.45, 0.65)))
    else:
        inside = 0.1 + 0.9 * max(inner, 0.0)  # in radii, as if the os were a disc of a tenth
        enough = np.sqrt(spare * fraction + inside**2)
        outer = min(outer, (float(enough) - 0.1) / 0.9)
    ulcer = max(finding.value("suspect_invasion"), 0.0)
    return Lesion(inner, outer, at, fraction, ulcer, density)


def _draw_cysts(border: np.ndarray, os: np.ndarray, os_at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw Naboth's cysts beside the os, which are no polyps: (n, 3) x, y, radius."""
    number = int(rng.choice((0, 0, 0, 1, 2, 3)))
    k, way = rng.integers(0, ANGLES, number), rng.uniform(0.15, 0.6, number)
    r = os[k] + way * (border[k] - os[k])
    x, y = os_at[0] + r * np.cos(TURN[k]), os_at[1] + r * np.sin(TURN[k])
    return np.column_stack([x, y, rng.uniform(0.03, 0.06, number)]).astype(np.float32)
