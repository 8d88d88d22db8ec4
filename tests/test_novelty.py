"""Unlike the training pictures: distances by hand, the limit by its quantile, and pictures that must be told apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from studylib.app import novelty
from studylib.app.novelty import appearance, fit_familiarity, pooled_features


def test_distance_is_the_mean_to_the_five_nearest_in_standard_deviations_by_hand():
    # one column, mean 3, standard deviation 2: points -3/2, -1, 0, 1, 3/2, 0 after scaling
    train = np.array([[0.0], [1.0], [3.0], [5.0], [6.0], [3.0]])
    scale = train.std()
    made = fit_familiarity(train, np.array([[3.0]]))
    far = made.distances(np.array([[13.0]]))[0]
    assert far == pytest.approx(np.mean([7, 8, 10, 10, 12]) / scale)  # 6, 5, 3, 3 and 1 are the nearest five
    twice = fit_familiarity(np.repeat(train, 2, 1), np.array([[3.0, 3.0]]))
    assert twice.distances(np.array([[13.0, 13.0]]))[0] == pytest.approx(far)  # columns do not add up


def test_the_limit_is_what_99_of_100_validation_pictures_have():
    rng = np.random.default_rng(0)
    train, validation, test = (rng.normal(size=(n, 6)) for n in (400, 1000, 4000))
    made = fit_familiarity(train, validation)
    assert (made.distances(validation) > made.limit).mean() == pytest.approx(0.01, abs=1e-9)
    assert 0.004 < (made.distances(test) > made.limit).mean() < 0.018  # new ones of the same kind: about one per cent
    shifted = test + np.array([4.0, 0, 0, 0, 0, 0])
    assert (made.distances(shifted) > made.limit).mean() > 0.6
    assert made.unlike(np.full(6, 5.0)) and not made.unlike(np.zeros(6))


def test_a_column_that_training_pictures_share_tells_one_that_differs():
    rng = np.random.default_rng(1)
    train = np.column_stack([rng.normal(size=50), np.full(50, 0.25)])
    made = fit_familiarity(train, train[:20])
    assert not made.unlike(np.array([0.0, 0.25])) and made.unlike(np.array([0.0, 0.2501]))


@pytest.mark.parametrize(("train", "validation"), [((0, 3), (2, 3)), ((2, 3), (0, 3)), ((2, 3), (2, 4))])
def test_nothing_to_compare_with_is_refused(train, validation):
    with pytest.raises(ValueError, match="one or more of each"):
        fit_familiarity(np.zeros(train), np.zeros(validation))


def test_appearance_by_hand_on_two_flat_pictures():
    grey = np.full((1, 8, 8), 51, np.uint8)
    found = appearance(grey)[0]
    # mean, spread, three percentiles, colourfulness, detail, 16 places
    np.testing.assert_allclose(found, [0.2, 0, 0.2, 0.2, 0.2, 0, -8, *[0.2] * 16], atol=1e-6)
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    found = appearance(red)[0]
    np.testing.assert_allclose(found[:3], [1, 0, 0])
    assert found[15] == pytest.approx(1) and len(found) == 3 + 3 + 9 + 1 + 1 + 16


def test_pooled_features_are_means_over_places_of_length_one():
    model = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.Flatten())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])[:, :, None, None])
    pixels = np.zeros((3, 4, 4, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 120, 160
    pixels[1:] //= 2  # darker: the same direction
    found = pooled_features(model, "0", pixels, batch=2)
    np.testing.assert_allclose(found, np.tile([0.6, 0.8], (3, 1)), atol=1e-6)
    assert not model[0]._forward_hooks


def test_pictures_of_another_kind_are_told_from_those_of_the_same(tiny_network):
    """Noise, a blank sheet and an inverted picture are unlike; most unseen test images are not."""
    dataset, rows = tiny_network.dataset, tiny_network.examples()["row"]
    own = [max(tiny_network.strangeness(dataset.image(int(row))).values()) for row in rows]
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    others = [noise, np.full((64, 64), 255, np.uint8), 255 - dataset.image(int(rows[0]))]
    strange = [max(tiny_network.strangeness(image).values()) for image in others]
    assert np.mean(np.array(own) > 1) < 0.34 and min(strange) > 1 and min(strange) > np.median(own)
    assert tiny_network.familiar["appearance"].n <= novelty.NEIGHBOURS * 100
