"""Score-CAM in its three forms against loops in float64 that follow each definition, channel by channel."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from studylib.cam import explain
from studylib.cam.scorecam import masked_logits

FORMS = ("scorecam", "scorecam_lowres", "scorecam_aligned")


def network(classes: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    trunk = [nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(), nn.Conv2d(5, 6, 3), nn.ReLU(inplace=True)]
    return nn.Sequential(*trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes)).double().eval()


def images(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, 14, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def unit(m):
    return (m - m.min()) / (m.max() - m.min())


def one_mask(channel: torch.Tensor, form: str) -> torch.Tensor:
    """A mask as the paper, as torchcam and as pytorch-grad-cam make it."""
    if form == "scorecam_lowres":
        return F.interpolate(unit(channel)[None, None], (14, 14), mode="bilinear", align_corners=False)[0, 0]
    aligned = form == "scorecam_aligned"
    return unit(F.interpolate(channel[None, None], (14, 14), mode="bilinear", align_corners=aligned)[0, 0])


def by_loop(model: nn.Sequential, x: torch.Tensor, form: str, target: list[int], sign: list[int]) -> torch.Tensor:
    """Increase over the black image (Wang 2020, eq. 5), softmax over channels (algorithm 1), no trick."""
    maps = []
    with torch.no_grad():
        for image, c, s in zip(x, target, sign, strict=True):
            a = model[:4](image[None])[0]
            black = model(torch.zeros_like(image)[None])[0, c]
            varies = [k for k in range(len(a)) if a[k].max() > a[k].min()]
            rise = [s * (model((image * one_mask(a[k], form))[None])[0, c] - black) for k in varies]
            weights = torch.softmax(torch.stack(rise), 0)
            maps.append(sum(w * a[k] for w, k in zip(weights, varies, strict=True)))
    return torch.stack(maps)


@pytest.mark.parametrize("form", FORMS)
def test_equals_the_loop(form):
    model, x = network(), images()
    e = explain(model, x, form, target=[0, 2, 1], layers="3")
    torch.testing.assert_close(e[form], by_loop(model, x, form, [0, 2, 1], [1, 1, 1]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_float32_is_as_near_as_float32_can_be(form):
    model, x = network(), images()
    expected = by_loop(model, x, form, [0, 2, 1], [1, 1, 1])
    got = explain(model.float(), x.float(), form, target=[0, 2, 1], layers="3")[form]
    assert got.dtype == torch.float32 and (got.double() - expected).abs().max() < 1e-5 * expected.abs().max()


def test_the_three_forms_differ():
    e = explain(network(), images(), FORMS, target=0, layers="1")
    assert (e["scorecam"] - e["scorecam_lowres"]).abs().max() > 1e-6 * e["scorecam"].abs().max()
    assert (e["scorecam"] - e["scorecam_aligned"]).abs().max() > 1e-6 * e["scorecam"].abs().max()


def test_one_logit_has_two_sides():
    model, x = network(1), images()
    e = explain(model, x, "scorecam", target=[1, 0, 1], layers="3")
    torch.testing.assert_close(e["scorecam"], by_loop(model, x, "scorecam", [0, 0, 0], [1, -1, 1]))
    both = explain(model, x, ("scorecam", "gradcam"), target="all", layers="3")
    torch.testing.assert_close(both["scorecam"][1, 0], e["scorecam"][1])
    torch.testing.assert_close(both["scorecam"][[0, 2], 1], e["scorecam"][[0, 2]])


def test_all_classes_cost_the_passes_of_one():
    model, x = network(), images()
    seen = []
    model[6].register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0])))
    single = [explain(model, x, "scorecam", target=c, layers="3")["scorecam"] for c in range(3)]
    once = sum(seen) // 3
    seen.clear()
    every = explain(model, x, "scorecam", target="all", layers="3")
    assert sum(seen) == once
    for c in range(3):
        torch.testing.assert_close(every["scorecam"][:, c], single[c], rtol=1e-12, atol=1e-14)


def test_channels_that_do_not_vary_have_no_weight_and_no_pass():
    model, x = network(), images(2)
    with torch.no_grad():
        model[2].weight[1] = 0
        model[2].bias[1] = 0.7  # constant, not dead: it would lift the whole map
        model[2].weight[4] = 0
        model[2].bias[4] = -1  # dead
    passes = []
    model[6].register_forward_hook(lambda _m, inputs, _o: passes.append(len(inputs[0])))
    e = explain(model, x, "scorecam", target=1, layers="3")
    a = model[:4](x).detach()
    varying = sum(int(a[i, k].max() > a[i, k].min()) for i in range(2) for k in range(6))
    assert varying < 12 and sum(passes) == len(x) + varying + 0 * len(a)
    torch.testing.assert_close(e["scorecam"], by_loop(model, x, "scorecam", [1, 1], [1, 1]))


def test_no_varying_channel_is_a_flat_map_and_nan_stays_with_its_image():
    model, x = network(), images(3)
    x[1, 0, 5, 5] = torch.nan
    e = explain(model, x, "scorecam", target=0, layers="3")
    clean = explain(model, x[[0, 2]], "scorecam", target=0, layers="3")
    assert e.undefined["scorecam", "3"] == [None, "NaN", None]
    torch.testing.assert_close(e["scorecam"][[0, 2]], clean["scorecam"], rtol=1e-12, atol=1e-14)
    with torch.no_grad():
        model[2].weight.zero_()
    assert explain(model, images(), "scorecam", target=0, layers="3").undefined["scorecam", "3"] == ["flat"] * 3


def test_no_hook_runs_in_a_masked_pass():
    model, x = network(), images(1)
    hooks = []
    model[4].register_forward_hook(lambda m, *_: hooks.append(len(model[3]._forward_hooks)))
    explain(model, x, ("scorecam", "gradcam"), layers="3")
    assert hooks[0] == 1 and set(hooks[1:]) == {0} and len(hooks) > 1


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_the_size_of_a_pass_changes_nothing(at_once):
    model, x = network(), images()
    a, classes = model[:4](x).detach(), torch.tensor([[0], [1], [2]])
    sizes = []

    def forward(part):
        sizes.append(len(part))
        return model(part).detach()

    got = masked_logits(forward, x, a, classes, "paper", at_once)
    assert max(sizes) <= at_once
    torch.testing.assert_close(got, masked_logits(forward, x, a, classes, "paper"), rtol=1e-12, atol=1e-14)
