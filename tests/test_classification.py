"""Classification measures by hand, and against scikit-learn and torchmetrics, with weights and without."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.functional import classification as tm

from studylib.metrics import classification as cls

# 4 positives, 3 found; 6 others, 2 called positive
LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
SAID = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])


def drawn(n=300, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    said = np.where(rng.random(n) < 0.7, y, rng.integers(0, classes, n))
    return y, said, np.round(rng.normal(y, 1), 1), rng.integers(0, 4, n)


def test_counts_by_hand():
    assert cls.accuracy(LABELS, SAID) == 7 / 10
    assert cls.sensitivity(LABELS, SAID) == 3 / 4
    assert cls.specificity(LABELS, SAID) == 4 / 6
    assert cls.precision(LABELS, SAID) == 3 / 5
    assert cls.balanced_accuracy(LABELS, SAID) == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert cls.f1(LABELS, SAID) == pytest.approx(6 / 9)
    assert cls.majority_share(LABELS) == 6 / 10
    assert cls.confusion(LABELS, SAID).tolist() == [[4, 2], [1, 3]]
    assert cls.sensitivity(LABELS, SAID, positive=0) == cls.specificity(LABELS, SAID)


def test_shares_of_wrong_and_right_rows_are_not_sensitivity():
    assert cls.false_negative_share(LABELS, SAID) == 1 / 3
    assert cls.positive_share_of_correct(LABELS, SAID) == 3 / 7
    assert math.isnan(cls.false_negative_share(LABELS, LABELS))


@pytest.mark.parametrize("classes", [2, 4])
def test_as_scikit_learn_with_weights(classes):
    y, said, _, w = drawn(classes=classes)
    assert cls.accuracy(y, said, w) == pytest.approx(sk.accuracy_score(y, said, sample_weight=w))
    assert cls.balanced_accuracy(y, said, w) == pytest.approx(sk.balanced_accuracy_score(y, said, sample_weight=w))
    assert cls.macro_f1(y, said, w) == pytest.approx(sk.f1_score(y, said, average="macro", sample_weight=w))
    assert cls.f1(y, said, w) == pytest.approx(sk.f1_score(y == 1, said == 1, sample_weight=w))
    assert cls.confusion(y, said, w) == pytest.approx(sk.confusion_matrix(y, said, sample_weight=w))


def test_auroc_with_ties_as_scikit_learn_and_torchmetrics():
    y, _, scores, w = drawn()
    assert cls.auroc(y, scores, w) == pytest.approx(sk.roc_auc_score(y, scores, sample_weight=w), abs=1e-12)
    theirs = tm.binary_auroc(torch.tensor(scores).sigmoid(), torch.tensor(y))
    assert cls.auroc(y, scores) == pytest.approx(float(theirs), abs=1e-6)  # float32
    # pairs (0.4, 0.4) tied, (0.4, 0.1) won, (0.2, 0.4) lost, (0.2, 0.1) won
    assert cls.auroc([1, 0, 1, 0], [0.4, 0.4, 0.2, 0.1]) == 2.5 / 4


def test_balanced_accuracy_as_torchmetrics():
    y, said, _, _ = drawn(classes=3)
    theirs = tm.multiclass_accuracy(torch.tensor(said), torch.tensor(y), num_classes=3, average="macro")
    assert cls.balanced_accuracy(torch.tensor(y), torch.tensor(said)) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize(
    "measure",
    [cls.accuracy, cls.balanced_accuracy, cls.sensitivity, cls.specificity, cls.precision, cls.f1, cls.macro_f1,
     cls.false_negative_share, cls.positive_share_of_correct, cls.auroc],
)  # fmt: skip
def test_weights_are_multiplicities(measure):
    y, said, scores, w = drawn(n=60)
    other = scores if measure is cls.auroc else said
    assert measure(y, other, w) == pytest.approx(measure(np.repeat(y, w), np.repeat(other, w)), abs=1e-12)
    assert measure(y, other, np.full(60, 0.5)) == pytest.approx(measure(y, other))
    assert math.isnan(measure(y, other, np.zeros(60)))


@pytest.mark.parametrize("measure", [cls.balanced_accuracy, cls.f1, cls.macro_f1, cls.auroc])
def test_one_class_only_is_undefined(measure):
    assert math.isnan(measure(np.ones(5, int), np.array([1, 1, 1, 0, 1])))
    assert math.isnan(measure(np.array([1, 1, 0]), np.array([1, 0, 0]), np.array([1, 2, 0])))  # by weight


def test_what_a_missing_class_leaves_defined():
    ones = np.ones(4, int)
    assert math.isnan(cls.specificity(ones, ones)) and cls.sensitivity(ones, ones) == 1
    assert math.isnan(cls.precision(LABELS, np.zeros(10, int)))
    assert cls.f1(LABELS, np.zeros(10, int)) == 0  # defined: all four are missed


def test_nan_scores_are_undefined_and_shapes_must_agree():
    assert math.isnan(cls.auroc([0, 1], [0.2, math.nan]))
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        cls.accuracy([0, 1], [0, 1, 1])


def test_confusion_over_named_classes():
    assert cls.confusion([0, 2], [0, 0], classes=3).tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert cls.confusion([0, 2], [0, 0], classes=[2, 0]).tolist() == [[0, 1], [0, 1]]
    with pytest.raises(ValueError, match=r"found class \[2\]; the classes are \[0, 1\]"):
        cls.confusion([0, 2], [0, 0], classes=2)


def test_binary_measures_as_torchmetrics_and_scikit_learn():
    y, said, _, w = drawn()
    pair = torch.tensor(said), torch.tensor(y)
    for ours, theirs in (
        (cls.accuracy, tm.binary_accuracy), (cls.sensitivity, tm.binary_recall), (cls.precision, tm.binary_precision),
        (cls.specificity, tm.binary_specificity), (cls.f1, tm.binary_f1_score),
    ):  # fmt: skip
        assert ours(y, said) == pytest.approx(float(theirs(*pair)), abs=1e-6)  # float32
    assert cls.confusion(y, said).tolist() == tm.binary_confusion_matrix(*pair).tolist()
    assert cls.sensitivity(y, said, w) == pytest.approx(sk.recall_score(y, said, sample_weight=w))
    assert cls.precision(y, said, w) == pytest.approx(sk.precision_score(y, said, sample_weight=w))
    assert cls.specificity(y, said, w) == pytest.approx(sk.recall_score(y, said, sample_weight=w, pos_label=0))


def test_multiclass_measures_as_torchmetrics():
    y, said, _, _ = drawn(classes=5)
    pair = torch.tensor(said), torch.tensor(y)
    assert cls.accuracy(y, said) == pytest.approx(float(tm.multiclass_accuracy(*pair, 5, average="micro")), abs=1e-6)
    assert cls.macro_f1(y, said) == pytest.approx(float(tm.multiclass_f1_score(*pair, 5)), abs=1e-6)
    assert cls.confusion(y, said).tolist() == tm.multiclass_confusion_matrix(*pair, 5).tolist()
    each = tm.multiclass_specificity(*pair, 5, average=None)
    assert [cls.specificity(y, said, positive=c) for c in range(5)] == pytest.approx(each.tolist(), abs=1e-6)


def test_macro_auroc_as_scikit_learn_and_torchmetrics():
    rng = np.random.default_rng(0)
    y, w = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    p = rng.random((300, 4)) + np.eye(4)[y] * 0.3
    p = np.round(p / p.sum(1, keepdims=True), 2)
    p[:, 3] = 1 - p[:, :3].sum(1)
    theirs = sk.roc_auc_score(y, p, multi_class="ovr")
    assert cls.macro_auroc(y, p) == pytest.approx(theirs, abs=1e-12)
    assert cls.macro_auroc(y, p) == pytest.approx(
        float(tm.multiclass_auroc(torch.tensor(p), torch.tensor(y), 4)), abs=1e-6
    )
    assert cls.macro_auroc(y, p, w) == pytest.approx(cls.macro_auroc(np.repeat(y, w), np.repeat(p, w, 0)))
    without = cls.macro_auroc(y[y < 3], p[y < 3])  # the fourth class has no rows
    assert without == pytest.approx(np.mean([cls.auroc(y[y < 3] == c, p[y < 3, c]) for c in range(3)]))
    assert math.isnan(cls.macro_auroc([1, 1], p[:2])) and math.isnan(
        cls.macro_auroc(y, np.where(p == p[0, 0], math.nan, p))
    )
    with pytest.raises(ValueError, match="indices from 0 to 3"):
        cls.macro_auroc(y + 1, p)


def test_kappa_by_hand():
    # 50 cases: both yes 20, both no 15, only the first 5, only the second 10: p_o 0.7, p_e 0.5 * 0.6 + 0.5 * 0.4 = 0.5
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cls.cohen_kappa(first, second) == pytest.approx(0.4)
    assert cls.cohen_kappa([0, 1], [1, 0]) == -1 and cls.cohen_kappa([0, 1, 2], [0, 1, 2]) == 1
    assert math.isnan(cls.cohen_kappa([1, 1], [1, 1])) and math.isnan(cls.cohen_kappa([], []))
    assert cls.cohen_kappa([1, 1, 1], [1, 0, 1]) == 0  # one who always says the same agrees by chance alone


@pytest.mark.parametrize("classes", [2, 5])
def test_kappa_as_scikit_learn(classes):
    y, said, _, w = drawn(classes=classes, seed=classes)
    assert cls.cohen_kappa(y, said) == pytest.approx(sk.cohen_kappa_score(y, said))
    assert cls.cohen_kappa(y, said, w) == pytest.approx(sk.cohen_kappa_score(y, said, sample_weight=w))
    assert cls.cohen_kappa(y, said, w) == pytest.approx(cls.cohen_kappa(np.repeat(y, w), np.repeat(said, w)))
