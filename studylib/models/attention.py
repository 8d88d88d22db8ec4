"""Gates between the two pools of study 2's network: its three readings, its spatial part, and the controls that test
them.

The source gives no formula and is circular (a CAM needs the output weights, the gate stands before them), so
the gate is a choice. F: (N, K, H, W) features, g: (N, K) in (0, 1), F' = g * F. PROTOCOLS 0.2 names the readings.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GATES = (
    "none",
    "channel",
    "channel_spatial",
    "cam",
    "weights",
    "frozen",
    "shuffled_channels",
    "shuffled_images",
)


def position_cam(features: Tensor, weight: Tensor) -> Tensor:
    """Class activation map of a flatten head, `sum_k w_k(x,y) f_k(x,y)`. features: (N, K, h, w); weight: (1, K*h*w)
    -> (N, h, w).
    """
    n, k, h, w = features.shape
    return torch.einsum("nkhw,khw->nhw", features, weight.view(k, h, w))


def min_max(maps: Tensor) -> Tensor:
    """Scale each map to [0, 1]; a flat map becomes 1 everywhere, so that pooling by it is the plain average. maps:
    (N, h, w).
    """
    flat = maps.flatten(1)
    low, high = flat.amin(1)[:, None, None], flat.amax(1)[:, None, None]
    span = high - low
    return torch.where(span > 0, (maps - low) / span.clamp_min(torch.finfo(maps.dtype).tiny), torch.ones_like(maps))


class ChannelMLP(nn.Module):
    """The shared two-layer perceptron of CBAM's channel attention (Woo 2018, eq. 2). (N, K) -> (N, K)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, channels // reduction)
        self.expand = nn.Linear(channels // reduction, channels)

    def forward(self, pooled: Tensor) -> Tensor:
        return self.expand(F.relu(self.reduce(pooled)))


class SpatialGate(nn.Module):
    """CBAM's spatial attention, `sigmoid(conv7x7([mean_k F; max_k F]))` (Woo 2018, eq. 3). (N, K, H, W) -> (N, 1, H,
    W).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.conv(torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], 1)))


class Gate(nn.Module):
    """A channel gate of study 2, off until `on` is set (the source trains two epochs without it).

    features: (N, K, H, W); weight: (1, K*h*w), the head's, read without gradient -> features of the same shape.
    Reading B makes the source's two passes: the first, gate off and without gradient, only needs the head on the
    same features, since the gate stands behind the convolution.
    """

    def __init__(self, kind: str, channels: int, pool: int, reduction: int = 8) -> None:
        super().__init__()
        self.kind, self.pool = kind, pool
        self.register_buffer("on", torch.tensor(False))
        self.mlp = ChannelMLP(channels, reduction)
        self.spatial = SpatialGate() if kind == "channel_spatial" else None
        self.alpha = nn.Parameter(torch.zeros(())) if kind == "weights" else None

    def forward(self, features: Tensor, weight: Tensor) -> Tensor:
        if not self.on:
            return features
        gated = self.gate(features, weight.detach())[:, :, None, None] * features
        return gated if self.spatial is None else self.spatial(gated) * gated

    def gate(self, features: Tensor, weight: Tensor) -> Tensor:
        """The gate of each channel before it is applied, g: (N, K) in (0, 1)."""
        logits = self.mlp(features.mean((2, 3))) + self.mlp(features.amax((2, 3)))
        if self.kind == "weights":  # reading C: mean |w_k| of the head as a score, standardised over channels
            score = weight.view(features.shape[1], -1).abs().mean(1)
            logits = logits + self.alpha * (score - score.mean()) / score.std().clamp_min(1e-12)
        elif self.kind not in ("channel", "channel_spatial"):  # reading B and its controls
            logits = logits + self.mlp(self.cam_pooled(features, weight))
        gate = torch.sigmoid(logits)
        if self.kind == "frozen":  # same parameters and the same work, no effect
            return torch.ones_like(gate) + 0 * gate
        if self.kind == "shuffled_channels":
            return gate[:, self._order(gate.shape[1], gate.device)]
        if self.kind == "shuffled_images":  # another image's gate
            order = self._order(len(gate), gate.device) if self.training else torch.arange(len(gate)).roll(1)
            return gate[order]
        return gate

    def cam_pooled(self, features: Tensor, weight: Tensor) -> Tensor:
        """Average of F weighted by its own CAM, `sum m F_k / sum m` (reading B). The map m carries no gradient. ->
        (N, K).
        """
        with torch.no_grad():
            cam = min_max(position_cam(F.max_pool2d(features, self.pool), weight).float())
            m = F.interpolate(cam[:, None], size=features.shape[2:], mode="bilinear", align_corners=False)
            m = m / m.sum((2, 3), keepdim=True)
        return (features * m.to(features.dtype)).sum((2, 3))

    def _order(self, n: int, device: torch.device) -> Tensor:
        """A random order: new at every training step, else one fixed order, so that a prediction does not depend on
        chance.
        """
        if self.training:
            return torch.randperm(n, device=device)
        return torch.randperm(n, generator=torch.Generator().manual_seed(0)).to(device)
