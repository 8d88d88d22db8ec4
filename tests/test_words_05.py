"""Study 5's words: aspects, what is counted true, a ruler in words, on pictures made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import words_05
from studylib.study.mapping import Pictures
from studylib.study.words import ATTRIBUTES
from studylib.study.words_05 import Spoken


def disc(y, x, radius, side=60):
    rows, columns = np.mgrid[:side, :side]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def test_pictures_come_back_to_their_own_aspect():
    masks = disc(30, 30, 20)[None]
    wide = words_05.in_aspect(masks, 0.75)
    assert wide.shape == (1, 45, 60) and wide.dtype == bool
    assert wide.mean() == pytest.approx(masks.mean(), abs=0.01)
    assert words_05.in_aspect(masks, 2.0).shape == (1, 60, 30)
    assert words_05.in_aspect(masks, 1.0) is masks
    maps = np.broadcast_to(np.linspace(-1, 1, 60), (1, 60, 60)).astype(np.float32)
    np.testing.assert_allclose(words_05.in_aspect(maps, 0.5)[0, 3], maps[0, 0], atol=1e-6)


def spoken() -> Spoken:
    """Four images: all words true, one false, two false, and no map; two nevi, two melanomas."""
    words = dict(zip(ATTRIBUTES, ("small", "centre", "round", "brown", "dark", "smooth"), strict=True))
    table = pd.DataFrame({
        "image": list("abcd"), "group": list("abcd"), "label": [0, 0, 1, 1], "name": ["NV", "NV", "MEL", "MEL"],
        "predicted": ["NV", "MEL", "MEL", "NV"], "confidence": [0.9, 0.4, 0.6, 0.5], "repeat": 0,
        "symmetry": [0.9, 0.8, 0.6, 0.7],
    })  # fmt: skip
    for kind in ("map", "mask", "random", "disc"):
        for name, word in words.items():
            table[f"word_{name}_{kind}"] = word
    table.loc[1, "word_size_map"] = "large"
    table.loc[2, ["word_size_map", "word_shape_map"]] = ["large", "elongated"]
    table.loc[3, [f"word_{name}_map" for name in ATTRIBUTES]] = None
    grids = np.zeros((4, 60, 60))
    return Spoken(table, pd.DataFrame(), grids, grids > 0, grids, words, {0: 0.45}, pd.DataFrame(), ("NV", "MEL"))


def test_share_of_true_words_by_hand():
    truths = spoken().truths()
    assert truths["true"][:3].tolist() == pytest.approx([1, 5 / 6, 4 / 6]) and np.isnan(truths["true"][3])
    found = spoken().agreements(resamples=50)
    assert found["words.size.map_vs_mask.rate"].value == pytest.approx(1 / 3)
    assert found["words.all.map_vs_mask.rate"].value == pytest.approx((1 + 5 / 6 + 4 / 6) / 3)
    assert found["words.place.common_vs_mask.rate"].value == 1
    shown = spoken().tidy(found)
    assert shown.loc["size", "the map"] == "0.33" and shown.loc["size", "a disc in the middle"] == "1.00"


def test_symmetry_and_contradictions_by_hand():
    found = spoken().more(resamples=50)
    assert found["words.symmetry.nv_minus_mel"].value == pytest.approx(0.85 - 0.65)
    assert found["words.symmetry.auroc"].value == 1
    assert all(name == name.lower() for name in found)
    # of two texts that say NV one has no shape; the other calls it round: none contradicts itself
    assert found["words.contradiction.nv.share"].value == 0


def test_a_text_states_the_calibrated_confidence_and_its_doubt():
    from studylib.study.region_attributes import attributes_of_maps

    made = spoken()
    maps = np.stack([disc(30, 30, 12).astype(float)] * 4)
    pixels = np.full((4, 60, 60, 3), 200, np.uint8)
    pixels[:, 18:42, 18:42] = (90, 60, 40)
    made = Spoken(**(vars(made) | {"numbers": attributes_of_maps(maps, pixels), "pixels": pixels, "maps": maps}))
    sure, unsure = made.examples([0, 1])[0]
    assert sure.startswith("Prediction: NV (90.00% confidence). Focus: medium, round region in the centre")
    assert "low confidence" in unsure and "45.00%" in unsure and "low confidence" not in sure
    pixels_, masks, maps_, regions = made.shown([2, 0])
    assert regions.shape == (2, 60, 60) and regions[0].sum() == disc(30, 30, 12).sum()


def test_a_ruler_in_words_by_hand():
    pixels = np.full((3, 60, 60, 3), 190, np.uint8)
    lesion = np.stack([disc(30, 30, 10)] * 3)
    pixels[lesion] = (80, 50, 40)
    ruler = np.zeros((3, 60, 60), bool)
    ruler[:, 22:38, 0:6] = True  # at the left border
    maps = np.stack([ruler[0], lesion[1], ruler[2] * 1.0 + 0.0]).astype(float)
    maps[2] = disc(5, 55, 4)  # upper right: neither
    pixels[0][ruler[0]] = 240  # a pale ruler: no darker than the skin
    pictures = Pictures(np.array(list("abc")), np.array(list("abc")), np.ones(3, int), pixels, lesion)
    found = words_05._ruled(pictures, maps, ruler)
    assert found["named"].tolist() == [1, 0, 0]
    assert found["off"].tolist() == [1, 0, 1]
    assert found["warned"].tolist() == [1, 0, 1]


def test_classes_are_counted_with_their_lesions():
    masks = np.zeros((3, 10, 10), bool)
    masks[0, :2], masks[1, :4], masks[2, :1] = True, True, True
    table = pd.DataFrame({"label": ["NV", "NV", "DF"]})
    workshop = SimpleNamespace(
        masks=lambda *_: masks, profile=SimpleNamespace(image_size=10), group_of=lambda _: np.array(list("aab"))
    )
    found = words_05.by_class(workshop, SimpleNamespace(table=table))
    assert found.loc["NV"].tolist() == pytest.approx([2, 1, 30]) and found.index.tolist() == ["NV", "DF"]
