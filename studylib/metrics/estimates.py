"""Estimate: a value with its interval, how many it rests on, and how it was made; and how it is said."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

FEW = 10  # with fewer groups a percentile interval is too narrow: it is called indicative
UNDEFINED_SHARE = 0.1  # with more undefined resamples than this there is no interval: the rest is a biased choice
EXACT, RANGE = "exact", "seed range"  # first words of `how` where low and high are no interval
IRREGULAR = {"woman": "women", "person": "people"}

Seed = int | np.random.Generator


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, `n` images in `groups` groups, `unit` (what a group is) and `how` it was made."""

    value: float
    low: float
    high: float
    n: int
    groups: int
    unit: str
    how: str
    p: float | None = None

    def __str__(self) -> str:
        is_exact = self.how.split(":")[0] == EXACT
        text = digits(self.value)
        if self.how.startswith(RANGE):
            text += f" (range {digits(self.low)} to {digits(self.high)})"
        elif math.isnan(self.low) or math.isnan(self.high):
            text += " [no interval]"
        elif not is_exact:
            text += f" [{digits(self.low)}, {digits(self.high)}]"
        if self.unit in ("image", "seed", "draw", "repeat") or is_exact:
            text += f", n = {counted(self.n, self.unit)}" if self.unit and (self.n > 1 or not is_exact) else ""
        else:
            text += f", n = {counted(self.n, 'image')}, {counted(self.groups, self.unit)}"
        return text if self.p is None else f"{text}, p = {digits(self.p)}"

    def to_dict(self) -> dict:
        """Return what `metrics.json` holds: NaN as None, an infinity as text (JSON has neither), p if there is one."""
        row = {k: v for k, v in asdict(self).items() if k != "p" or v is not None}
        for k in {"value", "low", "high", "p"} & row.keys():
            row[k] = None if math.isnan(row[k]) else row[k] if math.isfinite(row[k]) else str(row[k])
        return row

    @classmethod
    def from_dict(cls, row: dict) -> Estimate:
        """Return the estimate that `to_dict` wrote."""
        number = {k: math.nan if row[k] is None else float(row[k]) for k in {"value", "low", "high", "p"} & row.keys()}
        return cls(**{**row, **number})


def exact(value: float, *, n: int = 1, unit: str = "", how: str = "") -> Estimate:
    """Return a count or an identity as an estimate without uncertainty: low = high = value."""
    value = float(value)
    return Estimate(value, value, value, n, n, unit, f"{EXACT}: {how}" if how else EXACT)


def percentiles(draws: np.ndarray) -> tuple[float, float]:
    """Return the 2.5 and 97.5 % points of draws (R,)."""
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def bootstrapped(
    value: float, draws: np.ndarray, tables: list[pd.DataFrame], groups: int, group: str, unit: str | None, how: str,
    left_out: int, seed: Seed, *, made: str = "percentile bootstrap",
    ends: Callable[[np.ndarray], tuple[float, float]] = percentiles,
) -> Estimate:  # fmt: skip
    """Return the estimate that resamples give: draws (R,) or (R, K), of which those that are not finite are left out.

    ends: function from the other draws to low and high; made: its name. No interval (NaN) with fewer than two groups,
    an undefined value, or more than a tenth of the draws undefined.
    """
    sure = draws[np.isfinite(draws).all(tuple(range(1, draws.ndim)))]
    lost = len(draws) - len(sure)
    usable = groups >= 2 and math.isfinite(value) and len(sure) and lost <= UNDEFINED_SHARE * len(draws)
    low, high = ends(sure) if usable else (math.nan, math.nan)
    unit = unit or group.removesuffix("_inferred").removesuffix("_id")
    words = f"{how}; {made} over {plural(unit)}, {len(draws):,} resamples"
    words += f", seed {seed}" if is_number(seed) else ""
    words += f"; {left_out} undefined rows left out" if left_out else ""
    words += f"; {lost} undefined resamples {'left out' if usable else '(too many for an interval)'}" if lost else ""
    words += f"; indicative, {counted(groups, unit)}" if usable and groups < FEW else ""
    return Estimate(float(value), float(low), float(high), _images(tables, group), groups, unit, words)


def at_the_edge(e: Estimate) -> Estimate:
    """A rate with an interval where every group says 0 or every group 1, of which a bootstrap knows no width: the exact
    binomial bound over groups (Clopper and Pearson 1934), 0.025 ** (1 / groups) from the edge.
    """
    if e.value not in (0.0, 1.0) or e.groups < 1:
        return e
    reach = 1 - 0.025 ** (1 / e.groups)
    low, high = (0.0, reach) if e.value == 0 else (1 - reach, 1.0)
    return replace(e, low=low, high=high, how=f"{e.how}; exact bound over groups, all of which agree")


def _images(tables: list[pd.DataFrame], group: str) -> int:
    """Return how many images the rows are about: an image that several seeds or arms saw is one."""
    if not all("image" in t for t in tables):
        return sum(len(t) for t in tables)
    columns = [c for c in dict.fromkeys(("source", group, "image")) if all(c in t for t in tables)]
    return len(pd.concat([t[columns] for t in tables]).drop_duplicates())


def is_number(seed: Seed) -> bool:
    return isinstance(seed, int | np.integer)


def digits(x: float) -> str:
    """Return three significant digits, whole numbers in full."""
    if math.isnan(x):
        return "undefined"
    return f"{x:,.0f}" if math.isfinite(x) and (abs(x) >= 100 or x == round(x)) else f"{x:.3g}"


def plural(unit: str) -> str:
    return IRREGULAR.get(unit) or (f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s")


def counted(n: int, unit: str) -> str:
    return f"{n:,} {unit if n == 1 else plural(unit)}"
