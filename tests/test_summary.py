"""What a terminal shows of reports, on a report made by hand."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from studylib.study.record import ReportError
from studylib.study.summary import claims_diff, claims_list, summary, verdicts_of

ROOT = Path(__file__).parents[1]


@pytest.fixture
def reports(tmp_path, monkeypatch):
    folder = tmp_path / "phantom-quick" / "02_brain_mri_cbam"
    folder.mkdir(parents=True)
    (folder / "verdicts.csv").write_text("claim,verdict\n2.01,reproduced\n2.02,undecided\n2.03,reproduced\n")
    row = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 9, "groups": 4, "unit": "patient", "how": "mean"}
    (folder / "metrics.json").write_text(json.dumps({"metrics": {"accuracy.group.cam_minus_none.test": row}}))
    monkeypatch.setenv("STUDYLIB_REPORTS", str(tmp_path))
    monkeypatch.setenv("STUDYLIB_HOME", str(ROOT))
    return folder


def test_verdicts_are_counted_and_the_primary_estimate_shown(reports):
    text = summary(["02"], "phantom", "quick")
    assert "3 statements: 2 reproduced, 1 undecided" in text and "0.500 [0.250, 0.750], 4 groups" in text


def test_a_missing_report_is_said(reports):
    shutil.rmtree(reports)
    assert "no report" in summary(["02"], "phantom", "quick")
    with pytest.raises(ReportError, match="make reproduce"):
        verdicts_of(reports)


def test_every_statement_is_listed_with_its_rule():
    lines = claims_list("02").splitlines()
    assert len(lines) == 150 and lines[0].startswith("2.01  ")
    assert lines[2 * 3 + 1].strip() == "reproduced if `data.images` is exactly 2,065" or "`data.images`" in lines[7]


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A project whose only report, the one in this repository, is committed. -> its folder"""
    name = "reports/phantom-quick/02_brain_mri_cbam"
    for file in ("notebooks/02_brain_mri_cbam.toml", "data/claims/02.toml", f"{name}/verdicts.csv"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@x"]
    for command in (["init", "-q"], ["add", "reports"], ["commit", "-q", "-m", "report"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    monkeypatch.setenv("STUDYLIB_HOME", str(tmp_path))
    monkeypatch.delenv("STUDYLIB_REPORTS", raising=False)
    return tmp_path / name


def test_a_verdict_that_flips_is_named(committed):
    assert claims_diff("02", "phantom", "quick") == ("all 75 verdicts as committed", False)
    path = committed / "verdicts.csv"
    rows = path.read_text().splitlines(keepends=True)
    place = next(i for i, row in enumerate(rows) if row.startswith("2.16,"))
    rows[place] = rows[place].replace(",reproduced,", ",undecided,")
    path.write_text("".join(rows))
    assert claims_diff("02", "phantom", "quick") == ("2.16: verdict, reproduced -> undecided", True)


def test_a_report_that_was_never_committed_has_nothing_to_flip(committed):
    shutil.copytree(committed, committed.parents[1] / "real-quick" / committed.name)
    text, flipped = claims_diff("02", "real", "quick")
    assert "never committed" in text and not flipped
