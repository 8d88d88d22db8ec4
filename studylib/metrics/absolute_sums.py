"""Sums of absolute values, such as the expected calibration error: their bias, and an interval that is right at zero.

|noise| is never negative, so that such a sum is above its true value, the more so the fewer rows, and a resampled one
is above it twice over: a percentile interval may lie beside the value, and covers a true zero never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from studylib.metrics.estimates import Estimate, Seed, bootstrapped
from studylib.metrics.resampling import finite_rows, group_codes, multiplicities, takes_weights

GRID = 201  # sizes that are tried; between them the quantiles are taken as straight lines
Parts = Callable[..., np.ndarray]


def absolute_sum_by(
    table: pd.DataFrame, parts: Parts, group: str = "group", *, needs: Sequence[str] = (), unit: str | None = None,
    how: str | None = None, resamples: int = 2000, seed: Seed = 0,
) -> Estimate:  # fmt: skip
    """Return sum |parts| less its bias, with the interval of all sizes that a bootstrap over groups does not reject.

    parts: `(frame, weights) -> (K,)`, signed and means of rows, such as `of_columns(calibration.gaps, "label", "p")`,
    whose absolute sum is the ECE; weights: how often each row was drawn. needs: columns that must be finite. The value
    is nearly median-unbiased, the interval, never below 0, inverts two tests of 2.5 % (Carpenter 1999; see `inverted`);
    `how` says the sum as computed. ValueError where parts take no weights.
    """
    if not takes_weights(parts):
        raise ValueError(
            "parts have no parameter 'weights'; write parts(frame, weights) or use of_columns(calibration.gaps)"
        )
    kept, left_out = finite_rows(table, needs)
    codes, names = group_codes(kept, group)
    ones = np.ones(len(kept))
    seen = np.asarray(parts(kept, weights=ones), float) if len(kept) else np.full(1, np.nan)
    blocks = multiplicities(len(names), resamples, np.random.default_rng(seed))
    draws = [np.asarray(parts(kept, weights=times[codes]), float) for block in blocks for times in block]
    draws = np.stack(draws) if draws else np.empty((0, len(seen)))
    low, value, high = inverted(seen, draws[np.isfinite(draws).all(1)])
    text = f"{how or 'sum of |' + getattr(parts, '__name__', 'parts') + '|'}, {np.abs(seen).sum():.3g} less its bias"
    made = "inverted bootstrap tests"
    return bootstrapped(
        value, draws, [kept], len(names), group, unit, text, left_out, seed, made=made, ends=lambda _: (low, high)
    )


def inverted(seen: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    """Return low, value and high of the true sum |m| that parts `seen` (K,) with resamples (R, K) speak for.

    Parts are taken as m + e with m = c * seen and e the resampled deviations draws - seen. Each c >= 0 gives a
    distribution of sum |m + e|; low, value and high are the sizes sum |m| at which what was seen is its 97.5, 50 and
    2.5 % point, 0 where even c = 0 gives as much. For high no sum below the median at c = 0 is used: to have seen less
    than a true zero gives is luck, not certainty (power-constrained limits, Cowan 2011). Low and high are NaN where no
    part differs from 0, for then nothing says which parts would grow; all three where a part is NaN.
    """
    total = float(np.abs(seen).sum())
    if not len(draws) or not np.isfinite(total) or total == 0:
        return float("nan"), 0.0 if total == 0 else float("nan"), float("nan")
    noise = draws - seen
    # sum |c seen + e| >= c total - sum |e|: at this size even the 2.5 % point is above all that is looked for
    most = 2 + 2 * np.quantile(np.abs(noise).sum(1), 0.975) / total
    sizes = np.linspace(0, most, GRID)
    points = np.array([np.quantile(np.abs(c * seen + noise).sum(1), (0.975, 0.5, 0.025)) for c in sizes])
    low, value = (total * _crossing(sizes, points[:, k], total) for k in (0, 1))
    high = total * _crossing(sizes, points[:, 2], max(total, points[0, 1]), last=True)
    return low, value, max(high, value)


def _crossing(sizes: np.ndarray, points: np.ndarray, at: float, *, last: bool = False) -> float:
    """Return the size at which `points` rise to `at`, for the first or the last time; 0 where they begin there."""
    below = np.flatnonzero(points < at)
    above = np.flatnonzero(points >= at)
    if not len(below) or (not last and above[0] == 0):
        return 0.0
    k = below[-1] if last else above[0] - 1
    return float(sizes[k] + (at - points[k]) / (points[k + 1] - points[k]) * (sizes[k + 1] - sizes[k]))
