"""The layout of reports/index.html: one file with its style and script inside, that asks nothing of the network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.study.answers import findings
from studylib.study.index_answers import ASKED, render_answer, render_evidence, render_maps
from studylib.study.index_cards import render_card, stripe
from studylib.study.index_statements import mark, render_statements
from studylib.study.links import href, notebook_page, section_address
from studylib.study.marks import EVIDENCE, VERDICT_MARKS
from studylib.study.sections import Contents
from studylib.study.statements import NO_RUN, Statement

if TYPE_CHECKING:
    from studylib.study.site import Report

TITLE = "Where do class activation maps look? What was claimed, and what holds"
LIMITS = (
    "For research and teaching only, not for diagnosis: a verdict speaks about images and networks, not about patients."
)
CLAIMED = (
    "Published studies say that class activation maps show where a medical image classifier looks. Here they are "
    "repeated and measured, on real images and on phantoms, drawn images whose truth is known."
)
NOTHING_YET = "No report yet. <code>make reproduce</code> writes the first, on phantoms, without a download of images."
POLICY = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
OVERVIEWS = {"00": "Start here", "06": "Synthesis"}  # what the page calls a notebook over all studies
SYNTHESIS = "06"  # the one that says which map to use
AUDIT = "python -m studylib audit --data FOLDER --model MODULE:FUNCTION --weights FILE.safetensors"
WHICH_MAP = "sets every map against the best guess, the gates, planted cues and cost; this is its table."
NO_RUN_MEANS = "No run judged it; its study says which command does."


@dataclass(frozen=True)
class Page:
    """All that the page shows. folder: where it will stand; reports: of studies, as they lead; overviews: of notebooks
    over all studies; settings, titles, contents: by notebook; audits: whether a reader's own images can be checked.
    """

    folder: Path
    reports: list[Report]
    overviews: list[Report]
    statements: list[Statement]
    settings: dict[str, dict]
    titles: dict[str, str]
    contents: dict[str, Contents]
    problems: list[str] = field(default_factory=list)
    audits: bool = False

    @property
    def runs(self) -> dict[str, list[Report]]:
        """Study -> its runs as they lead; a study that only a ledger knows has none."""
        found: dict[str, list[Report]] = {statement.study: [] for statement in self.statements}
        for report in self.reports:
            found.setdefault(report.study, []).append(report)
        return dict(sorted(found.items()))


def render(page: Page) -> str:
    """The whole page as text."""
    body = [_head(page), _problems(page.problems)]
    runs = page.runs
    if page.reports:
        found, pages = findings(page.reports), {study: notebook_page(reports) for study, reports in runs.items()}
        around = (pages, page.contents, page.folder)
        body.append(render_answer(found, *around, AUDIT if page.audits else ""))
        body.append(_numbers(page, render_evidence(found, *around)))
    if runs:
        body.append(_studies(page, runs))
        pages = {study: notebook_page(reports) for study, reports in runs.items()}
        body.append(render_statements(page.statements, page.titles, pages, page.folder))
    return _document("\n".join(part for part in body if part))


def _document(body: str) -> str:
    here = files("studylib.study")
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("index.css", "index.js"))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{TITLE}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
<main id="main" tabindex="-1">
{body}
</main>
<footer><p>Written by <code>make reproduce</code>; <code>make site</code> writes it again. {LIMITS}</p></footer>
<script>
{script}</script>
</body>
</html>
"""


def _head(page: Page) -> str:
    links = [("#answer", ASKED)] if page.reports else []
    links += [(href(path, page.folder), overview_name(number, path)) for number, path in overview_pages(page).items()]
    links += [("#numbers", "What holds, in numbers")] if page.reports else []
    links += [("#studies", "The studies"), ("#statements", "All statements")] if page.runs else []
    items = "".join(f'<li><a href="{address}">{escape(name)}</a></li>' for address, name in links)
    nav = f'<nav aria-label="On this page"><ul>{items}</ul></nav>' if items else ""
    return f"""<header>
<p class="kicker">studylib</p>
<h1>{TITLE}</h1>
<p class="lead">{CLAIMED if page.reports else NOTHING_YET}</p>
<p class="limits">{LIMITS}</p>
{nav}
</header>"""


