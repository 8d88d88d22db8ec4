"""Accuracy against coverage: by hand, by counting every order of ties, and with weights as repeated rows."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from studylib.metrics import selective


def test_four_images_by_hand():
    right, scores = [1, 0, 1, 0], [0.9, 0.2, 0.7, 0.4]  # in order of score: right, right, wrong, wrong
    assert selective.accuracy_coverage_area(right, scores) == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4)
    assert selective.accuracy_coverage_gain(right, scores) == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4 - 0.5)
    found = [selective.selective_accuracy(right, scores, coverage=c) for c in (0.25, 0.5, 0.75, 1)]
    assert found == pytest.approx([1, 1, 2 / 3, 1 / 2])
    assert selective.selective_accuracy(right, scores, coverage=0.625) == pytest.approx(2 / 2.5)
    assert selective.accepted_accuracy(right, [1, 0, 1, 1]) == pytest.approx(2 / 3)
    assert selective.accepted_gain(right, [1, 0, 1, 1]) == pytest.approx(2 / 3 - 1 / 2)


def test_ties_count_by_expectation_over_their_orders():
    right, scores = np.array([1, 0, 0, 1, 1]), np.array([3, 2, 2, 2, 1])
    areas = []
    for middle in permutations([1, 2, 3]):
        order = [0, *middle, 4]
        areas.append(np.mean(np.cumsum(right[order]) / np.arange(1, 6)))
    assert selective.accuracy_coverage_area(right, scores) == pytest.approx(np.mean(areas))
    assert selective.accuracy_coverage_area(right, np.zeros(5)) == pytest.approx(0.6)  # a score that says nothing
    assert selective.accuracy_coverage_gain(right, np.zeros(5)) == pytest.approx(0)


def test_weights_are_repeated_rows():
    rng = np.random.default_rng(0)
    right, scores, w = rng.integers(0, 2, 40), rng.integers(0, 9, 40).astype(float), rng.integers(0, 4, 40)
    rows = np.repeat(np.arange(40), w)
    for measure in (selective.accuracy_coverage_area, selective.accuracy_coverage_gain):
        assert measure(right, scores, w) == pytest.approx(measure(right[rows], scores[rows]))
    taken = (scores > 4).astype(float)
    assert selective.accepted_gain(right, taken, w) == pytest.approx(selective.accepted_gain(right[rows], taken[rows]))
    found = selective.selective_accuracy(right, scores, w, coverage=0.3)
    assert found == pytest.approx(selective.selective_accuracy(right[rows], scores[rows], coverage=0.3))


def test_the_most_that_is_possible_puts_right_ones_first():
    right = np.array([1, 0, 1, 1, 0, 0, 1, 0])
    best = selective.accuracy_coverage_area(right, right)
    assert best == pytest.approx(np.mean(np.cumsum(np.sort(right)[::-1]) / np.arange(1, 9)))
    rng = np.random.default_rng(1)
    assert all(selective.accuracy_coverage_area(right, rng.random(8)) <= best for _ in range(200))


def test_undefined_is_nan_and_minus_infinity_ranks_last():
    assert np.isnan(selective.accepted_accuracy([1, 0], [0, 0])) and np.isnan(selective.accepted_gain([1, 0], [0, 0]))
    assert np.isnan(selective.accuracy_coverage_area([1, 0], [np.nan, 1]))
    assert np.isnan(selective.selective_accuracy([1, 0], [np.nan, 1], coverage=0.5))
    assert np.isnan(selective.accuracy_coverage_area([], []))
    assert np.isnan(selective.accuracy_coverage_area([1, 0], [1, 2], [0, 0]))
    assert selective.accuracy_coverage_area([1, 0], [1.0, -np.inf]) == pytest.approx(0.75)


def test_errors_say_what_was_found():
    with pytest.raises(ValueError, match=r"shape \(2,\), what stands beside it \(3,\)"):
        selective.accuracy_coverage_area([1, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="correct holds 0 and 1"):
        selective.accuracy_coverage_area([1, 2], [1, 2])
    with pytest.raises(ValueError, match="accepted holds 0 and 1"):
        selective.accepted_accuracy([1, 0], [0.3, 0.9])
    for coverage in (0, 1.5):
        with pytest.raises(ValueError, match=f"coverage is {coverage}"):
            selective.selective_accuracy([1, 0], [1, 2], coverage=coverage)
