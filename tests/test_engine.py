"""Identities that a right engine meets, and second implementations in float64, on small nets and known ones."""

from __future__ import annotations

import warnings

import pytest
import torch
import torchvision
from torch import Tensor, nn

from studylib.cam import METHODS, explain
from studylib.cam.formulas import Method

ALL = ("cam", "gradcam", "hirescam")


def gap(classes: int = 4, inplace: bool = False) -> nn.Sequential:
    """Two convolutions, global average pooling, linear: CAM is exact at '3'."""
    torch.manual_seed(0)
    trunk = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(inplace)]
    return nn.Sequential(*trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(8, classes)).double()


def flat(classes: int = 1) -> nn.Sequential:
    """Convolution, batch norm, two poolings, flatten, linear: the shape of study 2's network; CAM is exact at '4'."""
    torch.manual_seed(0)
    trunk = [nn.Conv2d(3, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(2)]
    return nn.Sequential(*trunk, nn.Flatten(), nn.Linear(6 * 9, classes)).double()


def images(n: int = 3, size: int = 12, seed: int = 1, dtype=torch.float64) -> Tensor:
    return torch.randn(n, 3, size, size, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def second(model: nn.Sequential, x: Tensor, layer: int, classes: Tensor) -> dict[str, Tensor]:
    """Grad-CAM and HiResCAM by splitting a Sequential in two, image by image, with the whole graph."""
    model = model.eval()
    maps: dict[str, list[Tensor]] = {"gradcam": [], "hirescam": []}
    for image, c in zip(x, classes.tolist(), strict=True):
        a = model[: layer + 1](image[None]).detach().clone().requires_grad_()
        logits = model[layer + 1 :](a.clone())[0]
        score = (logits[0] if c else -logits[0]) if len(logits) == 1 else logits[c]
        g = torch.autograd.grad(score, a)[0][0]
        a = a[0].detach()
        maps["hirescam"].append(sum(g[k] * a[k] for k in range(len(a))))
        maps["gradcam"].append(sum(g[k].sum() / g[k].numel() * a[k] for k in range(len(a))))
    return {name: torch.stack(m) for name, m in maps.items()}


def close(a: Tensor, b: Tensor, relative: float = 1e-12) -> None:
    assert a.shape == b.shape
    assert (a - b).abs().max() <= relative * b.abs().max(), float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("layer", ["0", "1", "2", "3"])
@pytest.mark.parametrize("target", [None, 2, [0, 3, 1], torch.tensor([1, 1, 0])])
def test_maps_equal_a_second_implementation(layer, target):
    model, x = gap(), images()
    e = explain(model, x, ("gradcam", "hirescam"), target, layer)
    wanted = second(model, x, int(layer), e.target)
    for name in wanted:
        close(e[name], wanted[name])


def test_pooled_head_identities():
    model, x = gap(), images()
    e = explain(model, x, ALL)
    a = model.eval()[:4](x).detach()
    w, b = model[7].weight.detach(), model[7].bias.detach()
    by_hand = torch.stack([sum(w[c, k] * a[i, k] for k in range(8)) for i, c in enumerate(e.target.tolist())])
    close(e["cam"], by_hand)
    places = a.shape[2] * a.shape[3]
    close(e["gradcam"], e["cam"] / places)
    close(e["hirescam"], e["cam"] / places)
    score = e.logits.gather(1, e.target[:, None])[:, 0]
    close(e["hirescam"].sum((1, 2)) + b[e.target], score)
    close(e["cam"].mean((1, 2)) + b[e.target], score)
    assert torch.equal(e.logits, model(x).detach()) and torch.equal(e.target, e.logits.argmax(1))


def test_flat_head_identities():
    model, x = flat(), images()
    e = explain(model, x, ALL, target=1)
    f = model.eval()[:5](x).detach()
    w = model[6].weight.detach().view(6, 3, 3)
    by_hand = torch.stack([sum(w[k] * f[i, k] for k in range(6)) for i in range(3)])  # sum_k w_k(x, y) f_k(x, y)
    close(e["cam"], by_hand)
    close(e["hirescam"], e["cam"])
    close(e["cam"].sum((1, 2)) + model[6].bias.detach(), e.logits[:, 0])
    assert (e["gradcam"] - e["cam"]).abs().max() > 0.1 * e["cam"].abs().max()  # only the other two are exact here


def test_flat_head_with_several_classes():
    e = explain(flat(3), images(), ALL, target="all")
    close(e["hirescam"], e["cam"])
    close(e["cam"].sum((2, 3)), e.logits - flat(3)[6].bias.detach())


def test_one_logit_sides():
    model, x = flat(), images(6)
    one, zero, said = (explain(model, x, ALL, target=t, layers=["3", "4"]) for t in (1, 0, None))
    positive = one.logits[:, 0] > 0
    assert 0 < positive.sum() < 6
    for key, of_one in one.maps.items():
        assert torch.equal(zero.maps[key], -of_one)
        assert torch.equal(said.maps[key], torch.where(positive[:, None, None], of_one, -of_one))
    assert torch.equal(said.target, positive.long())
    wanted = second(model, x, 3, torch.tensor([1, 0, 0, 1, 1, 0]))
    close(explain(model, x, "gradcam", [1, 0, 0, 1, 1, 0], "3")["gradcam"], wanted["gradcam"])


@pytest.mark.parametrize(("make", "classes", "backwards"), [(gap, 4, 4), (flat, 2, 1)])
def test_all_classes_at_once_equal_each_singly(make, classes, backwards, monkeypatch):
    model, x = make(), images()
    calls, real = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append(1) or real(*a, **k))
    e = explain(model, x, ALL, target="all", layers=["2", "3"] if make is gap else ["3", "4"])
    assert len(calls) == backwards
    assert torch.equal(e.target, torch.arange(classes).expand(3, classes))
    for c in range(classes):
        single = explain(model, x, ALL, target=c, layers=list(e.layers))
        for key, m in single.maps.items():
            close(e.maps[key][:, c], m)
            assert [row[c] for row in e.undefined[key]] == single.undefined[key]


def test_several_layers_from_one_pass_equal_each_singly():
    model, x = gap(), images()
    e = explain(model, x, ("gradcam", "hirescam"), layers=["3", model[0], "2"])
    assert e.layers == ("0", "2", "3")
    for layer in e.layers:
        single = explain(model, x, ("gradcam", "hirescam"), layers=layer)
        for name in ("gradcam", "hirescam"):
            close(e[name, layer], single[name])
    assert torch.equal(e["gradcam"], e["gradcam", "3"])  # without a name: the last that ran


def test_one_forward_and_at_most_one_backward():
    model, x = gap(), images()
    forwards, backwards = [], []
    model[0].register_forward_hook(lambda *_: forwards.append(1))
    model[7].register_full_backward_hook(lambda *_: backwards.append(1))
    explain(model, x, ALL, layers=["1", "2", "3"])
    assert (len(forwards), len(backwards)) == (1, 1)
    explain(model, x, ALL)
    assert (len(forwards), len(backwards)) == (2, 2)
    explain(model, x, "cam")
    assert (len(forwards), len(backwards)) == (3, 2)


def test_the_trunk_below_the_layer_has_no_graph():
    model, seen = gap(), []
    model[2].register_forward_hook(lambda _m, inputs, out: seen.append((inputs[0].requires_grad, out.requires_grad)))
    explain(model, images().requires_grad_(), layers="3")
    assert seen == [(False, False)]


@pytest.mark.parametrize("layer", ["0", "2"])
def test_an_in_place_successor_changes_nothing(layer):
    x = images()
    plain = explain(gap(), x, ("gradcam", "hirescam"), 1, layer)
    in_place = explain(gap(inplace=True), x, ("gradcam", "hirescam"), 1, layer)
    for name in ("gradcam", "hirescam"):
        assert torch.equal(plain[name], in_place[name])
    assert torch.equal(explain(flat(), x, "cam")["cam"], explain(flat(), x, ("cam", "gradcam"))["cam"])


@pytest.mark.parametrize("frozen", ["all", "trunk", "head", "none"])
def test_frozen_models(frozen):
    model, x = gap(), images()
    wanted = explain(model, x, ALL, 1)
    for i, module in enumerate(model):
        module.requires_grad_({"all": False, "trunk": i > 3, "head": i <= 3, "none": True}[frozen])
    before = [p.requires_grad for p in model.parameters()]
    e = explain(model, x, ALL, 1)
    for name in ALL:
        assert torch.equal(e[name], wanted[name])
    assert [p.requires_grad for p in model.parameters()] == before and all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_under_any_grad_mode(context):
    wanted = explain(gap(), images(), ALL)
    with context():
        model, x = gap(), images()  # tensors of inference mode, parameters and images both
        e = explain(model, x, ALL)
        for name in ALL:
            assert torch.equal(e[name], wanted[name])
    assert not any(m.requires_grad for m in e.maps.values()) and not e.logits.requires_grad
    assert not e["gradcam"].is_inference()


def test_a_model_in_training_mode_is_explained_in_eval_mode_and_put_back():
    model, x = gap(), images()
    wanted = explain(model.eval(), x, ALL)
    model.train()
    model[0].eval()
    e = explain(model, x, ALL)
    for name in ALL:
        assert torch.equal(e[name], wanted[name])
    assert [m.training for m in model] == [False] + [True] * 7


def test_batch_independence():
    model, x = flat(), images(5)
    together = explain(model, x, ALL, layers=["3", "4"])
    for i in range(5):
        alone = explain(model, x[i : i + 1], ALL, layers=["3", "4"])
        for key, m in alone.maps.items():
            close(together.maps[key][i : i + 1], m)


def test_a_nan_image_is_named_and_spoils_no_other():
    model, x = gap(), images()
    wanted = explain(model, x, ALL, 0)
    x[1, 0, 3, 3] = torch.nan
    e = explain(model, x, ALL, 0)
    for name in ALL:
        assert [r is None for r in e.undefined[name, "3"]] == [True, False, True]
        assert e.undefined[name, "3"][1] == "NaN"
        close(e[name][[0, 2]], wanted[name][[0, 2]])
        assert e.upsampled(name)[1].isnan().all() and not e.upsampled(name)[0].isnan().any()


def test_a_flat_image_through_an_unpadded_net_is_flat():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    e = explain(model, torch.ones(1, 3, 8, 8), ALL, 0)
    assert set(map(tuple, e.undefined.values())) == {("flat",)}


def test_channels_last_gives_the_same_maps():
    model, x = gap(), images()
    wanted = explain(model, x, ALL)
    e = explain(model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last), ALL)
    for name in ALL:
        close(e[name], wanted[name])
    model, x = flat(3), images()
    wanted = explain(model, x, ALL)
    e = explain(model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last), ALL)
    for name in ALL:
        close(e[name], wanted[name])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_outside_and_inside_the_model(dtype):
    class Inside(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            with torch.autocast("cpu", dtype=dtype):
                return self.net(x)

    model, x = gap().float(), images(dtype=torch.float32)
    wanted = explain(model, x, ALL, 1)
    with torch.autocast("cpu", dtype=dtype):
        outside = explain(model, x, ALL, 1)
    inside = explain(Inside(model), x, ALL, 1, "net.3")
    for name in ALL:
        assert outside[name].dtype == torch.float32  # made in float32 from what the model gave
        close(outside[name], wanted[name], 0.02)
        assert torch.equal(inside[name], outside[name])
    close(outside["gradcam"], outside["cam"] / outside["cam"][0].numel(), 0.01)


def test_float16_gradients_do_not_underflow():
    """With 62 x 62 places and small weights gradients are about 1e-7, and float16 has steps of 6e-8 there."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    net[4].weight.data *= 1e-3
    x = images(2, 64, dtype=torch.float32)
    wanted = explain(net, x, target=0)["gradcam"]
    with torch.autocast("cpu", dtype=torch.float16):
        close(explain(net, x, target=0)["gradcam"], wanted, 0.01)


def test_a_new_method_is_a_formula_and_a_line_and_runs_outside_autocast(monkeypatch):
    def by_matrix(activations: Tensor, gradients: Tensor) -> Tensor:
        return torch.einsum("nk,nkhw->nhw", gradients.mean((2, 3)), activations)

    monkeypatch.setitem(METHODS, "by_matrix", Method("by_matrix", by_matrix, "Grad-CAM by a product of matrices"))
    model, x = gap().float(), images(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        e = explain(model, x, ("gradcam", "by_matrix"), target="all")
    close(e["by_matrix"], e["gradcam"], 1e-5)  # in bfloat16 it would be 1e-2
    e.upsampled("by_matrix")
    assert e.said.startswith("Grad-CAM by a product of matrices at 3: ReLU")


def test_cam_beside_layers_without_a_cam():
    model, x = flat(), images()
    e = explain(model, x, ALL, layers=["3", "4"])
    assert set(e.maps) == {("cam", "4"), *((m, x) for m in ("gradcam", "hirescam") for x in ("3", "4"))}
    assert torch.equal(e["cam"], e["cam", "4"])
    with pytest.raises(KeyError, match="at '3'.*no such head.*any head: gradcam, gradcam\\+\\+, hirescam"):
        e["cam", "3"]
    with pytest.raises(ValueError, match="at '3'.*no such head.*any head: gradcam, gradcam\\+\\+, hirescam"):
        explain(model, x, "cam", layers="3")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (4, "target holds 4, but the model has a class from 0 to 3"),
        (-1, "target holds -1, but the model has a class from 0 to 3"),
        ([0, 1], r"shape \(2,\) for 3 images"),
        ([0, 1, 9], "target holds 9"),
        (1.0, "whole numbers"),
        (True, "whole numbers"),
        (torch.zeros(3, 1, dtype=torch.long), r"shape \(3, 1\)"),
        ("every", "None, a class from 0 to 3, one for each image, or 'all'"),
    ],
)
def test_wrong_targets(target, message):
    with pytest.raises(ValueError, match=message):
        explain(gap(), images(), target=target)


def test_one_logit_has_two_sides_only():
    with pytest.raises(ValueError, match="target holds 2, but the model has a class from 0 to 1"):
        explain(flat(), images(), target=2)


def test_logits_of_one_axis_are_one_logit():
    squeezed = nn.Sequential(*flat(), nn.Flatten(0)).double()
    x = images()
    assert torch.equal(explain(squeezed, x, ALL)["cam"], explain(flat(), x, ALL)["cam"])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (images()[0], r"\(3, 12, 12\).*images\[None\]"),
        (images()[:0], "N > 0"),
        (images().to(torch.uint8), "holds torch.uint8"),
    ],
)
def test_wrong_images(x, message):
    with pytest.raises(ValueError, match=message):
        explain(gap(), x)


class Dictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = gap()

    def forward(self, x):
        return {"logits": self.net(x)}


def test_wrong_models():
    x = images()
    with pytest.raises(ValueError, match=r"returns \(3, 6, 12, 12\) of torch.float64 for 3 images"):
        explain(gap()[:2], x, layers="0")
    with pytest.raises(ValueError, match="returns a dict; wrap it so that it returns logits"):
        explain(Dictionary(), x)
    with pytest.raises(ValueError, match="explain model.module"):
        explain(nn.DataParallel(gap()), x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(gap().eval(), x)
    with pytest.raises(ValueError, match="scripted or traced"):
        explain(traced, x)


def test_unknown_names():
    with pytest.raises(ValueError, match="did you mean 'gradcam'"):
        explain(gap(), images(), "gradcamm")
    with pytest.raises(ValueError, match="the model has no layer '9'"):
        explain(gap(), images(), layers="9")
    with pytest.raises(TypeError, match="model is a function"):
        explain(lambda x: x, images())
    with pytest.raises(TypeError, match="images is a list"):
        explain(gap(), [1])


@pytest.mark.parametrize("how", ["wrapped", "in place", "a part"])
def test_compiled_models_are_explained_as_they_were_written(how):
    wanted, model, x = explain(gap(), images(), ALL), gap(), images()
    if how == "wrapped":
        model = torch.compile(model, backend="eager")
    elif how == "in place":
        model.compile(backend="eager")
    else:
        model[2].compile(backend="eager")
    model.eval()(x)  # compiled code exists
    e = explain(model, x, ALL, layers="3")
    assert explain(model, x).layers == ("3",)
    for name in ALL:
        assert torch.equal(e[name], wanted[name])


def test_inputs_are_not_changed():
    x = images()
    before = x.clone()
    explain(gap(inplace=True), x, ALL)
    assert torch.equal(x, before)


NETS = {  # name -> (default layer at 64 pixels, CAM exact there)
    "resnet18": ("layer4", True),
    "vgg11": ("features", False),
    "densenet121": ("features", True),
    "mobilenet_v2": ("features", True),
    "squeezenet1_1": ("features", False),
    "alexnet": ("features.11", False),
}


@pytest.fixture(scope="module", params=NETS)
def network(request):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(torchvision.models, request.param)(num_classes=5)
    return request.param, model, torch.randn(2, 3, 64, 64)


def full_graph(model: nn.Module, x: Tensor, layer: str) -> tuple[Tensor, Tensor, Tensor]:
    """Activation, gradient of the predicted logit, logits, all with one whole graph and no cut."""
    kept = {}

    def hook(_module, _inputs, out):
        kept["a"], kept["before"] = out, out.detach().clone()
        return out.clone()

    handle = model.get_submodule(layer).register_forward_hook(hook)
    logits = model.eval()(x)
    handle.remove()
    g = torch.autograd.grad(logits.amax(1).sum(), kept["a"])[0]
    return kept["before"], g, logits.detach()


def test_architectures(network):
    name, model, x = network
    layer, exact = NETS[name]
    hooks_before = sum(len(m._forward_hooks) for m in model.modules())
    e = explain(model.train(), x, ALL if exact else ALL[1:])
    assert e.layers == (layer,) and all(m.training for m in model.modules())
    a, g, logits = full_graph(model, x, layer)
    assert torch.equal(e.logits, logits)
    close(e["hirescam"], (a * g).sum(1), 1e-5)
    close(e["gradcam"], (a * g.mean((2, 3), keepdim=True)).sum(1), 1e-5)
    assert sum(len(m._forward_hooks) for m in model.modules()) == hooks_before
    assert all(p.grad is None for p in model.parameters())
    if not exact:
        with pytest.raises(ValueError, match="Methods that work with any head: gradcam, gradcam\\+\\+, hirescam"):
            explain(model, x, "cam")
    else:
        head = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
        score = e.logits.amax(1)
        close(e["cam"].mean((1, 2)) + head.bias.detach()[e.target], score, 1e-5)
    if name in ("resnet18", "mobilenet_v2"):
        close(e["gradcam"], e["cam"] / e["cam"][0].numel(), 1e-5)


@pytest.mark.parametrize("network", ["vgg11", "densenet121", "alexnet"], indirect=True)
def test_in_place_relu_after_the_layer_in_real_networks(network):
    """A convolution followed by an in-place ReLU keeps its signed output; so does densenet's last norm."""
    name, model, x = network
    layer = {"vgg11": "features.18", "densenet121": "features.norm5", "alexnet": "features.8"}[name]
    e = explain(model, x, ("gradcam", "hirescam"), layers=layer)
    a, g, _ = full_graph(model, x, layer)
    assert (a < 0).any()
    close(e["hirescam"], (a * g).sum(1), 1e-5)
    close(e["gradcam"], (a * g.mean((2, 3), keepdim=True)).sum(1), 1e-5)


@pytest.mark.parametrize("network", ["squeezenet1_1"], indirect=True)
def test_cam_at_the_class_maps_of_a_convolutional_head(network):
    _, model, x = network
    with pytest.raises(ValueError, match="the layer behind the class maps of 'classifier.1'"):
        explain(model, x, "cam")
    e = explain(model, x, "cam", layers="classifier.2", target="all")
    close(e["cam"].mean((2, 3)), e.logits, 1e-5)


@pytest.mark.parametrize("gate", ["none", "channel", "channel_spatial", "cam", "weights"])
def test_the_network_of_study_2(gate):
    """Images (N, 3, S, S) -> one logit; CAM at pool2 (S/16) sums to the logit, Grad-CAM comes along at S/4."""
    brain = pytest.importorskip("studylib.models.brain")
    torch.manual_seed(0)
    model, x = brain.brain_net(64, gate).double(), torch.rand(2, 3, 64, 64, dtype=torch.float64)
    if gate != "none":
        model.begin_epoch(5, 2)
    e = explain(model, x, ALL)
    assert e.layers == ("pool2",) and e["cam"].shape == (2, 4, 4)
    sign = 2 * e.target - 1
    close(e["cam"].sum((1, 2)), sign * (e.logits - model.fc.bias.detach())[:, 0])
    close(e["hirescam"], e["cam"])
    early = "pool1" if gate == "none" else "gate"
    both = explain(model, x, ALL, target=1, layers=[early, "pool2"])
    assert both["gradcam", early].shape == (2, 16, 16) and torch.equal(both["cam"], sign[:, None, None] * e["cam"])
    kept = {}
    handle = model.get_submodule(early).register_forward_hook(lambda _m, _i, out: kept.update(a=out))
    logits = model.eval()(x)
    handle.remove()
    g = torch.autograd.grad(logits.sum(), kept["a"])[0]
    close(both["gradcam", early], (kept["a"] * g.mean((2, 3), keepdim=True)).sum(1).detach())


@pytest.mark.parametrize("target", [None, 2, [0, 3, 1, 2, 0], torch.tensor([1, 1, 0, 3, 2]), "all"])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 9])
def test_chunks_equal_the_whole_batch_and_never_run_more_images(target, batch_size):
    model, x, sizes = gap(), images(5), []
    methods = (*ALL, "layercam", "crm", "scorecam")
    whole = explain(model, x, methods, target)
    model[0].register_forward_hook(lambda _m, inputs, _o: sizes.append(len(inputs[0])))
    e = explain(model, x, methods, target, batch_size=batch_size)
    assert max(sizes) <= batch_size
    assert e.layers == whole.layers and e.undefined == whole.undefined and e.signed == whole.signed
    assert torch.equal(e.target, whole.target)
    close(e.logits, whole.logits)
    for key, m in whole.maps.items():
        close(e.maps[key], m, 1e-10)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "4"])
def test_a_wrong_batch_size_says_what_it_may_be(batch_size):
    with pytest.raises(ValueError, match="it must be a whole number of images, 1 or more, or None"):
        explain(gap(), images(), batch_size=batch_size)


def test_too_few_targets_for_chunks_say_both_numbers():
    with pytest.raises(ValueError, match="target has 2 classes for 3 images"):
        explain(gap(), images(), target=[0, 1], batch_size=2)
