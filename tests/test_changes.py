"""Verdicts that changed between committed runs: read from a history made by hand, and the committed page is whole."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest

from studylib.__main__ import main
from studylib.study.changes import changes, line, page, short, write
from studylib.study.claims import COLUMNS
from studylib.study.record import ReportError

ROOT = Path(__file__).resolve().parents[1]
NAME = "reports/phantom-quick/07_demo"


@pytest.fixture
def project(tmp_path):
    """A repository without a commit. -> (its folder, how to commit a run: verdicts, estimates, the code's commit)"""
    git(tmp_path, "init", "-q")

    def commit(code: str | None, **verdicts: tuple[str, str]) -> None:
        folder = tmp_path / NAME
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "verdicts.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, COLUMNS, restval="")
            table.writeheader()
            for claim, (verdict, estimate) in verdicts.items():
                row = {"claim": claim, "topic": "result", "statement": f"Statement {claim}.", "evidence": "phantom"}
                table.writerow(row | {"verdict": verdict, "estimate": estimate})
        (folder / "provenance.json").write_text(json.dumps({"commit": 40 * (code or "f")}))
        if code:
            git(tmp_path, "add", "reports")
            git(tmp_path, "commit", "-q", "-m", f"run of {code}")

    return tmp_path, commit


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_each_change_gets_a_line_and_what_stays_gets_none(project):
    root, commit = project
    commit("a", c1=("undecided", "0.1 [-0.1, 0.3], n = 9 images"), c2=("partly", ""))
    commit("b", c1=("reproduced", "0.2 [0.1, 0.3], n = 90 images"), c2=("partly", ""))
    commit("c", c1=("reproduced", "0.3 [0.2, 0.4], n = 90 images"), c2=("not reproduced", ""), c3=("partly", ""))
    found = changes(root)
    assert [(x.claim, x.was, x.now, x.code) for x in found] == [
        ("c1", "undecided", "reproduced", "b" * 12), ("c2", "partly", "not reproduced", "c" * 12),
    ]  # fmt: skip
    assert "| ? undecided | ✓ reproduced | 0.1 [-0.1, 0.3] → 0.2 [0.1, 0.3] | `bbbbbbbbbbbb` |" in page(found)
    assert "## 07_demo: phantoms, profile quick" in page(found)


def test_a_verdict_that_returns_has_two_lines(project):
    root, commit = project
    for code, verdict in (("a", "partly"), ("b", "undecided"), ("c", "partly")):
        commit(code, c1=(verdict, ""))
    assert [(x.was, x.now) for x in changes(root)] == [("partly", "undecided"), ("undecided", "partly")]


def test_the_working_tree_counts_before_it_is_committed_and_gives_the_same_page_after(project):
    root, commit = project
    commit("a", c1=("partly", ""))
    commit(None, c1=("undecided", ""))
    before = write(root)[0].read_text(encoding="utf-8")
    assert changes(root, committed=True) == []
    assert "| ◐ partly | ? undecided | nothing → nothing |" in before
    git(root, "add", "reports")
    git(root, "commit", "-q", "-m", "the run")
    assert write(root)[0].read_text(encoding="utf-8") == before


def test_a_report_that_was_away_for_a_while_is_compared_with_what_it_was(project):
    root, commit = project
    commit("a", c1=("partly", ""))
    git(root, "rm", "-q", "-r", "reports")
    git(root, "commit", "-q", "-m", "away")
    commit("b", c1=("undecided", ""))
    assert [(x.was, x.now) for x in changes(root)] == [("partly", "undecided")]


def test_a_table_of_an_older_layout_is_passed_over(project):
    root, commit = project
    (root / NAME).mkdir(parents=True)
    (root / NAME / "verdicts.csv").write_text("id,said\nc1,maybe\n")
    git(root, "add", "reports")
    git(root, "commit", "-q", "-m", "old")
    commit("a", c1=("partly", ""))
    commit("b", c1=("undecided", ""))
    assert [(x.was, x.now) for x in changes(root)] == [("partly", "undecided")]


def test_without_the_history_nothing_is_written(project, tmp_path_factory, monkeypatch, capsys):
    root, commit = project
    commit("a", c1=("partly", ""))
    commit("b", c1=("undecided", ""))
    shallow = tmp_path_factory.mktemp("clone") / "shallow"
    git(root, "clone", "-q", "--depth", "1", f"file://{root}", str(shallow))
    with pytest.raises(ReportError, match="git fetch --unshallow"):
        write(shallow)
    assert not (shallow / "reports" / "CHANGES.md").exists()
    bare = tmp_path_factory.mktemp("bare")
    for folder in ("notebooks", "data/claims", "reports"):
        (bare / folder).mkdir(parents=True)
    monkeypatch.setenv("STUDYLIB_HOME", str(bare))
    assert main(["claims", "changes"]) == 1 and "not whole here" in capsys.readouterr().err
    assert main(["claims", "diff"]) == 2 and "name a study" in capsys.readouterr().err


def test_long_words_are_cut_at_a_word_and_bars_do_not_break_the_table(project):
    root, commit = project
    commit("a", c1=("partly", ""))
    commit("b", c1=("undecided", ""))
    (change,) = changes(root)
    wide = line(type(change)(**{**vars(change), "statement": "word " * 40 + "end|"}))
    assert wide.count(" | ") == 5 and "word …" in wide and "end" not in wide
    assert "a\\|b" in line(type(change)(**{**vars(change), "statement": "a|b"}))
    assert short("") == "nothing" and short("x: 1 [0, 2], n = 3 images; y: 2") == "x: 1 [0, 2] and 1 more"


def test_the_committed_page_misses_no_change():
    try:
        found = changes(ROOT, committed=True)  # a run that is only tried out asks for nothing
    except ReportError as error:
        pytest.skip(str(error))
    text = (ROOT / "reports" / "CHANGES.md").read_text(encoding="utf-8")
    missing = [f"{x.run} {x.claim} {x.was} -> {x.now}" for x in found if line(x) not in text]
    assert not missing, f"run `python -m studylib claims changes`: {missing}"
