"""Accuracy when the picture changes a little: shifted, noisier, blurred, of other contrast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from scipy import ndimage

from studylib.metrics.intervals import Estimate, difference_by
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import Pictures, as_images, held_out
from studylib.study.train import Workshop

SEVERITIES = (1, 2, 3)


def shifted(pixels: np.ndarray, share: float) -> list[np.ndarray]:
    """The pictures moved by a share of the side to each of four sides, air coming in. uint8 (N, S, S) -> four of
    them.
    """
    step = round(share * pixels.shape[1])
    moved = []
    for axis in (1, 2):
        for sign in (step, -step):
            out = np.zeros_like(pixels)
            where, source = [slice(None)] * pixels.ndim, [slice(None)] * pixels.ndim
            where[axis] = slice(sign, None) if sign > 0 else slice(None, sign)
            source[axis] = slice(None, -sign) if sign > 0 else slice(-sign, None)
            out[tuple(where)] = pixels[tuple(source)]
            moved.append(out)
    return moved


def noisy(pixels: np.ndarray, severity: int, seed: int = 0) -> np.ndarray:
    """Gaussian noise of 5 % of white a step."""
    noise = np.random.default_rng([seed, severity]).normal(0, 0.05 * 255 * severity, pixels.shape)
    return (pixels + noise).round().clip(0, 255).astype(np.uint8)


def blurred(pixels: np.ndarray, severity: int) -> np.ndarray:
    """Gaussian blur of 0.6 % of the side a step."""
    sigma = 0.006 * pixels.shape[1] * severity
    return ndimage.gaussian_filter(pixels, (0, sigma, sigma, *([0] * (pixels.ndim - 3))))


def flatter(pixels: np.ndarray, severity: int) -> np.ndarray:
    """Contrast towards each picture's mean, 20 % less a step."""
    mean = pixels.mean(tuple(range(1, pixels.ndim)), keepdims=True)
    return (mean + (pixels - mean) * (1 - 0.2 * severity)).round().clip(0, 255).astype(np.uint8)


CHANGES = {"noise": noisy, "blur": blurred, "contrast": flatter}


@torch.inference_mode()
def right(trained: Trained, pictures: Pictures, pixels: np.ndarray, batch: int = 64) -> np.ndarray:
    """Whether the network is right on changed pixels, float (N,)."""
    model = trained.fit.model()
    logits = [model(as_images(pixels[i : i + batch]))[:, -1] for i in range(0, len(pixels), batch)]
    return ((torch.cat(logits).numpy() > 0) == (pictures.labels == 1)).astype(float)


def shift_drop(workshop: Workshop, fits: Fits, arm: str, share: float = 0.1, **how) -> Estimate:
    """Accuracy minus accuracy after a shift, mean of four directions, paired by image; positive: the shift costs."""
    tables = []
    for t in fits.select(arm, "group"):
        pictures = held_out(workshop, t)
        after = np.mean([right(t, pictures, moved) for moved in shifted(pictures.pixels, share)], 0)
        row = {
            "image": pictures.names,
            "group": pictures.groups,
            "before": right(t, pictures, pictures.pixels),
            "after": after,
        }
        tables.append(pd.DataFrame(row))
    text = f"accuracy of {arm} minus after a {share:.0%} shift, mean of four directions"
    return difference_by(pd.concat(tables, ignore_index=True), "before", "after", how=text, **how)


def slopes(workshop: Workshop, fits: Fits, arm: str) -> pd.DataFrame:
    """Change of accuracy a severity step for each test image (least squares over 0 to 3, mean of the changes),
    negative: it loses.
    """
    tables = []
    for t in fits.select(arm, "group"):
        pictures = held_out(workshop, t)
        steps = np.arange(len(SEVERITIES) + 1) - len(SEVERITIES) / 2
        found = []
        for change in CHANGES.values():
            curve = [right(t, pictures, pictures.pixels)]
            curve += [right(t, pictures, change(pictures.pixels, severity)) for severity in SEVERITIES]
            found.append(steps @ np.array(curve) / (steps @ steps))
        row = {"image": pictures.names, "group": pictures.groups, "slope": np.mean(found, 0), "repeat": t.run.repeat}
        tables.append(pd.DataFrame(row))
    return pd.concat(tables, ignore_index=True)
