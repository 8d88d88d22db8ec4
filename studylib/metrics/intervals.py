"""Estimates with intervals: bootstrap over groups, paired and unpaired differences, seeds.

Rows of one group (patient, slide, woman) are not independent: whole groups are resampled, never rows. Tests that give
only a p value (Holm, McNemar, Wilcoxon, Kendall) stand in `comparisons`, sums of absolute values such as the ECE in
`absolute_sums`, AUROCs in `auroc_by_groups`; all are offered here under the same names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from studylib.metrics.absolute_sums import absolute_sum_by
from studylib.metrics.auroc_by_groups import auroc_by
from studylib.metrics.comparisons import holm, mcnemar, sign_flip_p, trend, wilcoxon
from studylib.metrics.estimates import RANGE, Estimate, Seed, bootstrapped, counted, exact, is_number, plural
from studylib.metrics.resampling import drawer, finite_rows, group_codes, multiplicities, numbers, only, ratio

__all__ = [
    "Estimate", "absolute_sum_by", "auroc_by", "difference_between", "difference_by", "exact", "groups_needed",
    "holm", "mcnemar", "mean_by", "of_columns", "seed_range", "statistic_by", "t_interval", "trend", "two_level",
    "wilcoxon",
]  # fmt: skip

Statistic = Callable[..., float]


def mean_by(
    table: pd.DataFrame, column: str, group: str = "group", *, weight: str = "image", unit: str | None = None,
    how: str | None = None, resamples: int = 2000, seed: Seed = 0,
) -> Estimate:  # fmt: skip
    """Return the mean of a column with a bootstrap interval over groups.

    weight "image": every row counts the same; "group": every group does. Rows that are not finite are left out and
    counted in `how`; with fewer than two groups there is no interval (NaN).
    """
    return _mean(table, column, group, weight, unit, how or f"mean over {weight}s", resamples, seed)[0]


def difference_by(
    table: pd.DataFrame, column_a: str, column_b: str, group: str = "group", *, weight: str = "image",
    unit: str | None = None, how: str | None = None, resamples: int = 2000, flips: int = 10_000, seed: Seed = 0,
) -> Estimate:  # fmt: skip
    """Return the mean of a - b, paired by row, its bootstrap interval and p from flipping the sign of whole groups.

    What is flipped is what each group adds to the estimate: its mean with weight "group", its sum with weight "image".
    """
    paired = table.assign(**{"a - b": numbers(table, column_a) - numbers(table, column_b)})
    text = how or f"mean of {column_a} - {column_b} over {weight}s, paired by row"
    estimate, parts = _mean(paired, "a - b", group, weight, unit, text, resamples, seed)
    rng = np.random.default_rng([int(seed), 1] if is_number(seed) else seed)  # a stream of its own
    p, flipped = sign_flip_p(parts, flips, rng)
    return replace(estimate, p=p, how=f"{estimate.how}; p from {flipped} of groups")


def statistic_by(
    table: pd.DataFrame, statistic: Statistic, group: str = "group", *, needs: Sequence[str] = (),
    unit: str | None = None, how: str | None = None, resamples: int = 2000, seed: Seed = 0,
) -> Estimate:  # fmt: skip
    """Return any statistic of a table with a bootstrap interval over groups.

    statistic: `(frame) -> float`, or, much faster, `(frame, weights) -> float` with a parameter named `weights`: how
    often each row was drawn (`of_columns` makes one). needs: columns that must be finite; other rows are left out and
    counted in `how`. Resamples in which the statistic is NaN are left out and counted too. Not for a sum of absolute
    values (ECE): `absolute_sum_by`; for AUROCs `auroc_by`.
    """
    kept, left_out = finite_rows(table, needs)
    codes, names = group_codes(kept, group)
    draw = drawer(statistic, kept, codes, len(names))
    draws = [draw(m) for block in multiplicities(len(names), resamples, np.random.default_rng(seed)) for m in block]
    text = how or getattr(statistic, "__name__", "statistic")
    return bootstrapped(_value(statistic, kept), np.array(draws), [kept], len(names), group, unit, text, left_out, seed)


def difference_between(
    table_a: pd.DataFrame, table_b: pd.DataFrame, statistic: Statistic | str, group: str = "group", *,
    needs: Sequence[str] = (), unit: str | None = None, how: str | None = None, resamples: int = 2000, seed: Seed = 0,
) -> Estimate:  # fmt: skip
    """Return statistic(a) - statistic(b) where both arms hold images of the same groups: one draw serves both.

    statistic as in `statistic_by`, or the name of a column (its mean). Groups that only one table has are drawn too.
    p is twice the smaller share of resamples beyond zero, with one added to both counts, so never 0.
    """
    if isinstance(statistic, str):
        needs, statistic = [*needs, statistic], of_columns(_weighted_mean, statistic)
    (a, out_a), (b, out_b) = finite_rows(table_a, needs), finite_rows(table_b, needs)
    both = pd.concat([only(a, group), only(b, group)], ignore_index=True).to_frame()
    codes, names = group_codes(both, group)
    draw_a = drawer(statistic, a, codes[: len(a)], len(names))
    draw_b = drawer(statistic, b, codes[len(a) :], len(names))
    blocks = multiplicities(len(names), resamples, np.random.default_rng(seed))
    draws = np.array([draw_a(m) - draw_b(m) for block in blocks for m in block])
    text = f"{how or 'difference of ' + getattr(statistic, '__name__', 'statistic')}, {len(a)} against {len(b)} rows"
    value = _value(statistic, a) - _value(statistic, b)
    estimate = bootstrapped(value, draws, [a, b], len(names), group, unit, text, out_a + out_b, seed)
    if math.isnan(estimate.low):
        return estimate
    sure = draws[np.isfinite(draws)]
    p = min(1.0, 2 * (1 + min((sure <= 0).sum(), (sure >= 0).sum())) / (1 + len(sure)))
    return replace(estimate, p=float(p), how=f"{estimate.how}; p from the bootstrap")


def two_level(
    table: pd.DataFrame, column: str, group: str = "group", seed_column: str = "seed", *, unit: str | None = None,
    how: str | None = None, resamples: int = 2000, seed: Seed = 0,
) -> Estimate:  # fmt: skip
    """Return the mean of a column over seeds and groups, both resampled (crossed); ValueError under ten seeds."""
    kept, left_out = finite_rows(table, [column])
    (codes, names), (rows, seeds) = group_codes(kept, group), group_codes(kept, seed_column)
    if len(seeds) < 10:
        raise ValueError(
            f"{len(seeds)} seeds in '{seed_column}' are too few to resample (three cover 82 to 92 % instead of 95): ten"
            " are needed; average over seeds first, call mean_by (these networks), and show seed_range beside it"
        )
    rng, cell, shape = np.random.default_rng(seed), rows * len(names) + codes, (len(seeds), len(names))
    sums = np.bincount(cell, numbers(kept, column), math.prod(shape)).reshape(shape)
    counts = np.bincount(cell, minlength=math.prod(shape)).reshape(shape).astype(float)
    of_seeds = np.concatenate(list(multiplicities(len(seeds), resamples, rng)))
    draws, at = [], 0
    for block in multiplicities(len(names), resamples, rng):
        drawn, at = of_seeds[at : at + len(block)], at + len(block)
        top, bottom = (np.einsum("rg,rg->r", np.einsum("rs,sg->rg", drawn, x), block) for x in (sums, counts))
        draws.append(ratio(top, bottom))
    text = f"{how or 'mean over images'}, {len(seeds)} seeds and {len(names)} groups both resampled"
    value = float(sums.sum() / counts.sum())
    return bootstrapped(value, np.concatenate(draws), [kept], len(names), group, unit, text, left_out, seed)


def seed_range(table: pd.DataFrame, column: str, seed_column: str = "seed") -> Estimate:
    """Return the mean of a column over seeds, with the lowest and the highest seed's mean: a range, not an interval."""
    kept, left_out = finite_rows(table, [column])
    codes, names = group_codes(kept, seed_column)
    means = np.bincount(codes, numbers(kept, column)) / np.bincount(codes) if len(names) else np.array([math.nan])
    text = f"{RANGE} of {counted(len(names), 'seed')}, not an interval"
    text += f"; {left_out} undefined rows left out" if left_out else ""
    return Estimate(float(means.mean()), float(means.min()), float(means.max()), len(names), len(names), "seed", text)


