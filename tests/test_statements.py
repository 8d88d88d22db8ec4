"""Statements: each once, the verdict of the run that counts, what no run judged, and the CSV of all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from studylib.study import statements
from studylib.study.claims import Ledger, load_claims
from studylib.study.sections import Contents, Section
from studylib.study.settings import studies
from studylib.study.site import Report, read_ledgers

ROOT = Path(__file__).resolve().parents[1]
CLAIM = """
[[claim]]
id = "{id}"
topic = "data"
statement = "Maps help, {id}."
source = "1.2"
value = 0.5
unit = "%"
testable_on = ["real", "phantom"]
how = "by looking"
weakness = "none"
[claim.rule]
kind = "direction"
metric = "a.b"
sign = ">"
mechanism = true
"""


def ledger(tmp_path: Path, *ids: str) -> Ledger:
    folder = tmp_path / "data" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    meta = '[meta]\nstudy = 7\ntitle = "Demo"\n'
    (folder / "07.toml").write_text(meta + "".join(CLAIM.format(id=claim) for claim in ids))
    return load_claims("07", tmp_path)


def report(run: str, **verdicts: str) -> Report:
    data, profile = run.split("-")
    rows = [
        {"claim": claim.replace("_", "."), "verdict": verdict, "evidence": data, "estimate": "0.1", "reason": f"{run}!"}
        for claim, verdict in verdicts.items()
    ]
    return Report(Path(run), "07_demo", data, profile, 0, {}, {}, {}, rows)


def test_real_images_count_before_phantoms_unless_they_cannot_test(tmp_path):
    real = report("real-standard", **{"7_1": "undecided", "7_2": "not testable", "7_3": "not testable"})
    quick = report("phantom-quick", **{"7_1": "reproduced", "7_2": "partly", "7_3": "not testable"})
    found = statements.gather([ledger(tmp_path, "7.1", "7.2", "7.3", "7.4")], [real, quick], {})
    assert [(s.claim, s.verdict, s.evidence, s.reason) for s in found[:3]] == [
        ("7.1", "undecided", "real", "real-standard!"),
        ("7.2", "partly", "phantom", "phantom-quick!"),
        ("7.3", "not testable", "real", "real-standard!"),
    ]
    assert found[0].on("phantom").verdict == "reproduced" and found[0].on("real") is found[0].counted
    last = found[3]
    assert (last.verdict, last.evidence, last.counted) == ("no run yet", "none", None)
    assert "make reproduce STUDY=07" in last.reason


def test_words_are_the_ledgers_and_what_only_a_report_has_says_so(tmp_path):
    run = report("phantom-quick", **{"7_10": "reproduced", "7_9": "partly"})
    run.verdicts[0]["statement"] = "An older wording."
    found = statements.gather([ledger(tmp_path, "7.10", "7.2")], [run], {})
    assert [s.claim for s in found] == ["7.2", "7.9", "7.10"]
    assert found[2].text == "Maps help, 7.10." and found[2].stated == "0.5 %" and "a.b" in found[2].rule
    assert [s.in_ledger for s in found] == [True, False, True]


def test_sections_come_from_the_notebook(tmp_path):
    where = Contents((), {"7.1": Section("2 Images", "2-Images")}, Section("6 Verdict", "6-Verdict"))
    found = statements.gather([ledger(tmp_path, "7.1", "7.2")], [], {"07": where})
    assert [s.section.title for s in found] == ["2 Images", "6 Verdict"]


def test_what_was_read_is_the_same_in_every_run(tmp_path):
    read = {"claim": "7.1", "verdict": "partly", "evidence": "document", "estimate": "", "reason": "page 3"}
    runs = [Report(Path(r), "07_demo", r, "quick", 0, {}, {}, {}, [dict(read)]) for r in ("real", "phantom")]
    (same,) = statements.gather([ledger(tmp_path, "7.1")], runs, {})
    assert same.is_read
    runs[1].verdicts[0]["reason"] = "page 4"
    (other,) = statements.gather([ledger(tmp_path, "7.1")], runs, {})
    assert not other.is_read


def test_csv_has_both_kinds_of_runs_in_one_row(tmp_path):
    runs = [report("real-standard", **{"7_1": "partly"}), report("phantom-quick", **{"7_1": "reproduced"})]
    found = statements.gather([ledger(tmp_path, "7.1", "7.2")], runs, {})
    first, second = csv.DictReader(io.StringIO(statements.as_csv(found)))
    assert (first["verdict"], first["settled_by"]) == ("partly", "real-standard")
    assert (first["real_verdict"], first["phantom_verdict"]) == ("partly", "reproduced")
    assert first["phantom_reason"] == "phantom-quick!" and first["statement"] == "Maps help, 7.1."
    assert (second["verdict"], second["settled_by"], second["real_run"]) == ("no run yet", "", "")


def test_natural_order():
    assert statements.natural_key("2.9") < statements.natural_key("2.10") < statements.natural_key("10.1")


def test_the_ledgers_hold_280_statements():
    """What the five sources state and can be checked; the page shows these, each once (test_site.py)."""
    problems: list[str] = []
    found = read_ledgers(ROOT, problems)
    assert problems == [] and [one.study for one in found] == studies(ROOT)
    assert sum(map(len, found)) == 280


@pytest.mark.parametrize("study", studies(ROOT))
def test_committed_csv_has_every_statement_of_the_ledger(study):
    path = ROOT / "reports" / "statements.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["study"] == study]
    assert [row["claim"] for row in rows] == sorted(
        (claim.id for claim in load_claims(study, ROOT).claims), key=statements.natural_key
    )
    assert all(row["verdict"] and (row["reason"] or row["real_estimate"] or row["phantom_estimate"]) for row in rows)
