"""Brain phantoms: synthetic MRI slices of patients with or without a lesion, their masks, copies and planted cues."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from studylib.data.phantoms import anatomy, cues, looks
from studylib.data.phantoms.folder import FolderWriter, write_png
from studylib.data.phantoms.lesions import Lesion, draw_lesion, lesion_centre, paint_lesion
from studylib.data.phantoms.planes import draw_tissue
from studylib.data.transforms import augment_copy

PLANES = {"axial": 0.6, "coronal": 0.2, "sagittal": 0.2}
LOOKS = {"t1c": 0.4, "flair": 0.35, "t2": 0.25}
AREA = (0.018, 0.45)  # median share of the image, sigma of its logarithm
CONTRAST = (0.45, 1.0)


@dataclass(frozen=True, eq=False)
class Patient:
    """All that stays the same in a patient's slices."""

    name: str
    head: anatomy.Head
    look: looks.Look
    lesion: Lesion  # drawn for every patient; painted only where it is present
    seed: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice as drawn: image uint8 (s, s); lesion, affected (lesion and halo), brain, ventricles: bool (s, s)."""

    image: np.ndarray
    lesion: np.ndarray
    affected: np.ndarray
    brain: np.ndarray
    ventricles: np.ndarray
    contrast: float  # mean change by the lesion inside its mask, of full brightness, before bias and noise; NaN without


def draw_patient(
    number: int, seed: int, plane: str, look: str, *, lesion_area=AREA, lesion_contrast=CONTRAST
) -> Patient:
    """Draw patient `number` of the family with this seed."""
    head, scanner, disease = (np.random.default_rng([seed, number, stream]) for stream in (0, 1, 2))
    return Patient(
        name=f"P{number + 1:04d}",
        head=anatomy.draw_head(plane, head),
        look=looks.draw_look(look, scanner),
        lesion=draw_lesion(disease, lesion_area, lesion_contrast),
        seed=(seed, number),
    )


def draw_slice(patient: Patient, offset: float = 0.0, *, size: int = 128, lesion: bool = False, number: int = 0) -> Slice:
    """Draw one slice of a patient, size x size; offset: distance from the middle slice (a tenth of the plane's range is near).

    number: which of the patient's slices, for the noise. With and without lesion all else is the same to the pixel.
    """
    grain, noise = (np.random.default_rng([*patient.seed, stream, number]) for stream in (3, 4))
    level = 0.08 + 0.84 * patient.head.level
    tissue = draw_tissue(patient.head, level + offset, 2 * size)
    clean = looks.render_clean(tissue, patient.look, grain)
    brain = np.isin(tissue, anatomy.BRAIN)
    affected = inside = np.zeros((size, size), dtype=bool)
    contrast = float("nan")
    small = looks.shrink(clean, patient.look)
    if lesion:
        middle = tissue if offset == 0 else draw_tissue(patient.head, level, 2 * size)
        solid = np.isin(middle, (anatomy.GREY, anatomy.WHITE, anatomy.DEEP, anatomy.FOLIA, anatomy.VENTRICLE))
        deep = cv2.erode(cv2.morphologyEx(solid.view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5))), np.ones((9, 9))) > 0
        centre = lesion_centre(deep if deep.any() else solid, patient.lesion.place)
        share = float(np.sqrt(max(0.35, 1 - (offset / 0.16) ** 2)))
        white = np.isin(tissue, (anatomy.WHITE, anatomy.DEEP, anatomy.STEM))
        painted, mask, _ = paint_lesion(clean, brain, patient.lesion, centre, patient.look.lesion, white, share)
        with_lesion = looks.shrink(painted, patient.look)
        inside = cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) >= 0.5
        affected = inside | (np.abs(with_lesion - small) > 0.25 / 255)
        contrast = float((with_lesion - small)[inside].mean()) if inside.any() else float("nan")
        small = with_lesion
    return Slice(
        image=looks.expose(small, patient.look, noise),
        lesion=inside,
        affected=affected,
        brain=_halve(brain),
        ventricles=_halve(tissue == anatomy.VENTRICLE),
        contrast=contrast,
    )


def _halve(mask: np.ndarray) -> np.ndarray:
    """Halve a mask, bool (2 s, 2 s) -> (s, s): True where at least half of the four pixels are."""
    return cv2.resize(mask.astype(np.float32), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) >= 0.5


def _spread(shares: Mapping[str, float], labels: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Give each patient a kind by its share, evenly within each class, so that kind and label are not associated."""
    names, weights = list(shares), np.array(list(shares.values()), dtype=float)
    edges = np.cumsum(weights) / weights.sum()
    found = np.empty(len(labels), dtype=object)
    for label in (True, False):
        rows = np.flatnonzero(labels == label)
        places = (rng.permutation(len(rows)) + rng.random()) / max(len(rows), 1)
        found[rows] = [names[min(int(np.searchsorted(edges, p, side="right")), len(names) - 1)] for p in places]
    return found.tolist()


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
    mode: str = "train",
    planes: Mapping[str, float] = PLANES,
    look: Mapping[str, float] = LOOKS,
    lesion_area: tuple[float, float] = AREA,
    lesion_contrast: tuple[float, float] = CONTRAST,
) -> Path:
    """Write a family of brain phantoms as a dataset folder and return its path."""
    copies = {"yes": 3, "no": 4} if copies is None else dict(copies)
    root = Path(root)
    rng = np.random.default_rng([seed, 10**6])
    positive = np.zeros(patients, dtype=bool)
    positive[rng.permutation(patients)[: round(patients * lesion_share)]] = True
    plane_of, look_of = _spread(planes, positive, rng), _spread(look, positive, rng)
    probability = cues.agreement(strength, mode)
    has_cue = cues.allot(positive, probability, rng) if cue else np.zeros(patients, dtype=bool)
    rows = []
    with FolderWriter(root) as folder:
        for p in range(patients):
            patient = draw_patient(
                p, seed, plane_of[p], look_of[p], lesion_area=lesion_area, lesion_contrast=lesion_contrast
            )
            label = "yes" if positive[p] else "no"
            for s in range(slices):
                offset = (s - (slices - 1) / 2) * 0.06
                drawn = draw_slice(patient, offset, size=size, lesion=bool(positive[p]), number=s)
                image, mask = drawn.image, drawn.lesion.astype(np.uint8)
                if has_cue[p]:
                    image, _ = cues.plant_marker(image, np.random.default_rng([seed, p, 5, s]))
                name = f"{patient.name}_s{s + 1}"
                pictures = [(name, image, mask, 0)]
                for c in range(copies[label]):
                    copy = augment_copy(image, mask, np.random.default_rng([seed, p, 6, s, c]))
                    pictures.append((f"{name}_c{c + 1:02d}", *copy, 1))
                for file, picture, outline, augmented in pictures:
                    write_png(folder.path / "images" / f"{file}.png", picture)
                    write_png(folder.path / "masks" / f"{file}.png", outline)
                    y, x = np.nonzero(outline)
                    rows.append(
                        {
                            "image": f"images/{file}.png",
                            "label": label,
                            "group": patient.name,
                            "mask": f"masks/{file}.png",
                            "original": f"images/{name}.png",
                            "augmented": augmented,
                            "plane": plane_of[p],
                            "look": look_of[p],
                            "lesion_area": f"{outline.mean():.5f}",
                            "lesion_x": f"{x.mean() / size:.4f}" if len(x) else "",
                            "lesion_y": f"{y.mean() / size:.4f}" if len(x) else "",
                            "lesion_contrast": f"{drawn.contrast:.4f}" if positive[p] else "",
                            "cue": cue or "",
                            "cue_region": "",
                            "label_from": cue or "lesion",
                        }
                    )
        folder.tabulate(rows)
        folder.describe(
            {
                "name": root.name,
                "title": f"Brain MRI phantoms: {patients} patients",
                "homepage": "",
                "licence": "CC0-1.0",
                "citation": "studylib brain phantoms",
                "classes": {c: sum(r["label"] == c for r in rows) for c in ("yes", "no")},
                "regions": {"1": "lesion"},
                "prepared": f"generated, seed {seed}",
            }
        )
    return root


__all__ = ["Patient", "Slice", "draw_patient", "draw_slice", "make_brain", "replace"]
