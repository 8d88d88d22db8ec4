"""Pictures of a look: colours by sign, outlines where regions end, one scale a map, words for who does not see."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image
from test_look import SIDE, made, square

from studylib.app import panels
from studylib.app.panels import coloured, enlarged, outlined, over, palette, panels_of, place, scale_of


def test_zero_is_the_middle_of_the_colours_and_the_largest_value_an_end():
    rgb, top = coloured(np.array([[-1.0, 0.0], [1.0, 2.0]]))
    ends = [np.rint(255 * np.array(colormaps["PuOr_r"](x)[:3])) for x in (0.25, 0.5, 1.0)]
    assert top == 2.0
    for place_, expected in zip([(0, 0), (0, 1), (1, 1)], ends, strict=True):
        assert np.abs(rgb[place_].astype(int) - expected).max() <= 4
    assert rgb[1, 1, 0] > rgb[1, 1, 2] and rgb[0, 0, 2] > rgb[0, 0, 0]  # orange for, violet against
    np.testing.assert_array_equal(coloured(np.zeros((2, 2)))[0], np.broadcast_to(palette()[128], (2, 2, 3)))


def test_an_outline_lies_where_the_mask_ends_and_leaves_the_original():
    ground = np.full((60, 60, 3), 255, np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    drawn = outlined(ground, mask, panels.REGION)
    changed = (drawn != ground).any(2)
    assert changed[20, 30] and changed[30, 39] and not changed[30, 30] and not changed[5, 5]
    assert tuple(drawn[20, 30]) == panels.REGION and (ground == 255).all()
    assert drawn[16:19, 30].min() < 60  # the casing is dark: it shows on white too


def test_a_mask_is_enlarged_without_stairs_at_its_own_size():
    mask = np.zeros((48, 48), bool)
    mask[12:36, 12:36] = True
    large = enlarged(mask, 384)
    assert large.dtype == bool and large.mean() == pytest.approx(mask.mean(), rel=0.02)


def test_what_lies_over_a_picture_hides_it_where_the_map_is_strong():
    picture = np.full((4, 4, 3), 100, np.uint8)
    grid = np.zeros((4, 4))
    grid[0, 0] = 3.0
    mixed = over(picture, grid)
    assert (mixed[1:] == 100).all()
    np.testing.assert_allclose(mixed[0, 0], 0.25 * 100 + 0.75 * palette()[255], atol=1)


def test_every_map_has_a_panel_with_its_own_scale_and_words():
    found = panels_of(made(mask=square(2, 2).astype(bool)), 0.5)
    assert [p.title for p in found] == ["Picture", "CAM", "Grad-CAM", "CAM, random weights", "Floor: centred blob"]
    assert found[0].top == 0 and not scale_of(found[0])
    assert scale_of(found[1]) == {"low": "\u22121", "middle": "0", "high": "+1", "unit": "logit"}
    assert scale_of(found[-1])["unit"] == "no unit"
    area = f"{100 * 16 / SIDE**2:.0f} %"
    assert found[1].text == f"CAM: {area} of the picture lies above 50 % of its maximum, in the upper part, left"
    picture = Image.open(io.BytesIO(found[1].png))
    assert picture.size == (panels.SIDE, panels.SIDE) and picture.mode == "RGB"


def test_a_map_without_meaning_is_grey_and_says_why():
    nothing = made({"cam": np.full((SIDE, SIDE), np.nan)}, undefined={"cam": "flat"})
    panel = panels_of(nothing, 0.5)[1]
    assert (panel.rgb == 128).all() and panel.note == "no map: it is flat" and panel.top == 0
    against = panels_of(made({"cam": -square(2, 2)}, undefined={"cam": "all-negative"}), 0.5)[1]
    assert against.note == "no region: no place speaks for this class" and against.top == 1


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((0, 0), "in the upper part, left"),
        ((5, 5), "half way down, centre"),
        ((11, 11), "in the lower part, right"),
    ],
)
def test_where_a_region_lies(at, words):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[at] = True
    assert place(mask) == words
