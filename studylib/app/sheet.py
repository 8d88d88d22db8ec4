"""One page of all that a look shows, as PDF or PNG, made in memory: picture, maps and their controls, probabilities,
words, warnings, the network's card, the date, and that it is for research only.
"""

from __future__ import annotations

import io
import textwrap
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from studylib.app.card import Card
from studylib.app.look import RESEARCH, Look, headline, measures, table_of
from studylib.app.panels import COLOURS, Panel, panels_of, scale_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT, MARGIN = 8.27, 11.69, 0.55  # inches: A4; a page that needs more is longer, never two
COLUMNS = 4  # of maps
LINE = 1.35  # height of a line of text over its size
MOST_CLASSES = 8
STYLE = Path(__file__).parents[1] / "study" / "style.mplstyle"
_turn = threading.Lock()  # matplotlib's settings are one for all threads, and a browser tab is a thread


class Page:
    """A page that is filled from the top; places are in inches, and its height is known at the end."""

    def __init__(self, fig: Figure) -> None:
        self.fig, self.y = fig, MARGIN
        self._waiting: list[Callable[[float], None]] = []

    def text(self, words: str, size: float = 8, *, bold: bool = False, colour: str = "black", left: float = MARGIN,
             width: float = WIDTH - 2 * MARGIN) -> None:  # fmt: skip
        """Lines of text, wrapped to a width, below what stands there."""
        # 0.52 of its size is the mean width of a letter of DejaVu Sans, bold 0.6; an estimate on the safe side
        most = int(width * 72 / (size * (0.60 if bold else 0.52)))
        for line in textwrap.wrap(words, most) or [""]:
            y = self.y
            self._waiting.append(
                lambda height, line=line, y=y: self.fig.text(
                    left / WIDTH, 1 - y / height, line, size=size, va="top", color=colour,
                    fontweight="bold" if bold else "normal",
                )
            )  # fmt: skip
            self.y += size * LINE / 72

    def axes(self, left: float, width: float, tall: float, draw: Callable, down: float = 0.0) -> None:
        """A field of axes at a place on the present line; `draw` fills it."""
        top = self.y + down

        def place(height: float) -> None:
            draw(self.fig.add_axes((left / WIDTH, 1 - (top + tall) / height, width / WIDTH, tall / height)))

        self._waiting.append(place)

    def gap(self, inches: float) -> None:
        self.y += inches

    def close(self) -> None:
        """Give the page its height and draw what was laid out."""
        height = max(HEIGHT, self.y + MARGIN)
        self.fig.set_size_inches(WIDTH, height)
        for draw in self._waiting:
            draw(height)


