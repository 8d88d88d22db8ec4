"""Which map should one use, and what may one say with it: counted from the comparisons of all studies."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from studylib.cam import METHODS
from studylib.study.synthesis_06 import floor_table, tally

SHOWN = ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "scorecam", "crm")
BENCH = {"model": "resnet18", "batch": "16", "size": "224", "layers": "1"}  # of reports/bench/cpu.csv
REVEALS = 0.5  # more often than not


def cost_of(root: Path) -> dict[str, dict[str, str]]:
    """What maps take in units of the forward pass, by candidate and methods: ratios in words, from
    reports/bench/cpu.csv.
    """
    path = root / "reports" / "bench" / "cpu.csv"
    found: dict[str, dict[str, str]] = {}
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                same = all(row[key] == value for key, value in BENCH.items() if key != "batch")
                if same and row["batch"] == ("1" if row["methods"].startswith("scorecam") else BENCH["batch"]):
                    told = f"{float(row['ratio']):.3g} [{float(row['low']):.3g}, {float(row['high']):.3g}]"
                    found.setdefault(row["candidate"], {})[row["methods"]] = told
    return found


def which_map(table: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Which map should I use, and what may I say with it: one row a method, every word counted from the comparisons."""
    floors, rows = floor_table(table), []
    shown = rates[(rates["what"] == "reveal") & rates["value"].notna()]
    for method in SHOWN:
        mine, needed = floors[floors["method"] == method], table[
            (table["method"] == method) & (table["measure"] == "deletion") & (table["other"] == "random")
        ]  # fmt: skip
        cues = shown[shown["method"] == method]
        rows.append({
            "map": METHODS[method].title,
            "needs": needs(method),
            "against its hardest floor, real": tally(mine[mine["data"] == "real"]),
            "the same, phantoms": tally(mine[mine["data"] == "phantom"]),
            "deletion against random places": tally(needed),
            "planted cues revealed": f"{int((cues['value'] > REVEALS).sum())} of {len(cues)}" if len(cues) else "–",
            "what you may say": may_say(mine, needed, cues),
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("map")


def needs(method: str) -> str:
    """What a map takes, from the arguments of its formula."""
    wanted = METHODS[method].needs
    if any(name.startswith("masked") for name in wanted):
        return "a forward pass a channel"
    if METHODS[method].needs_head:
        return "a head that is linear in the layer; no backward pass"
    return "one backward pass above the layer, shared by all that need it"


def may_say(floors: pd.DataFrame, needed: pd.DataFrame, cues: pd.DataFrame) -> str:
    """What the comparisons of one map allow to be said of it."""
    return " ".join(text for text in (_of_place(floors), _of_need(needed), _of_cues(cues)) if text)


def _of_place(floors: pd.DataFrame) -> str:
    real = floors[floors["data"] == "real"]
    used, where = (real, "real images") if len(real) else (floors, "phantoms")
    if not len(used):
        return "Of where it lies: nothing, no study here set it against floors."
    better = int((used["outcome"] == "better").sum())
    if better == len(used):
        return f"Where the object lies: better than every floor tried on {where} ({better} of {len(used)})."
    if better == 0:
        times = f"{len(used)} of {len(used)} times"
        return f"Not where the object lies: on {where} a floor without a network does as well or better, {times}."
    told = f"it beats the hardest in {better} of {len(used)} on {where}"
    return f"Where the object lies only with its floor beside it: {told}."


def _of_need(needed: pd.DataFrame) -> str:
    if not len(needed):
        return ""
    better = int((needed["outcome"] == "better").sum())
    head = (
        "That the network needs what it marks more than random places"
        if better
        else "Not that the network needs what it marks"
    )
    return f"{head}: {better} of {len(needed)} studies and runs."


def _of_cues(cues: pd.DataFrame) -> str:
    if not len(cues):
        return ""
    shown = int((cues["value"] > REVEALS).sum())
    told = f"shown for {shown} of {len(cues)} planted cues"
    return f"That a network rests on a mark in the picture, if it does (phantoms): {told}."
