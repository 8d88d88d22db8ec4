"""Arms against each other: rates with intervals, paired differences, gaps between parts; every table one row an image
and network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from studylib.metrics.intervals import Estimate, difference_between, difference_by, mean_by, statistic_by, t_interval
from studylib.study.fits import Fits

RATES = {"accuracy": ("correct", None), "fpr": ("called", 0), "fnr": ("missed", 1), "sensitivity": ("called", 1)}


def rated(table: pd.DataFrame) -> pd.DataFrame:
    """Predictions with `called` (positive) and `missed` (negative) as numbers, so that a rate is a mean."""
    return table.assign(called=table["predicted"].astype(float), missed=1.0 - table["predicted"])


def rows_of(fits: Fits, rate: str, arm: str, split: str, part: str = "test") -> tuple[pd.DataFrame, str]:
    """The predictions that a rate is a mean of, and the column: accuracy over all, fpr over negatives, fnr over
    positives.
    """
    column, label = RATES[rate]
    table = rated(fits.predictions(arm, split, part))
    return (table if label is None else table[table["label"] == label]), column


def rate_of(fits: Fits, arm: str, split: str = "group", part: str = "test", rate: str = "accuracy", **how) -> Estimate:
    """A rate of an arm, by group; an image that several networks were tested on counts each time."""
    table, column = rows_of(fits, rate, arm, split, part)
    return mean_by(table, column, **how)


def paired(table_a: pd.DataFrame, table_b: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows that both arms were tested on, by image and network of the same repeat: columns a and b, group."""
    keys = ["image", "group", "repeat"]
    both = table_a[[*keys, column]].merge(table_b[[*keys, column]], on=keys, suffixes=("_a", "_b"))
    if both.empty:
        raise ValueError(
            "the two arms were not tested on a single image in common; they need the same splits and repeats"
        )
    averaged = both.groupby(["image", "group"], as_index=False)[[f"{column}_a", f"{column}_b"]].mean()
    return averaged.rename(columns={f"{column}_a": "a", f"{column}_b": "b"})


def difference_of(
    fits: Fits,
    a: str,
    b: str,
    split: str = "group",
    part: str = "test",
    rate: str = "accuracy",
    split_b: str = "",
    **how,
) -> Estimate:
    """Rate of arm a minus rate of arm b, paired by image, networks averaged within an image; groups resampled."""
    first, column = rows_of(fits, rate, a, split, part)
    second, _ = rows_of(fits, rate, b, split_b or split, part)
    text = f"{rate} of {a} minus {b}, paired by image, these networks"
    return difference_by(paired(first, second, column), "a", "b", how=text, **how)


def differences(
    fits: Fits, pairs: list[tuple[str, str]], split: str = "group", part: str = "test", **how
) -> dict[str, Estimate]:
    """Accuracy of a minus b for every pair that this profile trained. -> {`accuracy.<split>.<a>_minus_<b>.<part>`:
    estimate}
    """
    return {
        f"accuracy.{split}.{a}_minus_{b}.{part}": difference_of(fits, a, b, split, part, **how)
        for a, b in pairs
        if fits.has(a, split) and fits.has(b, split)
    }


def gap_between(fits: Fits, arm: str, parts: tuple[str, str], split: str = "group", **how) -> Estimate:
    """Accuracy of an arm on one part minus on another; the parts hold different groups, both are resampled."""
    tables = [fits.predictions(arm, split, part) for part in parts]
    return difference_between(*tables, "correct", how=f"accuracy of {arm}, {parts[0]} minus {parts[1]}", **how)


def gap_difference(
    fits: Fits,
    a: tuple[str, str],
    b: tuple[str, str],
    parts: tuple[str, str],
    resamples: int = 2000,
    unit: str = "group",
    seed: int = 0,
) -> Estimate:
    """(part 0 - part 1) of arm a minus the same of arm b. a, b: (arm, split). All groups are drawn together."""
    tables = []
    for sign, (arm, split) in ((1.0, a), (-1.0, b)):
        for side, part in ((1.0, parts[0]), (-1.0, parts[1])):
            tables.append(fits.predictions(arm, split, part).assign(sign=sign * side, cell=f"{arm} {split} {part}"))
    table = pd.concat(tables, ignore_index=True)
    names, table["cell"] = np.unique(table["cell"].to_numpy().astype(str), return_inverse=True)
    signs = table.groupby("cell")["sign"].first().to_numpy()

    def statistic(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        w = np.ones(len(frame)) if weights is None else weights
        cells = frame["cell"].to_numpy()
        top = np.bincount(cells, w * frame["correct"].to_numpy(), len(names))
        bottom = np.bincount(cells, w, len(names))
        return float("nan") if (bottom == 0).any() else float((top / bottom) @ signs)

    text = f"({parts[0]} - {parts[1]}) of {a[0]} minus that of {b[0]}"
    return statistic_by(table, statistic, unit=unit, how=text, resamples=resamples, seed=seed)


def by_seed(fits: Fits, arm: str, of_curve: Callable[[pd.DataFrame], float], split: str = "group") -> dict[int, float]:
    """One number a network, from its learning curve. -> {repeat: value}"""
    return {t.run.repeat: float(of_curve(t.fit.history)) for t in fits.select(arm, split)}


def seed_difference(
    fits: Fits, a: str, b: str, of_curve: Callable[[pd.DataFrame], float], split: str, how: str
) -> Estimate:
    """Number of arm a's curve minus of arm b's, paired by repeat, with a t interval over networks."""
    first, second = by_seed(fits, a, of_curve, split), by_seed(fits, b, of_curve, split)
    both = sorted(first.keys() & second.keys())
    return t_interval([first[r] - second[r] for r in both], how=how)


def epochs_to(share: float) -> Callable[[pd.DataFrame], float]:
    """How many epochs a curve takes to reach a training accuracy; one more than all where it never does."""

    def count(curve: pd.DataFrame) -> float:
        reached = curve.loc[curve["training_accuracy"] >= share, "epoch"]
        return float(reached.iloc[0]) if len(reached) else float(curve["epoch"].iloc[-1] + 1)

    return count


def accuracy_table(fits: Fits, splits: tuple[str, ...] = ("group", "random_images"), **how) -> pd.DataFrame:
    """Accuracy on validation and test of every arm on every split, networks and seed range beside it."""
    rows = []
    for arm in fits.arms:
        for split in splits:
            if not fits.has(arm, split):
                continue
            table = fits.predictions(arm, split)
            each = table.groupby("repeat")["correct"].mean()
            rows.append(
                {
                    "arm": arm,
                    "split": split,
                    "networks": len(each),
                    "validation": str(rate_of(fits, arm, split, "validation", **how)),
                    "test": str(rate_of(fits, arm, split, **how)),
                    "test, each network": f"{each.min():.3f} to {each.max():.3f}",
                }
            )
    return pd.DataFrame(rows).set_index(["arm", "split"])
