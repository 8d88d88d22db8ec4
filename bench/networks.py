"""The networks that maps are timed on: torchvision's, random weights (time does not depend on them), layers by name."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torchvision
from torch import Tensor, nn

SIDE = 224


@dataclass(frozen=True)
class Network:
    """One architecture. last: the layer of the maps; three: earlier ones and the last; pooled: CAM is exact there."""

    name: str
    three: tuple[str, str, str]
    pooled: bool = True
    tokens: bool = False

    @property
    def last(self) -> str:
        return self.three[-1]

    def layers(self, count: int) -> tuple[str, ...]:
        return self.three if count == 3 else (self.last,)

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        model = getattr(torchvision.models, self.name)(weights=None).eval()
        if self.tokens:
            nn.init.normal_(model.heads.head.weight, std=0.02)  # torchvision starts it at zero
        return model


NETWORKS = {
    network.name: network
    for network in (
        Network("resnet18", ("layer2", "layer3", "layer4")),
        Network("resnet50", ("layer2", "layer3", "layer4")),
        Network("mobilenet_v2", ("features.6", "features.13", "features.18")),
        Network("densenet121", ("features.transition2", "features.transition3", "features")),
        Network("vgg19", ("features.18", "features.27", "features.36"), pooled=False),
        Network(
            "vit_b_16", tuple(f"encoder.layers.encoder_layer_{i}.ln_1" for i in (5, 8, 11)), pooled=False, tokens=True
        ),
    )
}


def images(count: int) -> Tensor:
    """Random images (count, 3, 224, 224)."""
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def forward(model: nn.Module, x: Tensor) -> None:
    """The plain float32 forward pass that every ratio is a multiple of."""
    model(x)
