"""Free choices and adaptive thresholds, on the network whose map is brightness."""

import numpy as np
import pytest
import torch
from test_segmenting import SIDE, Brightness, Fits, make_workshop, trained

from studylib.cam import explain
from studylib.cam.regions import find_regions
from studylib.metrics.localisation import iou
from studylib.models.staged import ARCHITECTURES, staged
from studylib.study import segmenting, thresholds


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return make_workshop(tmp_path_factory.mktemp("slices") / "made")


def test_choices_are_every_combination_and_one_of_them_by_hand(workshop):
    seen = segmenting.seen_by(workshop, trained(Brightness(4)))
    found = thresholds.choices(seen, ("upper",), correct_only=False)
    assert len(found) == 1 * 3 * 2 * 4
    maps = segmenting.large(segmenting.explained(seen, ("gradcam",)), "gradcam", SIDE)
    regions = maps > np.percentile(maps, 95, axis=(1, 2), keepdims=True)
    expected = np.nanmean(iou(regions, seen.pictures.masks))
    assert found["upper, bilinear, upsampled, then cut, p95"] == pytest.approx(expected, abs=1e-6)
    coarse = segmenting.explained(seen, ("gradcam",))["gradcam"].numpy()
    cut = (coarse > np.percentile(coarse, 95, axis=(1, 2), keepdims=True)).repeat(4, 1).repeat(4, 2)
    expected = np.nanmean(iou(cut, seen.pictures.masks))
    assert found["upper, nearest, cut, then upsampled, p95"] == pytest.approx(expected)
    assert max(found.values()) > 1.5 * min(found.values())


def test_adaptive_thresholds_are_those_of_find_regions_paired_with_the_percentile(workshop):
    table = thresholds.local_table(workshop, Fits(main=[trained(Brightness())]), "main", 6)
    seen = segmenting.first(segmenting.seen_by(workshop, trained(Brightness())), 6)
    maps = (seen.pictures.pixels / 255).astype(np.float32)
    otsu = find_regions(maps, "otsu", relu=False, scale=None)
    np.testing.assert_allclose(table["iou_otsu"], iou(otsu.masks, seen.pictures.masks))
    found = thresholds.adaptive(table.assign(correct=1.0))
    gap = found["iou.group.cam.local_minus_p95"]
    assert gap.value == pytest.approx((table["iou_local"] - table["iou_p95"]).mean())
    assert found["adaptive.otsu.area"].value == pytest.approx(otsu.areas.mean())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_an_earlier_layer_with_more_places(architecture, monkeypatch):
    monkeypatch.setenv("STUDYLIB_OFFLINE", "1")
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)
    model = staged(architecture).eval()
    layers = thresholds.layers_of(model)
    e = explain(model, torch.rand(1, 3, 96, 96), "gradcam", 0, layers)
    early, last = (e["gradcam", layer].shape[1] for layer in layers)
    assert early > last or (architecture, early) == ("alexnet", last)
