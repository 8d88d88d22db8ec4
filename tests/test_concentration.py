"""Concentration by hand, at both ends, and without changing what it reads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from studylib.metrics.concentration import entropy, gini, half_mass_area, total_variation

ONE = np.eye(1, 16).reshape(1, 4, 4)  # all in one pixel
HALF = np.repeat([1.0, 0.0], 8).reshape(1, 4, 4)  # even over half of the image


def test_entropy_by_hand_and_as_scipy():
    assert entropy(ONE) == 0
    assert entropy(HALF) == pytest.approx(math.log(8) / math.log(16))
    maps = np.random.default_rng(0).random((3, 5, 7))
    assert entropy(maps) == pytest.approx(stats.entropy(maps.reshape(3, -1), axis=1) / math.log(35))


def test_gini_by_hand_and_by_its_other_definition():
    assert gini(ONE) == pytest.approx(1 - 1 / 16)
    assert gini(HALF) == pytest.approx(0.5)
    x = np.random.default_rng(0).random(35)
    pairs = np.abs(x[:, None] - x[None]).mean() / (2 * x.mean())  # half the mean difference over the mean
    assert gini(x.reshape(1, 5, 7)) == pytest.approx(pairs)


def test_half_mass_area_by_hand():
    assert half_mass_area(ONE) == 1 / 16
    assert half_mass_area(HALF) == 4 / 16
    assert half_mass_area(np.array([[[4.0, 3], [2, 1]]])) == 0.5  # 4 of 10 are too few, 7 of 10 enough
    assert half_mass_area(np.full((1, 10, 10), 0.1) + 1e-9 * (np.arange(100) == 0).reshape(1, 10, 10)) == 0.5


def test_total_variation_by_hand():
    board = np.indices((4, 4)).sum(0)[None] % 2
    assert total_variation(board) == 1
    assert total_variation(np.array([[[0.0, 2], [4, 4]]])) == pytest.approx((2 + 0 + 4 + 2) / 4 / 4)
    ramp = np.broadcast_to(np.arange(11.0), (1, 11, 11))
    assert total_variation(ramp) == pytest.approx(0.1 / 2)  # a tenth at every step across, none down


@pytest.mark.parametrize("measure", [entropy, gini, half_mass_area, total_variation])
def test_only_the_positive_part_counts_and_scale_does_not(measure):
    maps = np.random.default_rng(0).normal(size=(4, 6, 6))
    assert measure(maps) == pytest.approx(measure(np.maximum(maps, 0) * 7))


@pytest.mark.parametrize("measure", [entropy, gini, half_mass_area, total_variation])
def test_zero_flat_negative_and_nan_maps_are_nan_and_the_input_stays(measure):
    maps = np.random.default_rng(0).random((5, 3, 3))
    maps[0], maps[1], maps[2, 0, 0] = 0, 1, np.nan
    maps[3] -= 2
    before = maps.copy()
    assert np.isnan(measure(maps)).tolist() == [True] * 4 + [False]
    assert np.array_equal(maps, before, equal_nan=True)
