"""Floors by hand, and that a measure reads them like any map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from studylib.metrics import floors
from studylib.metrics.localisation import energy_inside, pixel_auprc, reasons


def test_centred_gaussian_by_hand():
    maps = floors.centred_gaussian((2, 5, 9), sigma=0.2)
    assert maps.shape == (2, 5, 9) and (maps[0] == maps[1]).all()
    assert maps[0, 2, 4] == 1
    assert maps[0, 3, 4] == pytest.approx(np.exp(-0.5))  # one pixel is one standard deviation of 0.2 * 5
    assert maps[0, 2, 5] == pytest.approx(np.exp(-0.5 / 1.8**2))
    assert (maps[0] == maps[0, ::-1, ::-1]).all()


@pytest.mark.parametrize("area", [0.05, 0.2, 0.5])
def test_centred_disc_covers_its_area_and_is_round(area):
    maps = floors.centred_disc((1, 128, 128), area)
    assert maps.mean() == pytest.approx(area, rel=0.02)  # a circle on a grid
    assert (maps[0] == maps[0].T).all() and set(np.unique(maps)) == {0, 1}
    assert np.ptp(np.flatnonzero(maps[0].any(0))) + 1 == pytest.approx(2 * np.sqrt(area / np.pi) * 128, abs=2)


def test_centred_disc_refuses_an_area_in_pixels():
    with pytest.raises(ValueError, match="share of the image.*found 200"):
        floors.centred_disc((1, 8, 8), 200)


def test_class_mean_mask_leaves_empty_masks_out():
    masks = np.zeros((3, 2, 2), bool)
    masks[0, 0], masks[1, 0, 0] = True, True
    assert floors.class_mean_mask(masks, n=2).tolist() == [[[1, 0.5], [0, 0]]] * 2
    with pytest.raises(ValueError, match="no training mask has an object"):
        floors.class_mean_mask(masks[2:])


def test_sobel_by_hand_and_in_either_layout():
    images = np.zeros((2, 5, 6))
    images[0, :, 3:] = 10
    assert not floors.sobel(images)[1].any()  # nothing of one image reaches the next
    assert floors.sobel(images)[0, 2].tolist() == [0, 0, 40, 40, 0, 0]  # 10 * (1 + 2 + 1) beside the step, no border
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 255, (2, 8, 9, 3), dtype=np.uint8)
    grey = colour.mean(3)
    expected = np.hypot(ndimage.sobel(grey[1], 0, mode="nearest"), ndimage.sobel(grey[1], 1, mode="nearest"))
    assert floors.sobel(colour)[1] == pytest.approx(expected)
    assert floors.sobel(torch.tensor(colour).permute(0, 3, 1, 2))[1] == pytest.approx(expected)


def test_brightest_and_darkest_by_hand():
    images = np.array([[[10, 20], [30, 50]]], np.uint8)
    assert floors.brightest(images).tolist() == [[[0, 0.25], [0.5, 1]]]
    assert floors.darkest(images).tolist() == [[[1, 0.75], [0.5, 0]]]
    brain = np.array([[[1, 1], [1, 0]]], bool)  # the skull, brighter than all, is left out
    assert floors.brightest(images, inside=brain).tolist() == [[[0, 0.5], [1, 0]]]
    assert floors.darkest(images, inside=brain).tolist() == [[[1, 0.5], [0, 0]]]


def test_an_image_of_one_grey_has_no_brightest_pixel():
    maps = floors.brightest(np.full((1, 4, 4), 7))
    assert reasons(maps) == ["flat map"]


def test_brightest_pixels_find_a_bright_object_and_random_ones_do_not():
    rng = np.random.default_rng(0)
    masks = np.zeros((20, 32, 32), bool)
    masks[:, 8:16, 8:16] = True
    images = rng.random(masks.shape) * 0.5 + masks * 0.6
    assert pixel_auprc(floors.brightest(images), masks).min() == 1
    chance = energy_inside(floors.uniform_random(masks.shape, 0), masks)
    assert chance.mean() == pytest.approx(64 / 1024, abs=0.01)


def test_uniform_random_follows_its_seed():
    a, b, c = (floors.uniform_random((1, 4, 4), seed) for seed in (0, 0, 1))
    assert (a == b).all() and (a != c).any() and 0 <= a.min() < a.max() < 1


def test_shapes_that_are_no_images_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 5, 8, 8\)"):
        floors.sobel(np.zeros((2, 5, 8, 8)))
