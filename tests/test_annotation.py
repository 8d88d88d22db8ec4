"""The colours of an annotation layer, each pixel by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from studylib.data.images import DataError
from studylib.data.importers.annotation import COLOURS, NEAR, read_annotation, values_of

SIX = [colour for _, colour in COLOURS.values()]


def layer(*pixels) -> np.ndarray:
    """A transparent layer of 10 x 8 whose first pixels are given, (red, green, blue, opacity)."""
    image = np.zeros((8, 10, 4), np.uint8)
    for place, pixel in enumerate(pixels):
        image[place // 10, place % 10] = pixel
    return image


def test_the_least_distance_between_two_colours_is_twice_what_is_near():
    far = [np.linalg.norm(np.subtract(a, b)) for i, a in enumerate(SIX) for b in SIX[:i]]
    assert min(far) == pytest.approx(np.sqrt(103**2 + 2**2 + 16**2)) and 2 * NEAR < min(far)  # brown and black


def test_each_colour_has_its_value_and_paler_edges_none(tmp_path):
    image = layer(*[(*colour, 255) for colour in SIX], (255, 0, 255, 128), (255, 0, 255, 127), (255, 20, 235, 255))
    Image.fromarray(image).save(tmp_path / "a.png")
    values = read_annotation(tmp_path / "a.png", "a.png")
    assert values[0].tolist() == [1, 3, 4, 5, 6, 7, 1, 0, 1, 0] and not values[1:].any()


def test_a_layer_of_a_palette_and_one_where_nothing_is_drawn(tmp_path):
    image = Image.new("P", (10, 8), 0)
    image.putpalette([9, 9, 9, 0, 0, 255])
    image.putpixel((3, 2), 1)
    image.save(tmp_path / "palette.png", transparency=0)
    values = read_annotation(tmp_path / "palette.png", "palette.png")
    assert np.argwhere(values).tolist() == [[2, 3]] and values[2, 3] == 3
    Image.fromarray(layer()).save(tmp_path / "empty.png")
    assert not read_annotation(tmp_path / "empty.png", "empty.png").any()


def test_unknown_colours_are_named_with_their_pixels_and_the_nearest_known():
    colours = [(0, 255, 0)] * 5 + [(255, 0, 255)] * 4 + [(255, 120, 255)] * 7 + [(90, 90, 90)] + [(0, 250, 0)]
    with pytest.raises(DataError) as error:
        values_of(np.array(colours, np.uint8), "Case 1/C1Aceto (1).png")
    text = str(error.value)
    assert text.startswith("Case 1/C1Aceto (1).png: holds the colour (255,120,255) in 7 pixels (nearest: acetowhite")
    assert "(255,0,255), 120 away), (0,255,0) in 5 pixels (nearest: cuffed gland opening (0,0,0), 255 away)" in text
    assert " and 1 more colours, expected within 48 of one of acetowhite area (255,0,255), squamocolumnar" in text
    assert text.endswith("; take the owners' file, neither resized nor saved anew")


def test_a_few_pixels_may_lie_between_two_known_colours():
    purple, crossing = [(255, 0, 255)] * 98, [(140, 0, 140), (115, 0, 115)]  # of purple and black, 162 from either
    values = values_of(np.array(purple + crossing, np.uint8), "a.png")
    assert values.tolist() == [1] * 99 + [7]
    with pytest.raises(
        DataError, match=r"^a.png: holds the colour \(115,0,115\) in 2 pixels .* \(140,0,140\) in 2 pixels"
    ):
        values_of(np.array(purple + 2 * crossing, np.uint8), "a.png")  # 4 of 102
    with pytest.raises(DataError, match=r"holds the colour \(0,255,0\) in 1 pixels"):  # between no two of them
        values_of(np.array(purple + [(0, 255, 0)], np.uint8), "a.png")
    assert values_of(np.zeros((0, 3), np.uint8), "a.png").size == 0


def test_damaged_and_opaque_layers(tmp_path):
    Image.fromarray(layer()[..., :3]).save(tmp_path / "opaque.png")
    with pytest.raises(DataError, match="^x: has no transparent pixel, expected lines on transparent; take"):
        read_annotation(tmp_path / "opaque.png", "x")
    Image.fromarray(layer(*[(i, 0, 0, 255) for i in range(80)])).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:60])
    with pytest.raises(DataError, match="^x: is truncated or damaged .*, expected a whole annotation layer; download"):
        read_annotation(tmp_path / "cut.png", "x")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"^x: the file is empty \(0 bytes\), expected a whole annotation layer; downl"):
        read_annotation(tmp_path / "empty.png", "x")
