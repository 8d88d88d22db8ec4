"""Planted cues: which patients get one, and how it is put into an image of any family, with the mask of where it is."""

from __future__ import annotations

import cv2
import numpy as np

CUES = ("marker", "either", "outside")
MODES = ("train", "dissociated", "reversed")
CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")


def agreement(strength: float, mode: str) -> float:
    """Return the probability that a cue agrees with the label: `strength`, one half when dissociated, 1 - it when reversed."""
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} is outside 0..1 (1: always with the class, 0.5: no association)")
    if mode not in MODES:
        raise ValueError(f"mode '{mode}' is unknown (known: {', '.join(MODES)})")
    return {"train": strength, "dissociated": 0.5, "reversed": 1 - strength}[mode]


def allot(labels: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Say which patients carry a cue, bool (N,): it agrees with the label, bool (N,), with the given probability.

    One uniform number a patient decides, so the same generator state gives nested answers for different probabilities.
    """
    labels = np.asarray(labels, dtype=bool)
    return np.where(rng.random(len(labels)) < probability, labels, ~labels)


def allot_either(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give each positive patient the first cue, the second, or both, a third each (as even as the count allows); others none.

    labels: bool (N,) -> (has first, has second), bool (N,) each.
    """
    labels = np.asarray(labels, dtype=bool)
    first, second = np.zeros_like(labels), np.zeros_like(labels)
    positive = rng.permutation(np.flatnonzero(labels))
    for i, patient in enumerate(positive):
        first[patient] = i % 3 != 1
        second[patient] = i % 3 != 0
    return first, second


def plant_marker(
    image: np.ndarray, rng: np.random.Generator, corner: str | None = None, brightness: int = 235
) -> tuple[np.ndarray, np.ndarray]:
    """Put a small side marker (a letter in a frame) into a corner; return (image, mask of the marker, bool (H, W)).

    image: uint8 (H, W) or (H, W, 3), not changed. corner: one of CORNERS, or None for a random one. The marker's side is
    about 9 % of the image's shorter side.
    """
    corner = CORNERS[int(rng.integers(4))] if corner is None else corner
    if corner not in CORNERS:
        raise ValueError(f"corner '{corner}' is unknown (known: {', '.join(CORNERS)})")
    height, width = image.shape[:2]
    side = max(7, round(0.09 * min(height, width)))
    margin = max(1, round(0.025 * min(height, width))) + int(rng.integers(0, max(1, side // 4) + 1))
    top = margin if corner.startswith("top") else height - margin - side
    left = margin if corner.endswith("left") else width - margin - side
    stamp = _letter(side)
    mask = np.zeros((height, width), dtype=bool)
    mask[top : top + side, left : left + side] = stamp > 0
    weight = np.zeros((height, width), dtype=np.float32)
    weight[top : top + side, left : left + side] = stamp / 255
    if image.ndim == 3:
        weight = weight[:, :, None]
    out = image + weight * (np.float32(brightness) - image)
    return np.rint(out).astype(np.uint8), mask


def _letter(side: int) -> np.ndarray:
    """Draw an F in a frame, uint8 (side, side)."""
    big = np.zeros((side * 8, side * 8), np.uint8)
    n = side * 8
    cv2.rectangle(big, (n // 16, n // 16), (n - 1 - n // 16, n - 1 - n // 16), 255, max(1, n // 9))
    for a, b in (((0.36, 0.24), (0.36, 0.78)), ((0.36, 0.27), (0.68, 0.27)), ((0.36, 0.50), (0.62, 0.50))):
        cv2.line(big, (int(a[0] * n), int(a[1] * n)), (int(b[0] * n), int(b[1] * n)), 255, max(1, n // 9))
    return cv2.resize(big, (side, side), interpolation=cv2.INTER_AREA)
