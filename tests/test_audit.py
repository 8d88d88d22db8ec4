"""The gates: a rule's edge fails, a missing figure says why, and the table keeps the order."""

from __future__ import annotations

import pandas as pd
import pytest

from studylib.metrics.intervals import Estimate
from studylib.study import audit


def estimate(low, high):
    return Estimate((low + high) / 2, low, high, 20, 10, "patient", "mean")


def outcomes(rows):
    return [g.outcome for g in rows]


CLEAN = pd.DataFrame({"crossing": [0, 0]})
NAN = estimate(float("nan"), float("nan"))


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(-0.1, 0.1, "pass"), (0.0, 0.1, "pass"), (0.01, 0.1, "fail"), (-0.2, -0.01, "fail")]
)
def test_the_nearest_neighbour_must_do_no_better_than_any(low, high, outcome):
    rows = audit.leak_gate(CLEAN, estimate(0.4, 0.6), neighbour=estimate(low, high))
    assert outcomes(rows) == ["pass", "pass", outcome]
    assert "holds 0" in audit.leak_gate(CLEAN, None, 3, neighbour=NAN)[2].rule
    assert outcomes(audit.leak_gate(CLEAN, None, neighbour=NAN)) == ["pass", "not applicable", "fail"]


def test_sanity_at_its_edge_and_in_one_order():
    rows = audit.sanity_gate(
        cascading={"overlap": estimate(0.0, 0.1), "spearman": estimate(-0.1, 0.0999)},
        independent={"ssim": "maps of 4 pixels"},
        shuffled={"spearman": estimate(0.2, 0.3)},
    )
    assert outcomes(rows) == ["pass", "fail", "not applicable", "fail"]
    assert [r.rule.split(":")[1].split()[0] for r in rows] == ["spearman", "overlap", "ssim", "spearman"]
    assert rows[2].figure == "maps of 4 pixels"
    with pytest.raises(ValueError, match="pearson .known: spearman, ssim, overlap"):
        audit.sanity_gate({"pearson": NAN})


def test_stability_beside_random_pairs_and_under_small_changes():
    rows = audit.stability_gate(
        estimate(0.61, 0.9),
        repeatability={"spearman": estimate(0.0, 0.4)},
        reproducibility={"ssim": estimate(0.01, 0.4)},
        perturbed={"a shift of 2 pixels": estimate(0.6, 0.9), "noise of 0.02": estimate(0.7, 0.9), "blur": "not run"},
    )
    assert outcomes(rows) == ["pass", "fail", "pass", "fail", "pass", "not applicable"]


def test_planted_truth_of_any_family_names_what_was_not_planted():
    rows = audit.truth_gate({"outside": estimate(0.0, 0.2), "true": estimate(0.1, 0.2)})
    assert outcomes(rows) == ["pass", "not applicable", "not applicable", "fail"]
    assert rows[1].figure == "not planted in this run"
    with pytest.raises(ValueError, match="markr"):
        audit.truth_gate({"markr": NAN})


def test_the_table_holds_every_row_in_the_order_of_the_gates():
    e = estimate(0.65, 0.7)
    table = audit.gate_table(
        audit.leak_gate(CLEAN, e),
        audit.sanity_gate({"spearman": e}),
        audit.stability_gate(e),
        audit.truth_gate({"true": e, "marker": "no false positive carries the mark"}),
    )
    assert list(table.index) == ["0 leak"] * 2 + ["3 sanity", "4 stability"] + ["5 planted truth"] * 4
    assert list(table["outcome"]) == ["pass", "fail", "fail", "pass", "pass"] + ["not applicable"] * 3
    assert list(table["rule"])[2:4] == [
        "every layer randomised: spearman above that of 50 random pairs: below 0.1",
        "Spearman of maps between networks above 0.6",
    ]
    assert table["figure"].iloc[5] == "no false positive carries the mark"


def test_without_a_figure_no_range_is_shown():
    (row,) = audit.choice_gate({})
    assert row.outcome == "not applicable" and "no map can be scored" in row.figure
