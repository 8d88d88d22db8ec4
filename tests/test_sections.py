"""Sections of notebooks: which heading settles a statement, and an anchor that stands in the notebook's page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from studylib.study.claims import load_claims
from studylib.study.links import anchors
from studylib.study.sections import Contents, Section, read_contents, section
from studylib.study.settings import notebook_name, studies

ROOT = Path(__file__).resolve().parents[1]


def write_notebook(path: Path, *cells: tuple[str, str]) -> Path:
    content = [{"cell_type": kind, "source": source.splitlines(keepends=True)} for kind, source in cells]
    path.write_text(json.dumps({"cells": content}))
    return path


def test_a_statement_belongs_to_the_heading_above_the_call_that_settles_it(tmp_path):
    found = read_contents(
        write_notebook(
            tmp_path / "07_a.ipynb",
            ("code", 'study.settle("7.0")'),  # before any heading: nowhere
            ("markdown", "# 07 · Title\n\ntext\n\n## 1 First"),
            ("code", "table = measure()\nstudy.settle('7.1', \"7.2\")\n"),
            ("markdown", "```\n## not a heading\n```\n### Does it *look*?"),
            ("code", 'study.settle(\n    "7.3",\n)'),
            ("code", '!pip install x\nstudy.settle("7.9")'),
            ("markdown", "## 6 Verdict"),
            ("code", 'verdicts = study.verdict_table()\nstudy.settle("7.1")'),
        )
    )
    assert [s.title for s in found.sections] == ["07 · Title", "1 First", "Does it *look*?", "6 Verdict"]
    assert {claim: s.title for claim, s in found.settled.items()} == {
        "7.1": "1 First",  # a later call shows it again
        "7.2": "1 First",
        "7.3": "Does it *look*?",
    }
    assert found.of("7.3").title == "Does it *look*?" and found.of("7.8").title == "6 Verdict"
    assert found.about("LOOK").title == "Does it *look*?" and found.about("nowhere") is None


@pytest.mark.parametrize(
    ("heading", "words", "anchor"),
    [
        ("4 The source's experiment", "4 The source's experiment", "4-The-source's-experiment"),
        ("01 · Maps, and why?", "01 · Maps, and why?", "01-%C2%B7-Maps,-and-why?"),
        ("Is `p` **small**? [yes](x.md)", "Is p small? yes", "Is-p-small?-yes"),
    ],
)
def test_anchors_by_hand(heading, words, anchor):
    assert section(heading) == Section(words, anchor)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"cells": 3}', '{"a": 1}'])
def test_what_is_no_notebook_has_no_sections(tmp_path, text):
    path = tmp_path / "07_a.ipynb"
    if text is not None:
        path.write_text(text)
    assert read_contents(path) == Contents()


def test_anchor_is_the_one_that_nbconvert_writes(tmp_path):
    """Against the library that makes the pages, on a heading with every kind of sign that ours have."""
    nbconvert = pytest.importorskip("nbconvert.filters.markdown_mistune")
    for heading in ("4 The source's 5 %: why, how?", "A · B (c) & d", "What `code` *does*", "Ünder 0.5"):
        html = nbconvert.markdown2html_mistune(f"## {heading}")
        plain = heading.replace("*", "")
        assert re.search(r'id="([^"]+)"', html)[1].replace("&amp;", "&") == section(plain).anchor


@pytest.mark.parametrize("study", studies(ROOT))
def test_every_statement_has_a_section_whose_anchor_is_in_the_committed_page(study):
    name = notebook_name(study, ROOT)
    contents = read_contents(ROOT / "notebooks" / f"{name}.ipynb")
    page = ROOT / "reports" / "phantom-quick" / name / f"{name}.html"
    if not page.is_file():
        pytest.skip(f"no report of {name} is there")
    stands = anchors(page, page.stat().st_mtime_ns)
    claims = [claim.id for claim in load_claims(study, ROOT).claims]
    lost = [claim for claim in claims if contents.of(claim) is None or contents.of(claim).anchor not in stands]
    assert not lost, f"no section of {name}.html settles {lost}"
    assert set(contents.settled) <= set(claims)
    assert len(set(map(contents.of, claims))) > 5  # not all in the table at the end
