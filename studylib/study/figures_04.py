"""Figures of study 4: outlined slices, areas, found and missed tumours, the way from slice to mask, free choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt

from studylib.data.dataset import Dataset
from studylib.metrics import floors, localisation
from studylib.metrics.intervals import Estimate
from studylib.study.figures import quantile_cases
from studylib.study.mapping import class_maps, random_network
from studylib.study.methods import upsampled
from studylib.study.segmenting import BAD, GOOD, SHARE, Seen, averaged, explained, large, overlaps, told

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASS_COLOURS = ("#D55E00", "#0072B2", "#009E73")
# what the source prints: share of each class with IoU above 0.5 and below 0.01
STATED = {"above_05": {"meningioma": 0.23, "glioma": 0.05, "pituitary": 0.0},
          "below_001": {"meningioma": 0.02, "glioma": 0.33, "pituitary": 0.85}}  # fmt: skip


def outlined(dataset: Dataset, rows: Sequence[int], titles: Sequence[str], title: str, columns: int = 3) -> Figure:
    """Slices with the outline of their tumour."""
    lines = -(-len(rows) // columns)
    fig, axes = plt.subplots(lines, columns, figsize=(2.3 * columns, 2.4 * lines), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, row, text in zip(axes.flat, rows, titles, strict=False):
        ax.imshow(dataset.image(row), cmap="gray", vmin=0, vmax=255)
        ax.contour(dataset.mask(row) == 1, [0.5], colors="#E69F00", linewidths=1.2)
        ax.set_title(text, fontsize=9, fontweight="normal", loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def area_figure(areas: pd.DataFrame, classes: Sequence[str], title: str) -> Figure:
    """Area of each tumour by class on a logarithmic scale, and the share of the picture that the source marks."""
    fig, ax = plt.subplots(figsize=(6, 3.2))
    rng = np.random.default_rng(0)
    for number in range(len(classes)):
        values = 100 * areas.loc[areas["label"] == number, "area"].to_numpy()
        ax.plot(
            number + rng.uniform(-0.25, 0.25, len(values)), values, "o", ms=2, alpha=0.35, color=CLASS_COLOURS[number]
        )
        ax.plot([number - 0.3, number + 0.3], [np.median(values)] * 2, color="black", lw=2)
        ax.annotate(f"median {np.median(values):.2g} %", (number + 0.31, np.median(values)), fontsize=8, va="center")
    ax.axhline(100 * SHARE, color="0.4", ls="--", lw=1)
    ax.set(
        yscale="log", ylabel="tumour, % of the picture", xticks=range(len(classes)), xticklabels=classes, title=title
    )
    ax.set_xlim(-0.5, len(classes) - 0.1)
    return fig


def shares_figure(metrics: Mapping[str, Estimate], classes: Sequence[str], title: str) -> Figure:
    """Share of tumours found and missed by class: the source's split, unseen people, and what the source prints."""
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.3), sharey=True)
    words = {"above_05": f"found: IoU > {GOOD}", "below_001": f"missed: IoU < {BAD}"}
    arms = {
        "share_{}.random_folds.{}": ("source's split", "#0072B2", -0.12),
        "share_{}.{}": ("unseen people", "#D55E00", 0.12),
    }
    for ax, (kind, text) in zip(axes, words.items(), strict=True):
        for pattern, (name, colour, shift) in arms.items():
            found = [metrics[pattern.format(kind, c)] for c in classes]
            x, y = np.arange(len(classes)) + shift, np.array([e.value for e in found])
            ax.plot(x, y, "o", color=colour, label=name)
            ax.vlines(x, [e.low for e in found], [e.high for e in found], color=colour, lw=2)
        stated = [STATED[kind].get(c, np.nan) for c in classes]
        ax.plot(np.arange(len(classes)), stated, "D", mfc="none", mec="black", ms=7, label="source")
        if kind == "above_05":
            most = [metrics[f"attainable.above_05.{c}"].value for c in classes]
            ax.plot(np.arange(len(classes)), most, "_", color="0.4", ms=26, label="could be found at best")
        ax.set(
            title=text,
            xticks=range(len(classes)),
            xticklabels=classes,
            ylim=(-0.03, 1),
            xlim=(-0.5, len(classes) - 0.5),
        )
        ax.legend(fontsize=8)
    axes[0].set_ylabel("share of slices named right")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def cases(seen: Seen, q: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> tuple[list[int], list[str], dict]:
    """Slices named right at quantiles of their IoU at the 95th percentile, captions, and the maps beside them."""
    e = explained(seen)
    maps, said = large(e, "cam", seen.side), told(seen, e)
    iou = overlaps(maps, seen.pictures.masks, further=False)["iou_p95"]
    rows = quantile_cases(np.where(said["correct"] == 1, iou, np.nan), q)
    random = class_maps(random_network(seen.trained), seen.pixels, target=said["predicted"])[1]
    shown = {
        "CAM": maps,
        "mask (95th percentile)": (maps > np.percentile(maps, 95, axis=(1, 2), keepdims=True)).astype(float),
        "CAM, random weights": upsampled(torch.from_numpy(random), seen.side),
        "centre": floors.centred_gaussian(seen.pictures.masks.shape),
    }
    return rows, [f"IoU {iou[row]:.2f}" for row in rows], shown


def pipeline(seen: Seen, row: int, title: str) -> Figure:
    """The source's pipeline on one slice: slice, map at the layer's own size, upsampled, mask, mask and outline."""
    one = seen.where(np.arange(len(seen.pixels)) == row)
    e = explained(one)
    small, whole, picture = e["cam"][0].numpy(), large(e, "cam", one.side)[0], one.pictures
    mask = whole > np.percentile(whole, 95)
    iou = localisation.iou(mask[None], picture.masks)[0]
    fig, axes = plt.subplots(1, 5, figsize=(11, 2.6))
    top = float(np.abs(whole).max()) or 1.0
    axes[0].imshow(picture.pixels[0], cmap="gray", vmin=0, vmax=255)
    for ax, shown in ((axes[1], small), (axes[2], whole)):
        image = ax.imshow(shown, cmap="PuOr_r", vmin=-top, vmax=top)
    fig.colorbar(image, ax=axes[2], shrink=0.8).ax.tick_params(labelsize=7)
    axes[3].imshow(mask, cmap="gray", vmin=0, vmax=1)
    axes[4].imshow(picture.pixels[0], cmap="gray", vmin=0, vmax=255)
    axes[4].contour(mask, [0.5], colors="#56B4E9", linewidths=1.4)
    axes[4].contour(picture.masks[0], [0.5], colors="white", linewidths=1.2)
    names = (
        "slice",
        f"map, {small.shape[0]} x {small.shape[1]}",
        "upsampled",
        "above 95th percentile",
        f"IoU {iou:.2f}",
    )
    for ax, text in zip(axes, names, strict=True):
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
        ax.set_title(text, fontsize=9, loc="center")
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def size_figure(table: pd.DataFrame, classes: Sequence[str], title: str) -> Figure:
    """IoU at the 95th percentile against the tumour's area, and the most that 5 % of the picture could reach."""
    rows = averaged(table[table["correct"] == 1], ["iou_p95", "tumour"])
    fig, ax = plt.subplots(figsize=(6.2, 3.6))
    for number, name in enumerate(classes):
        some = rows[rows["label"] == number]
        ax.plot(100 * some["tumour"], some["iou_p95"], "o", ms=2.5, alpha=0.5, color=CLASS_COLOURS[number], label=name)
    x = np.geomspace(max(rows["tumour"].min(), 1e-4), max(rows["tumour"].max(), 0.06), 200)
    ax.plot(100 * x, localisation.attainable_iou(x, SHARE), color="black", lw=1.2, label="the most that 5 % can reach")
    ax.set(xscale="log", xlabel="tumour, % of the picture", ylabel="IoU", title=title, ylim=(-0.02, 1.02))
    ax.legend(fontsize=8)
    return fig


def choices_figure(values: Mapping[str, float], title: str) -> Figure:
    """Every combination of free choices as a point, one line a threshold."""
    rows = [(*name.split(", "), value) for name, value in values.items()]
    rules = list(dict.fromkeys(row[-2] for row in rows))
    fig, ax = plt.subplots(figsize=(6.4, 0.5 * len(rules) + 1.6))
    layers = list(dict.fromkeys(row[0] for row in rows))
    for row in rows:
        place = rules.index(row[-2]) + (0.14 if row[0] == layers[-1] else -0.14)
        ax.plot(row[-1], place, "o", color=CLASS_COLOURS[layers.index(row[0])], alpha=0.6, ms=5)
    for number, layer in enumerate(layers):
        ax.plot([], [], "o", color=CLASS_COLOURS[number], label=layer)
    ax.set(yticks=range(len(rules)), yticklabels=rules, xlabel="mean IoU", title=title)
    ax.legend(fontsize=8)
    return fig
