"""Answers: what a number makes them say, both ways; and that the committed runs have the figures that are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from studylib.metrics.intervals import Estimate
from studylib.study import answers, audit
from studylib.study.answers import NO, QUESTIONS, UNDECIDED, UNMEASURED, YES, Finding
from studylib.study.sections import read_contents
from studylib.study.site import Report, read_report

ROOT = Path(__file__).resolve().parents[1]
PLACE, WEIGHTS, SEEDS, SHORTCUT, NEED = QUESTIONS


def entry(value: float, low: float | None, high: float | None, n: int = 60, groups: int = 20) -> dict:
    return {"value": value, "low": low, "high": high, "n": n, "groups": groups, "unit": "patient", "how": "bootstrap"}


def report(study: str, run: str = "phantom-quick", **metrics: dict) -> Report:
    data, profile = run.split("-")
    found = {name.replace("__", "."): value for name, value in metrics.items()}
    return Report(Path(run), f"{study}_demo", data, profile, 0, {}, found, {}, [])


def one(question: answers.Question, *reports: Report) -> Finding:
    (finding,) = answers.findings(reports)[question.name]
    return finding


@pytest.mark.parametrize(
    ("low", "high", "above", "word"),
    [
        (0.1, 0.3, True, YES), (-0.3, -0.1, True, NO), (-0.1, 0.1, True, UNDECIDED), (0.0, 0.3, True, UNDECIDED),
        (0.1, 0.3, False, NO), (-0.3, -0.1, False, YES), (-0.1, 0.1, False, UNDECIDED), (-0.3, 0.0, False, UNDECIDED),
        (float("nan"), float("nan"), True, UNDECIDED),
    ],
)  # fmt: skip
def test_outcome_by_hand(low, high, above, word):
    """A bound that the interval touches is not passed."""
    assert answers.outcome(Estimate(0.0, low, high, 9, 9, "patient", ""), 0.0, above) == word


def test_a_map_must_beat_the_strongest_guess():
    beaten = {"loc__phantom__cam_minus_centre__auprc": entry(0.4, 0.3, 0.5)}
    assert one(PLACE, report("02", **beaten)).outcome == YES
    close = {"loc__phantom__cam_minus_brightest__auprc": entry(-0.2, -0.3, -0.1)}
    found = one(PLACE, report("02", **beaten, **close))
    assert (found.outcome, found.metric, found.among) == (NO, "loc.phantom.cam_minus_brightest.auprc", 2)
    assert "-0.2 [-0.3, -0.1], n = 60 images, 20 patients" in found.figure


def test_another_map_is_told_only_against_the_same_guess():
    base = {"loc__phantom__cam_minus_brightest__auprc": entry(-0.2, -0.3, -0.1)}
    weak = {"loc__phantom__gradcam_relu_minus_centre__auprc": entry(0.9, 0.8, 1.0)}
    assert one(PLACE, report("02", **base, **weak)).other is None
    same = {"loc__phantom__gradcam_relu_minus_brightest__auprc": entry(0.2, 0.1, 0.3)}
    found = one(PLACE, report("02", **base, **weak, **same))
    assert found.outcome == NO and (found.other.name, found.other.outcome) == ("gradcam_relu", YES)
    assert "Another map does in 1 of 1 study." in answers.count_sentence(PLACE, [found])
    assert "Nor does another map in 1 study." in answers.count_sentence(
        PLACE, [replace(found, other=replace(found.other, outcome=NO))]
    )


def test_a_map_against_another_map_or_network_is_no_guess():
    none = {"loc__phantom__cam_minus_none__auprc": entry(0.5, 0.4, 0.6)}
    assert one(PLACE, report("02", **none)).outcome == UNMEASURED


def test_of_several_figures_all_must_hold():
    good, bad = entry(-0.3, -0.4, -0.2), entry(0.02, -0.05, 0.14)
    name = "sanity__{}__ssim_minus_random_pairs"
    assert one(WEIGHTS, report("09", **{name.format("cascade"): good})).outcome == YES
    found = one(WEIGHTS, report("09", **{name.format("cascade"): good, name.format("independent"): bad}))
    assert (found.outcome, found.metric) == (UNDECIDED, "sanity.independent.ssim_minus_random_pairs")
    worst = entry(0.3, 0.2, 0.4)
    found = one(
        WEIGHTS,
        report("09", **{name.format(part): e for part, e in (("cascade", good), ("independent", bad), ("lot", worst))}),
    )
    assert (found.outcome, found.estimate.value, found.among) == (NO, 0.3, 3)


def test_real_images_lead_but_only_phantoms_hold_shortcuts():
    real = report("05", "real-standard", stability__seeds__spearman=entry(0.4, 0.3, 0.5))
    quick = report(
        "05",
        stability__seeds__spearman=entry(0.8, 0.7, 0.9),
        reveal__ruler__gradcam__rate=entry(0.9, 0.7, 1.0, 18, 12),
    )
    assert one(SEEDS, real, quick).report is real and one(SEEDS, real, quick).outcome == NO
    assert one(SHORTCUT, real, quick).report is quick and one(SHORTCUT, real, quick).outcome == YES
    assert one(SHORTCUT, real).outcome == UNMEASURED


def test_an_undefined_value_is_not_measured():
    assert one(SEEDS, report("05", stability__seeds__spearman=entry(None, None, None, 0, 0))).outcome == UNMEASURED


def counted(question: answers.Question, **words: str) -> list[Finding]:
    return [Finding(question, study.removeprefix("s"), word) for study, word in words.items()]


def test_count_sentence_by_hand():
    said = answers.count_sentence
    assert said(SEEDS, counted(SEEDS, s01=YES, s02=NO, s03=UNDECIDED, s04=UNMEASURED)) == (
        "In 1 of 3 studies another seed draws an alike map; not in 1 (02), undecided in 1 (03). Not measured in 04."
    )
    assert said(PLACE, counted(PLACE, s01=NO, s02=NO)).endswith("edges); worse in 2.")  # all: none is named
    assert said(NEED, counted(NEED, s01=YES)).startswith("In 1 of 1 study removing") and "less" not in said(
        NEED, counted(NEED, s01=YES)
    )
    assert said(SHORTCUT, counted(SHORTCUT, s01=YES)) == "In 1 of 1 study it shows a planted one."
    assert said(NEED, counted(NEED, s01=UNMEASURED)) == "No run at hand measured this."


def short(**outcomes: list[str]) -> str:
    found = {
        q.name: [Finding(q, f"{n:02d}", word) for n, word in enumerate(outcomes.get(q.name, [UNMEASURED]), 1)]
        for q in QUESTIONS
    }
    return answers.short_answer(found)


def test_the_short_answer_follows_from_the_numbers():
    assert short().startswith("No run here can say")
    assert short(place=[NO, UNDECIDED], shortcut=[YES, NO, UNDECIDED]) == (
        "No, not as evidence of where the finding is: in no study does it surely beat a guess. "
        "A clean map does not clear the network: it surely shows a planted shortcut in 1 of 3 studies, undecided in 1."
    )
    assert "beats a guess in 1 of 2 studies." in short(place=[YES, NO])
    assert "Whether it would show a shortcut, no run here measured." in short(place=[YES, NO])
    assert short(place=[YES, YES], shortcut=[YES], seeds=[NO]).startswith("For where the finding is, yes")
    assert "it shows the planted one in every study that tried" in short(place=[YES, YES], shortcut=[YES], seeds=[NO])
    assert short(place=[YES, YES], shortcut=[YES]).startswith("In these studies, yes")


def test_the_example_is_chosen_by_the_printed_rule():
    small = entry(0.8, 0.7, 0.9, n=50, groups=9)
    found = answers.findings(
        [
            report("01", stability__seeds__spearman=entry(0.8, 0.7, 0.9, groups=500)),
            report("02", "real-standard", stability__seeds__spearman=small),
            report("03", "real-standard", stability__seeds__spearman=small | {"groups": 12}),
            report("04"),
        ]
    )["seeds"]
    assert answers.example(found).study == "03" and answers.example(found[3:]) is None


def test_bounds_are_those_of_the_gates():
    assert {ask.than for ask in answers.ASKED if ask.question == "weights"} == {audit.BOUNDS["sanity"][0]}
    assert {ask.than for ask in answers.ASKED if ask.question == "seeds"} == {audit.BOUNDS["seeds"][0]}
    assert {ask.question for ask in answers.ASKED} == {question.name for question in QUESTIONS}


def committed() -> list[Report]:
    folders = sorted((ROOT / "reports").glob("*-*/[0-9][0-9]_*"))
    found = [read_report(folder, ROOT) for folder in folders]
    return sorted((r for r in found if not r.is_overview), key=lambda r: (r.study, *(-part for part in r.rank)))


@pytest.mark.parametrize("ask", answers.ASKED, ids=lambda ask: f"{ask.question}-{ask.study}")
def test_committed_runs_have_what_is_asked_for(ask):
    reports = [r for r in committed() if ask.study in ("*", r.study)]
    if not reports:
        pytest.skip(f"no report of study {ask.study} is committed")
    question = next(q for q in QUESTIONS if q.name == ask.question)
    found = answers.findings(reports)[question.name]
    assert all(finding.report for finding in found), f"no metric fits {ask.pattern}"
    for finding in found:  # and the notebook has a section for it
        contents = read_contents(ROOT / "notebooks" / f"{finding.report.name}.ipynb")
        assert contents.about(question.section), f"{finding.report.name} has no heading like {question.section}"
