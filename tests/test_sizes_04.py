"""How much of an IoU is size: ceilings and slopes by hand."""

import numpy as np
import pytest
from test_maps_04 import CLASSES, rows

from studylib.metrics.localisation import attainable_iou
from studylib.study import sizes_04


def test_attainable_of_a_five_percent_region_by_hand():
    areas, labels = np.array([0.025, 0.05, 0.2, 0.01]), np.array([0, 0, 1, 2])
    found = sizes_04.attainable(areas, labels, np.arange(4).astype(str), CLASSES)
    assert found["attainable.mean.meningioma"].value == pytest.approx((0.5 + 1) / 2)
    assert found["attainable.mean.glioma"].value == pytest.approx(0.25)
    assert found["attainable.above_05.all"].value == pytest.approx(0.25)  # 0.5 itself is not above
    whole = sizes_04.relative(rows().assign(iou_p95=lambda t: attainable_iou(t["tumour"], 0.05)), CLASSES)
    assert whole["relative_iou.all"].value == pytest.approx(1.0)


def test_slope_is_least_squares_and_weights_are_multiplicities():
    rng = np.random.default_rng(1)
    x, y, w = rng.normal(size=30), rng.normal(size=30), rng.integers(0, 4, 30)
    assert sizes_04.slope(x, y) == pytest.approx(np.polyfit(x, y, 1)[0])
    assert sizes_04.slope(x, y, w) == pytest.approx(np.polyfit(np.repeat(x, w), np.repeat(y, w), 1)[0])
    assert np.isnan(sizes_04.slope(np.ones(5), np.arange(5.0)))


def test_size_slopes_are_per_doubling_of_the_tumour():
    table = rows().assign(correct=1.0)
    table["iou_p95"] = 0.1 * np.log2(table["tumour"]) + 1
    assert sizes_04.with_size(table)["slope.iou_per_log_area"].value == pytest.approx(0.1)


def test_the_order_of_classes_is_one_of_size_where_relative_iou_is_the_same():
    table = rows(240).assign(correct=1.0)
    table["tumour"] = np.array([0.03, 0.02, 0.005])[table["label"]]
    table["iou_p95"] = 0.4 * attainable_iou(table["tumour"].to_numpy(), 0.05)
    found = sizes_04.order_of_tumours(table, CLASSES)
    assert found["order.iou.meningioma_minus_glioma"].value == pytest.approx(0.4 * (0.6 - 0.4))
    assert found["order.iou.glioma_minus_pituitary"].value == pytest.approx(0.4 * (0.4 - 0.1))
    for pair in ("meningioma_minus_glioma", "glioma_minus_pituitary"):
        assert found[f"order.relative_iou.{pair}"].value == pytest.approx(0, abs=1e-12)
