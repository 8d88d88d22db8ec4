"""One image explained: words, places, warnings, and that a file gives the numbers of the batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from test_segmenting import CLASSES, Brightness, make_workshop, trained

from studylib.data.dataset import DataError
from studylib.study import one_image
from studylib.study.one_image import Explained, place_of, spread


def explained(**more) -> Explained:
    grid = np.zeros((9, 9))
    grid[0, 8] = 1.0
    base = {"name": "cell.png", "classes": ("a_b", "c"), "p": np.array([0.7, 0.3]), "raw": np.array([0.9, 0.1]),
            "temperature": 1.5, "maps": {"cam": grid}, "pixels": np.zeros((9, 9, 3), np.uint8), "network": "01 small",
            "accuracy": "0.8"}  # fmt: skip
    return Explained(**(base | more))


@pytest.mark.parametrize(
    ("at", "words"), [((0, 8), "upper right"), ((4, 4), "centre"), ((8, 4), "lower centre"), ((4, 0), "middle left")]
)
def test_the_highest_place_in_words(at, words):
    grid = np.zeros((9, 9))
    grid[at] = 1.0
    assert place_of(grid) == words


def test_a_flat_map_marks_no_place_and_half_of_the_energy_is_counted():
    assert place_of(np.ones((9, 9))) is None and place_of(np.full((9, 9), np.nan)) is None
    assert "flat" in explained(maps={"cam": np.ones((9, 9))}).sentence
    grid = np.zeros((2, 2))
    grid[0] = 1.0
    assert spread(grid) == pytest.approx(0.25)


def test_the_sentence_has_the_calibrated_probability():
    text = explained().sentence
    assert text.startswith("Prediction: a b (70.0 % after temperature scaling, temperature 1.50).")
    assert "upper right" in text
    told = one_image.text_of(explained(warnings=["low confidence"]))
    assert "70.0 %       90.0 %" in told and told.endswith("warning: low confidence")


def setting(tmp_path):
    """A workshop whose main network is Brightness, and its predictions."""
    workshop = make_workshop(tmp_path / "made")
    workshop.settings = SimpleNamespace(
        group="group", colour=False, unit="person", phantom_unit="patient", study="04", in_words=False
    )
    workshop.data, workshop.profile.main = "phantom", {"phantom": "main"}
    network = trained(Brightness())
    network.fit.spec.title = "04 main"
    names = workshop.dataset().table["image"].to_numpy()
    p = np.full((len(names), 3), 0.2)
    p[np.arange(len(names)), np.arange(len(names)) % 3] = 0.6
    table = pd.DataFrame({"image": names, "group": workshop.dataset().groups(), "part": "validation",
                          "label": np.arange(len(names)) % 3})  # fmt: skip
    network.fit.predictions = table.assign(**{f"p_{c}": p[:, i] for i, c in enumerate(CLASSES)})
    tested = table.assign(correct=1.0)
    fits = SimpleNamespace(select=lambda _arm: [network], predictions=lambda _arm: tested)
    return workshop, fits


def test_a_file_gives_the_numbers_of_the_batch(tmp_path):
    workshop, fits = setting(tmp_path)
    assert one_image.gap(workshop, fits, most=5).value < 1e-6
    found = one_image.explain_file(workshop, fits, workshop.dataset().table["file"].iat[0])
    assert found.p.sum() == pytest.approx(1) and found.maps["cam"].shape == found.pixels.shape[:2]
    assert found.warnings[-1].startswith("research and teaching only")
    assert len(one_image.figure_of(found).axes) == 1 + 2 * len(found.maps)
    plt.close("all")


def test_low_confidence_and_a_strange_size_are_told(tmp_path):
    workshop, _ = setting(tmp_path)
    table = workshop.dataset().table.assign(width="100", height="50")
    workshop.dataset = lambda _variant="plain": SimpleNamespace(table=table)
    told = one_image.warned(explained(p=np.array([0.55, 0.45])), workshop, np.zeros((400, 100, 3), np.uint8))
    assert told[0].startswith("low confidence: the likeliest class has 55 %")
    assert told[1] == "height 400 pixels; 99 % of the training set have 50 to 50" and len(told) == 3


@pytest.mark.parametrize(("size", "said"), [((1, 1), "1 x 1 pixels"), ((7, 30), "7 x 30 pixels")])
def test_a_picture_that_is_too_small_is_refused(tmp_path, size, said):
    Image.fromarray(np.zeros(size[::-1], np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(DataError, match=said):
        one_image.readable(tmp_path / "small.png")


def test_what_is_no_picture_and_a_study_without_maps_are_refused(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="text.png"):
        one_image.readable(tmp_path / "text.png")
    workshop, fits = setting(tmp_path)
    workshop.profile.main = {}
    with pytest.raises(DataError, match="ask for 01 or 04"):
        one_image.explain_file(workshop, fits, workshop.dataset().table["file"].iat[0])


def test_a_study_with_words_says_them_of_the_photograph_in_its_own_aspect(tmp_path):
    workshop, fits = setting(tmp_path)
    workshop.settings.in_words = True
    found = one_image.explain_file(workshop, fits, workshop.dataset().table["file"].iat[0])
    assert found.sentence.startswith(
        f"Prediction: {found.classes[found.said]} ({100 * found.p.max():.2f}% confidence)."
    )
    assert "Focus: " in found.sentence and found.warnings[-1].startswith("research and teaching only")
    # a disc on a photograph of 60 x 20 is elongated on a square, and round in its own aspect
    y, x = np.mgrid[:60, :60]
    disc = ((x / 3 - 10) ** 2 + (y - 30) ** 2 < 64).astype(float)  # as the square network sees it, three times as wide
    wide = Explained(**(vars(explained(maps={"gradcam++": disc}, spoken="gradcam++"))))
    assert "round region" in " ".join(one_image.in_words(wide, np.zeros((60, 20, 3), np.uint8) + 90, 0.0).sentences)
    assert "elongated region" in " ".join(one_image.in_words(wide, np.zeros((60, 60, 3), np.uint8) + 90, 0.0).sentences)


def test_a_network_is_unsure_below_what_a_fifth_of_its_validation_images_have(tmp_path):
    workshop, fits = setting(tmp_path)
    network = fits.select("main")[0]
    table = network.fit.predictions
    p = np.full((len(table), 3), 0.0)
    p[:, 0] = np.linspace(0.4, 0.9, len(table))
    p[:, 1:] = (1 - p[:, :1]) / 2
    network.fit.predictions = table.assign(**{f"p_{c}": p[:, i] for i, c in enumerate(CLASSES)})
    assert one_image.doubt_of(network, 1.0) == pytest.approx(np.quantile(p[:, 0], 0.2))
