"""Words from numbers at their edges, and texts: the source's format, and what is left out where nothing can be said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_region_attributes import SIZE, ellipse, one, painted

from studylib.study.wording import SHIPPED, load_wording
from studylib.study.words import ATTRIBUTES, describe, of_disc, sentence_for, word_columns, words_of

BASE = {"area": 0.2, "row": 0.5, "column": 0.5, "eccentricity": 0.5, "solidity": 0.95, "irregularity": 1.1,
        "symmetry": 0.9, "value": 0.65, "contrast": -0.2, "colour": "brown", "colour_share": 0.8, "at_border": False,
        "on_lesion": 0.9, "pixels": 3840, "undefined": None}  # fmt: skip


def row(**more):
    return pd.Series(BASE | more)


def said(name, **more):
    return words_of(pd.DataFrame([BASE | more]))[name].iloc[0]


@pytest.mark.parametrize(
    ("name", "number", "cases"),
    [
        ("size", "area", [(0.0999, "small"), (0.10, "medium"), (0.30, "medium"), (0.3001, "large")]),
        ("shape", "eccentricity", [(0.8, "round"), (0.8001, "elongated"), (0.0, "round"), (np.nan, None)]),
        ("boundary", "solidity", [(0.9, "smooth"), (0.8999, "irregular"), (1.0, "smooth"), (np.nan, None)]),
        (
            "intensity",
            "value",
            [(0.5999, "dark"), (0.60, "medium"), (0.75, "medium"), (0.7501, "pale")],
        ),
        ("place", "row", [(0.33, "upper_centre"), (1 / 3, "centre"), (2 / 3, "centre"), (0.67, "lower_centre")]),
        ("place", "column", [(0.33, "middle_left"), (1 / 3, "centre"), (2 / 3, "centre"), (0.67, "middle_right")]),
        ("place", "area", [(0.9, "centre"), (0.9001, None)]),
    ],
)
def test_words_at_the_edges(name, number, cases):
    assert [said(name, **{number: value}) for value, _ in cases] == [word for _, word in cases]


def test_an_exact_third_of_a_sum_of_floats_is_the_middle():
    assert said("place", row=0.1 + 0.2 + 1 / 30) == "centre"  # 0.33333333333333337
    assert said("place", column=1 / 3 - 1e-15) == "centre"


@pytest.mark.parametrize(
    ("at", "place"),
    [((20, 25), "upper_left"), ((20, 80), "upper_centre"), ((20, 135), "upper_right"), ((60, 25), "middle_left"),
     ((60, 80), "centre"), ((60, 135), "middle_right"), ((100, 25), "lower_left"), ((100, 80), "lower_centre"),
     ((100, 135), "lower_right")],
)  # fmt: skip
def test_ellipses_drawn_in_nine_fields(at, place):
    found = words_of(one(ellipse(*at, 18, 9)).to_frame().T.infer_objects()).iloc[0]
    assert found["place"] == place and found["shape"] == "elongated" and found["size"] == "small"
    assert found["colour"] == "brown" and found["boundary"] == "smooth" and found["intensity"] == "dark"


def test_no_region_has_no_word_and_columns_are_named_by_kind():
    numbers = pd.DataFrame([one(np.zeros(SIZE, bool)), one(ellipse(60, 80, 30, 30))]).infer_objects()
    table = word_columns(numbers, "mask")
    assert list(table) == [f"word_{name}_mask" for name in ATTRIBUTES]
    assert table.iloc[0].isna().all() and table.iloc[1]["word_shape_mask"] == "round"


def test_the_source_format():
    found = describe(row(row=0.8, column=0.8, eccentricity=0.9), predicted="NV", confidence=0.9374)
    assert found.text.startswith(
        "Prediction: NV (93.74% confidence). Focus: medium, elongated region in the lower-right part of the image. "
        "Colour: mostly brown, medium. Boundary: smooth. Clinical insight: Melanocytic nevi are benign"
    )
    assert "usually, not always, symmetric" in found.text and "doi:10.1038/sdata.2018.161" in found.text
    assert found.warnings == ("research",)


def test_a_class_without_knowledge_has_no_insight():
    assert "Clinical insight" not in describe(row(), predicted="pituitary_tumour", confidence=0.5).text
    assert describe(row(), predicted="pituitary_tumour", confidence=0.5).text.startswith(
        "Prediction: pituitary tumour ("
    )


@pytest.mark.parametrize(
    ("more", "how", "key", "text"),
    [
        ({}, {"doubt": 0.61}, "low_confidence", "60.00%, below the 61.00%"),
        ({"on_lesion": 0.499}, {}, "off_lesion", "only 50% of the region"),
        ({"on_lesion": np.nan, "contrast": 0.0}, {}, "perhaps_off_lesion", "no lesion mask is given"),
        ({"at_border": True}, {}, "at_border", "touches the image's border"),
        (
            {"area": 0.95, "eccentricity": np.nan, "solidity": np.nan, "at_border": True},
            {},
            "filling",
            "fills the image",
        ),
        ({"pixels": 3, "eccentricity": np.nan, "solidity": np.nan}, {}, "tiny", "only 3 pixels"),
        ({"colour": None, "value": np.nan, "contrast": np.nan}, {}, "black", "the image is black"),
        ({}, {"failed": ("3 sanity", "5 planted")}, "failed_gate", "fails: 3 sanity, 5 planted."),
    ],
)
def test_each_warning_alone(more, how, key, text):
    found = describe(row(**more), predicted="MEL", confidence=0.6, **how)
    assert found.warnings == (key, "research") and text in found.warned[0]


@pytest.mark.parametrize(
    ("more", "how"),
    [({}, {"doubt": 0.6}), ({"on_lesion": 0.5}, {}), ({"on_lesion": 0.9, "contrast": 0.3}, {}),
     ({"on_lesion": np.nan, "contrast": -1e-9}, {})],
)  # fmt: skip
def test_no_warning_on_the_other_side(more, how):
    assert describe(row(**more), predicted="MEL", confidence=0.6, **how).warnings == ("research",)


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        (np.ones((7, 7)), "the map is flat"),
        (np.full((7, 7), np.nan), "the map holds values that are not numbers"),
        (np.eye(7) - 2, "the map has no positive value"),
    ],
)
def test_of_a_flat_map_the_text_says_that_there_is_nothing_to_say(grid, why):
    picture = painted(ellipse(60, 80, 30, 20))
    found = sentence_for(grid, picture, "MEL", 0.8)
    assert f"there is nothing to say, since {why}" in found.text
    assert set(found.words.values()) == {None} and found.warnings[0] == "flat_map"
    spoken = load_wording().phrases
    rest = " ".join(found.sentences[:2])
    assert not any(f" {word}" in rest for name in ("place", "shape", "size") for word in spoken[name].values())
    assert "Colour:" not in found.text and "Boundary:" not in found.text


def test_a_map_is_brought_to_the_pictures_size():
    grid = np.zeros((7, 7))
    grid[5, 5] = 1.0
    mask = ellipse(94, 126, 12, 12)
    found = sentence_for(grid, painted(mask), "MEL", 0.8, lesion=mask)
    assert found.words["place"] == "lower_right" and "off_lesion" not in found.warnings
    assert "off_lesion" in sentence_for(grid, painted(mask), "MEL", 0.8, lesion=~mask).warnings
    with pytest.raises(ValueError, match=r"shape \(1, 7, 7\); expected \(h, w\)"):
        sentence_for(grid[None], painted(mask), "MEL", 0.8)


def test_a_region_that_fills_and_one_that_is_tiny_say_no_shape():
    full = describe(one(np.ones(SIZE, bool)), predicted="MEL", confidence=0.8)
    assert "large region that fills the image" in full.text and full.words["place"] is None
    dot = np.zeros(SIZE, bool)
    dot[3, 5] = True
    found = describe(one(dot), predicted="MEL", confidence=0.8)
    assert "Focus: small region in the upper-left part of the image." in found.text and found.words["shape"] is None


def test_the_centred_disc_by_hand():
    image = np.full((2, *SIZE, 3), 100, np.uint8)
    found = of_disc(image, 0.25)
    assert len(found) == 2 and found["area"].iloc[0] == pytest.approx(0.25, abs=0.001)  # pixels tied at the rim
    assert (found["row"].iloc[0], found["column"].iloc[0]) == (0.5, 0.5) and found["eccentricity"].iloc[0] < 0.05
    with pytest.raises(ValueError, match="between 0 and 1"):
        of_disc(image, 25)


def test_other_wording_and_wrong_probabilities(tmp_path):
    path = tmp_path / "de.toml"
    path.write_text(SHIPPED.read_text("utf-8").replace('round = "round"', 'round = "rund"'), "utf-8")
    assert "medium, rund region" in describe(row(), predicted="NV", confidence=0.5, wording=load_wording(path)).text
    with pytest.raises(ValueError, match="confidence is 93.74; expected a probability"):
        describe(row(), predicted="NV", confidence=93.74)
    with pytest.raises(ValueError, match="doubt is 60"):
        describe(row(), predicted="NV", confidence=0.9, doubt=60)
