"""The table of every statement on the index page and the filters above it, as HTML that is whole without a script."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.study.links import section_address
from studylib.study.marks import EVIDENCE, VERDICT_MARKS, badge, slug, spoken, ticked
from studylib.study.statements import KINDS, NO_RUN, Statement

if TYPE_CHECKING:
    from studylib.study.site import Report

FILTERS = ("study", "topic", "verdict", "evidence")
COLUMNS = ("Statement", "Verdict", "On real images", "On phantoms", "Why")
SHOWN = 3  # estimates of a run; the others unfold
GONE = "no longer in the ledger"
ON = {"real": COLUMNS[2], "phantom": COLUMNS[3]}


def render_statements(
    statements: list[Statement], titles: Mapping[str, str], pages: Mapping[str, Path | None], folder: Path
) -> str:
    """One row a statement, both kinds of runs side by side, a heading row a study. titles, pages: study -> its title,
    its executed notebook.
    """
    facets = [_facets(statement) for statement in statements]
    selects = "".join(_select(name, {facet[name] for facet in facets}, titles) for name in FILTERS)
    heads = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    bodies = "\n".join(
        _study(study, list(rows), titles.get(study, ""), pages.get(study), folder)
        for study, rows in groupby(statements, key=lambda statement: statement.study)
    )
    return f"""<section aria-labelledby="statements">
<h2 id="statements">All {len(statements)} statements</h2>
<p class="note">Each stands once. Its verdict is that of the run on real images; where real images cannot test it, that
of the phantoms. <a href="statements.csv" download>All as CSV</a>.</p>
<form id="filters" aria-label="Filter the statements" hidden>{selects}
<label>Words <input type="search" name="words" placeholder="e.g. attention" autocomplete="off"></label>
<button type="reset">Show all</button>
<p id="shown" role="status" aria-live="polite"></p></form>
<table class="verdicts">
<caption class="unseen">Every statement of the sources with its verdict, and what each kind of run says</caption>
<thead><tr>{heads}</tr></thead>
{bodies}
</table>
<p id="none" hidden>No statement fits these filters. The words are looked for in everything that a row says.</p>
</section>"""


def _facets(statement: Statement) -> dict[str, str]:
    return {name: getattr(statement, name) for name in FILTERS}


def _select(name: str, values: set[str], titles: Mapping[str, str]) -> str:
    words = {value: f"{value} {titles.get(value, '')}".strip() if name == "study" else value for value in values}
    options = [
        f'<option value="{escape(value)}">{escape(words[value])}</option>' for value in sorted(values, key=_order(name))
    ]
    choices = "".join(['<option value="">all</option>', *options])
    return f'<label>{name.capitalize()} <select name="{name}">{choices}</select></label>'


def _order(name: str) -> Callable[[str], tuple[int, str]]:
    known = {"verdict": list(VERDICT_MARKS), "evidence": list(EVIDENCE)}.get(name, [])
    return lambda value: (known.index(value) if value in known else len(known), value)


def _study(study: str, rows: list[Statement], title: str, page: Path | None, folder: Path) -> str:
    counts = Counter(statement.verdict for statement in rows)
    told = ", ".join(f"{counts[word]} {word}" for word in (*VERDICT_MARKS, NO_RUN) if counts[word])
    leading = {kind: next((run.report for s in rows if (run := s.on(kind))), None) for kind in KINDS}
    runs = "; ".join(f"{ON[kind]}: {_which(study, kind, leading[kind])}" for kind in KINDS)
    lines = _small(f"{len(rows)} statement{'' if len(rows) == 1 else 's'}: {told}.") + _small(f"{runs}.")
    body = "\n".join(_row(statement, leading, page, folder) for statement in rows)
    head = f'<span class="number">{study}</span> {escape(title)} {lines}'
    return f"""<tbody data-study="{study}">
