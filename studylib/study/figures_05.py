"""Figures of study 5: lesions as they come, recall by class, layers, robustness, a lesion explained in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt

from studylib.data.dataset import Dataset
from studylib.data.transforms import prepare_image
from studylib.metrics.intervals import Estimate
from studylib.models.weights import IMAGENET
from studylib.study.figures import colour
from studylib.study.figures_01 import TITLES
from studylib.study.maps_05 import LAYERS, METHODS, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LESION = "#56B4E9"


def by_size(named: Mapping[str, Estimate], shares: Mapping[str, float], measure: str, title: str) -> Figure:
    """A measure of every class with its interval against the class's share of the images, logarithmic."""
    fig, ax = plt.subplots(figsize=(6.6, 3.6))
    for name, share in shares.items():
        e = named[f"{measure}.{name.lower()}.test"]
        ax.plot([share, share], [e.low, e.high], color="#0072B2", lw=2)
        ax.plot(share, e.value, "o", color="#0072B2", ms=6)
        ax.annotate(name, (share, e.value), xytext=(6, 3), textcoords="offset points", fontsize=8)
    ax.set(xscale="log", xlabel="share of the images", ylabel=measure, ylim=(-0.03, 1.03), title=title)
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if min(shares.values()) * 0.8 <= t <= 1]
    ax.set_xticks(ticks, [f"{100 * t:.0f} %" for t in ticks])
    ax.minorticks_off()
    return fig


def across_layers(means: Mapping[str, Estimate], measures: Mapping[str, str], title: str) -> Figure:
    """Means of some measures (name -> words) of every method at the source's three layers."""
    fig, axes = plt.subplots(1, len(measures), figsize=(2.9 * len(measures), 3.2))
    for ax, (name, words) in zip(axes, measures.items(), strict=True):
        for place, method in enumerate(METHODS):
            estimates = [means[f"map.{short(method)}.{layer}.{name}"] for layer in LAYERS]
            x = np.arange(len(LAYERS)) + 0.08 * (place - 1)
            for at, e in zip(x, estimates, strict=True):
                ax.plot([at, at], [e.low, e.high], color=colour(method), lw=2)
            ax.plot(x, [e.value for e in estimates], "o-", color=colour(method), ms=5, label=TITLES[method])
        ax.set(xticks=range(len(LAYERS)), xticklabels=LAYERS)
        ax.set_title(words, fontsize=9, fontweight="normal", loc="center")
    axes[0].legend(fontsize=7)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def robustness(found: Mapping[str, Estimate], changes: Sequence[str], title: str) -> Figure:
    """Share of images with another class (left) and likeness of Grad-CAM (right) as each change grows."""
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.2))
    shades = plt.get_cmap("cividis")(np.linspace(0.05, 0.9, len(changes)))
    for ax, column, words in zip(
        axes,
        ("flipped", "gradcam.spearman"),
        ("images with another class", "Grad-CAM, Spearman with before"),
        strict=True,
    ):
        for change, shade in zip(changes, shades, strict=True):
            estimates = [found[f"robust.{change}_{severity}.{column}"] for severity in (1, 2, 3)]
            ax.fill_between([1, 2, 3], [e.low for e in estimates], [e.high for e in estimates], color=shade, alpha=0.15)
            ax.plot([1, 2, 3], [e.value for e in estimates], "o-", color=shade, ms=5, label=change)
        ax.set(xticks=[1, 2, 3], xlabel="severity", ylabel=words)
    axes[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def in_words(
    pixels: np.ndarray, masks: np.ndarray, maps: np.ndarray, regions: np.ndarray, texts: Sequence[str],
    rows: Sequence[int], title: str,
) -> Figure:  # fmt: skip
    """Each row an image, its map (signed, raw scale a row) with the region that the words are about (white) and the
    true lesion (blue), and the words.
    """
    fig, axes = plt.subplots(len(rows), 3, figsize=(9.6, 2.15 * len(rows) + 0.4), squeeze=False,
                             gridspec_kw={"width_ratios": [1, 1.12, 2.7]})  # fmt: skip
    for line, (row, text) in enumerate(zip(rows, texts, strict=True)):
        photo, beside, page = axes[line]
        photo.imshow(pixels[row])
        top = float(np.nanmax(np.abs(maps[row]))) or 1.0
        image = beside.imshow(maps[row], cmap="PuOr_r", vmin=-top, vmax=top)
        bar = fig.colorbar(image, ax=beside, shrink=0.85)
        bar.ax.tick_params(labelsize=6)
        for ax in (photo, beside):
            for grid, shade in ((masks[row], LESION), (regions[row], "white")):
                if grid.any() and not grid.all():
                    ax.contour(grid, [0.5], colors=shade, linewidths=1.1)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        page.axis("off")
        page.text(
            0, 0.98, textwrap.fill(text, 84, replace_whitespace=False), va="top", fontsize=7.5, transform=page.transAxes
        )
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def agreement(
    found: Mapping[str, Estimate], attributes: Sequence[str], sources: Mapping[str, str], title: str
) -> Figure:
    """Share of images where a word agrees with the word from the true outline, by attribute and by what the word was
    taken from (name in the records -> words).
    """
    fig, ax = plt.subplots(figsize=(7.2, 0.62 * len(attributes) + 1.3))
    shades = ("#0072B2", "#D55E00", "#009E73", "#999999")
    for place, ((name, words), shade) in enumerate(zip(sources.items(), shades, strict=False)):
        for row, attribute in enumerate(attributes):
            e = found[f"words.{attribute}.{name}.rate"]
            y = row + 0.17 * (place - (len(sources) - 1) / 2)
            ax.plot([e.low, e.high], [y, y], color=shade, lw=2)
            ax.plot(e.value, y, "o", color=shade, ms=5, label=words if row == 0 else None)
    ax.set(yticks=range(len(attributes)), yticklabels=attributes, xlim=(-0.02, 1.02), title=title)
    ax.set_xlabel("share of images with the word of the true outline")
    ax.invert_yaxis()
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def prepared(dataset: Dataset, rows: Sequence[int], size: int, title: str) -> Figure:
    """Raw, cropped and normalised pictures as the source's figure has them: as they come, the middle of the frame, and
    that at the network's size minus ImageNet's mean over its deviation, shown from -2.5 to 2.5.
    """
    fig, axes = plt.subplots(len(rows), 3, figsize=(6.0, 2.0 * len(rows) + 0.4), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        image = dataset.image(row)
        cropped = prepare_image(image, size, "centre", 3)
        normalised = (cropped / 255 - np.array(IMAGENET[0])) / np.array(IMAGENET[1])
        shown = np.clip((normalised + 2.5) / 5, 0, 1)
        for ax, (picture, words) in zip(
            line, ((image, "raw"), (cropped, "cropped"), (shown, "normalised")), strict=True
        ):
            ax.imshow(picture)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            if row == rows[0]:
                ax.set_title(words, fontsize=9, fontweight="normal", loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig
