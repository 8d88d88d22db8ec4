"""Predictions under blur: measures by hand at every level, what flips and what loses sight, thresholds chosen anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studylib.metrics import classification
from studylib.study import degradation
from studylib.study.report_folder import NAME

HOW = {"resamples": 300}


def level(p, labels, kernel: int, repeat: int = 0) -> pd.DataFrame:
    n = len(p)
    columns = {"image": [f"i{i}" for i in range(n)], "group": [f"g{i // 2}" for i in range(n)]}
    return pd.DataFrame({**columns, "repeat": repeat, "kernel": kernel, "label": labels, "p": p})


def ranked(shift: float, noise: float, n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, 30 % positive, and probabilities that rank them, moved by `shift` and blurred by `noise` (logits)."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 10 < 3).astype(int)
    logits = np.where(labels == 1, 2.0, -2.0) + shift + noise * rng.normal(size=n)
    return labels, 1 / (1 + np.exp(-logits))


def moved(shift: float, noise: float) -> pd.DataFrame:
    labels, sharp = ranked(0, 1.0)
    return pd.concat([level(sharp, labels, 1), level(ranked(shift, noise, seed=1)[1], labels, 49)])


def test_every_measure_at_every_level_by_hand():
    labels = [1, 1, 0, 0, 0, 0]
    table = pd.concat([
        level([0.9, 0.4, 0.1, 0.2, 0.6, 0.5], labels, 1), level([0.9, 0.8, 0.7, 0.7, 0.6, 0.3], labels, 49)
    ])  # fmt: skip
    found = degradation.by_level(table, **HOW)
    expected = {
        1: (4 / 6, (1 / 2 + 3 / 4) / 2, 1 / 2, 3 / 4, (4 + 2) / 8, 2 / 6),
        49: (3 / 6, (1 + 1 / 4) / 2, 1, 1 / 4, 1, 5 / 6),
    }
    for kernel, values in expected.items():
        names = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auroc", "called_positive")
        assert [found[f"blur.k{kernel}.{name}"].value for name in names] == pytest.approx(values)
    assert all(NAME.match(name) for name in found)
    table = degradation.tidy(found)
    assert len(table) == 12 and table.columns.tolist() == ["kernel", "measure", "value", "low", "high", "n", "groups"]
    row = table[(table["kernel"] == 49) & (table["measure"] == "specificity")].iloc[0]
    assert (row["value"], row["n"], row["groups"]) == (0.25, 6, 3)


def test_changes_are_paired_by_image_with_networks_averaged():
    labels = [1, 0, 1, 0]
    table = pd.concat([
        level([0.9, 0.1, 0.9, 0.1], labels, 1, 0), level([0.9, 0.9, 0.9, 0.1], labels, 1, 1),
        level([0.9, 0.9, 0.9, 0.9], labels, 19, 0), level([0.9, 0.9, 0.1, 0.9], labels, 19, 1),
    ])  # fmt: skip
    found = degradation.changes(table, **HOW)
    assert found["blur.k19.accuracy_drop"].value == pytest.approx((4 + 3) / 8 - (2 + 1) / 8)
    assert found["blur.k19.called_rise"].value == pytest.approx((4 + 3) / 8 - (2 + 3) / 8)
    assert found["blur.k19.accuracy_drop"].n == 4 and found["blur.k19.accuracy_drop"].groups == 2
    assert set(found) == {"blur.k19.accuracy_drop", "blur.k19.called_rise"}


def test_a_flip_is_a_rise_of_calls_with_a_ranking_that_stays():
    flipped = degradation.flip(moved(4.0, 1.5), 49, **HOW)
    assert flipped.word == "confirmed" and flipped.rise.low > 0.3 and flipped.auroc.low > 0.6
    blind = degradation.flip(moved(4.0, 60.0), 49, **HOW)  # calls half, ranks nothing
    assert blind.word == "refuted" or blind.auroc.low < 0.6
    assert degradation.flip(moved(0.0, 1.0), 49, **HOW).word == "refuted"  # nothing happened
    assert degradation.flip(moved(1.9, 1.2), 49, **HOW).word == "undecided"  # a rise of about 30 points
    labels, p = ranked(0, 1.0)
    constant = pd.concat([level(p, labels, 1), level(np.full(120, 0.9), labels, 49)])
    assert degradation.flip(constant, 49, **HOW).word == "refuted"  # AUROC 0.5 throughout
    page = degradation.flips(pd.concat([moved(4.0, 1.5), level(p, labels, 19)]), **HOW)
    assert page["flip"].to_dict() == {19: "refuted", 49: "confirmed"}


def test_a_threshold_chosen_anew_gives_back_a_shift_and_not_what_was_lost():
    for noise, left_over in ((1.0, 0.03), (60.0, 0.15)):
        table = moved(4.0, noise)
        training = pd.concat([level(ranked(4.0, noise, seed=5)[1], ranked(0, 0)[0], 49)])
        found = degradation.rethresholded(training, table, 49, **HOW)
        before = degradation.by_level(table, **HOW)["blur.k49.accuracy"].value
        gain, accuracy = (found[f"blur.k49.rethresholded.{k}"].value for k in ("gain", "accuracy"))
        assert gain == pytest.approx(accuracy - before) and gain > 0.1
        left = found["blur.k49.rethresholded.loss_left"].value
        assert (left < left_over) if noise == 1.0 else (left > left_over)
    assert all(NAME.match(name) for name in found)


def test_best_threshold_against_every_threshold():
    rng = np.random.default_rng(0)
    for _ in range(20):
        p, labels = rng.integers(0, 10, 15) / 10, rng.integers(0, 2, 15)
        found = degradation.best_threshold(labels, p)
        most = max(np.mean((p > t) == labels) for t in np.linspace(-0.05, 1.05, 111))
        assert np.mean((p > found) == labels) == pytest.approx(most)
    assert degradation.best_threshold(np.array([0, 1]), np.array([0.2, 0.8])) == pytest.approx(0.5)
    assert degradation.best_threshold(np.array([1, 1]), np.array([0.2, 0.8])) == -1  # all are positive
    with pytest.raises(ValueError, match="no rows"):
        degradation.best_threshold(np.array([]), np.array([]))


def test_one_class_alone_is_undefined():
    table = pd.concat([level([0.2, 0.9], [1, 1], 1), level([0.2, 0.9], [1, 1], 19)])
    found = degradation.by_level(table, **HOW)
    for name in ("auroc", "balanced_accuracy", "specificity"):
        assert np.isnan(found[f"blur.k19.{name}"].value)
    assert found["blur.k19.sensitivity"].value == 0.5
    assert classification.accuracy([1, 1], [0, 1]) == found["blur.k19.accuracy"].value


def test_errors_name_image_and_level():
    good = moved(0, 1)
    for column, value, words in (("p", 1.2, "'p' of image i3, kernel 49 .*is 1.2; expected a probability"),
                                 ("p", np.nan, "'p' of image i3, kernel 49 .*is nan"),
                                 ("label", 2, "'label' of image i3, kernel 49 .*is 2; expected 0 or 1")):  # fmt: skip
        bad = good.copy().reset_index(drop=True)
        bad.loc[123, column] = value
        with pytest.raises(ValueError, match=words):
            degradation.by_level(bad, **HOW)
    with pytest.raises(ValueError, match="no blur 19; it has 49"):
        degradation.flip(good, 19, **HOW)
    with pytest.raises(ValueError, match="no row has kernel 1"):
        degradation.changes(good[good["kernel"] == 49], **HOW)
    with pytest.raises(ValueError, match="the training has no kernel 49"):
        degradation.rethresholded(good[good["kernel"] == 1], good, 49, **HOW)
    with pytest.raises(KeyError, match="no column 'kernel'"):
        degradation.by_level(good.drop(columns="kernel"), **HOW)
    other = level([0.1, 0.2], [0, 1], 49, repeat=7)
    with pytest.raises(ValueError, match="no row of repeat 0 with kernel 49"):
        degradation.rethresholded(other, good, 49, **HOW)
