"""Estimates: values by hand, intervals against scipy and against coverage, and what is said of them."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studylib.metrics.calibration import ece
from studylib.metrics.classification import accuracy, auroc
from studylib.metrics.intervals import (
    Estimate,
    difference_between,
    difference_by,
    exact,
    groups_needed,
    mean_by,
    of_columns,
    seed_range,
    statistic_by,
    t_interval,
    two_level,
)


def clustered(groups=30, images=5, spread=1.0, noise=0.5, seed=0) -> pd.DataFrame:
    """Return a table whose images of one group are alike."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"p{i:03}" for i in range(groups)], images)
    values = np.repeat(rng.normal(0, spread, groups), images) + rng.normal(0, noise, groups * images)
    return pd.DataFrame({"group": names, "x": values, "y": rng.normal(0, noise, groups * images)})


def test_text_of_an_estimate():
    assert str(Estimate(0.31, 0.26, 0.36, 470, 47, "patient", "")) == "0.31 [0.26, 0.36], n = 470 images, 47 patients"
    assert str(Estimate(0.31234, 0.26, 0.3649, 470, 1, "patient", "", 0.01234)).endswith("1 patient, p = 0.0123")
    assert "[0.26, 0.365]" in str(Estimate(0.31, 0.26, 0.3649, 470, 4, "woman", ""))
    assert str(Estimate(0.3, 0.2, 0.4, 12, 4, "woman", "")).endswith("n = 12 images, 4 women")
    assert str(Estimate(0.3, 0.2, 0.4, 12, 12, "image", "")) == "0.3 [0.2, 0.4], n = 12 images"
    assert str(Estimate(math.nan, math.nan, math.nan, 0, 0, "patient", "")).startswith(
        "undefined [no interval], n = 0 images"
    )
    assert str(Estimate(2065.4, 999.6, 1e6, 3, 3, "seed", "")) == "2,065 [1,000, 1,000,000], n = 3 seeds"


def test_exact_has_no_interval_to_show():
    assert str(exact(9697, how="parameters without the gate")) == "9,697"
    assert str(exact(0.5, n=310, unit="image")) == "0.5, n = 310 images"
    assert exact(3).low == exact(3).high == 3.0


@pytest.mark.parametrize("p", [None, 0.03])
def test_round_trip_through_json(p):
    estimate = Estimate(0.5, math.nan, math.inf, 5, 1, "patient", "how", p)
    row = estimate.to_dict()
    assert list(row) == ["value", "low", "high", "n", "groups", "unit", "how"] + ["p"] * (p is not None)
    back = Estimate.from_dict(json.loads(json.dumps(row, allow_nan=False)))
    assert back.high == math.inf and math.isnan(back.low) and (back.value, back.p, back.how) == (0.5, p, "how")


def test_mean_weighs_images_or_groups():
    table = pd.DataFrame({"patient_id": ["a", "a", "a", "b"], "x": [1, 1, 1, 5]})
    by_image, by_group = mean_by(table, "x", "patient_id"), mean_by(table, "x", "patient_id", weight="group")
    assert (by_image.value, by_group.value) == (2, 3)
    assert (by_image.n, by_image.groups, by_image.unit) == (4, 2, "patient")
    assert "percentile bootstrap over patients, 2,000 resamples, seed 0" in by_image.how
    assert "indicative, 2 patients" in by_image.how
    with pytest.raises(ValueError, match="'image'.*'group'"):
        mean_by(table, "x", "patient_id", weight="patient")


def test_two_groups_by_hand():
    # a and b are drawn aa, ab, ba, bb: means 0, .5, .5, 1, so the 2.5 and 97.5 % points are 0 and 1
    estimate = mean_by(pd.DataFrame({"group": ["a", "b"], "x": [0.0, 1.0]}), "x")
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0, 1)


def test_interval_of_the_mean_agrees_with_scipy_where_each_row_is_a_group():
    x = np.random.default_rng(1).gamma(2, size=80)
    ours = mean_by(pd.DataFrame({"group": np.arange(80), "x": x}), "x", resamples=20_000)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2))
    # two bootstraps of 20,000 differ by about 1 % of the width
    assert (ours.low, ours.high) == pytest.approx(theirs.confidence_interval, abs=0.02 * (ours.high - ours.low))


def test_groups_are_resampled_not_rows():
    table = clustered(groups=20, images=50, spread=1, noise=0.01)
    by_group, by_row = mean_by(table, "x"), mean_by(table.assign(row=np.arange(len(table))), "x", "row")
    # the same twenty values fifty times over: rows would make the interval sqrt(50) times too narrow
    ratio = (by_group.high - by_group.low) / (by_row.high - by_row.low)
    assert ratio == pytest.approx(math.sqrt(50), rel=0.1)


