"""How well a network tells classes apart: one number of labels and predictions, each row with a weight.

labels, predicted: (n,) class indices; scores: (n,), higher means `positive`; weights: (n,), not negative, how often a
row counts (multiplicities of a bootstrap; None: once each): `statistic_by(table, of_columns(auroc, "label", "p"))` is
fast. NaN where undefined: no row, a class missing that the measure needs, a NaN score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from studylib.metrics.maps import as_array

Weights = np.ndarray | None


def accuracy(labels: Any, predicted: Any, weights: Weights = None) -> float:
    """Return the share of rows that are right."""
    y, guess, w = _rows(labels, predicted, weights)
    return _share(w[y == guess].sum(), w.sum())


def majority_share(labels: Any, weights: Weights = None) -> float:
    """Return the accuracy of always saying the commonest class."""
    y, _, w = _rows(labels, labels, weights)
    _, codes = np.unique(y, return_inverse=True)
    return _share(np.bincount(codes, w, 1).max(), w.sum())


def balanced_accuracy(labels: Any, predicted: Any, weights: Weights = None) -> float:
    """Return the mean over classes of the share found; NaN with one class only. Classes without rows are left out."""
    y, guess, w = _rows(labels, predicted, weights)
    names, codes = np.unique(y, return_inverse=True)
    there = np.bincount(codes, w, len(names))
    found = np.bincount(codes, w * (y == guess), len(names))[there > 0] / there[there > 0]
    return float(found.mean()) if len(found) > 1 else float("nan")


def sensitivity(labels: Any, predicted: Any, weights: Weights = None, *, positive: int = 1) -> float:
    """Return the share of `positive` rows that are called so (recall); NaN without any."""
    y, guess, w = _rows(labels, predicted, weights)
    return _share(w[(y == positive) & (guess == positive)].sum(), w[y == positive].sum())


def specificity(labels: Any, predicted: Any, weights: Weights = None, *, positive: int = 1) -> float:
    """Return the share of other rows that are not called `positive`; NaN without any."""
    y, guess, w = _rows(labels, predicted, weights)
    return _share(w[(y != positive) & (guess != positive)].sum(), w[y != positive].sum())


def precision(labels: Any, predicted: Any, weights: Weights = None, *, positive: int = 1) -> float:
    """Return the share of rows called `positive` that are so; NaN where none is called so."""
    return sensitivity(predicted, labels, weights, positive=positive)


def f1(labels: Any, predicted: Any, weights: Weights = None, *, positive: int = 1) -> float:
    """Return 2 TP / (2 TP + FP + FN) of the class `positive`; NaN with one class only among the labels."""
    y, guess, w = _rows(labels, predicted, weights)
    if not 0 < w[y == positive].sum() < w.sum():
        return float("nan")
    hit = w[(y == positive) & (guess == positive)].sum()
    return _share(2 * hit, w[y == positive].sum() + w[guess == positive].sum())


def macro_f1(labels: Any, predicted: Any, weights: Weights = None) -> float:
    """Return the mean F1 over the classes among labels and predictions; NaN with one class of labels only."""
    y, guess, w = _rows(labels, predicted, weights)
    y, guess, w = y[w > 0], guess[w > 0], w[w > 0]
    if len(np.unique(y)) < 2:
        return float("nan")
    return float(np.mean([_f1_of(y, guess, w, c) for c in np.union1d(y, guess)]))


def false_negative_share(labels: Any, predicted: Any, weights: Weights = None, *, positive: int = 1) -> float:
    """Return which share of the wrong rows are missed positives (not 1 - sensitivity); NaN where nothing is wrong."""
    y, guess, w = _rows(labels, predicted, weights)
    return _share(w[(y != guess) & (y == positive)].sum(), w[y != guess].sum())


def positive_share_of_correct(labels: Any, predicted: Any, weights: Weights = None, *, positive: int = 1) -> float:
    """Return which share of the right rows are positives (not the sensitivity); NaN where nothing is right."""
    y, guess, w = _rows(labels, predicted, weights)
    return _share(w[(y == guess) & (y == positive)].sum(), w[y == guess].sum())


def cohen_kappa(first: Any, second: Any, weights: Weights = None) -> float:
    """Return the agreement of two raters beyond chance, (p_o - p_e) / (1 - p_e) (Cohen 1960, eq. 1): 1 where they
    always agree, 0 where as often as by chance; NaN where both always say one and the same.
    """
    one, two, w = _rows(first, second, weights)
    names, codes = np.unique(np.concatenate([one, two]), return_inverse=True)
    one, two = np.split(codes, 2)
    shares = [np.bincount(side, w, len(names)) for side in (one, two)]
    by_chance = _share((shares[0] * shares[1]).sum(), w.sum() ** 2)
    return _share(_share(w[one == two].sum(), w.sum()) - by_chance, 1 - by_chance)


def confusion(
    labels: Any, predicted: Any, weights: Weights = None, *, classes: Sequence[int] | int | None = None
) -> np.ndarray:
    """Return the matrix (K, K) of weights, a row per label, a column per prediction.

    classes: their indices or how many. ValueError for a label or prediction that is not among them.
    """
    y, guess, w = _rows(labels, predicted, weights)
    names = (
        np.union1d(y, guess)
        if classes is None
        else np.arange(classes)
        if isinstance(classes, int)
        else np.asarray(classes)
    )
    other = np.setdiff1d(np.union1d(y, guess), names)
    if len(other):
        raise ValueError(f"found class {other.tolist()}; the classes are {names.tolist()}")
    place = {c: i for i, c in enumerate(names.tolist())}
    cell = [place[a] * len(names) + place[b] for a, b in zip(y.tolist(), guess.tolist(), strict=True)]
    return np.bincount(np.array(cell, int), w, len(names) ** 2).reshape(len(names), -1)


def auroc(labels: Any, scores: Any, weights: Weights = None, *, positive: int = 1) -> float:
    """Return the chance that a positive row has a higher score than another, ties counting half (Mann-Whitney).

    NaN with one class only, or where a score is NaN.
    """
    y, s, w = _rows(labels, scores, weights)
    is_positive = y == positive
    if not len(s) or np.isnan(s).any():
        return float("nan")
    order = np.argsort(s, kind="stable")
    s, w, is_positive = s[order], w[order], is_positive[order]
    up = np.cumsum(w * is_positive)
    rest = np.cumsum(w) - up
    last = np.append(s[1:] != s[:-1], True)  # where a run of ties ends
    up, rest = np.append(0, up[last]), np.append(0, rest[last])
    # every step of positives has the others below it and half of those beside it
    return _share((np.diff(up) * (rest[:-1] + rest[1:]) / 2).sum(), up[-1] * rest[-1])


def macro_auroc(labels: Any, scores: Any, weights: Weights = None) -> float:
    """Return the mean over classes of each one's AUROC against the rest; scores (n, K), a column a class.

    Classes without rows are left out; NaN with one class only, or where a score is NaN.
    """
    y, s = as_array(labels), as_array(scores)
    if s.ndim != 2 or len(s) != len(y):
        raise ValueError(f"labels have shape {y.shape}, scores {s.shape}; expected (n,) and (n, K)")
    if not np.isin(y, np.arange(s.shape[1])).all():
        raise ValueError(f"labels are indices from 0 to {s.shape[1] - 1}; found {np.unique(y).tolist()}")
    each = np.array([auroc(y, s[:, c], weights, positive=c) for c in range(s.shape[1])])
    sound = np.isfinite(each)
    return float(each[sound].mean()) if sound.any() and not np.isnan(s).any() else float("nan")


def _rows(labels: Any, other: Any, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = as_array(labels), as_array(other)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, float)
    if y.ndim != 1 or y.shape != x.shape or y.shape != w.shape:
        raise ValueError(
            f"labels have shape {y.shape}, what stands beside them {x.shape}, weights {w.shape}; expected one (n,)"
        )
    return y, x, w


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _f1_of(y, guess, w, c) -> float:
    return 2 * w[(y == c) & (guess == c)].sum() / (w[y == c].sum() + w[guess == c].sum())
