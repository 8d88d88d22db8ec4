"""Where the project is found, where results go, and which report is read where two places may hold it."""

from __future__ import annotations

from pathlib import Path

import pytest

from studylib.study import root
from studylib.study.root import RootError, find_clone, find_report, find_root, reports_folder, runs_folder, work_folder

CLONE = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("STUDYLIB_HOME", "STUDYLIB_RUNS", "STUDYLIB_REPORTS"):
        monkeypatch.delenv(name, raising=False)


def project(folder: Path) -> Path:
    (folder / "notebooks").mkdir(parents=True)
    (folder / "data" / "claims").mkdir(parents=True)
    return folder.resolve()


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    """As in a wheel: what it carries lies beside the code, no clone is above, and work is done somewhere else."""
    home = project(tmp_path / "site" / "studylib" / "_home")
    module = tmp_path / "site" / "studylib" / "study" / "root.py"
    monkeypatch.setattr(root, "__file__", str(module))
    monkeypatch.setattr(root, "INSTALLED", home)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return home


def test_a_clone_is_found_above_named_or_by_its_code(tmp_path, monkeypatch):
    other = project(tmp_path / "other")
    (other / "deep" / "down").mkdir(parents=True)
    assert find_root(other / "deep" / "down") == other
    assert find_root(tmp_path) == CLONE  # nothing above: the clone that this code is of
    monkeypatch.setenv("STUDYLIB_HOME", str(other))
    assert find_root(tmp_path) == other == find_clone()
    monkeypatch.setenv("STUDYLIB_HOME", str(tmp_path))
    with pytest.raises(RootError, match="which holds no notebooks/"):
        find_root()


def test_in_a_clone_results_lie_in_it_wherever_one_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs_folder(CLONE) == CLONE / "runs" and reports_folder(CLONE) == CLONE / "reports"
    monkeypatch.setenv("STUDYLIB_RUNS", str(tmp_path / "elsewhere"))
    assert runs_folder(CLONE) == tmp_path / "elsewhere"


def test_a_wheel_reads_what_it_carries_and_writes_where_one_works(installed, tmp_path, monkeypatch):
    assert find_root() == installed and work_folder(installed) == tmp_path / "work"
    assert runs_folder(installed) == tmp_path / "work" / "runs"
    assert reports_folder(installed) == tmp_path / "work" / "reports"
    with pytest.raises(RootError, match="run it in a clone"):
        find_clone()
    here = project(tmp_path / "work" / "clone")  # a clone that one works in comes before the wheel
    assert find_root(here) == here


def test_no_project_anywhere(installed, tmp_path, monkeypatch):
    monkeypatch.setattr(root, "INSTALLED", tmp_path / "not there")
    with pytest.raises(RootError, match="no folder above this one holds"):
        find_root()


def test_a_report_made_here_comes_before_the_one_that_came(installed, tmp_path):
    came = installed / "reports" / "real-standard" / "02_x"
    made = tmp_path / "work" / "reports" / "real-standard" / "02_x"
    assert find_report(installed, "real-standard", "02_x") == made  # neither is there: where it would be written
    for folder in (came, made):
        folder.mkdir(parents=True)
        if folder == made:
            assert find_report(installed, "real-standard", "02_x") == came  # an empty folder is no report
        (folder / "metrics.json").write_text("{}")
    assert find_report(installed, "real-standard", "02_x") == made
