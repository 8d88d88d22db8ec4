"""How a classifier degrades as its pictures are blurred: does it lose sight, or does it only call one class more often?

Accuracy alone cannot tell: it falls below chance when all calls go to the rarer class, while the ranking of pictures
stays. So each level has accuracy, balanced accuracy, sensitivity, specificity, AUROC and the share called positive.

Tables have a row an image, network (`repeat`) and level (`kernel`, 1: as taken): image, group, repeat, kernel, label (0
or 1) and p, the probability of the positive class. A p above 0.5 calls positive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from studylib.metrics import classification
from studylib.metrics.intervals import Estimate, auroc_by, difference_by, exact, mean_by, of_columns, statistic_by
from studylib.metrics.resampling import numbers, only
from studylib.study.compare import paired

SHARP = 1
RISE, RANKING = 0.3, 0.6  # the flip of statement 3.60: share called positive up by more, AUROC still above
MEASURES = {
    "accuracy": classification.accuracy,
    "balanced_accuracy": classification.balanced_accuracy,
    "sensitivity": classification.sensitivity,
    "specificity": classification.specificity,
}


class Flip(NamedTuple):
    """Rise of the share called positive, AUROC under the blur, and the word: confirmed, refuted or undecided."""

    rise: Estimate
    auroc: Estimate
    word: str


def called(table: pd.DataFrame, threshold: float = 0.5) -> pd.DataFrame:
    """Return the table with `predicted` (p above the threshold, 0 or 1) and `correct`, both float.

    ValueError for labels other than 0 and 1, and for probabilities that are NaN or leave [0, 1], naming image and
    kernel.
    """
    label, p = numbers(table, "label"), numbers(table, "p")
    for name, values, sound, expected in (
        ("label", label, np.isin(label, (0, 1)), "0 or 1"),
        ("p", p, (p >= 0) & (p <= 1), "a probability from 0 to 1"),
    ):
        if not sound.all():
            row = int(np.flatnonzero(~sound)[0])
            where = f"image {only(table, 'image').iloc[row]}, kernel {only(table, 'kernel').iloc[row]}"
            raise ValueError(f"'{name}' of {where} (row {row}) is {values[row]:g}; expected {expected}")
    predicted = (p > threshold).astype(float)
    return table.assign(predicted=predicted, correct=(predicted == label).astype(float))


def by_level(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Return every measure at every level, `blur.k<kernel>.<measure>`; how: group, unit, resamples, seed."""
    rows, found = called(table), {}
    for kernel, some in _levels(rows).items():
        words = _words(kernel)
        for name, measure in MEASURES.items():
            text = f"{name.replace('_', ' ')}, {words}"
            statistic = of_columns(measure, "label", "predicted")
            found[f"blur.k{kernel}.{name}"] = statistic_by(some, statistic, how=text, **how)
        found[f"blur.k{kernel}.auroc"] = auroc_by(some, "label", "p", how=f"AUROC, {words}", **how)
        text = f"share called positive, {words}"
        found[f"blur.k{kernel}.called_positive"] = mean_by(some, "predicted", how=text, **how)
    return found


