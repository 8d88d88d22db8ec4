"""The runner: checks parameters, leaves no half report when a notebook fails or is killed, skips what is up to date."""

import json
import shutil
from pathlib import Path

import pytest

from studylib.study.record import ReportError
from studylib.study.run import check_notebook, cleaned, report, with_headline
from studylib.study.settings import SettingsError

ROOT = Path(__file__).parents[1]
CLOSE = """
import json, os, pathlib
folder = pathlib.Path(os.environ["STUDYLIB_REPORT"])
(folder / "provenance.json").write_text("{}")
(folder / "seed.txt").write_text(f"{data} {profile} {seed}")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one study whose notebook holds the cells given."""

    def make(*cells, parameters='data = "phantom"\nprofile = "quick"\nseed = 0'):
        for folder in ("notebooks", "data/claims", "studylib"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "notebooks" / "02_brain_mri_cbam.toml", tmp_path / "notebooks")
        (tmp_path / "data" / "claims" / "02.toml").write_text("")
        tagged = [(parameters, ["parameters"]), *((text, []) for text in cells)]
        code = {"cell_type": "code", "execution_count": None, "outputs": []}
        content = {
            "cells": [
                code | {"id": f"c{i}", "metadata": {"tags": t}, "source": text} for i, (text, t) in enumerate(tagged)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (tmp_path / "notebooks" / "02_brain_mri_cbam.ipynb").write_text(json.dumps(content))
        monkeypatch.setenv("STUDYLIB_HOME", str(tmp_path))
        monkeypatch.delenv("STUDYLIB_RUNS", raising=False)
        monkeypatch.delenv("STUDYLIB_REPORTS", raising=False)
        return tmp_path

    return make


def test_a_report_is_made_once_and_again_when_the_seed_changes(project):
    root = project(CLOSE)
    folder = report("02", "phantom", "quick", 1)
    assert (folder / "seed.txt").read_text() == "phantom quick 1"
    made = (folder / "seed.txt").stat().st_mtime_ns
    assert report("02", "phantom", "quick", 1) == folder and (folder / "seed.txt").stat().st_mtime_ns == made
    assert (report("02", "phantom", "quick", 2) / "seed.txt").read_text() == "phantom quick 2"
    text = (folder / "02_brain_mri_cbam.ipynb").read_text()
    assert str(root) not in text and "seed = 2" in text and "papermill" not in text
    assert "<html" in (folder / "02_brain_mri_cbam.html").read_text()[:200].lower()


def test_a_failing_cell_keeps_the_old_report_and_the_failed_notebook(project):
    root = project(CLOSE)
    folder = report("02", "phantom", "quick", 0)
    project("1 / 0")
    with pytest.raises(ReportError, match="ZeroDivisionError: division by zero") as error:
        report("02", "phantom", "quick", 0)
    assert "logs/02.failed.ipynb" in str(error.value)
    assert (folder / "seed.txt").exists() and [p.name for p in folder.parent.iterdir()] == [folder.name]
    assert "ZeroDivisionError" in (root / "logs" / "02.failed.ipynb").read_text()
    project(CLOSE)
    report("02", "phantom", "quick", 0)
    assert not (root / "logs" / "02.failed.ipynb").exists()


def test_a_kernel_killed_with_9_is_said_and_leaves_nothing(project):
    root = project("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ReportError, match="kernel died"):
        report("02", "phantom", "quick", 0)
    assert list((root / "reports" / "phantom-quick").iterdir()) == []


def test_a_notebook_without_close_is_no_report(project):
    root = project("1 + 1")
    with pytest.raises(ReportError, match=r"study\.close\(\)"):
        report("02", "phantom", "quick", 0)
    assert list((root / "reports" / "phantom-quick").iterdir()) == []


@pytest.mark.parametrize("parameters", ['data = "phantom"\nprofil = "quick"\nseed = 0', "pass"])
def test_other_parameters_are_refused(project, parameters):
    root = project(CLOSE, parameters=parameters)
    with pytest.raises(SettingsError, match="expected \\['data', 'profile', 'seed'\\]"):
        check_notebook(root / "notebooks" / "02_brain_mri_cbam.ipynb", {"data": "", "profile": "", "seed": 0})


def test_a_report_folder_that_may_not_be_written(project, monkeypatch, tmp_path_factory):
    project(CLOSE)
    blocked = tmp_path_factory.mktemp("blocked") / "file"
    blocked.write_text("")
    monkeypatch.setenv("STUDYLIB_REPORTS", str(blocked))
    with pytest.raises((ReportError, NotADirectoryError, FileExistsError)):
        report("02", "phantom", "quick", 0)


def test_what_is_cleaned():
    cell = {
        "cell_type": "code", "id": "x", "execution_count": 7, "source": "f", "metadata": {"papermill": {"duration": 3}},
        "outputs": [
            {"output_type": "stream", "name": "stderr", "text": ["warning"]},
            {"output_type": "execute_result", "execution_count": 7, "metadata": {"a": 1},
             "data": {"text/plain": ["<f at 0x7f00ab>"]}},
        ],
    }  # fmt: skip
    injected = {
        **cell,
        "metadata": {"tags": ["injected-parameters"]},
        "source": "# Parameters\nseed = 4\n",
        "outputs": [],
    }
    first = {**cell, "metadata": {"tags": ["parameters"]}, "source": "seed = 0", "outputs": []}
    found = cleaned({"cells": [first, injected, cell], "metadata": {"papermill": {"output_path": "/x"}}})
    assert [c["source"] for c in found["cells"]] == ["seed = 4", "f"]
    assert found["cells"][1]["execution_count"] == 2 and found["cells"][1]["metadata"] == {}
    (output,) = found["cells"][1]["outputs"]
    assert output["data"]["text/plain"] == ["<f>"] and output["metadata"] == {}
    assert "papermill" not in json.dumps(found)


def test_the_first_screen_says_what_this_run_found(tmp_path):
    (tmp_path / "headline.md").write_text("**Phantoms, profile quick:** 3 reproduced")
    blocks = (
        "**Claimed:** c",
        "**This run:** r",
        "**Phantoms, profile quick:** 2",
        "**Real images, profile standard:** 1",
    )
    old = "\n\n".join(blocks)
    output = {"output_type": "display_data", "data": {"text/markdown": [old]}, "metadata": {}}
    notebook = {"cells": [{"cell_type": "code", "metadata": {"tags": ["opening"]}, "outputs": [output]}]}
    text = with_headline(notebook, tmp_path / "headline.md")["cells"][0]["outputs"][0]["data"]["text/markdown"]
    assert text.split("\n\n") == [
        *blocks[:2],
        "**Phantoms, profile quick:** 3 reproduced",
        blocks[3],
    ]
