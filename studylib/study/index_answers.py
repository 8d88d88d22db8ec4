"""The answer that a reader of the index page came for, in a few sentences, and what each study says, as a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from html import escape
from pathlib import Path

from studylib.study.answers import (
    NO,
    QUESTIONS,
    UNDECIDED,
    UNMEASURED,
    YES,
    Finding,
    Question,
    count_sentence,
    example,
    short_answer,
    without_p,
)
from studylib.study.links import section_address
from studylib.study.sections import Contents

ASKED = "Can I trust Grad-CAM on my images?"
# outcome -> (sign, class of its badge)
MARKS = {
    YES: ("✓", "reproduced"),
    NO: ("✗", "not-reproduced"),
    UNDECIDED: ("?", "undecided"),
    UNMEASURED: ("–", "not-testable"),
}
IMAGES = {"real": "real images", "phantom": "phantoms"}


def render_answer(
    found: Mapping[str, list[Finding]],
    pages: Mapping[str, Path | None],
    contents: Mapping[str, Contents],
    folder: Path,
    command: str = "",
) -> str:
    """The short answer, and a sentence a question with the one figure that it quotes. pages, contents: study -> its
    executed notebook, its sections; command: what checks a reader's own images, "" where there is none.
    """
    items = "\n".join(_sentence(question, found[question.name], pages, contents, folder) for question in QUESTIONS)
    own = f"On yours: <code>{escape(command)}</code>." if command else ""
    return f"""<section class="answer" aria-labelledby="answer">
<h2 id="answer">{ASKED.replace("Grad-CAM", '<span class="whole">Grad-CAM</span>')}</h2>
<p class="short">{escape(short_answer(found))}</p>
<ol class="questions">
{items}
</ol>
<p class="note"><a href="#evidence">Every figure, study by study</a>.
{own}</p>
</section>"""


def _sentence(question: Question, found: list[Finding], pages: Mapping, contents: Mapping, folder: Path) -> str:
    quoted = example(found)
    if quoted is None:
        figure = ""
    else:
        where = f"Study {quoted.study}, {IMAGES[quoted.report.data]}"
        linked = _linked(where, quoted, pages, contents, folder)
        figure = f' <span class="figure">{linked}: {escape(quoted.measure)}, {escape(quoted.figure)}.</span>'
    return f"<li><strong>{escape(question.asks)}</strong> {escape(count_sentence(question, found))}{figure}</li>"


def render_evidence(
    found: Mapping[str, list[Finding]], pages: Mapping[str, Path | None], contents: Mapping[str, Contents], folder: Path
) -> str:
    """A row a question, a column a study: what it says, the figure behind it, the section that measured it."""
    studies = [finding.study for finding in next(iter(found.values()), [])]
    heads = "".join(f'<th scope="col"><a href="#study-{study}">Study {study}</a></th>' for study in studies)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(question.asks)}{_small("yes: " + question.holds)}</th>'
        + "".join(_cell(finding, pages, contents, folder) for finding in found[question.name])
        + "</tr>"
        for question in QUESTIONS
    )
    return f"""<h3 id="evidence">Study by study</h3>
<table class="evidence">
<caption>A study says yes where the whole 95 % interval of its least favourable figure lies on the asked side of the
bound. The answer above quotes the study with the most groups, real images first.</caption>
<thead><tr><th scope="col">Question</th>{heads}</tr></thead>
<tbody>
{rows}
</tbody></table>"""


def render_maps(table: Path) -> str:
    """The synthesis's table of maps, `which_map.csv`, as it stands there; "" where it is not there or holds no rows."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error):
        return ""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(
            f'<td data-name="{escape(name)}"><div>{escape(text)}</div></td>'
            for name, text in zip(head[1:], row[1:], strict=False)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f"""<table class="evidence maps">
<caption class="unseen">Each map: what it needs, what was found, what may be said with it</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{body}
</tbody></table>"""
        if rows
        else ""
    )


def _cell(finding: Finding, pages: Mapping, contents: Mapping, folder: Path) -> str:
    sign, kind = MARKS[finding.outcome]
    told = f'<span class="badge {kind}"><span aria-hidden="true">{sign}</span> {finding.outcome}</span>'
    if finding.report:
        among = f", the least favourable of {finding.among}" if finding.among > 1 else ""
        linked = _linked(IMAGES[finding.report.data], finding, pages, contents, folder)
        told += f' <span class="estimate">{_two_lines(finding.figure)}</span>'
        told += f'<span class="small">{linked}: {escape(finding.measure)}{among}</span>'
        if finding.other:
            told += _small(f"Best other map, {finding.other.name}: {without_p(finding.other.estimate)}")
    return f'<td data-name="Study {finding.study}"><div>{told}</div></td>'


def _two_lines(figure: str) -> str:
    """A figure as HTML, what it rests on below its interval."""
    value, comma, rests = figure.partition(", n = ")
    return escape(value) + (_small(f"n = {rests}") if comma else "")


def _linked(text: str, finding: Finding, pages: Mapping, contents: Mapping, folder: Path) -> str:
    section = contents.get(finding.study, Contents()).about(finding.question.section)
    address = section_address(pages.get(finding.study), section, folder)
    return f'<a href="{address}">{escape(text)}</a>' if address else escape(text)


def _small(text: str) -> str:
    return f'<span class="small">{escape(text)}</span>'
