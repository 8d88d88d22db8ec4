"""The training step of study 2's network on grey images: convolution, batch norm and max pooling, with the norm's
statistics read from the images instead of from the feature maps.

With P the k^2 pixels under a kernel, a channel is y = W P + b, so its mean over a batch is W E[P] + b and its variance
W Cov[P] W^T: k^2 x k^2 numbers that depend on the images alone. Normalising is monotone in y, rising where its scale is
positive and falling where it is negative, so it may stand behind the pool. (A scale of exactly 0 makes all places tie;
the gradient may then take another of them.) What is left to do at full resolution is one convolution and one pool:
0.6 of the time of a step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def is_grey(images: Tensor) -> bool:
    """Whether the channels of every image are the same. images: (N, C, H, W)."""
    return all(torch.equal(images[:, 0], images[:, c]) for c in range(1, images.shape[1]))


@torch.no_grad()
def patch_moments(images: Tensor, kernel: int, padding: int) -> tuple[Tensor, Tensor, int]:
    """Sums over all places of P and of P P^T, P being the pixels under a kernel, and the number of places.

    images: (N, H, W) -> (k^2,), (k^2, k^2) float64, int. Products of two rows are summed once and shared by all pairs
    of kernel rows at that distance; a window over rows then takes each pair's own range.
    """
    n, height, width = images.shape
    k, high, wide = kernel, height + 2 * padding, width + 2 * padding
    places = (high - k + 1, wide - k + 1)
    padded = images.new_zeros(high + k - 1, n, wide)  # rows first; k - 1 rows more, so that a block may overhang
    padded[padding : padding + height, :, padding : padding + width] = images.transpose(0, 1)
    shifted = torch.stack([padded[:, :, x : x + places[1]] for x in range(k)], 1).flatten(2)  # row, x, all images
    size = shifted.shape[2]
    blocks = shifted.as_strided((high, k * k, size), (k * size, size, 1))  # k rows from each row on
    products = torch.bmm(shifted[:high], blocks.transpose(1, 2)).double().view(high, k, k, k)  # row, x, distance, x'
    pairs, sums = _windows(products, k, places[0]), _windows(shifted[:high].sum(2).double(), k, places[0])
    second = torch.empty(k, k, k, k, dtype=torch.float64, device=images.device)  # y, x, y', x'
    for y in range(k):
        for below in range(y, k):
            second[y, :, below] = pairs[y, :, below - y]
            second[below, :, y] = pairs[y, :, below - y].T
    return sums.reshape(-1), second.reshape(k * k, k * k), n * places[0] * places[1]


def _windows(rows: Tensor, k: int, length: int) -> Tensor:
    """Sums over rows y to y + length - 1 for y = 0 .. k - 1. rows: (length + k - 1, ...) -> (k, ...)."""
    before = torch.cat([torch.zeros_like(rows[:1]), rows.cumsum(0)])
    return before[length:] - before[:k]


def convolved_normalised_pooled(images: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d, window: int) -> Tensor:
    """`max_pool(norm(conv(images)), window)` in training, running statistics updated: the same numbers, sooner.

    images: (N, C, H, W), grey, without gradient -> (N, K, H', W') float32, or float64 for float64 images.
    """
    kernel = conv.weight.sum(1)  # one channel stands for all
    with torch.autocast(images.device.type, enabled=False):
        first, second, places = patch_moments(images[:, 0], conv.kernel_size[0], conv.padding[0])
        weight = kernel.flatten(1).double()
        mean = weight @ first / places  # without the bias, which batch norm takes away
        var = (weight @ second * weight).sum(1) / places - mean**2
        scale = norm.weight * (var + norm.eps).rsqrt().to(norm.weight.dtype)
        shift = norm.bias - scale * mean.to(scale.dtype)
        _track(norm, mean + (0 if conv.bias is None else conv.bias), var * places / (places - 1))
    sign = torch.where(norm.weight < 0, -1.0, 1.0).to(kernel.dtype)[:, None, None]
    pooled = F.max_pool2d(F.conv2d(images[:, :1], (kernel * sign)[:, None], padding=conv.padding), window)
    return (pooled * (scale[:, None, None] * sign) + shift[:, None, None]).to(pooled.dtype)


@torch.no_grad()
def _track(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Move the running statistics as batch norm does."""
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
    norm.running_var.lerp_(var.to(norm.running_var.dtype), norm.momentum)
