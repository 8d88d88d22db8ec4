"""Ratios to a plain forward pass: every candidate stands between two of them, in one process, round after round."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from scipy.stats import binom

ROUNDS = 6  # the fewest whose lowest and highest hold the median at 95 %: 1 - 2 / 2 ** 6 is 97 %


class Ratio(NamedTuple):
    """Median over rounds, with an interval that holds the true median at 95 % or more."""

    value: float
    low: float
    high: float
    rounds: int


def bracketed(candidates: dict[str, Callable], plain: Callable, rounds: int = ROUNDS, clock=time.perf_counter) -> dict:
    """Ratios of each candidate to the mean of the plain passes before and after it, one a round; a round to warm up.

    -> {name: [ratio, ...]}
    """
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for round_ in range(-1, rounds):
        before = _seconds(plain, clock)
        for name, call in candidates.items():
            spent = _seconds(call, clock)
            after = _seconds(plain, clock)
            if round_ >= 0:
                found[name].append(spent / ((before + after) / 2))
            before = after
    return found


def summed_up(ratios: list[float]) -> Ratio:
    """The median and the widest pair of order statistics that is needed for 95 % (of 6 rounds: lowest and highest)."""
    n, ordered = len(ratios), sorted(ratios)
    cut = max((k for k in range((n + 1) // 2) if 1 - 2 * binom.cdf(k, n, 0.5) >= 0.95), default=0)
    return Ratio(median(ordered), ordered[cut], ordered[n - 1 - cut], n)


def _seconds(call: Callable, clock: Callable[[], float]) -> float:
    began = clock()
    call()
    return clock() - began
