"""Power spectra: gratings whose wavelength is known, white noise, and the variance that a real blur takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studylib.data import spectrum
from studylib.data.blur import amplitude_kept, blur


def grating(wavelength: float, height: int = 96, width: int = 120) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return 0.5 + 0.4 * np.sin(2 * np.pi * (0.6 * x + 0.8 * y) / wavelength)


def test_a_grating_loses_the_square_of_its_amplitude():
    for wavelength in (8, 15, 24):
        found = spectrum.share_lost(grating(wavelength)[None], 2.0)
        assert found[0] == pytest.approx(1 - amplitude_kept(2.0, wavelength) ** 2, abs=0.02)
    assert spectrum.share_lost(grating(8)[None], 0).tolist() == [0]
    with pytest.raises(ValueError, match="sigma is -1"):
        spectrum.share_lost(grating(8)[None], -1)


def test_white_noise_loses_what_a_real_blur_takes_of_its_variance():
    images = np.random.default_rng(0).normal(size=(4, 200, 160))
    after = blur(images, 19, 200)  # sigma 3.2
    inside = (slice(None), slice(20, -20), slice(20, -20))
    taken = 1 - after[inside].var() / images[inside].var()
    assert spectrum.share_lost(images, 3.2).mean() == pytest.approx(taken, abs=0.005)
    # white noise keeps 1 / (4 pi sigma^2) of its variance
    assert spectrum.share_lost(images, 3.2).mean() == pytest.approx(1 - 1 / (4 * np.pi * 3.2**2), abs=0.003)


def test_shares_by_band_add_up_and_find_the_grating():
    middles, shares = spectrum.radial_spectrum(np.stack([grating(8), grating(24)]), bins=28)
    np.testing.assert_allclose(shares.sum(1), 1)
    width = middles[1] - middles[0]
    assert np.abs(middles[shares.argmax(1)] - [1 / 8, 1 / 24]).max() <= width / 2 + 1e-9
    assert middles[-1] + width / 2 == pytest.approx(np.sqrt(0.5))
    # a band's power, weighed by what a blur takes there, is the loss
    by_band = shares @ (1 - np.exp(-4 * np.pi**2 * 1.5**2 * middles**2))
    np.testing.assert_allclose(by_band, spectrum.share_lost(np.stack([grating(8), grating(24)]), 1.5), atol=0.06)
    with pytest.raises(ValueError, match="bins is 0"):
        spectrum.radial_spectrum(grating(8)[None], 0)


def test_the_half_spectrum_counts_as_the_whole():
    for width in (30, 31):
        image = np.random.default_rng(1).random((1, 24, width))
        window = np.outer(np.hanning(26)[1:-1], np.hanning(width + 2)[1:-1])
        x = image[0].astype(np.float32) - np.average(image[0].astype(np.float32), weights=window)
        power = np.abs(np.fft.fft2(x * window)) ** 2
        f = np.hypot(np.fft.fftfreq(24)[:, None], np.fft.fftfreq(width)[None])
        expected = power[f > 0.25].sum() / power.sum()
        assert spectrum.high_frequency_share(image)[0] == pytest.approx(expected, rel=1e-5)


def test_high_frequencies_fall_with_blur_and_do_not_know_contrast():
    images = np.random.default_rng(2).random((3, 80, 80))
    sharp, flatter = spectrum.high_frequency_share(images), spectrum.high_frequency_share(0.3 * images + 0.2)
    np.testing.assert_allclose(sharp, flatter, rtol=1e-5)
    assert (spectrum.high_frequency_share(blur(images, 9, 160)) < 0.5 * sharp).all()
    assert sharp == pytest.approx(1 - np.pi * 0.25**2, abs=0.03)  # white noise: the area outside a circle of 0.25


def test_a_flat_image_has_no_share_and_colour_is_brightness():
    flat = np.full((1, 20, 20), 0.1)
    assert np.isnan(spectrum.high_frequency_share(flat)).all() and np.isnan(spectrum.share_lost(flat, 1)).all()
    assert np.isnan(spectrum.radial_spectrum(flat, 4)[1]).all()
    grey = (255 * grating(9)).astype(np.uint8)[None]
    colour = np.repeat(grey[..., None], 3, axis=3)
    np.testing.assert_allclose(spectrum.share_lost(colour, 1.0), spectrum.share_lost(grey, 1.0), rtol=1e-5)
    with pytest.raises(ValueError, match=r"expected \(N, H, W\)"):
        spectrum.share_lost(np.zeros((20, 20)), 1.0)
    with pytest.raises(ValueError, match="found a tensor"):
        spectrum.share_lost(torch.zeros(1, 3, 8, 8), 1.0)
