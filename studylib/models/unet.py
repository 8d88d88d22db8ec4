"""A small U-Net: what a network reaches that is told the outlines, beside maps of networks that are told the class."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """Contracting and expanding path with skips (Ronneberger 2015, figure 1), padded and with batch norm. images:
    (N, 3, S, S) in [0, 1], S a multiple of 2 ** (levels - 1) -> logits (N, 1, S, S); sigmoid(logit) is the probability
    that a pixel belongs to the object. Raises ValueError for another S.
    """

    def __init__(self, width: int = 16, levels: int = 5) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels)]
        self.down = nn.ModuleList(_block(a, b) for a, b in zip([3, *widths[:-1]], widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.up = nn.ModuleList(_block(2 * a, a) for a in widths[:-1])
        self.fc = nn.Conv2d(width, 1, 1)
        self.step = 2 ** (levels - 1)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[2] % self.step or images.shape[3] % self.step:
            raise ValueError(f"images of {tuple(images.shape[2:])} pixels; the U-Net needs multiples of {self.step}")
        kept, x = [], images
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            kept.append(x)
        for rise, block, skip in zip(reversed(self.rise), reversed(self.up), reversed(kept[:-1]), strict=True):
            x = block(torch.cat([skip, rise(x)], 1))
        return self.fc(x)


def _block(before: int, after: int) -> nn.Sequential:
    parts = []
    for channels in (before, after):
        parts += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*parts)


def unet(image_size: int = 128, width: int = 16, levels: int = 5) -> UNet:
    """The U-Net of `levels` resolutions; `image_size` is free as far as the levels allow."""
    return UNet(width, levels)
