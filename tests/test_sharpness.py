"""The quality gate: measures against scipy, thresholds and shares by hand, worth for a network that fails on blur."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from studylib.metrics import classification
from studylib.study import sharpness
from studylib.study.report_folder import NAME

HOW = {"resamples": 200}


def textured(n: int = 40, side: int = 48, seed: int = 0) -> np.ndarray:
    """Noise of many wavelengths, of a contrast of its own each, uint8 (N, S, S)."""
    rng = np.random.default_rng(seed)
    noise = sum(ndimage.gaussian_filter(rng.normal(size=(n, side, side)), (0, s, s)) * s for s in (0.6, 2, 5))
    return np.clip(128 + rng.uniform(15, 25, (n, 1, 1)) * noise, 0, 255).astype(np.uint8)


def stream(n: int = 40) -> pd.DataFrame:
    """Half of the groups for training; a network that is right unless the picture is blurred by 499, sigma 3 here."""
    columns = {
        "image": np.array([f"i{i}" for i in range(n)]),
        "group": np.array([f"g{i // 2}" for i in range(n)]),
        "part": np.where(np.arange(n) < n // 2, "train", "test"),
    }
    table = sharpness.measured(textured(n), columns, kernels=(1, 199, 499))
    return table.assign(correct=(table["kernel"] < 499).astype(float))


def by_hand(values, part="train", kernel=1) -> pd.DataFrame:
    names = [f"{part}{i}" for i in range(len(values))]
    return pd.DataFrame({"image": names, "group": names, "part": part, "kernel": kernel, "laplacian": values})


def test_variance_of_the_laplacian_as_scipy():
    images = textured(3)
    expected = [ndimage.laplace(image / 255, mode="mirror").var() for image in images]
    np.testing.assert_allclose(sharpness.laplacian_variance(images), expected, rtol=1e-5)
    np.testing.assert_allclose(sharpness.laplacian_variance(images / 255), expected, rtol=1e-5)
    colour = np.repeat(images[..., None], 3, axis=3)
    np.testing.assert_allclose(sharpness.laplacian_variance(colour), expected, rtol=1e-4)
    # one white pixel: -4 once, 1 four times, 0 else
    dot = np.zeros((1, 10, 10), np.uint8)
    dot[0, 5, 5] = 255
    assert sharpness.laplacian_variance(dot)[0] == pytest.approx((16 + 4) / 100)
    with pytest.raises(ValueError, match=r"images\[None\]"):
        sharpness.laplacian_variance(images[0, :, :])


def test_scale_shrinks_by_averaging_and_never_enlarges():
    images = textured(2, 40)
    small = sharpness.at_scale(images[:, :, :20], 20)
    assert small.shape == (2, 20, 10)
    np.testing.assert_allclose(small, images[:, :, :20].reshape(2, 20, 2, 10, 2).mean((2, 4)), atol=0.51)
    with pytest.raises(ValueError, match="40 x 40 pixels are smaller than the gate's scale of 60"):
        sharpness.at_scale(images, 60)


def test_every_image_is_measured_under_every_blur_at_the_scale():
    images = textured(4, 64)
    columns = {"image": np.arange(4)}
    table = sharpness.measured(images, columns, kernels=(1, 499), side=32)
    assert table["kernel"].tolist() == [1] * 4 + [499] * 4 and table["image"].tolist() == [0, 1, 2, 3] * 2
    half = np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in images])
    np.testing.assert_allclose(table["laplacian"][:4], sharpness.laplacian_variance(half))
    for measure in sharpness.MEASURES:
        assert (table[measure][4:].to_numpy() < table[measure][:4].to_numpy()).all()
    with pytest.raises(ValueError, match="column 'image' has 3 values for 4 images"):
        sharpness.measured(images, {"image": np.arange(3)})


def test_the_threshold_refuses_at_most_the_share_of_sharp_training_images():
    values = np.arange(100.0)
    table = pd.concat([by_hand(values), by_hand([-5.0] * 50, "test"), by_hand([-9.0] * 50, kernel=49)])
    gate = sharpness.fit_gate(table)
    assert (gate.threshold, gate.n, gate.groups) == (4.0, 100, 100)  # 0 to 3 lie below, four of a hundred
    assert sharpness.fit_gate(by_hand(np.arange(101.0))).threshold == 5.0
    assert sharpness.fit_gate(table, reject=0).threshold == 0
    assert gate.accepts(by_hand([3.9, 4.0, np.nan])).tolist() == [False, True, False]
    for share in (0.01, 0.05, 0.3):
        rng = np.random.default_rng(0)
        rows = by_hand(rng.integers(0, 30, 77).astype(float))
        assert (~sharpness.fit_gate(rows, reject=share).accepts(rows)).mean() <= share
    # several networks on the same pictures, and pictures without a value, change nothing
    again = pd.concat([table.assign(repeat=0), table.assign(repeat=1), by_hand([np.nan] * 9)])
    assert sharpness.fit_gate(again) == gate or sharpness.fit_gate(again).threshold == gate.threshold


def test_a_gate_needs_sharp_training_images():
    with pytest.raises(ValueError, match="no row has part 'train', kernel 1 and a finite 'laplacian' .parts: test"):
        sharpness.fit_gate(by_hand([1.0, 2.0], "test"))
    with pytest.raises(ValueError, match="reject is 1;"):
        sharpness.fit_gate(by_hand([1.0, 2.0]), reject=1)
    with pytest.raises(KeyError, match="no column 'laplacean'.*did you mean 'laplacian'"):
        sharpness.fit_gate(by_hand([1.0]), "laplacean")
    with pytest.raises(ValueError, match="no row has part 'test'"):
        sharpness.tells_blur(by_hand([1.0, 2.0]), sharpness.fit_gate(by_hand([1.0])))


@pytest.mark.parametrize("measure", sharpness.MEASURES)
def test_a_gate_tells_blurred_from_sharp(measure):
    table = stream()
    gate = sharpness.fit_gate(table, measure)
    found = sharpness.tells_blur(table, gate, **HOW)
    test = table[table["part"] == "test"]
    for kernel in (199, 499):
        both = test[test["kernel"].isin((1, kernel))]
        e = found[f"gate.{measure}.auroc.k{kernel}"]
        assert e.value == pytest.approx(classification.auroc(both["kernel"] == 1, both[measure], positive=True))
        refused = (both.loc[both["kernel"] == kernel, measure] < gate.threshold).mean()
        assert found[f"gate.{measure}.refused.k{kernel}"].value == pytest.approx(refused)
        assert e.n == 20 and e.groups == 10
    assert found[f"gate.{measure}.refused.k499"].value == 1 > found[f"gate.{measure}.refused.k1"].value
    assert all(NAME.match(name) for name in found)
    twice = pd.concat([table.assign(repeat=0), table.assign(repeat=1)])  # two networks: the pictures are the same
    assert sharpness.tells_blur(twice, gate, **HOW) == found


def test_a_gate_that_refuses_one_class_more_often_is_shown():
    test = by_hand([9.0, 9.0, 11.0, 9.0, 11.0, 11.0, 11.0, 11.0], "test").assign(label=[1, 1, 1, 0, 0, 0, 0, 0])
    blurred = by_hand([1.0] * 8, "test", 49).assign(label=0)  # not asked about
    table = pd.concat([by_hand([10.0]).assign(label=0), test, blurred])
    e = sharpness.refused_by_label(table, sharpness.fit_gate(table), **HOW)["gate.laplacian.refused.by_label"]
    assert e.value == pytest.approx(2 / 3 - 1 / 5) and e.n == 8


def test_what_a_gate_is_worth_by_hand():
    train = by_hand([10.0, 11.0])
    test = pd.concat([by_hand([12.0, 11.0, 10.0], "test"), by_hand([9.0, np.nan, 8.0], "test", 49)])
    table = pd.concat([train, test]).assign(correct=[1, 1, 1, 1, 0, 0, 0, 1])
    gate = sharpness.fit_gate(table)
    found = {name: e for name, e in sharpness.worth(table, gate, "all", **HOW).items()}
    values = {name.removeprefix("gate.laplacian.all."): e.value for name, e in found.items()}
    assert values["accepted"] == 0.5 and values["accuracy_all"] == 0.5
    assert values["accuracy_accepted"] == pytest.approx(2 / 3)
    assert values["accuracy_gain"] == pytest.approx(2 / 3 - 1 / 2)
    # by sharpness: right, right, wrong, wrong, right (8.0), wrong (undefined ranks last)
    assert values["area"] == pytest.approx(np.mean([1, 1, 2 / 3, 2 / 4, 3 / 5, 3 / 6]))
    assert values["area_gain"] == pytest.approx(values["area"] - 0.5)
    assert values["area_possible"] == pytest.approx(np.mean([1, 1, 1, 3 / 4, 3 / 5, 3 / 6]))
    assert "1 of undefined sharpness refused" in found["gate.laplacian.all.accepted"].how
    curve, points = sharpness.coverage_curve(table, gate, (1.0, 0.5), **HOW)
    assert curve["accuracy"].tolist() == pytest.approx([0.5, 2 / 3])
    assert points["gate.laplacian.coverage.c50"].value == pytest.approx(2 / 3)
    assert all(NAME.match(name) for name in [*found, *points])


def test_all_refused_is_undefined():
    table = pd.concat([by_hand([10.0]), by_hand([1.0, 2.0], "test", 49)]).assign(correct=1.0)
    found = sharpness.worth(table, sharpness.fit_gate(table), **HOW)
    assert found["gate.laplacian.accepted"].value == 0
    for key in ("accuracy_accepted", "accuracy_gain"):
        assert np.isnan(found[f"gate.laplacian.{key}"].value)
        assert "200 undefined resamples (too many for an interval)" in found[f"gate.laplacian.{key}"].how


def test_a_gate_helps_a_network_that_fails_when_blurred():
    table = stream()
    gate = sharpness.fit_gate(table, "high_frequency")
    found = sharpness.worth(table, gate, **HOW)
    assert found["gate.high_frequency.accuracy_gain"].low > 0.1
    assert found["gate.high_frequency.area_gain"].low > 0.1
    assert found["gate.high_frequency.area"].value <= found["gate.high_frequency.area_possible"].value
    curve, _ = sharpness.coverage_curve(table, gate, **HOW)
    assert curve.loc[0.3, "accuracy"] == 1 and curve.loc[1.0, "accuracy"] == pytest.approx(2 / 3)
