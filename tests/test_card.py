"""The network's card: figures as computed elsewhere, gates only where the report judged these very images."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from studylib.app.card import card_of, gates_of
from studylib.app.network import Network
from studylib.metrics.intervals import mean_by
from studylib.study.one_image import temperature_of

GATES = [
    ("0 leak", "nothing crosses", "0 cross", "pass"),
    ("1 model", "AUROC above 0.5", "0.8 [0.7, 0.9]", "pass"),
    ("2 floors", "AUPRC above that of centre", "-0.1 [-0.2, 0]", "fail"),
    ("2 floors", "AUPRC above that of sobel", "0.1 [0.05, 0.2]", "pass"),
    ("6 choices", "range", "0.1 to 0.2", "not applicable"),
]


@pytest.fixture
def judged(tiny_network, tmp_path):
    """Write a report: which images and which kind of network it judged."""

    def write(fingerprint: str = "", name: str = "", main: str = "small"):
        folder = tmp_path / "phantom-quick" / "07_tiny"
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        dataset = {"fingerprint": fingerprint or tiny_network.dataset.fingerprint, "name": name}
        judged = {"dataset": dataset, "settings": {"main": {"phantom": main}}}
        (folder / "metrics.json").write_text(json.dumps(judged))
        table = pd.DataFrame(GATES, columns=["gate", "rule", "figure", "outcome"])
        table.to_csv(folder / "tables" / "gates_all.csv", index=False)
        return tmp_path

    return write


def test_figures_are_those_of_the_network_s_own_predictions(tiny_network, tmp_path):
    rows = dict(card_of(tiny_network, tmp_path).rows)
    tested = tiny_network.fits.predictions("small")
    accuracy = mean_by(tested, "correct", unit="patient", resamples=1000)
    assert rows["Accuracy on unseen images"] == f"{accuracy}; 2 networks of this kind"
    assert rows["Temperature"].startswith(f"{temperature_of(tiny_network.trained):.2f}, ")
    own = tiny_network.trained.fit.predictions.query("part == 'test'")
    share = own["label"].value_counts(normalize=True).max()
    assert rows["Always naming the commonest class"] == f"{share:.3f}"
    parts = [int((tiny_network.parts == part).sum()) for part in ("train", "validation", "test")]
    assert rows["Split"] == "by patient, fold 1 of 3: " + ", ".join(
        f"{n} {part} ({n} groups)" for n, part in zip(parts, ("train", "validation", "test"), strict=True)
    )
    assert rows["Warned of, among its own test images"].startswith(f"unlike {tiny_network.alarms['unlike'][0]} of ")
    assert rows["Weights from"] == "scratch" and "48 x 48 pixels" in rows["Picture size"]
    assert rows["Gates"].startswith("not judged yet: `make reproduce STUDY=07`")


def test_gates_are_counted_and_those_that_fail_are_named(tiny_network, judged):
    card = card_of(tiny_network, judged())
    assert card.failed == ["2 floors"] and card.counted == "3 of 4 checks passed"
    assert dict(card.rows)["Gates"] == "3 of 4 checks passed; at least one fails of 2 floors"


@pytest.mark.parametrize(
    ("report", "why"),
    [
        ({"fingerprint": "0" * 16, "name": "other"}, "judged other images"),
        ({"main": "unet"}, "judges the maps of 'unet' alone"),
    ],
)
def test_a_report_about_something_else_says_nothing_about_this_network(tiny_network, judged, report, why):
    table, said = gates_of(tiny_network, judged(**report))
    assert why in said and table.empty
    assert card_of(tiny_network, judged(**report)).failed == []


def test_the_same_drawing_on_another_processor_counts_as_the_same_images(tiny_network, judged):
    table, why = gates_of(tiny_network, judged("0" * 16, tiny_network.dataset.name))
    assert not why and len(table) == len(GATES)


def test_a_control_and_a_network_no_better_than_the_commonest_class_are_told(tiny_network, tmp_path):
    by_lot = Network(
        tiny_network.collection, tiny_network.workshop, tiny_network.fits, tiny_network.fits.select("by_lot")[0]
    )
    notes = card_of(by_lot, tmp_path).notes
    assert "labels drawn by lot" in notes[0]
    accuracy = mean_by(tiny_network.fits.predictions("by_lot"), "correct", unit="patient", resamples=1000)
    commonest = card_of(by_lot, tmp_path).commonest
    assert ("not shown to be better" in " ".join(notes)) == (not accuracy.low > commonest)
    assert np.isfinite(commonest) and accuracy.low < 0.6
