"""`cpu.csv` as a table for reading and as a picture: what each library takes for its maps, in forward passes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from plan import groups

from studylib.study import figures  # noqa: F401  (sets the house's style)

mpl.use("agg")
COLOURS = {
    "studylib+prepare bf16": "#56B4E9",
    "studylib+prepare": "#0072B2",
    "studylib": "#009E73",
    "captum": "#E69F00",
    "torchcam": "#CC79A7",
    "pytorch-grad-cam": "#D55E00",
}
WORDS = {"all": "all its maps", "gradcam": "Grad-CAM alone"}
PAPER = {"color": "white", "pad": 0.5, "lw": 0}  # behind a number, so that no line crosses it


def write_table(table: pd.DataFrame, file: Path) -> None:
    """Markdown: one row a measurement, the interval beside the ratio."""
    lines = [
        "# What maps cost, in plain float32 forward passes of the same images",
        "",
        "Medians over interleaved rounds in one process, each candidate between two plain passes; the interval holds",
        "the median at 95 % or more. Memory: what is alive at most over model and images, in a process each. `all`:",
        "every map that the candidate has (ours seven on pooled heads, else five; torchcam five, else",
        "four; pytorch-grad-cam five). Score-CAM: 64 channels of one image over 64 passes. Deletion and insertion: 2",
        "images, 32 steps each, over the passes of these 128 pictures, 16 at a time for ours, torchcam and the pass",
        "itself (Quantus: deletion alone, which needs half of them, step by step). `crm`: two classes, from given",
        "features, over the pass that makes them; `loop` removes one place of an image at a time. `bf16`: on a",
        "processor that computes in it (`make doctor` says); elsewhere these rows are left out.",
        "",
        "| network | images | layers | candidate | maps | ratio | interval | peak MiB | of plain |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        peak = "" if pd.isna(row.peak_mib) else f"{row.peak_mib:.0f}"
        of_plain = "" if pd.isna(row.peak_ratio) else f"{row.peak_ratio:.2f}"
        lines.append(
            f"| {row.model} | {row.batch} | {row.layers} | {row.candidate} | {row.methods} | {row.ratio:.3g} | "
            f"{row.low:.3g} to {row.high:.3g} | {peak} | {of_plain} |"
        )
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Candidates in one order in every panel: ours first, all maps before Grad-CAM alone."""
    place = rows["candidate"].map(list(COLOURS).index), rows["methods"].map(list(WORDS).index)
    return rows.assign(maps=place[1], place=place[0]).sort_values(["maps", "place"])


def draw(table: pd.DataFrame, stem: Path) -> None:
    """Bars by network at 16 images, last layer and three, as PNG and SVG; the dashed line is one plain pass."""
    from matplotlib import pyplot as plt

    shown = table[(table["batch"] == 16) & table["candidate"].isin(COLOURS) & table["methods"].isin(WORDS)]
    networks = [name for name in dict.fromkeys(g.network for g in groups()) if name in set(shown["model"])]
    if not networks:
        return
    bars = [max(len(shown[(shown["model"] == n) & (shown["layers"] == k)]) for k in (1, 3)) for n in networks]
    size, heights = (11, 1.6 + 0.23 * sum(bars) + 0.4 * len(networks)), {"height_ratios": [n + 0.6 for n in bars]}
    fig, axes = plt.subplots(len(networks), 2, figsize=size, sharex=True, squeeze=False, gridspec_kw=heights)
    for line, name in enumerate(networks):
        for place, layers in enumerate((1, 3)):
            ax = axes[line][place]
            rows = _ordered(shown[(shown["model"] == name) & (shown["layers"] == layers)])
            for y, row in enumerate(rows.itertuples()):
                ax.barh(y, row.ratio, color=COLOURS[row.candidate], height=0.75)
                ax.plot([row.low, row.high], [y, y], color="black", lw=1.2)
                number = f"{row.ratio:.2f}" if row.ratio < 9.95 else f"{row.ratio:.0f}"
                ax.annotate(
                    number, (row.high, y), (4, 0), textcoords="offset points", va="center", fontsize=8, bbox=PAPER
                )
            labels = [f"{row.candidate}, {WORDS[row.methods]}" for row in rows.itertuples()]
            ax.set_yticks(range(len(rows)), labels, fontsize=8)
            limit = ax.axvline(1, color="black", ls="--", lw=1)
            ax.set_ylim(max(bars[line], 1) - 0.4, -0.6)  # the first on top, bars of one height in both columns
            ax.set_xscale("log")
            ax.set_title(f"{name}, {'last layer' if layers == 1 else 'three layers'}", fontsize=10)
    ticks = (0.25, 0.5, 1, 2, 5, 10, 20, 50)
    for ax in axes[-1]:
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.set_xlim(0.15, 80)
    words = "one plain float32 pass: no method does without a pass; prepare makes that pass itself cheaper"
    fig.legend([limit], [words], loc="outside lower center", fontsize=9)
    title = "What maps cost: 16 images of 224 x 224, two processor cores"
    fig.suptitle(f"{title}\ntime over that of a plain float32 forward pass (log scale), 95 % intervals", fontsize=12)
    for suffix in (".png", ".svg"):
        fig.savefig(stem.with_suffix(suffix), dpi=110, metadata={"Date": None} if suffix == ".svg" else None)
    plt.close(fig)
