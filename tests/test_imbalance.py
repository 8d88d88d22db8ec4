"""Losses for classes of unequal size against values computed by hand, draws that hold classes alike, and that a rare
class is found again.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_fit import SIZE, spec_of, toy

from studylib.study.settings import Arm, _contradictions
from studylib.training.fit import fit
from studylib.training.imbalance import BalancedClassifier, BalancedOrder, balanced_loss

LOGITS = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])  # p of class 0: 3/4 and 1/2
TARGETS = torch.tensor([0, 1])
COUNTS = torch.tensor([30.0, 10.0])


def test_losses_by_hand():
    each = -math.log(3 / 4), -math.log(1 / 2)
    a, b = 40 / (2 * 30), 40 / (2 * 10)  # n / (C n_c)
    expected = {
        "weighted": (a * each[0] + b * each[1]) / (a + b),
        "focal": (each[0] * (1 / 4) ** 2 + each[1] * (1 / 2) ** 2) / 2,
        # logits log 3 + log 3/4 and log 1/4: p of class 0 is 9/10; log 3/4 and log 1/4: p of class 1 is 1/4
        "adjusted": (-math.log(9 / 10) - math.log(1 / 4)) / 2,
        "sampler": sum(each) / 2,
    }
    for kind, value in expected.items():
        assert balanced_loss(kind, LOGITS, TARGETS, COUNTS).item() == pytest.approx(value, rel=1e-6), kind


def test_one_logit_is_two_of_which_the_first_is_zero():
    one = torch.tensor([[0.7], [-1.2]])
    two = torch.tensor([[0.0, 0.7], [0.0, -1.2]])
    for kind in ("weighted", "focal", "adjusted", "sampler"):
        assert balanced_loss(kind, one, TARGETS, COUNTS).item() == balanced_loss(kind, two, TARGETS, COUNTS).item()


def test_an_output_that_no_image_has_changes_no_weight():
    wide = torch.cat([LOGITS, torch.full((2, 1), -50.0)], 1)
    for kind in ("weighted", "focal", "adjusted"):
        narrow = balanced_loss(kind, LOGITS, TARGETS, COUNTS).item()
        assert balanced_loss(kind, wide, TARGETS, COUNTS).item() == pytest.approx(narrow, rel=1e-6), kind


def test_draws_hold_classes_alike_and_follow_from_the_epoch():
    targets = np.repeat([0, 1, 2], [900, 90, 10])
    order = BalancedOrder(targets, seed=3)
    drawn = np.concatenate([order.set_epoch(epoch) or list(order) for epoch in range(10)])
    shares = np.bincount(targets[drawn]) / len(drawn)
    np.testing.assert_allclose(shares, 1 / 3, atol=4 * math.sqrt(2 / 9 / len(drawn)))
    assert len(order) == 1000
    order.set_epoch(4)
    np.testing.assert_array_equal(list(order), drawn[4000:5000])
    order.set_epoch(5)
    assert list(order) != drawn[4000:5000].tolist()


def said_of_noise(balance, tmp_path):
    """Mean probability of a class that a tenth of the training images have, where pictures tell nothing."""
    examples = toy()
    train = examples.rows("train")
    parts = examples.parts.copy()
    parts[train[examples.labels[train] == 1][4:]] = "unused"
    pixels = np.random.default_rng(0).integers(0, 255, examples.pixels.shape).astype(np.uint8)
    examples = replace(examples, parts=parts, pixels=pixels)
    options = (("architecture", "small"), ("image_size", SIZE), ("outputs", 1))
    asked = {"model": "staged", "options": options, "balance": balance, "precision": "float32", "epochs": 6}
    made = fit(spec_of(examples, **asked), examples, tmp_path)
    return made.predictions.query("part == 'test'")["p_yes"].mean()


def test_a_rare_class_is_said_more_often(tmp_path):
    plain = said_of_noise("", tmp_path)
    for balance in ("weighted", "sampler", "adjusted", "focal"):
        assert said_of_noise(balance, tmp_path) > 1.2 * plain, balance


def test_settings_refuse_what_does_not_go_together():
    assert _contradictions(Arm("a", "staged", balance="weighed"))[0].endswith("did you mean 'weighted'?")
    assert "labels" in _contradictions(Arm("a", "unet", balance="focal"))[0]
    assert not _contradictions(Arm("a", "staged", balance="focal"))


def test_the_epoch_is_chosen_by_balanced_accuracy():
    examples = toy()
    made = BalancedClassifier(torch.nn.Identity(), spec_of(examples, balance="weighted"), [3, 1])
    targets = torch.tensor([0, 0, 0, 1])
    made._said = [(targets[:2], torch.tensor([1.0, 1.0])), (targets[2:], torch.tensor([1.0, 0.0]))]
    row = {"validation_accuracy": 0.75}
    assert made.kept_by(row) == row["validation_balanced_accuracy"] == 0.5
