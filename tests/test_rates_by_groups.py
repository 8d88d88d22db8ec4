"""Rates of two classes over groups: the numbers of `statistic_by`, and what is undefined."""

import numpy as np
import pandas as pd
import pytest

from studylib.metrics import classification
from studylib.metrics.intervals import of_columns, statistic_by
from studylib.metrics.rates_by_groups import RATES, rates_by


def table(n=90, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = (np.arange(n) // 3 % 4 == 0).astype(int)
    said = np.where(rng.random(n) < 0.75, label, 1 - label)
    return pd.DataFrame({"image": [f"{i}" for i in range(n)], "group": [f"w{i // 3}" for i in range(n)],
                         "label": label, "predicted": said})  # fmt: skip


@pytest.mark.parametrize("name", RATES)
def test_the_same_numbers_as_one_by_one(name):
    measure = of_columns(getattr(classification, name), "label", "predicted")
    theirs = statistic_by(table(), measure, how=f"{name.replace('_', ' ')} of a head", resamples=500, seed=3)
    ours = rates_by(table(), "label", "predicted", how="of a head", resamples=500, seed=3)[name]
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high), abs=1e-12)
    assert (ours.n, ours.groups, ours.how) == (theirs.n, theirs.groups, theirs.how)


def test_by_hand():
    rows = pd.DataFrame({"group": list("aabb"), "label": [1, 1, 0, 0], "predicted": [1, 0, 0, 1]})
    found = rates_by(rows, "label", "predicted", resamples=100)
    assert [found[name].value for name in RATES] == [0.5, 0.5, 0.5, 0.5, 0.5]


def test_without_a_class_what_needs_it_is_undefined():
    rows = table().assign(label=0)
    found = rates_by(rows, "label", "predicted", resamples=100)
    assert np.isnan(found["sensitivity"].value) and np.isnan(found["f1"].value)
    assert np.isnan(found["balanced_accuracy"].value) and 0 < found["specificity"].value < 1


def test_more_than_two_classes_are_refused():
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        rates_by(table().assign(label=2), "label", "predicted")
