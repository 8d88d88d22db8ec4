"""IoU at many thresholds from one sorting equals the plain way; what is undefined is NaN."""

import numpy as np
import pytest

from studylib.metrics.localisation import iou
from studylib.metrics.overlap import iou_above


def test_equals_thresholding_one_by_one_ties_included():
    rng = np.random.default_rng(0)
    maps, masks = rng.integers(-4, 5, (6, 9, 7)) / 2, rng.random((6, 9, 7)) < 0.3
    levels = {str(level): np.full(6, level) for level in (-3.0, -0.5, 0.0, 0.25, 1.5)}
    levels["each its own"] = rng.normal(size=6)
    for name, (found, area) in iou_above(maps, masks, levels).items():
        regions = maps > levels[name][:, None, None]
        np.testing.assert_allclose(found, iou(regions, masks))
        np.testing.assert_allclose(area, regions.mean((1, 2)))


def test_by_hand_the_level_itself_is_left_out():
    maps, masks = np.arange(6.0).reshape(1, 2, 3), np.array([[[0, 0, 0], [1, 1, 1]]])
    found = iou_above(maps, masks, {"a": np.array([2.0]), "b": np.array([3.0]), "c": np.array([1.5])})
    assert [found[k][0][0] for k in "abc"] == pytest.approx([1.0, 2 / 3, 3 / 4])
    assert [found[k][1][0] for k in "abc"] == pytest.approx([3 / 6, 2 / 6, 4 / 6])


def test_undefined_is_nan():
    maps, masks = np.random.default_rng(0).random((5, 4, 4)), np.zeros((5, 4, 4), bool)
    masks[:, :2] = True
    maps[1], maps[2, 0, 0], masks[3] = 0.5, np.nan, False
    levels = {"middle": np.full(5, 0.5), "none": np.full(5, np.nan), "top": np.full(5, 2.0)}
    found = iou_above(maps, masks, levels)
    assert np.isfinite(found["middle"][0]).tolist() == [True, False, False, False, True]
    assert np.isnan(found["none"][0]).all() and np.isnan(found["top"][0]).all() and np.isnan(found["top"][1]).all()
