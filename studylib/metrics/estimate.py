"""`Estimate`: a value with its interval, what it rests on, and how both read in a sentence and in a file."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

EXACT, RANGE = "exact", "seed range"  # first words of `how` where low and high are no interval
IRREGULAR = {"woman": "women", "person": "people"}


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
            text += f", n = {count(self.n, self.unit)}" if self.unit and (self.n > 1 or not is_exact) else ""
        else:
            text += f", n = {count(self.n, 'image')}, {count(self.groups, self.unit)}"
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


def digits(x: float) -> str:
    """Return three significant digits, whole numbers in full."""
    if math.isnan(x):
        return "undefined"
    return f"{x:,.0f}" if math.isfinite(x) and (abs(x) >= 100 or x == round(x)) else f"{x:.3g}"


def plural(unit: str) -> str:
    return IRREGULAR.get(unit) or (f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s")


def count(n: int, unit: str) -> str:
    return f"{n:,} {unit if n == 1 else plural(unit)}"
