"""Whether a probability of 0.8 comes true in 80 % of cases: ECE, Brier, NLL, recalibration line, temperature.

labels: (n,) 0 or 1; probabilities: (n,) of class 1; weights: (n,) how often a row counts, as in `classification`. NaN
for no row or a NaN probability. For several classes: `ece(*top_label(labels, probabilities))`, likewise `reliability`
and `recalibration`, and `multiclass_brier`, `multiclass_nll`, with labels (n,) indices and probabilities (n, K).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from studylib.metrics.maps import as_array

TINY = 1e-7  # float32 sigmoids reach 0 and 1 exactly, where a logarithm is infinite
TEMPERATURES = (0.01, 100.0)  # a best temperature at one of these ends is none

Weights = np.ndarray | None


class Line(NamedTuple):
    """Logistic recalibration logit P(y = 1) = intercept + slope * logit(p) (Cox 1958): slope < 1 means too sure."""

    slope: float
    intercept: float


def ece(labels: Any, probabilities: Any, weights: Weights = None, *, bins: int = 15, equal: str = "mass") -> float:
    """Return the expected calibration error: the mean over bins, by mass, of |mean probability - share of 1|.

    equal "mass": as many rows in each bin, rows of one probability together; "width": bins of one width from 0 to 1.
    It is above 0 even for a calibrated network, the more so the fewer rows: compare like with like, and take intervals
    from `absolute_sum_by(table, of_columns(gaps, ...))`, which take the bias off.
    """
    y, p, w = _rows(labels, probabilities, weights)
    if _undefined(p, w):
        return float("nan")
    place = _bins(p, w, bins, equal)
    return float(np.abs(np.bincount(place, w * (p - y))).sum() / w.sum())


def gaps(
    labels: Any, probabilities: Any, weights: Weights = None, *, bins: int = 15, equal: str = "mass"
) -> np.ndarray:
    """Return each bin's mass times (mean probability - share of 1), signed (bins,): their absolute sum is `ece`.

    Bins are those of the rows as they stand: weights, the multiplicities of a resample, change the means alone.
    """
    y, p, w = _rows(labels, probabilities, weights)
    if _undefined(p, w):
        return np.full(bins, np.nan)
    return np.bincount(_bins(p, np.ones(len(p)), bins, equal), w * (p - y), bins) / w.sum()


def reliability(
    labels: Any, probabilities: Any, weights: Weights = None, *, bins: int = 15, equal: str = "mass"
) -> pd.DataFrame:
    """Return the table behind the reliability diagram, a row per bin that is not empty.

    Columns: low, high (smallest, largest probability), n (sum of weights), probability (mean), observed (share of 1).
    """
    y, p, w = _rows(labels, probabilities, weights)
    y, p, w = y[w > 0], p[w > 0], w[w > 0]
    columns = ["low", "high", "n", "probability", "observed"]
    if _undefined(p, w):
        return pd.DataFrame(columns=columns, dtype=float)
    place = _bins(p, w, bins, equal)
    rows = [(p[k].min(), p[k].max(), w[k].sum(), np.average(p[k], weights=w[k]), np.average(y[k], weights=w[k]))
            for k in (place == b for b in np.unique(place))]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def brier(labels: Any, probabilities: Any, weights: Weights = None) -> float:
    """Return the mean squared distance of the probability from 0 or 1 (Brier 1950)."""
    y, p, w = _rows(labels, probabilities, weights)
    return float("nan") if _undefined(p, w) else float((w * (p - y) ** 2).sum() / w.sum())


def nll(labels: Any, probabilities: Any, weights: Weights = None) -> float:
    """Return the mean negative log likelihood in nats; probabilities are kept 1e-7 away from 0 and 1."""
    y, p, w = _rows(labels, probabilities, weights)
    if _undefined(p, w):
        return float("nan")
    p = np.clip(p, TINY, 1 - TINY)
    return float(-(w * np.log(np.where(y == 1, p, 1 - p))).sum() / w.sum())


def top_label(labels: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the likeliest class was right, and its probability (Guo 2017, section 2): (n,) each.

    labels: (n,) indices; probabilities: (n, K), NaN where one of them is; the first of classes that are tied is taken.
    """
    y, p, _ = _class_rows(labels, probabilities, None)
    return (p.argmax(1) == y).astype(float), np.minimum(p.max(1), 1)  # half precision may reach 1.0005


def multiclass_brier(labels: Any, probabilities: Any, weights: Weights = None) -> float:
    """Return the mean squared distance of (n, K) probabilities from the label's corner, summed over classes: 0 to 2.

    Brier 1950; with two classes twice the value of `brier`.
    """
    y, p, w = _class_rows(labels, probabilities, weights)
    corner = np.eye(p.shape[1])[y]
    return float("nan") if _undefined(p, w) else float((w * ((p - corner) ** 2).sum(1)).sum() / w.sum())


def multiclass_nll(labels: Any, probabilities: Any, weights: Weights = None) -> float:
    """Return the mean negative log of the label's probability, of (n, K), in nats; kept 1e-7 away from 0."""
    y, p, w = _class_rows(labels, probabilities, weights)
    said = np.maximum(p[np.arange(len(y)), y], TINY)
    return float("nan") if _undefined(p, w) else float(-(w * np.log(said)).sum() / w.sum())


