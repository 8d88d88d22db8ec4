"""Training pictures moved and tinted at random, each by itself: no direction, place or tint is a trait of the class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SCALE, SHIFT, COLOUR = 0.1, 0.1, 0.1  # at most, as shares: size, place in the picture, each channel's brightness


def augmented(images: Tensor) -> Tensor:
    """Return a changed copy of each image, (N, C, S, S) in [0, 1] -> the same shape, range and memory format.

    Drawn evenly and apart for every image: any rotation, either flip, scale 0.9 to 1.1, shift within 10 %, each channel
    times 0.9 to 1.1; what comes from outside mirrors the inside. For pictures without a right way up (cells, skin). The
    numbers come from torch's generator on the processor, wherever the images lie. Source: the ledger's protocol of
    study 1, flip, rotation, 10 % of colour.
    """
    n, channels = images.shape[:2]
    moved = _moved(images, _matrices(n).to(images))
    tinted = moved * _evenly(n, channels, 1, 1, within=COLOUR).to(images)
    return tinted.clamp(0, 1).contiguous(memory_format=torch.channels_last)


def _evenly(*shape: int, within: float) -> Tensor:
    """Factors around 1, or with 1 taken off shifts around 0."""
    return 1 + within * (2 * torch.rand(shape) - 1)


def _matrices(n: int) -> Tensor:
    """Where each pixel of a copy comes from, in coordinates from -1 to 1, (n, 2, 3)."""
    angle, size = 2 * torch.pi * torch.rand(n), _evenly(n, within=SCALE)
    mirrored = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)  # with any rotation this is either flip
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    turn = torch.stack([torch.stack([cos * mirrored, -sin], 1), torch.stack([sin * mirrored, cos], 1)], 1)
    shift = 2 * (_evenly(n, 2, 1, within=SHIFT) - 1)  # a side is 2 long
    return torch.cat([turn, shift], 2)


def _moved(images: Tensor, matrices: Tensor) -> Tensor:
    """Bilinear, mirrored at the border; pixels stand at the middle of their squares."""
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
