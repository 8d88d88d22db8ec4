"""What resamples give an estimate: ends, what is left out, and what is said of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from studylib.metrics.estimates import Estimate, at_the_edge, bootstrapped, counted, digits, percentiles, plural


def made(draws, groups=12, left_out=0, **options):
    table = pd.DataFrame({"group": np.arange(groups)})
    return bootstrapped(0.5, np.asarray(draws, float), [table], groups, "group", None, "x", left_out, 3, **options)


def test_percentiles_by_hand():
    # 0 to 100 in steps of one: the 2.5 % point lies half way between 2 and 3
    assert percentiles(np.arange(101.0)) == (2.5, 97.5)
    estimate = made(np.arange(101.0))
    assert (estimate.low, estimate.high, estimate.n, estimate.groups) == (2.5, 97.5, 12, 12)
    assert estimate.how == "x; percentile bootstrap over groups, 101 resamples, seed 3"


def test_draws_of_several_numbers_count_as_one_and_ends_see_the_finite_ones():
    draws = np.ones((40, 3))
    draws[5, 1] = math.nan
    seen = []
    estimate = made(draws, left_out=2, made="some bootstrap", ends=lambda d: seen.append(d.shape) or (0.1, 0.9))
    assert seen == [(39, 3)] and (estimate.low, estimate.high) == (0.1, 0.9)
    expected = (
        "x; some bootstrap over groups, 40 resamples, seed 3; 2 undefined rows left out; 1 undefined resamples left out"
    )
    assert estimate.how == expected


@pytest.mark.parametrize(
    "draws", [np.empty(0), np.empty((0, 3)), np.full(50, math.nan), np.where(np.arange(50) < 6, math.nan, 1)]
)
def test_too_few_sound_draws_leave_no_interval(draws):
    estimate = made(draws)
    assert math.isnan(estimate.low) and math.isnan(estimate.high) and estimate.value == 0.5


def test_words():
    assert [plural(w) for w in ("woman", "biopsy", "image")] == ["women", "biopsies", "images"]
    assert [counted(n, "person") for n in (1, 2000)] == ["1 person", "2,000 people"]
    assert [digits(x) for x in (0.12345, 3.0, 1234.5, math.nan, math.inf)] == [
        "0.123",
        "3",
        "1,234",
        "undefined",
        "inf",
    ]


def test_a_rate_at_the_edge_has_the_exact_binomial_bound():
    none, all_ = (at_the_edge(Estimate(v, v, v, 30, 10, "woman", "x")) for v in (0.0, 1.0))
    # of ten women none: 1 - 0.025 ** 0.1 = 0.308
    assert (none.low, none.high) == (0, pytest.approx(0.3085, abs=1e-4))
    assert (all_.low, all_.high) == (pytest.approx(0.6915, abs=1e-4), 1) and "exact bound" in all_.how
    inside = Estimate(0.5, 0.4, 0.6, 30, 10, "woman", "x")
    assert at_the_edge(inside) == inside
