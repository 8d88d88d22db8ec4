"""Brain tumour phantoms: slices of patients with a meningioma, a glioma or a pituitary tumour, their outlines, planted
cues, and, on request, people who stand in the table under two ids.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from studylib.data.folder import write_png
from studylib.data.phantoms import cues
from studylib.data.phantoms.arguments import count, known_name, shares_of
from studylib.data.phantoms.family import write_family
from studylib.data.phantoms.head import anatomy, looks, tumours
from studylib.data.phantoms.head.lesions import Lesion, paint_lesion
from studylib.data.phantoms.head.slices import LESION_DEPTH, OEDEMA, draw_tissue, halve, head_box

CLASSES = tumours.CLASSES
FOLDS = 5
STEP = 0.03  # between neighbouring slices, as a share of the plane's range
PLANES = {"axial": 1 / 3, "coronal": 1 / 3, "sagittal": 1 / 3}
MARKED = "pituitary"  # the class that a marker is tied to
CUES = (None, "marker")


@dataclass(frozen=True)
class Case:
    """What was decided about one patient before anything is drawn."""

    number: int
    label: str
    tumour: str  # the class that is drawn: another than the label where only the marker tells
    plane: str
    fold: int
    cue: bool
    person: int


@dataclass(frozen=True)
class Recipe:
    """What all patients of a family share."""

    seed: int
    slices: int
    size: int
    area_scale: float
    cue: str | None


def make_tumours(
    root: str | os.PathLike,
    *,
    patients: int,
    slices: int,
    size: int = 128,
    seed: int = 0,
    area_scale: float = 1.0,
    planes: Mapping[str, float] | None = None,
    cue: str | None = None,
    strength: float = 1.0,
    mode: str = "planted",
    siblings: float = 0.0,
    processes: int = 1,
) -> Path:
    """Write a family of brain tumour phantoms as a dataset folder (data/README.md) and return its path.

    patients, slices: slices a patient, whose tumour is smaller away from its middle; a third of the patients a class.
    area_scale: of the areas, which follow the outlines of the real set (median 1.5, 1.8 and 0.7 % of the picture).
    planes: shares of the patients, the same in every class. cue: None, or "marker": a letter in a corner of the head's
    box tied to the pituitary class, while which tumour is drawn is tied to nothing among the patients of that class
    and as many others; strength: how often the letter agrees with the class, 1 always; mode: "planted", or the same
    patients with the letter "dissociated" from the class or "reversed". siblings: the share of glioma patients who are
    the same person as the one before, under another id (column `person` joins them, `pid` does not, and owner's folds
    `fold` keep ids, not people, together).

    The same arguments give the same bytes, whatever `processes` is. Raises ValueError for an argument that makes no
    sense and FileExistsError where `root` exists; nothing is left behind when it fails.
    """
    if not 0.1 <= area_scale <= 6:
        raise ValueError(f"area_scale {area_scale} is outside 0.1 to 6")
    if not 0 <= siblings <= 0.5:
        raise ValueError(f"siblings {siblings} is outside 0 to 0.5, a share of the glioma patients")
    recipe = Recipe(int(seed), count("slices", slices, 1), count("size", size, 32), float(area_scale), cue)
    known_name("cue", cue, CUES)
    cases = plan_cases(
        count("patients", patients, 15),
        recipe.seed,
        planes=PLANES if planes is None else planes,
        cue=cue,
        strength=strength,
        mode=mode,
        siblings=siblings,
    )
    draw = partial(_write_patient, recipe=recipe)
    describe = partial(_describe, recipe=recipe, patients=len(cases), strength=strength, mode=mode)
    folders = ("cue_masks",) if cue else ()
    return write_family(root, cases, draw, describe, folders=folders, processes=processes)


def plan_cases(
    patients: int,
    seed: int,
    *,
    planes: Mapping[str, float] = PLANES,
    cue: str | None = None,
    strength: float = 1.0,
    mode: str = "planted",
    siblings: float = 0.0,
) -> list[Case]:
    """Decide each patient's class, tumour, plane, fold and cue; `make_tumours` says what the arguments mean."""
    streams = [np.random.default_rng([seed, patients, stream, 11]) for stream in range(5)]
    label = np.resize(np.arange(len(CLASSES)), patients)
    streams[0].shuffle(label)
    plane, fold = np.empty(patients, object), np.empty(patients, int)
    shares = shares_of("planes", planes, anatomy.PLANES)
    names, edges = list(shares), np.cumsum(list(shares.values())) / sum(shares.values())
    for c in range(len(CLASSES)):
        rows = np.flatnonzero(label == c)
        at = (streams[1].permutation(len(rows)) + 0.5) / len(rows)
        plane[rows] = [names[min(int(np.searchsorted(edges, p, side="right")), len(names) - 1)] for p in at]
        fold[rows] = streams[2].permutation(np.resize(np.arange(1, FOLDS + 1), len(rows)))
    tumour, has_cue = label.copy(), np.zeros(patients, bool)
    if cue:
        marked = label == CLASSES.index(MARKED)
        has_cue = cues.allot(marked, cues.agreement(strength, mode), streams[3])
        # among the marked class and as many others every tumour is as likely: there only the letter tells
        rest = np.flatnonzero(~marked)
        mixed = np.concatenate([np.flatnonzero(marked), streams[4].permutation(rest)[: int(marked.sum())]])
        tumour[mixed] = streams[4].permutation(np.resize(np.arange(len(CLASSES)), len(mixed)))
    person = np.arange(patients)
    gliomas = np.flatnonzero(label == CLASSES.index("glioma"))
    for first, second in list(zip(gliomas[::2], gliomas[1::2], strict=False))[: round(siblings * len(gliomas))]:
        person[second] = first
    return [
        Case(p, CLASSES[label[p]], CLASSES[tumour[p]], plane[p], int(fold[p]), bool(has_cue[p]), int(person[p]))
        for p in range(patients)
    ]


