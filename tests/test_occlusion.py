"""Painting a tumour over: what is filled, where the control lies, and what a network that needs it says then."""

import numpy as np
import pytest
import torch
from torch import nn

from studylib.study import occlusion
from studylib.study.mapping import Pictures
from studylib.study.segmenting import Seen


def scene(n=6, side=64) -> tuple[np.ndarray, np.ndarray]:
    """Heads of one grey with a bright spot, and the spot's mask."""
    y, x = np.mgrid[:side, :side]
    head = (y - 32) ** 2 + (x - 32) ** 2 < 28**2
    pixels, masks = np.zeros((n, side, side), np.uint8), np.zeros((n, side, side), bool)
    for i in range(n):
        masks[i] = (y - 20 - 2 * i) ** 2 + (x - 40) ** 2 < 25
        pixels[i] = np.where(masks[i], 240, np.where(head, 100, 0))
    return pixels, masks


def test_a_painted_over_spot_is_gone_and_nothing_else_is_changed():
    pixels, masks = scene()
    regions = occlusion.grown(masks)
    filled = occlusion.painted_over(pixels, regions)
    assert (np.abs(filled[regions].astype(int) - 100) <= 3).all()
    np.testing.assert_array_equal(filled[~regions], pixels[~regions])
    assert (regions & masks == masks).all() and regions.sum() > masks.sum()


def test_the_control_has_the_same_shape_lies_in_the_head_and_off_the_tumour():
    pixels, masks = scene()
    moved = occlusion.elsewhere(masks, pixels, np.random.default_rng(0))
    for region, other, picture in zip(masks, moved, pixels, strict=True):
        assert other.sum() == region.sum() and not (other & region).any()
        assert (picture[other] == 100).mean() > 0.95
        where = [np.argwhere(m) - np.argwhere(m).min(0) for m in (region, other)]
        np.testing.assert_array_equal(*where)


class SeesTheSpot(nn.Module):
    """Class 1 where anything is brighter than 0.8."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = (images[:, 0].amax((1, 2)) > 0.8).float()
        return torch.stack([4 * (1 - found), 4 * found], 1)


class Fake:
    def __init__(self, model):
        self.fit = type("F", (), {"model": lambda self: model})()
        self.run = type("R", (), {"seed": 0, "repeat": 0})()


def test_a_network_that_needs_the_spot_loses_its_class_without_it_and_keeps_it_in_the_control():
    pixels, masks = scene()
    names = np.array([f"{i}" for i in range(len(pixels))])
    pictures = Pictures(names, names, np.ones(len(pixels), int), pixels, masks)
    table = occlusion.survival(Seen(Fake(SeesTheSpot()), pixels, pictures), np.random.default_rng(0))
    assert len(table) == len(pixels)
    assert (table["tumour"] == 0).all() and (table["control"] == 1).all()
    said = torch.tensor([0.0, 4.0]).softmax(0)[1].item()
    np.testing.assert_allclose(table["tumour_fall"], said - (1 - said), atol=1e-6)
    found = occlusion.survivals(table, ("no", "yes"))
    assert found["occlusion.control_minus_tumour"].value == 1 and found["occlusion.class_survives.yes"].value == 0
    assert np.isnan(found["occlusion.class_survives.no"].value)


def test_images_that_are_called_wrong_are_left_out():
    pixels, masks = scene()
    names = np.array([f"{i}" for i in range(len(pixels))])
    pictures = Pictures(names, names, np.arange(len(pixels)) % 2, pixels, masks)
    table = occlusion.survival(Seen(Fake(SeesTheSpot()), pixels, pictures), np.random.default_rng(0))
    assert table["label"].tolist() == [1] * 3 and pytest.approx(table["control"].mean()) == 1
