"""What the engine should cost at most, and what came out: a line each, met or not, or not measured."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

RESNETS = ("resnet18", "resnet50")
READY, BF16 = "studylib+prepare", "studylib+prepare bf16"


@dataclass(frozen=True)
class Bound:
    """A ratio of one row, over another candidate's where `over` is named, against a limit.

    A limit from above is met where the low end of the interval meets it, one from below where the high end does. The
    interval of a quotient takes the other row at its median.
    """

    words: str
    row: dict
    at_most: float | None = None
    at_least: float | None = None
    over: dict | None = None
    column: str = "ratio"


def bounds() -> list[Bound]:
    """All of them, in the order of the checklist."""
    found = []
    for name in RESNETS:
        last = {"model": name, "batch": 16, "layers": 1, "methods": "all"}
        three = last | {"layers": 3}
        found += [
            Bound(f"{name}: seven maps, last layer", last | {"candidate": "studylib"}, 1.10),
            Bound(f"{name}: the same, prepared", last | {"candidate": READY}, 0.78),
            Bound(
                f"{name}: three layers", three | {"candidate": "studylib"}, {"resnet18": 1.5, "resnet50": 1.75}[name]
            ),
            Bound(f"{name}: three layers, prepared", three | {"candidate": READY}, 1.25),
            Bound(f"{name}: peak memory, last layer", last | {"candidate": "studylib"}, 1.05, column="peak_ratio"),
        ]
        for peer, plain, prepared in (("torchcam", 5, 7), ("pytorch-grad-cam", 14, 20)):
            for ours, least in (("studylib", plain), (READY, prepared)):
                found.append(
                    Bound(
                        f"{name}: {peer}'s five maps over the seven of {ours}",
                        last | {"candidate": peer},
                        at_least=least,
                        over=last | {"candidate": ours},
                    )
                )
    for classes in (2, 5, 20):
        crm = {"model": "resnet18", "methods": "crm" if classes == 2 else f"crm ({classes} classes)"}
        ours = crm | {"candidate": "studylib"}
        found += [
            Bound(f"CRM, {classes} classes, over a forward pass", ours, 0.01),
            Bound(f"CRM, {classes} classes, the loop over it", crm | {"candidate": "loop"}, at_least=50, over=ours),
        ]
    score = {"model": "resnet18", "methods": "scorecam"}
    every = {"model": "resnet18", "methods": "scorecam (all classes)", "candidate": READY}
    curves = {"model": "resnet18", "methods": "deletion+insertion"}
    return [
        *found,
        Bound("Score-CAM, prepared, over its forward passes", score | {"candidate": READY}, 0.70),
        Bound("Score-CAM, bf16, over its forward passes", score | {"candidate": BF16}, 0.40),
        Bound("Score-CAM, all classes over one class", every, 1.05, over=score | {"candidate": READY}),
        Bound("Deletion + insertion, prepared, over their forward passes", curves | {"candidate": READY}, 0.80),
    ]


def checklist(table: pd.DataFrame) -> list[str]:
    """One line a bound: words, figure with its interval, limit, and whether it is met."""
    return [_line(table, bound) for bound in bounds()]


def _line(table: pd.DataFrame, bound: Bound) -> str:
    row, base = _find(table, bound.row), None if bound.over is None else _find(table, bound.over)
    limit = f"at most {bound.at_most:g}" if bound.at_least is None else f"at least {bound.at_least:g}"
    if row is None or (bound.over is not None and base is None):
        return f"not measured   {bound.words} ({limit})"
    by = 1.0 if base is None else float(base["ratio"])
    names = ("ratio", "low", "high") if bound.column == "ratio" else (bound.column,) * 3
    value, low, high = (float(row[name]) / by for name in names)
    met = low <= bound.at_most if bound.at_least is None else high >= bound.at_least
    figure = f"{value:.3g} [{low:.3g}, {high:.3g}]" if bound.column == "ratio" else f"{value:.3g}"
    return f"{'met' if met else 'NOT MET':<14} {bound.words}: {figure} ({limit})"


def _find(table: pd.DataFrame, wanted: dict) -> pd.Series | None:
    keep = pd.Series(True, index=table.index)
    for column, value in wanted.items():
        keep &= table[column] == value
    return table[keep].iloc[0] if keep.any() else None
