"""What study 1 records about classifiers, on predictions made by hand: two classes called normal, one abnormal."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import cells_01, records_01
from studylib.study.fits import Fits

CLASSES = ("dyskeratotic", "normal_columnar", "parabasal")


def predictions(shares=(0.8, 0.6, 0.7), n=60, repeat=0) -> pd.DataFrame:
    """Cells of three classes in 20 groups; this share of each class named right, the rest the next class."""
    label = np.arange(n) % 3
    rank = np.arange(n) // 3 / (n / 3)
    right = rank < np.array(shares)[label]
    said = np.where(right, label, (label + 1) % 3)
    p = np.full((n, 3), 0.1)
    p[np.arange(n), said] = 0.8
    row = {"image": [f"i{i:03d}" for i in range(n)], "group": [f"g{i % 20:02d}" for i in range(n)], "label": label,
           "predicted": said, "correct": right.astype(float), "repeat": repeat}  # fmt: skip
    return pd.DataFrame(row | {f"p_{c}": p[:, i] for i, c in enumerate(CLASSES)})


def test_which_classes_are_called_abnormal():
    names = ["light_dysplastic", "normal_columnar", "carcinoma_in_situ", "superficial_intermediate", "koilocytotic"]
    assert cells_01.is_abnormal(names).tolist() == [True, False, True, False, True]


def test_performance_by_hand():
    found = records_01.performance(predictions(), "x", CLASSES)
    assert found["accuracy.group.x.test"].value == pytest.approx(0.7)
    assert found["balanced_accuracy.group.x.test"].value == pytest.approx(0.7)
    # abnormal: 20 dyskeratotic, 16 called so; of parabasal 6 of 20 are called dyskeratotic, of columnar none
    assert found["binary.accuracy.group.x.test"].value == pytest.approx((16 + 14 + 20) / 60)
    assert found["binary.balanced_accuracy.group.x.test"].value == pytest.approx((16 / 20 + 34 / 40) / 2)


def test_shares_of_the_gain_by_hand():
    network, told = predictions(), {"size": predictions((0.5, 0.5, 0.5))}
    found = records_01.shares_of_gain(network, told)
    assert found["share_of_gain.size"].value == pytest.approx((0.5 - 1 / 3) / (0.7 - 1 / 3))
    minus = records_01.over_baselines(network, told)
    assert minus["accuracy.group.main_minus_size"].value == pytest.approx(0.2)
    assert minus["accuracy.group.main_minus_majority"].value == pytest.approx(0.7 - 1 / 3)


def test_a_baseline_stands_beside_every_repeat():
    both = pd.concat([predictions(), predictions((1, 1, 1), repeat=1)], ignore_index=True)
    found = records_01.over_baselines(both, {"size": predictions((0.5, 0.5, 0.5))})
    assert found["accuracy.group.main_minus_size"].value == pytest.approx((0.2 + 0.5) / 2)
    assert found["accuracy.group.main_minus_size"].n == 60


def fit(arm, table, split="group") -> SimpleNamespace:
    kept = table.drop(columns=["repeat", "predicted", "correct"]).assign(part="test", target=table["label"])
    run = SimpleNamespace(arm=SimpleNamespace(name=arm), split=split, repeat=0, seed=0)
    return SimpleNamespace(run=run, fit=SimpleNamespace(predictions=kept))


def test_frames_and_heads_are_compared_by_cell():
    fits = Fits([fit("small", predictions()), fit("small_pad", predictions((0.9, 0.6, 0.7))),
                 fit("small_flat", predictions((0.3, 0.6, 0.7))),
                 fit("small", predictions((1, 1, 1)), "random_folds")])  # fmt: skip
    found = records_01.frames(fits, "small", CLASSES)
    assert found["frame.pad_minus_stretch.accuracy"].value == pytest.approx(0.1 / 3)
    assert found["frame.stretch.balanced_accuracy"].value == pytest.approx(0.7) and "frame.window.accuracy" not in found
    cost = records_01.head_cost(fits, [("small", "small_flat"), ("vgg16", "vgg16_flat")])
    assert list(cost) == ["accuracy.group.small_minus_small_flat"]
    assert cost["accuracy.group.small_minus_small_flat"].value == pytest.approx(0.5 / 3)
    every = records_01.everyone(fits, ["small"], "small", CLASSES)
    assert every["accuracy.group.main.test"] == every["accuracy.group.small.test"]
    assert every["accuracy.random_folds.main.test"].value == 1.0
