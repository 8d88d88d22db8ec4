"""One look: maps beside what they must beat, measures by hand, and every doubt where it belongs and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from studylib.app import look as looks
from studylib.app.card import Card, card_of
from studylib.app.look import Doubt, Look, doubts_of, look_at, measures, region, strange, table_of
from studylib.data.blur import blur
from studylib.metrics import floors, localisation
from studylib.metrics.intervals import exact
from studylib.study.one_image import Explained

SIDE = 12


def square(top: int, left: int, side: int = 4) -> np.ndarray:
    grid = np.zeros((SIDE, SIDE))
    grid[top : top + side, left : left + side] = 1.0
    return grid


def plain_card(failed: tuple[str, ...] = ()) -> Card:
    gates = pd.DataFrame([(g, "r", "f", "fail") for g in failed], columns=["gate", "rule", "figure", "outcome"])
    return Card((("Study", "07"),), gates, "", exact(0.9), 0.3, ())


def made(maps=None, mask=None, undefined=None, **more) -> Look:
    """A look by hand: CAM marks a square of 4 x 4, Grad-CAM one two pixels beside it."""
    maps = {"cam": square(2, 2), "gradcam": square(2, 4)} if maps is None else maps
    p, pixels = np.array([0.7, 0.3]), np.zeros((SIDE, SIDE, 3), np.uint8) + 90
    raw = np.array([0.9, 0.1])
    found = Explained(
        "a.png", ("a_b", "c"), p, raw, 1.5, maps, pixels, "07 small", "0.8", undefined=undefined or {}
    )  # fmt: skip
    random = {"cam": square(8, 8)}
    return Look(found, random, {}, (), **({"mask": mask} | more))


def test_maps_stand_in_one_order_with_their_controls_last():
    shown = made().shown()
    assert [s.name for s in shown] == ["CAM", "Grad-CAM", "CAM, random weights", "Floor: centred blob"]
    assert [s.by for s in shown] == ["network", "network", "random", "floor"]
    np.testing.assert_array_equal(shown[-1].grid, floors.centred_gaussian((1, SIDE, SIDE))[0])
    np.testing.assert_array_equal(made().floor("sobel"), np.zeros((SIDE, SIDE)))  # a flat picture has no edges


def test_measures_by_hand():
    mask = square(2, 2).astype(bool)
    table = measures(made(mask=mask), 0.5)
    iou, inside, auprc = table.columns
    assert table.loc["CAM", iou] == table.loc["CAM", inside] == table.loc["CAM", auprc] == 1.0
    assert table.loc["Grad-CAM", iou] == pytest.approx(8 / 24) and table.loc["Grad-CAM", inside] == pytest.approx(0.5)
    assert table.loc["CAM, random weights", iou] == 0.0
    blob = floors.centred_gaussian((1, SIDE, SIDE))
    assert table.loc["Floor: centred blob", auprc] == pytest.approx(localisation.pixel_auprc(blob, mask[None])[0])
    assert measures(made(), 0.5).empty  # no outline, no measure


def test_a_map_without_meaning_is_undefined_never_a_hit():
    flat = made({"cam": np.full((SIDE, SIDE), np.nan), "gradcam": -square(2, 2)}, square(2, 2).astype(bool),
                {"cam": "flat", "gradcam": "all-negative"})  # fmt: skip
    table = measures(flat, 0.5)
    assert table.loc[["CAM", "Grad-CAM"]].isna().to_numpy()[:, :2].all()
    assert region(-square(2, 2), 0.5)[1] == "all-negative" and not region(-square(2, 2), 0.5)[0].any()


def test_the_region_shrinks_as_the_threshold_rises():
    grid = floors.centred_gaussian((1, 30, 30))[0]
    areas = [region(grid, t)[0].mean() for t in (0.1, 0.5, 0.9)]
    assert areas == sorted(areas, reverse=True) and areas[0] > 2 * areas[1] > 4 * areas[2]


def test_probabilities_are_listed_from_the_likeliest():
    table = table_of(made())
    assert list(table["class"]) == ["a b", "c"] and list(table["calibrated, %"]) == [70, 30]
    assert looks.headline(made()) == "a b, 70 %"


class Stub:
    """A network that finds a picture as strange and as sharp as it is told to."""

    def __init__(self, strangeness=0.5, sharpness=2.0) -> None:
        self.strangeness = lambda _: {"appearance": strangeness, "features": 0.2}
        self.sharpness = lambda _: sharpness
        self.sharp = type("Gate", (), {"threshold": 1.0})


def kinds(network, found, card) -> list[str]:
    return [doubt.kind for doubt in doubts_of(network, np.zeros((9, 9)), found, card)]


def test_every_doubt_has_one_cause():
    found = replace(made().found, warnings=["research and teaching only, not for diagnosis"])
    assert kinds(Stub(), found, plain_card()) == []
    assert kinds(Stub(strangeness=1.01), found, plain_card()) == ["unlike"]
    assert kinds(Stub(sharpness=0.9), found, plain_card()) == ["blurred"]
    assert kinds(Stub(), found, plain_card(("2 floors", "3 sanity"))) == ["gate"]
    low = replace(found, warnings=["low confidence: the likeliest class has 50 %, below 60 %"])
    assert doubts_of(Stub(), np.zeros((9, 9)), low, plain_card()) == [
        Doubt("confidence", "the likeliest class has 50 %, below 60 %")
    ]
    size = replace(found, warnings=["height 400 pixels; 99 % of the training set have 50 to 50"])
    assert kinds(Stub(), size, plain_card()) == ["unlike"]
    both = replace(found, warnings=[*size.warnings, "width 9 pixels; 99 % of the training set have 50 to 50"])
    assert kinds(Stub(), both, plain_card()) == ["unlike"]  # height and width are one doubt
    noted = replace(plain_card(), notes=("a control",))
    assert kinds(Stub(), found, noted) == ["network"]


def test_a_flat_map_is_told_once_and_by_name():
    found = replace(made().found, undefined={"cam": "flat"}, warnings=["the map is flat: it marks no place"])
    assert doubts_of(Stub(), np.zeros((9, 9)), found, plain_card()) == [
        Doubt("flat", "CAM has no meaning here: it is flat")
    ]
    region = replace(made().found, warnings=["the region touches the image's border: it may be cut off there."])
    assert kinds(Stub(), region, plain_card()) == ["region"]


def test_how_far_a_strange_picture_is_stands_in_the_sentence():
    (doubt,) = strange({"appearance": 3.24, "features": 0.99})
    assert "3.2 times as far" in doubt.text and "brightness" in doubt.text


def test_an_example_and_the_same_picture_ruined(tiny_network, tmp_path):
    """The whole way, on a trained network: what is added to a picture's doubts when it is blurred away."""
    card = card_of(tiny_network, tmp_path)
    row = int(tiny_network.examples()["row"][0])
    image, mask = tiny_network.dataset.image(row), tiny_network.mask(row)
    found = look_at(tiny_network, image, "a", card, truth="glioma", mask=mask)
    assert list(found.found.maps) == ["cam", "gradcam", "gradcam++"] and found.found.spoken == "cam"
    assert list(found.random) == ["cam"] and len(measures(found, 0.5)) == 5
    ruined = look_at(tiny_network, blur(image[None], 199)[0], "a", card)
    assert "blurred" in {d.kind for d in ruined.doubts}
    assert "blurred" not in {d.kind for d in found.doubts}


def test_another_layer_and_map(tiny_network, tmp_path):
    card = card_of(tiny_network, tmp_path)
    image = tiny_network.dataset.image(int(tiny_network.examples()["row"][0]))
    found = look_at(
        tiny_network, image, "a", card, methods=("cam", "layercam", "hirescam"), layer="upper.relu2", spoken="layercam"
    )
    assert list(found.found.maps) == ["hirescam", "layercam"]
    assert found.found.spoken == "layercam" and "LayerCAM map" in found.found.sentence and "cam" in found.refused
    with pytest.raises(ValueError, match=r"no map that was asked for exists at upper\.relu2"):
        look_at(tiny_network, image, "a", card, methods=("cam",), layer="upper.relu2")
