"""A prepared copy gives the model's logits and maps; what must not be folded is not; the model stays as it was."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from studylib.cam import explain, prepare
from studylib.cam.prepare import foldable


def lively(model: nn.Module) -> nn.Module:
    """Batch norms with statistics and weights of their own, so that folding has something to do."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            for tensor, low in ((module.running_mean, -0.2), (module.bias, -0.2), (module.running_var, 0.5)):
                tensor.data = low + torch.rand(tensor.shape, generator=generator)
            module.weight.data = 0.5 + torch.rand(module.weight.shape, generator=generator)
    return model


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(
    ("name", "left"), [("resnet18", 0), ("mobilenet_v2", 0), ("densenet121", 62), ("efficientnet_b0", 0), ("vgg11", 0)]
)
def test_logits_and_maps_are_the_models(name, left):
    torch.manual_seed(0)
    model = lively(getattr(torchvision.models, name)(weights=None))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    ready, x = prepare(model), torch.rand(2, 3, 64, 64)
    assert norms(ready) == left  # DenseNet's norms before a convolution stay
    wanted = explain(model, x, ("gradcam", "hirescam"))
    found = explain(ready, x, ("gradcam", "hirescam"))
    assert (found.logits - wanted.logits).abs().max() <= 1e-5 * wanted.logits.abs().max()
    assert found.layers == wanted.layers
    for method in ("gradcam", "hirescam"):
        assert (found[method] - wanted[method]).abs().max() <= 1e-4 * wanted[method].abs().max()
    assert model.training and all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not ready.training and not any(p.requires_grad for p in ready.parameters())


class Parts(nn.Module):
    """A convolution and a batch norm, put together by `forward` as the test says."""

    def __init__(self, run, **options):
        super().__init__()
        self.conv, self.norm, self.run = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3, **options), run

    def forward(self, x):
        return self.run(self, x).mean((2, 3))


def by_value(m, x):
    y = m.conv(x)
    return m.norm(y) if y.sum() > 0 else y


@pytest.mark.parametrize(
    ("run", "options", "pairs"),
    [
        (lambda m, x: m.norm(m.conv(x)), {}, [("conv", "norm")]),
        (lambda m, x: m.conv(m.norm(x)), {}, []),  # norm before convolution
        (lambda m, x: m.norm(y := m.conv(x)) + y, {}, []),  # two read the convolution
        (lambda m, x: m.norm(m.conv(m.conv(x))), {}, []),  # the convolution runs twice
        (lambda m, x: m.norm(m.norm(m.conv(x))), {}, []),  # the norm runs twice
        (lambda m, x: m.norm(m.conv(x)), {"track_running_stats": False}, []),  # statistics of each batch
        (by_value, {}, []),  # cannot be traced
    ],
)
def test_only_what_is_certain_is_folded(run, options, pairs):
    torch.manual_seed(0)
    model = lively(Parts(run, **options)).eval()
    assert foldable(model) == pairs
    x = torch.rand(3, 3, 8, 8)
    torch.testing.assert_close(prepare(model)(x), model(x), rtol=1e-5, atol=1e-6)


def test_bfloat16_takes_and_gives_float32_and_can_be_explained():
    torch.manual_seed(0)
    model = lively(torchvision.models.resnet18(weights=None)).eval()
    ready, x = prepare(model, dtype=torch.bfloat16), torch.rand(2, 3, 64, 64)
    wanted, found = explain(model, x, "gradcam", 0), explain(ready, x, "gradcam", 0)
    assert found.logits.dtype == torch.float32 and ready.conv1.weight.dtype == torch.bfloat16
    assert 0 < (found.logits - wanted.logits).abs().max() < 0.05 * wanted.logits.abs().max()
    assert (found["gradcam"] - wanted["gradcam"]).abs().max() < 0.1 * wanted["gradcam"].abs().max()


def test_hooks_stay_with_the_model():
    model, calls = nn.Sequential(nn.Conv2d(3, 2, 3)), []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    prepare(model)(torch.rand(1, 3, 8, 8))
    assert calls == [] and len(model[0]._forward_hooks) == 1


def test_what_cannot_be_prepared():
    with pytest.raises(TypeError, match="model is a function; it must be a torch.nn.Module"):
        prepare(lambda x: x)
    with pytest.raises(ValueError, match="dtype is torch.int8; it must be floating point"):
        prepare(nn.Linear(2, 2), dtype=torch.int8)


class Branching(nn.Module):
    """What no tracer can follow: a path that depends on a value. It may hold a convolution of another part."""

    def __init__(self, borrowed: nn.Module | None = None):
        super().__init__()
        self.borrowed = borrowed

    def forward(self, x):
        return x * 2 if x.sum() > 0 else x if self.borrowed is None else self.borrowed(x)


class Held(nn.Module):
    def __init__(self, borrow: bool):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.part, self.fc = Branching(self.conv if borrow else None), nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.part(self.norm(self.conv(x)).relu()).mean((2, 3)))


@pytest.mark.parametrize(("borrow", "pairs"), [(False, [("conv", "norm")]), (True, [])])
def test_around_a_part_that_cannot_be_traced_the_rest_is_folded_unless_the_part_uses_it(borrow, pairs):
    torch.manual_seed(0)
    model, x = lively(Held(borrow)).eval(), torch.randn(2, 3, 8, 8)
    assert foldable(model) == pairs
    with torch.no_grad():
        torch.testing.assert_close(prepare(model)(x), model(x), rtol=1e-5, atol=1e-6)
