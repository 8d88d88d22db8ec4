"""The reports of all studies as tidy tables: every map against every floor, its rates on planted cues, its gates, its
choices. What is read are the names and estimates of metrics.json, nothing is measured again.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator

import pandas as pd

from studylib.cam import METHODS
from studylib.metrics.intervals import Estimate
from studylib.study.marks import VERDICT_MARKS
from studylib.study.site import Report

KEYS = {name.replace("+", "p"): name for name in METHODS}  # as metric names spell them -> as `explain` does
FLOORS = {
    "centre": "centred blob",
    "class_mean": "mean mask of the class",
    "brightest": "brightest pixels",
    "darkest": "darkest pixels",
    "blue": "darkness in blue",
    "sobel": "edges",
}  # know nothing of the network; drawing at random is a control, since no one would use it
CONTROLS = {"random": "random places", "random_weights": "network with random weights"}
CHOSEN = {"chosen_floor": "floor that validation images chose"}
# measure -> (question, whether more is better, in words)
MEASURES = {
    "auprc": ("place", True, "pixel AUPRC"),
    "iou_matched": ("place", True, "IoU at the object's own area"),
    "iou": ("place", True, "IoU"),
    "pointing": ("place", True, "pointing game"),
    "energy_inside": ("place", True, "energy inside"),
    "pixel_auroc": ("place", True, "pixel AUROC"),
    "deletion": ("need", False, "deletion"),
    "insertion": ("need", True, "insertion"),
}
FAMILIES = ("loc", "auprc", "iou", "pointing", "iou_matched", "faith")
CUE_RATES = ("reveal", "hide", "peak")
OUTCOMES = ("better", "equal", "open", "worse", "undefined")
ROUNDING = 1e-5  # an interval within it of 0 on both sides is two ways of computing one number
KEPT = ("claim", "topic", "statement", "verdict", "evidence", "reason", "metric")  # of a row of verdicts.csv
CHOICES = re.compile(r"([\d.]+) \((.*?)\) to ([\d.]+) \((.*?)\), (\d+) choices")


def run_of(report: Report) -> str:
    """`phantom-quick`, as folders are called."""
    return f"{report.data}-{report.profile}"


def split_map(words: str) -> tuple[str, str] | None:
    """(method, layer) of what a metric's name calls a map, layer "" for the last; None for anything else."""
    for key in sorted(KEYS, key=len, reverse=True):
        if words == key:
            return KEYS[key], ""
        if words.startswith(f"{key}_"):
            return KEYS[key], words[len(key) + 1 :]
    return None


def compared(name: str) -> tuple[str, str, str, str, str] | None:
    """(measure, method, layer, other, kind) of a metric that compares a map with a floor, a control or another map, on
    all images; None for any other metric. kind: "floor", "chosen", "control" or "map".
    """
    parts = name.split(".")
    pairs = [part for part in parts if "_minus_" in part]
    rest = [part for part in parts if "_minus_" not in part]
    measures = [part for part in rest if part in MEASURES]
    if parts[0] not in FAMILIES or len(pairs) != 1 or len(measures) != 1 or (parts[0] == "iou" and rest[-1] != "all"):
        return None
    left, right = pairs[0].split("_minus_", 1)
    shown, against = split_map(left), split_map(right)
    kinds = {"floor": FLOORS, "chosen": CHOSEN, "control": CONTROLS}
    kind = next((kind for kind, known in kinds.items() if right in known), "map" if against else "")
    if shown is None or shown[1] in ("all", "wrong") or not kind:
        return None
    other = right if kind != "map" else " at ".join(part for part in against if part)
    return measures[0], *shown, other, kind


def outcome(estimate: Estimate, more_is_better: bool) -> str:
    """What a difference comes to: its interval lies on one side of 0, or holds it, or there is none; "equal" where all
    of it is rounding.
    """
    if any(math.isnan(v) for v in (estimate.value, estimate.low, estimate.high)):
        return "undefined"
    if max(abs(estimate.low), abs(estimate.high)) < ROUNDING:
        return "equal"
    if estimate.low > 0 or estimate.high < 0:
        return "better" if (estimate.low > 0) == more_is_better else "worse"
    return "open"


def comparisons(reports: list[Report]) -> pd.DataFrame:
    """One row for each recorded comparison of a map: study, run, data, question, measure, method, layer, other, kind,
    value, low, high, n, groups, unit, outcome, metric; real images first.
    """
    rows = pd.DataFrame(_comparisons(reports))
    return rows.sort_values(["data", "study"], ascending=[False, True], kind="stable", ignore_index=True)


