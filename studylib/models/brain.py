"""Study 2's networks: one convolution, two pools, one neuron; with a gate between the pools or without."""

from __future__ import annotations

import difflib

from torch import Tensor, nn

from studylib.models.attention import GATES, Gate
from studylib.models.grey import convolved_normalised_pooled, is_grey


class BrainNet(nn.Module):
    """One convolution, batch norm, ReLU, pool, gate, pool, flatten, one neuron (source 02, table 3.2).

    images: (N, 3, S, S) in [0, 1] -> logits (N, 1); sigmoid(logit) is the probability of a tumour.
    CAM is exact at `pool2` (S/16), Grad-CAM also at `relu` (S/4). Raises ValueError for an unknown gate.
    ReLU stands behind the first pool, not before: both are monotone, so every number is the same, for a tenth less
    time.
    """

    def __init__(
        self,
        image_size: int = 240,
        *,
        kernel: int = 5,
        gate: str = "none",
        channels: int = 32,
        batch_norm: bool = True,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if gate not in GATES:
            near = difflib.get_close_matches(gate, GATES, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"no gate is called '{gate}' (known: {', '.join(GATES)}){hint}")
        self.scale = scale  # 255 undoes the scaling to [0, 1]: the source's claim about it is tested with this
        self.conv = nn.Conv2d(3, channels, kernel, stride=1, padding=2)
        self.bn = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()
        self.pool1 = nn.MaxPool2d(4)
        self.relu = nn.ReLU()
        self.gate = None if gate == "none" else Gate(gate, channels, pool=4)
        self.pool2 = nn.MaxPool2d(4)
        self.flatten = nn.Flatten()
        side = (image_size + 4 - kernel + 1) // 4 // 4
        self.fc = nn.Linear(channels * side * side, 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self._pooled(images if self.scale == 1 else images * self.scale))
        if self.gate is not None:
            features = self.gate(features, self.fc.weight)
        return self.fc(self.flatten(self.pool2(features)))

    def _pooled(self, images: Tensor) -> Tensor:
        """Convolution, batch norm and first pool; in training on grey images by a shorter way to the same numbers."""
        short = self.training and isinstance(self.bn, nn.BatchNorm2d) and not images.requires_grad and is_grey(images)
        if short:
            return convolved_normalised_pooled(images, self.conv, self.bn, self.pool1.kernel_size)
        return self.pool1(self.bn(self.conv(images)))

    def begin_epoch(self, epoch: int, warmup: int) -> None:
        """Switch the gate on after `warmup` epochs (the source: off in epochs 1 and 2, on from 3; epoch counts from
        0).
        """
        if self.gate is not None:
            self.gate.on.fill_(epoch >= warmup)


def brain_net(image_size: int = 240, gate: str = "none", **options) -> BrainNet:
    """Study 2's network as its table 3.2 prints it: 9,697 parameters at 240 pixels without the gate."""
    return BrainNet(image_size, kernel=5, gate=gate, **options)


def plain_net(image_size: int = 240, **options) -> BrainNet:
    """Study 2's "initial TensorFlow model": padding 2, a 7 x 7 convolution, two pools, one neuron (the public code it
    began from).
    """
    return BrainNet(image_size, kernel=7, gate="none", **options)
