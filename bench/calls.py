"""How each candidate of a group is called; objects are made here, outside of the timing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import peers
import torch
from networks import NETWORKS, Network, forward, images
from plan import BF16, Group, rows_of
from torch import Tensor, nn

from studylib.cam import explain, prepare
from studylib.cam.crm import crm
from studylib.metrics.faithfulness import deletion_and_insertion

SEVEN = ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "crm")
STEPS = 32
AT_ONCE = {"scorecam": 32, "curves": 16}  # images in one forward, of ours, of the peers that ask, and of the plain pass
Call = Callable[[], object]
Make = Callable[[str, str], Call]  # (candidate, methods) -> its call


def candidates(group: Group, rows: Iterable[tuple[str, str]] | None = None) -> tuple[Call, dict[tuple[str, str], Call]]:
    """The plain pass of a group, and its candidates by (candidate, methods); of `rows` alone, where they are given."""
    plain, make = {"maps": _maps, "scorecam": _scorecam, "curves": _curves, "crm": _crm}[group.kind](group)
    return plain, {row: make(*row) for row in (rows_of(group) if rows is None else rows)}


class Forms:
    """A model as each of our candidates has it, made when it is first asked for."""

    def __init__(self, model: nn.Module) -> None:
        self.made = {"studylib": model}
        self.how = {"studylib+prepare": {}, BF16: {"dtype": torch.bfloat16}}

    def __contains__(self, candidate: str) -> bool:
        return candidate in self.made or candidate in self.how

    def __getitem__(self, candidate: str) -> nn.Module:
        if candidate not in self.made:
            self.made[candidate] = prepare(self.made["studylib"], **self.how[candidate])
        return self.made[candidate]


def methods_of(network: Network) -> tuple[str, ...]:
    """The maps that the head of a network allows."""
    return SEVEN if network.pooled else tuple(m for m in SEVEN if m not in ("cam", "crm"))


def _maps(group: Group) -> tuple[Call, Make]:
    network = NETWORKS[group.network]
    model, x, layers = network.build(), images(group.batch), network.layers(group.layers)
    forms = Forms(model)
    libraries = {
        "torchcam": peers.torchcam_maps,
        "pytorch-grad-cam": peers.pytorch_grad_cam_maps,
        "captum": peers.captum_maps,
    }

    def make(candidate: str, which: str) -> Call:
        if candidate in forms:
            used, methods = forms[candidate], methods_of(network) if which == "all" else (which,)
            return lambda: explain(used, x, methods, layers=layers)
        asked = tuple(peers.PYTORCH_GRAD_CAM) if which == "all" else (which,)
        return libraries[candidate](network, model, x, asked, layers)

    return lambda: forward(model, x), make


def _scorecam(group: Group) -> tuple[Call, Make]:
    """All 64 channels of one image at an early layer; the plain pass is that of 64 images, 32 at a time."""
    network = NETWORKS[group.network]
    model, x, layer, channels = network.build(), images(group.batch), "layer1", 64
    at_once = AT_ONCE["scorecam"]
    forms, many = Forms(model), images(at_once)
    libraries = {"torchcam": peers.torchcam_scorecam, "pytorch-grad-cam": peers.pytorch_grad_cam_scorecam}

    def make(candidate: str, which: str) -> Call:
        if candidate in forms:
            used, target = forms[candidate], "all" if which == "scorecam (all classes)" else None
            return lambda: explain(used, x, "scorecam", target, layer)
        return libraries[candidate](model, x, layer, at_once)

    return lambda: [forward(model, many) for _ in range(channels // at_once)], make


def _curves(group: Group) -> tuple[Call, Make]:
    """Grad-CAM, then both curves of 32 steps; the plain pass is that of as many images: 2 x 32 for each."""
    network, at_once = NETWORKS[group.network], AT_ONCE["curves"]
    model, x = network.build(), images(group.batch)
    forms, many = Forms(model), images(at_once)
    e = explain(model, x, "gradcam")
    maps, target = e.upsampled("gradcam"), e.target

    def ours(used: nn.Module) -> Call:
        @torch.inference_mode()
        def probability(part: Tensor, rows: Tensor) -> Tensor:
            return used(part).softmax(1).gather(1, target[rows, None])[:, 0]

        def call() -> None:
            made = explain(used, x, "gradcam", target).upsampled("gradcam")
            deletion_and_insertion(probability, x, made, baseline="zero", blocks=None, steps=STEPS, batch_size=at_once)

        return call

    def make(candidate: str, _which: str) -> Call:
        if candidate in forms:
            return ours(forms[candidate])
        if candidate == "torchcam":
            return peers.torchcam_curves(model, x, network.last, STEPS, at_once)
        return peers.quantus_deletion(model, x, maps, target, STEPS)

    return lambda: [forward(model, many) for _ in range(2 * STEPS * group.batch // at_once)], make


def _crm(group: Group) -> tuple[Call, Make]:
    """CRM of 16 images from their 512 x 7 x 7 features for 2, 5 or 20 classes (`batch` holds the classes), in closed
    form and by removing one place after the other, of one image or of all at a time; the plain pass is the network's
    that makes such features.
    """
    model, x = NETWORKS[group.network].build(), images(16)
    features = torch.rand(16, 512, 7, 7, generator=torch.Generator().manual_seed(1))
    weights = torch.randn(group.batch, 512, 1, 1, generator=torch.Generator().manual_seed(2))

    def removed(some: Tensor, row: int, column: int) -> Tensor:
        less = some.clone()
        less[:, :, row, column] = 0
        return less.mean((2, 3)) @ weights.flatten(1).T

    @torch.inference_mode()
    def loop(at_once: int = 1) -> Tensor:
        scores, made = features.mean((2, 3)) @ weights.flatten(1).T, features.new_empty(16, 7, 7)
        for rows in torch.arange(16).split(at_once):
            for row in range(7):
                for column in range(7):
                    lost = scores[rows] - removed(features[rows], row, column)
                    made[rows, row, column] = lost.square().sum(1)
        return made

    closed = torch.inference_mode()(lambda: crm(features, weights))
    torch.testing.assert_close(closed(), loop(), rtol=1e-3, atol=1e-6)
    forms = {"studylib": closed, "loop": loop, "loop over batches": lambda: loop(16)}
    return lambda: forward(model, x), lambda candidate, _which: forms[candidate]
