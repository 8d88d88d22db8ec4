"""Calibration by hand, against scikit-learn, statsmodels and torchmetrics, and on networks calibrated by design."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from sklearn import metrics as sk
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from studylib.metrics import calibration as cal


def drawn(n=400, sharpness=1.0, seed=0):
    """Return labels and probabilities; calibrated where sharpness is 1, too sure above."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    return y, 1 / (1 + np.exp(-sharpness * z)), sharpness * z


def test_ece_by_hand():
    y, p = np.array([0, 1, 1, 1]), np.array([0.2, 0.4, 0.7, 0.9])
    # bins (.2, .4) and (.7, .9): half of |.3 - .5| and half of |.8 - 1|
    assert cal.ece(y, p, bins=2) == pytest.approx(0.2)
    # widths of a quarter: .2 | .4 | .7 | .9
    assert cal.ece(y, p, bins=4, equal="width") == pytest.approx((0.2 + 0.6 + 0.3 + 0.1) / 4)


def test_ece_of_equal_width_as_torchmetrics():
    y, p, _ = drawn()
    theirs = binary_calibration_error(torch.tensor(p), torch.tensor(y), n_bins=15)
    assert cal.ece(y, p, equal="width") == pytest.approx(float(theirs), abs=1e-6)
    theirs = multiclass_calibration_error(torch.tensor(np.stack([1 - p, p], 1)), torch.tensor(y), 2, n_bins=15)
    correct, confidence = (p > 0.5) == y, np.maximum(p, 1 - p)
    assert cal.ece(correct, confidence, equal="width") == pytest.approx(float(theirs), abs=1e-6)


def test_equal_mass_bins_hold_as_many_rows_each():
    y, p, _ = drawn(n=300)
    table = cal.reliability(y, p)
    assert (table["n"] == 20).all() and len(table) == 15
    assert (table["low"].to_numpy()[1:] > table["high"].to_numpy()[:-1]).all()
    order = np.argsort(p)
    assert table["observed"].to_numpy() == pytest.approx(y[order].reshape(15, 20).mean(1))
    assert table["probability"].to_numpy() == pytest.approx(p[order].reshape(15, 20).mean(1))
    gap = (table["n"] * (table["probability"] - table["observed"]).abs()).sum() / 300
    assert cal.ece(y, p) == pytest.approx(gap)


def test_rows_of_one_probability_share_a_bin_whatever_their_order():
    y, p = np.array([1, 1, 0, 0, 1, 0]), np.full(6, 0.5)
    assert cal.ece(y, p, bins=3) == 0  # cut by row order it would be 1/3
    assert len(cal.reliability(y, p, bins=3)) == 1


def test_brier_and_nll_as_scikit_learn():
    y, p, _ = drawn()
    w = np.random.default_rng(1).integers(0, 4, len(y))
    assert cal.brier(y, p, w) == pytest.approx(sk.brier_score_loss(y, p, sample_weight=w))
    assert cal.nll(y, p, w) == pytest.approx(sk.log_loss(y, p, sample_weight=w))
    assert cal.brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)
    assert cal.nll([1], [0.0]) == pytest.approx(-math.log(1e-7))  # certain and wrong: large, not infinite


@pytest.mark.parametrize("sharpness", [1.0, 2.5])
def test_recalibration_as_statsmodels(sharpness):
    y, p, z = drawn(sharpness=sharpness)
    w = np.random.default_rng(1).integers(0, 4, len(y))
    fit = sm.GLM(y, sm.add_constant(z), family=sm.families.Binomial(), freq_weights=w).fit()
    line = cal.recalibration(y, p, w)
    assert (line.intercept, line.slope) == pytest.approx(tuple(fit.params), abs=1e-6)
    assert cal.slope(y, p) == pytest.approx(1 / sharpness, abs=0.2 / sharpness)  # two standard errors with 400 rows


def test_recalibration_is_undefined_without_overlap_or_a_second_class():
    assert math.isnan(cal.slope([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]))
    assert math.isnan(cal.slope([1, 1, 1], [0.1, 0.2, 0.3]))
    assert math.isnan(cal.slope([1, 0, 1], [0.4, 0.4, 0.4]))
    assert math.isfinite(cal.slope([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4]))


def test_temperature_undoes_what_sharpened_the_logits():
    y, p, z = drawn(n=4000, sharpness=3.0)
    t = cal.temperature(z, y)
    assert t == pytest.approx(3, rel=0.08)  # two standard errors
    grid = np.linspace(0.9 * t, 1.1 * t, 201)
    losses = [cal.nll(y, cal.probabilities_at(z, g)) for g in grid]
    assert grid[int(np.argmin(losses))] == pytest.approx(t, rel=2e-3)
    assert cal.ece(y, cal.probabilities_at(z, t)) < 0.03 < cal.ece(y, p)
    assert cal.temperature(torch.tensor(z)[:, None], y) == pytest.approx(t)


def test_temperature_of_several_classes_agrees_with_a_fit_in_torch():
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 3, 500), rng.normal(size=(500, 3))
    z[np.arange(500), y] += 1
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    fit = torch.optim.LBFGS([log_t], max_iter=100, tolerance_change=1e-12)

    def loss():
        fit.zero_grad()
        value = torch.nn.functional.cross_entropy(torch.tensor(4 * z) / log_t.exp(), torch.tensor(y))
        value.backward()
        return value

    fit.step(loss)
    assert cal.temperature(4 * z, y) == pytest.approx(float(log_t.detach().exp()), rel=1e-4)
    assert cal.probabilities_at(4 * z, 2.0) == pytest.approx(torch.tensor(2 * z).softmax(1).numpy())


