"""Tests that give a p value: sign flips of groups, Holm's correction, McNemar, Wilcoxon, Kendall's trend."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

BLOCK = 4_000_000  # signs held at once; part of the recipe, as in `resampling`


class McNemar(NamedTuple):
    """Pairs that only a, only b has right, and the exact two-sided p (NaN where no pair differs)."""

    only_a: int
    only_b: int
    p: float


class Wilcoxon(NamedTuple):
    """Signed-rank statistic, pairs used, and the two-sided p (NaN where no pair differs)."""

    statistic: float
    n: int
    p: float


class Trend(NamedTuple):
    """Kendall's tau-b of values against their order, how many, and the two-sided p."""

    tau: float
    n: int
    p: float


def sign_flip_p(parts: np.ndarray, flips: int, rng: np.random.Generator) -> tuple[float, str]:
    """Return the two-sided p that the sum of parts (groups,) is 0, from flipping their signs, and how it was found.

    All 2^groups flips where there are no more than `flips`, else as many at random, with one added to both counts
    (never 0). NaN with fewer than two groups.
    """
    parts = np.asarray(parts, float)
    if len(parts) < 2:
        return float("nan"), "no sign flips (fewer than two groups)"
    seen = abs(parts.sum()) * (1 - 1e-12)  # a tie in exact arithmetic must count as one in floating point
    if 2 ** len(parts) <= flips:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(parts))))
        return float(np.mean(np.abs(np.einsum("fg,g->f", signs, parts)) >= seen)), f"all {len(signs):,} sign flips"
    beyond, step = 0, max(1, BLOCK // len(parts))
    for start in range(0, flips, step):
        signs = rng.integers(0, 2, (min(step, flips - start), len(parts))) * 2.0 - 1
        beyond += int((np.abs(np.einsum("fg,g->f", signs, parts)) >= seen).sum())
    return (1 + beyond) / (1 + flips), f"{flips:,} sign flips"


def holm(p_values: Sequence[float] | Mapping[str, float]) -> np.ndarray | dict[str, float]:
    """Return p values corrected for the length of the list (Holm 1979), in the order and with the names given.

    A NaN stays NaN and still counts: the list was named before anything was computed.
    """
    if isinstance(p_values, Mapping):
        return dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
    p = np.asarray(p_values, float)
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"a p value lies in [0, 1]; found {p[(p < 0) | (p > 1)].tolist()}")
    order = np.argsort(p)  # NaN last
    steps = p[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> McNemar:
    """Return McNemar's exact test that a and b (n,), right or wrong on the same images, are right equally often.

    It takes images as independent: with several images a group it is too sure; `difference_by` is the comparison then.
    """
    from scipy import stats

    a, b = _pairs(a, b)
    only_a, only_b = int((a.astype(bool) & ~b.astype(bool)).sum()), int((b.astype(bool) & ~a.astype(bool)).sum())
    p = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else float("nan")
    return McNemar(only_a, only_b, float(p))


def wilcoxon(a: Sequence[float], b: Sequence[float], groups: Sequence | None = None) -> Wilcoxon:
    """Return the signed-rank test of pairs (n,), of group means where groups (n,) are given; NaN pairs are left out."""
    from scipy import stats

    a, b = _pairs(a, b)
    d = a.astype(float) - b.astype(float)
    keep = np.isfinite(d)
    if groups is not None:
        _, codes = np.unique(np.asarray(groups)[keep], return_inverse=True)
        d = np.bincount(codes, d[keep]) / np.bincount(codes) if keep.any() else d[keep]
    else:
        d = d[keep]
    if not np.any(d):
        return Wilcoxon(float("nan"), len(d), float("nan"))
    result = stats.wilcoxon(d)
    return Wilcoxon(float(result.statistic), len(d), float(result.pvalue))


def trend(values: Sequence[float], order: Sequence[float] | None = None) -> Trend:
    """Return whether values (n,) rise or fall along `order` (default: as they stand), by Kendall's tau-b."""
    from scipy import stats

    values = np.asarray(values, float)
    values, order = _pairs(values, np.arange(len(values)) if order is None else order)
    keep = np.isfinite(values) & np.isfinite(order.astype(float))
    if keep.sum() < 2:
        return Trend(float("nan"), int(keep.sum()), float("nan"))
    result = stats.kendalltau(order[keep], values[keep])
    return Trend(float(result.statistic), int(keep.sum()), float(result.pvalue))


def _pairs(a, b) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"pairs need two lists of one length; found shapes {a.shape} and {b.shape}")
    return a, b
