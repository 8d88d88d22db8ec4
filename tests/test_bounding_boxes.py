"""Boxes around masks, by hand."""

import numpy as np
import pytest

from studylib.data.bounding_boxes import boxes_of


def test_boxes_by_hand():
    masks = np.zeros((3, 6, 8), np.uint8)
    masks[0, 2:4, 3:7] = 1
    masks[1, 5, 0] = masks[1, 0, 7] = 1  # two corners: the box holds both
    masks[2] = 1
    found = boxes_of(masks, ["a", "b", "c"])
    assert found.tolist() == [[3, 2, 7, 4], [0, 0, 8, 6], [0, 0, 8, 6]]


def test_an_image_without_the_object_is_named():
    masks = np.zeros((2, 4, 4), np.uint8)
    masks[0, 1, 1] = 1
    with pytest.raises(ValueError, match=r"1 of 2 images show no object .* \(first: b.png\)"):
        boxes_of(masks, ["a.png", "b.png"])
