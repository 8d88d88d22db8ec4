"""Pretrained trunks that stay frozen, with global average pooling and a linear head: CAM is exact on them."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from studylib.models.weights import load_weights, normalisation


class FrozenTrunk(nn.Module):
    """A trunk whose weights never change, global average pooling, one linear layer. images: (N, 3, S, S) in [0, 1] ->
    logits (N, outputs).

    `features(images)` gives what the head sees, (N, channels): computed once a data set, then reused by every fit.
    `weights_from` says where the trunk's weights came from.
    """

    def __init__(self, trunk: nn.Module, channels: int, outputs: int, shift: tuple, weights_from: str) -> None:
        super().__init__()
        mean, std = shift
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.trunk = trunk.requires_grad_(False).eval()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, outputs)
        self.weights_from = weights_from

    def train(self, mode: bool = True) -> FrozenTrunk:
        super().train(mode)
        self.trunk.eval()  # batch norm of a frozen trunk must not drift
        return self

    def features(self, images: Tensor) -> Tensor:
        return self.flatten(self.pool(self.trunk((images - self.mean) / self.std)))

    def trained(self) -> nn.Linear:
        """What is trained, from the features to the logits."""
        return self.fc

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.features(images))


def _resnet18_to_layer3() -> tuple[nn.Module, int]:
    from torchvision.models import resnet18

    whole = resnet18(weights=None)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
    return nn.Sequential(OrderedDict((name, getattr(whole, name)) for name in names)), 256


def _mobilenet_v2() -> tuple[nn.Module, int]:
    from torchvision.models import mobilenet_v2

    return nn.Sequential(OrderedDict(features=mobilenet_v2(weights=None).features)), 1280


TRUNKS = {"resnet18_to_layer3": _resnet18_to_layer3, "mobilenet_v2": _mobilenet_v2}


def frozen_trunk(trunk: str = "resnet18_to_layer3", outputs: int = 1, image_size: int = 224) -> FrozenTrunk:
    """A frozen pretrained trunk with a linear head; `image_size` is free, since pooling is global. Raises ValueError
    for an unknown trunk.
    """
    if trunk not in TRUNKS:
        raise ValueError(f"no trunk is called '{trunk}' (known: {', '.join(TRUNKS)})")
    module, channels = TRUNKS[trunk]()
    weights_from = load_weights(module, trunk)
    return FrozenTrunk(module, channels, outputs, normalisation(trunk, weights_from), weights_from)
