"""Classifiers whose class activation map is exact: convolutions, global average pooling, a linear head. Where
pretrained weights are at hand the lower convolutions stay as they are; the last stage and the head are trained.
"""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from studylib.models.weights import load_weights, normalisation

HEADS = ("linear", "three_layers", "flattened")


class StagedClassifier(nn.Module):
    """A frozen trunk (where there is one), a trained upper part, global average pooling (unless the head takes every
    place for itself), a head. images: (N, 3, S, S) in [0, 1] -> logits (N, outputs).

    `features(images)` gives what the trained part sees, (N, C, h, w): computed once a data set, then read by every fit;
    `trained()` is that part, from there to the logits, sharing its weights. The maps' layer is `upper`. `weights_from`
    says where pretrained weights came from.
    """

    def __init__(
        self, trunk: nn.Sequential, upper: nn.Sequential, head: nn.Module, shift: tuple, where: str, pooled: bool = True
    ) -> None:
        super().__init__()
        mean, std = shift
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        if len(trunk):
            self.trunk = trunk.requires_grad_(False).eval()
        self.upper = upper
        self.pool = nn.AdaptiveAvgPool2d(1) if pooled else nn.Identity()
        self.flatten = nn.Flatten()
        self.fc = head
        self.weights_from = where

    def train(self, mode: bool = True) -> StagedClassifier:
        super().train(mode)
        if hasattr(self, "trunk"):
            self.trunk.eval()  # batch norm of a frozen trunk must not drift
        return self

    def features(self, images: Tensor) -> Tensor:
        images = (images - self.mean) / self.std
        return self.trunk(images) if hasattr(self, "trunk") else images

    def trained(self) -> nn.Sequential:
        return nn.Sequential(self.upper, self.pool, self.flatten, self.fc)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.upper(self.features(images)))))


@dataclass(frozen=True)
class Architecture:
    """layers: its convolutions by torchvision's names, in order; cut: the first that is trained where the weights
    called `weights` fill those before it ("": everything is trained); channels: of the last.
    """

    layers: Callable[[], OrderedDict[str, nn.Module]]
    channels: int
    cut: str = ""
    weights: str = ""


def _features(name: str, drop_last: bool = False) -> Callable[[], OrderedDict[str, nn.Module]]:
    """The layers of a torchvision model's `features`; drop_last: without the last max pooling, so that the map of an
    image of half the size has as many places.
    """

    def layers() -> OrderedDict[str, nn.Module]:
        import torchvision

        found = getattr(torchvision.models, name)(weights=None).features.named_children()
        named = OrderedDict((f"features.{key}", layer) for key, layer in found)
        if drop_last:
            named.popitem()
        if name.startswith("densenet"):
            named["relu"] = nn.ReLU()  # torchvision applies it as a function
        return named

    return layers


def _stages(name: str) -> Callable[[], OrderedDict[str, nn.Module]]:
    """The stages of a torchvision ResNet."""

    def layers() -> OrderedDict[str, nn.Module]:
        import torchvision

        whole = getattr(torchvision.models, name)(weights=None)
        parts = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        return OrderedDict((part, getattr(whole, part)) for part in parts)

    return layers


