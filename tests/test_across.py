"""Reports read by the names of their numbers: what is a comparison, which floor is hardest, what the gates say."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from studylib.metrics.intervals import Estimate
from studylib.study import across
from studylib.study.site import Report

ROOT = Path(__file__).resolve().parents[1]


def row(value, low, high, n=40, groups=10):
    return Estimate(value, low, high, n, groups, "patient", "bootstrap").to_dict()


def report(metrics, study="07", data="phantom", profile="quick", verdicts=(), folder=Path("nowhere")) -> Report:
    named = [
        {"claim": claim, "topic": "t", "statement": "s", "verdict": word, "evidence": data, "reason": ""}
        for claim, word in verdicts
    ]
    return Report(folder, f"{study}_demo", data, profile, 0, {"name": "set"}, metrics, {}, named)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("loc.cam_minus_centre.auprc", ("auprc", "cam", "", "centre", "floor")),
        ("loc.group.gradcam_trunk_features_6_minus_cam.iou", ("iou", "gradcam", "trunk_features_6", "cam", "map")),
        ("loc.gradcampp_minus_gradcam_upper_relu3.pointing",
         ("pointing", "gradcam++", "", "gradcam at upper_relu3", "map")),
        ("loc.figshare.scorecam_pool2_minus_brightest.auprc", ("auprc", "scorecam", "pool2", "brightest", "floor")),
        ("auprc.group.cam_minus_chosen_floor.all", ("auprc", "cam", "", "chosen_floor", "chosen")),
        ("iou.group.cam_minus_class_mean.all", ("iou", "cam", "", "class_mean", "floor")),
        ("faith.deletion.cam_minus_random", ("deletion", "cam", "", "random", "control")),
        ("loc.crm_mse_softmax_minus_cam.iou_matched", ("iou_matched", "crm_mse_softmax", "", "cam", "map")),
        ("iou.group.cam_minus_class_mean.glioma", None),  # a part of the images
        ("iou.group.cam_all_minus_correct", None),
        ("iou.group.cam.p95_minus_otsu", None),
        ("loc.phantom.cam_minus_none.auprc", None),  # arms of networks, not maps
        ("accuracy.group.cam_minus_none.test", None),
        ("loc.cam.auprc", None),
    ],
)  # fmt: skip
def test_what_a_name_compares(name, found):
    assert across.compared(name) == found


@pytest.mark.parametrize(
    ("low", "high", "more", "said"),
    [
        (0.1, 0.3, True, "better"), (0.1, 0.3, False, "worse"), (-0.3, -0.1, True, "worse"),
        (-0.3, -0.1, False, "better"), (-0.1, 0.1, True, "open"), (0.0, 0.1, True, "open"),
        (-3e-7, -1e-8, True, "equal"), (math.nan, math.nan, True, "undefined"),
    ],
)  # fmt: skip
def test_what_a_difference_comes_to(low, high, more, said):
    assert across.outcome(Estimate((low + high) / 2, low, high, 9, 9, "patient", ""), more) == said


def test_hardest_floor_is_the_one_that_leaves_the_map_least():
    metrics = {
        "loc.cam_minus_centre.auprc": row(0.2, 0.1, 0.3),
        "loc.cam_minus_darkest.auprc": row(-0.1, -0.2, -0.05),
        "loc.cam_minus_random.auprc": row(-0.4, -0.5, -0.3),  # a control, no floor
        "loc.cam_minus_darkest.pointing": row(-0.9, -1.0, -0.8),  # another measure
        "loc.gradcam_minus_centre.auprc": row(math.nan, math.nan, math.nan),
    }
    hard = across.hardest(across.comparisons([report(metrics), report(metrics, data="real", profile="standard")]))
    assert hard[["data", "method", "other", "outcome"]].values.tolist() == [
        ["real", "cam", "darkest", "worse"],
        ["phantom", "cam", "darkest", "worse"],
    ]


def test_cue_rates_are_those_of_known_maps():
    metrics = {
        "reveal.ruler.gradcampp.rate": row(0.75, 0.5, 0.9),
        "reveal.ruler.expert.rate": row(0.5, 0.4, 0.6),
        "peak_outside.correct": row(0.5, 0.4, 0.6),
    }
    found = across.cue_rates([report(metrics)])
    assert found[["what", "cue", "method", "value", "groups"]].values.tolist() == [
        ["reveal", "ruler", "gradcam++", 0.75, 10]
    ]


def test_gates_and_the_range_of_choices(tmp_path):
    (tmp_path / "tables").mkdir()
    with (tmp_path / "tables" / "gates_all.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["gate", "rule", "figure", "outcome"])
        writer.writerow(["2 floors", "above", "0.1", "pass"])
        writer.writerow(
            ["6 choices", "range", "0.2 (cam, upper, bicubic) to 0.5 (gradcam, a, b), 15 choices", "not applicable"]
        )
    rows = across.gates([report({}, folder=tmp_path), report({}, study="08")])  # the second has no such table
    assert rows["outcome"].tolist() == ["pass", "not applicable"]
    ranges = across.choice_ranges(rows)
    assert ranges[["lowest", "with", "highest", "by", "choices"]].values.tolist() == [
        [0.2, "cam, upper, bicubic", 0.5, "gradcam, a, b", 15]
    ]
    assert ranges["times"].iloc[0] == pytest.approx(2.5)


def test_a_statement_is_judged_on_real_images_where_they_could():
    phantoms = report({}, verdicts=[("7.2", "reproduced"), ("7.10", "undecided")])
    real = report({}, data="real", profile="standard", verdicts=[("7.2", "not reproduced"), ("7.10", "not testable")])
    found = across.statements([real, phantoms])  # in whatever order
    assert found[["claim", "verdict", "run"]].values.tolist() == [
        ["7.2", "not reproduced", "real-standard"],
        ["7.10", "undecided", "phantom-quick"],
    ]


def test_verdicts_are_counted():
    found = across.verdict_counts([report({}, verdicts=[("7.1", "partly"), ("7.2", "partly"), ("7.3", "undecided")])])
    assert found[["partly", "undecided", "reproduced", "statements"]].values.tolist() == [[2, 1, 0, 3]]


@pytest.mark.parametrize("path", sorted(ROOT.glob("reports/*-*/0[1-5]_*/metrics.json")), ids=lambda p: p.parent.name)
def test_every_committed_report_compares_maps_with_floors(path):
    """The grammar follows the studies: a study whose names change is noticed here."""
    content = json.loads(path.read_text(encoding="utf-8"))
    kinds = [found[4] for name in content["metrics"] if (found := across.compared(name))]
    assert kinds.count("floor") >= 5 and kinds.count("control") >= 2, kinds
