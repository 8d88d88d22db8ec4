"""Attributes of regions: known ellipses, scikit-image as a second way, colours by hand, degenerate input."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from skimage.measure import label, regionprops

from studylib.study.region_attributes import (
    COLOURS,
    FILLS,
    LEAST_PIXELS,
    attributes,
    attributes_of_maps,
    colour_classes,
    symmetry,
)

SIZE = (120, 160)


def ellipse(cy, cx, a, b, angle=0.0, size=SIZE):
    y, x = np.mgrid[: size[0], : size[1]]
    u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    v = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)
    return (u / a) ** 2 + (v / b) ** 2 <= 1


def painted(mask, inside=(120, 70, 40), outside=(230, 180, 160)):
    return np.where(mask[..., None], np.uint8(inside), np.uint8(outside))


def one(mask, image=None, **more):
    return attributes(mask[None], (painted(mask) if image is None else image)[None], **more).iloc[0]


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2])
def test_an_ellipse_has_its_area_place_eccentricity_and_no_dents(angle):
    row = one(ellipse(40, 110, 36, 18, angle))
    assert row["area"] == pytest.approx(np.pi * 36 * 18 / (120 * 160), rel=0.01)  # the grid's error
    assert (row["row"], row["column"]) == pytest.approx((40.5 / 120, 110.5 / 160), abs=1e-3)
    assert row["eccentricity"] == pytest.approx(np.sqrt(1 - 0.25), abs=0.005)
    assert row["solidity"] > 0.95 and row["symmetry"] > 0.95 and row["pixels"] == pytest.approx(row["area"] * 120 * 160)


def test_a_disc_is_round_and_its_irregularity_is_one():
    row = one(ellipse(60, 80, 30, 30))
    assert row["eccentricity"] < 0.05 and row["irregularity"] == pytest.approx(1, abs=0.03) and row["symmetry"] > 0.99


def test_shape_equals_scikit_image():
    mask = ellipse(60, 80, 40, 20, 0.3) & ~ellipse(60, 95, 12, 14)
    mask |= ellipse(75, 60, 15, 20)
    row, other = one(mask), max(regionprops(label(mask)), key=lambda part: part.area)
    assert row["pixels"] == other.area < mask.sum()  # crumbs of the cut are left out
    assert row["eccentricity"] == pytest.approx(other.eccentricity, abs=1e-9)
    assert row["solidity"] == pytest.approx(other.solidity, abs=0.02)  # its hull is counted in pixels, ours in corners


def test_solidity_of_an_l_by_hand():
    mask = np.zeros(SIZE, bool)
    mask[20:60, 20:40] = mask[40:60, 20:60] = True
    # 40 x 40 with one 20 x 20 corner missing: 1200 pixels; its hull cuts half of the corner back: 1400
    assert one(mask)["solidity"] == pytest.approx(1200 / 1400)


def test_symmetry_by_hand():
    square = np.zeros((40, 40), bool)
    square[10:20, 10:30] = True
    assert symmetry(square) == 1.0
    bar = np.zeros((7, 9), bool)
    bar[3, 1:8] = True
    bar[2, 2] = bar[4, 2] = True  # symmetric about its row; about its column two pixels of nine are lost
    # centroid column (1+2+...+7+2+2)/9 = 32/9: mirrored c -> 64/9 - c, so 1..7 -> 6..0, 2 -> 5: six of nine are shared
    assert symmetry(bar) == pytest.approx((1 + 6 / 12) / 2)
    assert symmetry(ellipse(60, 80, 40, 15, 0.7) & (np.arange(160) < 80)) < symmetry(ellipse(60, 80, 40, 15, 0.7))
    assert np.isnan(symmetry(np.zeros((4, 4), bool)))


@pytest.mark.parametrize(
    ("rgb", "said"),
    [((101, 67, 33), "dark_brown_or_black"), ((0, 0, 0), "dark_brown_or_black"), ((102, 68, 34), "brown"),
     ((139, 69, 19), "brown"), ((230, 225, 220), "white_or_yellow"), ((240, 220, 130), "white_or_yellow"),
     ((120, 120, 125), "blue_grey"), ((90, 110, 160), "blue_grey"), ((200, 30, 40), "red_or_pink"),
     ((255, 180, 190), "red_or_pink"), ((40, 160, 60), "other"), ((190, 180, 60), "brown")],
)  # fmt: skip
def test_colours_by_name(rgb, said):
    assert COLOURS[colour_classes(np.array([rgb]))[0]] == said


def test_colour_classes_at_the_edges():
    def said(h, s, v):
        rgb = np.array(colorsys.hsv_to_rgb(h / 360, s, v)) * 255
        return COLOURS[colour_classes(rgb[None])[0]]

    assert [said(h, 0.61, 0.6) for h in (11.9, 12.1, 69.9, 70.1, 159.9, 160.1, 289.9, 290.1)] == [
        "red_or_pink", "brown", "brown", "other", "other", "blue_grey", "blue_grey", "red_or_pink",
    ]  # fmt: skip
    assert [said(39.9, 0.5, 0.8), said(40.1, 0.5, 0.8), said(40.1, 0.5, 0.74)] == ["brown", "white_or_yellow", "brown"]
    assert [said(0, 0.59, 0.74), said(0, 0.61, 0.74), said(0, 0.59, 0.76)] == ["brown", "red_or_pink", "red_or_pink"]
    assert [said(344.9, 0.5, 0.6), said(345.1, 0.5, 0.6)] == ["red_or_pink", "brown"]
    assert [said(20, 0.19, 0.76), said(20, 0.19, 0.74), said(20, 0.21, 0.76)] == [
        "white_or_yellow", "blue_grey", "brown",
    ]  # fmt: skip


def test_colour_value_and_contrast_of_the_region():
    mask = ellipse(60, 80, 30, 20)
    image = painted(mask)
    image[:, :80] = np.where(mask[:, :80, None], np.uint8((30, 20, 10)), image[:, :80])  # less than half of it is dark
    row = one(mask, image)
    dark = mask[:, :80].sum() / mask.sum()
    assert row["colour"] == "brown" and row["colour_share"] == pytest.approx(1 - dark)
    assert row["value"] == pytest.approx((30 * dark + 120 * (1 - dark)) / 255)
    assert row["contrast"] == pytest.approx(row["value"] - 230 / 255)


def test_the_region_of_a_map_is_its_largest_part_above_half():
    grid = np.zeros((1, *SIZE))
    grid[0, 10:30, 10:30], grid[0, 60:100, 60:100] = 1.0, 0.6
    grid[0, 60:100, 100:160] = 0.5  # not above half
    row = attributes_of_maps(grid, painted(grid[0] > 0)[None]).iloc[0]
    assert row["pixels"] == 1600 and (row["row"], row["column"]) == (80 / 120, 80 / 160)
    assert not row["at_border"] and row["undefined"] is None


def test_lesion_and_border():
    mask = np.zeros(SIZE, bool)
    mask[:20, 40:60] = True
    lesion = np.zeros(SIZE, bool)
    lesion[15:60] = True
    row = one(mask, lesions=lesion[None])
    assert row["on_lesion"] == 0.25 and row["at_border"] and np.isnan(one(mask)["on_lesion"])
    assert np.isnan(one(mask, lesions=np.zeros((1, *SIZE), bool))["on_lesion"])  # an empty lesion mask knows nothing


@pytest.mark.parametrize(
    ("grid", "reason"),
    [(np.ones(SIZE), "flat"), (np.full(SIZE, np.nan), "NaN"), (-np.arange(1.0, 19201).reshape(SIZE), "all-negative")],
)
def test_a_map_without_a_region_says_why(grid, reason):
    row = attributes_of_maps(grid[None], np.zeros((1, *SIZE, 3), np.uint8)).iloc[0]
    assert row["undefined"] == reason and row["pixels"] == 0 and np.isnan(row["area"]) and row["colour"] is None


def test_degenerate_regions():
    empty = one(np.zeros(SIZE, bool))
    assert empty["undefined"] == "empty" and np.isnan(empty["row"])
    dot = np.zeros(SIZE, bool)
    dot[3, 5] = True
    row = one(dot)
    assert (
        row["pixels"] == 1 and np.isnan(row["eccentricity"]) and np.isnan(row["solidity"]) and row["row"] == 3.5 / 120
    )
    enough = np.zeros(SIZE, bool)
    enough[3, 5 : 5 + LEAST_PIXELS] = True
    assert one(enough)["eccentricity"] == 1
    full = one(np.ones(SIZE, bool))
    assert full["area"] == 1 and np.isnan(full["eccentricity"]) and np.isnan(full["contrast"]) and full["at_border"]
    almost = np.zeros(SIZE, bool)
    almost[: int(FILLS * 120)] = True  # exactly the share still has a shape
    assert one(almost)["area"] == FILLS and np.isfinite(one(almost)["solidity"])
    black = one(ellipse(60, 80, 30, 20), np.zeros((*SIZE, 3), np.uint8))
    assert black["colour"] is None and np.isnan(black["value"]) and black["area"] > 0


def test_wrong_input_is_one_clear_error():
    mask = ellipse(60, 80, 30, 20)
    with pytest.raises(ValueError, match=r"\(1, 120, 160\) and type uint8 .*a.png.*repeat a grey picture"):
        attributes(mask[None], np.zeros((1, *SIZE), np.uint8), names=["a.png"])
    with pytest.raises(ValueError, match="type float64.*uint8: repeat"):
        attributes(mask[None], np.zeros((1, *SIZE, 3)))
    with pytest.raises(ValueError, match=r"masks have the shape \(1, 10, 10\).*expected \(1, 120, 160\) bool"):
        attributes(np.ones((1, 10, 10), bool), painted(mask)[None])
    with pytest.raises(ValueError, match="bring maps to the images' size"):
        attributes_of_maps(np.ones((1, 7, 7)), painted(mask)[None])
    with pytest.raises(ValueError, match="2 reasons for 1 masks"):
        one(mask, reasons=[None, None])
