"""Which networks a study trains, read from its settings alone: no data set, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studylib.study.root import find_root
from studylib.study.settings import Arm, Profile, load_settings, overviews

OVERVIEW_MINUTES = 0.2  # reading reports and drawing; measured like the minutes of a profile


@dataclass(frozen=True)
class Run:
    """One network to train. The repeat r has seed `seed + r` and tests on fold r modulo the number of folds."""

    arm: Arm
    split: str
    repeat: int
    seed: int
    fold: int

    @property
    def name(self) -> str:
        return f"{self.arm.name}-{self.split}-{self.repeat}"


def runs_of(arms: dict[str, Arm], profile: Profile, data: str, seed: int) -> list[Run]:
    """Every network of a profile, in the order of its settings; arms that need other data are left out."""
    return [
        Run(arms[name], split, repeat, seed + repeat, repeat % profile.folds)
        for name, splits in profile.fits.items()
        if arms[name].data in ("", data)
        for split, repeats in splits.items()
        for repeat in range(repeats)
    ]


def estimate(study: str, data: str, profile: str, root: Path | None = None) -> dict:
    """What a profile would take: {'fits', 'reports', 'minutes'} on two cores, when nothing is there yet."""
    root = root or find_root()
    if study in overviews(root):
        return {"fits": 0, "reports": 1, "minutes": OVERVIEW_MINUTES}
    settings = load_settings(study, root)
    chosen = settings.profile(profile)
    return {"fits": len(runs_of(settings.arms, chosen, data, 0)), "reports": 1, "minutes": chosen.minutes}
