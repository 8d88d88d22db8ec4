"""The cut gives the full graph's gradients, and nothing is left behind on success or on any exception."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor, nn

from studylib.cam.capture import run, undisturbed
from studylib.cam.layers import LayerError, find_layers


class Net(nn.Module):
    """Convolutions with a skip connection, batch norm, in-place ReLUs, dropout, and a head that is not linear."""

    def __init__(self, fail: str = ""):
        super().__init__()
        self.conv1, self.bn, self.relu1 = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        self.conv2, self.relu2 = nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(inplace=True)
        self.drop, self.fc1, self.fc2 = nn.Dropout(), nn.Linear(6, 8), nn.Linear(8, 3)
        self.fail = fail

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu1(self.bn(self.conv1(x)))
        b = self.relu2(self.conv2(a))
        if self.fail:
            raise RuntimeError(self.fail)
        return self.fc2(torch.tanh(self.fc1(self.drop(a + b).mean((2, 3)))))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    net = Net().double()
    net.bn.running_mean.uniform_(-1, 1)
    return net


X = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def reference(net: Net, layer: str) -> tuple[Tensor, Tensor]:
    """Output of a layer before anything in place, and the gradient of the summed class 1, with the whole graph."""
    net = net.eval()
    kept = {}

    def hook(_module, _inputs, out):
        kept["a"] = out.requires_grad_() if out.is_leaf else out
        kept["copy"] = out.detach().clone()
        return out.clone()

    handle = getattr(net, layer).register_forward_hook(hook)
    for p in net.parameters():
        p.requires_grad_()
    gradient = torch.autograd.grad(net(X)[:, 1].sum(), kept["a"])[0]
    handle.remove()
    return kept["copy"], gradient


@pytest.mark.parametrize("layer", ["conv1", "bn", "relu1", "conv2", "relu2", "drop"])
@pytest.mark.parametrize("frozen", [True, False])
def test_activations_and_gradients_equal_the_full_graphs(net, layer, frozen):
    a, g = reference(net, layer)
    net.requires_grad_(not frozen)
    with undisturbed(net):
        seen = run(net, X, find_layers(net, layer), graph=True)
        gradients = seen.gradients(seen.output[:, 1].sum())
    assert torch.equal(seen.activations[layer], a)
    torch.testing.assert_close(gradients[layer], g, rtol=1e-12, atol=1e-15)


def test_several_layers_of_one_pass_equal_each_alone(net):
    names = ["conv2", "conv1", "relu2", "bn"]
    with undisturbed(net):
        seen = run(net, X, find_layers(net, names), graph=True)
        together = seen.gradients(seen.output[:, 1].sum())
    assert list(seen.activations) == ["conv1", "bn", "conv2", "relu2"]  # as they ran
    for name in names:
        a, g = reference(net, name)
        assert torch.equal(seen.activations[name], a)
        torch.testing.assert_close(together[name], g, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("frozen", [True, False])
def test_branches_side_by_side_both_get_their_gradient(frozen):
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 2, 3), nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return (self.left(x) * self.right(x)).mean((2, 3))

    net = Branches().double().requires_grad_(not frozen)
    with undisturbed(net):
        seen = run(net, X, find_layers(net, ["left", "right"]), graph=True)
        gradients = seen.gradients(seen.output[:, 0].sum())
    left, right = seen.activations["left"], seen.activations["right"]
    torch.testing.assert_close(gradients["left"][:, 0], right[:, 0] / 36)
    torch.testing.assert_close(gradients["right"][:, 0], left[:, 0] / 36)


def test_a_container_and_its_last_module_share_what_was_kept():
    net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with undisturbed(net):
        seen = run(net.double(), X, find_layers(net, ["0", "0.1", "0.0"]), graph=True)
        gradients = seen.gradients(seen.output[:, 0].sum())
    assert list(seen.activations) == ["0.0", "0.1", "0"]
    assert seen.kept["0"] is seen.kept["0.1"] and (seen.activations["0"] >= 0).all()
    assert (seen.activations["0.0"] < 0).any()  # kept from before the in-place ReLU
    assert torch.equal(gradients["0"], gradients["0.1"])


def test_without_a_graph_nothing_is_tracked_and_in_place_successors_do_no_harm(net):
    a, _ = reference(net, "conv2")
    with undisturbed(net):
        seen = run(net, X, find_layers(net, "conv2"), graph=False)
    assert torch.equal(seen.activations["conv2"], a)
    assert not seen.output.requires_grad and not seen.activations["conv2"].requires_grad


def state(net: nn.Module) -> dict:
    return {
        "modes": [m.training for m in net.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules()],
        "requires": [p.requires_grad for p in net.parameters()],
        "grads": [None if p.grad is None else p.grad.clone() for p in net.parameters()],
        "values": {k: v.clone() for k, v in net.state_dict().items()},
        "rng": torch.get_rng_state(),
        "python": random.getstate(),
        "switches": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.is_autocast_cache_enabled(),
        ),
    }


def same(a: object, b: object) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def untouched_by(net: nn.Module, *, layers=("conv1", "conv2"), error=None) -> None:
    """Run inside a training step half done: mixed modes, half frozen, gradients on the parameters."""
    torch.manual_seed(3)
    net.train()
    net.bn.eval()
    net.conv1.requires_grad_(False)
    for p in net.fc2.parameters():
        p.grad = torch.ones_like(p)
    before = state(net)
    try:
        with undisturbed(net):
            named = None if layers is None else find_layers(net, layers)
            seen = run(net, X.to(net.fc1.weight.dtype), named, graph=True)
            torch.rand(3)
            seen.gradients(seen.output[:, 1].sum())
            assert not any(m.training for m in net.modules())
    except BaseException as caught:
        assert error is not None and isinstance(caught, error) and net.fail in str(caught)
    else:
        assert error is None
    assert same(before, state(net))


@pytest.mark.parametrize("layers", [("conv1", "conv2"), None])
def test_nothing_is_left_on_success(net, layers):
    untouched_by(net, layers=layers)


@pytest.mark.parametrize("layers", [("conv1", "conv2"), None])
def test_nothing_is_left_when_the_model_fails(net, layers):
    net.fail = "broken in the middle"
    untouched_by(net, layers=layers, error=RuntimeError)


def test_nothing_is_left_when_a_key_is_pressed(net):
    def stop(*_):
        raise KeyboardInterrupt

    net.relu2.register_forward_hook(stop)
    untouched_by(net, error=KeyboardInterrupt)


def test_nothing_is_left_when_a_layer_is_refused(net):
    untouched_by(net, layers=("conv1", "fc1"), error=LayerError)
    untouched_by(net, layers=("conv1", "fc11"), error=LayerError)


@pytest.mark.parametrize("grad", [True, False])
def test_grad_mode_is_put_back(net, grad):
    with torch.set_grad_enabled(grad):
        untouched_by(net)
        net.fail = "broken"
        untouched_by(net, error=RuntimeError)
        assert torch.is_grad_enabled() is grad


def test_inference_mode_is_put_back_and_autocast_too(net):
    with torch.inference_mode():
        untouched_by(net.double())
        assert torch.is_inference_mode_enabled()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        untouched_by(net.float())
        assert torch.is_autocast_enabled("cpu")


def test_a_training_step_in_the_same_autocast_still_gets_its_gradients(net):
    """Where a weight cast without a graph stays in autocast's cache, the step after it is silently not trained."""
    net, x = net.float(), X.float()
    wanted = None
    for explain_first in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if explain_first:
                with undisturbed(net):
                    run(net, x, find_layers(net, "relu2"), graph=True)
            net.eval()(x).float().sum().backward()
        grads = [p.grad.clone() for p in net.parameters()]
        net.zero_grad()
        wanted = wanted or grads
        assert same(grads, wanted)


