"""The table of statements on the page: one row each, both kinds of runs, a reason wherever there is no verdict."""

from __future__ import annotations

import re
from pathlib import Path

from test_index_answers import plain
from test_statements import ledger, report

from studylib.study.index_statements import render_statements
from studylib.study.sections import Contents, section
from studylib.study.statements import gather


def rendered(tmp_path: Path, reports, *ids: str, pages=None, contents=None) -> str:
    found = gather([ledger(tmp_path, *ids)], reports, contents or {})
    return render_statements(found, {"07": "A demo"}, pages or {}, tmp_path)


def row(html: str, claim: str) -> str:
    return re.search(rf'<tr id="s-{re.escape(claim)}".*?</tr>', html, re.S)[0]


def test_one_row_a_statement_with_both_runs_side_by_side(tmp_path):
    real = report("real-standard", **{"7_1": "undecided"})
    quick = report("phantom-quick", **{"7_1": "reproduced", "7_2": "partly"})
    html = rendered(tmp_path, [real, quick], "7.1", "7.2")
    assert re.findall(r'<tr id="s-([\d.]+)"', html) == ["7.1", "7.2"]
    first = row(html, "7.1")
    assert 'data-verdict="undecided" data-evidence="real"' in first
    real_cell, phantom_cell = re.findall(r'<td data-name="On [^"]+">(.*?)</td>', first)
    assert "<strong>" in real_cell and "undecided" in real_cell  # the one that counts is told apart
    assert "<strong>" not in phantom_cell and "reproduced" in phantom_cell
    assert "phantom-quick!" in plain(first) and "real-standard!" in plain(first)  # both reasons


def test_what_no_run_judged_says_so_and_what_to_do(tmp_path):
    html = rendered(tmp_path, [report("phantom-quick", **{"7_1": "partly"})], "7.1", "7.2")
    text = plain(row(html, "7.2"))
    assert "… no run yet" in text and "make reproduce STUDY=07" in text and text.count("no run yet") == 3
    assert "On real images: no run yet, make reproduce STUDY=07 DATA=real PROFILE=standard makes one" in plain(html)
    assert '<option value="no run yet">' in html


def test_a_long_list_of_estimates_unfolds(tmp_path):
    run = report("phantom-quick", **{"7_1": "partly"})
    run.verdicts[0]["estimate"] = "; ".join(f"loc.a_b{n}: 0.{n}" for n in range(1, 6))
    html = row(rendered(tmp_path, [run], "7.1"), "7.1")
    assert "<summary>2 more</summary>" in html and "loc.<wbr>a_<wbr>b4: 0.4" in html.split("2 more")[1]
    assert "0.4" not in html.split("2 more")[0]


def test_a_row_links_to_the_section_that_settled_it(tmp_path):
    page = tmp_path / "07_demo.html"
    page.write_text('<h2 id="2-The-images">2 The images</h2><h2 id="6-Verdict">6 Verdict</h2>')
    contents = {"07": Contents((), {"7.1": section("2 The images")}, section("6 Verdict"))}
    html = rendered(tmp_path, [], "7.1", "7.2", pages={"07": page}, contents=contents)
    assert 'href="07_demo.html#2-The-images"' in row(html, "7.1")
    assert 'href="07_demo.html#6-Verdict"' in row(html, "7.2")
    assert "7.1 is settled in 2 The images" in plain(row(html, "7.1"))


def test_what_left_the_ledger_says_so(tmp_path):
    html = rendered(tmp_path, [report("phantom-quick", **{"7_1": "partly", "7_9": "partly"})], "7.1")
    assert "no longer in the ledger" in row(html, "7.9") and "no longer" not in row(html, "7.1")
