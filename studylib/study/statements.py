"""The table of every statement with its verdicts, and the filters above it, as HTML that is whole without a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from studylib.study.marks import EVIDENCE, VERDICT_MARKS, badge, spoken

if TYPE_CHECKING:
    from studylib.study.site import Report

FILTERS = ("study", "images", "topic", "verdict", "evidence")
HEADINGS = "".join(f'<th scope="col">{name}</th>' for name in ("Statement", "Verdict", "Stated", "Ours", "Why"))


def render_statements(reports: list[Report]) -> str:
    """One row for each statement and run, sorted by statement, the runs of a statement side by side."""
    rows = [(report, row) for report in reports for row in report.verdicts]
    rows.sort(key=lambda pair: (pair[0].study, natural_key(pair[1]["claim"])))  # stable: keeps the order of runs
    facets = [_facets(report, row) for report, row in rows]
    selects = "".join(_select(name, {facet[name] for facet in facets}) for name in FILTERS)
    body = "\n".join(_row(row, facet) for (_, row), facet in zip(rows, facets, strict=True))
    return f"""<section aria-labelledby="verdicts">
<h2 id="verdicts">Every statement</h2>
<form id="filters" hidden>{selects}
<label>Words <input type="search" name="words" placeholder="e.g. attention" autocomplete="off"></label>
<button type="reset">Show all</button>
<p id="shown" role="status" aria-live="polite"></p></form>
<table class="verdicts">
<caption class="unseen">Every statement of the sources with its verdict in each run</caption>
<thead><tr>{HEADINGS}</tr></thead>
<tbody>
{body}
</tbody></table>
<p id="none" hidden>No statement fits these filters.</p>
</section>"""


def natural_key(claim: str) -> list[tuple[int, str]]:
    """A sort key that puts 2.9 before 2.10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", claim)]


def _facets(report: Report, row: dict[str, str]) -> dict[str, str]:
    return {
        "study": report.study,
        "images": spoken(report.data, report.profile),
        "topic": row.get("topic", ""),
        "verdict": row["verdict"],
        "evidence": row.get("evidence", ""),
    }


def _select(name: str, values: set[str]) -> str:
    options = [
        f'<option value="{escape(value)}">{escape(value)}</option>' for value in sorted(values, key=_order(name))
    ]
    choices = "".join(['<option value="">all</option>', *options])
    return f'<label>{name.capitalize()} <select name="{name}">{choices}</select></label>'


def _order(name: str) -> Callable[[str], tuple[int, str]]:
    known = {"verdict": list(VERDICT_MARKS), "evidence": list(EVIDENCE)}.get(name, [])
    return lambda value: (known.index(value) if value in known else len(known), value)


def _row(row: dict[str, str], facets: dict[str, str]) -> str:
    data = " ".join(f'data-{name}="{escape(value)}"' for name, value in facets.items())
    place = [f"section {row['source']}" if row.get("source") else "", row.get("topic", "")]
    statement = f'<span class="id">{escape(row["claim"])}</span> {escape(row.get("statement", ""))}'
    rule = f"<details><summary>rule</summary>{escape(row['rule'])}</details>" if row.get("rule") else ""
    cells = {
        "Verdict": badge(row["verdict"])
        + _small([f"evidence: {row.get('evidence') or 'not given'}"])
        + _small([facets["images"]]),
        "Stated": escape(row.get("stated", "")),
        "Ours": "<br>".join(escape(part) for part in row.get("estimate", "").split("; ")),
        "Why": f"<span>{escape(row.get('reason', ''))}</span>{rule}",
    }
    filled = "".join(
        f'<td data-name="{name}"{"" if text else " class=blank"}>{_one(text)}</td>' for name, text in cells.items()
    )
    return f'<tr {data}><th scope="row">{statement}{_small(place)}</th>{filled}</tr>'


def _small(parts: list[str]) -> str:
    return f'<span class="small">{escape(" · ".join(part for part in parts if part))}</span>'


def _one(text: str) -> str:
    """The content of a cell as one element, which a narrow screen sets beside the cell's name."""
    return f"<div>{text}</div>" if text else ""
