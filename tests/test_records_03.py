"""What study 3 records of its heads, on channel means drawn by hand."""

import numpy as np
import pandas as pd
import pytest
from test_heads_03 import frozen

from studylib.metrics import classification
from studylib.study import records_03
from studylib.study.heads_03 import BEST, SEVEN, SUBSETS, converged, everywhere, predictions

HOW = {"resamples": 200}


@pytest.fixture(scope="module")
def fitted():
    frozens = [frozen(240, seed, signal=2.5) for seed in (0, 1)]
    return frozens, [{tuple(s): converged(of, s) for s in SUBSETS} for of in frozens]


def test_performance_is_that_of_the_table(fitted):
    frozens, heads = fitted
    table = everywhere(frozens, heads, BEST)
    found = records_03.performance(table, "p3p6p7", **HOW)
    y, guess = table["label"], table["predicted"]
    assert found["accuracy.group.p3p6p7.test"].value == pytest.approx((y == guess).mean())
    hit = ((y == 1) & (guess == 1)).sum()
    assert found["f1.group.p3p6p7.test"].value == pytest.approx(2 * hit / (y.sum() + guess.sum()))
    assert found["sensitivity.group.p3p6p7.test"].value == pytest.approx(hit / y.sum())
    assert found["auroc.group.p3p6p7.test"].value == pytest.approx(classification.auroc(y, table["p"]))
    assert found["accuracy.group.p3p6p7.test"].groups == table["group"].nunique()
    over = records_03.over_majority(table, "x", **HOW)["heads.x_minus_majority.accuracy"]
    assert over.value == pytest.approx((y == guess).mean() - records_03.majority(frozens), abs=1e-9)


def test_a_head_with_the_level_that_tells_beats_those_without(fitted):
    frozens, heads = fitted
    found = records_03.against(frozens, heads, ("P3",), **HOW)
    assert len(found) == 6 and found["heads.p3_minus_p5.accuracy"].low > 0
    assert records_03.below_others(frozens, heads, ("P5",), **HOW).high < 0


def test_all_31_choices_are_ranked_and_choosing_on_test_images_flatters(fitted):
    frozens, heads = fitted
    table = records_03.subset_table(frozens, heads)
    assert len(table) == 31 and table["test accuracy"].is_monotonic_decreasing
    found = records_03.chosen_by(frozens, heads, **HOW)
    ours = table.loc["P3+P6+P7", "test accuracy"]
    assert found["subsets.p3p6p7.rank"].value == 1 + (table["test accuracy"] > ours).sum()
    assert found["subsets.optimism.accuracy"].value >= 0


def test_the_printed_rate_is_worse_than_convergence(fitted):
    frozens, heads = fitted
    found, made = records_03.printed_training(frozens, heads, **HOW)
    assert found["printed.p3p6p7_minus_converged.accuracy"].value < -0.05
    assert 0 < found["printed.p3p6p7.moved"].value < 0.2 and len(made) == 2
    assert all(f"printed.{'p3' if x == ('P3',) else 'p7'}_minus_converged.accuracy" in found for x in SEVEN[:1])


def test_labels_turned_cost_accuracy_and_are_found():
    found = records_03.noisy([frozen(360, seed, signal=3.0) for seed in (0, 1)], **HOW)
    assert found["noise.p20_minus_clean.accuracy"].value <= 0.02
    assert found["noise.flags.precision_minus_base"].low > 0.2  # one strong channel: a turned label stands out


def test_training_against_test_images_and_outcomes(fitted):
    frozens, heads = fitted
    found = records_03.training_gap(frozens, heads, **HOW)["heads.p3p6p7.training_minus_test"]
    parts = [everywhere(frozens, heads, BEST, part)["correct"].mean() for part in ("train", "test")]
    assert found.value == pytest.approx(parts[0] - parts[1])
    table = predictions(frozens[0], heads[0][BEST])
    shown = records_03.outcomes(table, ("treatable", "not_treatable"))
    assert shown["images, each network"].sum() == len(table)
    missed = int(((table["label"] == 1) & (table["predicted"] == 0)).sum())
    assert shown.loc[("not treatable", "treatable"), "images, each network"] == missed


def test_the_detector_is_compared_on_the_same_images(fitted):
    frozens, heads = fitted
    ours = everywhere(frozens, heads, BEST)
    detected = ours.assign(detected=[0] + [1] * (len(ours) - 1), iou=0.5)
    found = records_03.detector_against(detected, frozens, heads, **HOW)
    assert found["heads.p3p6p7_minus_detector.accuracy"].value == 0 and found["detector.head_kappa"].value == 1.0
    assert found["detector.without_detection"].value == pytest.approx(1 / len(ours))
    turned = detected.assign(predicted=1 - detected["predicted"], correct=1 - detected["correct"])
    assert records_03.detector_against(turned, frozens, heads, **HOW)["detector.head_kappa"].value < 0


def test_no_network_predicts_the_same_image_twice(fitted):
    frozens, heads = fitted
    table = everywhere(frozens, heads, BEST)
    assert not pd.DataFrame(table)[["image", "repeat"]].duplicated().any() and np.isfinite(table["p"]).all()
