"""Arms against each other, on tables whose answers are counted by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import ablations_02, compare, leak, records_02
from studylib.study.fits import Fits, Trained
from studylib.study.plan import Run
from studylib.study.settings import Arm

HOW = {"unit": "patient", "resamples": 200, "seed": 0}


def trained(arm, split, repeat, rows, history=None, best=1):
    """A network whose predictions are given: rows of (image, group, part, label, p_yes)."""
    table = pd.DataFrame(rows, columns=["image", "group", "part", "label", "p_yes"])
    table["p_no"], table["target"] = 1 - table["p_yes"], table["label"]
    table = table[["image", "group", "part", "label", "target", "p_no", "p_yes"]]
    run = Run(Arm(arm, "brain"), split, repeat, repeat, 0)
    return Trained(run, SimpleNamespace(predictions=table, history=history, best_epoch=best))


def images(right, part="test", label=1):
    """Images i0, i1, ... in groups of two, right where `right` is true."""
    return [(f"{part}{i}", f"g{i // 2}", part, label, 0.9 if ok == bool(label) else 0.1) for i, ok in enumerate(right)]


@pytest.fixture
def fits():
    a = images([1, 1, 1, 1, 1, 1, 0, 0])  # 6 of 8
    b = images([1, 1, 1, 0, 0, 0, 0, 0])  # 3 of 8
    train = images([1] * 10, "train")
    return Fits([trained("cam", "group", 0, a + train), trained("none", "group", 0, b + train)])


def test_rates_and_paired_difference(fits):
    assert compare.rate_of(fits, "cam", **HOW).value == 6 / 8
    difference = compare.difference_of(fits, "cam", "none", **HOW)
    assert difference.value == pytest.approx(3 / 8) and difference.groups == 4 and difference.n == 8
    assert compare.rate_of(fits, "cam", rate="fnr", **HOW).value == 2 / 8
    assert np.isnan(compare.rate_of(fits, "cam", rate="fpr", **HOW).value)


def test_only_pairs_that_were_trained_are_compared(fits):
    found = compare.differences(fits, [("cam", "none"), ("cam", "frozen")], **HOW)
    assert list(found) == ["accuracy.group.cam_minus_none.test"]
    with pytest.raises(KeyError, match="no 'frozen' on 'group'; it trained cam, none"):
        fits.predictions("frozen")


def test_gaps(fits):
    assert compare.gap_between(fits, "cam", ("train", "test"), **HOW).value == pytest.approx(1 - 6 / 8)
    both = compare.gap_difference(fits, ("cam", "group"), ("none", "group"), ("train", "test"), **HOW)
    assert both.value == pytest.approx((1 - 6 / 8) - (1 - 3 / 8))


def test_networks_of_a_repeat_are_averaged_within_an_image():
    rows = [images([1, 1]), images([1, 0])]
    a = [trained("cam", "group", r, rows[r]) for r in (0, 1)]
    b = [trained("none", "group", r, images([0, 0])) for r in (0, 1)]
    table = compare.paired(*(Fits(x).predictions(n) for x, n in ((a, "cam"), (b, "none"))), "correct")
    assert table.sort_values("image")["a"].tolist() == [1.0, 0.5] and table["b"].tolist() == [0, 0]


def test_arms_without_a_common_image_are_refused():
    a, b = Fits([trained("cam", "group", 0, images([1, 1]))]), Fits([trained("cam", "group", 1, images([1, 1]))])
    with pytest.raises(ValueError, match="not tested on a single image in common"):
        compare.paired(a.predictions("cam"), b.predictions("cam"), "correct")


def test_the_leak_is_the_difference_of_the_splits():
    honest, leaky = images([1, 0, 1, 0]), images([1, 1, 1, 0])
    fits = Fits([trained("cam", "group", 0, honest), trained("cam", "random_images", 0, leaky)])
    assert leak.accuracy_gap(fits, "cam", **HOW).value == pytest.approx(3 / 4 - 2 / 4)


def test_epochs_to_a_share():
    curve = pd.DataFrame({"epoch": [1, 2, 3], "training_accuracy": [0.5, 0.95, 0.8]})
    assert compare.epochs_to(0.9)(curve) == 2 and compare.epochs_to(0.99)(curve) == 4


def test_pies_are_not_sensitivity():
    """8 tumours of 10 pictures, 6 found; both others right: 6 of 8 correct cases are tumours, sensitivity is 6/8 too;
    with one tumour less found the pie falls to 5/7 and sensitivity to 5/8."""
    rows = images([1] * 5 + [0] * 3) + images([1, 1], label=0)
    rows = [(f"{i}", *row[1:]) for i, row in enumerate(rows)]
    table = Fits([trained("cam", "random_images", 0, rows)]).predictions("cam", "random_images")
    shares, found = records_02.pies(table, **HOW)
    assert shares["correct"] == pytest.approx((5 / 7, 2 / 7)) and shares["wrong"] == pytest.approx((1, 0))
    assert found["pie.correct_yes_minus_sensitivity"].value == pytest.approx(5 / 7 - 5 / 8)
    assert found["pie.correct_no_minus_specificity"].value == pytest.approx(2 / 7 - 1)


def test_the_kept_epoch_must_be_the_first_best():
    history = pd.DataFrame({"validation_accuracy": [0.5, 0.8, 0.8]})
    good = trained("cam", "group", 0, images([1]), history, best=2)
    late = trained("cam", "group", 1, images([1]), history, best=3)
    assert records_02.kept_first_best(Fits([good])).value == 1
    assert records_02.kept_first_best(Fits([good, late])).value == 0.5


def test_restless_losses_have_a_larger_number():
    calm = pd.DataFrame({"validation_loss": [1.0, 0.9, 0.8, 0.7]})
    restless = pd.DataFrame({"validation_loss": [1.0, 0.5, 1.0, 0.5]})
    assert ablations_02.loss_restlessness(calm) == pytest.approx(0, abs=1e-12)
    assert ablations_02.loss_restlessness(restless) == pytest.approx(np.std([-0.5, 0.5, -0.5], ddof=1))


def test_ablations_leave_out_what_was_not_trained(fits):
    assert ablations_02.ablations(fits, **HOW) == {}


def test_gain_from_more_groups_is_paired():
    rows = {"pretrained": [1, 1, 1, 1], "pretrained_half": [1, 1, 0, 0], "cam": [1, 1, 0, 0], "cam_half": [1, 0, 0, 0]}
    fits = Fits([trained(arm, "group", 0, images(right)) for arm, right in rows.items()])
    assert ablations_02.scaling(fits, **HOW).value == pytest.approx(2 / 4 - 1 / 4)


def test_the_step_from_copies_to_originals_by_hand():
    rows = images([1, 1, 0, 0]) + images([1, 1, 1, 0], "test_copies") + images([1, 1], "train")
    fits = Fits([trained("cam", "group", 0, rows)])
    found = records_02.step_to_originals(fits, "cam", **HOW)
    assert found["accuracy.group.cam.test_copies"].value == 3 / 4
    assert found["shift.group.cam.copies_minus_originals"].value == pytest.approx(3 / 4 - 2 / 4)
    metrics = found | {f"{name}.group.cam.test": compare.rate_of(fits, "cam", **HOW) for name in ("accuracy", "auroc")}
    text = records_02.reach(fits, "cam", metrics, **HOW)
    assert text.startswith("Accuracy on untouched pictures of unseen groups: 0.5 ") and "calls 0.5 " in text


@pytest.mark.parametrize("related", [True, False])
def test_labels_by_lot_are_recognised_only_where_relatives_stand_in_training(related):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (60, 32, 32)).astype(np.uint8)  # two of each group; the second is the first again
    pictures[1::2] = pictures[::2]
    groups = np.repeat([f"g{i:02}" for i in range(30)], 2)
    labels = np.repeat(np.arange(30) % 2, 2)
    part = np.where(np.arange(60) % 2 == 0, "train", "test") if related else np.where(groups < "g20", "train", "test")
    workshop = SimpleNamespace(
        pixels=lambda *_: (pictures, ""),
        dataset=lambda: None,
        labels=lambda _: (labels, ("no", "yes")),
        group_of=lambda _: groups,
        split=lambda _: SimpleNamespace(part=part),
        folder=Path(),
        seed=0,
    )
    fits = Fits([trained("cam", "group", 0, images([1, 0]))])
    found = leak.neighbour_by_lot(workshop, fits, "cam", "group")
    assert found.n == 200
    if related:
        assert found.low > 0.4  # every label is copied right, against one in two
    else:
        assert found.low <= 0 <= found.high and abs(found.value) < 0.03
