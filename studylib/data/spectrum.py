"""The power spectrum of pictures: at which wavelengths their texture lies, and what a blur takes of it.

Brightness less its mean, under a Hann window (so that opposite borders do not meet at an edge), Fourier transform,
squared. Frequencies are in cycles per pixel, up to 0.5 along an axis; a wavelength is one over a frequency.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import fft

from studylib.data.blur import check_images
from studylib.data.transforms import to_grey

FINE = 0.25  # cycles per pixel: wavelengths below four pixels


def radial_spectrum(images: np.ndarray, bins: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles of `bins` bands of frequency, (bins,), and which share of each image's power lies in each,
    (N, bins), NaN for a flat image. images: uint8 or float (N, H, W) or (N, H, W, 3).
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; it counts bands of frequency, 1 or more")
    edges = np.linspace(0, np.sqrt(0.5), bins + 1)
    band = np.clip(np.digitize(_frequencies(images), edges) - 1, 0, bins - 1).ravel()
    found = [np.bincount(band, p.ravel(), bins) / _whole(p) for p in _powers(images)]
    return (edges[:-1] + edges[1:]) / 2, np.array(found).reshape(-1, bins)


def share_lost(images: np.ndarray, sigma: float) -> np.ndarray:
    """Return which share of each image's power (variance without its mean) a Gaussian blur of `sigma` pixels takes,
    (N,), NaN for a flat image. images as in `radial_spectrum`; the blur's transfer function, squared, weighs the power.
    """
    if not sigma >= 0:
        raise ValueError(f"sigma is {sigma}; it is a standard deviation in pixels, 0 or more")
    return _share(images, 1 - np.exp(-4 * np.pi**2 * sigma**2 * _frequencies(images) ** 2))


def high_frequency_share(images: np.ndarray, above: float = FINE) -> np.ndarray:
    """Return which share of each image's power lies above a frequency, (N,), NaN for a flat image: a measure of
    sharpness that contrast does not change. images as in `radial_spectrum`; above: cycles per pixel.
    """
    return _share(images, _frequencies(images) > above)


def _share(images: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.array([(p * weight).sum() / _whole(p) for p in _powers(images)])


def _whole(power: np.ndarray) -> float:
    return float(power.sum()) or float("nan")


def _frequencies(images: np.ndarray) -> np.ndarray:
    """Cycles per pixel of each place of the half spectrum, (H, W // 2 + 1)."""
    if hasattr(images, "detach"):
        raise ValueError("a spectrum is taken of arrays (N, H, W[, 3]); found a tensor: pass the pixels instead")
    check_images(images)
    height, width = images.shape[1:3]
    return np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None])


def _powers(images: np.ndarray) -> Iterator[np.ndarray]:
    """The half spectrum (H, W // 2 + 1) of one image after the other; all zero where it is flat."""
    height, width = images.shape[1:3]
    window = np.outer(_hann(height), _hann(width))
    twice = np.full(width // 2 + 1, 2.0)  # each place of the half stands for two, but for the first and an even last
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    for image in images:
        x = to_grey(np.asarray(image, np.float32)).astype(float)
        if x.max() == x.min():  # rounding would leave a spectrum of noise
            yield np.zeros((height, width // 2 + 1))
            continue
        x = (x - (window * x).sum() / window.sum()) * window
        yield np.abs(fft.rfft2(x)) ** 2 * twice


def _hann(n: int) -> np.ndarray:
    return np.hanning(n + 2)[1:-1]  # without its zeros, which would waste two pixels
