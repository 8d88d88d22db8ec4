"""A notebook over all studies: which reports it reads, and that it is made anew when they change."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from studylib.study import overview as module
from studylib.study.overview import Overview, digest, folders_read
from studylib.study.plan import estimate
from studylib.study.run import inputs_digest
from studylib.study.settings import SettingsError, notebook_name, overviews, studies
from studylib.study.site import SiteError
from studylib.study.summary import summary

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two studies and an overview; the first study has two reports."""
    for folder in ("notebooks", "data/claims", "studylib"):
        (tmp_path / folder).mkdir(parents=True)
    for number in ("01", "02"):
        settings = next((ROOT / "notebooks").glob(f"{number}_*.toml"))
        (tmp_path / "notebooks" / f"{number}_demo.toml").write_text(settings.read_text())
    (tmp_path / "notebooks" / "06_all.ipynb").write_text(json.dumps({"cells": []}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STUDYLIB_REPORTS", raising=False)
    monkeypatch.delenv("STUDYLIB_REPORT", raising=False)
    write(tmp_path / "reports", "phantom-quick")
    write(tmp_path / "reports", "real-standard")
    return tmp_path


def write(reports: Path, run: str, value: float = 0.5) -> Path:
    folder = reports / run / "01_demo"
    folder.mkdir(parents=True, exist_ok=True)
    data, profile = run.split("-")
    metric = {"value": value, "low": 0.4, "high": 0.6, "n": 9, "groups": 3, "unit": "slide", "how": "bootstrap"}
    head = {
        "study": "01",
        "data": data,
        "profile": profile,
        "seed": 0,
        "metrics": {"loc.cam_minus_centre.auprc": metric},
    }
    (folder / "metrics.json").write_text(json.dumps(head))
    (folder / "provenance.json").write_text("{}")
    (folder / "verdicts.csv").write_text("claim,verdict\n1.01,reproduced\n")
    return folder


def test_reads_this_run_and_the_real_one(project):
    found = [(folder.parent.name, folder.name) for folder in folders_read(project, "phantom", "quick")]
    assert found == [("phantom-quick", "01_demo"), ("real-standard", "01_demo")]
    opened = Overview.open("06")
    assert [(r.study, r.data) for r in opened.reports] == [("01", "phantom"), ("01", "real")]
    assert opened.report("01").data == "phantom" and opened.report("01", "real-standard").data == "real"
    assert opened.report("02") is None


def test_reports_made_elsewhere_come_before_the_committed(project, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("made")
    made = write(elsewhere, "phantom-quick", 0.9)
    monkeypatch.setenv("STUDYLIB_REPORTS", str(elsewhere))
    assert folders_read(project, "phantom", "quick") == [made, project / "reports" / "real-standard" / "01_demo"]


def test_a_changed_report_makes_it_stale(project):
    before = inputs_digest(project, "06_all", "phantom", "quick", 0)
    (project / "reports" / "phantom-quick" / "01_demo" / "provenance.json").write_text('{"seconds": 9}')
    assert inputs_digest(project, "06_all", "phantom", "quick", 0) == before  # how long it took changes nothing
    write(project / "reports", "real-standard", 0.7)
    assert inputs_digest(project, "06_all", "phantom", "quick", 0) != before


def test_a_verdict_on_cost_belongs_to_one_machine(project):
    verdicts = project / "reports" / "phantom-quick" / "01_demo" / "verdicts.csv"
    head = "claim,verdict,metric\n1.01,reproduced,loc.a\n1.02,"
    found = []
    for word, metric in (("undecided", "cost.a; cost.b"), ("reproduced", "cost.a; cost.b"), ("reproduced", "loc.b")):
        verdicts.write_text(f"{head}{word},{metric}\n")
        found.append(digest(folders_read(project, "phantom", "quick")))
    assert found[0] == found[1] != found[2]


def test_close_writes_what_it_read(project):
    opened = Overview.open("06")
    opened.close()
    folder = project / "reports" / "phantom-quick" / "06_all"
    content = json.loads((folder / "metrics.json").read_text())
    assert content["dataset"] == {"name": "reports", "fingerprint": digest(folders_read(project, "phantom", "quick"))}
    assert json.loads((folder / "provenance.json").read_text())["read"] == [
        "phantom-quick/01_demo",
        "real-standard/01_demo",
    ]


def test_errors_say_what_is_missing(project):
    with pytest.raises(SettingsError, match="'01' is no notebook over all studies"):
        Overview.open("01")
    with pytest.raises(SettingsError, match="no notebook is called '09'"):
        notebook_name("09", project)
    for run in ("phantom-quick", "real-standard"):
        (project / "reports" / run / "01_demo" / "metrics.json").unlink()
    with pytest.raises(SiteError, match="no report of phantom-quick is there; make them with `make reproduce`"):
        _ = Overview.open("06").reports


def test_it_trains_nothing_and_judges_nothing(project):
    assert overviews(project) == ["06"] and studies(project) == ["01", "02"]
    assert estimate("06", "phantom", "quick", project)["fits"] == 0
    assert summary(["06"], "phantom", "quick") == ""


@pytest.mark.parametrize("number", overviews(ROOT))
def test_committed_overviews_rest_on_the_committed_reports(number):
    """Refresh 00 and 06 after a report has changed: `python -m studylib refresh 06`."""
    name = notebook_name(number, ROOT)
    folder = ROOT / "reports" / "phantom-quick" / name
    fingerprint = json.loads((folder / "metrics.json").read_text())["dataset"]["fingerprint"]
    committed = [ROOT / "reports" / run for run in json.loads((folder / "provenance.json").read_text())["read"]]
    assert fingerprint == digest(committed), f"stale: `python -m studylib refresh {number}`"
    there = {f"{p.parent.parent.name}/{p.parent.name}" for p in ROOT.glob("reports/*/0[1-5]_*/metrics.json")}
    assert {f"{f.parent.name}/{f.name}" for f in committed} == {
        n for n in there if re.match(r"phantom-quick|real-st", n)
    }
    assert module.COMMITTED == "real-standard"