<tr class="group"><th id="statements-{study}" scope="rowgroup" colspan="{len(COLUMNS)}">{head}</th></tr>
{body}
</tbody>"""


def _which(study: str, kind: str, report: Report | None) -> str:
    if report:
        return f"profile {report.profile}"
    more = " DATA=real PROFILE=standard" if kind == "real" else ""
    return f"{NO_RUN}, `make reproduce STUDY={study}{more}` makes one"


def _row(statement: Statement, leading: Mapping[str, Report | None], page: Path | None, folder: Path) -> str:
    data = " ".join(f'data-{name}="{escape(value)}"' for name, value in _facets(statement).items())
    place = " · ".join(part for part in (statement.source and f"section {statement.source}", statement.topic) if part)
    notes = [place, statement.stated and f"Stated: {statement.stated}", "" if statement.in_ledger else GONE]
    text = f'<span class="id">{escape(statement.claim)}</span> {escape(statement.text)}'
    cells = [("Verdict", mark(statement.verdict) + _small(f"evidence: {statement.evidence}"), 1)]
    why = _why(statement, page, folder)
    if statement.is_read:  # the same whatever the images: one cell for all
        cells.append(("Why", why, len(KINDS) + 1))
    else:
        cells += [(ON[kind], _said(statement, kind, leading[kind]), 1) for kind in KINDS] + [("Why", why, 1)]
    filled = "".join(
        f'<td data-name="{name}"{f" colspan={span}" if span > 1 else ""}><div>{inner}</div></td>'
        for name, inner, span in cells
    )
    head = f'<th scope="row">{text}{"".join(map(_small, filter(None, notes)))}</th>'
    return f'<tr id="s-{escape(statement.claim)}" {data}>{head}{filled}</tr>'


def mark(verdict: str) -> str:
    """A verdict, or that there is no run yet, as a badge."""
    if verdict in VERDICT_MARKS:
        return badge(verdict)
    return f'<span class="badge {slug(verdict)}"><span aria-hidden="true">…</span> {escape(verdict)}</span>'


def _said(statement: Statement, kind: str, leading: Report | None) -> str:
    """What the leading run of a kind says: its verdict, in bold where it counts, its estimates; which run it is where
    that is not the study's leading one.
    """
    judged = statement.on(kind)
    if judged is None:
        return f'<span class="quiet">{NO_RUN}</span>'
    sign, word = VERDICT_MARKS[judged.verdict][0], escape(judged.verdict)
    told = f'<span aria-hidden="true">{sign}</span> {word}'
    told = f"<strong>{told}</strong>" if judged is statement.counted else told
    parts = [f'<span class="estimate">{_breakable(part)}</span>' for part in _estimates(judged.row)]
    more = parts[SHOWN:]
    rest = f"<details><summary>{len(more)} more</summary>{''.join(more)}</details>" if more else ""
    other = "" if judged.report is leading else _small(spoken(judged.report.data, judged.report.profile))
    return told + "".join(parts[:SHOWN]) + rest + other


def _estimates(row: Mapping[str, str]) -> list[str]:
    return [part for part in row.get("estimate", "").split("; ") if part]


def _breakable(estimate: str) -> str:
    """An estimate as HTML; the name of a metric may break behind a dot or an underscore."""
    return re.sub(r"(?<=[a-z0-9][._])(?=[a-z])", "<wbr>", escape(estimate))


def _why(statement: Statement, page: Path | None, folder: Path) -> str:
    reason = ticked(statement.reason)
    others = [
        f"<dt>{ON[judged.report.data]}</dt><dd>{ticked(judged.row.get('reason', ''))}</dd>"
        for judged in (statement.on(kind) for kind in KINDS)
        if judged and judged is not statement.counted and judged.row.get("reason") and not statement.is_read
    ]
    rule = [f"<dt>Rule</dt><dd>{ticked(statement.rule)}</dd>"] if statement.rule else []
    more = "".join([*rule, *others])
    details = f"<details><summary>rule{' and the other run' if others else ''}</summary><dl>{more}</dl></details>"
    link = ""
    if address := section_address(page, statement.section, folder):
        title = statement.section.title if statement.section else "the notebook"
        whose = f'<span class="unseen">{escape(statement.claim)} is settled in </span>'
        link = f'<a class="settled" href="{address}">{whose}{escape(title)}</a>'
    return f"<span>{reason}</span>{link}{details if more else ''}"


def _small(text: str) -> str:
    return f'<span class="small">{ticked(text)}</span>'
