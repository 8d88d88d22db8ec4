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
    assert size_aware.correlations(falls, table) == pytest.approx((-1.0, 0.0, 0.0))  # constant over areas: follows none
    assert size_aware.correlations(table["area"].to_numpy(float), table) == pytest.approx((0.0, 1.0, 1.0))
    less = falls + 0.001 * table["area"].to_numpy()  # below what a pixel is worth: 0.002 of a range of 1.002
    assert size_aware.correlations(less, table) == pytest.approx((-1.0, 0.0, 0.002 / 1.002))
    more = falls + 0.1 * table["area"].to_numpy()
    assert size_aware.correlations(more, table) == pytest.approx((-1.0, 1.0, 0.2 / 1.2))
    scale = size_aware.correlations(1000 * less, table)
    assert scale == pytest.approx((-1.0, 0.0, 0.002 / 1.002))  # the unit of a measure does not matter
    assert np.isnan(size_aware.correlations(np.full(6, np.nan), table)).all()


@pytest.mark.parametrize("blur", size_aware.BLURS)
def test_iou_at_the_objects_own_area_is_the_overlap_of_two_discs_whatever_area_and_blur(blur):
    found = [size_aware.displaced(160, np.random.default_rng(k), blur) for k in range(3)]
    maps, masks = (np.concatenate([one[i] for one in found]) for i in (0, 1))
    d = np.concatenate([one[2]["shift"] for one in found])
    lens = 2 / np.pi * (np.arccos(d) - d * np.sqrt(1 - d**2))
    off = np.abs(iou_at_matched_area(maps, masks) - lens / (2 - lens))
    assert np.quantile(off, 0.95) < 0.02 and off.max() < 0.06  # the smallest disc is 11 pixels wide


def test_candidates_by_hand():
    mask = np.zeros((1, 10, 10), bool)
    mask[0, 4:6, 4:6] = True  # 4 of 100 pixels; the fixed region has 5
    found = {name: values[0] for name, values in size_aware.scores(mask + 0.0, mask).items()}
    assert list(found) == list(size_aware.CANDIDATES)
    assert found["iou"] == pytest.approx(4 / 5) and found["iou_of_attainable"] == pytest.approx(1)
    for name in ("iou_matched", "auprc", "auprc_above_chance", "energy_inside", "pointing"):
        assert found[name] == pytest.approx(1)
    assert found["auprc_lift"] == found["enrichment"] == pytest.approx(np.log2(25))


def test_iou_at_the_objects_own_area_is_fair_and_that_of_a_fixed_area_is_not():
    found = size_aware.trial(draws=6)
    table = found.table
    assert found.chosen == "iou_matched" and table.loc["iou_matched", "fair"]
    assert table.loc["iou_matched", "spread over areas"] < 0.03
    area = [f"with area, {blur} blur" for blur in size_aware.BLURS]
    assert (table.loc["iou", area] > 0.3).all() and not table.loc["iou", "fair"]
    assert (table.loc["iou_of_attainable", area] < -0.5).all()  # dividing by the attainable turns it round
    own, grid = table.loc["enrichment", area]
    assert own < -0.9 and grid > 0  # which way it follows the size depends on the map's blur
    assert not table.loc["pointing", "fair"]  # yes or no: it does not follow the size, nor small displacements
    assert table.loc["iou_matched", [f"with displacement, {blur} blur" for blur in size_aware.BLURS]].max() < -0.99
    worse = found.estimates["size_metric.enrichment.spearman_area"].value
    assert worse == own  # of the two blurs the one under which it follows the size more
    for what in ("displacement", "area"):
        ours = found.estimates[f"size_metric.iou_matched.spearman_{what}"]
        assert found.estimates[f"size_metric.chosen.spearman_{what}"] == ours


def test_where_no_candidate_is_fair_none_is_chosen_and_the_record_says_so(monkeypatch):
    monkeypatch.setattr(size_aware, "FALLS", -1.1)
    found = size_aware.trial(side=96, draws=2)
    assert found.chosen == "" and not found.table["fair"].any()
    estimate = found.estimates["size_metric.chosen.spearman_area"]
    assert np.isnan(estimate.value) and estimate.how == "no candidate is fair"


def test_a_map_on_its_object_has_full_marks_whatever_the_size():
    maps, masks, table = size_aware.displaced(160, np.random.default_rng(1))
    still = (table["shift"] == 0).to_numpy()
    assert iou_at_matched_area(maps[still], masks[still]).min() > 0.93
