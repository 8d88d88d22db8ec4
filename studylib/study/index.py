"""The layout of reports/index.html: one file with its style and script inside, that asks nothing of the network."""

from __future__ import annotations

import base64
from collections import Counter
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.study.marks import EVIDENCE, VERDICT_MARKS, badge, slug, spoken
from studylib.study.statements import render_statements

if TYPE_CHECKING:
    from studylib.study.site import Report

TITLE = "Where do class activation maps look? What was claimed, and what holds"
LIMITS = (
    "For research and teaching only, not for diagnosis: a verdict speaks about images and networks, not about patients."
)
NOTHING_YET = "No report yet. <code>make reproduce</code> writes the first, on phantoms, without a download of images."
POLICY = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
EMBED_BYTES = 700_000  # a larger figure is linked, so that the page stays a page


def render(reports: list[Report], problems: list[str], folder: Path) -> str:
    """The whole page as text. reports: in the order in which they are shown; folder: where index.html will stand."""
    studies: dict[str, list[Report]] = {}
    for report in reports:
        studies.setdefault(report.study, []).append(report)
    body = [_head(studies), _problems(problems)]
    if reports:
        cards = "\n".join(_card(runs, folder) for runs in studies.values())
        body.append(_key(studies))
        body.append(f'<section aria-labelledby="studies">\n<h2 id="studies">The studies</h2>\n{cards}\n</section>')
        body.append(render_statements(reports))
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


def _head(studies: dict[str, list[Report]]) -> str:
    return f"""<header>
<p class="kicker">studylib</p>
<h1>{TITLE}</h1>
<p class="lead">{_headline(studies) if studies else NOTHING_YET}</p>
<p class="limits">{LIMITS}</p>
</header>"""


def _headline(studies: dict[str, list[Report]]) -> str:
    """Counted from the leading run of each study: real images before phantoms, then the fuller profile."""
    leading = [runs[0] for runs in studies.values()]
    counts = count_verdicts(leading)
    said = [f"<strong>{counts[word]}</strong> {word}" for word in VERDICT_MARKS if counts[word]]
    listed = " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
    many = f"{len(leading)} {'study' if len(leading) == 1 else 'studies'}"
    real = sum(report.data == "real" for report in leading)
    where = {0: "on phantoms alone", len(leading): "on real images"}.get(real, f"{real} of them on real images")
    total = f"<strong>{sum(counts.values())}</strong>"
    return f"{many} examined, {where}. Verdicts on the {total} statements in the text: {listed or 'none yet'}."


def count_verdicts(reports: list[Report]) -> Counter[str]:
    """Verdict -> number of statements."""
    return Counter(row["verdict"] for report in reports for row in report.verdicts)


def _problems(problems: list[str]) -> str:
    if not problems:
        return ""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f'<section class="problems"><h2>Left out, because it could not be read</h2><ul>{items}</ul></section>'


