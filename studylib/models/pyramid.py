"""Feature pyramids and classifiers on them: the levels P3 to P7 of a RetinaNet (Lin 2017), chosen, brought to the size
of the finest one and joined, then global average pooling and a linear head (Guo 2021, 3.1), so that CAM and CRM are
exact.
"""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

from studylib.models.staged import ARCHITECTURES, StagedClassifier, nested
from studylib.models.weights import load_weights, normalisation

LEVELS = ("P3", "P4", "P5", "P6", "P7")  # strides 8, 16, 32, 64, 128


class FrozenStages(nn.Module):
    """Stages of a backbone that are not trained. images (N, 3, S, S) -> (N, D): the map of each stage, flat, one after
    the other, so that one array keeps them for every fit.
    """

    def __init__(self, stages: Iterable[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def maps(self, images: Tensor) -> list[Tensor]:
        found = []
        for stage in self.stages:
            images = stage(images)
            found.append(images)
        return found

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([m.flatten(1) for m in self.maps(images)], 1)


class PyramidMaps(nn.Module):
    """A feature pyramid on the stages C3 to C5 of a backbone. What `FrozenStages` gives (N, D), or images (N, 3, S, S)
    where no stage is frozen -> the chosen levels joined, (N, channels * len(levels), h, w), h and w of the finest.

    shapes: (C, h, w) of the frozen stages; stages: the rest, trained. P6 is a convolution of C5, P7 of P6 behind a ReLU
    (Lin 2017; the source prints P7 without the ReLU, and C4 where P3 needs C3). Levels are brought to one size by
    repeating pixels, which leaves their mean as it is where sizes divide.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, int, int]],
        stages: Iterable[nn.Module],
        fpn: FeaturePyramidNetwork,
        levels: Sequence[str] = LEVELS,
    ) -> None:
        super().__init__()
        self.shapes, self.levels = tuple(shapes), known_levels(levels)
        self.stages = nn.ModuleList(stages)
        self.fpn = fpn

    @property
    def channels(self) -> int:
        """Of every level."""
        return self.fpn.extra_blocks.p7.out_channels

    def pyramid(self, inputs: Tensor) -> OrderedDict[str, Tensor]:
        """All five levels, finest first, each (N, channels, h, w)."""
        found, at = [], 0
        for shape in self.shapes:
            size = shape[0] * shape[1] * shape[2]
            found.append(inputs[:, at : at + size].unflatten(1, shape))
            at += size
        for stage in self.stages:
            found.append(stage(found[-1] if found else inputs))
        levels = self.fpn(OrderedDict(zip(LEVELS[:3], found, strict=True)))
        return OrderedDict(zip(LEVELS, levels.values(), strict=True))

    def pooled(self, inputs: Tensor) -> Tensor:
        """Means over places of all five levels, (N, 5, channels): all that a pooled head on any of them sees."""
        return torch.stack([m.mean((2, 3)) for m in self.pyramid(inputs).values()], 1)

    def forward(self, inputs: Tensor) -> Tensor:
        found = self.pyramid(inputs)
        size = found[self.levels[0]].shape[-2:]
        return torch.cat([F.interpolate(found[name], size, mode="nearest") for name in self.levels], 1)


def known_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """The levels in the order of LEVELS. Raises ValueError for one that is unknown, given twice, or none at all."""
    for name in levels:
        if name not in LEVELS:
            near = difflib.get_close_matches(str(name).upper(), LEVELS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"no level is called '{name}' (known: {', '.join(LEVELS)}){hint}")
    if not levels or len(set(levels)) != len(levels):
        raise ValueError(f"levels {list(levels)}: one or more of {', '.join(LEVELS)} are expected, each once")
    return tuple(name for name in LEVELS if name in levels)


@dataclass(frozen=True)
class Stages:
    """ends: the last layer of C3, C4 and C5 by torchvision's names; frozen: how many of them weights at hand fill."""

    ends: tuple[str, str, str]
    widths: tuple[int, int, int]
    frozen: int


STAGES = {
    "resnet18": Stages(("layer2", "layer3", "layer4"), (128, 256, 512), 2),  # the weights at hand end at layer3
    "resnet50": Stages(("layer2", "layer3", "layer4"), (512, 1024, 2048), 3),
    "mobilenet_v2": Stages(("features.6", "features.13", "features.18"), (32, 96, 1280), 3),
    "small": Stages(("relu4", "relu5", "relu6"), (48, 64, 96), 0),
}


def small_stages() -> OrderedDict[str, nn.Module]:
    """Six convolutions with batch norm, five of them of stride 2: learns phantoms within a minute."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, strides = (3, 16, 32, 48, 48, 64, 96), (2, 2, 2, 1, 2, 2)
    for i, (before, after, stride) in enumerate(zip(channels[:-1], channels[1:], strides, strict=True), 1):
        layers[f"conv{i}"] = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        layers[f"bn{i}"] = nn.BatchNorm2d(after)
        layers[f"relu{i}"] = nn.ReLU()
    return layers


@dataclass(frozen=True, eq=False)
class Backbone:
    """Frozen stages (none where there are no weights), the pyramid behind them, and what images must be shifted by."""

    frozen: nn.Sequential
    upper: PyramidMaps
    shift: tuple[tuple[float, ...], tuple[float, ...]]
    weights_from: str


def backbone(
    architecture: str, channels: int, image_size: int, pretrained: bool, levels: Sequence[str] = LEVELS
) -> Backbone:
    """The stages of one of STAGES and a pyramid of so many channels. Raises ValueError for an unknown architecture, and
    for images smaller than the stride of P7.
    """
    if architecture not in STAGES:
        near = difflib.get_close_matches(architecture, STAGES, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no pyramid stands on '{architecture}' (known: {', '.join(STAGES)}){hint}")
    if STAGES[architecture].widths[-1] == channels:
        raise ValueError(f"C5 of {architecture} has {channels} channels as well: P6 would be made of P5, not of C5")
    if image_size < 128:
        raise ValueError(f"images of {image_size} pixels: P7 has one place every 128 pixels, so 128 are the least")
    layers = small_stages() if architecture == "small" else ARCHITECTURES[architecture].layers()
    asked, where = STAGES[architecture], "none"
    weights = "" if architecture == "small" else ARCHITECTURES[architecture].weights
    parts = _cut(layers, asked.ends)
    if pretrained and weights:
        trained = [name for part in parts[asked.frozen :] for name in part]
        where = load_weights(nested(layers), weights, optional=tuple(trained))
    count = asked.frozen if where in ("file", "torchvision") else 0
    stages = [nn.Sequential(OrderedDict((k.replace(".", "_"), v) for k, v in part.items())) for part in parts]
    frozen = nn.Sequential(FrozenStages(stages[:count])) if count else nn.Sequential()
    shapes = _shapes(frozen[0], image_size) if count else ()
    fpn = FeaturePyramidNetwork(list(asked.widths), channels, LastLevelP6P7(asked.widths[-1], channels))
    upper = PyramidMaps(shapes, stages[count:], fpn, levels)
    return Backbone(frozen, upper, normalisation(weights, where), where)


def _cut(layers: OrderedDict[str, nn.Module], ends: Sequence[str]) -> list[OrderedDict[str, nn.Module]]:
    """The layers in parts that end with each name; what comes after the last is left out."""
    parts, part = [], OrderedDict()
    for name, layer in layers.items():
        part[name] = layer
        if name in ends:
            parts.append(part)
            part = OrderedDict()
    return parts


@torch.no_grad()
def _shapes(frozen: FrozenStages, image_size: int) -> list[tuple[int, int, int]]:
    """(C, h, w) of the maps that frozen stages make of one image."""
    return [tuple(m.shape[1:]) for m in frozen.eval().maps(torch.zeros(1, 3, image_size, image_size))]


def pyramid(
    architecture: str = "small",
    outputs: int = 1,
    image_size: int = 192,
    channels: int = 32,
    levels: Sequence[str] = LEVELS,
    pretrained: bool = True,
) -> StagedClassifier:
    """A classifier of whole images on joined pyramid levels; frozen stages are computed once a data set. The maps'
    layer is `upper`. Raises ValueError as `backbone` and `known_levels` do.
    """
    made = backbone(architecture, channels, image_size, pretrained, levels)
    head = nn.Linear(channels * len(made.upper.levels), outputs)
    return StagedClassifier(made.frozen, made.upper, head, made.shift, made.weights_from)


def on_levels(network: nn.Module, levels: Sequence[str], weight: Tensor, bias: Tensor) -> StagedClassifier:
    """A classifier on some levels of a trained network's pyramid (sharing its weights), with a head of its own.

    network: with `upper` (PyramidMaps), `mean`, `std` and, where stages are frozen, `trunk`; weight: (classes,
    channels * len(levels)), levels in the order of LEVELS; bias: (classes,). Raises ValueError where they do not fit.
    """
    upper = network.upper
    chosen = known_levels(levels)
    if weight.shape != (len(bias), upper.channels * len(chosen)):
        raise ValueError(
            f"a head of {tuple(weight.shape)} for {len(bias)} classes and {len(chosen)} levels of {upper.channels}"
        )
    joined = PyramidMaps(upper.shapes, upper.stages, upper.fpn, chosen)
    head = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    trunk = getattr(network, "trunk", nn.Sequential())
    shift = (network.mean.flatten().tolist(), network.std.flatten().tolist())
    return StagedClassifier(trunk, joined, head, shift, getattr(network, "weights_from", "none")).eval()
