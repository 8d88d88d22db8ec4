"""Figures: one style, one colour a method and arm, maps never without image, mask, floor and colour scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from studylib.metrics.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from studylib.study.mapping import Pictures

# Okabe and Ito's colours, in the order in which maps and floors always stand
COLOURS = {
    "cam": "#D55E00",
    "gradcam": "#8C510A",
    "gradcam++": "#542788",
    "hirescam": "#1B7837",
    "layercam": "#C51B7D",
    "xgradcam": "#4575B4",
    "scorecam": "#666633",
    "none": "#0072B2",
    "channel": "#009E73",
    "shuffled_channels": "#CC79A7",
    "centre": "#56B4E9",
    "class_mean": "#44AA99",
    "brightest": "#E69F00",
    "darkest": "#882255",
    "sobel": "#999999",
    "random_weights": "#000000",
    "random": "#BBBBBB",
}
mpl.style.use(str(files("studylib.study").joinpath("style.mplstyle")))


def colour(name: str) -> str:
    """The colour of a method or arm, the same in every figure."""
    return COLOURS.get(name, "#666666")


def forest(
    estimates: Mapping[str, Estimate],
    xlabel: str,
    title: str,
    line: float | None = None,
    stated: Mapping[str, float] | None = None,
) -> Figure:
    """Estimates with their intervals, one a row; `line` is what they are compared with, `stated` the source's
    numbers.
    """
    fig, ax = plt.subplots(figsize=(7.5, 0.42 * len(estimates) + 1.3))
    for row, (name, e) in enumerate(estimates.items()):
        shade = colour(name.split(" ")[0])
        ax.plot([e.low, e.high], [row, row], color=shade, lw=2.5, solid_capstyle="round")
        ax.plot(e.value, row, "o", color=shade, ms=7)
        if stated and name in stated:
            ax.plot(stated[name], row, marker="D", color="white", mec="black", ms=7)
    if line is not None:
        ax.axvline(line, color="0.3", lw=1, ls="--")
    ax.set(yticks=range(len(estimates)), yticklabels=list(estimates), xlabel=xlabel, title=title)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    if stated:
        ax.plot([], [], marker="D", color="white", mec="black", ls="", label="stated by the source")
        ax.legend(loc="best")
    return fig


def curves(history: pd.DataFrame, columns: Sequence[str], ylabel: str, title: str) -> Figure:
    """Learning curves of every network: training dashed, validation solid, a ring at the kept epoch."""
    fig, ax = plt.subplots(figsize=(7.5, 3.2))
    for column, style in zip(columns, ("--", "-"), strict=True):
        for repeat, curve in history.groupby("repeat"):
            shade = plt.get_cmap("cividis")(0.15 + 0.7 * repeat / max(1, history["repeat"].max()))
            ax.plot(
                curve["epoch"], curve[column], style, color=shade, label=f"{column.replace('_', ' ')}, network {repeat}"
            )
            kept = curve[curve["kept"]]
            if style == "-":
                ax.plot(kept["epoch"], kept[column], "o", mfc="none", mec=shade, ms=10)
    ax.set(xlabel="epoch", ylabel=ylabel, title=title)
    if history["repeat"].nunique() > 3:  # more names than a corner of the picture holds
        lines = [ax.plot([], [], style, color="0.3")[0] for style in ("--", "-")]
        ax.legend(lines, [f"{c.replace('_', ' ')}, one line a network" for c in columns], fontsize=8)
    else:
        ax.legend(fontsize=8, ncols=2)
    return fig


def gallery(pictures: Sequence[np.ndarray], titles: Sequence[str], columns: int = 6, title: str = "") -> Figure:
    """Pictures side by side, each with its caption."""
    rows = -(-len(pictures) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(1.7 * columns, 1.9 * rows + 0.3), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, picture, text in zip(axes.flat, pictures, titles, strict=False):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        ax.set_title(text, fontsize=8, fontweight="normal", loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def quantile_cases(values: np.ndarray, q: Sequence[float] = (0.05, 0.5, 0.95)) -> list[int]:
    """Rows at given quantiles of a measure: how examples are picked, never by hand. NaN rows are passed over."""
    order = np.flatnonzero(np.isfinite(values))
    order = order[np.argsort(np.asarray(values)[order], kind="stable")]
    return [int(order[min(len(order) - 1, round(share * (len(order) - 1)))]) for share in q] if len(order) else []


def map_panel(
    pictures: Pictures, rows: Sequence[int], maps: Mapping[str, np.ndarray], captions: Sequence[str], title: str
) -> Figure:
    """Each row an image: itself with its mask, then each map on one raw scale a map, zero in the middle of its colours.

    maps: name -> (N, S, S) signed. One colour bar a map, in the map's own units, the same for every row.
    """
    rows = list(rows)
    fig, axes = plt.subplots(
        len(rows), 1 + len(maps), figsize=(1.9 * (1 + len(maps)), 2.0 * len(rows) + 0.8), squeeze=False
    )
    for line, (row, caption) in enumerate(zip(rows, captions, strict=True)):
        axes[line, 0].imshow(pictures.pixels[row], cmap="gray", vmin=0, vmax=255)
        axes[line, 0].set_ylabel(caption, fontsize=8)
    for column, (name, found) in enumerate(maps.items(), start=1):
        shown = found[rows]
        signed = bool((shown < 0).any())
        top = float(np.nanmax(np.abs(shown))) or 1.0
        for line, row in enumerate(rows):
            image = axes[line, column].imshow(
                found[row], cmap="PuOr_r" if signed else "magma", vmin=-top if signed else 0, vmax=top
            )
        axes[0, column].set_title(name.replace("_", " "), fontsize=9, loc="center")
        bar = fig.colorbar(image, ax=axes[:, column], location="bottom", shrink=0.8, pad=0.02)
        bar.ax.tick_params(labelsize=7)
    for line, row in enumerate(rows):
        for ax in axes[line]:
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            if pictures.masks[row].any():
                ax.contour(pictures.masks[row], [0.5], colors="white", linewidths=1.2)
                ax.contour(pictures.masks[row], [0.5], colors="black", linewidths=0.4)
    axes[0, 0].set_title("image, mask", fontsize=9, loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def reliability(
    tables: Mapping[str, pd.DataFrame], title: str, stated: str = "a tumour", found: str = "share with a tumour"
) -> Figure:
    """Stated confidence against how often it was right. tables: name -> columns probability, observed, n."""
    fig, ax = plt.subplots(figsize=(4.6, 4.2))
    ax.plot([0, 1], [0, 1], color="0.5", lw=1, ls="--")
    for shade, (name, table) in zip(("#0072B2", "#D55E00"), tables.items(), strict=False):
        ax.plot(table["probability"], table["observed"], "o-", color=shade, ms=4, label=name)
    ax.set(xlabel=f"stated probability of {stated}", ylabel=found, title=title, xlim=(0, 1), ylim=(0, 1))
    ax.legend()
    return fig


def pies(shares: Mapping[str, tuple[float, float]], stated: Mapping[str, float], title: str) -> Figure:
    """The source's two pies, ours beside what it printed. shares: name -> (yes, no)."""
    fig, axes = plt.subplots(1, 2 * len(shares), figsize=(2.3 * 2 * len(shares), 2.6))
    for i, (name, (yes, no)) in enumerate(shares.items()):
        for ax, values, who in (
            (axes[2 * i], (stated[name], 1 - stated[name]), "source"),
            (axes[2 * i + 1], (yes, no), "ours"),
        ):
            ax.pie(
                values, labels=["yes", "no"], autopct="%.0f%%", colors=["#D55E00", "#56B4E9"], textprops={"fontsize": 8}
            )
            ax.set_title(f"{name}, {who}", fontsize=9, loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def scatter_by(table: pd.DataFrame, x: str, y: str, by: str, order: Sequence[str], ylabel: str, title: str) -> Figure:
    """Values of each image as points, a group of points a category, its median as a bar."""
    fig, ax = plt.subplots(figsize=(6, 3.2))
    rng = np.random.default_rng(0)
    for place, name in enumerate(order):
        values = table.loc[table[by] == name, y].to_numpy()
        ax.plot(place + rng.uniform(-0.18, 0.18, len(values)), values, "o", ms=3, alpha=0.5, color="#0072B2")
        if len(values):
            ax.plot([place - 0.3, place + 0.3], [np.median(values)] * 2, color="#D55E00", lw=3)
    labels = [f"{name}\nn = {int((table[by] == name).sum())}" for name in order]
    ax.set(xticks=range(len(order)), xticklabels=labels, xlabel=x, ylabel=ylabel, title=title)
    return fig
