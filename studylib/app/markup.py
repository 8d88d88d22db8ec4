"""Pieces of the page as HTML: the notice, probabilities as a table with bars, doubts, maps in a grid, the card.

Every text that comes from a file or a data set is escaped. Colours follow the page's own, light or dark.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.app.card import Card
from studylib.app.look import RESEARCH, Doubt, Look, table_of
from studylib.app.panels import Panel, palette, scale_of

MOST_CLASSES = 9


def escape(text: str) -> str:
    """A text as HTML holds it, attributes too; a number is not parted from its per cent sign."""
    return html.escape(text, quote=True).replace(" %", "\u00a0%")


def style() -> str:
    """The page's style sheet."""
    return f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


def notice() -> str:
    """The sentence that stays on top whatever is scrolled."""
    return f'<div class="notice" role="note"><strong>{escape(RESEARCH)}</strong></div>'


def prediction(look: Look) -> str:
    """The class that the network names, how sure it is, and the truth where it is known."""
    found = look.found
    name, share = found.classes[found.said].replace("_", " "), 100 * found.p[found.said]
    truth = ""
    if look.truth:
        right = look.truth == found.classes[found.said]
        mark, said = ("\u2713", "right") if right else ("\u2717", "wrong")
        truth = f'<p class="truth">Truth: <strong>{escape(look.truth.replace("_", " "))}</strong> ({mark} {said})</p>'
    return (
        f'<div class="said"><p class="lead">The network says</p><p class="name">{escape(name)}</p>'
        f'<p class="sure">{share:.0f} % calibrated confidence</p>{truth}</div>'
    )


def probabilities(look: Look) -> str:
    """Every class with its calibrated probability as a bar and as a number, and as trained: one table for all."""
    rows, table = [], table_of(look)
    for name, calibrated, raw in table.head(MOST_CLASSES).itertuples(index=False):
        rows.append(
            f'<tr><th scope="row">{escape(name)}</th>'
            f'<td class="bar" aria-hidden="true"><span style="width:{calibrated:.1f}%"></span></td>'
            f"<td>{calibrated:.1f} %</td><td>{raw:.1f} %</td></tr>"
        )
    more = len(table) - MOST_CLASSES
    rest = f'<p class="small">and {more} classes less likely</p>' if more > 0 else ""
    return (
        '<table class="shares"><caption class="unseen">Probability of every class</caption><thead><tr>'
        '<th scope="col">class</th><td aria-hidden="true"></td><th scope="col">calibrated</th>'
        f'<th scope="col">as trained</th></tr></thead><tbody>{"".join(rows)}</tbody></table>{rest}'
    )


def doubts(found: Sequence[Doubt]) -> str:
    """Every reason to doubt, as a list; a sentence where there is none."""
    if not found:
        return '<div class="doubts none"><p>No warning. That is no proof that the network is right.</p></div>'
    rows = "".join(f"<li><strong>{escape(d.title)}:</strong> {escape(d.text)}</li>" for d in found)
    counted = f"{len(found)} warning{'s' if len(found) != 1 else ''}"
    return f'<div class="doubts" role="region" aria-label="Warnings"><p>{counted}</p><ul>{rows}</ul></div>'


def words(look: Look) -> str:
    """What network and map say, in sentences."""
    return f'<p class="words">{escape(look.found.sentence)}</p>'


def gallery(panels: Iterable[Panel]) -> str:
    """The pictures in a grid, each with its title and its own colour bar."""
    return f'<div class="maps">{"".join(_figure(panel) for panel in panels)}</div>'


def _figure(panel: Panel) -> str:
    data = base64.b64encode(panel.png).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(panel.text)}">'
    scale = scale_of(panel)
    bar = ""
    if scale:
        bar = (
            f'<div class="scale" aria-hidden="true"><div class="ramp" style="background:{_ramp()}"></div>'
            f'<div class="ticks"><span>{scale["low"]}</span><span>0</span><span>{scale["high"]}</span></div>'
            f'<div class="unit">{escape(scale["unit"])}</div></div>'
        )
    note = f'<p class="note">{escape(panel.note)}</p>' if panel.note else ""
    return f"<figure><figcaption>{escape(panel.title)}</figcaption>{image}{bar}{note}</figure>"


def _ramp() -> str:
    steps = palette()[np.linspace(0, 255, 9).round().astype(int)]
    return f"linear-gradient(to right,{','.join(f'#{r:02x}{g:02x}{b:02x}' for r, g, b in steps)})"


def legend(threshold: float, truth: bool) -> str:
    """What outlines and colours mean."""
    known = '<span><i class="line white"></i>the true outline</span>' if truth else ""
    return (
        '<p class="legend"><span><i class="line cyan"></i>'
        f"the map above {100 * threshold:.0f} % of its maximum</span>{known}"
        '<span><i class="dot for"></i>speaks for the class</span>'
        '<span><i class="dot against"></i>speaks against it</span>'
        "</p>"
    )


def measured(table: pd.DataFrame) -> str:
    """How well each map finds the true outline; the best of each column is marked."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table)
    best = table.max()
    rows = []
    for name, row in table.iterrows():
        cells = "".join(
            f"<td{_best(row[c], best[c])}>{'undefined' if np.isnan(row[c]) else f'{row[c]:.2f}'}</td>" for c in table
        )
        rows.append(f'<tr><th scope="row">{escape(str(name))}</th>{cells}</tr>')
    return (
        '<div class="wide"><table class="measures"><caption class="unseen">How well each map finds the outline'
        "</caption>"
        f'<thead><tr><th scope="col">map</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _best(value: float, best: float) -> str:
    return ' class="best"' if value == best else ""


def card(found: Card) -> str:
    """The network's card as a list of terms."""
    rows = "".join(f"<dt>{escape(what)}</dt><dd>{escape(value)}</dd>" for what, value in found.rows)
    return f'<dl class="card">{rows}</dl>'


def gates(table: pd.DataFrame) -> str:
    """The gates of a study's report, each with its rule, its figure and what came of it."""
    marks = {"pass": "\u2713 pass", "fail": "\u2717 fail", "not applicable": "\u2013 not applicable"}
    rows = "".join(
        f'<tr class="{escape(row.outcome.split()[0])}"><th scope="row">{escape(row.gate)}</th>'
        f"<td>{escape(row.rule)}</td>"
        f"<td>{escape(row.figure)}</td><td>{escape(marks.get(row.outcome, row.outcome))}</td></tr>"
        for row in table.itertuples()
    )
    return (
        '<div class="wide"><table class="gates"><thead><tr><th scope="col">gate</th><th scope="col">rule</th>'
        f'<th scope="col">figure</th><th scope="col">outcome</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
