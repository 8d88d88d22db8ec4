"""Sections of a committed notebook: under which heading a statement is settled, and that heading's anchor in its HTML.

Read from the notebook as JSON; nothing is run. The anchor follows nbconvert's rule (`add_anchor`), so that a page can
link to a section without a notebook library.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$", re.M)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)  # a comment in a code block is no heading
SAFE = "?/:@!$&'()*+,;="  # what nbconvert leaves as it is in an anchor


@dataclass(frozen=True)
class Section:
    """A heading of a notebook: its words, and its anchor in the notebook's HTML."""

    title: str
    anchor: str


@dataclass(frozen=True)
class Contents:
    """The headings of a notebook in order, and which of them settles which statement."""

    sections: tuple[Section, ...] = ()
    settled: dict[str, Section] = field(default_factory=dict)
    rest: Section | None = None  # where the table of all verdicts stands: statements that no section settles by name

    def of(self, claim: str) -> Section | None:
        """The section that settles a statement, by name or in the table of all verdicts; None without either."""
        return self.settled.get(claim, self.rest)

    def about(self, pattern: str) -> Section | None:
        """The first section whose title fits a regular expression, whatever its case."""
        return next((section for section in self.sections if re.search(pattern, section.title, re.I)), None)


def read_contents(notebook: Path) -> Contents:
    """The contents of a notebook; empty where there is none or it is no notebook: a page is made without it."""
    try:
        cells = list(json.loads(notebook.read_text(encoding="utf-8"))["cells"])
    except (OSError, ValueError, KeyError, TypeError):
        return Contents()
    sections, settled, rest = [], {}, None
    for cell in cells:
        source = "".join(cell.get("source", ""))
        if cell.get("cell_type") == "markdown":
            sections += [section(text) for _, text in HEADING.findall(FENCE.sub("", source))]
        elif cell.get("cell_type") == "code" and sections:
            for name, claims in _calls(source):
                if name == "verdict_table":
                    rest = sections[-1]
                settled |= {claim: settled.get(claim, sections[-1]) for claim in claims}
    return Contents(tuple(sections), settled, rest)


def section(heading: str) -> Section:
    """A heading as Markdown has it -> its words and nbconvert's anchor: spaces as hyphens, the rest percent-encoded."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # a link's text
    words = re.sub(r"(\*\*|__|`)(.+?)\1", r"\2", words)
    return Section(words, quote(words.replace(" ", "-"), safe=SAFE))


def _calls(source: str) -> Iterator[tuple[str, list[str]]]:
    """Method calls `….settle("1.02", …)` and `….verdict_table()` of a cell: the method's name, its texts."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with a shell line settles nothing
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("settle", "verdict_table"):
                texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
                yield node.func.attr, [text for text in texts if isinstance(text, str)]
