"""Small parts that pages are made of: gates, probes, shifts, layers, examples by rule, tables."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch

from studylib.metrics.intervals import Estimate
from studylib.study import audit, display, maps_02, probes, robustness
from studylib.study.architecture import layer_table
from studylib.study.figures import quantile_cases
from studylib.study.mapping import Pictures, class_maps, floor_maps, score
from studylib.study.records_02 import loss_difference, network_facts, split_shares
from studylib.study.scrutiny import emptiness, masked_flips
from studylib.study.train import keep_share

mpl.use("agg")


def estimate(low, high):
    return Estimate((low + high) / 2, low, high, 20, 10, "patient", "mean")


def test_a_gate_passes_only_with_its_whole_interval():
    assert audit.above("g", "r", estimate(0.51, 0.9), 0.5).outcome == "pass"
    assert audit.above("g", "r", estimate(0.5, 0.9), 0.5).outcome == "fail"
    assert audit.below("g", "r", estimate(0.0, 0.05), 0.05).outcome == "fail"
    undefined = Estimate(float("nan"), float("nan"), float("nan"), 0, 0, "patient", "mean")
    assert audit.above("g", "r", undefined, 0).outcome == audit.below("g", "r", undefined, 0).outcome == "fail"


def test_gate_0_sees_a_crossing_and_a_leak():
    clean, crossed = (pd.DataFrame({"crossing": [0, n]}) for n in (0, 2))
    assert [g.outcome for g in audit.leak_gate(clean, estimate(0.4, 0.6))] == ["pass", "pass"]
    assert [g.outcome for g in audit.leak_gate(crossed, estimate(0.6, 0.8))] == ["fail", "fail"]
    assert audit.leak_gate(clean, None)[1].outcome == "not applicable"


def test_table_3_2():
    facts = {name: e.value for name, e in network_facts().items()}
    assert facts == {
        "network.input": 240, "network.channels": 3, "network.outputs": 1, "network.conv_parameters": 2496,
        "network.pool1": 60, "network.gate": 60, "network.pool2": 15, "network.flatten": 7200,
        "network.parameters": 9697,
    }  # fmt: skip
    assert layer_table("brain", 240, gate="cam").loc["gate", "parameters"] == 292


def test_shares_of_a_split():
    part = np.array(["train"] * 7 + ["validation"] * 2 + ["test"] + ["unused"] * 90)
    assert {n.split(".")[-1]: e.value for n, e in split_shares(part).items()} == {
        "train": 0.7,
        "validation": 0.2,
        "test": 0.1,
    }


def test_losses_agree_in_float64():
    assert loss_difference(pd.Series([-3.0, 0.2, 4.0]), pd.Series([0, 1, 1])).value < 1e-12


def test_half_of_the_groups_are_kept_and_no_test_group_touched():
    groups = np.repeat([f"g{i}" for i in range(10)], 3)
    parts = np.where(np.isin(groups, ["g8", "g9"]), "test", "train")
    kept = keep_share(parts, groups, 0.5, np.random.default_rng(0))
    assert len(set(groups[kept == "train"])) == 4 and (kept[parts == "test"] == "test").all()
    assert keep_share(parts, groups, 1.0, np.random.default_rng(0)) is parts


def test_shifts_move_by_a_tenth_to_four_sides():
    pixels = np.zeros((1, 20, 20), np.uint8)
    pixels[0, 10, 10] = 255
    found = {tuple(int(v) for v in np.argwhere(moved[0])[0]) for moved in robustness.shifted(pixels, 0.1)}
    assert found == {(12, 10), (8, 10), (10, 12), (10, 8)}


def test_changes_do_what_they_say():
    pixels = np.random.default_rng(0).integers(60, 200, (2, 64, 64)).astype(np.uint8)
    spread = [robustness.flatter(pixels, s).std() / pixels.std() for s in (1, 2, 3)]
    np.testing.assert_allclose(spread, [0.8, 0.6, 0.4], atol=0.02)
    assert (robustness.noisy(pixels, 2) - pixels.astype(float)).std() == pytest.approx(25.5, abs=1.5)
    assert robustness.blurred(pixels, 3).std() < robustness.blurred(pixels, 1).std() < pixels.std()


def test_artefacts_see_a_smeared_border_and_not_a_plain_one():
    plain = np.random.default_rng(0).integers(0, 255, (1, 32, 32)).astype(np.uint8)
    smeared = plain.copy()
    smeared[0, :4] = smeared[0, 4]
    assert probes.artefacts(smeared)[0, 4] == 0 < probes.artefacts(plain)[0, 4]


def test_examples_are_picked_by_quantile_and_undefined_ones_passed_over():
    values = np.array([np.nan, 5, 1, 3, 2, 4])
    assert quantile_cases(values, (0, 0.5, 1)) == [2, 3, 1]
    assert quantile_cases(np.full(3, np.nan)) == []


def test_blue_is_the_low_end_of_jet():
    assert maps_02.bluest(mpl.colormaps["jet"]).value < 0.25


def pictures(n=3, size=32):
    rng = np.random.default_rng(0)
    masks = np.zeros((n, size, size), bool)
    masks[:, 4:10, 20:26] = True
    pixels = np.where(masks, 250, rng.integers(40, 120, (n, size, size))).astype(np.uint8)
    names = np.array([f"i{k}" for k in range(n)])
    return Pictures(names, names, np.ones(n, int), pixels, masks)


def test_a_perfect_map_scores_1_and_floors_in_their_order():
    p = pictures()
    perfect = score(p.masks.astype(float), p)
    assert (
        (perfect["auprc"] == 1).all() and (perfect["energy_inside"] == 1).all() and (perfect["pixel_auroc"] == 1).all()
    )
    means = {name: score(maps, p)["auprc"].mean() for name, maps in floor_maps(p).items()}
    assert means["brightest"] == 1 > means["random"] and means["centre"] < 0.1
    flat = score(np.zeros_like(p.masks, dtype=float), p)
    assert flat["auprc"].isna().all() and (flat["reason"] != "").all()


def test_class_maps_sum_to_the_logit_of_study_2s_network():
    from studylib.models.brain import brain_net

    torch.manual_seed(0)
    model = brain_net(32, gate="cam").eval()
    model.begin_epoch(1, 0)
    raw, large, logits = class_maps(model, pictures().pixels)
    np.testing.assert_allclose(raw.sum((1, 2)) + float(model.fc.bias.detach()), logits, atol=1e-5)
    assert large.shape == (3, 32, 32)


def test_raw_peaks_tell_and_scaled_ones_cannot():
    table = pd.DataFrame({"outcome": ["TP"] * 5 + ["TN"] * 5, "label": [1] * 5 + [0] * 5, "group": list("abcdefghij")})
    table["peak"], table["peak_minmax"] = np.arange(10, 0, -1.0), 1.0
    how = {"unit": "patient", "resamples": 100}
    assert emptiness(table, **how).value == 1 and emptiness(table, "peak_minmax", **how).value == 0.5


def test_masking_the_cause_flips_and_masking_elsewhere_does_not():
    class Bright(torch.nn.Module):
        def forward(self, images):
            return images[:, :1, :4, :4].mean((2, 3)) - 0.5

    pixels = np.zeros((1, 20, 20), np.uint8)
    pixels[0, :4, :4] = 255
    at = np.zeros((1, 20, 20))
    at[0, :4, :4] = 1
    with torch.inference_mode():
        assert masked_flips(Bright(), pixels, at + np.random.default_rng(0).random(at.shape) / 9, 0.04).tolist() == [
            1.0
        ]
        assert masked_flips(Bright(), pixels, -at, 0.04).tolist() == [0.0]


def test_numbers_on_a_page_have_three_digits():
    assert [display.digits(v) for v in (0.123456, 2065, 1e-7, float("nan"), "x", None)] == [
        "0.123", "2065", "1e-07", "undefined", "x", ""
    ]  # fmt: skip
