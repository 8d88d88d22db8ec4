"""Three tumours of known outline on a head: where each grows, how it looks with contrast, how large it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from studylib.data.phantoms.head import anatomy
from studylib.data.phantoms.head.lesions import Lesion, draw_lesion, lesion_centre

CLASSES = ("meningioma", "glioma", "pituitary")
# Median area as a share of the image, and sigma of its logarithm, of the outlines of the 3,064 slices of Cheng's set.
AREAS = {"meningioma": (0.0153, 0.77), "glioma": (0.0184, 0.81), "pituitary": (0.0067, 0.68)}
SMALLEST, LARGEST = 0.0012, 0.09  # of those outlines, nearly
# A tumour is smaller away from its middle slice, and the skull takes a part of a meningioma: what is drawn is larger by
# this, so that the outlines in the pictures have the areas above.
DRAWN = {"meningioma": 1.45, "glioma": 0.95, "pituitary": 1.1}
CONTRAST = {"meningioma": (0.75, 1.0), "glioma": (0.45, 1.0), "pituitary": (0.55, 0.85)}
# Levels (0 to 1 through a plane) on which a pituitary tumour can be seen, and where it then lies, in shares of the
# picture from the head's middle: to the right, and down.
SELLA = {"axial": ((0.10, 0.20), (0.0, -0.06)), "coronal": ((0.35, 0.55), (0.0, 0.16)),
         "sagittal": ((0.42, 0.58), (-0.05, 0.13))}  # fmt: skip


@dataclass(frozen=True)
class Growth:
    """Where a tumour's centre may be, bool (H, W), and where its tissue may be seen, bool (H, W)."""

    home: np.ndarray
    seen: np.ndarray


def draw_tumour(kind: str, rng: np.random.Generator, scale: float) -> Lesion:
    """Draw a tumour of a class; scale: of all areas."""
    median, sigma = AREAS[kind]
    lesion = draw_lesion(rng, (median, sigma), CONTRAST[kind])
    area = float(np.clip(median * np.exp(sigma * rng.normal()), SMALLEST, LARGEST)) * DRAWN[kind] * scale
    if kind == "glioma":
        return replace(lesion, kind="ring" if rng.random() < 0.6 else "irregular", area=area)
    calm = replace(lesion, kind="smooth", area=area, halo=1.02, stretch=float(rng.uniform(1.0, 1.25)))
    return replace(calm, waves=calm.waves * np.array([0.6, 1.0]))


def growth(kind: str, tissue: np.ndarray, plane: str, area: float) -> Growth:
    """Where a tumour of this class and area (share of the image) grows on a tissue map."""
    brain, head = anatomy.IS_BRAIN[tissue], tissue != anatomy.AIR
    radius = float(np.sqrt(area * tissue.size / np.pi))
    if kind == "glioma":
        tissues = np.isin(tissue, (anatomy.GREY, anatomy.WHITE, anatomy.DEEP))
        solid = cv2.morphologyEx(tissues.view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        inner = eroded(brain, 0.9 * radius) & (solid > 0)
        return Growth(inner if inner.any() else eroded(brain, 0.4 * radius), brain)
    if kind == "meningioma":  # half of a disc or more, on the inner side of the skull
        whole = filled(brain)
        edge = whole & ~eroded(whole, 0.45 * radius + 2) & eroded(whole, 0.25 * radius)
        if plane == "sagittal":  # not on the cut through the neck
            edge[int(0.62 * len(edge)) :] = False
        return Growth(edge, whole)
    y, x = np.nonzero(head)
    right, down = SELLA[plane][1]
    middle = ((x.min() + x.max()) / 2, (y.min() + y.max()) / 2)
    if plane == "sagittal":  # the neck is part of the head: measure from the brain
        y, x = np.nonzero(filled(brain))
        middle = ((x.min() + x.max()) / 2, (y.min() + y.max()) / 2 - 0.04 * len(tissue))
    side = len(tissue)
    at = (round(middle[0] + right * side), round(middle[1] + down * side))
    home = np.zeros_like(head)
    cv2.circle(home.view(np.uint8), at, max(2, round(0.02 * side)), 1, -1)
    return Growth(home & head, head)


def place_tumour(kind: str, tissues: list[np.ndarray], plane: str, lesion: Lesion) -> tuple[float, float]:
    """Choose the tumour's centre so that it grows in all of a patient's slices; shares of width and height."""
    home = np.logical_and.reduce([growth(kind, tissue, plane, lesion.area).home for tissue in tissues])
    if not home.any():  # no place in all slices, or in none for a tumour of this size
        middle = growth(kind, tissues[len(tissues) // 2], plane, lesion.area)
        home = middle.home if middle.home.any() else middle.seen
    x, y = lesion_centre(home, lesion.place)
    return (x + 0.5) / home.shape[1], (y + 0.5) / home.shape[0]


def eroded(mask: np.ndarray, radius: float) -> np.ndarray:
    """The pixels of a mask that are deeper in it than `radius`."""
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return depth > radius


def filled(mask: np.ndarray) -> np.ndarray:
    """A mask with its holes and fissures filled."""
    size = 2 * (len(mask) // 40) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, disc) > 0