def overview_pages(page: Page) -> dict[str, Path]:
    """Number of a notebook over all studies -> its executed page, where that is there."""
    found: dict[str, list[Report]] = {}
    for report in page.overviews:
        found.setdefault(report.study, []).append(report)
    shown = {number: notebook_page(reports) for number, reports in sorted(found.items())}
    return {number: path for number, path in shown.items() if path}


def overview_name(number: str, path: Path) -> str:
    """What the page calls a notebook over all studies."""
    return OVERVIEWS.get(number, path.stem[3:].replace("_", " ").capitalize())


def _headline(page: Page) -> str:
    """How many studies, on which images, and how their statements came out; each statement counted once."""
    counts = Counter(statement.verdict for statement in page.statements)
    said = [f"<strong>{counts[word]}</strong> {word}" for word in (*VERDICT_MARKS, NO_RUN) if counts[word]]
    listed = " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
    judged = [reports for reports in page.runs.values() if reports]
    many = f"{len(judged)} {'study' if len(judged) == 1 else 'studies'}"
    real = sum(reports[0].data == "real" for reports in judged)
    where = {0: "on phantoms alone", len(judged): "on real images"}.get(real, f"{real} of them on real images")
    total = f"<strong>{len(page.statements)}</strong>"
    return f"{many} examined, {where}. Verdicts on the {total} statements in their texts: {listed or 'none yet'}."


def _problems(problems: list[str]) -> str:
    if not problems:
        return ""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f'<section class="problems"><h2>Left out, because it could not be read</h2><ul>{items}</ul></section>'


def _numbers(page: Page, evidence: str) -> str:
    section = page.contents.get(SYNTHESIS, Contents()).about("which map")
    pages = overview_pages(page)
    address = section_address(pages.get(SYNTHESIS), section, page.folder)
    maps = f'<h3 id="maps">Which map when</h3>\n<p><a href="{address}">{OVERVIEWS[SYNTHESIS]}</a> {WHICH_MAP}</p>\n'
    maps += render_maps(pages[SYNTHESIS].parent / "tables" / "which_map.csv") if SYNTHESIS in pages else ""
    return f"""<section aria-labelledby="numbers">
<h2 id="numbers">What holds, in numbers</h2>
<p class="lead">{_headline(page)}</p>
{evidence}
{maps if address else ""}
{_key(page)}
</section>"""


def _key(page: Page) -> str:
    counts = Counter(statement.verdict for statement in page.statements)
    most = max(counts.values(), default=0) or 1
    meanings = {word: meaning for word, (_, meaning) in VERDICT_MARKS.items()}
    meanings |= {NO_RUN: NO_RUN_MEANS} if counts[NO_RUN] else {}
    rows = "".join(
        f'<tr><th scope="row">{mark(word)}</th><td class="count">{counts[word]}</td>'
        f'<td class="meter" aria-hidden="true">{stripe(word, counts[word] / most)}</td>'
        f'<td class="meaning">{escape(meaning)}</td></tr>\n'
        for word, meaning in meanings.items()
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Verdict", "Statements", "Bar", "Meaning"))
    kinds = "".join(f"<div><dt>{word}</dt><dd>{escape(text)}</dd></div>" for word, text in EVIDENCE.items())
    return f"""<h3 id="key">How to read a verdict</h3>
<table class="key">
<caption>A rule written down beforehand gives each verdict. Every statement counts once.</caption>
<thead class="unseen"><tr>{heads}</tr></thead>
<tbody>
{rows}</tbody></table>
<h3>What it rests on</h3>
<dl class="kinds">{kinds}</dl>"""


def _studies(page: Page, runs: dict[str, list[Report]]) -> str:
    cards = "\n".join(
        render_card(
            study,
            page.settings.get(study, {}),
            page.titles.get(study, study),
            reports,
            [statement for statement in page.statements if statement.study == study],
            page.folder,
        )
        for study, reports in runs.items()
    )
    return f'<section aria-labelledby="studies">\n<h2 id="studies">The studies</h2>\n{cards}\n</section>'