def changes(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Return what each blur costs, paired by image, networks of an image averaged: accuracy without it minus with it,
    and the rise of the share called positive.
    """
    levels = _levels(called(table))
    sharp, found = _sharp(levels), {}
    for kernel, some in levels.items():
        if kernel == SHARP:
            continue
        text = f"accuracy without blur minus with blur {kernel}, paired by image"
        both = paired(sharp, some, "correct")
        found[f"blur.k{kernel}.accuracy_drop"] = difference_by(both, "a", "b", how=text, **how)
        text = f"share called positive with blur {kernel} minus without, paired by image"
        both = paired(some, sharp, "predicted")
        found[f"blur.k{kernel}.called_rise"] = difference_by(both, "a", "b", how=text, **how)
    return found


def tidy(estimates: dict[str, Estimate]) -> pd.DataFrame:
    """Return estimates named `blur.k<kernel>.<measure>` as one table: kernel, measure, value, low, high, n, groups."""
    rows = []
    for name, e in estimates.items():
        _, level, measure = name.split(".")
        rows.append((int(level[1:]), measure, e.value, e.low, e.high, e.n, e.groups))
    return pd.DataFrame(rows, columns=["kernel", "measure", "value", "low", "high", "n", "groups"])


def flip(table: pd.DataFrame, kernel: int, **how) -> Flip:
    """Return whether a blur sends calls to the positive class while the network still ranks pictures (3.60).

    Confirmed where the whole interval of the rise is above 30 points and that of the AUROC above 0.6; refuted where
    either lies wholly at or below; else undecided. ValueError for a kernel that the table does not hold.
    """
    levels = _levels(called(table))
    if kernel not in levels or kernel == SHARP:
        blurred = ", ".join(str(k) for k in levels if k != SHARP)
        raise ValueError(f"the table has no blur {kernel}; it has {blurred or 'none'}")
    rows = pd.concat([_sharp(levels), levels[kernel]], ignore_index=True)
    rise = changes(rows, **how)[f"blur.k{kernel}.called_rise"]
    auroc = auroc_by(levels[kernel], "label", "p", how=f"AUROC, {_words(kernel)}", **how)
    if rise.low > RISE and auroc.low > RANKING:
        return Flip(rise, auroc, "confirmed")
    return Flip(rise, auroc, "refuted" if rise.high <= RISE or auroc.high <= RANKING else "undecided")


def flips(table: pd.DataFrame, **how) -> pd.DataFrame:
    """Return `flip` at every blur as a table for the page: rise, AUROC and the word."""
    blurred = [k for k in _levels(table) if k != SHARP]
    rows = {k: flip(table, k, **how) for k in blurred}
    said = {
        k: {"share called positive, rise": str(f.rise), "AUROC": str(f.auroc), "flip": f.word} for k, f in rows.items()
    }
    return pd.DataFrame.from_dict(said, orient="index").rename_axis("kernel")


def rethresholded(training: pd.DataFrame, table: pd.DataFrame, kernel: int, **how) -> dict[str, Estimate]:
    """Return the accuracy under a blur with the threshold that is best on blurred training pictures, its gain over 0.5
    and what it leaves of the loss, `blur.k<kernel>.rethresholded.…`.

    What a threshold gives back was a shift of calls, what it leaves is information lost (3.60). One threshold for each
    network (`repeat`), chosen by accuracy on `training`, whose rows the network may have been fitted on.
    """
    tables, thresholds = [], []
    test, fitted = _levels(called(table)), _levels(called(training))
    for levels, name in ((test, "table"), (fitted, "training")):
        if kernel not in levels:
            raise ValueError(f"the {name} has no kernel {kernel}; it has {', '.join(map(str, levels))}")
    for repeat, some in test[kernel].groupby("repeat"):
        own = fitted[kernel][fitted[kernel]["repeat"] == repeat]
        if own.empty:
            raise ValueError(f"training has no row of repeat {repeat} with kernel {kernel}; each network needs its own")
        thresholds.append(best_threshold(own["label"].to_numpy(), own["p"].to_numpy()))
        tables.append(called(some, thresholds[-1]))
    moved, stem = pd.concat(tables, ignore_index=True), f"blur.k{kernel}.rethresholded"
    text = f"accuracy, blur {kernel}, threshold chosen on training pictures under it"
    gain, left = paired(moved, test[kernel], "correct"), paired(_sharp(test), moved, "correct")
    how_gain, how_left = f"{text}, minus with 0.5, paired", f"accuracy without blur minus that: {text}"
    return {
        f"{stem}.threshold": exact(float(np.mean(thresholds)), n=len(thresholds), unit="repeat", how="mean threshold"),
        f"{stem}.accuracy": mean_by(moved, "correct", how=text, **how),
        f"{stem}.gain": difference_by(gain, "a", "b", how=how_gain, **how),
        f"{stem}.loss_left": difference_by(left, "a", "b", how=how_left, **how),
    }


def best_threshold(labels: np.ndarray, p: np.ndarray) -> float:
    """Return the threshold on p (n,) with most labels (n,) right, the middle between two values; of several the one
    nearest to 0.5 (-1 calls all positive, 2 none). ValueError for no rows.
    """
    if not len(p):
        raise ValueError("no rows to choose a threshold on")
    values = np.unique(p)
    tried = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    # p is above a threshold: positives that are, and negatives that are not
    above = np.searchsorted(np.sort(p[labels == 1]), tried, "right")
    below = np.searchsorted(np.sort(p[labels == 0]), tried, "right")
    right = (labels == 1).sum() - above + below
    best = tried[right == right.max()]
    return float(np.clip(best[np.argmin(np.abs(best - 0.5))], -1, 2))


def _levels(table: pd.DataFrame) -> dict[int, pd.DataFrame]:
    return {int(kernel): some for kernel, some in table.groupby(only(table, "kernel"))}


def _sharp(levels: dict[int, pd.DataFrame]) -> pd.DataFrame:
    if SHARP not in levels:
        raise ValueError(f"no row has kernel {SHARP} (as taken), with which the blurs {sorted(levels)} are compared")
    return levels[SHARP]


def _words(kernel: int) -> str:
    return "no blur" if kernel == SHARP else f"blur {kernel}"
