"""Figures of study 3: photographs with their anatomy, heat maps over photographs as the source draws them, thresholds,
blur, what planted cues show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from studylib.cam.regions import find_regions
from studylib.data.dataset import Dataset
from studylib.metrics.intervals import Estimate
from studylib.study.figures import colour
from studylib.study.maps_03 import CUT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHADES = {"cervix": "#56B4E9", "zone": "#E69F00", "lesion": "#FFFFFF", "os": "#000000", "acetowhite": "#FFFFFF"}
REGION = "#00FFFF"
LINES = {"cam": "#D55E00", "crm": "#0072B2", "crm_mse_softmax": "#009E73"}


def outlines(ax, regions: np.ndarray, names: Mapping[int, str], words: Sequence[str]) -> None:
    """Draw the border of each region whose first word is among `words`. regions: (H, W) values of `names`."""
    for value, name in names.items():
        word = name.split()[0]
        inside = regions == value
        if word in words and inside.any() and not inside.all():
            ax.contour(inside, [0.5], colors=SHADES.get(word, "white"), linewidths=1.0)


def photographs(dataset: Dataset, rows: Sequence[int], titles: Sequence[str], title: str, columns: int = 6) -> Figure:
    """Photographs with zone, lesion and os outlined."""
    lines = -(-len(rows) // columns)
    fig, axes = plt.subplots(lines, columns, figsize=(1.75 * columns, 1.65 * lines + 0.4), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, row, text in zip(axes.flat, rows, titles, strict=False):
        ax.imshow(dataset.image(row))
        mask = dataset.mask(row)
        if mask is not None:
            outlines(ax, mask, dataset.regions, ("zone", "lesion", "os", "acetowhite"))
        ax.set_title(text, fontsize=7, fontweight="normal", loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def heat(
    pixels: np.ndarray, regions: np.ndarray, names: Mapping[int, str], rows: Sequence[int], captions: Sequence[str],
    maps: Mapping[str, np.ndarray], title: str, plain: Sequence[str] = (),
) -> Figure:  # fmt: skip
    """Each column an image, each row a map over it: colours above CUT of the map's maximum as the source draws them,
    the region's outline in cyan, os and zone outlined; the photograph in the last row. plain: maps without a cut.
    """
    words = ("zone", "os", "acetowhite")
    fig, axes = plt.subplots(
        len(maps) + 1, len(rows), figsize=(1.9 * len(rows) + 1.2, 1.75 * (len(maps) + 1) + 0.5), squeeze=False
    )
    for line, (name, found) in enumerate(maps.items()):
        some = np.maximum(found[list(rows)], 0)
        top = np.maximum(np.nanmax(some, axis=(1, 2), keepdims=True), 1e-30)
        share = some / top
        cut = find_regions(found[list(rows)], "fraction", CUT).masks
        for column, row in enumerate(rows):
            ax = axes[line, column]
            ax.imshow(pixels[row])
            weight = 0.55 * (cut[column] if name not in plain else np.ones_like(cut[column]))
            image = ax.imshow(share[column], cmap="magma", vmin=0, vmax=1, alpha=weight)
            if name not in plain and cut[column].any() and not cut[column].all():
                ax.contour(cut[column], [0.5], colors=REGION, linewidths=1.0)
            outlines(ax, regions[row], names, words)
        axes[line, 0].set_ylabel(name, fontsize=8)
        bar = fig.colorbar(image, ax=list(axes[line]), shrink=0.8, pad=0.01)
        bar.set_label("share of its maximum", fontsize=6)
        bar.ax.tick_params(labelsize=6)
    for column, (row, caption) in enumerate(zip(rows, captions, strict=True)):
        axes[0, column].set_title(caption, fontsize=7, fontweight="normal", loc="center")
        axes[-1, column].imshow(pixels[row])
    axes[-1, 0].set_ylabel("photograph", fontsize=8)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def thresholds(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Mean area, coverage, precision and IoU against the threshold, a line a map. tables: method -> `cuts`"""
    names = ("area", "coverage", "precision", "iou")
    fig, axes = plt.subplots(1, len(names), figsize=(11, 2.8))
    for method, table in tables.items():
        means = table[table["correct"] == 1].groupby("cut")[list(names)].mean()
        for ax, name in zip(axes, names, strict=True):
            ax.plot(means.index, means[name], "o-", ms=3, color=LINES[method], label=method.replace("_", " "))
            ax.set(xlabel="threshold, share of maximum", title=name if name != "iou" else "IoU")
    for ax in axes:
        ax.axvline(CUT, color="0.4", lw=1, ls="--")
    axes[0].legend(fontsize=8)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def areas(table: pd.DataFrame, title: str) -> Figure:
    """Each image's log ratio of areas, CRM over CAM at CUT, against what squaring gives. columns seen, predicted"""
    fig, ax = plt.subplots(figsize=(4.6, 4.2))
    ends = [table[["predicted", "seen"]].min().min(), table[["predicted", "seen"]].max().max()]
    ax.plot(ends, ends, color="0.5", lw=1, ls="--")
    ax.plot(table["predicted"], table["seen"], "o", ms=3.5, alpha=0.6, color=LINES["crm"])
    ax.set(xlabel="log ratio that squaring alone gives", ylabel="log ratio seen, CRM over CAM", title=title)
    return fig


