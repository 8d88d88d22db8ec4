"""Tests that give a p value, against statsmodels, scipy and hand counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from studylib.metrics.comparisons import holm, mcnemar, sign_flip_p, trend, wilcoxon


def test_sign_flips_of_three_groups_are_counted_in_full():
    # sums of +-1 +-2 +-3: 6, 4, 2, 0 and their negatives; beyond |6|: two of eight
    assert sign_flip_p(np.array([1.0, 2.0, 3.0]), 10_000, np.random.default_rng(0)) == (0.25, "all 8 sign flips")


def test_random_sign_flips_agree_with_scipy_permutation_test():
    parts = np.random.default_rng(3).normal(0.4, 1, 30)
    p, how = sign_flip_p(parts, 10_000, np.random.default_rng(0))
    reference = stats.permutation_test(
        (parts,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    assert how == "10,000 sign flips"
    assert p == pytest.approx(reference.pvalue, abs=0.01)  # four standard errors of the two counts


def test_sign_flips_never_give_zero_and_need_two_groups():
    assert sign_flip_p(np.full(40, 1.0), 10_000, np.random.default_rng(0))[0] == 1 / 10_001
    assert math.isnan(sign_flip_p(np.array([1.0]), 10_000, np.random.default_rng(0))[0])
    assert sign_flip_p(np.zeros(5), 10_000, np.random.default_rng(0))[0] == 1


def test_holm_by_hand_and_as_statsmodels():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    p = np.random.default_rng(0).random(12) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm({"a": 0.01, "b": 0.6}) == pytest.approx({"a": 0.02, "b": 0.6})


def test_holm_keeps_nan_and_counts_it():
    corrected = holm([0.01, math.nan])
    assert corrected[0] == 0.02 and math.isnan(corrected[1])
    assert len(holm([])) == 0
    with pytest.raises(ValueError, match=r"\[0, 1\]; found \[1.5\]"):
        holm([0.1, 1.5])


def test_mcnemar_by_hand_and_as_statsmodels():
    a = [1] * 10 + [0] * 2 + [1] * 5
    b = [0] * 10 + [1] * 2 + [1] * 5
    result = mcnemar(a, b)
    assert (result.only_a, result.only_b) == (10, 2)
    assert result.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)  # at most 2 of 12 fair coins, both sides
    assert result.p == pytest.approx(statsmodels_mcnemar([[5, 10], [2, 0]], exact=True).pvalue)
    assert math.isnan(mcnemar([True, False], [True, False]).p)


def test_wilcoxon_as_scipy_on_images_and_on_group_means():
    rng = np.random.default_rng(0)
    a, b, groups = rng.normal(0.3, 1, 40), rng.normal(0, 1, 40), np.repeat(np.arange(10), 4)
    assert wilcoxon(a, b).p == pytest.approx(stats.wilcoxon(a, b).pvalue)
    means = (a - b).reshape(10, 4).mean(1)
    assert wilcoxon(a, b, groups) == pytest.approx((stats.wilcoxon(means).statistic, 10, stats.wilcoxon(means).pvalue))


def test_wilcoxon_leaves_nan_out_and_is_undefined_without_a_difference():
    assert wilcoxon([1, 2, math.nan, 4, 6], [0, 0, 0, 0, 0]).n == 4
    assert math.isnan(wilcoxon([1, 2], [1, 2]).p)
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        wilcoxon([1, 2], [1, 2, 3])


def test_trend_is_kendalls_tau():
    # five values in order but for one swapped pair: (9 - 1) / 10
    assert trend([1, 2, 4, 3, 5]).tau == pytest.approx(0.8)
    assert trend([1, 2, 4, 3, 5], order=[5, 4, 3, 2, 1]).tau == pytest.approx(-0.8)
    assert trend([1, math.nan, 2, 3]) == pytest.approx((1.0, 3, stats.kendalltau([0, 1, 2], [1, 2, 3]).pvalue))
    assert math.isnan(trend([1.0]).tau)
