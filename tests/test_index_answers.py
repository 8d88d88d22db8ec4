"""The answer on the page: each sentence with one figure and its place, each study's outcome by word and sign."""

from __future__ import annotations

import re
from pathlib import Path

from test_answers import entry, report

from studylib.study import answers
from studylib.study.index_answers import ASKED, render_answer, render_evidence
from studylib.study.sections import Contents, section

METRICS = {
    "primary__cam_minus_floor__auprc": entry(-0.4, -0.5, -0.3, 450, 33),
    "stability__seeds__spearman": entry(0.75, 0.7, 0.8, 30, 10),
}


def plain(html: str) -> str:
    return re.sub(r"\s+([,.:])", r"\1", re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))).strip()


def test_a_sentence_quotes_its_figure_with_study_n_and_interval():
    found = answers.findings([report("01", "real-standard", **METRICS)])
    text = plain(render_answer(found, {}, {}, Path()))
    assert ASKED in text and answers.short_answer(found) in text
    assert (
        "Does the map mark the finding? In 0 of 1 study it beats the best guess without a network (a blob, dark "
        "pixels, edges); worse in 1. Study 01, real images: pixel AUPRC of the nucleus, map minus guess, "
        "-0.4 [-0.5, -0.3], n = 450 images, 33 patients."
    ) in text
    assert "Would it show a shortcut? No run at hand measured this." in text


def test_a_number_that_changes_changes_the_page():
    better = METRICS | {"primary__cam_minus_floor__auprc": entry(0.4, 0.3, 0.5, 450, 33)}
    before, after = (
        plain(render_answer(answers.findings([report("01", **rows)]), {}, {}, Path())) for rows in (METRICS, better)
    )
    assert "In 0 of 1 study it beats" in before and "In 1 of 1 study it beats" in after and "0.4 [0.3, 0.5]" in after


def test_it_links_to_the_section_that_measured(tmp_path):
    page = tmp_path / "01_demo.html"
    page.write_text('<h3 id="Do-maps-beat-floors?">Do maps beat floors?</h3>')
    contents = {"01": Contents((section("Do maps beat floors?"),))}
    found = answers.findings([report("01", **METRICS)])
    for html in (
        render_answer(found, {"01": page}, contents, tmp_path),
        render_evidence(found, {"01": page}, contents, tmp_path),
    ):
        assert 'href="01_demo.html#Do-maps-beat-floors?"' in html
        assert html.count('href="01_demo.html"') == 1  # seeds: no such heading, so the notebook


def test_the_command_is_named_only_where_it_is():
    found = answers.findings([report("01", **METRICS)])
    assert "On yours" not in render_answer(found, {}, {}, Path())
    assert "<code>check &lt;me&gt;</code>" in render_answer(found, {}, {}, Path(), "check <me>")


def test_every_study_has_a_cell_with_word_sign_and_figure():
    found = answers.findings([report("01", "real-standard", **METRICS), report("02")])
    html = render_evidence(found, {}, {}, Path())
    assert html.count("<td ") == 2 * len(answers.QUESTIONS)
    text = plain(html)
    assert "✗ no -0.4 [-0.5, -0.3] n = 450 images, 33 patients" in text
    assert "✓ yes 0.75 [0.7, 0.8]" in text and text.count("– not measured") == 8