def recalibration(labels: Any, probabilities: Any, weights: Weights = None) -> Line:
    """Return slope and intercept of the logistic recalibration, by Newton's method (maximum likelihood).

    NaN with one class only, one probability only, or where the classes do not overlap (then no slope is best).
    """
    y, p, w = _rows(labels, probabilities, weights)
    y, p, w = y[w > 0], p[w > 0], w[w > 0]
    none = Line(float("nan"), float("nan"))
    if _undefined(p, w) or y.min() == y.max() or p.min() == p.max():
        return none
    if p[y == 1].min() >= p[y == 0].max() or p[y == 1].max() <= p[y == 0].min():
        return none
    x = np.log(np.clip(p, TINY, 1 - TINY)) - np.log1p(-np.clip(p, TINY, 1 - TINY))
    design, line = np.stack([x, np.ones_like(x)], 1), np.zeros(2)
    for _ in range(100):
        fitted = _sigmoid(design @ line)
        gradient = ((w * (y - fitted))[:, None] * design).sum(0)
        curvature = np.einsum("n,ni,nj->ij", w * fitted * (1 - fitted), design, design)
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        line = line + step * min(1.0, 2 / max(np.abs(step).max(), TINY))  # damped: a full first step may overshoot
        if np.abs(step).max() < 1e-10:
            return Line(float(line[0]), float(line[1]))
    return none


def slope(labels: Any, probabilities: Any, weights: Weights = None) -> float:
    """Return the slope of `recalibration`: 1 is calibrated, below 1 too sure."""
    return recalibration(labels, probabilities, weights).slope


def temperature(logits: Any, labels: Any) -> float:
    """Return the T that minimises the NLL of softmax(logits / T), or sigmoid for one logit (Guo 2017, section 4.2).

    logits: (n,), (n, 1) or (n, K) of validation images; labels: (n,) indices. NaN where no T is best: all labels are
    predicted right (T -> 0), or the logits say nothing (T -> infinity).
    """
    from scipy.optimize import minimize_scalar

    z, y = _logits(logits), as_array(labels).astype(int)
    if len(z) != len(y):
        raise ValueError(f"{len(z)} rows of logits for {len(y)} labels")
    if not len(z) or not np.isfinite(z).all() or not np.ptp(z, axis=1).any():
        return float("nan")
    low, high = np.log(TEMPERATURES)
    best = minimize_scalar(
        lambda log_t: _nll_of_logits(z / np.exp(log_t), y),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-8},
    )
    at_an_end = min(best.x - low, high - best.x) < 1e-3
    return float("nan") if at_an_end else float(np.exp(best.x))


def probabilities_at(logits: Any, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits / temperature) of (n, K), or sigmoid of (n,) or (n, 1) as (n,): float64."""
    z = _logits(logits) / temperature
    p = np.exp(z - np.logaddexp.reduce(z, axis=1)[:, None])
    return p[:, 1] if _is_single(logits) else p


def _rows(labels: Any, probabilities: Any, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, p = as_array(labels).astype(float), as_array(probabilities).astype(float)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, float)
    if y.ndim != 1 or y.shape != p.shape or y.shape != w.shape:
        raise ValueError(f"labels have shape {y.shape}, probabilities {p.shape}, weights {w.shape}; expected one (n,)")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            "labels are 0 or 1; for several classes pass whether the prediction was right, and its confidence"
        )
    if (p < 0).any() or (p > 1).any():
        raise ValueError(f"probabilities lie in [0, 1]; found {np.nanmin(p):g} to {np.nanmax(p):g}: are these logits?")
    return y, p, w


def _class_rows(labels: Any, probabilities: Any, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, p = as_array(labels), as_array(probabilities).astype(float)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, float)
    if y.ndim != 1 or p.ndim != 2 or len(p) != len(y) or w.shape != y.shape:
        raise ValueError(
            f"labels {y.shape}, probabilities {p.shape}, weights {w.shape}; expected (n,), (n, K) and (n,)"
        )
    classes = p.shape[1]
    if not np.isin(y, np.arange(classes)).all():
        raise ValueError(f"labels are indices from 0 to {classes - 1}; found {np.setdiff1d(y, np.arange(classes))[:5]}")
    off = np.abs(p.sum(1) - 1)
    if (p < 0).any() or (off > 1e-3).any():  # float16 softmax sums to 1 within 1e-3
        raise ValueError(
            f"rows of probabilities are not negative and sum to 1; found {np.nanmin(p):g} and a sum off by"
            f" {np.nanmax(off):g}: are these logits?"
        )
    return y.astype(int), p, w


def _undefined(p: np.ndarray, w: np.ndarray) -> bool:
    return not w.sum() > 0 or bool(np.isnan(p).any())


def _bins(p: np.ndarray, w: np.ndarray, bins: int, equal: str) -> np.ndarray:
    """Return the bin (n,) of each probability."""
    if equal == "width":
        return np.minimum((p * bins).astype(int), bins - 1)
    if equal != "mass":
        raise ValueError(f"equal is '{equal}'; it is 'mass' or 'width'")
    _, codes = np.unique(p, return_inverse=True)
    mass = np.bincount(codes, w)
    middle = np.cumsum(mass) - mass / 2  # by the middle of a run of ties, so that it is not torn apart by row order
    return np.minimum((bins * middle / mass.sum()).astype(int), bins - 1)[codes]


def _is_single(logits: Any) -> bool:
    shape = as_array(logits).shape
    return len(shape) == 1 or shape[1] == 1


def _logits(logits: Any) -> np.ndarray:
    """Return logits (n, K) as float64; one logit z becomes the pair (0, z)."""
    z = as_array(logits).astype(float)
    if z.ndim not in (1, 2):
        raise ValueError(f"logits have shape {z.shape}; expected (n,), (n, 1) or (n, K)")
    return np.stack([np.zeros(len(z)), z.reshape(-1)], 1) if _is_single(logits) else z


def _nll_of_logits(z: np.ndarray, y: np.ndarray) -> float:
    return float((np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), y]).mean())


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))
