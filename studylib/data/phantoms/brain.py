"""Brain phantoms: synthetic MRI slices of patients with or without a lesion, their masks, copies and planted cues."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from studylib.data.folder import write_png
from studylib.data.phantoms import cues
from studylib.data.phantoms.arguments import count, known_name, pair_of, shares_of, spread
from studylib.data.phantoms.family import write_family
from studylib.data.phantoms.head import anatomy, looks
from studylib.data.phantoms.head.slices import Patient, Slice, draw_patient, draw_slice
from studylib.data.transforms import augment_copy

__all__ = ["Patient", "Slice", "draw_patient", "draw_slice", "make_brain"]

CLASSES = ("yes", "no")
PLANES = {"axial": 0.6, "coronal": 0.2, "sagittal": 0.2}
LOOKS = {"t1c": 0.4, "flair": 0.35, "t2": 0.25}
COPIES = {"yes": 3, "no": 4}
AREA = (0.018, 0.45)  # median share of the image, sigma of its logarithm
CONTRAST = (0.45, 1.0)
STEP = 0.045  # between neighbouring slices, as a share of the plane's range
LESIONS = ("label", "independent", "none")
# Where a cue is put, and what the label comes from when lesions are left to their default.
CUES = {None: ("", "label"), "marker": ("corner", "independent"), "either": ("scalp", "label")}
CUES["outside"] = ("ventricles", "independent")


@dataclass(frozen=True)
class Case:
    """What was decided about one patient before anything is drawn."""

    number: int
    label: str
    plane: str
    look: str
    lesion: bool
    cue: bool


@dataclass(frozen=True)
class Recipe:
    """What all patients of a family share."""

    seed: int
    slices: int
    copies: dict[str, int]
    size: int
    cue: str | None
    label_from: str
    lesion_area: tuple[float, float]
    lesion_contrast: tuple[float, float]


def make_brain(
    root: str | os.PathLike,
    *,
    patients: int,
    slices: int,
    copies: Mapping[str, int] | None = None,
    size: int = 128,
    seed: int = 0,
    lesion_share: float = 0.5,
    cue: str | None = None,
    strength: float = 1.0,
    mode: str = "planted",
    lesions: str | None = None,
    planes: Mapping[str, float] | None = None,
    look: Mapping[str, float] | None = None,
    lesion_area: tuple[float, float] = AREA,
    lesion_contrast: tuple[float, float] = CONTRAST,
    processes: int = 1,
) -> Path:
    """Write a family of brain phantoms as a dataset folder (data/README.md) and return its path.

    patients, slices: slices a patient; the patient is the group and has one label. copies: augmented copies of each
    slice by class beside the untouched original ({"yes": 3, "no": 4}; study 2's set has 7, 10). size: pixels a side.
    lesion_share: share of patients labelled "yes". planes, look: shares of the patients, evenly over both classes.
    lesion_area: median share of the image and sigma of its logarithm, in the lesion's middle slice. lesion_contrast:
    least and greatest, 0 to 1.

    cue: None, "marker" (a letter in a corner of the head's box), "either" (a lesion, a lump of the scalp, or both, a
    third each, make a "yes") or "outside" (wide ventricles). strength: how often marker or ventricles agree with the
    label, 1 always, 0.5 as often as not. mode: "planted", or the same patients with the cue "dissociated" from the
    label or "reversed". lesions: "label" (every "yes" has one and no "no"), "independent" (half of each class) or
    "none"; by default "label", but "independent" with marker and outside, so that only the cue tells the label.

    The same arguments give the same bytes, whatever `processes` is. Raises ValueError for an argument that makes no
    sense and FileExistsError where `root` exists; nothing is left behind when it fails.
    """
    recipe = Recipe(
        seed=int(seed),
        slices=count("slices", slices, 1),
        copies=_copies(copies),
        size=count("size", size, 32),
        cue=known_name("cue", cue, tuple(CUES)),
        label_from=_label_from(cue, lesions),
        lesion_area=pair_of("lesion_area", lesion_area, 0.002, None),
        lesion_contrast=pair_of("lesion_contrast", lesion_contrast, 0.0, 1.0),
    )
    cases = plan_cases(
        count("patients", patients, 2),
        recipe.seed,
        lesion_share=lesion_share,
        cue=cue,
        strength=strength,
        mode=mode,
        lesions=lesions,
        planes=PLANES if planes is None else planes,
        look=LOOKS if look is None else look,
    )
    draw = partial(_write_patient, recipe=recipe)
    describe = partial(_describe, recipe=recipe, patients=len(cases), strength=strength, mode=mode)
    folders = ("cue_masks",) if cue else ()
    return write_family(root, cases, draw, describe, folders=folders, processes=processes)


def plan_cases(
    patients: int,
    seed: int,
    *,
    lesion_share: float = 0.5,
    cue: str | None = None,
    strength: float = 1.0,
    mode: str = "planted",
    lesions: str | None = None,
    planes: Mapping[str, float] = PLANES,
    look: Mapping[str, float] = LOOKS,
) -> list[Case]:
    """Decide each patient's label, plane, look, lesion and cue; `make_brain` says what the arguments mean.

    Labels, planes and looks depend on patients, seed and shares alone: another cue, strength or mode keeps them.
    """
    if not 0 <= lesion_share <= 1:
        raise ValueError(f"lesion_share {lesion_share} is outside 0..1")
    streams = [np.random.default_rng([seed, patients, stream, 7]) for stream in range(4)]
    positive = np.zeros(patients, dtype=bool)
    positive[streams[0].permutation(patients)[: round(patients * lesion_share)]] = True
    plane_of = spread(shares_of("planes", planes, anatomy.PLANES), positive, streams[1])
    look_of = spread(shares_of("look", look, looks.LOOKS), positive, streams[2])
    tied = known_name("lesions", lesions or CUES[known_name("cue", cue, tuple(CUES))][1], LESIONS)
    has_lesion = {"label": positive, "none": np.zeros(patients, dtype=bool)}.get(tied)
    if has_lesion is None:
        has_lesion = np.array(spread({"1": 0.5, "0": 0.5}, positive, streams[1])) == "1"
    probability = cues.agreement(strength, mode)
    has_cue = np.zeros(patients, dtype=bool)
    if cue == "either":
        if lesions not in (None, "label"):
            raise ValueError(
                f"lesions '{lesions}' cannot be combined with cue 'either', which decides who has a lesion"
            )
        has_lesion, sign = cues.allot_either(positive, streams[3])
        has_cue = sign if mode == "planted" else cues.allot(sign, cues.agreement(1.0, mode), streams[3])
    elif cue:
        has_cue = cues.allot(positive, probability, streams[3])
    return [
        Case(p, CLASSES[0 if positive[p] else 1], plane_of[p], look_of[p], bool(has_lesion[p]), bool(has_cue[p]))
        for p in range(patients)
    ]


def _write_patient(folder: Path, case: Case, recipe: Recipe) -> list[dict]:
    """Draw one patient's slices and copies into the folder; return the rows of the table."""
    offsets = [(s - (recipe.slices - 1) / 2) * STEP for s in range(recipe.slices)]
    patient = draw_patient(
        case.number,
        recipe.seed,
        case.plane,
        case.look,
        offsets=offsets,
        size=recipe.size,
        # Only these levels show ventricles in every plane.
        levels=(0.22, 0.60) if recipe.cue == "outside" else (0.0, 1.0),
        lesion_area=recipe.lesion_area,
        lesion_contrast=recipe.lesion_contrast,
    )
    rows = []
    for s, offset in enumerate(offsets):
        drawn = draw_slice(
            patient, offset, size=recipe.size, number=s, lesion=case.lesion, cue=recipe.cue if case.cue else None
        )
        name = f"{patient.name}_s{s + 1}"
        truth = drawn.lesion + np.uint8(2) * drawn.cue  # both masks in one array, so that a copy moves them alike
        pictures = [(name, drawn.image, truth)]
        for c in range(recipe.copies[case.label]):
            rng = np.random.default_rng([recipe.seed, case.number, 6, s, c])
            pictures.append((f"{name}_c{c + 1:02d}", *augment_copy(drawn.image, truth, rng)))
        for file, image, both in pictures:
            row = {
                "image": f"images/{file}.png",
                "label": case.label,
                "group": patient.name,
                "mask": f"masks/{file}.png",
                "original": f"images/{name}.png",
                "augmented": int(file != name),
                "plane": case.plane,
                "look": case.look,
                "level": f"{patient.head.level + offset:.3f}",
                "lesion": int(case.lesion),
                **_measured(both & 1, patient, drawn, case.lesion),
                "cue": recipe.cue or "",
                "cue_present": int(case.cue) if recipe.cue else "",
                "cue_region": CUES[recipe.cue][0],
                "cue_mask": f"cue_masks/{file}.png" if recipe.cue else "",
                "label_from": recipe.label_from,
            }
            write_png(folder / row["image"], image)
            write_png(folder / row["mask"], both & 1)
            if recipe.cue:
                write_png(folder / row["cue_mask"], both >> 1)
            rows.append(row)
    return rows


def _measured(mask: np.ndarray, patient: Patient, drawn: Slice, lesion: bool) -> dict[str, str]:
    """Return the columns that describe a lesion as it lies in one image; "" where there is none."""
    y, x = np.nonzero(mask)
    seen = lesion and len(x) > 0
    return {
        "lesion_kind": patient.lesion.kind if lesion else "",
        "lesion_area": f"{mask.mean():.5f}",
        "lesion_x": f"{(x.mean() + 0.5) / mask.shape[1]:.4f}" if seen else "",
        "lesion_y": f"{(y.mean() + 0.5) / mask.shape[0]:.4f}" if seen else "",
        "lesion_contrast": f"{drawn.contrast:.4f}" if seen else "",
    }


def _describe(name: str, rows: list[dict], recipe: Recipe, patients: int, strength: float, mode: str) -> dict:
    """Return dataset.json."""
    planted = "the lesion alone" if recipe.cue is None else f"cue {recipe.cue} (strength {strength:g}, {mode})"
    return {
        "name": name,
        "title": f"Brain MRI phantoms: {patients} patients, {recipe.slices} slices each, {planted}",
        "homepage": "",
        "licence": "CC0-1.0 (generated by studylib, no patient's image went into it)",
        "citation": "studylib, brain phantoms",
        "classes": {label: sum(row["label"] == label for row in rows) for label in CLASSES},
        "regions": {"1": "lesion"},
        "prepared": f"Drawn by studylib.data.phantoms.brain.make_brain, seed {recipe.seed}, {recipe.size} pixels a "
        "side. Masks hold the lesion; where a planted cue is stands in cue_masks/. Synthetic: nothing follows for "
        "patients.",
        "one_label_per_group": True,
    }


def _label_from(cue: str | None, lesions: str | None) -> str:
    """Say what decides the label: "lesion", or the cue where lesions do not tell the classes apart."""
    if cue == "either":
        return "either"
    tied = lesions or CUES[known_name("cue", cue, tuple(CUES))][1]
    if tied == "label":
        return "lesion"
    if cue is None:
        raise ValueError(f"lesions '{tied}' without a cue: nothing in the images would tell the classes apart")
    return cue


def _copies(copies: Mapping[str, int] | None) -> dict[str, int]:
    """Return the number of copies of both classes."""
    copies = dict(COPIES if copies is None else copies)
    for name in copies:
        known_name("class in copies", name, CLASSES)
    return {name: count(f"copies of '{name}'", copies.get(name, 0), 0) for name in CLASSES}
