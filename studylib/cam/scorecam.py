"""Score-CAM's measurements: the logits of an image seen through each channel of a layer (Wang 2020).

Mask k is channel k of the layer's output at the size of the image, scaled to [0, 1]; one pass with the image times that
mask gives the logits of all classes. Channels that do not vary make no mask: they are left out and cost nothing.
Libraries differ in how a mask is made, so that is a choice by name:

    paper     upsample (bilinear, align_corners=False), then scale           Wang 2020, eq. 3 and 4
    lowres    scale at the layer's own size, then upsample                   as torchcam does
    aligned   upsample with align_corners=True, then scale                   as pytorch-grad-cam does
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

AT_ONCE = 32  # masked images in one pass, where the caller does not say


def masked_logits(
    forward: Callable[[Tensor], Tensor],
    images: Tensor,
    activations: Tensor,
    classes: Tensor,
    variant: str,
    at_once: int | None = None,
) -> Tensor:
    """Logits of some classes of every image under every mask of a layer, -inf for channels that do not vary.

    forward: (n, C, H, W) -> (n, all classes); images: (N, C, H, W); activations: (N, K, h, w); classes: (N, c), which
    logits to keep of each image -> (N, K, c).
    """
    n, channels = activations.shape[:2]
    maps = activations.flatten(0, 1)
    flat = maps.flatten(1)
    constant = flat.amax(1) - flat.amin(1) <= 8 * torch.finfo(maps.dtype).eps * flat.abs().amax(1)  # NaN is not
    kept = maps.new_full((n * channels, classes.shape[1]), -torch.inf)
    for rows in (~constant).nonzero()[:, 0].split(at_once or AT_ONCE):
        image = rows // channels
        masks = _masks(maps[rows], images.shape[2:], variant).to(images.dtype)
        logits = forward(images[image] * masks[:, None])
        kept[rows] = logits.gather(1, classes[image]).to(kept.dtype)
    return kept.unflatten(0, (n, channels))


def _masks(maps: Tensor, size: torch.Size, variant: str) -> Tensor:
    """Masks in [0, 1], (n, H, W), of channels (n, h, w)."""
    if variant == "lowres":
        maps = _scaled(maps)
    full = F.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=variant == "aligned")[:, 0]
    return full if variant == "lowres" else _scaled(full)


def _scaled(maps: Tensor) -> Tensor:
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low)
