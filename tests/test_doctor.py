"""The doctor names what is there and what is not, without torch and within five seconds."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studylib.study import doctor

ROOT = Path(__file__).resolve().parents[1]


def test_memory_by_hand():
    total, free = doctor.memory_gb("MemTotal:       1953125 kB\nMemFree: 1 kB\nMemAvailable:    976562 kB\n")
    assert total == pytest.approx(2.0, abs=1e-9)  # 1,953,125 KiB are 2e9 bytes
    assert free == pytest.approx(0.999999488, abs=1e-9)


@pytest.mark.parametrize(
    ("script", "with_torch", "state", "found"),
    [
        (
            "echo 'Card A, 1000 MiB'\necho 'Card B, 2000 MiB'",
            True,
            "ok",
            "Card A, 1000 MiB, Card B, 2000 MiB; torch is built for CUDA 13.2",
        ),
        (
            "echo 'Card A, 1000 MiB'",
            False,
            "!",
            "Card A, 1000 MiB, but torch is a CPU build: install without TORCH=cpu",
        ),
        ("echo 'no driver' >&2; exit 9", True, "-", "none; every study runs on the processor"),
        ("sleep 30", True, "-", "none; every study runs on the processor"),
    ],
)
def test_accelerator(tmp_path, monkeypatch, script, with_torch, state, found):
    """A stand-in for nvidia-smi: two cards, a build without CUDA, a driver that fails, one that hangs."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(doctor, "PATIENCE", 1.0)
    monkeypatch.setattr(doctor, "torch_cuda", lambda: "13.2")
    monkeypatch.setattr(sys, "platform", "linux")
    row = doctor.accelerator(with_torch)
    assert (row.state, row.found) == (state, found)


def test_torch_cuda_is_what_torch_says():
    torch = pytest.importorskip("torch")
    assert doctor.torch_cuda() == torch.version.cuda


@pytest.fixture
def weight_folder(tmp_path):
    content = b"seven b"
    index = {
        name: {"file": f"{name}.safetensors", "bytes": 7, "sha256": hashlib.sha256(content).hexdigest()}
        for name in ("whole", "short", "changed", "gone")
    }
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "whole.safetensors").write_bytes(content)
    (tmp_path / "short.safetensors").write_bytes(b"six by")
    (tmp_path / "changed.safetensors").write_bytes(b"SEVEN B")
    return tmp_path


@pytest.mark.parametrize(
    ("deep", "states"),
    [
        (False, {"changed": "ok", "gone": "!", "short": "!", "whole": "ok"}),
        (True, {"changed": "!", "gone": "!", "short": "!", "whole": "ok"}),  # only the hash sees a changed byte
    ],
)
def test_weights(weight_folder, deep, states):
    rows = doctor.weights(str(weight_folder), deep)
    assert {row.name: row.state for row in rows} == states
    found = {row.name: row.found for row in rows}
    assert found["short"] == "short.safetensors has 6 bytes, index.json says 7: fetch it again"
    assert "not in the folder" in found["gone"]


def test_weights_without_a_usable_index(tmp_path):
    assert [row.state for row in doctor.weights(None)] == ["-"]
    assert "no index.json" in doctor.weights(str(tmp_path))[0].found
    (tmp_path / "index.json").write_text("{")
    assert "is not JSON" in doctor.weights(str(tmp_path))[0].found


@pytest.fixture
def data_folder(tmp_path):
    def add(name: str, table: str, info: str = '{"classes": ["yes", "no"]}') -> None:
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "dataset.json").write_text(info)
        (tmp_path / name / "metadata.csv").write_text(table)

    add(
        "good",
        "image,label,group,mask\nimages/a.png,yes,1,masks/a.png\nimages/b.png,no,1,\nimages/c.png,no,2,masks/c.png\n",
    )
    for name in "ab":
        (tmp_path / "good" / "images" / f"{name}.png").write_bytes(b"")
    add("headless", "image,label\nimages/a.png,yes\n")
    add("empty", "image,label,group\n")
    add("broken", "image,label,group\nimages/a.png,yes,1\n", info="not json")
    (tmp_path / "no_dataset").mkdir()
    return tmp_path