def blur(found: Mapping[str, Estimate], title: str) -> Figure:
    """Accuracy, AUROC and share called not treatable against the filter's width. found: `blur.k<kernel>.<measure>`"""
    names = {"accuracy": "accuracy", "auroc": "AUROC", "called_positive": "share called not treatable"}
    kernels = sorted({int(name.split(".")[1][1:]) for name in found if name.endswith(".auroc")})
    fig, axes = plt.subplots(1, len(names), figsize=(9.3, 2.9))
    for ax, (name, words) in zip(axes, names.items(), strict=True):
        some = [found[f"blur.k{kernel}.{name}"] for kernel in kernels]
        reach = [[e.value - e.low for e in some], [e.high - e.value for e in some]]
        ax.errorbar(range(len(kernels)), [e.value for e in some], reach, fmt="o-", color="#0072B2", capsize=3)
        ax.set(xticks=range(len(kernels)), xticklabels=kernels, xlabel="filter (at 1,200 pixels)", title=words)
        ax.set_ylim(-0.02, 1.02)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def coverage(curve: pd.DataFrame, title: str) -> Figure:
    """Accuracy among accepted images against the share accepted. curve: index coverage, columns accuracy, low, high"""
    fig, ax = plt.subplots(figsize=(5.4, 3.2))
    ax.fill_between(curve.index, curve["low"], curve["high"], color="#0072B2", alpha=0.2, lw=0)
    ax.plot(curve.index, curve["accuracy"], "o-", color="#0072B2", lw=2, ms=4)
    ax.set(xlabel="share of images accepted, sharpest first", ylabel="accuracy among them", title=title, ylim=(0, 1.02))
    return fig


def rates(found: Mapping[str, Estimate], title: str) -> Figure:
    """How often CAM and CRM reveal each cue that a network rests on."""
    names = [name for name in found if name.startswith("reveal.")]
    fig, ax = plt.subplots(figsize=(6.6, 0.32 * len(names) + 1.3))
    for row, name in enumerate(names):
        _, cue, method, _ = name.split(".")
        e, shade = found[name], LINES.get(method, colour(method))
        ax.plot([e.low, e.high], [row, row], color=shade, lw=2)
        ax.plot(e.value, row, "o", color=shade, ms=5)
    labels = [f"{n.split('.')[1]}: {n.split('.')[2].replace('_', ' ')}" for n in names]
    ax.set(yticks=range(len(names)), yticklabels=labels, xlim=(-0.03, 1.03), title=title,
           xlabel="share of pictures with a map twice as dense on the cue")  # fmt: skip
    ax.invert_yaxis()
    return fig
