"""Prediction and map when the picture changes: blurred, noisier, darker, turned, hairs over it; both on the same
images, so that a map that moves can be told from a network that changes its mind.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd

from studylib.cam import explain
from studylib.metrics.intervals import Estimate, difference_by, mean_by, of_columns, statistic_by
from studylib.metrics.sanity import Similarity, similarity
from studylib.metrics.stability import prediction_saliency_correlation
from studylib.study.fits import Fits
from studylib.study.mapping import BATCH, as_images
from studylib.study.robustness import blurred, noisy
from studylib.study.segmenting import LAYER, Seen, explained, first, firsts, seen_by, told
from studylib.study.train import Workshop

METHODS = ("gradcam", "gradcam++")
SEVERITIES = (1, 2, 3)
ANGLE = 15.0  # degrees a step
DIM = 0.15  # of the brightness lost a step
HAIRS = 4  # a step

Change = Callable[[np.ndarray, int], np.ndarray]


def darker(pixels: np.ndarray, severity: int) -> np.ndarray:
    """The pictures at 15 % less brightness a step."""
    return (pixels * (1 - DIM * severity)).round().clip(0, 255).astype(np.uint8)


def turned(pixels: np.ndarray, severity: int) -> np.ndarray:
    """The pictures turned about their middle by 15 degrees a step, their borders mirrored outwards."""
    return _turn(pixels, ANGLE * severity, cv2.BORDER_REFLECT_101)


def _turn(grids: np.ndarray, angle: float, border: int) -> np.ndarray:
    side = grids.shape[1]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1.0)
    return np.stack([cv2.warpAffine(g, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border) for g in grids])


def hairy(pixels: np.ndarray, severity: int, seed: int = 0) -> np.ndarray:
    """Dark curved hairs over the pictures, four a step, each drawn anew a picture; the same ones and more at the next
    step.
    """
    out, side = pixels.copy(), pixels.shape[1]
    for i, picture in enumerate(out):
        rng = np.random.default_rng([seed, i])
        for _ in range(HAIRS * severity):
            ends, bend = rng.uniform(0, side, (2, 2)), rng.uniform(-0.25, 0.25, 2) * side
            t = np.linspace(0, 1, 24)[:, None]
            curve = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * (ends.mean(0) + bend) + t**2 * ends[1]
            shade = int(rng.integers(15, 60))
            width = max(1, round(side / 128))
            points = [curve.round().astype(np.int32)[:, None]]
            cv2.polylines(picture, points, False, (shade, shade // 2 + 8, shade // 2), width, cv2.LINE_AA)
    return out


CHANGES: dict[str, Change] = {
    "blur": blurred, "noise": noisy, "brightness": darker, "rotation": turned, "hair": hairy,
}  # fmt: skip


def robust_table(workshop: Workshop, fits: Fits, arm: str, most: int) -> pd.DataFrame:
    """One row an image, network, change and severity: whether the network is right (`correct`) and was before
    (`before`), whether it says another class (`flipped`), and Spearman of each map with the unchanged one, for the
    class that was said of the unchanged picture. A turned picture's map is turned back first, and only what no border
    touches is compared.
    """
    tables, networks = [], firsts(fits, arm)
    for t in networks:
        seen = first(seen_by(workshop, t), max(2, most // len(networks)))
        before = explained(seen, METHODS)
        row = told(seen, before) | {"repeat": t.run.repeat}
        model = t.fit.model()
        for name, change in CHANGES.items():
            for severity in SEVERITIES:
                after = explain(
                    model, as_images(change(seen.pixels, severity)), METHODS, before.target, LAYER, batch_size=BATCH
                )
                said = after.logits.argmax(1).numpy()
                alike = {m: _alike(before, after, m, seen, name, severity) for m in METHODS}
                p_after = after.logits.double().softmax(1).gather(1, before.target[:, None])[:, 0].numpy()
                columns = {
                    "change": name,
                    "severity": severity,
                    "before": row["correct"],
                    "correct": (said == row["label"]).astype(float),
                    "flipped": (said != row["predicted"]).astype(float),
                }
                columns |= {"p_before": row["confidence"], "p_after": p_after, "ssim": alike["gradcam"].ssim}
                columns |= {method: found.spearman for method, found in alike.items()}
                tables.append(pd.DataFrame(row | columns))
    return pd.concat(tables, ignore_index=True)


def _alike(before, after, method: str, seen: Seen, change: str, severity: int) -> Similarity:
    """How alike a method's maps are before and after."""
    if change != "rotation":
        return similarity(before[method].numpy(), after[method].numpy())
    side, angle = seen.pixels.shape[1], ANGLE * severity
    maps = [e.upsampled(method, LAYER, side, relu=False, scale=None).numpy() for e in (before, after)]
    back = _turn(maps[1], -angle, cv2.BORDER_CONSTANT)
    y, x = np.indices((side, side)) - (side - 1) / 2
    inside = np.hypot(y, x) < side / 2 - 1  # a disc in which no border comes in
    low, high = round(side * (1 - 0.5**0.5) / 2) + 1, round(side * (1 + 0.5**0.5) / 2) - 1
    square = (slice(None), slice(low, high), slice(low, high))  # in that disc, for SSIM
    return Similarity(
        similarity(*(m[:, inside][:, None] for m in (maps[0], back))).spearman,
        similarity(maps[0][square], back[square]).ssim,
        np.full(len(back), np.nan),
    )


def records(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Change of accuracy, share of images with another class, and likeness of both maps, by change and severity; and
    likeness where the class stayed.
    """
    found = {}
    for (name, severity), rows in table.groupby(["change", "severity"], sort=False):
        words, key = f"{name}, severity {severity}", f"robust.{name}_{severity}"
        text = f"accuracy after {words}, minus before, paired by image"
        found[f"{key}.accuracy_change"] = difference_by(rows, "correct", "before", how=text, **how)
        found[f"{key}.flipped"] = mean_by(rows, "flipped", how=f"images with another class after {words}", **how)
        for method in METHODS:
            text = f"Spearman of {method} before and after {words}, class said before"
            found[f"{key}.{method.replace('++', 'pp')}.spearman"] = mean_by(rows, method, how=text, **how)
    for name, rows in table.groupby("change", sort=False):
        kept = rows[rows["flipped"] == 0]
        text = f"Spearman of gradcam after {name}, images whose class stayed"
        found[f"robust.{name}.stayed.spearman"] = mean_by(kept, "gradcam", how=text, **how)
    return found


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """Means a row a change and severity, for the page."""
    columns = {"before": "right before", "correct": "right after", "flipped": "another class",
               "gradcam": "Grad-CAM alike", "gradcam++": "Grad-CAM++ alike"}  # fmt: skip
    means = table.groupby(["change", "severity"], sort=False)[list(columns)].mean().rename(columns=columns)
    return means.reset_index().set_index("change")


def with_prediction(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Whether Grad-CAM changes where the prediction does: correlation over images and changes, source of the measure:
    `prediction_saliency_correlation`.
    """
    measure = of_columns(prediction_saliency_correlation, "p_before", "p_after", "ssim")
    text = "correlation of the change of probability with 1 - SSIM of gradcam, all changes"
    return {"robust.prediction_saliency_correlation": statistic_by(table, measure, how=text, **how)}
