"""Gaussian blur by kernel size: OpenCV's at the reference size, the same Gaussian elsewhere, on arrays and tensors."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from studylib.data import blur as blurs
from studylib.data.blur import blur


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def test_sigma_is_opencvs_rule():
    assert [blurs.sigma_of(k) for k in (1, 19, 49)] == pytest.approx([0, 3.2, 7.7])
    assert blurs.scaled_sigma(19, 600) == pytest.approx(1.6) and blurs.scaled_sigma(49, 300, 600) == pytest.approx(3.85)
    for wrong in (0, 18, -3):
        with pytest.raises(ValueError, match=f"kernel is {wrong}; .* odd number of pixels"):
            blurs.sigma_of(wrong)
    with pytest.raises(ValueError, match="side is 0"):
        blurs.scaled_sigma(19, 0)


@pytest.mark.parametrize("kernel", [11, 19, 49])
def test_at_the_reference_size_it_is_opencvs_blur(kernel):
    np.testing.assert_allclose(
        blurs.kernel_weights(kernel, 1200), cv2.getGaussianKernel(kernel, 0).ravel(), rtol=0, atol=1e-12
    )
    images = noise(2, 90, 120).astype(np.float32)
    for image, found in zip(images, blur(images, kernel, reference=120), strict=True):
        np.testing.assert_allclose(found, cv2.GaussianBlur(image, (kernel, kernel), 0), atol=1e-6)
    colour = (255 * noise(2, 120, 90, 3)).astype(np.uint8)
    for image, found in zip(colour, blur(colour, kernel, reference=120), strict=True):
        theirs = cv2.GaussianBlur(image.astype(float), (kernel, kernel), 0)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, np.rint(theirs))
        # of 8-bit pictures they round the weights too
        assert np.abs(found.astype(int) - cv2.GaussianBlur(image, (kernel, kernel), 0)).max() <= 2


@pytest.mark.parametrize(
    ("kernel", "side"), [(19, 1200), (19, 400), (49, 300), (49, 128), (19, 224), (19, 150), (19, 96)]
)
def test_elsewhere_the_variance_is_that_of_the_scaled_sigma(kernel, side):
    weights = blurs.kernel_weights(kernel, side)
    at = np.arange(len(weights)) - len(weights) // 2
    sigma = blurs.scaled_sigma(kernel, side)
    assert weights.sum() == pytest.approx(1) and (weights > 0).all()
    # cut at 2.8 deviations, as OpenCV cuts 19 pixels, a Gaussian has 0.95 of its variance
    assert (weights * at**2).sum() == pytest.approx(sigma**2, rel=0.06)
    assert (weights == weights[::-1]).all()


def test_read_off_at_whole_pixels_a_small_gaussian_would_be_half_as_wide():
    sigma = 0.4
    taps = np.exp(-((np.arange(-3, 4) / sigma) ** 2) / 2)
    assert (taps / taps.sum()) @ np.arange(-3, 4) ** 2 == pytest.approx(0.081, abs=1e-3)  # for 0.16
    assert blurs.kernel_weights(19, 150) @ np.arange(-3, 4) ** 2 == pytest.approx(0.16, rel=0.002)


def test_a_large_image_blurred_then_shrunk_is_the_small_one_blurred():
    large = ndimage.gaussian_filter(noise(240, 240), 4).astype(np.float32)[None]
    small = cv2.resize(large[0], (80, 80), interpolation=cv2.INTER_AREA)[None]
    first = cv2.resize(blur(large, 49, 240)[0], (80, 80), interpolation=cv2.INTER_AREA)
    inside = (slice(8, -8), slice(8, -8))
    assert np.abs(first - blur(small, 49, 240)[0])[inside].max() < 0.03 * np.ptp(small)
    assert np.abs(first - small[0])[inside].max() > 0.1 * np.ptp(small)


def test_scipy_finds_the_same():
    images = noise(1, 60, 80)
    found = blur(images, 19, 80)
    expected = ndimage.gaussian_filter(images[0], 3.2, mode="mirror", radius=9)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


@pytest.mark.parametrize(("kernel", "reference"), [(1, 50), (19, 100), (49, 100), (19, 400)])
def test_tensors_and_arrays_agree(kernel, reference):
    images = noise(3, 40, 50, 3)
    before = images.copy()
    found = blur(torch.tensor(images).permute(0, 3, 1, 2), kernel, reference)
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), blur(images, kernel, reference), atol=1e-12)
    np.testing.assert_array_equal(images, before)


def test_kernel_one_is_a_copy_and_flat_stays_flat():
    images = (255 * noise(2, 20, 30)).astype(np.uint8)
    copy = blur(images, 1)
    assert (copy == images).all() and not np.shares_memory(copy, images)
    tensor = torch.rand(1, 3, 9, 9)
    assert blur(tensor, 1).data_ptr() != tensor.data_ptr()
    assert (blur(np.full((1, 30, 30), 255, np.uint8), 19, 60) == 255).all()


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((40, 40)), r"shape \(40, 40\); expected \(N, H, W\) or \(N, H, W, 3\)"),
        (np.zeros((40, 40, 3)), r"images\[None\]"),
        (np.zeros((2, 3, 40, 40)), r"shape \(2, 3, 40, 40\)"),
        (torch.zeros(3, 40, 40), r"a tensor \(N, C, H, W\)"),
        (np.zeros((2, 40, 40), int), "int64; expected uint8 or floats"),
        (torch.zeros(2, 3, 40, 40, dtype=torch.uint8), "torch.uint8; expected floats"),
        (np.where(np.arange(2)[:, None, None] == 1, np.nan, np.zeros((2, 40, 40))), r"image 1 holds NaN .*1 of 2"),
        (torch.full((2, 3, 40, 40), float("inf")), "image 0 holds NaN or infinity"),
        (np.zeros((1, 2, 400)), "does not fit into images of 2 x 400"),
    ],
)
def test_what_is_no_batch_is_refused_by_name(images, words):
    with pytest.raises(ValueError, match=words):
        blur(images, 19)


def test_a_grating_keeps_the_amplitude_that_the_transfer_function_says():
    at = np.arange(1200)
    for wavelength in (12, 24, 60):
        grating = np.tile(np.sin(2 * np.pi * at / wavelength), (60, 1))[None]
        kept = blur(grating, 49, 1200)[0, 30, 300:900].std() / grating[0, 30, 300:900].std()
        assert kept == pytest.approx(blurs.amplitude_kept(7.7, wavelength), abs=0.015)  # the kernel is cut at 24 pixels
    for sigma in (3.2, 7.7):
        assert blurs.amplitude_kept(sigma, blurs.halved_wavelength(sigma)) == pytest.approx(0.5)
    assert blurs.halved_wavelength(3.2) == pytest.approx(17.08, abs=0.01)  # math.pi * 3.2 * 1.6986
    with pytest.raises(ValueError, match="wavelength is 0"):
        blurs.amplitude_kept(1, 0)
    assert math.isclose(blurs.amplitude_kept(0, 5), 1)


def test_levels_say_what_a_kernel_is_here():
    table = blurs.levels(600)
    assert table.index.tolist() == [1, 19, 49]
    assert table["sigma at 600 px"].tolist() == pytest.approx([0, 1.6, 3.85])
    assert table["wavelength halved, px"].tolist() == pytest.approx([0, 8.54, 20.54], abs=0.01)
    assert table["share of the side"].tolist() == pytest.approx([0, 0.01423, 0.03424], abs=1e-5)
