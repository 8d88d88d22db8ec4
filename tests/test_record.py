"""Report folders appear whole or not at all; a full disk and a read-only folder are one clear sentence."""

import errno
import json
import math
import os

import pytest

from studylib.metrics.intervals import Estimate, exact
from studylib.study.record import ReportError, clear_remains, explained, metrics_json, whole_folder, write_json


def test_a_folder_takes_its_place_when_whole(tmp_path):
    final = tmp_path / "02_x"
    final.mkdir()
    (final / "old").write_text("old")
    with whole_folder(final) as folder:
        (folder / "new").write_text("new")
        assert (final / "old").exists()
    assert [p.name for p in final.iterdir()] == ["new"] and [p.name for p in tmp_path.iterdir()] == ["02_x"]


def test_a_failed_one_leaves_what_stood_there(tmp_path):
    final = tmp_path / "02_x"
    final.mkdir()
    (final / "old").write_text("old")
    with pytest.raises(RuntimeError, match="cell 3"), whole_folder(final) as folder:
        (folder / "half").write_text("half")
        raise RuntimeError("cell 3")
    assert [p.name for p in final.iterdir()] == ["old"] and [p.name for p in tmp_path.iterdir()] == ["02_x"]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    (tmp_path / ".02_x.old").mkdir()
    (tmp_path / ".02_x.old" / "metrics.json").write_text("{}")
    (tmp_path / ".02_x.999999999").mkdir()  # left by a process that is gone
    clear_remains(tmp_path / "02_x")
    assert (tmp_path / "02_x" / "metrics.json").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["02_x"]


def test_the_folder_of_a_living_process_is_left_alone(tmp_path):
    (tmp_path / f".02_x.{os.getpid()}").mkdir()
    clear_remains(tmp_path / "02_x")
    assert (tmp_path / f".02_x.{os.getpid()}").exists()


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "may not be written")],
)
def test_what_the_system_refuses_is_one_sentence(tmp_path, number, said):
    with pytest.raises(ReportError, match=said) as error, explained(tmp_path / "real-quick"):
        raise OSError(number, "x")
    assert "nothing that stood there was changed" in str(error.value) and str(tmp_path) not in str(error.value)


def test_other_errors_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError), explained(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "x")


def test_the_same_metrics_are_the_same_bytes(tmp_path):
    a = {"b": exact(1), "a": Estimate(1 / 3, 0.1, math.nan, 3, 2, "patient", "mean", p=0.04)}
    for name, metrics in (("one", a), ("two", dict(reversed(a.items())))):
        write_json(tmp_path / name, metrics_json({"seed": 0}, metrics))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    row = json.loads((tmp_path / "one").read_text())["metrics"]["a"]
    assert row["value"] == 0.3333333333 and row["high"] is None and row["p"] == 0.04


def test_nan_is_refused_by_name(tmp_path):
    with pytest.raises(ReportError, match=r"metrics\.json"):
        write_json(tmp_path / "metrics.json", {"a": float("nan")})
    assert not (tmp_path / "metrics.json").exists()
