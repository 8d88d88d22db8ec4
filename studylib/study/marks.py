"""Verdicts and evidence as they are shown: a word, a sign, what it means. Colour only repeats the word and the sign."""

from __future__ import annotations

import re
from html import escape

# word -> (sign, what it means), in the order in which verdicts are shown
VERDICT_MARKS = {
    "reproduced": ("✓", "The stated direction holds with its whole 95 % interval; a stated number lies inside ours."),
    "partly": ("◐", "The direction holds; the stated number lies outside our interval."),
    "not reproduced": ("✗", "Our interval excludes the stated direction, or the stated number."),
    "undecided": ("?", "Our interval holds both answers, or is too wide; the row says what would decide it."),
    "not testable": (
        "–",
        "Data, code or a definition is missing, or these images cannot settle it; the row says which.",
    ),
}
EVIDENCE = {
    "real": "Real images of the kind that the source used.",
    "stand-in": "Other real images, where the source's own cannot be had or lack what is needed.",
    "phantom": "Drawn images whose truth is known. They settle mechanisms, never a clinic's number.",
    "document": "A citation, a plan or printed arithmetic, read or computed again. No image is involved.",
}


def badge(verdict: str) -> str:
    """A verdict as HTML: its sign, hidden from screen readers, and its word."""
    sign = VERDICT_MARKS[verdict][0]
    return f'<span class="badge {slug(verdict)}"><span aria-hidden="true">{sign}</span> {escape(verdict)}</span>'


def slug(text: str) -> str:
    """A class name: `not reproduced` -> `not-reproduced`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def spoken(data: str, profile: str) -> str:
    """A run in words: `real images, profile standard`."""
    return f"{'real images' if data == 'real' else 'phantoms'}, profile {profile}"


def ticked(text: str) -> str:
    """Plain text as HTML, what stands between back-ticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
