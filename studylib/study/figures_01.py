"""Figures of study 1: cells as they come, sizes by class, maps over layers, overlap, what planted cues show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from studylib.cam import METHODS as METHODS_KNOWN
from studylib.data.dataset import Dataset
from studylib.metrics.intervals import Estimate
from studylib.study.figures import colour
from studylib.study.maps_01 import METHODS, of
from studylib.study.segmenting import averaged
from studylib.study.sizes_01 import with_density

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUTLINES = {(1, 2): "#56B4E9", (1,): "#E69F00"}  # the cell, then its nucleus on top
TITLES = {name: method.title for name, method in METHODS_KNOWN.items()}


def cells(
    dataset: Dataset, rows: Sequence[int], titles: Sequence[str], title: str, columns: int = 6,
    outlines: Mapping[tuple[int, ...], str] = OUTLINES,
) -> Figure:  # fmt: skip
    """Pictures at one scale, some regions of each outlined: of cells nucleus and cytoplasm."""
    pictures = [dataset.image(row) for row in rows]
    side = max(max(p.shape[:2]) for p in pictures)
    lines = -(-len(rows) // columns)
    fig, axes = plt.subplots(lines, columns, figsize=(1.6 * columns, 1.75 * lines + 0.3), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, row, picture, text in zip(axes.flat, rows, pictures, titles, strict=False):
        ax.imshow(picture)
        _outline(ax, dataset.mask(row), outlines)
        middle = picture.shape[1] / 2, picture.shape[0] / 2
        ax.set(xlim=(middle[0] - side / 2, middle[0] + side / 2), ylim=(middle[1] + side / 2, middle[1] - side / 2))
        ax.set_title(text, fontsize=8, fontweight="normal", loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def _outline(ax, regions: np.ndarray, outlines: Mapping[tuple[int, ...], str] = OUTLINES) -> None:
    """Draw the border of some regions together."""
    for values, shade in outlines.items():
        inside = np.isin(regions, values)
        if inside.any() and not inside.all():
            ax.contour(inside, [0.5], colors=shade, linewidths=1.0)


def sizes(table: pd.DataFrame, classes: Sequence[str], title: str) -> Figure:
    """Width of each picture against the share that is nucleus, a colour a class."""
    fig, ax = plt.subplots(figsize=(6.6, 3.8))
    shades = plt.get_cmap("cividis")(np.linspace(0.05, 0.95, len(classes)))
    for number, name in enumerate(classes):
        some = table[table["label"] == number]
        side = np.sqrt(some["width"] * some["height"])
        ax.plot(side, 100 * some["nucleus"], "o", ms=3.5, alpha=0.7, color=shades[number], label=name.replace("_", " "))
    ax.set(xscale="log", yscale="log", xlabel="side of the picture (root of its area), pixels",
           ylabel="nucleus, % of the picture", title=title)  # fmt: skip
    for axis, ticks in ((ax.xaxis, (30, 50, 100, 200, 400)), (ax.yaxis, (0.3, 1, 3, 10, 30, 100))):
        axis.set_major_locator(plt.FixedLocator(ticks))
        axis.set_major_formatter(plt.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(plt.NullFormatter())
    ax.legend(fontsize=7, loc="lower left")
    return fig


def panel(
    pixels: np.ndarray, regions: np.ndarray, rows: Sequence[int], captions: Sequence[str],
    maps: Mapping[str, np.ndarray], title: str,
) -> Figure:  # fmt: skip
    """Each row a cell with its outlines, then every map, signed, on one raw scale a map, with its colour bar."""
    fig, axes = plt.subplots(
        len(rows), 1 + len(maps), figsize=(1.55 * (1 + len(maps)), 1.75 * len(rows) + 0.8), squeeze=False
    )
    for line, (row, caption) in enumerate(zip(rows, captions, strict=True)):
        axes[line, 0].imshow(pixels[row])
        axes[line, 0].set_ylabel(caption, fontsize=7)
        _outline(axes[line, 0], regions[row])
        for ax in axes[line, 1:]:
            _outline(ax, regions[row], {(1,): "white"})
    for column, (name, found) in enumerate(maps.items(), start=1):
        top = float(np.nanmax(np.abs(found[list(rows)]))) or 1.0
        for line, row in enumerate(rows):
            image = axes[line, column].imshow(found[row], cmap="PuOr_r", vmin=-top, vmax=top)
        axes[0, column].set_title(name.replace(" ", "\n", 1), fontsize=8, fontweight="normal", loc="center")
        bar = fig.colorbar(image, ax=list(axes[:, column]), orientation="horizontal", shrink=0.85, pad=0.04)
        bar.ax.tick_params(labelsize=5)
        bar.locator = plt.MaxNLocator(3)
        bar.update_ticks()
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def regions(found: Mapping[str, Estimate], title: str) -> Figure:
    """Energy minus area of each region for every method."""
    names = list(dict.fromkeys(name.split(".")[2] for name in found))
    fig, ax = plt.subplots(figsize=(6.6, 0.55 * len(names) + 1.4))
    for place, method in enumerate(METHODS):
        key = method.replace("++", "pp")
        for row, name in enumerate(names):
            e = found[f"region.{key}.{name}.energy_minus_area"]
            y, shade = row + 0.22 * (place - 1), colour(method)
            ax.plot([e.low, e.high], [y, y], color=shade, lw=2)
            ax.plot(e.value, y, "o", color=shade, ms=5, label=TITLES[method] if row == 0 else None)
    ax.axvline(0, color="0.4", lw=1, ls="--")
    ax.set(yticks=range(len(names)), yticklabels=names, xlabel="share of energy minus share of area", title=title)
    ax.invert_yaxis()
    ax.legend(fontsize=8)
    return fig


def overlap(table: pd.DataFrame, covered: pd.Series, title: str) -> Figure:
    """Density of each map's energy on the nucleus against the share of the cell that a neighbour covers: means of five
    equal groups of cells. covered: by image.
    """
    fig, ax = plt.subplots(figsize=(5.6, 3.4))
    for method in METHODS:
        rows = with_density(averaged(of(table, method), ["energy_nucleus", "area_nucleus"]))
        rows = rows.assign(overlap=rows["image"].map(covered).astype(float)).dropna()
        bins = pd.cut(rows["overlap"], [-0.01, 0.05, 0.25, 0.45, 0.85])
        means = rows.groupby(bins, observed=True)[["overlap", "density"]].mean()
        ax.plot(means["overlap"], means["density"], "o-", color=colour(method), label=TITLES[method])
    ax.axhline(0, color="0.4", lw=1, ls="--")
    ax.set(
        xlabel="share of the cell that a neighbour covers", ylabel="energy on the nucleus over area, log 2", title=title
    )
    ax.legend(fontsize=8)
    return fig


def rates(found: Mapping[str, Estimate], methods: Sequence[str], title: str) -> Figure:
    """How often each method reveals (right) and hides (left) each cue."""
    cues = list(dict.fromkeys(name.split(".")[1] for name in found))
    fig, axes = plt.subplots(1, 2, figsize=(8.6, 0.75 * len(cues) + 1.4), sharey=True)
    for ax, kind, text in zip(
        axes, ("hide", "reveal"), ("hides: less dense than blind", "reveals: twice as dense"), strict=True
    ):
        for row, cue in enumerate(cues):
            for place, method in enumerate(methods):
                e = found.get(f"{kind}.{cue}.{method.replace('++', 'pp')}.rate")
                if e is None:
                    continue
                y = row + 0.11 * (place - (len(methods) - 1) / 2)
                ax.plot([e.low, e.high], [y, y], color=colour(method), lw=1.8)
                ax.plot(
                    e.value, y, "o", color=colour(method), ms=4, label=TITLES.get(method, method) if row == 0 else None
                )
        ax.set(xlim=(-0.03, 1.03), xlabel="share of pictures", title=text, yticks=range(len(cues)), yticklabels=cues)
    axes[0].invert_yaxis()
    axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def history(table: pd.DataFrame, title: str) -> Figure:
    """Every trial of the search, and the best so far."""
    fig, ax = plt.subplots(figsize=(6, 3))
    for (head, some), shade in zip(table.groupby("head"), ("#0072B2", "#D55E00", "#009E73"), strict=False):
        ax.plot(some.index, some["inner balanced accuracy"], "o", color=shade, label=head)
    ax.step(table.index, table["best so far"], where="post", color="0.3", lw=1, label="best so far")
    ax.set(xlabel="trial", ylabel="balanced accuracy, inner folds", title=title)
    ax.legend(fontsize=8)
    return fig
