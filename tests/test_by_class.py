"""What a classifier of several classes records, on predictions made by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from test_records_01 import CLASSES, fit, predictions

from studylib.study import by_class
from studylib.study.fits import Fits


def test_each_class_by_hand():
    # 20 of each: 16, 12 and 14 named right, the rest called the next class
    found = by_class.each_class(predictions(), CLASSES)
    assert found["recall.normal_columnar.test"].value == pytest.approx(0.6)
    assert found["precision.normal_columnar.test"].value == pytest.approx(12 / (12 + 4))
    assert found["f1.normal_columnar.test"].value == pytest.approx(2 * 12 / (20 + 16))
    assert found["recall.parabasal.test"].n == 20
    # scores 0.8 and 0.1: ties count half. Own class 16 high of 20, others 6 high of 40
    assert found["auroc.dyskeratotic.test"].value == pytest.approx((16 * 34 + (16 * 6 + 4 * 34) / 2) / 800)


def test_a_class_that_is_never_said_has_no_precision():
    table = predictions()
    table["predicted"] = table["predicted"].replace(1, 2)
    found = by_class.each_class(table, CLASSES)["precision.normal_columnar.test"]
    assert pd.isna(found.value) and found.n == 0 and found.how == "exact: no image was called normal_columnar"


def test_performance_confusion_and_leak_by_hand():
    found = by_class.named_classes(predictions((0.8, 0.6, 0.4)), "x", CLASSES)
    assert found["balanced_accuracy.group.x.test"].value == pytest.approx(0.6)
    confusion = by_class.confusion(predictions(), CLASSES)
    assert confusion.loc["parabasal", "dyskeratotic"] == pytest.approx(30)
    assert confusion.loc["normal columnar"].tolist() == pytest.approx([0, 60, 40])
    fits = Fits([fit("small", predictions()), fit("small", predictions((1, 1, 1)), "random_folds")])
    assert by_class.leak(fits, "small")["leak.accuracy_gap"].value == pytest.approx(0.3)
    assert by_class.leak(Fits([fit("small", predictions())]), "small") == {}


def test_every_arm_on_every_split_and_the_main_one_twice():
    fits = Fits([fit("small", predictions()), fit("small", predictions((1, 1, 1)), "random_folds"),
                 fit("other", predictions((0.5, 0.5, 0.5)))])  # fmt: skip
    found = by_class.every_arm(fits, ["small", "other", "absent"], "small", CLASSES, by_class.named_classes)
    assert found["accuracy.group.main.test"] == found["accuracy.group.small.test"]
    assert found["accuracy.random_folds.main.test"].value == 1 and found["accuracy.group.other.test"].value == 0.5
    assert "accuracy.random_folds.other.test" not in found and not any("absent" in name for name in found)
