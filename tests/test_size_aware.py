"""Which measure is fair to small objects: correlations by hand, and the trial's outcome by measures that are known."""

import numpy as np
import pandas as pd
import pytest

from studylib.metrics import size_aware
from studylib.metrics.localisation import iou_at_matched_area


def test_displaced_discs_have_the_areas_and_displacements_that_they_are_said_to_have():
    maps, masks, table = size_aware.displaced(160, np.random.default_rng(0))
    np.testing.assert_allclose(masks.mean((1, 2)), table["area"], rtol=0.06)
    y, x = np.mgrid[:160, :160]
    for i, row in table.iterrows():
        light = maps[i] - size_aware.BACKGROUND
        map_at = np.array([(y * light).sum(), (x * light).sum()]) / light.sum()
        mask_at = np.array([y[masks[i]].mean(), x[masks[i]].mean()])
        diameter = 2 * np.sqrt(row["area"] / np.pi) * 160
        assert np.linalg.norm(map_at - mask_at) / diameter == pytest.approx(row["shift"], abs=0.05)


def test_correlations_by_hand():
    table = pd.DataFrame([{"area": a, "shift": s} for a in (1, 2, 3) for s in (0, 1)])
    falls = -table["shift"].to_numpy(float)
    assert size_aware.correlations(falls, table) == pytest.approx((-1.0, 0.0))  # constant over areas: follows none
    assert size_aware.correlations(table["area"].to_numpy(float), table) == pytest.approx((0.0, 1.0))
    less = falls + 0.001 * table["area"].to_numpy()  # below what a pixel is worth
    assert size_aware.correlations(less, table) == pytest.approx((-1.0, 0.0))


def test_iou_at_the_objects_own_area_is_fair_and_that_of_a_fixed_area_is_not():
    found = size_aware.trial(draws=4)
    table = found.table
    assert found.chosen == "iou_matched" and table.loc["iou_matched", "fair"]
    assert table.loc["iou", "with area"] > 0.3 and not table.loc["iou", "fair"]
    assert table.loc["enrichment", "with area"] < -0.9
    assert table.loc["iou_matched", "with displacement"] < -0.99
    assert (
        found.estimates["size_metric.chosen.spearman_area"] == found.estimates["size_metric.iou_matched.spearman_area"]
    )


def test_a_map_on_its_object_has_full_marks_whatever_the_size():
    maps, masks, table = size_aware.displaced(160, np.random.default_rng(1))
    still = (table["shift"] == 0).to_numpy()
    assert iou_at_matched_area(maps[still], masks[still]).min() > 0.93
