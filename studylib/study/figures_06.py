"""Figures over all studies: verdicts, maps against their hardest floors, gates, choices, phantoms beside real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt

from studylib.study.figures import colour
from studylib.study.marks import VERDICT_MARKS
from studylib.study.synthesis_06 import kind_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# verdict -> (colour, hatch): hatches keep them apart in grey
VERDICT_LOOKS = {
    "reproduced": ("#1B7837", ""),
    "partly": ("#7FBF7B", "//"),
    "not reproduced": ("#B35806", ""),
    "undecided": ("#FDB863", ".."),
    "not testable": ("#BBBBBB", ""),
}
SURE = ("better", "worse")
MARKERS = {"better": "o", "equal": "s", "open": "D", "worse": "v"}
OUTCOME_WORDS = {
    "better": "better than the floor",
    "equal": "equal",
    "open": "undecided",
    "worse": "worse than the floor",
}


def verdict_bars(counts: pd.DataFrame, title: str) -> Figure:
    """Verdicts of each report as one bar, the count written into each part. counts: `across.verdict_counts`."""
    fig, ax = plt.subplots(figsize=(8.5, 0.42 * len(counts) + 1.5))
    names = [f"{row.study} on {kind_of(row.run.split('-')[0])}" for row in counts.itertuples()]
    left = pd.Series(0, index=counts.index)
    for word, (shade, hatch) in VERDICT_LOOKS.items():
        ax.barh(names, counts[word], left=left, color=shade, hatch=hatch, edgecolor="white", label=_sign(word))
        for place, (start, wide) in enumerate(zip(left, counts[word], strict=True)):
            if wide:
                ink = "white" if word in ("reproduced", "not reproduced") else "black"
                ax.text(start + wide / 2, place, str(wide), ha="center", va="center", fontsize=8, color=ink)
        left = left + counts[word]
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(xlabel="statements", title=title)
    fig.legend(ncols=5, fontsize=8, loc="outside lower center")
    return fig


def _sign(word: str) -> str:
    return f"{VERDICT_MARKS[word][0]} {word}"


def floors(rows: pd.DataFrame, title: str) -> Figure:
    """Each map minus the floor that is hardest for it, with its interval. rows: `synthesis_06.floor_table`."""
    fig, ax = plt.subplots(figsize=(8.5, 0.3 * len(rows) + 1.6))
    for place, row in enumerate(rows.itertuples()):
        shade = colour(row.method)
        ax.plot([row.low, row.high], [place, place], color=shade, lw=2.2, solid_capstyle="round")
        face = "white" if row.outcome == "open" else shade
        ax.plot(row.value, place, MARKERS[row.outcome], color=shade, mfc=face, ms=7)
    ax.axvline(0, color="0.3", lw=1, ls="--")
    real = int((rows["data"] == "real").sum())
    if 0 < real < len(rows):
        ax.axhline(real - 0.5, color="0.6", lw=0.8)
    names = [f"{_place(row)}{row.map} − {row.floor}" for row in rows.itertuples()]
    ax.set(yticks=range(len(rows)), yticklabels=names, xlabel="pixel AUPRC, map minus floor", title=title)
    ax.tick_params(axis="y", labelsize=8)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    used = [word for word in MARKERS if (rows["outcome"] == word).any()]
    shown = [ax.plot([], [], MARKERS[w], color="0.3", mfc="white" if w == "open" else "0.3", ls="")[0] for w in used]
    ax.legend(shown, [OUTCOME_WORDS[w] for w in used], fontsize=8, loc="best")
    return fig


def _place(row) -> str:
    """`01 real images: `; nothing for a model of one's own, which stands alone."""
    return "" if row.data == "own" else f"{row.study} {kind_of(row.data)}: "


def gate_grid(gate_rows: pd.DataFrame, title: str) -> Figure:
    """Rules passed of rules judged, a column a study and run, a row a gate; an empty field was not judged."""
    judged = gate_rows[gate_rows["outcome"].isin(("pass", "fail"))]
    kinds = list(dict.fromkeys(gate_rows[~gate_rows["gate"].str.startswith("6 ")]["gate"]))
    runs = sorted(
        set(zip(gate_rows["run"], gate_rows["study"], strict=True)), key=lambda pair: (pair[0][0] == "p", pair)
    )
    fig, ax = plt.subplots(figsize=(1.0 * len(runs) + 2.2, 0.5 * len(kinds) + 1.6))
    shades = mpl.colormaps["cividis"]
    for x, (run, study) in enumerate(runs):
        for y, gate in enumerate(kinds):
            rows = judged[(judged["run"] == run) & (judged["study"] == study) & (judged["gate"] == gate)]
            if not len(rows):
                ax.text(x, y, "–", ha="center", va="center", color="0.5")
                continue
            passed = int((rows["outcome"] == "pass").sum())
            share = passed / len(rows)
            ax.add_patch(plt.Rectangle((x - 0.46, y - 0.42), 0.92, 0.84, color=shades(0.15 + 0.8 * share)))
            ink = "white" if share < 0.5 else "black"
            ax.text(x, y, f"{passed} of {len(rows)}", ha="center", va="center", fontsize=9, color=ink)
    names = [f"{study}\n{kind_of(run.split('-')[0])}" for run, study in runs]
    ax.set(xlim=(-0.5, len(runs) - 0.5), ylim=(len(kinds) - 0.5, -0.5), title=title)
    ax.set(xticks=range(len(runs)), xticklabels=names, yticks=range(len(kinds)), yticklabels=kinds)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return fig


def ranges(choices: pd.DataFrame, title: str) -> Figure:
    """The lowest and highest value that layer and interpolation alone give. choices: `across.choice_ranges`."""
    fig, ax = plt.subplots(figsize=(7.5, 0.42 * len(choices) + 1.3))
    for place, row in enumerate(choices.itertuples()):
        ax.plot([row.lowest, row.highest], [place, place], color="#0072B2", lw=3, solid_capstyle="round")
        ax.text(row.highest, place, f"  {row.times:.1f} times, {row.choices} choices", va="center", fontsize=8)
    names = [f"{row.study} on {kind_of(row.run.split('-')[0])}" for row in choices.itertuples()]
    ax.set(yticks=range(len(choices)), yticklabels=names, xlim=(0, 1.25 * choices["highest"].max()), title=title)
    ax.set_xlabel("each study's own measure of place")
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    return fig


def foretold(pairs: pd.DataFrame, title: str) -> Figure:
    """Each comparison on phantoms against the same on real images, differences turned so that more is better."""
    fig, ax = plt.subplots(figsize=(5.6, 5.0))
    looks = {
        "floor": ("o", "#D55E00"),
        "control": ("s", "#0072B2"),
        "map": ("^", "#1B7837"),
        "chosen": ("D", "#882255"),
    }
    words = {
        "floor": "floor",
        "control": "random places or weights",
        "map": "another map",
        "chosen": "chosen floor",
    }
    for kind, rows in pairs.groupby("kind", sort=False):
        marker, shade = looks[kind]
        sure = rows["outcome_phantom"].isin(SURE) & rows["outcome_real"].isin(SURE)
        ax.plot(rows["phantom"][sure], rows["real"][sure], marker, color=shade, label=f"map minus {words[kind]}", ms=6)
        ax.plot(rows["phantom"][~sure], rows["real"][~sure], marker, color=shade, mfc="none", ms=6, alpha=0.6)
    ax.axhline(0, color="0.4", lw=1)
    ax.axvline(0, color="0.4", lw=1)
    ax.set(xlabel="difference on phantoms", ylabel="difference on real images", title=title)
    ax.legend(fontsize=8)
    return fig