@dataclass(frozen=True, eq=False)
class Drawn:
    """One slice: image uint8 (s, s); tumour, brain, cue bool (s, s); contrast: the tumour's mean absolute change inside
    its mask before noise, as a share of full brightness.
    """

    image: np.ndarray
    tumour: np.ndarray
    brain: np.ndarray
    cue: np.ndarray
    contrast: float


@dataclass(frozen=True, eq=False)
class Patient:
    """All that a patient's slices share."""

    head: anatomy.Head
    look: looks.Look
    lesion: Lesion
    kind: str
    centre: tuple[float, float]
    seed: tuple[int, int]


def draw_patient(case: Case, recipe: Recipe, offsets: list[float]) -> Patient:
    """Draw a patient; two ids of one person share head, look and tumour."""
    streams = [np.random.default_rng([recipe.seed, case.person, stream, 3]) for stream in range(3)]
    head = anatomy.draw_head(case.plane, streams[0])
    margin = 0.02 + max(abs(offset) for offset in offsets)
    low, high = tumours.SELLA[case.plane][0] if case.tumour == "pituitary" else (margin + 0.1, 1 - margin - 0.1)
    head = replace(head, level=float(np.clip(low + (high - low) * head.level, margin, 1 - margin)))
    lesion = tumours.draw_tumour(case.tumour, streams[2], recipe.area_scale)
    tissues = [draw_tissue(head, head.level + o, 2 * recipe.size) for o in sorted({min(offsets), 0.0, max(offsets)})]
    centre = tumours.place_tumour(case.tumour, tissues, case.plane, lesion)
    seed = (recipe.seed, case.number)
    return Patient(head, looks.draw_look("t1c", streams[1]), lesion, case.tumour, centre, seed)


