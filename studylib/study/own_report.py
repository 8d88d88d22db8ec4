"""The report of an audit: the files that every report has, and one page that a person reads, offline."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from studylib.study import record
from studylib.study.display import save_figure, table_html
from studylib.study.index import POLICY
from studylib.study.report_folder import ReportFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMITS = (
    "For research and teaching only, not for diagnosis. This page speaks of one model on these images; "
    "a map that passes every gate still does not show that a model is right."
)
STYLE = """
section { overflow-x: auto; } td, th { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; }
table.dataframe { border-collapse: collapse; font-size: .92rem; } tr { border-bottom: 1px solid var(--line); }
figure { margin: 1rem 0; } figure img { max-width: 100%; background: #fff; border-radius: 4px; }
figcaption { color: var(--quiet); font-size: .9rem; }
.warning { border-left: 4px solid var(--not-reproduced); padding-left: .8rem; }
"""


class OwnReport(ReportFolder):
    """The report of one audit in a folder of the user's. It stands beside it, hidden, until `close`."""

    def __init__(self, target: Path, name: str, command: str, seed: int) -> None:
        self._target, self._command = target, command
        self._page: list[str] = []
        super().__init__(Path.cwd(), name, "own", "audit", seed)

    @property
    def final(self) -> Path:
        return self._target

    @property
    def command(self) -> str:
        return self._command

    def heading(self, text: str) -> None:
        """Begin a section of the page."""
        self._page.append(f"</section>\n<section><h2>{escape(text)}</h2>")

    @contextmanager
    def above(self):
        """What is put on the page inside the block comes before all that stands there."""
        told, self._page = self._page, []
        yield
        self._page += told

    def show(self, table: pd.DataFrame, title: str = "") -> None:
        """Put a table on the page."""
        head = f"<h3>{escape(title)}</h3>" if title else ""
        self._page.append(head + (table_html(table) if len(table) else "<p>Nothing here.</p>"))

    def say(self, text: str) -> None:
        """Put a paragraph on the page, Markdown."""
        from nbconvert.filters.markdown_mistune import markdown2html_mistune

        self._page.append(markdown2html_mistune(text))

    def warn(self, text: str) -> None:
        """Put a paragraph on the page that must not be missed."""
        self._page.append(f'<p class="warning"><strong>Mind:</strong> {escape(text)}</p>')

    def figure(self, fig: Figure, name: str, *, caption: str, patients: bool = False) -> None:
        """Keep a figure and put it on the page; one that shows images stands in `patients/`, so that what is passed on
        can be chosen.
        """
        folder = self._folder / ("patients" if patients else "figures")
        with record.explained(self.final):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.txt").write_text(caption + "\n", encoding="utf-8")
            save_figure(fig, folder / name, photographs=patients)
        coded = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
        picture = f'<img src="data:image/png;base64,{coded}" alt="{escape(caption)}">'
        self._page.append(f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>")
        self._figures[name] = caption

    def close(self, title: str, head: dict, more: dict) -> Path:
        """Write metrics.json, provenance.json and report.html, and put the folder in place. -> the page"""
        with record.explained(self.final):
            record.write_json(self._folder / "metrics.json", record.metrics_json(head, self.metrics))
            record.write_json(self._folder / "provenance.json", self.rested_on() | more)
            (self._folder / "report.html").write_text(self._document(title), encoding="utf-8")
            record.replace_folder(self._folder, self.final)
        return self.final / "report.html"

    def _document(self, title: str) -> str:
        style = files("studylib.study").joinpath("index.css").read_text(encoding="utf-8") + STYLE
        body = "\n".join(self._page).removeprefix("</section>\n<section>")
        return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{style}</style></head>
<body><main><header><p class="kicker">studylib audit</p><h1>{escape(title)}</h1><p class="limits">{LIMITS}</p></header>
<section>{body}</section></main>
<footer><p>Made by <code>{escape(self._command)}</code>. {LIMITS}</p></footer></body></html>
"""
