"""Mistakes of other libraries, each with the test that shows ours right; tests that had no other place stand here.

T: torchcam 0.5, P: pytorch-grad-cam 1.5, C: Captum 0.9, Q: Quantus 0.6, as they were found in November 2026.
"""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from studylib.cam import explain
from studylib.metrics import faithfulness

HERE = Path(__file__).parent

# code: (what goes wrong there, where ours is tested)
MISTAKES = {
    "T1": (
        "Grad-CAM++ divides a copy, so its weights are sums of relu(g)^3",
        "test_peers.py::test_weights_of_gradcampp_are_not_cubes",
    ),
    "T2": (
        "the denominator of Grad-CAM++ puts g^3 inside the sum",
        "test_formulas.py::test_gradcampp_is_eq_19_with_third_derivatives_of_exp_s",
    ),
    "T3": (
        "an in-place successor overwrites the activations",
        "test_engine.py::test_an_in_place_successor_changes_nothing",
    ),
    "T4": ("a frozen model raises", "test_engine.py::test_frozen_models"),
    "T5": ("a NaN image gives a clean map of zeros", "test_engine.py::test_a_nan_image_is_named_and_spoils_no_other"),
    "T6": (
        "hooks stay after an error in the constructor",
        "test_peers.py::test_a_misspelled_layer_among_good_ones_leaves_no_hook",
    ),
    "T7": (
        "its metric explains another output than the user's map",
        "test_faithfulness.py::test_deletion_of_the_right_map_by_hand",
    ),
    "T8": (
        "average drop of negative logits changes its sign",
        "test_faithfulness.py::test_logits_wrong_lengths_and_raw_images_are_refused",
    ),
    "T9": ("a flat map becomes zero", "test_explanation.py::test_maps_without_a_meaning_are_named_and_nan_in_pictures"),
    "T10": (
        "tensor targets, all classes and eval mode are not there",
        "test_engine.py::test_maps_equal_a_second_implementation",
    ),
    "T11": (
        "of a shared module one call is taken silently",
        "test_capture.py::test_a_module_that_runs_twice_is_refused_by_name",
    ),
    "P1": (
        "activations share memory with an in-place successor",
        "test_engine.py::test_in_place_relu_after_the_layer_in_real_networks",
    ),
    "P2": (
        "an absolute epsilon makes Grad-CAM++ depend on the units of the logits",
        "test_identities.py::test_a_scaled_head_scales_gradcampp_as_eq_19_says_not_as_an_epsilon_would",
    ),
    "P3": ("fewer targets than images are cut off silently", "test_engine.py::test_wrong_targets"),
    "P4": ("a frozen trunk under a trainable head raises", "test_peers.py::test_a_frozen_trunk_under_a_trainable_head"),
    "P5": ("an IndexError of the user is swallowed", "test_peers.py::test_the_users_own_index_error_comes_through"),
    "P6": (
        "modes and gradients are changed, no_grad fails",
        "test_cam_properties.py::test_nothing_is_left_behind_after_success_and_after_a_failure_anywhere",
    ),
    "P7": (
        "raw maps are out of reach, layers are averaged",
        "test_engine.py::test_several_layers_from_one_pass_equal_each_singly",
    ),
    "P8": (
        "Score-CAM aligns corners in its masks alone and keeps hooks on",
        "test_scorecam.py::test_no_hook_runs_in_a_masked_pass",
    ),
    "P9": (
        "a bad later layer leaves hooks behind",
        "test_peers.py::test_a_misspelled_layer_among_good_ones_leaves_no_hook",
    ),
    "P10": ("a negative class index is accepted", "test_engine.py::test_wrong_targets"),
    "P11": (
        "removal by a percentile with ties removes too much",
        "test_peers.py::test_a_map_that_is_nine_tenths_zero_loses_exactly_what_was_asked",
    ),
    "P12": ("the drop in confidence is absolute", "test_faithfulness.py::test_average_drop_and_increase_by_hand"),
    "C1": (
        "the interpolation is nearest by default and nothing says so",
        "test_explanation.py::test_said_states_order_interpolation_scaling_and_what_was_lost",
    ),
    "Q1": (
        "an empty mask is a hit",
        "test_localisation.py::test_flat_nan_and_infinite_maps_and_empty_and_full_masks_are_nan_never_a_hit",
    ),
    "Q2": ("a flat map is a hit", "test_localisation.py::test_pointing_game_with_tolerance_and_ties"),
    "Q3": (
        "a NaN map is a miss",
        "test_localisation.py::test_flat_nan_and_infinite_maps_and_empty_and_full_masks_are_nan_never_a_hit",
    ),
    "Q4": (
        "a score depends on the batch size",
        "test_localisation.py::test_values_do_not_depend_on_the_batch_nor_change_the_input",
    ),
    "Q5": (
        "the average of randomisation counts the network that was not randomised",
        "test_sanity.py::test_the_cascade_goes_from_head_to_stem_and_starts_after_the_first_layer",
    ),
    "Q6": (
        "layers of one shape get one draw, attention and free parameters none, the caller's generator is reset",
        "test_sanity.py::test_the_cascade_ends_with_no_learned_value_left",
    ),
    "Q7": ("SSIM of flattened maps crashes", "test_sanity.py::test_ssim_is_of_two_dimensions"),
    "Q8": (
        "a constant map in a batch of two crashes",
        "test_sanity.py::test_constant_and_nan_maps_are_nan_at_any_batch_size",
    ),
    "Q9": (
        "channels are flipped singly and the area grows with the steps",
        "test_faithfulness.py::test_the_axis_is_normalised_with_both_ends_whatever_the_steps",
    ),
    "Q10": (
        "one map for three channels crashes",
        "test_faithfulness.py::test_one_map_serves_all_channels_of_its_image",
    ),
    "Q11": (
        "one zero map in a batch turns into a hit",
        "test_peers.py::test_one_zero_map_in_a_batch_is_undefined_and_harms_no_other",
    ),
    "Q12": (
        "the caller's array is changed",
        "test_concentration.py::test_zero_flat_negative_and_nan_maps_are_nan_and_the_input_stays",
    ),
    "Q13": (
        "signed maps give mass outside of 0 to 1",
        "test_localisation.py::test_energy_inside_ignores_negative_values",
    ),
    "Q14": (
        "a perfect map scores less than 1",
        "test_localisation.py::test_a_perfect_map_is_perfect_even_when_more_is_asked_for_than_the_object_has",
    ),
    "Q15": (
        "only ROC, and a NaN map raises",
        "test_localisation.py::test_pixel_auprc_and_auroc_as_scikit_learn_with_ties_and_without",
    ),
    "Q16": (
        "a zero map spoils complexity",
        "test_concentration.py::test_zero_flat_negative_and_nan_maps_are_nan_and_the_input_stays",
    ),
}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    trunk = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU()]
    return nn.Sequential(*trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)).double().eval()


