"""ECE without its bias: by hand, and on simulated networks, calibrated and not, where the true value is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from studylib.metrics.absolute_sums import absolute_sum_by, inverted
from studylib.metrics.calibration import ece, gaps
from studylib.metrics.intervals import of_columns, statistic_by


def simulated(bend, rows=100, patients=80, seed=0) -> pd.DataFrame:
    """Return labels of patients whose images are alike, and what a network says that bends the true logit z."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, patients, rows)
    z = rng.normal(0, 1, patients)[patient] + rng.normal(0, 1, rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(int)
    return pd.DataFrame({"group": patient, "label": label, "p": 1 / (1 + np.exp(-bend(z)))})


BENDS = {
    "calibrated": lambda z: z,
    "a little too sure": lambda z: 1.5 * z,
    "far too sure": lambda z: 3 * z,
    "too high": lambda z: z + 0.5,
}


def true_ece(bend) -> float:
    """Return the mean |said - true probability| over a million images."""
    z = np.random.default_rng(1).normal(0, math.sqrt(2), 1_000_000)
    return float(np.abs(1 / (1 + np.exp(-bend(z))) - 1 / (1 + np.exp(-z))).mean())


@pytest.mark.parametrize("name", BENDS)
def test_the_interval_covers_the_truth_where_percentiles_do_not(name):
    truth, covered, by_percentile, values, plain = true_ece(BENDS[name]), [], [], [], []
    for seed in range(60):
        table = simulated(BENDS[name], seed=seed)
        estimate = absolute_sum_by(table, of_columns(gaps, "label", "p"), resamples=300)
        usual = statistic_by(table, of_columns(ece, "label", "p"), resamples=100)
        covered.append(estimate.low <= truth <= estimate.high)
        by_percentile.append(usual.low <= truth <= usual.high)
        values.append(estimate.value)
        plain.append(usual.value)
    # 60 tables: 95 % has a standard error of 2.8 points; of 200, 96 to 98 % are covered, by percentile intervals
    # 0, 0, 81 and 0 %, of reflected ones (2 value - high, 2 value - low) 46, 82, 88 and 93 %
    assert np.mean(covered) >= 0.86 and np.mean(covered) > np.mean(by_percentile) + 0.05
    # with seven rows a bin about half of the bias is left where the truth is 0, nearly none elsewhere
    assert abs(np.median(values) - truth) < 0.55 * abs(np.median(plain) - truth)


def test_the_value_lies_in_its_interval_where_percentiles_leave_it_outside():
    outside = 0
    for seed in range(20):
        table = simulated(BENDS["calibrated"], seed=seed)
        usual = statistic_by(table, of_columns(ece, "label", "p"), resamples=200)
        estimate = absolute_sum_by(table, of_columns(gaps, "label", "p"), resamples=200)
        assert 0 <= estimate.low <= estimate.value <= estimate.high and estimate.high > 0
        assert estimate.value < usual.value
        outside += usual.low > usual.value
    assert outside > 0  # a percentile interval can lie above its own value


def test_with_many_rows_it_is_the_plain_ece_with_its_percentile_interval():
    table = simulated(BENDS["far too sure"], rows=20_000, patients=4000)
    estimate = absolute_sum_by(table, of_columns(gaps, "label", "p"), resamples=300)
    usual = statistic_by(table, of_columns(ece, "label", "p"), resamples=300)
    assert estimate.value == pytest.approx(usual.value, abs=0.002)
    assert (estimate.low, estimate.high) == pytest.approx((usual.low, usual.high), abs=0.004)
    assert estimate.low < true_ece(BENDS["far too sure"]) < estimate.high


def test_inverted_by_hand_for_one_part():
    # one part: |c m + e| with e = -1, 0, 1 in equal shares; m = 10 is far from 0, so that nothing is reflected
    e = np.repeat([-1.0, 0.0, 1.0], 100)
    low, value, high = inverted(np.array([10.0]), 10.0 + e[:, None])
    # the 97.5, 50 and 2.5 % points of 10 c + e are 10 c + 1, 10 c and 10 c - 1
    assert (low, value, high) == pytest.approx((9, 10, 11))
    # at 0.5 the smallest sum that c = 0 gives is 0, its median 1: low and value are 0, and high is where |c m + e| = 1
    low, value, high = inverted(np.array([0.5]), 0.5 + e[:, None])
    assert low == value == 0 and 1.9 < high <= 2.01


def test_sums_of_gaps_are_the_ece_and_weights_keep_the_bins():
    table = simulated(BENDS["too high"])
    y, p = table["label"].to_numpy(), table["p"].to_numpy()
    for equal in ("mass", "width"):
        assert np.abs(gaps(y, p, equal=equal)).sum() == pytest.approx(ece(y, p, equal=equal))
    # bins (.2, .4) and (.7, .9) by their rows; the weights then change the means alone
    found = gaps([0, 1, 1, 1], [0.2, 0.4, 0.7, 0.9], np.array([3.0, 0, 1, 0]), bins=2)
    assert found == pytest.approx([3 / 4 * 0.2, 1 / 4 * (0.7 - 1)])
    assert np.isnan(gaps([0, 1], [math.nan, 0.3])).all()


def test_what_is_said_left_out_and_undefined():
    table = simulated(BENDS["too high"])
    table.loc[:4, "p"] = math.nan
    estimate = absolute_sum_by(
        table, of_columns(gaps, "label", "p"), needs=["p"], unit="patient", how="ece of label, p", resamples=200, seed=4
    )
    plain = ece(table["label"][5:], table["p"][5:])
    assert estimate.how.startswith(
        f"ece of label, p, {plain:.3g} less its bias; inverted bootstrap tests over patients"
    )
    assert "seed 4; 5 undefined rows left out" in estimate.how and estimate.n == 95
    same = absolute_sum_by(table, of_columns(gaps, "label", "p"), needs=["p"], resamples=200, seed=4)
    assert (same.low, same.value, same.high) == (estimate.low, estimate.value, estimate.high)
    assert "sum of |gaps of label, p|" in same.how
    one = absolute_sum_by(table.assign(group="a"), of_columns(gaps, "label", "p"), needs=["p"], resamples=50)
    assert one.value == pytest.approx(plain) and math.isnan(one.low) and math.isnan(one.high)
    none = absolute_sum_by(table[:0], of_columns(gaps, "label", "p"), resamples=50)
    assert math.isnan(none.value) and none.n == 0
    perfect = pd.DataFrame({"group": range(20), "label": [0, 1] * 10, "p": [0.0, 1.0] * 10})
    sure = absolute_sum_by(perfect, of_columns(gaps, "label", "p"), resamples=50)
    assert sure.value == 0 and math.isnan(sure.low) and math.isnan(sure.high)
    with pytest.raises(ValueError, match="no parameter 'weights'"):
        absolute_sum_by(table, lambda frame: np.zeros(3))
