"""`make reproduce` as a person types it, on a small copy of the project: twice at once, again, from an archive, and
with a cell that fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "02_brain_mri_cbam"
SMALL = """[quick]
image_size = 32
epochs = 2
folds = 3
minutes = 0.2
resamples = 50
[quick.phantom]
patients = 12
slices = 1
copies = {yes = 1, no = 1}
size = 48
[quick.fits]
none = {group = 3}

"""
CELLS = """
from studylib.study import compare
from studylib.study.study import Study
study = Study.open("02", data=data, profile=profile, seed=seed)
study.opening()
---
fits = study.fits(study.dataset())
study.record("accuracy.group.none.test", compare.rate_of(fits, "none", **study.how))
---
study.close()
"""
FAILS = "1 / 0\n---" + CELLS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fault,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine"),
]


def write_notebook(project: Path, text: str) -> None:
    cells = ['data = "phantom"\nprofile = "quick"\nseed = 0', *(cell.strip() for cell in text.split("---"))]
    code = {"cell_type": "code", "execution_count": None, "outputs": []}
    tags = [["parameters"], *([] for _ in cells[1:])]
    content = {
        "cells": [
            code | {"id": f"c{i}", "source": cell, "metadata": {"tags": tag}}
            for i, (cell, tag) in enumerate(zip(cells, tags, strict=True))
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (project / "notebooks" / f"{NAME}.ipynb").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The code, Makefile and Snakefile as they are; three small networks, a notebook of three cells, this Python."""
    project = tmp_path_factory.mktemp("project")
    for name in ("Makefile", "Snakefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, project)
    shutil.copytree(ROOT / "studylib", project / "studylib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data" / "claims", project / "data" / "claims")
    (project / "notebooks").mkdir()
    settings = (ROOT / "notebooks" / f"{NAME}.toml").read_text()
    settings = re.sub(r"^\[quick\].*?(?=^\[standard\])", SMALL, settings, flags=re.DOTALL | re.MULTILINE)
    (project / "notebooks" / f"{NAME}.toml").write_text(settings)
    write_notebook(project, CELLS)
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (project / ".venv" / ".ready").touch()  # set up already: newer than the lock file
    return project


def reproduce(project: Path) -> subprocess.Popen:
    away = ("STUDYLIB_HOME", "STUDYLIB_RUNS", "STUDYLIB_REPORTS", "STUDYLIB_REPORT", "MAKEFLAGS", "MAKELEVEL")
    environment = {k: v for k, v in os.environ.items() if k not in away} | {"PYTHONPATH": str(project)}
    return subprocess.Popen(
        ["make", "reproduce", "STUDY=02", "JOBS=1"],
        cwd=project,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_two_at_once_share_the_work_and_both_end_well(project):
    both = [reproduce(project), reproduce(project)]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(outputs)
    trained = [line for text in outputs for line in text.splitlines() if re.match(r"\[\d/3\] fit 02 none", line)]
    assert sorted(line.split(" fold ")[1][:1] for line in trained) == ["0", "1", "2"], trained  # each once
    report = project / "reports" / "phantom-quick" / NAME
    metrics = json.loads((report / "metrics.json").read_text())["metrics"]
    assert 0 <= metrics["accuracy.group.none.test"]["value"] <= 1
    assert (report / f"{NAME}.html").is_file() and "<html" in (project / "reports" / "index.html").read_text()
    assert [path.name for path in report.parent.iterdir()] == [NAME]  # nothing half-made beside it
    assert not list((project / "runs" / "02").glob("*.partial"))


def test_again_does_nothing(project):
    made = (project / "reports" / "phantom-quick" / NAME / "provenance.json").stat().st_mtime_ns
    process = reproduce(project)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0 and "fit 02" not in output, output
    assert (project / "reports" / "phantom-quick" / NAME / "provenance.json").stat().st_mtime_ns == made


def archived(project: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STUDYLIB_")} | {"PYTHONPATH": str(project)}
    command = [sys.executable, "-m", "studylib", "archive", *words]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)


def test_from_an_archive_every_figure_is_drawn_again_without_training(project, tmp_path):
    made = [archived(project, "02", "--to", str(tmp_path / name / "x.tar.gz")) for name in "ab"]
    assert [m.returncode for m in made] == [0, 0], made[0].stderr
    assert "archive x.tar.gz: studies 02, 3 networks," in made[0].stdout
    assert (tmp_path / "a" / "x.tar.gz").read_bytes() == (tmp_path / "b" / "x.tar.gz").read_bytes()
    new = tmp_path / "new"
    done = archived(project, "--unpack", str(tmp_path / "a" / "x.tar.gz"), "--to", str(new))
    assert done.returncode == 0 and "every checksum right; 3 networks" in done.stdout, done.stderr
    assert {path.name for path in (new / "runs").iterdir()} == {"02"}  # no phantoms, no caches
    weights = {path: path.stat().st_mtime_ns for path in new.glob("runs/02/*/weights.safetensors")}
    shutil.copytree(project / ".venv", new / ".venv")  # set up already: this Python
    (new / ".venv" / ".ready").touch()
    report = new / "reports" / "phantom-quick" / NAME
    before, drawn = (report / "metrics.json").read_bytes(), (report / f"{NAME}.html").stat().st_mtime_ns
    process = reproduce(new)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0 and "fit 02" not in output, output
    assert {path: path.stat().st_mtime_ns for path in new.glob("runs/02/*/weights.safetensors")} == weights
    assert len(weights) == 3 and (report / "metrics.json").read_bytes() == before
    assert (report / f"{NAME}.html").stat().st_mtime_ns > drawn


def test_an_archive_wants_a_whole_run(project, tmp_path):
    done = archived(project, "02", "--seed", "7", "--to", str(tmp_path / "x.tar.gz"))
    assert done.returncode == 1 and done.stderr.startswith("ArchiveError: study 02: 3 of 3 networks\n")
    assert "make reproduce STUDY=02 DATA=phantom PROFILE=quick SEED=7" in done.stderr and not list(tmp_path.iterdir())


def test_a_cell_that_fails_is_said_and_the_old_report_stays(project):
    report = project / "reports" / "phantom-quick" / NAME
    before = (report / "metrics.json").read_bytes()
    write_notebook(project, FAILS)
    process = reproduce(project)
    output = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "ZeroDivisionError: division by zero" in output and "logs/02.failed.ipynb" in output
    assert (report / "metrics.json").read_bytes() == before
    assert "site reports/index.html" in output  # the index is written whatever failed