def _key(studies: dict[str, list[Report]]) -> str:
    counts = count_verdicts([runs[0] for runs in studies.values()])
    most = max(counts.values(), default=0) or 1
    rows = "".join(
        f'<tr><th scope="row">{badge(word)}</th><td class="count">{counts[word]}</td>'
        f'<td class="meter" aria-hidden="true">{_stripe(word, counts[word] / most)}</td>'
        f'<td class="meaning">{escape(meaning)}</td></tr>\n'
        for word, (_, meaning) in VERDICT_MARKS.items()
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Verdict", "Statements", "Bar", "Meaning"))
    kinds = "".join(f"<div><dt>{word}</dt><dd>{escape(text)}</dd></div>" for word, text in EVIDENCE.items())
    return f"""<section aria-labelledby="key">
<h2 id="key">How to read a verdict</h2>
<table class="key">
<caption>A rule written down beforehand gives each verdict. The counts are those of the sentence above.</caption>
<thead class="unseen"><tr>{heads}</tr></thead>
<tbody>
{rows}</tbody></table>
<h3>What it rests on</h3>
<dl class="kinds">{kinds}</dl>
</section>"""


def _stripe(verdict: str, share: float) -> str:
    return f'<span class="{slug(verdict)}" style="width:{100 * share:.2f}%"></span>' if share else ""


def _card(runs: list[Report], folder: Path) -> str:
    study, settings = runs[0].study, runs[0].settings
    title = str(settings.get("title") or runs[0].name[3:].replace("_", " "))
    claim = str(settings.get("claim", ""))
    said = f'<p class="claim"><span class="label">Claimed</span> {escape(claim)}</p>\n' if claim else ""
    parts = "\n".join(_run(report, folder) for report in runs)
    return f"""<article class="card" aria-labelledby="study-{study}">
<h3 id="study-{study}"><span class="number">{study}</span> {escape(title)}</h3>
{said}{_figure(runs, folder)}
<div class="runs">
{parts}
</div>
</article>"""


def _figure(runs: list[Report], folder: Path) -> str:
    """The headline figure of the first run that has one, inside the page where it is small enough."""
    for report in runs:
        path = report.folder / "figures" / "headline.png"
        if not path.is_file():
            continue
        content = path.read_bytes()
        embedded = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        source = embedded if len(content) <= EMBED_BYTES else _href(path, folder)
        alt = f"Headline figure of study {report.study} on {spoken(report.data, report.profile)}"
        said = path.with_suffix(".txt")  # its caption, with the command that draws it again
        caption = said.read_text(encoding="utf-8").strip() if said.is_file() else f"{alt}."
        return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{_ticked(caption)}</figcaption></figure>'
    return ""


def _ticked(text: str) -> str:
    """Plain text as HTML, what stands between back-ticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _run(report: Report, folder: Path) -> str:
    counts = count_verdicts([report])
    total = sum(counts.values()) or 1
    bar = "".join(_stripe(word, counts[word] / total) for word in VERDICT_MARKS)
    facts = {
        "Verdicts": escape(", ".join(f"{counts[word]} {word}" for word in VERDICT_MARKS if counts[word]) or "none")
    }
    if (primary := report.primary) in report.metrics:
        number = escape(estimate_text(report.metrics[primary]))
        facts["Primary estimand"] = f"<code>{escape(primary)}</code><br><strong>{number}</strong>"
    if name := report.dataset.get("name"):
        facts["Images"] = f"{escape(str(name))} <code>{escape(str(report.dataset.get('fingerprint', '')))}</code>"
    facts["Made by"] = _made_by(report)
    facts["Files"] = f'<span class="files">{" ".join(_links(report, folder))}</span>'
    rows = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>\n" for name, text in facts.items())
    heading = spoken(report.data, report.profile)
    return f"""<section class="run">
<h4>On {escape(heading)}</h4>
<div class="bar" aria-hidden="true">{bar}</div>
<dl>
{rows}</dl>
</section>"""


def estimate_text(metric: dict) -> str:
    """An entry of metrics.json as `0.31 [0.26, 0.36], n = 470, 47 groups (patient)`; a null is called undefined."""
    value, low, high = (
        "undefined" if metric.get(key) is None else f"{metric[key]:.3g}" for key in ("value", "low", "high")
    )
    groups = f", {metric['groups']:,} groups ({metric.get('unit') or 'no unit'})" if metric.get("groups") else ""
    return f"{value} [{low}, {high}], n = {metric.get('n') or 0:,}{groups}"


def _made_by(report: Report) -> str:
    commit, clean = str(report.provenance.get("commit", "unknown")), report.provenance.get("clean")
    state = {True: "", False: " with changes that were not committed"}.get(clean, "")
    minutes = (report.provenance.get("seconds") or {}).get("notebook", 0) / 60
    took = f", notebook {minutes:,.0f} min" if minutes >= 1 else ""
    return f"commit <code>{escape(commit[:10])}</code>{state}, seed {escape(str(report.seed))}{took}"


def _links(report: Report, folder: Path) -> list[str]:
    """Links to what is committed. On real images a notebook shows patients: it is named, not linked."""
    files = [report.folder / name for name in ("verdicts.csv", "metrics.json", "provenance.json")]
    files += sorted(report.folder.glob("tables/*.csv"))
    links = [f'<a href="{_href(path, folder)}">{escape(path.name)}</a>' for path in files]
    notebook = report.folder / f"{report.name}.html"
    if report.data == "real":
        where = escape(notebook.relative_to(folder).as_posix())
        return [f"<span>The notebook shows patients and is not published: <code>{where}</code></span>", *links]
    if notebook.is_file():
        return [f'<a class="notebook" href="{_href(notebook, folder)}">The notebook, executed</a>', *links]
    return links


def _href(path: Path, folder: Path) -> str:
    return escape(path.relative_to(folder).as_posix())
