"""The gates, the same in every notebook: each one call, each a row with its rule, its figure, and pass, fail or not
applicable.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from studylib.metrics.intervals import Estimate

OUTCOMES = ("pass", "fail", "not applicable")


@dataclass(frozen=True)
class Gate:
    """One row of the table of gates."""

    gate: str
    rule: str
    figure: str
    outcome: str


def leak_gate(crossings: pd.DataFrame, shuffled: Estimate | None, classes: int = 2) -> list[Gate]:
    """Gate 0: nothing crosses the split, and networks trained on labels drawn by lot score at chance."""
    count = int(crossings["crossing"].sum())
    rows = [
        Gate(
            "0 leak",
            "no group, file or near-duplicate crosses the split",
            f"{count} cross",
            "fail" if count else "pass",
        )
    ]
    rule = f"balanced accuracy on labels drawn by lot: its interval holds {1 / classes:.3g}"
    if shuffled is None:
        return [*rows, Gate("0 leak", rule, "no such network in this profile", "not applicable")]
    holds = shuffled.low <= 1 / classes <= shuffled.high
    return [*rows, Gate("0 leak", rule, str(shuffled), "pass" if holds else "fail")]


def model_gate(auroc: Estimate, accuracy: Estimate, majority: float, baseline: Estimate, ece: Estimate) -> list[Gate]:
    """Gate 1: the network before its map: AUROC, majority and simple-feature baselines, calibration."""
    return [
        above("1 model", "AUROC above 0.5", auroc, 0.5),
        above("1 model", f"accuracy above the majority class ({majority:.3f})", accuracy, majority),
        above("1 model", f"AUROC above simple features ({baseline.value:.3f})", auroc, baseline.value),
        below("1 model", "calibration error below 0.05", ece, 0.05),
    ]


def floor_gate(differences: dict[str, Estimate]) -> list[Gate]:
    """Gate 2: the map beats every floor. differences: floor -> map minus floor."""
    return [
        above("2 floors", f"pixel AUPRC above that of {name.replace('_', ' ')}", e, 0.0)
        for name, e in differences.items()
    ]


def sanity_gate(excess: Estimate) -> list[Gate]:
    """Gate 3: with every weight random the map resembles itself no more than two maps of different images do."""
    return [
        below(
            "3 sanity", "Spearman after randomising all weights, above that of 50 random pairs: below 0.1", excess, 0.1
        )
    ]


def stability_gate(agreement: Estimate) -> list[Gate]:
    """Gate 4: networks that differ by their seed draw alike maps."""
    return [above("4 stability", "Spearman of maps between networks above 0.6", agreement, 0.6)]


def truth_gate(cue: Estimate | None, lesion: Estimate | None) -> list[Gate]:
    """Gate 5: the map finds what was planted, the lesion and the shortcut."""
    rows = []
    for name, e in (
        ("true cue: map energy in the lesion above its area", lesion),
        ("planted mark: map energy on it above its area", cue),
    ):
        rows.append(
            Gate("5 planted truth", name, "phantoms only", "not applicable")
            if e is None
            else above("5 planted truth", name, e, 0.0)
        )
    return rows


def choice_gate(values: dict[str, float]) -> list[Gate]:
    """Gate 6: how far mere choices move the figure; no pass or fail, the range stands beside the point."""
    low, high = min(values, key=values.get), max(values, key=values.get)
    text = f"{values[low]:.3f} ({low}) to {values[high]:.3f} ({high}), {len(values)} choices"
    return [Gate("6 choices", "range over layer and interpolation, printed beside the point", text, "not applicable")]


def above(gate: str, rule: str, e: Estimate, bound: float) -> Gate:
    """Pass where the whole interval lies above the bound; without an interval nothing passes."""
    return Gate(gate, rule, str(e), "pass" if e.low > bound else "fail")


def below(gate: str, rule: str, e: Estimate, bound: float) -> Gate:
    """Pass where the whole interval lies below the bound; without an interval nothing passes."""
    return Gate(gate, rule, str(e), "pass" if e.high < bound else "fail")


def gate_table(*gates: list[Gate]) -> pd.DataFrame:
    """All rows as a table."""
    rows = [g for group in gates for g in group]
    return pd.DataFrame([vars(g) for g in rows]).set_index("gate")
