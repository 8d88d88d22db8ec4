"""Mistakes of other libraries' maps, each with the test that shows ours right; tests without another place stand here.

T: torchcam 0.5, P: pytorch-grad-cam 1.5, C: Captum 0.9, as found in November 2026. Mistakes of measures (T7 to
T9, P11, P12, Q: Quantus 0.6) have a file of their own, `test_peers_measures.py`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from studylib.cam import explain

HERE = Path(__file__).parent

# code: (what goes wrong there, where ours is tested)
MISTAKES = {
    "T1": (
        "Grad-CAM++ divides a copy, so its weights are sums of relu(g)^3",
        "test_peers_engine.py::test_weights_of_gradcampp_are_not_cubes",
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
        "test_peers_engine.py::test_a_misspelled_layer_among_good_ones_leaves_no_hook",
    ),
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
    "P4": (
        "a frozen trunk under a trainable head raises",
        "test_peers_engine.py::test_a_frozen_trunk_under_a_trainable_head",
    ),
    "P5": (
        "an IndexError of the user is swallowed",
        "test_peers_engine.py::test_the_users_own_index_error_comes_through",
    ),
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
        "test_peers_engine.py::test_a_misspelled_layer_among_good_ones_leaves_no_hook",
    ),
    "P10": ("a negative class index is accepted", "test_engine.py::test_wrong_targets"),
    "C1": (
        "the interpolation is nearest by default and nothing says so",
        "test_explanation.py::test_said_states_order_interpolation_scaling_and_what_was_lost",
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
    assert set(MISTAKES) == {f"T{i}" for i in (*range(1, 7), 10, 11)} | {f"P{i}" for i in range(1, 11)} | {"C1"}


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