def _small() -> OrderedDict[str, nn.Module]:
    """Four convolutions with batch norm and three poolings: learns phantoms within a minute."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = (3, 16, 32, 64, 96)
    for i, (before, after) in enumerate(zip(channels[:-1], channels[1:], strict=True), 1):
        layers[f"conv{i}"] = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers[f"bn{i}"] = nn.BatchNorm2d(after)
        layers[f"relu{i}"] = nn.ReLU()
        if i < 4:
            layers[f"pool{i}"] = nn.MaxPool2d(2)
    return layers


ARCHITECTURES = {
    "alexnet": Architecture(_features("alexnet", drop_last=True), 256),
    "vgg16": Architecture(_features("vgg16", drop_last=True), 512, "features.17", "vgg16_to_relu3_3"),
    "vgg19": Architecture(_features("vgg19", drop_last=True), 512, "features.19", "vgg19"),
    "resnet18": Architecture(_stages("resnet18"), 512, "layer4", "resnet18_to_layer3"),
    "resnet50": Architecture(_stages("resnet50"), 2048, "layer4", "resnet50"),
    "densenet121": Architecture(_features("densenet121"), 1024, "features.denseblock4", "densenet121"),
    "mobilenet_v2": Architecture(_features("mobilenet_v2"), 1280, "features.14", "mobilenet_v2"),
    "efficientnet_b0": Architecture(_features("efficientnet_b0"), 1280, "features.6", "efficientnet_b0"),
    "small": Architecture(_small, 96),
}


def staged(
    architecture: str = "resnet18",
    outputs: int = 3,
    image_size: int = 224,
    head: str = "linear",
    pretrained: bool = True,
    head_alone: bool = False,
) -> StagedClassifier:
    """One of ARCHITECTURES with a new head; `image_size` is free where pooling is global.

    head: "linear" behind global average pooling, on which CAM is exact; "three_layers", VGG's own three layers behind
    the pooling; or "flattened", dense layers on every place of the map, as VGG has them, but 256 wide: on these two
    CAM is not defined. pretrained: keep the lower layers as the weights at hand have them and start the upper from them
    where they go on; without weights everything is trained from scratch, and `weights_from` says so. head_alone: keep
    all layers as the weights have them and train the head. Raises ValueError for an unknown architecture or head, and
    where the weights at hand do not fill the layers that are kept.
    """
    for given, known, what in ((architecture, ARCHITECTURES, "architecture"), (head, HEADS, "head")):
        if given not in known:
            near = difflib.get_close_matches(given, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"no {what} is called '{given}' (known: {', '.join(known)}){hint}")
    made = ARCHITECTURES[architecture]
    layers = made.layers()
    names = list(layers)
    cut = names.index(made.cut) if made.cut else 0
    if head_alone:
        cut = len(names)
    where = "none"
    if pretrained and made.weights:
        where = load_weights(nested(layers), made.weights, optional=tuple(names[cut:]))
    if where in ("none", "scratch"):
        cut = 0
    else:
        for name in names[cut:]:
            without_idle_norms(layers[name])
    parts = [
        nn.Sequential(OrderedDict((name.replace(".", "_"), layers[name]) for name in some))
        for some in (names[:cut], names[cut:])
    ]
    places = 1 if head != "flattened" else _places(nn.Sequential(*parts), image_size)
    made_head = _head(head, made.channels * places, outputs)
    return StagedClassifier(*parts, made_head, normalisation(made.weights, where), where, head != "flattened")


@torch.no_grad()
def _places(layers: nn.Module, image_size: int) -> int:
    """How many places the last map of an image has."""
    modes = [(module, module.training) for module in layers.modules()]
    found = layers.eval()(torch.zeros(1, 3, image_size, image_size)).shape[-2:].numel()
    for module, training in modes:
        module.training = training
    return found


def without_idle_norms(module: nn.Module) -> None:
    """Turn batch norms that do nothing but scale and shift (mean 0, variance 1) into part of the convolution before.

    A file whose norms were folded away at its source holds such norms. In training they would normalise by the batch,
    which these weights were not made for, and a learning rate that fits the weights would be far off for their scales.
    """
    for block in [m for m in module.modules() if isinstance(m, nn.Sequential)]:
        for (_, conv), (name, norm) in pairwise(list(block.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and _is_idle(norm):
                fused = fuse_conv_bn_eval(conv.eval(), norm.eval())
                conv.weight, conv.bias = fused.weight, fused.bias
                setattr(block, name, nn.Identity())


def _is_idle(norm: nn.BatchNorm2d) -> bool:
    """Whether a norm has scales but no statistics; a fresh one, which has neither, is to learn."""
    without = (norm.running_mean == 0).all() and (norm.running_var - 1).abs().max() <= 2 * norm.eps
    return bool(without and not (norm.weight == 1).all())


def _head(head: str, channels: int, outputs: int) -> nn.Module:
    if head == "linear":
        return nn.Linear(channels, outputs)
    sizes = (channels, 4096, 4096) if head == "three_layers" else (channels, 256)
    layers = [part for a, b in zip(sizes[:-1], sizes[1:], strict=True) for part in _dropped(a, b)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))


def _dropped(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Linear(before, after), nn.ReLU(), nn.Dropout()


def nested(layers: OrderedDict[str, nn.Module]) -> nn.Module:
    """Return the layers as one module whose weights have torchvision's names."""
    whole = nn.Module()
    for name, layer in layers.items():
        room, _, last = name.rpartition(".")
        if room and not hasattr(whole, room):
            whole.add_module(room, nn.Module())
        (getattr(whole, room) if room else whole).add_module(last, layer)
    return whole
