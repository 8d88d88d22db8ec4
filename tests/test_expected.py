"""Numbers of a quick run against what is expected: tolerances from seeds, by hand and on the committed report."""

import json
from math import nan
from pathlib import Path

import pytest

from studylib.study import expected

ROOT = Path(__file__).parents[1]


def test_tolerance_is_the_range_over_seeds():
    runs = [{"a": 0.5, "b": 3.0, "c": nan, "d": 1.0}, {"a": 0.4, "b": 3.0, "c": 1.0, "d": nan}, {"a": 0.7, "b": 3.0}]
    assert expected.spread(runs) == {
        "a": {"value": 0.5, "tolerance": 0.3},
        "b": {"value": 3.0, "tolerance": 0.0},
        "c": {"value": None, "tolerance": None},
        "d": {"value": 1.0, "tolerance": None},
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": 0.79, "b": 3.0, "c": 5.0}, []),
        ({"a": 0.81, "b": 3.0, "c": nan}, ["a: 0.81, expected 0.5 within 0.3"]),
        ({"a": nan, "b": 3.0, "c": nan}, ["a: nan, expected 0.5 within 0.3"]),
        ({"a": 0.5, "b": 3.0001, "c": nan}, ["b: 3.0001, expected 3 within 0"]),
        ({"a": 0.5, "c": 1.0, "new": 1.0}, ["b: expected, not found", "new: found, not expected"]),
    ],
)
def test_what_is_outside_is_said(found, said):
    known = {"a": {"value": 0.5, "tolerance": 0.3}, "b": {"value": 3.0, "tolerance": 0.0}}
    assert expected.compare(known | {"c": {"value": None, "tolerance": None}}, found) == said


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "expected").glob("*.json")), ids=lambda path: path.stem)
def test_committed_quick_reports_are_as_expected(path):
    known = json.loads(path.read_text())
    (report,) = (ROOT / "reports" / "phantom-quick").glob(f"{known['study']}_*")
    assert expected.outside(known, report) == []
    exact = [name for name, row in known["metrics"].items() if row["tolerance"] == 0]
    assert known["seeds"] == list(expected.SEEDS) and len(exact) < len(known["metrics"]) / 2  # most are measured


def test_every_quick_report_has_expectations():
    studies = {path.name[:2] for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.toml")}
    assert studies == {path.stem for path in (ROOT / "tests" / "expected").glob("*.json")}


@pytest.mark.parametrize(("trained", "said"), [({"bf16": 2}, 1), ({"float32": 2}, 0)])
def test_numbers_are_compared_within_one_precision_only(tmp_path, monkeypatch, capsys, trained, said):
    report = tmp_path / "phantom-quick" / "01_name"
    report.mkdir(parents=True)
    (report / "metrics.json").write_text(json.dumps({"metrics": {"a": {"value": 0.9}}}))
    (report / "provenance.json").write_text(json.dumps({"trained_in": trained}))
    known = tmp_path / "01.json"
    known.write_text(json.dumps({"trained_in": "bf16", "metrics": {"a": {"value": 0.5, "tolerance": 0.1}}}))
    monkeypatch.setattr(expected, "expected_file", lambda _: known)
    monkeypatch.setattr(expected, "reports_folder", lambda _: tmp_path)
    monkeypatch.setattr(expected, "load_settings", lambda *_: type("S", (), {"name": "01_name"}))
    assert len(expected.check("01")) == said
    assert ("names alone" in capsys.readouterr().out) == (said == 0)
