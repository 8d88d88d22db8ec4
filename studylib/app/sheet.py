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
    page.gap(0.08)
    page.text(headline(look), 16, bold=True)
    when = when or datetime.now()
    truth = f"   |   truth: {look.truth.replace('_', ' ')}" if look.truth else ""
    page.text(f"{found.name}   |   {when:%d %B %Y, %H:%M}{truth}", 8, colour="0.3")
    page.gap(0.12)
    table = table_of(look).head(MOST_CLASSES)
    page.axes(MARGIN + 1.75, WIDTH - 2 * MARGIN - 2.35, 0.19 * len(table) + 0.05, lambda ax: _bars(ax, table))
    page.gap(0.19 * len(table) + 0.18)
    page.text("Calibrated probability; in brackets as the network was trained.", 7, colour="0.3")
    page.gap(0.12)
    _panels(page, panels_of(look, threshold, floor, overlay))
    outline = " White outline: the true one." if look.mask is not None else ""
    page.text(
        f"Cyan outline: the map above {threshold:.0%} of its maximum.{outline} Each map has its own scale: orange "
        f"speaks for the class, violet against it. Maps were taken at layer {found.layer}. Random weights and floor "
        "know nothing of the class: a map that looks like them says nothing about the picture.", 7, colour="0.3",
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
    _measures(page, look, threshold, floor)
    page.gap(0.1)
    page.text("The network", 9, bold=True)
    for what, value in card.rows:
        page.text(f"{what}: {value}", 7)
    page.close()
    return fig


def _bars(ax, table) -> None:
    values = table["calibrated, %"].to_numpy()
    places = np.arange(len(table))
    ax.barh(places, values, color=["#2f7fb8", *["0.7"] * (len(table) - 1)], height=0.7)
    for y, (value, raw) in enumerate(zip(values, table["as trained, %"], strict=True)):
        ax.text(value + 1, y, f"{value:.1f} % ({raw:.1f})", va="center", size=7)
    ax.set(xlim=(0, 100), ylim=(len(table) - 0.5, -0.5), xticks=[])
    ax.set_yticks(places, [textwrap.shorten(name, 30, placeholder=" …") for name in table["class"]], size=7)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)


def _panels(page: Page, panels: list[Panel]) -> None:
    wide = (WIDTH - 2 * MARGIN - 0.2 * (COLUMNS - 1)) / COLUMNS
    for begin in range(0, len(panels), COLUMNS):
        for column, panel in enumerate(panels[begin : begin + COLUMNS]):
            left = MARGIN + column * (wide + 0.2)
            page.axes(left, wide, wide, lambda ax, panel=panel: _picture(ax, panel), down=0.3)
            if panel.top:
                page.axes(left, wide, 0.06, lambda ax, panel=panel: _scale(ax, panel), down=0.34 + wide)
        page.gap(wide + 0.72)


def _picture(ax, panel: Panel) -> None:
    ax.imshow(panel.rgb, interpolation="antialiased")
    ax.set_title(textwrap.fill(panel.title, 26), size=7.5, loc="left", fontweight="bold", pad=3)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    if panel.note:
        ax.set_xlabel(textwrap.fill(panel.note, 34), size=6, labelpad=1 if not panel.top else 22)


def _scale(ax, panel: Panel) -> None:
    said = scale_of(panel)
    ax.imshow(np.linspace(-1, 1, 256)[None], aspect="auto", cmap=COLOURS)
    ax.set_xticks([0, 127.5, 255], [said["low"], f"0  ({said['unit']})", said["high"]], size=6)
    ax.set(yticks=[])
    ax.tick_params(length=1, pad=1)
    ax.grid(visible=False)
    for label, side in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)


def _measures(page: Page, look: Look, threshold: float, floor: str) -> None:
    table = measures(look, threshold, floor)
    if table.empty:
        return
    page.gap(0.1)
    page.text("Against the true outline", 9, bold=True)
    for name, row in table.iterrows():
        cells = (f"{what} {'undefined' if np.isnan(value) else f'{value:.2f}'}" for what, value in row.items())
        page.text(f"{name}: {', '.join(cells)}", 7)


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
