"""Drawing groups: how often, which rows, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from studylib.metrics.resampling import drawer, finite_rows, group_codes, multiplicities, only, takes_weights


def test_every_resample_draws_as_many_groups_as_there_are():
    drawn = np.concatenate(list(multiplicities(7, 2000, np.random.default_rng(0))))
    assert drawn.shape == (2000, 7)
    assert (drawn.sum(1) == 7).all()
    # each count is binomial (7, 1/7): mean 1, variance 6/7; the bound is five standard errors
    assert drawn.mean(0) == pytest.approx(1, abs=5 * math.sqrt(6 / 7 / 2000))
    assert drawn.var() == pytest.approx(6 / 7, rel=0.05)


def test_same_seed_same_draws():
    a, b = (np.concatenate(list(multiplicities(5, 50, np.random.default_rng(4)))) for _ in range(2))
    assert (a == b).all()


def test_weights_and_repeated_rows_give_the_same_statistic():
    table = pd.DataFrame({"group": list("aabbbc"), "x": [1.0, 2, 3, 4, 5, 6]})
    codes, names = group_codes(table, "group")
    weighted = drawer(lambda t, weights=None: np.average(t["x"], weights=weights), table, codes, len(names))
    repeated = drawer(lambda t: t["x"].mean(), table, codes, len(names))
    times = np.array([2.0, 0, 1])  # a twice, c once: (1 + 2 + 1 + 2 + 6) / 5
    assert weighted(times) == pytest.approx(2.4) == repeated(times)


def test_groups_without_a_row_in_the_table_give_nan_when_nothing_else_is_drawn():
    table = pd.DataFrame({"x": [1.0]})
    for statistic in (lambda t, weights=None: 1.0, lambda t: 1.0):
        assert math.isnan(drawer(statistic, table, np.array([0]), 2)(np.array([0.0, 2])))


def test_takes_weights_looks_at_the_name():
    assert takes_weights(lambda t, weights: 0) and not takes_weights(lambda t, w: 0)


def test_finite_rows_counts_what_it_leaves_out():
    table = pd.DataFrame({"x": [1, math.nan, 3, math.inf], "y": [1, 2, math.nan, 4]})
    kept, left_out = finite_rows(table, ["x", "y"])
    assert kept["x"].tolist() == [1] and left_out == 3


def test_a_missing_column_names_the_nearest_and_a_missing_group_its_row():
    table = pd.DataFrame({"patient": ["a", "", "b"]})
    with pytest.raises(KeyError, match="no column 'patent'.*did you mean 'patient'"):
        only(table, "patent")
    with pytest.raises(ValueError, match="row 1 has no value in 'patient'"):
        group_codes(table, "patient")