def test_interval_covers_the_truth():
    hits = [mean_by(clustered(seed=s), "x", resamples=400) for s in range(200)]
    share = np.mean([e.low <= 0 <= e.high for e in hits])
    # 95 % nominal, about 93.5 expected of a percentile bootstrap with 30 groups; 200 tables: standard error 1.7 points
    assert 0.88 <= share <= 0.99


def test_same_seed_same_interval_and_row_order_does_not_matter():
    table = clustered()
    first, again = mean_by(table, "x", seed=3), mean_by(table, "x", seed=3)
    assert first == again != mean_by(table, "x", seed=4)
    shuffled = mean_by(table.sample(frac=1, random_state=0), "x", seed=3)
    assert (shuffled.low, shuffled.high) == pytest.approx((first.low, first.high), rel=1e-12)


def test_undefined_rows_are_left_out_and_counted():
    table = pd.DataFrame({"group": list("aabb"), "x": [1, math.nan, 3, math.inf]})
    estimate = mean_by(table, "x")
    assert (estimate.value, estimate.n, estimate.groups) == (2, 2, 2)
    assert "2 undefined rows left out" in estimate.how
    assert table["x"].isna().sum() == 1  # the table is as it was


@pytest.mark.parametrize(
    "table", [pd.DataFrame({"group": ["a", "a"], "x": [1.0, 2]}), pd.DataFrame({"group": [], "x": []})]
)
def test_fewer_than_two_groups_have_no_interval(table):
    for estimate in (mean_by(table, "x"), statistic_by(table, lambda t: t["x"].mean())):
        assert math.isnan(estimate.low) and math.isnan(estimate.high)
        assert estimate.value == 1.5 or math.isnan(estimate.value)


def test_n_counts_an_image_once_however_many_seeds_saw_it():
    table = pd.DataFrame({"image": ["i", "j"] * 3, "group": ["a", "b"] * 3, "seed": [0, 0, 1, 1, 2, 2], "x": range(6)})
    assert mean_by(table, "x").n == 2
    assert mean_by(table.drop(columns="image"), "x").n == 6


def test_statistic_with_weights_without_and_mean_by_agree():
    table = clustered()
    plain = statistic_by(table, lambda t: t["x"].mean(), resamples=300)
    weighted = statistic_by(table, lambda t, weights=None: np.average(t["x"], weights=weights), resamples=300)
    mean = mean_by(table, "x", resamples=300)
    for estimate in (plain, weighted):
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
            (mean.value, mean.low, mean.high), rel=1e-9
        )


def test_undefined_resamples_are_counted_and_too_many_leave_no_interval():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"group": np.arange(40), "label": np.arange(40) < 4, "p": rng.random(40)})
    area = of_columns(auroc, "label", "p")
    some = statistic_by(table, area)  # no positive with chance .9^40 = 1.5 %
    assert "undefined resamples left out" in some.how and some.low < some.value < some.high
    rare = statistic_by(table.assign(label=np.arange(40) < 1), area)  # 36 %
    assert math.isnan(rare.low) and "too many for an interval" in rare.how and math.isfinite(rare.value)


