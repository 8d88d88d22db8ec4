"""CRM in closed form against removing every element of the feature maps one by one, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studylib.cam import explain
from studylib.cam.crm import crm, crm_softmax
from studylib.cam.heads import HeadError

NAMES = ("crm", "crm_mse", "crm_softmax", "crm_mse_softmax")


def network(kind: str, classes: int) -> tuple[nn.Sequential, nn.Module]:
    """A trunk of 5 channels on 4 x 4 places and a head; the head alone too."""
    torch.manual_seed(classes)
    trunk = [nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    if kind == "pooled":
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, classes)]
    else:
        head = [nn.Flatten(), nn.Linear(5 * 16, classes)]
    return nn.Sequential(*trunk, *head).double().eval(), nn.Sequential(*head).double().eval()


def one_by_one(features, head, target):
    """All four maps by the definition: take all channels at a place away, run the head, compare the outputs."""

    def outputs(f):
        logits = head(f)[0]
        return torch.stack([torch.zeros(()).double(), logits[0]]) if len(logits) == 1 else logits

    maps = {name: torch.zeros(len(features), *features.shape[2:], dtype=torch.float64) for name in NAMES}
    for i in range(len(features)):
        s = outputs(features[i : i + 1])
        t = torch.zeros_like(s)
        t[target] = 1
        for y in range(features.shape[2]):
            for x in range(features.shape[3]):
                less = features[i : i + 1].clone()
                less[:, :, y, x] = 0
                r = outputs(less)
                p, q = s.softmax(0), r.softmax(0)
                maps["crm"][i, y, x] = ((s - r) ** 2).sum()
                maps["crm_mse"][i, y, x] = ((t - r) ** 2).sum() - ((t - s) ** 2).sum()
                maps["crm_softmax"][i, y, x] = ((p - q) ** 2).sum()
                maps["crm_mse_softmax"][i, y, x] = ((t - q) ** 2).sum() - ((t - p) ** 2).sum()
    return maps


@pytest.mark.parametrize("kind", ["pooled", "flat"])
@pytest.mark.parametrize("classes", [1, 2, 3, 12])  # 12: more classes than channels, through R of QR(W)
def test_closed_form_is_removal_one_by_one(kind, classes):
    model, head = network(kind, classes)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    e = explain(model, x, NAMES, target=1, layers="2")
    expected = one_by_one(model[:3](x).detach(), head.requires_grad_(False), 1)
    for name in NAMES:
        torch.testing.assert_close(e[name], expected[name], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("classes", [2, 12])
def test_float32_is_as_near_as_float32_can_be(classes):
    """Against the float64 loop; seen: 1e-6 of the largest value on logits, up to 3e-5 where probabilities are
    subtracted.
    """
    model, head = network("pooled", classes)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = one_by_one(model[:3](x).detach(), head.requires_grad_(False), 1)
    e = explain(model.float(), x.float(), NAMES, target=1, layers="2")
    for name in NAMES:
        assert e[name].dtype == torch.float32
        error = (e[name].double() - expected[name]).abs().max() / expected[name].abs().max()
        assert error < 1e-4, (name, float(error))


def test_crm_is_the_same_for_every_class_and_never_negative_the_others_are_neither():
    model, _ = network("pooled", 3)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    e = explain(model, x, NAMES, target="all", layers="2")
    assert torch.equal(e["crm"][:, 0], e["crm"][:, 2]) and (e["crm"] >= 0).all()
    assert (e["crm_mse"][:, 0] - e["crm_mse"][:, 2]).abs().max() > 1e-3 * e["crm_mse"].abs().max()
    assert (e["crm_mse"] < 0).any()


def test_with_antisymmetric_weights_crm_is_cam_squared():
    """Then 20 % of its maximum is 44.7 % of |CAM|'s: the same region at the layer's own size."""
    model, _ = network("pooled", 2)
    with torch.no_grad():
        model[-1].weight[1] = -model[-1].weight[0]
    e = explain(model, torch.randn(3, 3, 8, 8, dtype=torch.float64), ("crm", "cam"), target=0, layers="2")
    torch.testing.assert_close(e["crm"], 2 * (e["cam"] / 16) ** 2, rtol=1e-12, atol=0)
    for squared, plain in zip(e["crm"], e["cam"].abs(), strict=True):
        assert torch.equal(squared > 0.2 * squared.max(), plain > 0.2**0.5 * plain.max())


def test_no_gradient_is_needed_and_other_heads_are_refused_by_name():
    model, _ = network("pooled", 3)
    x = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(explain(model, x, "crm")["crm"], explain(model, x, ("crm", "gradcam"))["crm"])
    with pytest.raises(HeadError, match="Methods that work with any head: gradcam"):
        explain(model, x, "crm", layers="0")


def test_images_in_parts_give_the_same(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    f, w, s = (torch.randn(*shape, generator=generator) for shape in ((5, 3, 2, 2), (4, 3, 1, 1), (5, 4)))
    whole = crm(f, w), crm_softmax(f, w, s)
    monkeypatch.setattr("studylib.cam.crm.AT_ONCE", 2 * 4 * 4)
    for a, b in zip(whole, (crm(f, w), crm_softmax(f, w, s)), strict=True):
        torch.testing.assert_close(a, b)