def test_temperature_has_no_best_value_for_perfect_or_empty_logits():
    assert math.isnan(cal.temperature([3.0, -2.0, 1.0], [1, 0, 1]))
    assert math.isnan(cal.temperature([0.0, 0.0], [1, 0]))
    assert math.isnan(cal.temperature([math.nan, 1.0], [1, 0]))
    with pytest.raises(ValueError, match="2 rows of logits for 3 labels"):
        cal.temperature([1.0, 2.0], [1, 0, 1])


def test_probabilities_of_one_logit_are_the_sigmoid():
    z = torch.tensor([-40.0, -1.0, 0.0, 2.0])
    assert cal.probabilities_at(z[:, None]) == pytest.approx(z.double().sigmoid().numpy(), rel=1e-12)
    assert cal.probabilities_at(z, 2.0) == pytest.approx((z.double() / 2).sigmoid().numpy())


@pytest.mark.parametrize("measure", [cal.ece, cal.brier, cal.nll, cal.slope])
def test_weights_are_multiplicities_and_nothing_is_nan(measure):
    y, p, _ = drawn(n=80)
    p = np.round(p, 2)
    w = np.random.default_rng(2).integers(0, 4, 80)
    assert measure(y, p, w) == pytest.approx(measure(np.repeat(y, w), np.repeat(p, w)), abs=1e-9)
    assert math.isnan(measure(y, p, np.zeros(80)))
    assert math.isnan(measure([0, 1], [0.2, math.nan]))


def test_logits_and_class_indices_are_refused():
    with pytest.raises(ValueError, match=r"found -1 to 3: are these logits"):
        cal.ece([0, 1], [-1.0, 3.0])
    with pytest.raises(ValueError, match="labels are 0 or 1"):
        cal.brier([0, 2], [0.1, 0.3])
    with pytest.raises(ValueError, match="'mass' or 'width'"):
        cal.ece([0, 1], [0.1, 0.3], equal="size")


def drawn_classes(n=500, classes=4, seed=0):
    """Return labels and probabilities (n, classes) of a network that is too sure, and weights."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, (n, classes))
    true = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    y = (true.cumsum(1) > rng.random((n, 1))).argmax(1)
    return y, cal.probabilities_at(2 * z), rng.integers(0, 4, n)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_ece_of_the_top_label_as_torchmetrics(classes):
    y, p, _ = drawn_classes(classes=classes)
    for bins in (10, 15):
        theirs = multiclass_calibration_error(torch.tensor(p), torch.tensor(y), classes, n_bins=bins)
        # torchmetrics adds up in float32
        assert cal.ece(*cal.top_label(y, p), bins=bins, equal="width") == pytest.approx(float(theirs), abs=1e-6)
    right, confidence = cal.top_label(torch.tensor(y), torch.tensor(p))
    assert right.mean() == pytest.approx((p.argmax(1) == y).mean()) and confidence.min() > 1 / classes
    assert (cal.recalibration(right, confidence).slope < 1) and cal.ece(right, confidence) > 0.05


def test_top_label_by_hand():
    right, confidence = cal.top_label([1, 0, 2], [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.6, 0.3, 0.1]])
    assert right.tolist() == [1, 1, 0] and confidence.tolist() == [0.5, 0.4, 0.6]  # a tie goes to the first class
    assert cal.top_label([0], [[1.0005, 0.0]])[1] == 1


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_multiclass_brier_and_nll_as_scikit_learn(classes):
    y, p, w = drawn_classes(classes=classes)
    names = list(range(classes))
    corner = np.eye(classes)[y]
    assert cal.multiclass_brier(y, p, w) == pytest.approx(np.average(((p - corner) ** 2).sum(1), weights=w))
    theirs = sk.brier_score_loss(y, p, sample_weight=w, labels=names, scale_by_half=False)
    assert cal.multiclass_brier(y, p, w) == pytest.approx(theirs)
    assert cal.multiclass_nll(y, p, w) == pytest.approx(sk.log_loss(y, p, sample_weight=w, labels=names))
    assert cal.multiclass_nll(y, p) == pytest.approx(
        float(torch.nn.functional.nll_loss(torch.tensor(p).log(), torch.tensor(y)))
    )
    if classes == 2:
        assert cal.multiclass_brier(y, p, w) == pytest.approx(2 * cal.brier(y, p[:, 1], w))
        assert cal.multiclass_nll(y, p, w) == pytest.approx(cal.nll(y, p[:, 1], w))


def test_multiclass_brier_and_nll_by_hand_and_at_their_ends():
    assert cal.multiclass_brier([2], [[0.2, 0.5, 0.3]]) == pytest.approx(0.04 + 0.25 + 0.49)
    assert cal.multiclass_brier([0], [[0.0, 1.0, 0.0]]) == 2
    assert cal.multiclass_nll([2, 1], [[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]]) == pytest.approx(-math.log(0.15) / 2)
    assert cal.multiclass_nll([0], [[0.0, 1.0]]) == pytest.approx(-math.log(1e-7))
    for measure in (cal.multiclass_brier, cal.multiclass_nll):
        assert math.isnan(measure([0, 1], [[math.nan, 1], [0.5, 0.5]]))
        assert math.isnan(measure(np.zeros(0, int), np.zeros((0, 3))))
        assert math.isnan(measure([0], [[0.5, 0.5]], np.zeros(1)))


def test_logits_or_labels_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match="sum to 1; found -1 .*are these logits"):
        cal.multiclass_brier([0], [[3.0, -1.0]])
    with pytest.raises(ValueError, match=r"indices from 0 to 1; found \[2\]"):
        cal.top_label([2], [[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"labels \(2,\), probabilities \(2,\)"):
        cal.multiclass_nll([0, 1], [0.4, 0.6])
