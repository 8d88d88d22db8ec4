"""CLAIM 2024, the checklist for studies of AI in medical imaging: every item, answered from the records of a run.

Tejani et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update, Radiology: Artificial
Intelligence 6(4), 2024, e240300. The items and the answers' templates stand in `claim_2024.toml`.
"""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import pandas as pd

from studylib.study.claim_facts import facts
from studylib.study.display import on_page, show_text
from studylib.study.fits import Fits
from studylib.study.marks import spoken
from studylib.study.model_cards import Card

if TYPE_CHECKING:
    from studylib.study.study import Study

ITEMS = Path(__file__).with_name("claim_2024.toml")
MARKS = {"answered": "✓", "partly": "◐", "not answered": "✗", "not applicable": "–"}
SECTIONS = (  # of every study's notebook; 0 is what stands above section 1
    "above section 1", "1 What was claimed", "2 The images", "3 The networks", "4 The source's experiment",
    "5 What it did not check", "6 Verdict", "7 What this does not show",
)  # fmt: skip
STYLE = (
    "<style scoped>td,th{text-align:left!important;vertical-align:top;white-space:normal;overflow-wrap:anywhere}"
    "tr.part th{padding-top:1.2em;font-size:1.1em}td.item{width:28%}td.status{width:6.5em}"
    "small{opacity:.75}</style>"
)


@dataclass(frozen=True)
class Item:
    """One item of the checklist as a run answers it. where: numbers of the notebook's sections."""

    number: int
    part: str
    topic: str
    asks: str
    answer: str
    where: tuple[int, ...]
    status: str


def answered(known: Mapping[str, str], data: str, path: Path = ITEMS) -> list[Item]:
    """Every item, its template filled with the facts of a run. known: name -> text; data: "phantom" or "real".

    An item whose template needs a fact that the run does not know is not answered, and says why.
    """
    made = []
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["item"]:
        row = {key: value for key, value in row.items() if key not in ("phantom", "real")} | row.get(data, {})
        needs = [name for _, name, _, _ in Formatter().parse(row["answer"]) if name]
        whole = all(name in known for name in needs)
        answer = row["answer"].format(**known) if whole else row.get("lacking", LACKING.format(absent(needs, known)))
        status = row["status"] if whole else "not answered"
        where = tuple(row["where"])
        made.append(Item(row["number"], row["part"], row["topic"], row["asks"], tidy(answer), where, status))
    return made


LACKING = "This run does not know it ({})."


def absent(needs: list[str], known: Mapping[str, str]) -> str:
    return ", ".join(name.replace("_", " ") for name in needs if name not in known)


def tidy(text: str) -> str:
    """One full stop where a filled-in text brought its own."""
    return re.sub(r"([.!?])\.(?=\s|$)", r"\1", re.sub(r"\s+", " ", text))


def counts(items: list[Item]) -> str:
    """How many items are answered: `30 answered, 6 partly, …`."""
    words = [item.status for item in items]
    return ", ".join(f"{words.count(word)} {word}" for word in MARKS if word in words)


def show(study: Study, fits: Fits, cards: list[Card]) -> None:
    """Answer every item, write tables/claim_2024.csv and claim_2024.md, and show them as one table.

    cards: the model cards of this run (`card_pages.write`). Nothing is recorded: the items repeat what the run found.
    """
    items = answered(facts(study, fits, cards), study.data)
    study.keep("claim_2024", frame(items))
    study.write("claim_2024.md", markdown(items, study))
    if on_page():
        from IPython.display import HTML, display

        display(HTML(f"<div>{STYLE}{page(items)}</div>"))
    else:
        show_text(markdown(items, study))


def frame(items: list[Item]) -> pd.DataFrame:
    """The items as a table, one row each."""
    rows = [vars(item) | {"where": "; ".join(SECTIONS[place] for place in item.where)} for item in items]
    return pd.DataFrame(rows).set_index("number")


def page(items: list[Item]) -> str:
    """The items as an HTML table of three columns with a heading a part; sections are links into the notebook."""
    rows, part = [], ""
    for item in items:
        if item.part != part:
            part = item.part
            rows.append(f'<tr class="part"><th colspan="3" scope="colgroup">{html.escape(part)}</th></tr>')
        links = ", ".join(link(place) for place in item.where)
        rows.append(
            f'<tr><td class="item">{item.number}. {html.escape(item.asks)}</td>'
            f"<td>{coded(item.answer)} <small>({links})</small></td>"
            f'<td class="status">{MARKS[item.status]} {item.status}</td></tr>'
        )
    head = "<thead><tr><th>item</th><th>answer, and where</th><th>status</th></tr></thead>"
    title = f"<p><b>CLAIM 2024: {counts(items)}, of {len(items)} items</b></p>"
    return f"{title}<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def link(place: int) -> str:
    """A section of the notebook as a link to its heading."""
    if not place:
        return SECTIONS[0]
    return f'<a href="#{html.escape(SECTIONS[place].replace(" ", "-"))}">section {place}</a>'


def coded(text: str) -> str:
    """Text as HTML, what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def markdown(items: list[Item], study: Study) -> str:
    """The items as a page of Markdown."""
    lines = [
        f"# CLAIM 2024: study {study.number}, {spoken(study.data, study.profile_name)}", "",
        f"{counts(items)[:1].upper()}{counts(items)[1:]}, of {len(items)} items of the Checklist for Artificial "
        "Intelligence in Medical Imaging, update of 2024. Filled by code from the records of this run.",
    ]  # fmt: skip
    part = ""
    for item in items:
        if item.part != part:
            part = item.part
            lines += ["", f"## {part}", "", "| | item | answer | where | status |", "|---|---|---|---|---|"]
        where = ", ".join(f"section {place}" if place else SECTIONS[0] for place in item.where)
        cells = (str(item.number), item.asks, item.answer, where, f"{MARKS[item.status]} {item.status}")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
