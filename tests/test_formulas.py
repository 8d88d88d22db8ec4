"""The formulas against values worked out by hand and against loops in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studylib.cam.formulas import (
    METHODS,
    QUANTITIES,
    cam,
    find_methods,
    gradcam,
    gradcampp,
    hirescam,
    layercam,
    signed,
    xgradcam,
)

A = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [1.0, 0.0]]]])  # one image, two channels, 2 x 2
G = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [2.0, 1.0]]]])  # channel means 0.5 and 0.5


def test_gradcam_by_hand():
    assert torch.equal(gradcam(A, G), torch.tensor([[[0.5, 1.5], [2.0, 2.0]]]))


def test_hirescam_by_hand():
    assert torch.equal(hirescam(A, G), torch.tensor([[[1.0, 0.0], [2.0, 4.0]]]))


def test_gradcampp_by_hand():
    # channel sums of A 10 and 2; weights 2 / (2 + 10) and 2 / (2 + 4) + 1 / (2 + 2)
    w = (1 / 12 + 1 / 12, 2 / 6 + 1 / 4)
    torch.testing.assert_close(gradcampp(A, G), w[0] * A[:, 0] + w[1] * A[:, 1])


def test_gradcampp_is_undefined_on_signed_activations_image_by_image():
    both = torch.cat([A, A - 1, A - 1e-7])
    assert signed(both).tolist() == [False, True, False]
    maps = gradcampp(both, torch.cat([G, G, G]))
    assert maps[1].isnan().all() and not maps[[0, 2]].isnan().any()
    assert not signed(torch.full((1, 2, 2, 2), torch.nan)).any()  # that is NaN, not signed


@pytest.mark.parametrize("seed", range(3))
def test_gradcampp_is_eq_19_with_third_derivatives_of_exp_s(seed):
    """alpha = Y2 / (2 Y2 + sum_ab A_ab Y3) for Y = exp(S), S linear above the layer; derivatives by autograd."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.rand(1, 3, 2, 2, dtype=torch.float64, generator=generator)
    u = torch.randn(1, 3, 2, 2, dtype=torch.float64, generator=generator)  # S = sum u A, so that g = u
    expected = torch.zeros(1, 2, 2, dtype=torch.float64)
    for k in range(3):
        weight = 0.0
        for y in range(2):
            for x in range(2):
                z = a[0, k, y, x].clone().requires_grad_()
                score = torch.exp((u * a).sum() - u[0, k, y, x] * a[0, k, y, x] + u[0, k, y, x] * z)
                first = torch.autograd.grad(score, z, create_graph=True)[0]
                second = torch.autograd.grad(first, z, create_graph=True)[0]
                third = torch.autograd.grad(second, z)[0]
                alpha = second / (2 * second + a[0, k].sum() * third)
                weight += (alpha * u[0, k, y, x].clamp_min(0)).detach()
        expected += weight * a[:, k]
    torch.testing.assert_close(gradcampp(a, u), expected, rtol=1e-12, atol=0)


def test_layercam_and_xgradcam_by_hand():
    assert torch.equal(layercam(A, G), torch.tensor([[[1.0, 0.0], [2.0, 4.0]]]))
    # sums of g A: 5 and 2, of A: 10 and 2; a third channel that is dead adds nothing
    dead = torch.zeros(1, 1, 2, 2)
    found = xgradcam(torch.cat([A, dead], 1), torch.cat([G, dead + 3], 1))
    assert torch.equal(found, 0.5 * A[:, 0] + 1.0 * A[:, 1])


def test_cam_by_hand_with_a_weight_per_channel():
    weights = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1)
    assert torch.equal(cam(A, weights), torch.tensor([[[2.0, 3.0], [5.0, 8.0]]]))


def test_cam_by_hand_with_a_weight_per_place():
    weights = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]]])
    assert torch.equal(cam(A, weights), torch.tensor([[[1.0, 1.0], [1.0, 4.0]]]))


@pytest.mark.parametrize("seed", range(3))
def test_all_equal_loops_in_float64(seed):
    rng = np.random.default_rng(seed)
    n, k, h, w = 2, 5, 3, 4
    a, g, u = (rng.normal(size=(n, k, h, w)) for _ in range(3))
    slow = {name: np.zeros((n, h, w)) for name in ("cam", "gradcam", "hirescam")}
    for i in range(n):
        for c in range(k):
            weight = sum(g[i, c, y, x] for y in range(h) for x in range(w)) / (h * w)
            for y in range(h):
                for x in range(w):
                    slow["cam"][i, y, x] += u[i, c, y, x] * a[i, c, y, x]
                    slow["gradcam"][i, y, x] += weight * a[i, c, y, x]
                    slow["hirescam"][i, y, x] += g[i, c, y, x] * a[i, c, y, x]
    given = {
        "activations": torch.from_numpy(a),
        "features": torch.from_numpy(a),
        "gradients": torch.from_numpy(g),
        "weights": torch.from_numpy(u),
    }
    for name, expected in slow.items():
        method = METHODS[name]
        np.testing.assert_allclose(method.formula(**{q: given[q] for q in method.needs}), expected, rtol=0, atol=1e-13)


def test_formulas_do_not_change_their_inputs():
    before = A.clone(), G.clone()
    gradcam(A, G), hirescam(A, G), cam(A, G)
    assert torch.equal(A, before[0]) and torch.equal(G, before[1])


def test_table_names_only_known_quantities_and_tells_what_is_needed():
    for name, method in METHODS.items():
        assert method.name == name and set(method.needs) <= QUANTITIES
    assert METHODS["cam"].needs_head and not METHODS["cam"].needs_gradients
    assert METHODS["gradcam"].needs_gradients and not METHODS["gradcam"].needs_head


def test_methods_are_found_in_the_order_asked_and_once():
    assert [m.name for m in find_methods(["hirescam", "cam", "hirescam"])] == ["hirescam", "cam"]
    assert [m.name for m in find_methods("gradcam")] == ["gradcam"]


@pytest.mark.parametrize(("wrong", "near"), [("grad-cam", "gradcam"), ("GradCAM", "gradcam"), ("hires", "hirescam")])
def test_unknown_method_names_the_nearest(wrong, near):
    with pytest.raises(ValueError, match=f"no method is called '{wrong}'.*did you mean '{near}'"):
        find_methods([wrong])


def test_no_method_is_an_error():
    with pytest.raises(ValueError, match="name at least one of cam, gradcam"):
        find_methods([])
