"""Rates of two classes with bootstrap intervals over groups: the numbers of `statistic_by`, many times faster, since a
resample's four counts are a product of how often each group was drawn with the groups' own counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from studylib.metrics.estimates import Estimate, Seed, bootstrapped
from studylib.metrics.resampling import finite_rows, group_codes, multiplicities, numbers, ratio

Counts = np.ndarray  # (..., 4): positives called so, positives missed, negatives called positive, negatives called so


def _accuracy(c: Counts) -> np.ndarray:
    return ratio(c[..., 0] + c[..., 3], c.sum(-1))


def _sensitivity(c: Counts) -> np.ndarray:
    return ratio(c[..., 0], c[..., 0] + c[..., 1])


def _specificity(c: Counts) -> np.ndarray:
    return ratio(c[..., 3], c[..., 2] + c[..., 3])


def _balanced_accuracy(c: Counts) -> np.ndarray:
    return (_sensitivity(c) + _specificity(c)) / 2


def _f1(c: Counts) -> np.ndarray:
    both = (c[..., :2].sum(-1) > 0) & (c[..., 2:].sum(-1) > 0)
    return np.where(both, ratio(2 * c[..., 0], 2 * c[..., 0] + c[..., 1] + c[..., 2]), np.nan)


RATES: Mapping[str, Callable[[Counts], np.ndarray]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "balanced_accuracy": _balanced_accuracy,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
}


def rates_by(
    table: pd.DataFrame, label: str, predicted: str, group: str = "group", *, unit: str | None = None, how: str = "",
    resamples: int = 2000, seed: Seed = 0,
) -> dict[str, Estimate]:  # fmt: skip
    """Return each of RATES with a bootstrap interval over groups, as `statistic_by` of the measures in `classification`
    gives it. label, predicted: columns of 0 and 1, of which 1 is the positive class; how: put behind each rate's name.

    ValueError for other labels. Undefined (NaN) where a class is missing that the rate needs; resamples of that kind
    are left out and counted.
    """
    kept, left_out = finite_rows(table, [label, predicted])
    codes, names = group_codes(kept, group)
    truth, said = numbers(kept, label), numbers(kept, predicted)
    if not (np.isin(truth, (0, 1)).all() and np.isin(said, (0, 1)).all()):
        raise ValueError(f"'{label}' and '{predicted}' hold other values than 0 and 1, the two classes")
    cell = codes * 4 + np.where(truth == 1, np.where(said == 1, 0, 1), np.where(said == 1, 2, 3))
    counts = np.bincount(cell, minlength=4 * len(names)).reshape(-1, 4).astype(float)
    blocks = multiplicities(len(names), resamples, np.random.default_rng(seed))
    draws = np.concatenate([np.empty((0, 4)), *(np.einsum("rg,gk->rk", times, counts) for times in blocks)])
    found = {}
    for name, rate in RATES.items():
        value = float(rate(counts.sum(0))) if len(names) else float("nan")
        text = " ".join(filter(None, (name.replace("_", " "), how)))
        found[name] = bootstrapped(value, rate(draws), [kept], len(names), group, unit, text, left_out, seed)
    return found
