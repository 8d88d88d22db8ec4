"""Attributes of an outlined lesion: by hand on rectangles, and as scikit-image measures them."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import ellipse
from skimage.measure import label, regionprops

from studylib.data.phantoms.dermoscopy.kinds import draw_lesion
from studylib.data.phantoms.dermoscopy.measure import attributes, eccentricity, solidity
from studylib.data.phantoms.dermoscopy.scene import View, lay_out

LESION = draw_lesion("MEL", np.random.default_rng(0))


def rectangle(top, left, height, width, size=100) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_a_rectangle_by_hand():
    """40 x 20 of 100 x 100: moments of a filled rectangle go with the squares of its sides."""
    image = np.full((100, 100, 3), 255, np.uint8)
    mask = rectangle(10, 30, 20, 40)
    image[mask] = (51, 20, 0)
    found = {k: float(v) for k, v in attributes(mask, image, LESION).items()}
    assert found["area"] == 0.08 and found["solidity"] == 1.0
    assert (found["centroid_x"], found["centroid_y"]) == (0.50, 0.20)
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - 0.25), abs=1e-4)
    assert found["darkness"] == pytest.approx(0.8, abs=1e-4)  # 1 - 51 / 255, of the largest channel
    assert found["border_irregularity"] == pytest.approx(LESION.irregularity, abs=1e-4)
    assert found["asymmetry"] == pytest.approx(LESION.asymmetry, abs=1e-4)


def test_shape_is_of_the_largest_component_and_area_of_all():
    mask = rectangle(10, 10, 20, 40) | rectangle(60, 70, 10, 10)
    found = attributes(mask, np.zeros((100, 100, 3), np.uint8), LESION)
    assert float(found["area"]) == 0.09
    assert float(found["eccentricity"]) == pytest.approx(0.8660, abs=1e-4) and float(found["solidity"]) == 1.0
    assert float(found["centroid_x"]) == pytest.approx((8 * 0.30 + 1 * 0.75) / 9, abs=1e-4)


def test_nothing_seen_is_empty_and_not_zero():
    found = attributes(np.zeros((9, 9), bool), np.zeros((9, 9, 3), np.uint8), LESION)
    assert found["area"] == found["eccentricity"] == found["darkness"] == "" and found["asymmetry"] != ""


def test_as_scikit_image_measures_it():
    """The hull by pixel centres and by corners differ at a border's pixels: 2 % at these sizes."""
    masks = [lay_out([(draw_lesion("MEL", np.random.default_rng(s)), (0.0, 0.0))], 1, View(0, 0, s, 1), 160).lesion
             for s in range(6)]  # fmt: skip
    tilted = np.zeros((160, 160), bool)
    tilted[ellipse(80, 80, 50, 15, rotation=0.7)] = True
    for mask in (*masks, tilted):
        (theirs,) = regionprops(label(mask))
        assert eccentricity(mask) == pytest.approx(theirs.eccentricity, abs=1e-3)  # theirs takes pixels as points
        assert solidity(mask) == pytest.approx(theirs.solidity, abs=0.02)
    assert solidity(masks[0]) < 0.97  # an irregular border is not convex