def test_the_models_own_train_method_is_not_called():
    class Counting(nn.Conv2d):
        calls = 0

        def train(self, mode=True):
            self.calls += 1
            return super().train(mode)

    net = nn.Sequential(Counting(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    with undisturbed(net):
        run(net, X, find_layers(net, "0"), graph=True)
    assert net[0].calls == 0 and net[0].training


def test_a_module_that_runs_twice_is_refused_by_name():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 4, 3), relu, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(LayerError, match=r"the layer '1' \(ReLU\) runs more than once.*name the module around it"):
        with undisturbed(net):
            run(net.double(), X, find_layers(net, "1"), graph=True)


def test_a_layer_that_does_not_run_is_an_error(net):
    net.spare = nn.Conv2d(3, 3, 1)
    with pytest.raises(LayerError, match="the layer 'spare' does not run in eval mode"), undisturbed(net):
        run(net, X, find_layers(net, "spare"), graph=True)


def test_a_layer_beside_the_way_to_the_logits_is_an_error():
    class Side(nn.Module):
        def __init__(self, detach: bool):
            super().__init__()
            self.conv, self.side, self.detach = nn.Conv2d(3, 2, 3), nn.Conv2d(3, 2, 3), detach

        def forward(self, x):
            self.seen, main = self.side(x), self.conv(x)
            return (main.detach() if self.detach else main).mean((2, 3))

    for layers, detach, message in (
        (["side", "conv"], False, "do not depend on the layer 'side'"),
        (["conv"], True, "no gradient with respect to 'conv'.*turns gradients off above"),
    ):
        net = Side(detach).double()
        with pytest.raises(LayerError, match=message), undisturbed(net):
            seen = run(net, X, find_layers(net, layers), graph=True)
            seen.gradients(seen.output.sum())


class Inside(nn.Module):
    """Gradients are off around the layer, as in models that freeze their trunk that way."""

    def __init__(self, context):
        super().__init__()
        self.conv, self.fc, self.context = nn.Conv2d(3, 2, 3), nn.Linear(2, 2), context

    def forward(self, x):
        with self.context():
            x = self.conv(x)
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize("layers", ["conv", None])
def test_a_forward_with_no_grad_around_the_layer(layers):
    net = Inside(torch.no_grad).double()
    with undisturbed(net):
        seen = run(net, X, layers and find_layers(net, layers), graph=True)
        g = seen.gradients(seen.output[:, 1].sum())["conv"]
    torch.testing.assert_close(g, net.fc.weight[1].detach().view(1, 2, 1, 1).expand_as(g) / 36)


def test_a_forward_that_is_no_grad_as_a_whole(net):
    a, g = reference(net, "conv2")
    net.forward = torch.no_grad()(net.forward)
    with undisturbed(net):
        seen = run(net, X, find_layers(net, "conv2"), graph=True)
        assert torch.equal(seen.gradients(seen.output[:, 1].sum())["conv2"], g)


def test_a_forward_with_inference_mode_around_the_layer_has_no_gradient_but_activations():
    net = Inside(torch.inference_mode).double()
    with pytest.raises(LayerError, match="turns on inference mode around 'conv'.*or ask for 'cam' alone"):
        with undisturbed(net):
            run(net, X, find_layers(net, "conv"), graph=True)
    with undisturbed(net):
        seen = run(net, X, None, graph=False)
    assert torch.equal(seen.activations["conv"], net.conv(X))


def test_a_write_behind_the_clone_is_noticed():
    class Behind(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = nn.Identity()

        def forward(self, x):
            y = x * 2
            z = self.same(y)
            y.zero_()
            return z.mean((2, 3))

    net = Behind()
    with pytest.raises(LayerError, match="changes the output of 'same' in place by another name"), undisturbed(net):
        run(net, X, find_layers(net, "same"), graph=True)


def test_a_model_made_in_inference_mode_is_run_on_copies():
    torch.manual_seed(0)
    with torch.inference_mode():
        made = Net().double()
    torch.manual_seed(0)
    plain = Net().double()
    weight = made.fc1.weight
    results = []
    for net in (plain, made):
        with undisturbed(net):
            seen = run(net, X, find_layers(net, ["conv1", "conv2"]), graph=True)
            results.append(seen.gradients(seen.output[:, 1].sum()))
    assert same(*results)
    assert made.fc1.weight is weight and weight.is_inference()


def test_the_search_keeps_only_the_last_spatial_layer_and_needs_one_forward(net):
    count = []
    net.register_forward_hook(lambda *_: count.append(1))
    with undisturbed(net):
        seen = run(net, X, None, graph=True)
    assert list(seen.activations) == ["relu2"] and len(count) == 1


def test_the_search_runs_again_where_the_last_layer_came_early():
    class Backwards(nn.Module):
        """The last layer is registered first, so the graph begins too late at first."""

        def __init__(self):
            super().__init__()
            self.last, self.middle, self.first = nn.Conv2d(4, 5, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(3, 4, 3)
            self.unused = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))

        def forward(self, x):
            return self.last(self.middle(self.first(x))).mean((2, 3))

    net, count = Backwards().double(), []
    net.register_forward_hook(lambda *_: count.append(1))
    with undisturbed(net):
        seen = run(net, X, None, graph=True)
        g = seen.gradients(seen.output[:, 3].sum())["last"]
    assert list(seen.activations) == ["last"] and len(count) == 2
    wanted = torch.zeros_like(g)
    wanted[:, 3] = 1 / (g.shape[2] * g.shape[3])
    torch.testing.assert_close(g, wanted)
