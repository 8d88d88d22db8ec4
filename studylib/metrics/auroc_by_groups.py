"""AUROC with a bootstrap over groups, exact and without sorting again: a resample only weighs pairs of groups anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studylib.metrics.classification import auroc, macro_auroc
from studylib.metrics.estimates import Estimate, Seed, bootstrapped
from studylib.metrics.resampling import finite_rows, group_codes, multiplicities, ratio


def auroc_by(
    table: pd.DataFrame, label: str, scores: str | Sequence[str], group: str = "group", *, unit: str | None = None,
    how: str | None = None, resamples: int = 2000, seed: Seed = 0,
) -> Estimate:  # fmt: skip
    """Return the AUROC of a column of scores, or the mean over classes against the rest, bootstrapped over groups.

    label: 0 and 1 for one column of scores; for several the number of the class, a column each. A class without rows
    in a resample is left out of its mean. The same draws and values as `statistic_by` with `classification.auroc` or
    `macro_auroc`, hundreds of times faster. Rows whose scores are not finite are left out and counted. Source: the
    Mann-Whitney statistic is a sum over pairs of rows (Bamber 1975), so over pairs of groups: m' A m / (m'p m'q).
    """
    columns = [scores] if isinstance(scores, str) else list(scores)
    kept, left_out = finite_rows(table, columns)
    codes, names = group_codes(kept, group)
    y, s = kept[label].to_numpy(), kept[columns].to_numpy(float)
    value = auroc(y, s[:, 0]) if len(columns) == 1 else macro_auroc(y, s)
    classes = [1] if len(columns) == 1 else range(len(columns))
    won = [pairs_won(y == c, s[:, k], codes, len(names)) for k, c in enumerate(classes)]
    draws = np.concatenate([np.empty(0)] + [
        _resampled(won, block) for block in multiplicities(len(names), resamples, np.random.default_rng(seed))
    ])  # fmt: skip
    text = how or ("AUROC" if len(columns) == 1 else "AUROC of one class against the rest, mean")
    return bootstrapped(value, draws, [kept], len(names), group, unit, text, left_out, seed)


def pairs_won(
    positive: np.ndarray, scores: np.ndarray, codes: np.ndarray, groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how often a positive of group g beats another row of group h, ties counting half, (G, G), and how many
    positives and others each group has, (G,). positive: bool (n,); codes: (n,) from 0 to groups - 1.
    """
    won = np.zeros((groups, groups))
    ours, of = scores[positive], codes[positive]
    for h in np.unique(codes[~positive]):
        others = np.sort(scores[~positive & (codes == h)])
        beaten = (np.searchsorted(others, ours, "left") + np.searchsorted(others, ours, "right")) / 2
        won[:, h] = np.bincount(of, beaten, groups)
    return won, np.bincount(of, minlength=groups), np.bincount(codes[~positive], minlength=groups)


def _resampled(won: list[tuple[np.ndarray, np.ndarray, np.ndarray]], times: np.ndarray) -> np.ndarray:
    """AUROC of each resample, the mean over classes that have both kinds of rows in it. times: (R, G) -> (R,)"""
    each = np.stack([ratio(((times @ a) * times).sum(1), (times @ p) * (times @ q)) for a, p, q in won])
    return ratio(np.nansum(each, 0), np.isfinite(each).sum(0))