def test_datasets(data_folder):
    rows = {row.name: (row.state, row.found) for row in doctor.datasets(str(data_folder))}
    assert sorted(rows) == ["broken", "empty", "good", "headless"]
    assert rows["good"] == ("ok", "3 images, 2 classes, 2 groups, 2 masks")
    assert rows["headless"] == ("!", "metadata.csv lacks group")
    assert rows["empty"] == ("!", "metadata.csv has no rows")
    assert rows["broken"][0] == "!"


def test_datasets_deep_looks_for_every_image(data_folder):
    rows = {row.name: (row.state, row.found) for row in doctor.datasets(str(data_folder), deep=True)}
    assert rows["good"] == ("!", "1 of 3 images are not there, first images/c.png")


def test_datasets_without_a_folder(tmp_path):
    assert [row.state for row in doctor.datasets(None)] == ["-"]
    assert "is not a folder" in doctor.datasets(str(tmp_path / "nowhere"))[0].found
    assert "no */dataset.json" in doctor.datasets(str(tmp_path))[0].found


SETTINGS = """
[study]
title = "Demo"
source = "A text"
claim = "Maps help."
primary = "iou.cam"
unit = "patient"
group = "group"
real = ["good", "elsewhere"]
external = ""
external_group = ""
phantom = "brain"
positive = "yes"
[arms.none]
model = "brain"
[quick]
image_size = 64
epochs = 1
folds = 3
minutes = 1.4
fits.none = {group = 1}
[paper]
image_size = 240
epochs = 24
folds = 3
minutes = 5400
fits.none = {group = 7, random_images = 3}
"""


@pytest.fixture
def project(tmp_path):
    """A project with one study of two profiles."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "07_demo.toml").write_text(SETTINGS)
    return tmp_path


def test_plans(project, data_folder):
    rows = [(row.state, row.name, row.found) for row in doctor.plans(project, str(data_folder))]
    assert rows == [
        ("ok", "07 phantom quick", "   1 fit   about     1 min"),
        ("ok", "07 phantom paper", "  10 fits  about 5,400 min"),
        ("-", "07 real quick", "   1 fit   about     1 min; wants elsewhere under STUDYLIB_DATA"),
        ("-", "07 real paper", "  10 fits  about 5,400 min; wants elsewhere under STUDYLIB_DATA"),
    ]


def test_plans_name_settings_that_are_wrong(project):
    (project / "notebooks" / "07_demo.toml").write_text(SETTINGS.replace("epochs = 24", "epoch = 24"))
    (row,) = doctor.plans(project, None)
    assert (row.state, row.name) == ("!", "07") and "unknown setting 'epoch'" in row.found


def test_report_counts_what_wants_a_look(project, weight_folder):
    (project / "pyproject.toml").write_text('[project]\ndependencies = ["pytest>=1", "no-such-package>=1"]\n')
    text = doctor.report(project, {"STUDYLIB_WEIGHTS": str(weight_folder)})
    assert "not installed: no-such-package" in text and f"weights in {weight_folder}" in text
    marked = sum(line.startswith("  ! ") for line in text.splitlines())
    assert marked >= 3 and text.splitlines()[-1].startswith(f"marked !, to be looked at: {marked};")


def test_report_is_aligned(project):
    (project / "pyproject.toml").write_text('[project]\ndependencies = ["pytest>=1"]\n')
    lines = [line for line in doctor.report(project, {}).splitlines() if line.startswith("  ")]
    names = [line[5:].split("  ")[0] for line in lines]
    column = 5 + max(map(len, names)) + 2  # the state, the longest name, two spaces
    assert {"STUDYLIB_DATA", "07 phantom paper"} <= set(names)
    assert all(
        line[5 : column - 2].rstrip() == name and line[column - 2 : column] == "  "
        for line, name in zip(lines, names, strict=True)
    )


def test_it_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; from pathlib import Path; from studylib.study import doctor\n"
        "print(doctor.report(Path('.'), {}))\n"
        "print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    assert time.perf_counter() - start < 5  # the promise to the person who waits