def test_auroc_and_ece_of_a_thousand_rows_take_seconds():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 1000)
    table = pd.DataFrame(
        {"group": np.arange(1000) // 5, "label": label, "p": np.clip(rng.normal(0.3 + 0.4 * label, 0.2), 0, 1)}
    )
    start = time.perf_counter()
    area, error = (statistic_by(table, of_columns(f, "label", "p")) for f in (auroc, ece))
    assert time.perf_counter() - start < 10  # below 2 on an idle core
    assert area.how.startswith("auroc of label, p;") and area.low < area.value < area.high
    assert 0 < error.low < error.high < 1


def test_paired_difference_by_hand_and_against_unpaired():
    table = pd.DataFrame({"group": list("abc"), "a": [1.0, 5, 9], "b": [0.0, 3, 6]})
    estimate = difference_by(table, "a", "b")
    assert estimate.value == 2 and estimate.p == 0.25 and "all 8 sign flips of groups" in estimate.how
    noisy = clustered(spread=3).assign(better=lambda t: t["x"] + 0.2)
    paired = difference_by(noisy, "better", "x")
    assert (paired.low, paired.high) == pytest.approx((0.2, 0.2)) and paired.p < 0.001


def test_paired_difference_needs_both_values_and_flips_what_it_averages():
    table = pd.DataFrame({"group": list("aaab"), "a": [1.0, 1, math.nan, -3], "b": [0.0] * 4})
    by_image, by_group = difference_by(table, "a", "b"), difference_by(table, "a", "b", weight="group")
    assert by_image.value == pytest.approx(-1 / 3) and "1 undefined rows left out" in by_image.how
    # sums 2 and -3: |-1| is reached by all four flips; means 1 and -3: |-2| too
    assert by_group.value == -1 and by_image.p == by_group.p == 1


def test_difference_between_draws_the_same_groups_for_both_arms():
    table = clustered(images=4, spread=3, noise=0.01)
    shifted = table.assign(x=table["x"] + 0.5).iloc[::2]  # other images of the same groups
    estimate = difference_between(shifted, table, "x")
    assert estimate.value == pytest.approx(0.5, abs=0.01)
    assert 0.4 < estimate.low < 0.5 < estimate.high < 0.6  # two draws apart would spread by +-1.5
    assert estimate.p == 2 / 2001 and estimate.groups == 30
    assert "60 against 120 rows" in estimate.how


def test_difference_between_counts_groups_of_one_arm_alone():
    a = pd.DataFrame({"group": ["p", "q"], "x": [1.0, 1.0]})
    b = pd.DataFrame({"group": ["q", "r", "r"], "x": [0.0, 0, 0]})
    estimate = difference_between(a, b, "x")
    assert (estimate.value, estimate.groups, estimate.n) == (1, 3, 5)
    # all from p, or all from r, leaves one arm empty: 2 of 27 draws
    assert "undefined resamples left out" in estimate.how


def test_difference_between_is_undecided_where_arms_are_alike():
    table = clustered()
    estimate = difference_between(table, table, lambda t, weights=None: np.average(t["x"], weights=weights))
    assert (estimate.value, estimate.low, estimate.high, estimate.p) == (0, 0, 0, 1)


def crossed(seeds=12, groups=25) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    of_seed, of_group = rng.normal(0, 1, seeds), rng.normal(0, 1, groups)
    rows = [(f"p{g}", s, of_seed[s] + of_group[g]) for s in range(seeds) for g in range(groups)]
    return pd.DataFrame(rows, columns=["group", "seed", "x"])


def test_two_levels_add_the_variances_of_seeds_and_groups():
    table = crossed()
    estimate = two_level(table, "x", resamples=8000)
    of_seed, of_group = (table.groupby(c)["x"].mean() for c in ("seed", "group"))
    expected = math.sqrt(of_seed.var(ddof=0) / len(of_seed) + of_group.var(ddof=0) / len(of_group))
    assert estimate.value == pytest.approx(table["x"].mean())
    assert (estimate.high - estimate.low) / (2 * 1.96) == pytest.approx(expected, rel=0.05)
    assert estimate.groups == 25 and "12 seeds and 25 groups both resampled" in estimate.how


def test_two_levels_refuse_few_seeds_with_a_sentence():
    with pytest.raises(ValueError, match="3 seeds in 'seed' are too few.*average over seeds first.*seed_range"):
        two_level(crossed(seeds=3), "x")


def test_seed_range_is_no_interval():
    table = pd.DataFrame({"seed": [0, 0, 1, 1, 2, 2], "x": [0.8, 1.0, 0.7, 0.7, 0.6, math.nan]})
    estimate = seed_range(table, "x")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((2.2 / 3, 0.6, 0.9))
    assert str(estimate) == "0.733 (range 0.6 to 0.9), n = 3 seeds"
    assert "not an interval; 1 undefined rows left out" in estimate.how


def test_t_interval_as_scipy():
    x = [0.91, 0.94, 0.90, 0.97, math.nan]
    estimate = t_interval(x)
    reference = stats.ttest_1samp(x[:4], 0).confidence_interval()
    assert (estimate.low, estimate.high) == pytest.approx((reference.low, reference.high))
    assert estimate.n == 4 and "1 undefined left out" in estimate.how
    assert math.isnan(t_interval([0.5]).low)


def test_groups_needed_by_hand():
    estimate = Estimate(0.05, -0.05, 0.15, 470, 47, "patient", "")
    assert groups_needed(estimate) == 188  # half width 0.1, distance 0.05: four times as many
    assert groups_needed(estimate, than=0.25) == 12  # 47 / 4, rounded up
    assert groups_needed(estimate, margin=0.02) == 47 * 25
    assert groups_needed(Estimate(0, -0.1, 0.1, 9, 9, "patient", "")) is None
    assert groups_needed(Estimate(1, math.nan, math.nan, 9, 1, "patient", "")) is None


def test_accuracy_over_columns_of_strings():
    table = pd.DataFrame(
        {"group": list("abcd"), "label": ["yes", "no", "yes", "no"], "said": ["yes", "no", "no", "no"]}
    )
    estimate = statistic_by(table, of_columns(accuracy, "label", "said"))
    assert estimate.value == 0.75 == mean_by(table.assign(ok=table["label"] == table["said"]), "ok").value
