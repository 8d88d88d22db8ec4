"""Is the tumour what the network needs? The tumour is painted over, and its class should go; a region of the same shape
elsewhere is painted over as a control. A map that misses a tumour which the network does not need is right to do so.
"""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import torch

from studylib.metrics.intervals import Estimate, difference_by, mean_by
from studylib.study.fits import Fits
from studylib.study.mapping import as_images
from studylib.study.segmenting import Seen, first, firsts, seen_by
from studylib.study.train import Workshop

MARGIN = 3 / 224  # of the side, painted over around the outline too: the border of a tumour gives it away


def painted_over(pixels: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Each image with its region filled in from around it (Telea 2004, as in OpenCV). pixels: uint8 (N, S, S); regions:
    bool (N, S, S) -> uint8 (N, S, S).
    """
    reach = max(2, round(3 / 224 * pixels.shape[-1]))
    filled = [
        cv2.inpaint(p, r.astype(np.uint8), reach, cv2.INPAINT_TELEA) for p, r in zip(pixels, regions, strict=True)
    ]
    return np.stack(filled) if filled else pixels.copy()


def grown(masks: np.ndarray) -> np.ndarray:
    """Masks with a margin around them, bool (N, S, S)."""
    size = 2 * max(1, round(MARGIN * masks.shape[-1])) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.stack([cv2.dilate(m.astype(np.uint8), disc) > 0 for m in masks]) if len(masks) else masks.copy()


def elsewhere(regions: np.ndarray, pixels: np.ndarray, rng: np.random.Generator, tries: int = 60) -> np.ndarray:
    """Each region moved to a random place of the head that it does not touch now; of `tries` places the one with most
    head in it. regions: bool (N, S, S); pixels: uint8 (N, S, S) -> bool (N, S, S).
    """
    side, moved = regions.shape[-1], np.zeros_like(regions)
    for i, region in enumerate(regions):
        y, x = np.nonzero(region)
        if not len(y):
            continue
        head, best = pixels[i] > 25, -1.0  # a tenth of white: brighter is head, not air
        for _ in range(tries):
            dy, dx = rng.integers(-y.min(), side - y.max()), rng.integers(-x.min(), side - x.max())
            there = (y + dy, x + dx)
            share = float(head[there].mean()) - 2.0 * float(region[there].mean())
            if share > best:
                best, place = share, there
        if best >= 0:
            moved[i][place] = True
    return moved


@torch.inference_mode()
def survival(seen: Seen, rng: np.random.Generator) -> pd.DataFrame:
    """One row an image that was called right: whether its class is still said, with probability above 1/2, with the
    tumour painted over (`tumour`), with the same shape painted over elsewhere (`control`), and how far the probability
    fell; images whose shape fits nowhere else are left out.
    """
    model, size = seen.trained.fit.model(), seen.pixels.shape[1]
    masks = np.stack([cv2.resize(m.astype(np.uint8), (size, size), interpolation=cv2.INTER_AREA) > 0
                      for m in seen.pictures.masks])  # fmt: skip
    regions = grown(masks)
    controls = elsewhere(regions, seen.pixels, rng)
    p = {"before": _probabilities(model, seen.pixels)}
    keep = (p["before"].argmax(1) == seen.pictures.labels) & controls.any((1, 2))
    labels, rows = seen.pictures.labels[keep], np.arange(int(keep.sum()))
    for name, places in (("tumour", regions), ("control", controls)):
        p[name] = _probabilities(model, painted_over(seen.pixels[keep], places[keep]))
    before = p["before"][keep][rows, labels]
    table = {"image": seen.pictures.names[keep], "group": seen.pictures.groups[keep], "label": labels}
    for name in ("tumour", "control"):
        after = p[name][rows, labels]
        still = (p[name].argmax(1) == labels) & (after > 0.5)
        table |= {name: still.astype(float), f"{name}_fall": before - after}
    return pd.DataFrame(table)


def survival_table(workshop: Workshop, fits: Fits, arm: str, most: int) -> pd.DataFrame:
    """`survival` of the first network of each fold on at most so many of its test images."""
    tables = []
    for t in firsts(fits, arm):
        table = survival(first(seen_by(workshop, t), most), np.random.default_rng([t.run.seed, 41]))
        tables.append(table.assign(repeat=t.run.repeat))
    return pd.concat(tables, ignore_index=True)


def survivals(table: pd.DataFrame, classes: tuple[str, ...], **how) -> dict[str, Estimate]:
    """Share of correct images whose class survives without the tumour, the control's share, and their difference."""
    rows = table.groupby(["image", "group", "label"], as_index=False)[["tumour", "control"]].mean()
    found = {
        "occlusion.class_survives": mean_by(rows, "tumour", how="class still said, tumour painted over", **how),
        "occlusion.class_survives_control": mean_by(
            rows, "control", how="the same shape painted over elsewhere", **how
        ),
        "occlusion.control_minus_tumour": difference_by(
            rows, "control", "tumour", how="class still said: painted over elsewhere minus tumour painted over", **how
        ),
    }
    for number, name in enumerate(classes):
        some = rows[rows["label"] == number]
        found[f"occlusion.class_survives.{name}"] = mean_by(some, "tumour", how=f"{name}, tumour painted over", **how)
    return found


def _probabilities(model: torch.nn.Module, pixels: np.ndarray, at_once: int = 64) -> np.ndarray:
    """Class probabilities, (N, K)."""
    parts = [model(as_images(pixels[i : i + at_once])).double().softmax(1) for i in range(0, len(pixels), at_once)]
    return torch.cat(parts).numpy() if parts else np.zeros((0, 2))
