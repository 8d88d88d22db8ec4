"""Identities between maps on torchvision's families, random weights: what holds for any network must hold for these."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torchvision

from studylib.cam import explain

POOLED = ("resnet18", "densenet121", "mobilenet_v2", "efficientnet_b0", "convnext_tiny")
FLAT = ("alexnet", "vgg11")
METHODS = ("gradcam", "gradcam++", "hirescam", "layercam", "xgradcam")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def relative(a, b):
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"),
    [
        ("resnet18", torch.float64, 1e-12),
        ("resnet18", torch.float32, 1e-5),
        ("mobilenet_v2", torch.float32, 1e-5),
        ("densenet121", torch.float32, 1e-5),
    ],
)
def test_behind_global_pooling_they_are_cam_over_places(name, dtype, tolerance):
    """Grad-CAM = HiResCAM = XGrad-CAM = CAM / (h w), and HiResCAM sums to the logit.

    DenseNet has a ReLU without a module between layer and pooling: there CAM is that of relu(A), which only HiResCAM,
    whose gradient is 0 where A < 0, equals.
    """
    model = getattr(torchvision.models, name)(weights=None).to(dtype).eval()
    e = explain(model, torch.rand(2, 3, 64, 64, dtype=dtype), ("cam", "gradcam", "hirescam", "xgradcam"))
    places = e["cam"].shape[1] * e["cam"].shape[2]
    for method in ("hirescam",) if name == "densenet121" else ("gradcam", "hirescam", "xgradcam"):
        assert relative(e[method], e["cam"] / places) < tolerance, method
    head = [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1]
    logit = e.logits.gather(1, e.target[:, None])[:, 0]
    assert relative(e["hirescam"].sum((1, 2)) + head.bias.detach()[e.target], logit) < tolerance


@pytest.mark.parametrize("name", (*POOLED, *FLAT))
def test_every_gradient_map_exists_and_equals_the_whole_graph(name):
    """Against forward hooks on the whole graph in float64, image by image; Grad-CAM++ is refused where signed."""
    model = getattr(torchvision.models, name)(weights=None).double().eval()
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    e = explain(model, x, METHODS, target=3)
    module, kept = model.get_submodule(e.layers[0]), []
    handle = module.register_forward_hook(lambda _m, _i, out: kept.append(out) or out.clone())
    score = model(x)[:, 3].sum()
    handle.remove()
    a, g = kept[0].detach(), torch.autograd.grad(score, kept[0])[0]
    assert relative(e["gradcam"], (g.mean((2, 3), keepdim=True) * a).sum(1)) < 1e-12
    assert relative(e["hirescam"], (g * a).sum(1)) < 1e-12
    assert relative(e["layercam"], (g.relu() * a).sum(1)) < 1e-12
    if a.min() < -1e-6 * a.abs().max():
        assert e.undefined["gradcam++", e.layers[0]] == ["signed activations"] * 2
    else:
        alpha = torch.where(g == 0, 0, g**2 / (2 * g**2 + g**3 * a.sum((2, 3), keepdim=True)))
        weights = (alpha * g.relu()).sum((2, 3), keepdim=True)
        assert relative(e["gradcam++"], (weights * a).sum(1)) < 1e-9


def test_a_scaled_head_scales_gradcampp_as_eq_19_says_not_as_an_epsilon_would():
    """With logits x 0.01 the weights go to relu(g) / 2 each; an absolute epsilon would take them to 0."""
    model = torchvision.models.vgg11(weights=None).double().eval()
    x = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        model.classifier[-1].weight.mul_(1e-9)
        model.classifier[-1].bias.mul_(1e-9)
    e = explain(model, x, ("gradcam++", "layercam"), target=0, layers="features.19")
    assert e["gradcam++"].abs().max() > 0 and e.undefined["gradcam++", "features.19"] == [None]


def test_the_example_of_the_readme_runs_as_pasted(capsys):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names: dict = {}
    exec(example, names)
    assert names["maps"].shape == (4, 224, 224) and names["e"]["crm"].shape == (4, 7, 7)
    assert "Grad-CAM++ at layer4: ReLU, then bilinear upsampling" in capsys.readouterr().out
    with pytest.raises(KeyError, match="at 'layer3'"):  # no linear head stands above it
        names["e"]["cam", "layer3"]
