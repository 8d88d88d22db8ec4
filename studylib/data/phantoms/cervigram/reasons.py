"""Ten criteria by which a cervix is not treatable: what each looks at, where its limit lies, how far off a woman is.

After the WHO's rule for ablation and the referral criteria of the source (Guo et al. 2021, tables 1 and 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLEAR = 0.3  # clear women keep this distance from every limit
FAINT = 0.03  # ambiguous ones lie between this and CLEAR from one


@dataclass(frozen=True)
class Criterion:
    """One criterion: it looks at a quantity, limit + span * level, and is met where the level is above 0. Clear women
    have levels from CLEAR to 1 on either side.

    share: of the women who are not treatable; structure: what in the picture shows it.
    """

    limit: float
    span: float
    share: float
    structure: str

    def value(self, level: float) -> float:
        return self.limit + self.span * level


# "On the way": 0 at the rim of the os, 1 at the border of the cervix. Four criteria are rare, about 5 % together, as
# the source says of its images (section 4.3.2); the shares of the others, and all limits, are ours.
CRITERIA = {
    "lesion_into_canal": Criterion(0.0, -0.25, 0.25, "lesion"),  # where the lesion begins on the way
    "lesion_into_fornix": Criterion(1.0, 0.22, 0.12, "lesion"),  # where it ends
    "lesion_too_large": Criterion(0.38, 0.34, 0.0125, "lesion"),  # its share of the cervix
    "suspect_invasion": Criterion(0.20, 0.45, 0.0125, "lesion"),  # share of it that is ulcerated
    "type_1_ectopy_too_large": Criterion(0.55, 0.33, 0.10, "zone"),  # where the zone ends on the way
    "type_2_out_of_reach": Criterion(
        0.50, 0.45, 0.11, "os"
    ),  # depth of the squamocolumnar junction, 1 is lost in the dark
    "type_3_out_of_sight": Criterion(0.0, -0.20, 0.34, "os"),  # where the zone ends on the way; below 0 in the canal
    "cervix_distorted": Criterion(0.16, 0.22, 0.0125, "dent"),  # depth of a dent, in radii
    "vaginal_wall_close": Criterion(0.12, 0.30, 0.0125, "wall"),  # share of the cervix that it covers; below 0 apart
    "large_polyp": Criterion(0.14, 0.18, 0.03, "polyp"),  # its radius, in radii of the cervix
}
SHARES = {name: criterion.share for name, criterion in CRITERIA.items()}
LESIONS = tuple(name for name, criterion in CRITERIA.items() if criterion.structure == "lesion")


@dataclass(frozen=True)
class Finding:
    """What a woman's anatomy shows. reason: the criterion that it meets, or ""; near: the one whose limit it is near,
    "" for a clear woman; zone_type: 1 to 3; lesion, polyp: whether there is one; levels: of the criteria that apply.
    """

    reason: str
    near: str
    zone_type: int
    lesion: bool
    polyp: bool
    levels: dict[str, float]

    @property
    def severity(self) -> float:
        """The level of the criterion that is met, or the highest of those that are not."""
        return self.levels[self.reason] if self.reason else max(self.levels.values())

    def value(self, name: str) -> float:
        """The quantity that a criterion looks at."""
        return CRITERIA[name].value(self.levels[name])


def draw_finding(reason: str, near: str, rng: np.random.Generator) -> Finding:
    """Draw what else a woman has: all criteria but `reason` are clearly not met, and one at most is near its limit.

    reason: the criterion that is met, or ""; near: the one that is near its limit (`reason` itself where one is met),
    or "". The zone's quantities hang together: a type 1 zone that all but vanishes is no large ectopy.
    """
    sizes = rng.uniform(CLEAR, 1, len(CRITERIA))
    levels = {name: -float(size) for name, size in zip(CRITERIA, sizes, strict=True)}
    chance, faint, clear = rng.random(3), float(rng.uniform(FAINT, CLEAR)), float(rng.uniform(CLEAR, 1))
    decisive = reason or near
    if decisive:
        size = faint if near else clear
        levels[decisive] = size if reason else -size
    zone_type = _zone_type(reason, decisive, chance[0])
    lesion = decisive in LESIONS or (chance[1] < 0.55)
    polyp = decisive == "large_polyp" or (chance[2] < 0.15)
    absent = set() if lesion else set(LESIONS)
    absent |= set() if polyp else {"large_polyp"}
    absent |= set() if zone_type == 2 else {"type_2_out_of_reach"}
    absent |= {"type_3_out_of_sight"} if zone_type == 1 and decisive != "type_3_out_of_sight" else set()
    absent |= {"type_1_ectopy_too_large"} if zone_type > 1 or decisive == "type_3_out_of_sight" else set()
    kept = {name: level for name, level in levels.items() if name not in absent}
    return Finding(reason, near, zone_type, bool(lesion), bool(polyp), kept)


def _zone_type(reason: str, decisive: str, chance: float) -> int:
    """1: the zone lies on the ectocervix; 2: it reaches into the canal, its end in sight; 3: out of sight."""
    if reason == "type_3_out_of_sight":
        return 3
    if decisive in ("type_1_ectopy_too_large", "type_2_out_of_reach"):
        return int(decisive[5])
    return 1 if chance < 0.65 else 2
