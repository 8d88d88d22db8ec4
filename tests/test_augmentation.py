"""Training pictures are moved and tinted within the limits that are said, each by itself, the same from one seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from studylib.training import augmentation
from studylib.training.augmentation import _moved, augmented


def matrix(a, b, c, d, x=0.0, y=0.0):
    """Where a pixel of the copy comes from: (a x' + b y' + x, c x' + d y' + y)."""
    return torch.tensor([[[a, b, x], [c, d, y]]], dtype=torch.float32)


def test_a_quarter_turn_a_mirror_and_a_shift_are_exact():
    picture = torch.arange(64.0).view(1, 1, 8, 8)
    np.testing.assert_allclose(_moved(picture, matrix(0, -1, 1, 0)), torch.rot90(picture, 1, (2, 3)), atol=1e-4)
    np.testing.assert_allclose(_moved(picture, matrix(-1, 0, 0, 1)), picture.flip(3), atol=1e-4)
    moved = _moved(picture, matrix(1, 0, 0, 1, x=2 / 8))  # a side is 2 long: one pixel of eight
    np.testing.assert_allclose(moved[..., :-1], picture[..., 1:], atol=1e-4)
    np.testing.assert_allclose(moved[..., -1], picture[..., -1], atol=1e-4)  # mirrored at the border


def test_matrices_keep_to_the_limits_and_mirror_half_of_the_copies():
    torch.manual_seed(0)
    found = augmentation._matrices(4000).double().numpy()
    linear, shift = found[:, :, :2], found[:, :, 2]
    determinant = np.linalg.det(linear)
    size = 1 / np.sqrt(np.abs(determinant))
    assert 0.9 - 1e-4 <= size.min() < 0.91 and 1.09 < size.max() <= 1.1 + 1e-4
    assert abs((determinant < 0).mean() - 0.5) < 0.03
    assert np.abs(shift).max() <= 0.2 + 1e-6 and np.abs(shift).max() > 0.19  # 10 % of a side of 2
    angles = np.arctan2(linear[:, 1, 1], -linear[:, 0, 1])
    assert np.histogram(angles, 8, (-math.pi, math.pi))[0].min() > 400  # any rotation
    # a turned copy keeps right angles: the two columns are at right angles and of one length
    np.testing.assert_allclose((linear[:, :, 0] * linear[:, :, 1]).sum(1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(linear[:, :, 0], axis=1), 1 / size, rtol=1e-5)


def test_colour_changes_each_channel_and_nothing_leaves_its_range():
    torch.manual_seed(0)
    flat = torch.full((500, 3, 8, 8), 0.5)
    made = augmented(flat)[:, :, 4, 4]
    assert 0.45 - 1e-6 <= made.min() < 0.452 and 0.548 < made.max() <= 0.55 + 1e-6
    assert abs(np.corrcoef(made[:, 0], made[:, 1])[0, 1]) < 0.15  # channels apart
    bright = augmented(torch.ones(50, 3, 8, 8))
    assert bright.max() == 1 and bright.is_contiguous(memory_format=torch.channels_last)


def test_each_picture_is_changed_by_itself_and_one_seed_gives_one_answer():
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3)).expand(6, -1, -1, -1)
    torch.manual_seed(5)
    first = augmented(picture)
    torch.manual_seed(5)
    assert torch.equal(first, augmented(picture))
    gaps = [float((first[i] - first[j]).abs().mean()) for i in range(6) for j in range(i)]
    assert min(gaps) > 0.02


def test_pictures_stay_on_their_device_and_in_their_type():
    assert augmented(torch.zeros(2, 3, 8, 8, device="meta")).device.type == "meta"
    assert augmented(torch.zeros(2, 3, 8, 8, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_a_spot_stays_where_limits_let_it_be(monkeypatch, shift):
    monkeypatch.setattr(augmentation, "SHIFT", shift)
    spot = torch.zeros(200, 1, 33, 33)
    spot[:, :, 15:18, 15:18] = 1
    torch.manual_seed(1)
    places = augmented(spot)[:, 0].flatten(1).argmax(1)
    away = torch.stack([places // 33 - 16, places % 33 - 16]).abs().max()
    assert away <= 1 + math.ceil(33 * shift * 1.1 * math.sqrt(2))  # scaled by up to 1.1, turned by up to 45 degrees
