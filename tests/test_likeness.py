"""Likeness of maps beside random pairs, and every map of the same networks: on small networks, by second reckoning."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from studylib.cam import explain
from studylib.metrics.estimates import Estimate
from studylib.metrics.localisation import pixel_auprc
from studylib.metrics.sanity import random_pairs
from studylib.models.brain import brain_net
from studylib.study import likeness, methods
from studylib.study.mapping import Pictures, as_images, class_maps

SIDE, N = 64, 8


def pictures(seed: int = 0, side: int = SIDE) -> Pictures:
    rng = np.random.default_rng(seed)
    names = np.array([f"image{i}" for i in range(N)])
    masks = np.zeros((N, side, side), bool)
    masks[:, 10:20, 30:44] = True
    pixels = rng.integers(0, 255, (N, side, side)).astype(np.uint8)
    return Pictures(names, np.array([f"p{i // 2}" for i in range(N)]), np.ones(N, int), pixels, masks)


def network(seed: int, side: int = SIDE) -> torch.nn.Module:
    torch.manual_seed(seed)
    return brain_net(side).eval()


def trained(arm: str, repeat: int, seed: int, side: int = SIDE):
    fit = SimpleNamespace(model=lambda: network(seed, side), spec=SimpleNamespace(options=()))
    return SimpleNamespace(run=SimpleNamespace(name=f"{arm}-{repeat}", repeat=repeat, seed=repeat), fit=fit)


class Fits:
    def __init__(self, **arms):
        self.arms = arms

    def select(self, arm):
        return self.arms[arm]


@pytest.fixture(autouse=True)
def held_out(monkeypatch):
    monkeypatch.setattr(likeness, "held_out", lambda _workshop, t: pictures(t.run.repeat))


def test_rows_hold_likeness_and_the_mean_of_fifty_pairs_of_the_same_maps():
    rng = np.random.default_rng(0)
    before, after = rng.random((N, 9, 9)), rng.random((N, 9, 9))
    rows = likeness.beside_pairs(pictures(), before, after, seed=3, layer="fc")
    assert rows["spearman"].to_numpy() == pytest.approx(
        [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(before, after, strict=True)]
    )
    pairs = random_pairs(before, 3, 50)
    assert (rows["pairs_spearman"] == pairs.spearman.mean()).all() and len(pairs.spearman) == 50
    assert (rows["pairs_overlap"] == pairs.overlap.mean()).all() and set(rows["layer"]) == {"fc"}


def test_the_cascade_ends_without_a_learned_weight_and_single_layers_keep_the_rest():
    fits = Fits(cam=[trained("cam", 0, 1), trained("cam", 1, 2)], none=[trained("none", 0, 3)], lots=[])
    whole = likeness.randomisations(None, fits, "cam", cascade=True)
    single = likeness.randomisations(None, fits, "cam", cascade=False)
    assert list(whole["layer"].unique()) == list(single["layer"].unique()) == ["fc", "bn", "conv"]
    first = [table[(table["layer"] == "fc") & (table["repeat"] == 0)] for table in (whole, single)]
    pd.testing.assert_frame_equal(*(t.reset_index(drop=True) for t in first))  # the first step is one layer in both
    end, alone = (table[table["layer"] == "bn"]["spearman"].mean() for table in (whole, single))
    assert alone > 0.9 > end  # a fresh norm alone is the norm of an untrained network; the cascade lost the head too


def test_labels_by_lot_are_compared_with_the_network_of_the_same_repeat():
    fits = Fits(none=[trained("none", r, r) for r in range(3)], lots=[trained("lots", r, r) for r in (1, 2, 3)])
    rows = likeness.labels_by_lot(None, fits, "none", "lots")
    assert sorted(rows["repeat"].unique()) == [1, 2]
    assert rows["spearman"].to_numpy() == pytest.approx(1)  # the very same weights here


def test_pairs_of_networks_each_once_and_maps_of_two_sizes_on_the_smaller_grid():
    same = [trained("cam", r, r) for r in range(3)]
    rows = likeness.between_networks(same, same, lambda t: pictures())
    assert rows["pair"].nunique() == 3 and len(rows) == 3 * N
    one = class_maps(network(0), pictures().pixels)[0]
    two = class_maps(network(1), pictures().pixels)[0]
    first = rows[rows["pair"] == "cam-0, cam-1"]["spearman"].to_numpy()
    assert first == pytest.approx([spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, two, strict=True)])
    other = [trained("plain", 0, 5, 128)]
    mixed = likeness.between_networks(same[:1], other, lambda t: pictures(side=128 if "plain" in t.run.name else SIDE))
    large = torch.from_numpy(class_maps(network(5, 128), pictures(side=128).pixels)[0])
    small = torch.nn.functional.interpolate(large[:, None], size=(4, 4), mode="bilinear")[:, 0].numpy()
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, small, strict=True)]
    assert mixed["spearman"].to_numpy() == pytest.approx(expected)
    with pytest.raises(ValueError, match="cam-0 and cam-1 were not given the same pictures"):
        likeness.between_networks(
            same[:2], same[1:], lambda t: pictures() if t.run.repeat == 0 else pictures().where(np.arange(N) > 2)
        )


def test_excess_is_paired_and_a_measure_without_a_value_says_so():
    rows = pd.DataFrame(
        {
            "image": ["a", "b", "c", "a", "b", "c"],
            "group": ["p", "q", "r", "p", "q", "r"],
            "spearman": [0.5, 0.6, 0.7, 0.7, 0.8, 0.9],
            "pairs_spearman": [0.1] * 3 + [0.3] * 3,
            "ssim": np.nan,
            "pairs_ssim": np.nan,
            "overlap": 0.5,
            "pairs_overlap": 0.5,
        }
    )
    found = likeness.excesses(rows, "a test", unit="patient")
    assert found["spearman"].value == pytest.approx(0.5) and found["spearman"].n == 3
    assert found["ssim"] == "ssim is not defined on maps of this size" and found["overlap"].value == 0
    kept = likeness.named("sanity", {"cascade": found})
    assert list(kept) == [f"sanity.cascade.{m}_minus_random_pairs" for m in ("spearman", "overlap")]
    assert likeness.agreement(rows, "2 networks").value == pytest.approx(0.7)


def test_small_changes_leave_the_map_of_a_convolution_nearly_alone():
    found = likeness.perturbed(None, Fits(cam=[trained("cam", 0, 1)]), "cam")
    assert set(found) == {"noise", "shift"} and all(isinstance(e, Estimate) for e in found.values())
    assert found["noise"].value > 0.95 and "noise of 2% of the range" in found["noise"].how


LAYERS = ("relu", "pool2")


def test_every_map_is_scored_against_its_mask_and_the_source_s_cam_is_subtracted():
    fits = Fits(cam=[trained("cam", 0, 1), trained("cam", 1, 2)])
    table = methods.methods_table(fits, "cam", lambda t: pictures(t.run.repeat), LAYERS)
    names = set(table["map"])
    assert len(names) == 14 + 2 and "CAM at relu" not in names and "CRM at pool2" in names  # CAM needs the linear head
    e = explain(network(1), as_images(pictures(0).pixels), "gradcam++", 1, "relu")
    large = torch.nn.functional.interpolate(e["gradcam++"][:, None], size=(SIDE, SIDE), mode="bilinear")[:, 0]
    mine = table[(table["map"] == "Grad-CAM++ at relu") & (table["repeat"] == 0)]["auprc"].to_numpy()
    assert mine == pytest.approx(pixel_auprc(large.numpy(), pictures(0).masks))
    ahead = methods.against(table, "phantom", LAYERS, unit="patient")
    rows = table.groupby(["map", "image", "group"])["auprc"].mean()
    difference = (rows["Score-CAM at relu"] - rows["CAM at pool2"]).groupby("group").mean().mean()
    assert ahead["loc.phantom.scorecam_relu_minus_cam.auprc"].value == pytest.approx(difference)
    floor = (rows["Grad-CAM++ at relu"] - rows["floor: brightest pixels"]).groupby("group").mean().mean()
    assert ahead["loc.phantom.gradcampp_relu_minus_brightest.auprc"].value == pytest.approx(floor)
    assert len(ahead) == 3 * 2 * 2
    summary = methods.methods_summary(table)
    assert summary["auprc"].is_monotonic_decreasing and (summary["undefined"] == 0).all()


def test_choices_cover_method_layer_and_interpolation():
    found = methods.choices(trained("cam", 0, 1), pictures(), LAYERS)
    assert len(found) == 14 * 3
    e = explain(network(1), as_images(pictures().pixels), "cam", 1, "pool2")
    large = torch.nn.functional.interpolate(e["cam"][:, None], size=(SIDE, SIDE), mode="nearest")[:, 0].numpy()
    assert found["CAM at pool2, nearest"] == pytest.approx(np.mean(pixel_auprc(large, pictures().masks)))
    assert found["CAM at pool2, bilinear"] == found["HiResCAM at pool2, bilinear"]  # one and the same behind flatten