def t_interval(values: Sequence[float], *, unit: str = "seed", how: str = "mean") -> Estimate:
    """Return mean and Student's t 95 % interval of a few independent values (n,), one per seed; NaN is left out."""
    from scipy import stats

    given = np.asarray(values, float)
    x = given[np.isfinite(given)]
    value = float(x.mean()) if len(x) else math.nan
    half = float(stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else math.nan
    left_out = f"; {len(given) - len(x)} undefined left out" if len(x) < len(given) else ""
    text = f"{how}; Student's t over {plural(unit)}{left_out}"
    return Estimate(value, value - half, value + half, len(x), len(x), unit, text)


def groups_needed(estimate: Estimate, than: float = 0.0, margin: float | None = None) -> int | None:
    """Return how many groups would bring the half width down to |value - than|, or to `margin` where given.

    A half width shrinks as 1 / sqrt(groups). None where no number of groups would do: no interval, or no distance.
    """
    half = (estimate.high - estimate.low) / 2
    distance = abs(estimate.value - than) if margin is None else margin
    if not math.isfinite(half) or not distance > 0:
        return None
    return max(2, math.ceil(estimate.groups * (half / distance) ** 2 - 1e-9))


def of_columns(measure: Callable[..., float], *columns: str, **options) -> Statistic:
    """Return `measure(*columns, weights=...)` as a statistic of a table.

    Example: `statistic_by(table, of_columns(auroc, "label", "probability"))`.
    """

    of, values = None, ()

    def statistic(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        nonlocal of, values
        if frame is not of:  # two thousand draws weight the rows of one table: its columns are read once
            of, values = frame, tuple(only(frame, c).to_numpy() for c in columns)
        return measure(*values, weights=weights, **options)

    statistic.__name__ = f"{measure.__name__.strip('_').replace('_', ' ')} of {', '.join(columns)}"
    return statistic


def _mean(table, column, group, weight, unit, how, resamples, seed) -> tuple[Estimate, np.ndarray]:
    """Return the estimate and what each group adds to it."""
    if weight not in ("image", "group"):
        raise ValueError(
            f"weight is '{weight}'; it is 'image' (every row counts the same) or 'group' (every group does)"
        )
    kept, left_out = finite_rows(table, [column])
    codes, names = group_codes(kept, group)
    sums = np.bincount(codes, numbers(kept, column), len(names))
    counts = np.bincount(codes, minlength=len(names)).astype(float)
    if weight == "group":
        sums, counts = sums / counts, np.ones_like(counts)
    # einsum, not BLAS: the same bytes whatever the number of threads
    blocks = multiplicities(len(names), resamples, np.random.default_rng(seed))
    draws = [ratio(np.einsum("rg,g->r", m, sums), np.einsum("rg,g->r", m, counts)) for m in blocks]
    value = float(sums.sum() / counts.sum()) if len(names) else math.nan
    return bootstrapped(value, np.concatenate([[], *draws]), [kept], len(names), group, unit, how, left_out, seed), sums


def _value(statistic: Statistic, table: pd.DataFrame) -> float:
    return float(statistic(table)) if len(table) else math.nan


def _weighted_mean(values: np.ndarray, *, weights: np.ndarray | None = None) -> float:
    return float(np.average(values.astype(float), weights=weights))
