"""Gaussian blur named by the size of OpenCV's kernel at a reference size, as study 3's source names it.

"(19, 19)" is 19 pixels of a picture whose longer side is 1,200; on a picture of another size both the kernel and its
standard deviation shrink or grow with the longer side, so that the same detail is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy import special

KERNELS = (1, 19, 49)  # none, and the two of the source's table 4
REFERENCE = 1200  # pixels of the longer side at which the source blurs, its section 4.1
COARSE = 0.6  # sigma below which a Gaussian read off at whole pixels is narrower than it says: half the variance at 0.4


def sigma_of(kernel: int) -> float:
    """Return the standard deviation, in pixels, that OpenCV takes for an odd kernel size: 19 -> 3.2, 49 -> 7.7; a
    kernel of one pixel changes nothing -> 0. ValueError for an even size or one below 1.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}; the size of a kernel is an odd number of pixels, 1 (no blur) or more")
    return 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8 if kernel > 1 else 0.0  # OpenCV, getGaussianKernel with sigma 0


def scaled_sigma(kernel: int, side: int, reference: int = REFERENCE) -> float:
    """Return the standard deviation, in pixels, of that blur on a picture whose longer side is `side` pixels."""
    if side < 1 or reference < 1:
        raise ValueError(f"side is {side}, reference {reference}; both are pixels of a longer side, 1 or more")
    return sigma_of(kernel) * side / reference


def kernel_weights(kernel: int, side: int, reference: int = REFERENCE) -> np.ndarray:
    """Return the weights (2 r + 1,), sum 1, along one axis of a picture whose longer side is `side` pixels.

    At the reference size they are OpenCV's (of sizes from 11 on; smaller ones are tabled there); elsewhere the same
    Gaussian, cut no nearer to its middle in standard deviations. Below COARSE the discrete Gaussian (Lindeberg 1990),
    whose variance is sigma^2 on any grid.
    """
    sigma = scaled_sigma(kernel, side, reference)
    if sigma == 0:
        return np.ones(1)
    radius = max(1, math.ceil((kernel - 1) / 2 * side / reference - 1e-9))
    if sigma < COARSE:
        weights = special.ive(np.arange(-max(radius, 3), max(radius, 3) + 1), sigma**2)  # exp(-t) I_n(t), t = sigma^2
    else:
        weights = np.exp(-((np.arange(-radius, radius + 1) / sigma) ** 2) / 2)
    return weights / weights.sum()


def blur(images: Any, kernel: int, reference: int = REFERENCE) -> Any:
    """Return images under the blur that `kernel` is at a longer side of `reference` pixels, scaled to their own.

    images: uint8 (rounded to the nearest) or float arrays (N, H, W) or (N, H, W, 3), or a float tensor (N, C, H, W) of
    any device; a new batch of the same kind comes back. Borders are mirrored without their edge, as OpenCV does.
    ValueError for another shape or kind, for NaN, and for a picture smaller than the kernel.
    """
    check_images(images)
    tensor = hasattr(images, "detach")
    height, width = images.shape[2:] if tensor else images.shape[1:3]
    weights = kernel_weights(kernel, max(height, width), reference)
    if len(weights) // 2 >= min(height, width):
        raise ValueError(f"a kernel of {len(weights)} pixels does not fit into images of {height} x {width}")
    if tensor:
        return _blurred_tensor(images, weights)
    work = np.float64 if images.dtype == np.float64 else np.float32
    found = np.empty(images.shape, images.dtype)
    for i in range(len(images)):
        pixels = np.ascontiguousarray(images[i], dtype=work)
        # in floats: OpenCV rounds the weights of 8-bit pictures
        pixels = cv2.sepFilter2D(pixels, -1, weights, weights, borderType=cv2.BORDER_REFLECT_101)
        found[i] = np.rint(pixels) if found.dtype == np.uint8 else pixels
    return found


def check_images(images: Any) -> None:
    """Raise ValueError where images are no batch: arrays (N, H, W) or (N, H, W, 3), uint8 or float, or a float tensor
    (N, C, H, W); or where a value is not finite, naming the first such image.
    """
    tensor, shape = hasattr(images, "detach"), tuple(images.shape)
    colour = len(shape) == 4 and shape[-1] == 3
    if len(shape) != 4 if tensor else not (colour or (len(shape) == 3 and shape[-1] > 4)):
        expected = "a tensor (N, C, H, W)" if tensor else "(N, H, W) or (N, H, W, 3)"
        raise ValueError(f"images have shape {shape}; expected {expected} (for one image: images[None])")
    floating = images.is_floating_point() if tensor else np.issubdtype(images.dtype, np.floating)
    if not floating and (tensor or images.dtype != np.uint8):
        expected = "floats, what the network takes" if tensor else "uint8 or floats"
        raise ValueError(f"images are {images.dtype}; expected {expected}")
    if floating:
        finite = [bool((image.isfinite() if tensor else np.isfinite(image)).all()) for image in images]
        if not all(finite):
            count = f"{finite.count(False)} of {len(finite)} such images"
            raise ValueError(f"image {finite.index(False)} holds NaN or infinity ({count})")


def amplitude_kept(sigma: float, wavelength: float) -> float:
    """Return which share of a grating's amplitude a Gaussian of `sigma` leaves; both in pixels.

    Its transfer function: exp(-2 pi^2 (sigma / wavelength)^2). Not the size of the picture but that of the texture says
    what a blur takes.
    """
    if not wavelength > 0:
        raise ValueError(f"wavelength is {wavelength}; it is a length in pixels, above 0")
    return math.exp(-2 * math.pi**2 * (sigma / wavelength) ** 2)


def halved_wavelength(sigma: float) -> float:
    """Return the wavelength, in pixels, whose amplitude a Gaussian of `sigma` halves: pi sigma sqrt(2 / ln 2)."""
    return math.pi * sigma * math.sqrt(2 / math.log(2))


def levels(side: int, kernels: Sequence[int] = KERNELS, reference: int = REFERENCE) -> pd.DataFrame:
    """Return what each kernel is on pictures of `side` pixels: sigma at the reference and here, and the wavelength that
    it halves, in pixels here and as a share of the side. A table for the page.
    """
    rows = {}
    for kernel in kernels:
        sigma = scaled_sigma(kernel, side, reference)
        halved = halved_wavelength(sigma)
        rows[kernel] = {f"sigma at {reference} px": sigma_of(kernel), f"sigma at {side} px": sigma,
                        "wavelength halved, px": halved, "share of the side": halved / side}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kernel")


def _blurred_tensor(images: Any, weights: np.ndarray) -> Any:
    """One axis after the other, each channel by itself."""
    import torch
    from torch.nn import functional

    channels, radius = images.shape[1], len(weights) // 2
    line = torch.as_tensor(weights, dtype=images.dtype, device=images.device)
    for shape, padding in (((1, 1, -1, 1), (0, 0, radius, radius)), ((1, 1, 1, -1), (radius, radius, 0, 0))):
        padded = functional.pad(images, padding, mode="reflect")
        images = functional.conv2d(padded, line.view(shape).repeat(channels, 1, 1, 1), groups=channels)
    return images
