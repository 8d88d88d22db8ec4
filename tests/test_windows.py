"""Squares around the middle of a picture: what is kept, what is filled, and that masks move alike."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.data.transforms import crop_of, prepare_image
from studylib.data.windows import crop_to_window, cut, pad_to_square


def test_cut_fills_what_lies_outside():
    found = cut(np.arange(6, dtype=np.uint8).reshape(2, 3), (-1, 0, 2, 3), fill=9)
    assert found.tolist() == [[9, 0, 1], [9, 3, 4], [9, 9, 9]]


def test_padding_keeps_the_picture_and_has_the_borders_median_colour():
    image = np.full((4, 8, 3), (10, 20, 30), np.uint8)
    image[1:3, 2:6] = 200
    square, box = pad_to_square(image)
    assert box == (0, -2, 8, 6) and square.shape == (8, 8, 3)
    np.testing.assert_array_equal(square[2:6], image)
    assert (square[:2] == (10, 20, 30)).all() and (square[6:] == (10, 20, 30)).all()


def test_a_window_has_one_scale_whatever_the_picture():
    small, large = np.full((10, 6), 50, np.uint8), np.full((40, 60), 50, np.uint8)
    small[5, 3], large[20, 30] = 255, 255
    for image in (small, large):
        square, (left, top, right, bottom) = crop_to_window(image, 20)
        assert square.shape == (20, 20) and (right - left, bottom - top) == (20, 20)
        assert square[10, 10] == 255 and (square == 255).sum() == 1
        np.testing.assert_array_equal(cut(image, (left, top, right, bottom), 50), square)


@pytest.mark.parametrize("name", ["window:", "window:x", "window:0", "windows:5", "padded"])
def test_an_unknown_crop_is_refused_by_name(name):
    with pytest.raises(ValueError, match="window:N"):
        crop_of(name)


def test_one_picture_is_prepared_in_grey_and_in_colour():
    image = np.zeros((4, 8, 3), np.uint8)
    image[..., 0] = 255
    assert (prepare_image(image, 4, "none") == 76).all()
    assert (prepare_image(image, 4, "window:4", channels=3) == (255, 0, 0)).all()
    assert prepare_image(np.full((4, 4), 7, np.uint8), 2, "pad", channels=3).tolist() == [[[7] * 3] * 2] * 2
    with pytest.raises(ValueError, match="1 .grey. or 3"):
        prepare_image(image, 4, "none", channels=2)
