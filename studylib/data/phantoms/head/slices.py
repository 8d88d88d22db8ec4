"""A patient and the slices drawn of one: tissue map, look, lesion and cue put together into an 8-bit image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from studylib.data.phantoms import cues
from studylib.data.phantoms.head import anatomy, looks
from studylib.data.phantoms.head.axial import draw_axial
from studylib.data.phantoms.head.coronal import draw_coronal
from studylib.data.phantoms.head.lesions import Lesion, draw_lesion, lesion_centre, paint_lesion
from studylib.data.phantoms.head.sagittal import draw_sagittal

DRAW = {"axial": draw_axial, "coronal": draw_coronal, "sagittal": draw_sagittal}
WIDE = 2.0  # how much wider the ventricles are when they are the cue
KINDS = np.arange(len(anatomy.TISSUES))
# Indexed by a tissue map: where a lesion may have its centre, and where oedema spreads.
LESION_HOME = np.isin(KINDS, (anatomy.GREY, anatomy.WHITE, anatomy.DEEP, anatomy.FOLIA))
OEDEMA = np.isin(KINDS, (anatomy.WHITE, anatomy.DEEP, anatomy.STEM))
LESION_DEPTH = 0.20  # a lesion's half length through slices, in shares of the plane's range


@dataclass(frozen=True, eq=False)
class Patient:
    """All that a patient's slices share; a lesion is drawn for every patient and painted only where it is present."""

    name: str
    head: anatomy.Head
    look: looks.Look
    lesion: Lesion
    centre: tuple[float, float]  # of the lesion, shares of width and height
    seed: tuple[int, int]  # of the family, and the patient's number


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: image, uint8 (s, s); all else bool (s, s).

    affected: lesion and halo, where a lesion changes the noise-free slice; cue: where the planted cue is; contrast: the
    lesion's mean absolute change inside its mask, before noise, as a share of full brightness; NaN without a lesion.
    """

    image: np.ndarray
    lesion: np.ndarray
    affected: np.ndarray
    brain: np.ndarray
    ventricles: np.ndarray
    cue: np.ndarray
    contrast: float


@lru_cache(maxsize=16)  # a patient's slices are drawn to place the lesion, and again to be painted
def draw_tissue(head: anatomy.Head, level: float, pixels: int) -> np.ndarray:
    """Draw the tissue map of one slice, uint8 (pixels, pixels), read-only; level from 0 to 1 runs through its plane."""
    canvas = anatomy.Canvas(head, pixels)
    DRAW[head.plane](canvas, float(np.clip(level, 0, 1)))
    canvas.ripple(0.007, 0.10)
    canvas.tissue.flags.writeable = False
    return canvas.tissue


def draw_patient(
    number: int,
    seed: int,
    plane: str,
    look: str,
    *,
    offsets: Sequence[float] = (0.0,),
    size: int = 128,
    levels: tuple[float, float] = (0.0, 1.0),
    lesion_area: tuple[float, float] = (0.018, 0.45),
    lesion_contrast: tuple[float, float] = (0.45, 1.0),
) -> Patient:
    """Draw patient `number` of the family with this seed.

    offsets: of the slices that will be drawn; the lesion lies inside the brain in all of them. levels: the part of the
    plane's range from which the middle slice is taken. lesion_area, lesion_contrast: as for `make_brain`.
    """
    streams = [np.random.default_rng([seed, number, stream]) for stream in range(3)]
    head = anatomy.draw_head(plane, streams[0])
    margin = 0.02 + max(abs(offset) for offset in offsets)
    low, high = max(levels[0], margin), min(levels[1], 1 - margin)
    head = replace(head, level=low + (high - low) * head.level)
    lesion = draw_lesion(streams[2], lesion_area, lesion_contrast)
    home = np.ones((2 * size, 2 * size), dtype=bool)
    for offset in sorted({min(offsets), 0.0, max(offsets)}):
        tissue = draw_tissue(head, head.level + offset, 2 * size)
        solid = LESION_HOME[tissue].view(np.uint8)
        home &= cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
    room = cv2.erode(home.view(np.uint8), np.ones((2 * (size // 24) + 1,) * 2, np.uint8), borderValue=0) > 0
    x, y = lesion_centre(room if room.any() else home, lesion.place)
    return Patient(
        name=f"P{number + 1:04d}",
        head=head,
        look=looks.draw_look(look, streams[1]),
        lesion=lesion,
        centre=((x + 0.5) / (2 * size), (y + 0.5) / (2 * size)),
        seed=(seed, number),
    )


def draw_slice(
    patient: Patient,
    offset: float = 0.0,
    *,
    size: int = 128,
    number: int = 0,
    lesion: bool = False,
    cue: str | None = None,
) -> Slice:
    """Draw one slice of a patient, size x size.

    offset: distance from the middle slice as a share of the plane's range; number: which of the patient's slices it is,
    for texture and noise. lesion: with the patient's lesion or without, all else the same to the pixel. cue: None,
    "marker", "either" (the lump of the scalp) or "outside" (wide ventricles).
    """
    grain, noise, place = (
        np.random.default_rng([*patient.seed, *stream]) for stream in ((3, number), (4, number), (5,))
    )
    head = replace(patient.head, ventricles=WIDE * patient.head.ventricles) if cue == "outside" else patient.head
    tissue = draw_tissue(head, head.level + offset, 2 * size)
    full = looks.colour(tissue, patient.look, grain)
    clean = looks.shrink(full, patient.look)
    brain = anatomy.IS_BRAIN[tissue]
    planted = np.zeros((size, size), dtype=bool)
    inside, affected, contrast = planted, planted, float("nan")
    if lesion:
        share = float(np.sqrt(max(0.3, 1 - (offset / LESION_DEPTH) ** 2)))
        white = OEDEMA[tissue]
        centre = tuple(2 * size * c - 0.5 for c in patient.centre)
        painted, mask = paint_lesion(full, brain, patient.lesion, centre, patient.look.lesion, white, share)
        changed = looks.shrink(painted, patient.look)
        inside = halve(mask)
        affected = inside | (changed != clean)
        contrast = float(np.abs(changed - clean)[inside].mean()) if inside.any() else float("nan")
        clean = changed
    if cue == "either":
        body = halve(tissue != anatomy.AIR)
        fat = float(patient.look.brightness[anatomy.FAT])
        clean, planted = cues.plant_lump(clean, body, place, brightness=0.9 * fat)
    ventricles = halve(tissue == anatomy.VENTRICLE)
    image = looks.expose(clean, patient.look, noise)
    if cue == "outside":
        planted = ventricles & ~inside
    if cue == "marker":
        image, planted = cues.plant_marker(image, place, box=head_box(tissue), corners=("top_left", "top_right"))
    return Slice(image, inside, affected, halve(brain), ventricles, planted, contrast)


def halve(mask: np.ndarray) -> np.ndarray:
    """Halve a mask, bool (2 s, 2 s) -> (s, s): True where at least two of the four pixels are."""
    return mask.reshape(mask.shape[0] // 2, 2, mask.shape[1] // 2, 2).sum((1, 3)) >= 2


def head_box(tissue: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom (the last two outside) of the head in a map of twice the image's size."""
    y, x = np.nonzero(tissue != anatomy.AIR)
    return int(x.min()) // 2, int(y.min()) // 2, int(x.max()) // 2 + 1, int(y.max()) // 2 + 1