def images(n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("code", MISTAKES)
def test_every_mistake_has_its_test(code):
    words, where = MISTAKES[code]
    file, name = where.split("::")
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, where
    assert len(words) > 10


def test_the_table_is_whole():
    assert set(MISTAKES) == {f"T{i}" for i in range(1, 12)} | {f"P{i}" for i in range(1, 13)} | {"C1"} | {
        f"Q{i}" for i in range(1, 17)
    }


def test_weights_of_gradcampp_are_not_cubes():
    model, x = network(), images()
    e = explain(model, x, "gradcam++", target=1)
    a = model[:4](x).detach().requires_grad_()
    g = torch.autograd.grad(model[4:](a)[:, 1].sum(), a)[0]
    a = a.detach()
    weights = (g.relu() / (2 + g.relu() * a.sum((2, 3), keepdim=True))).sum((2, 3), keepdim=True)
    torch.testing.assert_close(e["gradcam++"], (weights * a).sum(1))
    cubes = ((g.relu() ** 3).sum((2, 3), keepdim=True) * a).sum(1)
    ours, theirs = (m / m.amax((1, 2), keepdim=True) for m in (e["gradcam++"], cubes))
    assert (ours - theirs).abs().max() > 0.01


@pytest.mark.parametrize("layers", [["1", "3", "nope"], ["nope", "1"]])
def test_a_misspelled_layer_among_good_ones_leaves_no_hook(layers):
    model = network()
    with pytest.raises(ValueError, match="no layer 'nope'"):
        explain(model, images(), "gradcam", layers=layers)
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())


def test_a_frozen_trunk_under_a_trainable_head():
    model, x = network(), images()
    expected = explain(model, x, ("gradcam", "layercam"), target=2)
    model[:4].requires_grad_(False)
    got = explain(model, x, ("gradcam", "layercam"), target=2)
    for key, m in expected.maps.items():
        assert torch.equal(got.maps[key], m)
    assert all(p.grad is None for p in model.parameters())


def test_the_users_own_index_error_comes_through():
    model = network()

    def fail(*_):
        raise IndexError("the user's own")

    model[2].register_forward_hook(fail)
    with pytest.raises(IndexError, match="the user's own"):
        explain(model, images(), "gradcam")


def test_a_map_that_is_nine_tenths_zero_loses_exactly_what_was_asked():
    maps = np.zeros((1, 10, 10))
    maps[0, 0] = np.arange(10) + 1.0
    gone = []

    def score(x):
        gone.append(int((x[0, 0] == 0).sum()))
        return x.mean((1, 2, 3))

    ones = torch.ones(1, 1, 10, 10)
    faithfulness.deletion(score, ones, maps, baseline="zero", blocks=None, steps=5)
    assert gone == [0, 20, 40, 60, 80, 100]
    gone.clear()
    faithfulness.deletion(score, ones, -maps, baseline="zero", blocks=None, steps=5)  # the least relevant first
    assert gone == [0, 20, 40, 60, 80, 100]


def test_one_zero_map_in_a_batch_is_undefined_and_harms_no_other():
    model, x = network(), images(3)
    with torch.no_grad():
        model[2].bias.fill_(-0.05)
    x[1] = 0
    with torch.no_grad():
        model[0].bias.zero_()
    e = explain(model, x, "layercam", target=0)
    assert e.undefined["layercam", "3"][1] == "flat"
    large = e.upsampled("layercam")
    assert large[1].isnan().all()
    alone = explain(model, x[[0, 2]], "layercam", target=0).upsampled("layercam")
    torch.testing.assert_close(large[[0, 2]], alone, equal_nan=True)
