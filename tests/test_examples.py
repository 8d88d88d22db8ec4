"""Examples: rows must agree, every part needs images, two classes are needed; the digest sees every column."""

from dataclasses import replace

import numpy as np
import pytest

from studylib.training.examples import Examples


def make(**changes):
    values = dict(
        pixels=np.zeros((6, 4, 4), np.uint8), names=np.array(list("abcdef")), groups=np.array(list("ppqqrr")),
        parts=np.array(["train", "train", "validation", "validation", "test", "test"]),
        labels=np.array([0, 1, 0, 1, 0, 1]), targets=np.array([0, 1, 0, 1, 0, 1]), classes=("no", "yes"),
    )  # fmt: skip
    return Examples(**values | changes)


def test_rows_and_outputs():
    assert make().rows("validation").tolist() == [2, 3]
    assert make().outputs == 1 and make(classes=("a", "b", "c")).outputs == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": np.zeros(5, int)}, "'labels': 5"),
        ({"parts": np.array(["train"] * 4 + ["test"] * 2)}, "no image for validation"),
        ({"targets": np.zeros(6, int)}, "all training images are 'no'"),
    ],
)
def test_what_cannot_be_trained_is_said(changes, said):
    with pytest.raises(ValueError, match=said):
        make(**changes)


@pytest.mark.parametrize("column", ["names", "groups", "parts", "labels", "targets"])
def test_the_digest_sees_a_single_changed_entry(column):
    before = make()
    changed = getattr(before, column).copy()
    if column == "parts":
        changed[2] = "test"
    else:
        changed[[0, 1]] = changed[[1, 0]] if column != "groups" else changed[[2, 1]]
    assert replace(before, **{column: changed}).digest() != before.digest()
