"""Drawing whole groups with replacement: how often each was drawn, and a statistic of the rows that follow."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

BLOCK = 4_000_000  # drawn numbers held at once; part of the recipe, since blocks of another size draw other numbers


def only(table: pd.DataFrame, column: str) -> pd.Series:
    """Return one column; KeyError that names the nearest one where it is missing."""
    if column not in table:
        near = difflib.get_close_matches(column, map(str, table.columns), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise KeyError(f"the table has no column '{column}' (it has {', '.join(map(str, table.columns))}){hint}")
    return table[column]


def numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as float64 (n,); missing values are NaN."""
    return only(table, column).to_numpy(dtype=float, na_value=np.nan)


def finite_rows(table: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Return the rows in which every one of `columns` is finite, and how many were left out."""
    keep = np.ones(len(table), bool)
    for column in columns:
        keep &= np.isfinite(numbers(table, column))
    return table[keep].reset_index(drop=True), int((~keep).sum())


def group_codes(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a number per row (n,) and the sorted groups they stand for; ValueError where a row has no group."""
    values = only(table, column)
    missing = np.flatnonzero(values.isna().to_numpy() | (values.astype(str) == "").to_numpy())
    if len(missing):
        raise ValueError(
            f"row {missing[0]} has no value in '{column}' ({len(missing)} such rows): each needs one to be resampled"
        )
    names, codes = np.unique(values.to_numpy(), return_inverse=True)
    return codes, names


def multiplicities(groups: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield blocks (r, groups) of how often each group was drawn: as many draws as groups, with replacement."""
    step = max(1, BLOCK // max(groups, 1))
    for start in range(0, resamples if groups else 0, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, groups, (rows, groups)) + np.arange(rows)[:, None] * groups
        yield np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups).astype(float)


def takes_weights(statistic: Callable[..., float]) -> bool:
    """Return whether a statistic has a parameter named `weights`."""
    try:
        return "weights" in inspect.signature(statistic).parameters
    except (TypeError, ValueError):  # some compiled functions have no signature
        return False


def drawer(
    statistic: Callable[..., float], table: pd.DataFrame, codes: np.ndarray, groups: int
) -> Callable[[np.ndarray], float]:
    """Return the function from multiplicities (groups,) to the statistic of the rows drawn, NaN where no row was."""
    if takes_weights(statistic):

        def weighted(times: np.ndarray) -> float:
            weights = times[codes]
            return float(statistic(table, weights=weights)) if weights.any() else np.nan

        return weighted
    order = np.argsort(codes, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(codes, minlength=groups))[:-1])

    def repeated(times: np.ndarray) -> float:
        taken = np.concatenate([rows[g] for g in np.repeat(np.arange(groups), times.astype(int))])
        return float(statistic(table.take(taken))) if len(taken) else np.nan

    return repeated


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Return top / bottom, NaN where bottom is 0."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)
