"""What study 5 records about classifiers, on predictions made by hand: common NV, rarer MEL, rarest DF."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_records_01 import fit

from studylib.study import records_05
from studylib.study.fits import Fits

CLASSES = ("DF", "NV", "MEL")
SIZES = {"NV": 12, "MEL": 6, "DF": 2}


def predictions(right: dict[str, int], otherwise: str = "NV", repeat: int = 0, top: float = 0.8) -> pd.DataFrame:
    """So many of each class named right, the rest called `otherwise` (NV itself: MEL); two images a lesion."""
    rows = []
    for name, n in SIZES.items():
        for i in range(n):
            said = name if i < right[name] else (otherwise if name != otherwise else "MEL")
            p = np.full(3, (1 - top) / 2)
            p[CLASSES.index(said)] = top
            rows.append([f"{name}{i:02d}", f"{name}{i // 2}", CLASSES.index(name), CLASSES.index(said), *p])
    table = pd.DataFrame(rows, columns=["image", "group", "label", "predicted", *(f"p_{c}" for c in CLASSES)])
    return table.assign(correct=(table["label"] == table["predicted"]).astype(float), repeat=repeat)


def test_recalls_by_hand():
    table = predictions({"NV": 9, "MEL": 2, "DF": 0})
    found = records_05.recalls(table, CLASSES)
    assert found["recall.common_minus_rest"].value == pytest.approx(9 / 12 - (2 / 6 + 0) / 2)
    assert found["recall.rare_minus_rest"].value == pytest.approx(2 / 6 - (9 / 12 + 0) / 2)
    assert found["recall.with_size.spearman"].value == pytest.approx(1)
    assert found["confusion.mel_called_nv"].value == pytest.approx(4 / 6)
    assert found["confusion.mel_called_nv"].n == 6 and found["confusion.mel_called_nv"].groups == 3


def test_a_weight_counts_a_row_twice():
    table = predictions({"NV": 9, "MEL": 2, "DF": 0})
    weights = np.random.default_rng(0).integers(0, 4, len(table)).astype(float)
    repeated = table.loc[np.repeat(table.index, weights.astype(int))]
    np.testing.assert_allclose(records_05.recall_of(table, 3, weights), records_05.recall_of(repeated, 3))


def test_over_the_commonest_class():
    found = records_05.over_majority(predictions({"NV": 9, "MEL": 2, "DF": 0}))
    assert found["majority.accuracy"].value == pytest.approx(12 / 20)
    assert found["accuracy.main_minus_majority"].value == pytest.approx((11 - 12) / 20)


def test_balancing_is_paired_by_image_and_network():
    plain, balanced = predictions({"NV": 12, "MEL": 0, "DF": 0}), predictions({"NV": 8, "MEL": 6, "DF": 1})
    fits = Fits([fit("small", plain), fit("small_focal", balanced)])
    found = records_05.balancing(fits, "small", CLASSES)
    name = "balance.focal_minus_plain"
    assert found[f"{name}.balanced_accuracy"].value == pytest.approx((8 / 12 + 1 + 1 / 2) / 3 - 1 / 3)
    assert found[f"{name}.accuracy"].value == pytest.approx((15 - 12) / 20)
    assert found[f"{name}.rare_recall"].value == pytest.approx(1)
    assert not any("sampler" in key for key in found)
    sure = predictions({"NV": 4, "MEL": 0, "DF": 0}, top=0.98)  # 4 of 20 right, all say 0.98
    found = records_05.balancing(Fits([fit("small", plain), fit("small_sampler", sure)]), "small", CLASSES)
    assert found["balance.sampler.ece"].value == pytest.approx(0.78, abs=0.05)
    other = fit("small_focal", balanced)
    other.run.repeat = 3
    with pytest.raises(ValueError, match="share no fold and seed"):
        records_05.balancing(Fits([fit("small", plain), other]), "small", CLASSES)


def test_confidence_and_an_output_without_images():
    table = predictions({"NV": 12, "MEL": 3, "DF": 0}, top=0.93)
    found = records_05.confidence(table, CLASSES)
    assert found["confidence.stated.accuracy"].value == pytest.approx(15 / 20)
    assert found["confidence.surest.accuracy"].value == pytest.approx(15 / 20)  # all equally sure: any four fifths
    none = records_05.confidence(predictions({"NV": 12, "MEL": 3, "DF": 0}), CLASSES)["confidence.stated.accuracy"]
    assert np.isnan(none.value) and none.n == 0 and "there is none" in none.how

    nine = table.copy()
    nine[[f"p_{c}" for c in CLASSES]] *= 0.99
    fits = Fits([fit("small", table), fit("small_nine", nine)])
    told = records_05.ninth(fits, "small_nine", "small", CLASSES)
    assert told["nine.probability"].value == pytest.approx(0.01)
    assert told["nine.accuracy_minus_without"].value == 0
    assert records_05.ninth(Fits([fit("small", table)]), "small_nine", "small", CLASSES) == {}


def test_the_table_that_a_clinic_reads():
    table = predictions({"NV": 9, "MEL": 6, "DF": 0})
    from studylib.study.by_class import each_class

    lesion = pd.DataFrame({"label": [0, 1, 1, 2], "pointing": [0.0, 1.0, 0.0, 1.0]})
    words = pd.DataFrame({"label": [0, 1, 2, 2], "true": [0.5, 1.0, 0.25, 0.75]})
    found = records_05.clinic(each_class(table, CLASSES), table, lesion, words, CLASSES)
    assert found.loc["NV", "recall"].startswith("0.75 [") and found.loc["NV", "maps on the lesion"] == 0.5
    assert found.loc["NV", "right where said"] == pytest.approx(9 / 11)  # two DF are called NV
    assert found.loc["MEL", "right where said"] == pytest.approx(6 / 9)
    assert found.loc["MEL", "words that hold"] == 0.5 and found.loc["DF", "images"] == 2


def test_elsewhere_by_hand():
    row = {"image": list("abcd"), "group": list("abcd"), "label": [1, 1, 0, 0], "p": [0.9, 0.4, 0.5, 0.1],
           "said": [1.0, 0.0, 1.0, 0.0], "repeat": 0}  # fmt: skip
    found = records_05.elsewhere(pd.DataFrame(row), "melanoma")
    assert found["external.auroc"].value == pytest.approx(3 / 4)
    assert found["external.sensitivity"].value == 0.5 and found["external.specificity"].value == 0.5
