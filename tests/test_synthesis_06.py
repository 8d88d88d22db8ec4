"""What studies say together, counted on cases by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from test_across import report, row

from studylib.study import across, figures_06, quote_06, synthesis_06, which_map_06

PHANTOM = {
    "loc.cam_minus_centre.auprc": row(0.2, 0.1, 0.3),
    "loc.cam_minus_darkest.auprc": row(0.1, 0.05, 0.2),
    "loc.gradcam_minus_cam.auprc": row(0.1, 0.05, 0.2),
    "loc.scorecam_minus_centre.auprc": row(0.0, -0.1, 0.1),
    "faith.cam_minus_random.deletion": row(-0.2, -0.3, -0.1),
    "faith.cam_minus_random.insertion": row(0.0, -0.1, 0.1),
    "reveal.marker.cam.rate": row(0.8, 0.6, 0.9, groups=7),
    "reveal.true.cam.rate": row(0.2, 0.1, 0.3),
}
REAL = {
    "loc.cam_minus_centre.auprc": row(-0.2, -0.3, -0.1),
    "loc.cam_minus_darkest.auprc": row(0.3, 0.2, 0.4),
    "loc.gradcam_minus_cam.auprc": row(-0.1, -0.2, -0.05),
    "faith.cam_minus_random.deletion": row(-0.4, -0.5, -0.3),
}


@pytest.fixture
def reports():
    verdicts = [("7.1", "reproduced"), ("7.2", "undecided"), ("7.3", "not testable")]
    return [report(PHANTOM, verdicts=verdicts), report(REAL, data="real", profile="standard", verdicts=verdicts[:1])]


@pytest.fixture
def table(reports):
    return across.comparisons(reports)


def test_floors_by_hand(table):
    rows = synthesis_06.floor_table(table)
    assert rows[["data", "map", "floor", "outcome"]].values.tolist() == [
        ["real", "CAM", "centred blob", "worse"],
        ["phantom", "CAM", "darkest pixels", "better"],
        ["phantom", "Score-CAM", "centred blob", "open"],
    ]
    text = quote_06.of_floors(table)
    assert "On real images none beats the floor that is hardest for it, of 1 maps in 1 study (1 do worse)." in text
    assert "On phantoms 1 beat the floor that is hardest for it, of 2 maps in 1 study (1 cannot be told apart)." in text


def test_need_by_hand(table):
    assert "on real images 1 of 1 times and on phantoms 1 of 2 times" in quote_06.of_need(table)
    counted = synthesis_06.needed(table)
    assert counted.loc["07", "deletion against random places"].tolist() == ["1 better", "1 better"]
    assert quote_06.of_need(table[table["question"] == "place"]) == "No run that is here removed what a map marks."


def test_runs_in_conflict_are_named(table):
    pairs = synthesis_06.between_maps(table)
    assert pairs[["map", "minus", "conflict", "better in", "worse in"]].values.tolist() == [
        ["Grad-CAM", "CAM", "yes", "07 phantoms", "07 real images"]
    ]
    assert quote_06.of_contradictions(pairs).startswith("**1 of 1 pairs of maps are better")


def test_phantoms_foretell_one_of_four(table):
    pairs = synthesis_06.foretold(table)
    deletion = pairs[pairs["measure"] == "deletion"].iloc[0]
    assert (deletion["phantom"], deletion["real"]) == (0.2, 0.4)  # turned: more is better
    told = synthesis_06.foretelling(pairs)
    assert told["sure in both"].sum() == 4 and told["same answer"].sum() == 2  # darkest and deletion
    assert "4 lie on one side of 0 in both, and 2 of these" in quote_06.of_foretelling(pairs)


def test_what_may_be_said_follows_the_outcomes(table, reports):
    shown = which_map_06.which_map(table, across.cue_rates(reports))
    cam, layercam = shown.loc["CAM"], shown.loc["LayerCAM"]
    assert cam["against its hardest floor, real"] == "1 worse" and cam["the same, phantoms"] == "1 better"
    assert cam["planted cues revealed"] == "1 of 2"
    assert "Not where the object lies: on real images" in cam["what you may say"]
    assert "2 of 2 studies and runs" in cam["what you may say"]
    assert layercam["what you may say"] == "Of where it lies: nothing, no study here set it against floors."
    assert shown.loc["Score-CAM", "needs"] == "a forward pass a channel"


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (["better", "better"], "better than every floor tried on real images (2 of 2)"),
        (["better", "worse"], "it beats the hardest in 1 of 2 on real images"),
        (["open", "worse"], "a floor without a network does as well or better, 2 of 2 times"),
    ],
)
def test_words_of_place(outcomes, words):
    rows = pd.DataFrame({"data": "real", "outcome": outcomes})
    none = pd.DataFrame({"value": [], "outcome": []})
    assert words in which_map_06.may_say(rows, none, none)


def test_cost_is_read_from_the_benchmark(tmp_path):
    (tmp_path / "reports" / "bench").mkdir(parents=True)
    (tmp_path / "reports" / "bench" / "cpu.csv").write_text(
        "model,batch,size,layers,candidate,methods,ratio,low,high\n"
        "resnet18,16,224,1,studylib,gradcam,1.032,0.9978,1.05\n"
        "resnet18,1,224,1,studylib,gradcam,9,9,9\n"
        "resnet18,1,224,1,studylib,scorecam,1.031,1.022,1.077\n"
        "resnet50,16,224,1,torchcam,gradcam,8,8,8\n"
    )
    assert which_map_06.cost_of(tmp_path) == {
        "studylib": {"gradcam": "1.03 [0.998, 1.05]", "scorecam": "1.03 [1.02, 1.08]"}
    }
    assert which_map_06.cost_of(tmp_path / "empty") == {}


def test_the_paragraph_quotes_the_counts(table, reports):
    statements = across.statements(reports)
    gates = pd.DataFrame(
        [{"study": "07", "run": "real-standard", "gate": "3 sanity", "outcome": "pass", "rule": "", "figure": ""}]
    )
    counted = synthesis_06.counts(table, statements, gates, synthesis_06.foretold(table))
    assert counted["verdicts.undecided"].value == 1 and counted["floors.phantom.better"].value == 1
    choices = pd.DataFrame({"times": [1.5, 4.0]})
    text = quote_06.quotable(counted, table, choices)
    assert "1 of 3 were reproduced" in text and "On real images 0 of 1 maps" in text and "up to 4.0 times" in text
    assert "passed in 1 of 1 (real images) and none (not measured) (phantoms)" in text


def test_statements_without_an_answer(reports):
    found = across.statements(reports)
    assert synthesis_06.unknown(found).index.tolist() == ["7.2"]
    assert synthesis_06.undecided_by(found).loc["07"].to_dict() == {"not testable": 1, "undecided": 1}


def test_shortcuts_alone_are_counted(reports):
    rates = across.cue_rates(reports)
    text = quote_06.of_cues(rates)
    assert "1 of 1 rates" in text and "of 1 the whole interval does" in text and "behind a rate are 7" in text
    wide = synthesis_06.revealed(rates)
    assert wide["CAM"].tolist() == ["0.80 [0.60, 0.90]", "0.20 [0.10, 0.30]"] and wide["groups"].tolist() == [7, 10]


def test_figures_say_what_the_tables_do(table, reports):
    fig = figures_06.floors(synthesis_06.floor_table(table), "t")
    labels = [text.get_text() for text in fig.axes[0].get_yticklabels()]
    assert labels[0] == "07 real images: CAM − centred blob" and len(labels) == 3
    counts = across.verdict_counts(reports)
    written = [text.get_text() for text in figures_06.verdict_bars(counts, "t").axes[0].texts]
    assert sorted(written) == ["1", "1", "1", "1"]
    gates = pd.DataFrame(
        [{"study": "07", "run": "phantom-quick", "gate": "2 floors", "outcome": word} for word in ("pass", "fail")]
    )
    assert [t.get_text() for t in figures_06.gate_grid(gates, "t").axes[0].texts] == ["1 of 2"]
    ranges = pd.DataFrame(
        [{"study": "07", "run": "phantom-quick", "lowest": 0.1, "highest": 0.3, "times": 3.0, "choices": 9}]
    )
    assert [t.get_text().strip() for t in figures_06.ranges(ranges, "t").axes[0].texts] == ["3.0 times, 9 choices"]
    pairs = synthesis_06.foretold(table)
    points = sum(len(line.get_xdata()) for line in figures_06.foretold(pairs, "t").axes[0].lines[:-2])
    assert points == len(pairs)
