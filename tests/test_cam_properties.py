"""Properties of `explain` on random small networks (Hypothesis), whatever the network, batch and failure.

Networks: one to three convolutions with or without batch norm, ReLU in place or not, pooling or not, and a pooled, a
flat or a one-logit head, in float32 or float64.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from studylib.cam import explain, prepare

SIDE = 10
SCALE_FREE = ("cam", "gradcam", "hirescam", "layercam", "xgradcam")
METHODS = (*SCALE_FREE, "gradcam++", "crm")
quick = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


@dataclass(frozen=True)
class Case:
    """A network by its description; `make` builds it, always the same."""

    channels: tuple[int, ...]
    norm: bool
    inplace: bool
    pool: bool
    head: str
    classes: int
    double: bool
    seed: int

    def make(self) -> nn.Sequential:
        torch.manual_seed(self.seed)
        parts: list[nn.Module] = []
        for before, after in zip((3, *self.channels), self.channels, strict=False):
            parts += [nn.Conv2d(before, after, 3, padding=1)]
            parts += [nn.BatchNorm2d(after)] if self.norm else []
            parts += [nn.ReLU(self.inplace)]
        side = SIDE // 2 if self.pool else SIDE
        parts += [nn.MaxPool2d(2)] if self.pool else []
        outputs = 1 if self.head == "one logit" else self.classes
        if self.head == "flat":
            parts += [nn.Flatten(), nn.Linear(self.channels[-1] * side**2, outputs)]
        else:
            parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(self.channels[-1], outputs)]
        model = nn.Sequential(*parts)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
        return model.to(self.dtype)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if self.double else torch.float32

    @property
    def tolerance(self) -> float:
        return 1e-9 if self.double else 2e-4

    def images(self, n: int) -> Tensor:
        return torch.randn(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(self.seed + 1)).to(self.dtype)


cases = st.builds(
    Case,
    channels=st.lists(st.integers(2, 5), min_size=1, max_size=3).map(tuple),
    norm=st.booleans(),
    inplace=st.booleans(),
    pool=st.booleans(),
    head=st.sampled_from(["pooled", "flat", "one logit"]),
    classes=st.integers(2, 4),
    double=st.booleans(),
    seed=st.integers(0, 10_000),
)


def alike(a: Tensor, b: Tensor, tolerance: float) -> None:
    """Equal within rounding of the largest value; NaN where the other is NaN."""
    assert torch.equal(a.isnan(), b.isnan())
    size = float(b.nan_to_num().abs().max())
    assert float((a - b).nan_to_num().abs().max()) <= tolerance * size + 1e-12


@quick
@given(case=cases, n=st.integers(2, 4))
def test_a_batch_equals_one_by_one(case, n):
    model, x = case.make(), case.images(n)
    whole = explain(model, x, METHODS)
    for i in range(n):
        single = explain(model, x[i : i + 1], METHODS, int(whole.target[i]))
        for key, m in single.maps.items():
            alike(whole.maps[key][i : i + 1], m, case.tolerance)


@quick
@given(case=cases, scale=st.floats(1e-3, 1e3))
def test_scaling_the_logits_changes_no_normalised_map(case, scale):
    """All but Grad-CAM++, which by its definition depends on the units of the logits, and CRM, which is quadratic."""
    model, x = case.make(), case.images(2)
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in scaled[-1].parameters():
            parameter.mul_(scale)
    methods = (*SCALE_FREE, "crm")
    one, other = (explain(m, x, methods, 1) for m in (model, scaled))
    for method in methods:
        alike(other.upsampled(method), one.upsampled(method), 10 * case.tolerance)
        assert other.undefined[method, other.layers[0]] == one.undefined[method, one.layers[0]]


@quick
@given(case=cases, order=st.permutations(range(4)))
def test_permuting_images_permutes_maps(case, order):
    model, x = case.make(), case.images(4)
    plain = explain(model, x, METHODS, target=1)
    moved = explain(model, x[list(order)], METHODS, target=1)
    for key, m in plain.maps.items():
        alike(moved.maps[key], m[list(order)], case.tolerance)
        assert moved.undefined[key] == [plain.undefined[key][i] for i in order]


@quick
@given(case=cases, data=st.data())
def test_several_layers_and_all_classes_equal_each_singly(case, data):
    model, x = case.make(), case.images(2)
    spatial = [str(i) for i, m in enumerate(model) if isinstance(m, nn.Conv2d | nn.ReLU | nn.MaxPool2d)]
    layers = data.draw(st.lists(st.sampled_from(spatial), min_size=1, max_size=3, unique=True))
    methods = ("gradcam", "hirescam", "layercam")
    every = explain(model, x, methods, "all", layers)
    for c in range(every.target.shape[1]):
        for layer in layers:
            single = explain(model, x, methods, c, layer)
            for method in methods:
                alike(every[method, layer][:, c], single[method], case.tolerance)


@quick
@given(case=cases)
def test_prepare_gives_the_same_logits_and_leaves_the_model_alone(case):
    model, x = case.make().train(), case.images(3)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    ready = prepare(model)
    assert model.training and all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    with torch.no_grad():
        expected, got = model.eval()(x), ready(x)
    assert float((got - expected).abs().max()) <= 1e-5 * float(expected.abs().max()) + 1e-7
    one, other = explain(model, x, "gradcam", 1), explain(ready, x, "gradcam", 1)
    alike(other["gradcam"], one["gradcam"], 1e-3)


class Stop(Exception):
    """What a user's own hook raises."""


def state_of(model: nn.Module) -> dict:
    """Everything that a call might leave behind, by value."""
    return {
        "modes": [m.training for m in model.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()],
        "requires": [p.requires_grad for p in model.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "values": [t.clone() for t in model.state_dict().values()],
        "random": torch.get_rng_state(),
        "grad mode": torch.is_grad_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
    }


def same(a, b) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    return len(a) == len(b) and all(map(same, a, b)) if isinstance(a, list) else a == b


@quick
@given(case=cases, data=st.data())
def test_nothing_is_left_behind_after_success_and_after_a_failure_anywhere(case, data):
    """The failure: in any module's forward, in the backward pass, in a formula, or none at all."""
    model, x = case.make(), case.images(2)
    for module in model.modules():
        module.training = data.draw(st.booleans())
    for parameter in model.parameters():
        parameter.requires_grad_(data.draw(st.booleans()))
        if data.draw(st.booleans()):
            parameter.grad = torch.ones_like(parameter)
    where = data.draw(st.sampled_from(["nowhere", "forward", "backward", "formula"]))
    victim = model[data.draw(st.integers(0, len(model) - 1))]

    def fail(*_):
        raise Stop

    def fail_backward(_module, _inputs, output):
        if output.requires_grad:
            output.register_hook(fail)

    with pytest.MonkeyPatch.context() as patch, torch.set_grad_enabled(data.draw(st.booleans())):
        handle = None
        if where in ("forward", "backward"):
            handle = victim.register_forward_hook(fail if where == "forward" else fail_backward)
        if where == "formula":
            patch.setattr("studylib.cam.engine.wide", fail)
        before, pixels = state_of(model), x.clone()
        try:
            explain(model, x, ("gradcam", "layercam", "scorecam"), target="all")
        except Stop:
            assert where != "nowhere"
        else:
            assert where in ("nowhere", "backward")  # below the layer there is no backward pass to fail in
        after = state_of(model)
        assert all(same(before[name], after[name]) for name in before), [
            name for name in before if not same(before[name], after[name])
        ]
        assert torch.equal(x, pixels)
        if handle is not None:
            handle.remove()