def _comparisons(reports: list[Report]) -> Iterator[dict]:
    for report in reports:
        for name, row in report.metrics.items():
            if (found := compared(name)) is None:
                continue
            measure, method, layer, other, kind = found
            e, (question, more, _) = Estimate.from_dict(row), MEASURES[measure]
            yield {
                "study": report.study, "run": run_of(report), "data": report.data, "question": question,
                "measure": measure, "method": method, "layer": layer, "other": other, "kind": kind,
                "value": e.value, "low": e.low, "high": e.high, "n": e.n, "groups": e.groups, "unit": e.unit,
                "outcome": outcome(e, more), "metric": name,
            }  # fmt: skip


def hardest(table: pd.DataFrame, measure: str = "auprc") -> pd.DataFrame:
    """Of each map the floor that it does worst against, by one measure, in each study and run: one row a map."""
    rows = table[(table["kind"] == "floor") & (table["measure"] == measure) & table["value"].notna()]
    worst = rows.groupby(["study", "run", "method", "layer"], sort=False)["value"]
    return rows.loc[worst.idxmin() if MEASURES[measure][1] else worst.idxmax()].reset_index(drop=True)


def cue_rates(reports: list[Report]) -> pd.DataFrame:
    """One row for each rate on planted cues: study, run, what (reveal, hide, peak), cue, method, value, low, high, n,
    groups.
    """
    rows = []
    for report in reports:
        for name, row in report.metrics.items():
            what, *rest = name.split(".")
            if what in CUE_RATES and len(rest) == 3 and rest[2] == "rate" and rest[1] in KEYS:
                e = Estimate.from_dict(row)
                rows.append({
                    "study": report.study, "run": run_of(report), "what": what, "cue": rest[0],
                    "method": KEYS[rest[1]], "value": e.value, "low": e.low, "high": e.high, "n": e.n,
                    "groups": e.groups,
                })  # fmt: skip
    return pd.DataFrame(rows)


def gates(reports: list[Report]) -> pd.DataFrame:
    """One row for each gate's rule: study, run, gate, rule, figure, outcome; of reports that hold a table of gates."""
    rows = []
    for report in reports:
        path = report.folder / "tables" / "gates_all.csv"
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                rows += [{"study": report.study, "run": run_of(report)} | row for row in csv.DictReader(file)]
    return pd.DataFrame(rows)


def choice_ranges(gate_rows: pd.DataFrame) -> pd.DataFrame:
    """What the choice of layer and interpolation alone is worth: one row a study and run, from gate 6."""
    rows = []
    for row in gate_rows[gate_rows["gate"].str.startswith("6 ")].to_dict("records"):
        if found := CHOICES.search(row["figure"]):
            low, worst, high, best, many = found.groups()
            rows.append({
                "study": row["study"], "run": row["run"], "lowest": float(low), "with": worst, "highest": float(high),
                "by": best, "times": float(high) / float(low) if float(low) else math.inf, "choices": int(many),
            })  # fmt: skip
    return pd.DataFrame(rows)


def verdict_counts(reports: list[Report]) -> pd.DataFrame:
    """One row a report: study, run, how many statements got each verdict, and of how many."""
    rows = []
    for report in reports:
        words = [row["verdict"] for row in report.verdicts]
        counts = {word: words.count(word) for word in VERDICT_MARKS}
        rows.append({"study": report.study, "run": run_of(report)} | counts | {"statements": len(words)})
    return pd.DataFrame(rows)


def statements(reports: list[Report]) -> pd.DataFrame:
    """One row a statement: study, what `KEPT` names of its verdict, and run: of the run on real images
    where that could judge it, else of the phantoms.
    """
    found: dict[str, dict] = {}
    for report in sorted(reports, key=lambda report: report.rank):  # phantoms first, real images lay themselves over
        for row in report.verdicts:
            judged = row["verdict"] != "not testable"
            if row["claim"] not in found or judged:
                kept = {name: row.get(name, "") for name in KEPT}
                found[row["claim"]] = {"study": report.study} | kept | {"run": run_of(report)}
    order = sorted(found, key=lambda claim: tuple(int(part) for part in claim.split(".")))
    return pd.DataFrame([found[claim] for claim in order])