def draw_slice(patient: Patient, offset: float, number: int, size: int, cue: bool = False) -> Drawn:
    """Draw one slice of a patient, size x size; number: which slice it is, for texture and noise."""
    grain, noise, place = (
        np.random.default_rng([*patient.seed, *stream]) for stream in ((13, number), (14, number), (15,))
    )
    tissue = draw_tissue(patient.head, patient.head.level + offset, 2 * size)
    full = looks.colour(tissue, patient.look, grain)
    clean = looks.shrink(full, patient.look)
    share = float(np.sqrt(max(0.35, 1 - (offset / LESION_DEPTH) ** 2)))
    seen = tumours.growth(patient.kind, tissue, patient.head.plane, patient.lesion.area).seen
    centre = tuple(2 * size * c - 0.5 for c in patient.centre)
    painted, mask = paint_lesion(full, seen, patient.lesion, centre, patient.look.lesion, OEDEMA[tissue], share)
    changed = looks.shrink(painted, patient.look)
    inside = halve(mask)
    contrast = float(np.abs(changed - clean)[inside].mean()) if inside.any() else float("nan")
    image, planted = looks.expose(changed, patient.look, noise), np.zeros((size, size), bool)
    if cue:
        image, planted = cues.plant_marker(image, place, box=head_box(tissue), corners=("top_left", "top_right"))
    return Drawn(image, inside, halve(anatomy.IS_BRAIN[tissue]), planted, contrast)


def _write_patient(folder: Path, case: Case, recipe: Recipe) -> list[dict]:
    """Draw one patient's slices into the folder; return the rows of the table."""
    offsets = [(s - (recipe.slices - 1) / 2) * STEP for s in range(recipe.slices)]
    patient, rows = draw_patient(case, recipe, offsets), []
    for s, offset in enumerate(offsets):
        drawn = draw_slice(patient, offset, s, recipe.size, case.cue)
        if not drawn.tumour.any():
            continue
        pid, file = f"P{case.number + 1:04d}", f"P{case.number + 1:04d}_s{s + 1:02d}.png"
        y, x = np.nonzero(drawn.tumour)
        row = {
            "image": f"images/{file}",
            "label": case.label,
            "group": f"P{case.person + 1:04d}",
            "mask": f"masks/{file}",
            "fold": case.fold,
            "pid": pid,
            "person": f"P{case.person + 1:04d}",
            "person_inferred": f"P{case.person + 1:04d}",
            "plane": case.plane,
            "level": f"{patient.head.level + offset:.3f}",
            "tumour": case.tumour,
            "lesion_kind": patient.lesion.kind,
            "lesion_area": f"{drawn.tumour.mean():.5f}",
            "lesion_x": f"{(x.mean() + 0.5) / recipe.size:.4f}",
            "lesion_y": f"{(y.mean() + 0.5) / recipe.size:.4f}",
            "lesion_contrast": f"{drawn.contrast:.4f}",
            "cue": recipe.cue or "",
            "cue_present": int(case.cue) if recipe.cue else "",
            "cue_mask": f"cue_masks/{file}" if recipe.cue else "",
            "label_from": "tumour" if recipe.cue is None else "marker, and the tumour of the others",
        }
        write_png(folder / row["image"], drawn.image)
        write_png(folder / row["mask"], drawn.tumour.astype(np.uint8))
        if recipe.cue:
            write_png(folder / row["cue_mask"], drawn.cue.astype(np.uint8))
        rows.append(row)
    return rows


def _describe(name: str, rows: list[dict], recipe: Recipe, patients: int, strength: float, mode: str) -> dict:
    """Return dataset.json."""
    planted = "the tumour alone" if recipe.cue is None else f"cue {recipe.cue} (strength {strength:g}, {mode})"
    return {
        "name": name,
        "title": f"Brain tumour phantoms: {patients} patients, {recipe.slices} slices each, {planted}",
        "homepage": "",
        "licence": "CC0-1.0 (generated by studylib, no patient's image went into it)",
        "citation": "studylib, brain tumour phantoms",
        "classes": {label: sum(row["label"] == label for row in rows) for label in CLASSES},
        "regions": {"1": "tumour"},
        "prepared": f"Drawn by studylib.data.phantoms.tumours.make_tumours, seed {recipe.seed}, {recipe.size} pixels a "
        f"side, areas times {recipe.area_scale:g}. Masks hold the tumour without oedema. Synthetic: nothing follows "
        "for patients.",
        "one_label_per_group": True,
    }
