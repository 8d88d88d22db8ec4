"""A card a study on the index page: what was claimed, what holds, its best figure, its runs side by side, its files."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.study.links import href, notebook_page
from studylib.study.marks import VERDICT_MARKS, slug, spoken, ticked
from studylib.study.statements import NO_RUN, Statement

if TYPE_CHECKING:
    from studylib.study.site import Report

EMBED_BYTES = 400_000  # a larger figure is linked, so that the page stays a page


def render_card(study: str, settings: dict, title: str, runs: list[Report], rows: list[Statement], folder: Path) -> str:
    """The card of a study. settings: `[study]` of its notebook; runs: as they lead; rows: its statements."""
    claim = str(settings.get("claim", ""))
    said = f'<p class="claim"><span class="label">Claimed</span> {escape(claim)}</p>\n' if claim else ""
    parts = "\n".join(_run(report, folder) for report in runs)
    inside = f'{_figure(runs, folder)}{_headline(settings, runs)}<div class="runs">\n{parts}\n</div>'
    if not runs:
        inside = f"<p>No run yet: <code>make reproduce STUDY={study}</code> makes one.</p>"
    return f"""<article class="card" aria-labelledby="study-{study}">
<h3 id="study-{study}"><span class="number">{study}</span> {escape(title)}</h3>
{said}{_holds(study, rows, runs, folder)}
{inside}
</article>"""


def _holds(study: str, rows: list[Statement], runs: list[Report], folder: Path) -> str:
    counts = Counter(statement.verdict for statement in rows)
    told = ", ".join(f"{counts[word]} {word}" for word in (*VERDICT_MARKS, NO_RUN) if counts[word])
    link = f'<a href="#statements-{study}">{len(rows)} statement{"" if len(rows) == 1 else "s"}</a>'
    page = notebook_page(runs)
    parts = [f'<span class="label">What holds</span> Of {link}: {escape(told)}.']
    if page:
        parts.append(f'<a class="notebook" href="{href(page, folder)}">The notebook, executed on phantoms</a>.')
    return f'<p class="claim">{" ".join(parts)}</p>{stripes(counts)}'


def stripes(counts: Counter[str]) -> str:
    """Counts of verdicts as a bar; the words beside it say the same."""
    total = sum(counts.values()) or 1
    inside = "".join(stripe(word, counts[word] / total) for word in (*VERDICT_MARKS, NO_RUN))
    return f'<div class="bar" aria-hidden="true">{inside}</div>'


def stripe(verdict: str, share: float) -> str:
    """A part of a bar."""
    return f'<span class="{slug(verdict)}" style="width:{100 * share:.2f}%"></span>' if share else ""


def count_verdicts(reports: Iterable[Report]) -> Counter[str]:
    """Verdict -> how often the runs give it."""
    return Counter(row["verdict"] for report in reports for row in report.verdicts)


def _figure(runs: list[Report], folder: Path) -> str:
    """The headline figure of the first run that has one, inside the page where it is small enough."""
    for report in runs:
        path = report.folder / "figures" / "headline.png"
        if not path.is_file():
            continue
        content = path.read_bytes()
        embedded = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        source = embedded if len(content) <= EMBED_BYTES else href(path, folder)
        alt = f"Headline figure of study {report.study} on {spoken(report.data, report.profile)}"
        said = path.with_suffix(".txt")  # its caption, with the command that draws it again
        caption = said.read_text(encoding="utf-8").strip() if said.is_file() else f"{alt}."
        return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{ticked(caption)}</figcaption></figure>\n'
    return ""


def _headline(settings: dict, runs: list[Report]) -> str:
    """The figures that the study's settings call its headline, a row each, a column a run; always the primary."""
    words = {str(metric): str(text) for metric, text in settings.get("headline", {}).items()}
    for report in runs:
        if report.primary in report.metrics:
            words.setdefault(report.primary, f"Primary: {report.primary}")
    rows = [(text, [report.metrics.get(metric) for report in runs]) for metric, text in words.items()]
    rows = [(text, found) for text, found in rows if any(found)]
    if not rows:
        return ""
    names = [spoken(report.data, report.profile) for report in runs]
    heads = "".join(f'<th scope="col">On {escape(name)}</th>' for name in names)
    body = "\n".join(
        f'<tr><th scope="row">{escape(text)}</th>{"".join(map(_measured, names, found))}</tr>' for text, found in rows
    )
    return f"""<table class="headline">
<caption class="unseen">Headline figures of the study, a column a run</caption>
<thead><tr><th scope="col">Measured</th>{heads}</tr></thead>
<tbody>
{body}
</tbody></table>
"""


def _measured(run: str, entry: dict | None) -> str:
    inside = estimate_text(entry) if entry else "not in this run"
    return f'<td data-name="{escape(run.replace("profile ", ""))}"><div>{inside}</div></td>'


def estimate_text(entry: dict) -> str:
    """An entry of metrics.json as every report writes it, as HTML: `0.31 [0.26, 0.36], n = 470 images, 47 patients`."""
    from studylib.study.claims import as_estimate

    return escape(str(as_estimate(entry)))


def _run(report: Report, folder: Path) -> str:
    counts = count_verdicts([report])
    told = ", ".join(f"{counts[word]} {word}" for word in VERDICT_MARKS if counts[word]) or "none"
    facts = {"Verdicts": escape(told)}
    if name := report.dataset.get("name"):
        facts["Images"] = f"{escape(str(name))} <code>{escape(str(report.dataset.get('fingerprint', '')))}</code>"
    facts["Made by"] = f"<code>{escape(report.command)}</code>"
    facts["Code"] = _code(report)
    facts["Files"] = _files(report, folder)
    rows = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>\n" for name, text in facts.items())
    return f"""<section class="run">
<h4>On {escape(spoken(report.data, report.profile))}</h4>
{stripes(counts)}
<dl>
{rows}</dl>
</section>"""


def _code(report: Report) -> str:
    commit, clean = str(report.provenance.get("commit", "unknown")), report.provenance.get("clean")
    dated = f" of {escape(report.committed)}" if report.committed else ""
    state = {True: "", False: " with changes that were not committed"}.get(clean, "")
    minutes = (report.provenance.get("seconds") or {}).get("notebook", 0) / 60
    took = f"; the notebook took {minutes:,.0f} min" if minutes >= 1 else ""
    return f"commit <code>{escape(commit[:10])}</code>{dated}{state}{took}"


def _files(report: Report, folder: Path) -> str:
    """Links to what is committed. On real images a notebook shows patients: it is named, not linked."""
    kept = [report.folder / name for name in ("verdicts.csv", "metrics.json", "provenance.json")]
    tables = sorted(report.folder.glob("tables/*.csv"))
    links = f'<span class="files">{" ".join(map(lambda path: _file(path, folder), kept))}</span>'
    if tables:
        inside = " ".join(_file(path, folder) for path in tables)
        many = "1 table" if len(tables) == 1 else f"{len(tables)} tables"
        links += f'<details><summary>{many} as CSV</summary><span class="files">{inside}</span></details>'
    notebook = report.folder / f"{report.name}.html"
    if report.data == "real":
        where = escape(notebook.relative_to(folder).as_posix())
        return (
            f'{links}<span class="small">The notebook shows patients and is not published: <code>{where}</code></span>'
        )
    if notebook.is_file():
        return f'<a class="notebook" href="{href(notebook, folder)}">The notebook, executed</a> {links}'
    return links


def _file(path: Path, folder: Path) -> str:
    return f'<a href="{href(path, folder)}">{escape(path.name)}</a>'