def sheet_of(look: Look, card: Card, *, threshold: float, floor: str = "centre", overlay: bool = False,
             when: datetime | None = None) -> Figure:  # fmt: skip
    """The page as a figure."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(WIDTH, HEIGHT), layout="none")
    page, found = Page(fig), look.found
    page.text(RESEARCH, 10, bold=True, colour="#8a1c1c")
    page.gap(0.1)
    _header(page, look, when or datetime.now())
    _panels(page, panels_of(look, threshold, floor, overlay), measures(look, threshold, floor))
    outline = " White outline: the true one." if look.mask is not None else ""
    page.text(
        f"Cyan outline: the map above {100 * threshold:.0f} % of its maximum.{outline} Each map has its own scale: "
        f"orange speaks for the class, violet against it. Maps were taken at layer {found.layer}. Random weights and "
        "floor know nothing of the class: a map that looks like them says nothing about the picture.", 7, colour="0.3",
    )  # fmt: skip
    page.gap(0.1)
    page.text("In words", 9, bold=True)
    page.text(found.sentence, 8)
    page.gap(0.1)
    page.text(f"Warnings ({len(look.doubts)})", 9, bold=True)
    for doubt in look.doubts:
        page.text(f"{doubt.title}: {doubt.text}", 8)
    if not look.doubts:
        page.text("None. That is no proof that the network is right.", 8)
    page.gap(0.1)
    page.text("The network", 9, bold=True)
    for what, value in card.rows:
        page.text(f"{what}: {value}", 7)
    page.close()
    return fig


def _header(page: Page, look: Look, when: datetime) -> None:
    """Left what the network says, of which picture and when; beside it the probability of every class."""
    begin, half = page.y, 3.1
    table = table_of(look).head(MOST_CLASSES)
    tall = 0.17 * len(table) + 0.05
    page.axes(MARGIN + half + 1.5, WIDTH - 2 * MARGIN - half - 1.5, tall, lambda ax: _bars(ax, table))
    page.text(headline(look), 15, bold=True, width=half)
    if look.truth:
        page.text(f"truth: {look.truth.replace('_', ' ')}", 9, width=half)
    page.text(look.found.name, 8, colour="0.3", width=half)
    page.text(f"{when:%d %B %Y, %H:%M}", 8, colour="0.3", width=half)
    page.gap(0.06)
    page.text("Bars: calibrated probability; in brackets as the network was trained.", 7, colour="0.3", width=half)
    page.y = max(page.y, begin + tall) + 0.1


def _bars(ax, table: pd.DataFrame) -> None:
    values = table["calibrated, %"].to_numpy()
    places = np.arange(len(table))
    ax.barh(places, values, color=["#2f7fb8", *["0.7"] * (len(table) - 1)], height=0.7)
    for y, (value, raw) in enumerate(zip(values, table["as trained, %"], strict=True)):
        ax.text(value + 1, y, f"{value:.1f} % ({raw:.1f})", va="center", size=7)
    ax.set(xlim=(0, 140), ylim=(len(table) - 0.5, -0.5), xticks=[])  # room for the numbers behind a full bar
    ax.set_yticks(places, [textwrap.shorten(name, 26, placeholder=" …") for name in table["class"]], size=7)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)


def _panels(page: Page, panels: list[Panel], measured: pd.DataFrame) -> None:
    """The pictures in rows, and how well they find the outline: beside the last row where two places are free."""
    wide = (WIDTH - 2 * MARGIN - 0.2 * (COLUMNS - 1)) / COLUMNS
    free = -len(panels) % COLUMNS
    for begin in range(0, len(panels), COLUMNS):
        for column, panel in enumerate(panels[begin : begin + COLUMNS]):
            left = MARGIN + column * (wide + 0.2)
            page.axes(left, wide, wide, lambda ax, panel=panel: _picture(ax, panel), down=0.28)
            if panel.top:
                page.axes(left, wide, 0.06, lambda ax, panel=panel: _scale(ax, panel), down=0.32 + wide)
        if begin + COLUMNS >= len(panels) and free >= 2 and not measured.empty:
            left = MARGIN + (COLUMNS - free) * (wide + 0.2)
            width = WIDTH - MARGIN - left
            page.axes(left, width, wide, lambda ax: _measures(ax, measured), down=0.28)
        page.gap(wide + 0.62)
    if free < 2 and not measured.empty:
        page.axes(MARGIN, 4.5, 1.4, lambda ax: _measures(ax, measured), down=0.1)
        page.gap(1.7)


def _picture(ax, panel: Panel) -> None:
    ax.imshow(panel.rgb, interpolation="antialiased")
    ax.spines[:].set_visible(False)
    ax.set_title(textwrap.fill(panel.title, 24), size=7.5, loc="left", fontweight="bold", pad=3)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    if panel.note:
        ax.set_xlabel(textwrap.fill(panel.note, 34), size=6, labelpad=1 if not panel.top else 22)


def _scale(ax, panel: Panel) -> None:
    said = scale_of(panel)
    ax.imshow(np.linspace(-1, 1, 256)[None], aspect="auto", cmap=COLOURS)
    ax.spines[:].set_linewidth(0.3)
    ax.set_xticks([0, 127.5, 255], [said["low"], f"0  ({said['unit']})", said["high"]], size=6)
    ax.set(yticks=[])
    ax.tick_params(length=1, pad=1)
    ax.grid(visible=False)
    for label, side in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)


def _measures(ax, table: pd.DataFrame) -> None:
    """A small table: a row a map, a column a measure, the best of each column in bold."""
    ax.set_axis_off()
    ax.set_title("Against the true outline", size=7.5, loc="left", fontweight="bold", pad=3)
    names = [textwrap.fill(name, 13) for name in table]
    columns = np.linspace(0.55, 1, len(names) + 1)[1:]
    step = 1 / (len(table) + 2)
    for x, name in zip(columns, names, strict=True):
        ax.text(x, 1, name, size=5.5, ha="right", va="top", color="0.3")
    for line, (name, row) in enumerate(table.iterrows(), start=2):
        y = 1 - line * step
        ax.text(0, y, textwrap.fill(str(name), 26), size=6.5, va="center")
        for x, value, best in zip(columns, row, table.max(), strict=True):
            told = "undefined" if np.isnan(value) else f"{value:.2f}"
            ax.text(x, y, told, size=6.5, ha="right", va="center", fontweight="bold" if value == best else "normal")


def exported(kind: str, look: Look, card: Card, **how) -> bytes:
    """The page as the bytes of a "pdf" or a "png"; nothing touches the disk. how: arguments of `sheet_of`."""
    import matplotlib

    if kind not in ("pdf", "png"):
        raise ValueError(f"a page is exported as 'pdf' or 'png', not '{kind}'")
    stream = io.BytesIO()
    with _turn, matplotlib.rc_context(fname=STYLE):
        about = {"Title": f"{headline(look)}: {RESEARCH}", "Creator": "studylib"} if kind == "pdf" else None
        sheet_of(look, card, **how).savefig(stream, format=kind, dpi=150, metadata=about)
    return stream.getvalue()
