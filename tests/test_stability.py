"""Likeness of maps under noise and shifts, by hand and against scipy, and when a map follows its prediction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr

from studylib.metrics import stability


def pictures(n=3, side=20) -> torch.Tensor:
    return torch.rand(n, 2, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def brightness(images: torch.Tensor) -> torch.Tensor:
    """A map that moves with its image: shift and map commute."""
    return images.mean(1)


def test_a_shift_moves_every_pixel_and_continues_the_border():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    moved = stability.shifted(image, 1, -2)[0, 0]
    assert moved.tolist() == [[2, 3, 3, 3], [2, 3, 3, 3], [6, 7, 7, 7]]
    with pytest.raises(ValueError, match="3 and 0 pixels leaves nothing of images of 3 x 4"):
        stability.shifted(image, 3, 0)


@pytest.mark.parametrize("pixels", [1, 3])
def test_a_map_that_moves_with_its_image_is_stable_and_one_that_stays_is_not(pixels):
    images = pictures()
    follows = stability.after_shift(brightness, images, pixels=pixels)
    assert all(values == pytest.approx(1) for values in follows)
    place = torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(1)).expand(3, -1, -1)
    stays = stability.after_shift(lambda x: place, images, pixels=pixels)
    assert (np.abs(stays.spearman) < 0.2).all()


def test_a_shift_compares_the_common_window_of_both():
    images = pictures(1, 6)
    row = torch.arange(36.0).view(1, 6, 6) ** 2  # the same map whatever the image
    found = stability.after_shift(lambda x: row, images, pixels=2).spearman[0]
    grid = row[0].numpy()
    windows = [
        (grid[:-2], grid[2:]), (grid[2:], grid[:-2]), (grid[:, :-2], grid[:, 2:]), (grid[:, 2:], grid[:, :-2])
    ]  # fmt: skip
    expected = np.mean([spearmanr(a.ravel(), b.ravel()).statistic for a, b in windows])
    assert found == pytest.approx(expected)


def test_noise_is_a_share_of_each_images_own_range():
    images = pictures() * torch.tensor([1.0, 10.0, 0.0]).view(3, 1, 1, 1)
    noise = stability.noisy(images, 0.1, np.random.default_rng(0)) - images
    spread = images.amax((1, 2, 3)) - images.amin((1, 2, 3))
    assert (noise.std((1, 2, 3)) / spread)[:2].numpy() == pytest.approx(0.1, rel=0.06)
    assert (noise[2] == 0).all()


def test_likeness_under_noise_against_scipy_and_its_seed():
    images, rng = pictures(2), np.random.default_rng(7)
    found = stability.after_noise(brightness, images, share=0.2, draws=3, rng=7)
    expected = np.zeros(2)
    for _ in range(3):
        changed = brightness(stability.noisy(images, 0.2, rng))
        expected += [
            spearmanr(a.ravel(), b.ravel()).statistic / 3
            for a, b in zip(brightness(images).numpy(), changed.numpy(), strict=True)
        ]
    assert found.spearman == pytest.approx(expected)
    assert (found.spearman < stability.after_noise(brightness, images, share=0.02, draws=3, rng=7).spearman).all()


def test_a_map_without_meaning_is_nan_and_harms_no_other():
    images = pictures()

    def holed(x):
        return torch.where(torch.tensor([False, True, False])[:, None, None], torch.nan, brightness(x))

    for found in (stability.after_noise(holed, images), stability.after_shift(holed, images, pixels=1)):
        assert np.isnan(found.spearman).tolist() == [False, True, False]


def test_correlation_of_prediction_and_map_by_hand_and_by_scipy():
    rng = np.random.default_rng(0)
    moved, likeness = rng.random((4, 6)) - 0.5, rng.random((4, 6))
    likeness[0] = 1 - 2 * np.abs(moved[0])  # the map moves just as the prediction does
    likeness[1] = np.abs(moved[1])  # and the other way round
    found = stability.prediction_saliency_correlation(moved, likeness)
    assert found[:2] == pytest.approx([1, -1])
    assert found[2] == pytest.approx(pearsonr(np.abs(moved[2]), 1 - likeness[2]).statistic)


@pytest.mark.parametrize(
    ("moved", "likeness"),
    [
        ([[0.1, 0.2]], [[0.5, 0.6]]),
        ([[0.1, 0.1, 0.1]], [[0.5, 0.6, 0.7]]),
        ([[0.1, 0.2, 0.3]], [[0.5, 0.5, 0.5]]),
        ([[0.1, 0.2, 0.3]], [[0.5, 0.6, math.nan]]),
    ],
)
def test_no_correlation_where_nothing_varies_or_too_little_is_known(moved, likeness):
    assert math.isnan(stability.prediction_saliency_correlation(moved, likeness)[0])


def test_tables_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 2\) and of maps \(2,\): both must be \(N, k\)"):
        stability.prediction_saliency_correlation([[0.1, 0.2]], [0.1, 0.2])
