"""Accuracy of those images that a score accepts, against how many it accepts (risk and coverage).

correct: (n,) of 0 and 1; scores: (n,), the highest are accepted first, ties by expectation; weights: (n,), how often a
row counts. One number of columns, as in `classification`: `statistic_by(table, of_columns(accuracy_coverage_area,
"correct", "sharpness"))`. A score that is NaN is undefined, and with it the measure; -inf ranks last.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from studylib.metrics.maps import as_array
from studylib.metrics.resampling import ratio

Weights = np.ndarray | None


def accepted_accuracy(correct: Any, accepted: Any, weights: Weights = None) -> float:
    """Return the share of right rows among the accepted, accepted (n,) of 0 and 1; NaN where none is accepted."""
    right, taken, w = _rows(correct, accepted, weights)
    if not np.isin(taken, (0, 1)).all():
        raise ValueError("accepted holds 0 and 1; pass whether each row is accepted, not its score")
    return float(ratio(np.sum(w * taken * right), np.sum(w * taken)))


def accepted_gain(correct: Any, accepted: Any, weights: Weights = None) -> float:
    """Return accuracy among the accepted rows minus among all; NaN where none is accepted."""
    right, _, w = _rows(correct, accepted, weights)
    return accepted_accuracy(right, accepted, w) - float(ratio(np.sum(w * right), w.sum()))


def selective_accuracy(correct: Any, scores: Any, weights: Weights = None, *, coverage: float) -> float:
    """Return the accuracy of the share `coverage` of rows whose scores are highest; NaN without rows or with NaN.

    ValueError where coverage is not in (0, 1].
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is {coverage}; it is the share of images that is accepted, above 0, at most 1")
    accepted, right = _curve(correct, scores, weights)
    if not accepted[-1] > 0:
        return float("nan")
    # between two scores all rows of the tie are equally likely to be in: a straight line
    return float(np.interp(coverage * accepted[-1], accepted, right) / (coverage * accepted[-1]))


def accuracy_coverage_area(correct: Any, scores: Any, weights: Weights = None) -> float:
    """Return the mean over k of the accuracy of the k rows with the highest scores; NaN without rows or with NaN.

    One minus AURC, the area under the risk-coverage curve (Geifman, Uziel and El-Yaniv 2019). A score that says nothing
    has the accuracy of all rows; `correct` itself as the score gives the most that is possible.
    """
    from scipy.special import digamma

    accepted, right = _curve(correct, scores, weights)
    if not accepted[-1] > 0:
        return float("nan")
    before, gained, step = right[:-1], np.diff(right), np.diff(accepted)
    rate = np.divide(gained, step, out=np.zeros_like(step), where=step > 0)
    # in a tie of m rows after w: sum over j = 1 .. m of (c + rate j) / (w + j), with sum 1 / (w + j) by digamma
    area = gained + (before - rate * accepted[:-1]) * (digamma(accepted[1:] + 1) - digamma(accepted[:-1] + 1))
    return float(area.sum() / accepted[-1])


def accuracy_coverage_gain(correct: Any, scores: Any, weights: Weights = None) -> float:
    """Return the area minus the accuracy of all rows: 0 where the score says nothing about who is right."""
    right, _, w = _rows(correct, scores, weights)
    return accuracy_coverage_area(correct, scores, weights) - float(ratio(np.sum(w * right), w.sum()))


def _curve(correct: Any, scores: Any, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Weight accepted and weight of right ones after each distinct score from the highest, from 0; NaN with a NaN."""
    right, s, w = _rows(correct, scores, weights)
    if np.isnan(s).any():
        return np.full(2, np.nan), np.full(2, np.nan)
    order = np.argsort(-s, kind="stable")
    s, w, right = s[order], w[order], right[order]
    last = np.append(s[1:] != s[:-1], True)[: len(s)]  # where a run of ties ends
    return np.append(0, np.cumsum(w)[last]), np.append(0, np.cumsum(w * right)[last])


def _rows(correct: Any, other: Any, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    right, x = as_array(correct).astype(float), as_array(other).astype(float)
    w = np.ones(len(right)) if weights is None else np.asarray(weights, float)
    if right.ndim != 1 or right.shape != x.shape or right.shape != w.shape:
        raise ValueError(
            f"correct has shape {right.shape}, what stands beside it {x.shape}, weights {w.shape}; expected one (n,)"
        )
    if not np.isin(right, (0, 1)).all():
        raise ValueError("correct holds 0 and 1; pass whether each row is right")
    return right, x, w
