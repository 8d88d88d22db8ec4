"""The verb `data` as it is typed: what it prints, and what it says to a wrong word."""

from __future__ import annotations

import argparse

import pytest

from studylib.__main__ import main
from studylib.data import verbs
from studylib.data.dataset import load_dataset


def test_check_counts_classes_and_groups(tiny_dataset, capsys):
    assert main(["data", "check", str(tiny_dataset)]) == 0
    fingerprint = load_dataset(tiny_dataset).fingerprint
    assert capsys.readouterr().out == f"tiny: 12 images (yes 6, no 6), 6 groups, {fingerprint}; no problem found\n"
    (tiny_dataset / "images/3.png").unlink()
    assert main(["data", "check", str(tiny_dataset)]) == 1
    assert "images/3.png" in capsys.readouterr().err


def test_list_says_what_is_here(tiny_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path))
    tiny_dataset.rename(tmp_path / "isic2017")
    assert main(["data", "list"]) == 0
    here = {line.split()[0]: line.split()[3] for line in capsys.readouterr().out.splitlines()[1:-1]}
    assert here["isic2017"] == "yes" and here["ham10000"] == "no"


def test_wrong_words_get_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("STUDYLIB_DATA", raising=False)
    for words, status, said in (
        (["check"], 2, "name a folder that holds dataset.json"),
        (["import", "ham10000"], 2, "name a set (annocerv, brain_figshare"),
        (["import", "ham10000", "x"], 2, "--to FOLDER, or set STUDYLIB_DATA"),
        (["import", "ham1000", "x", "--to", str(tmp_path / "y")], 1, "did you mean 'ham10000'?"),
        (["fetch", "a", "b"], 2, "name one set"),
    ):
        assert main(["data", *words]) == status
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["data", "fetsch"])


def test_every_choice_is_done_by_something():
    parser = argparse.ArgumentParser()
    verbs.options(parser)
    (what,) = (action for action in parser._actions if action.dest == "what")
    for choice in what.choices:
        assert callable(getattr(verbs, f"_{choice}"))
    asked = parser.parse_args(["fetch", "x", "--import", "--to", "y"])
    assert (asked.what, asked.where, asked.then_import, asked.to) == ("fetch", ["x"], True, "y")
