"""The gates, the same in every notebook: each one call, each a row with its rule, its figure, and pass, fail or not
applicable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from studylib.metrics.intervals import Estimate

OUTCOMES = ("pass", "fail", "not applicable")
MEASURES = ("spearman", "ssim", "overlap")

# bound: (number, why this number); none of them is a law, each is this house's choice unless a source is named
BOUNDS = {
    "ece": (0.05, "a probability off by one in twenty changes few decisions"),
    "sanity": (0.1, "a tenth of the scale above random pairs is likeness one can see (Adebayo 2018 gives no number)"),
    "seeds": (0.6, "rank variance shared is then at least a third (0.6 squared is 0.36)"),
    "small change": (0.6, "a change that the eye does not see may move a map no more than a new seed does"),
    "chance pairs": (0.0, "maps of one image must be more alike than maps of different images (Arun 2021)"),
    "planted": (0.0, "a map drawn blindly puts into a region just that region's share of the area"),
}

# family of cue -> what its Estimate measures: energy of the map on the cue minus the cue's share of the area
PLANTED = {
    "true": "true cue alone: map energy on it above its area",
    "marker": "marker that goes with the label: map energy on it above its area",
    "either": "either of two cues: map energy on the one present above its area",
    "outside": "cue outside the mask: map energy on the cue above its area",
}


@dataclass(frozen=True)
class Gate:
    """One row of the table of gates."""

    gate: str
    rule: str
    figure: str
    outcome: str


def leak_gate(
    crossings: pd.DataFrame, shuffled: Estimate | None, classes: int = 2, *, neighbour: Estimate | None = None
) -> list[Gate]:
    """Gate 0: nothing crosses the split, and networks trained on labels drawn by lot score at chance.

    `neighbour` is the balanced accuracy of copying the most alike training image minus that of copying any one, labels
    drawn by lot: it sees near-duplicates across the split without any training, in as many draws as one likes.
    """
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
    rows.append(
        Gate("0 leak", rule, "no such network in this profile", "not applicable")
        if shuffled is None
        else _holds("0 leak", rule, shuffled, 1 / classes)
    )
    if neighbour is not None:
        rule = "labels drawn by lot: the nearest neighbour minus any training image, its interval holds 0"
        rows.append(_holds("0 leak", rule, neighbour, 0.0))
    return rows


def model_gate(auroc: Estimate, accuracy: Estimate, majority: float, baseline: Estimate, ece: Estimate) -> list[Gate]:
    """Gate 1: the network before its map: AUROC, majority and simple-feature baselines, calibration."""
    return [
        above("1 model", "AUROC above 0.5", auroc, 0.5),
        above("1 model", f"accuracy above the majority class ({majority:.3f})", accuracy, majority),
        above("1 model", f"AUROC above simple features ({baseline.value:.3f})", auroc, baseline.value),
        below("1 model", f"calibration error below {BOUNDS['ece'][0]}", ece, BOUNDS["ece"][0]),
    ]


def floor_gate(differences: dict[str, Estimate], measure: str = "pixel AUPRC") -> list[Gate]:
    """Gate 2: the map beats every floor. differences: floor -> map minus floor, by a measure."""
    return [
        above("2 floors", f"{measure} above that of {name.replace('_', ' ')}", e, 0.0)
        for name, e in differences.items()
    ]


def sanity_gate(
    cascading: dict[str, Estimate | str],
    independent: dict[str, Estimate | str] | None = None,
    shuffled: dict[str, Estimate | str] | None = None,
) -> list[Gate]:
    """Gate 3: with weights random, or learnt from labels drawn by lot, a map resembles the trained network's no more
    than two maps of different images do (Adebayo 2018).

    Each dictionary: measure (`spearman`, `ssim`, `overlap`) -> likeness minus that of 50 random pairs, or a reason.
    """
    bound, rows = BOUNDS["sanity"][0], []
    for how, excesses in (
        ("every layer randomised", cascading),
        ("layers randomised singly", independent),
        ("network trained on labels drawn by lot", shuffled),
    ):
        for measure, e in _measures(excesses):
            rule = f"{how}: {measure} above that of 50 random pairs: below {bound}"
            rows.append(_row(below, "3 sanity", rule, e, bound))
    return rows


def stability_gate(
    agreement: Estimate | str,
    *,
    repeatability: dict[str, Estimate | str] | None = None,
    reproducibility: dict[str, Estimate | str] | None = None,
    perturbed: dict[str, Estimate | str] | None = None,
) -> list[Gate]:
    """Gate 4: networks that differ by their seed draw alike maps, and small changes of the image leave the map alike.

    `repeatability` (other seed) and `reproducibility` (other backbone): measure (`spearman`, `ssim`, `overlap`) ->
    likeness minus that of 50 random pairs (Arun 2021); `perturbed`: change -> Spearman. A string is a reason for none.
    """
    rule = f"Spearman of maps between networks above {BOUNDS['seeds'][0]}"
    rows = [_row(above, "4 stability", rule, agreement, BOUNDS["seeds"][0])]
    for how, excesses in (("other seed", repeatability), ("other backbone", reproducibility)):
        for measure, e in _measures(excesses):
            rule = f"{how}: {measure} above that of 50 random pairs"
            rows.append(_row(above, "4 stability", rule, e, BOUNDS["chance pairs"][0]))
    for change, e in (perturbed or {}).items():
        bound = BOUNDS["small change"][0]
        rows.append(_row(above, "4 stability", f"Spearman of maps after {change} above {bound}", e, bound))
    return rows


def truth_gate(planted: dict[str, Estimate | str]) -> list[Gate]:
    """Gate 5: the map finds what was planted, in phantoms of any family.

    planted: which cue (`true`, `marker`, `either`, `outside`) -> energy of the map on it minus its area, or why there
    is none; cues left out get a row that says so.
    """
    if unknown := sorted(set(planted) - set(PLANTED)):
        raise ValueError(f"no such planted cue: {', '.join(unknown)} (known: {', '.join(PLANTED)})")
    return [
        _row(above, "5 planted truth", rule, planted.get(name, "not planted in this run"), BOUNDS["planted"][0])
        for name, rule in PLANTED.items()
    ]


def choice_gate(values: dict[str, float]) -> list[Gate]:
    """Gate 6: how far mere choices move the figure; no pass or fail, the range stands beside the point. values: choice
    -> figure; none where no map can be scored.
    """
    rule = "range over layer and interpolation, printed beside the point"
    if not values:
        return [Gate("6 choices", rule, "no map can be scored in this run", "not applicable")]
    low, high = min(values, key=values.get), max(values, key=values.get)
    text = f"{values[low]:.3f} ({low}) to {values[high]:.3f} ({high}), {len(values)} choices"
    return [Gate("6 choices", rule, text, "not applicable")]


def above(gate: str, rule: str, e: Estimate, bound: float) -> Gate:
    """Pass where the whole interval lies above the bound; without an interval nothing passes."""
    return Gate(gate, rule, str(e), "pass" if e.low > bound else "fail")


def below(gate: str, rule: str, e: Estimate, bound: float) -> Gate:
    """Pass where the whole interval lies below the bound; without an interval nothing passes."""
    return Gate(gate, rule, str(e), "pass" if e.high < bound else "fail")


def _row(
    test: Callable[[str, str, Estimate, float], Gate], gate: str, rule: str, e: Estimate | str, bound: float
) -> Gate:
    """Return the test's row, or one that says why there is no figure."""
    return Gate(gate, rule, e, "not applicable") if isinstance(e, str) else test(gate, rule, e, bound)


def _holds(gate: str, rule: str, e: Estimate, value: float) -> Gate:
    """Pass where the interval holds the value; without an interval nothing passes."""
    return Gate(gate, rule, str(e), "pass" if e.low <= value <= e.high else "fail")


def _measures(excesses: dict[str, Estimate | str] | None) -> list[tuple[str, Estimate | str]]:
    """Return measure and figure in the house's order; a measure of no known name is refused."""
    if unknown := sorted(set(excesses or {}) - set(MEASURES)):
        raise ValueError(f"no such likeness of maps: {', '.join(unknown)} (known: {', '.join(MEASURES)})")
    return [(name, (excesses or {})[name]) for name in MEASURES if name in (excesses or {})]


def gate_table(*gates: list[Gate]) -> pd.DataFrame:
    """All rows as a table."""
    rows = [g for group in gates for g in group]
    return pd.DataFrame([vars(g) for g in rows]).set_index("gate")
