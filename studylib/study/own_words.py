"""What an audit says first: a few sentences and a table, each word following from a number."""

from __future__ import annotations

import pandas as pd

from studylib.metrics.classification import majority_share
from studylib.metrics.intervals import Estimate
from studylib.study.across import FLOORS, hardest
from studylib.study.synthesis_06 import tallied, tally, title_of


def headline(found: dict[str, Estimate], said: pd.DataFrame, compared: pd.DataFrame, gates: pd.DataFrame) -> list[str]:
    """The model, the place, the need, the gates: one sentence each."""
    return [_of_model(found, said), _of_place(compared), _of_need(compared), _of_gates(gates)]


def _of_model(found: dict[str, Estimate], said: pd.DataFrame) -> str:
    accuracy, majority = found["model.accuracy"], majority_share(said["label"])
    verdict = (
        "better than always saying the commonest class" if accuracy.low > majority
        else "worse than always saying the commonest class" if accuracy.high < majority
        else "not told apart from always saying the commonest class"
    )  # fmt: skip
    return f"**The model** has an accuracy of {accuracy}: {verdict} ({majority:.3f})."


def _of_place(compared: pd.DataFrame) -> str:
    rows = hardest(compared) if len(compared) and (compared["measure"] == "auprc").any() else pd.DataFrame()
    if not len(rows):
        return "**Where its maps lie** was not measured: no test image has a mask."
    parts = []
    for row in rows.to_dict("records"):
        words = {"better": "beats", "worse": "does worse than", "open": "cannot be told apart from", "equal": "equals"}
        gap = f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        told = words.get(row["outcome"], "cannot be compared with")
        parts.append(f"{title_of(row['method'], row['layer'])} {told} the {FLOORS[row['other']]} ({gap})")
    return (
        "**Where its maps lie**, against the floor that is hardest for each, in pixel AUPRC: " + "; ".join(parts) + "."
    )


def _of_need(compared: pd.DataFrame) -> str:
    rows = compared[(compared["question"] == "need") & (compared["other"] == "random")]
    found = tallied(rows)
    return (
        f"**What its maps mark** matters more to the score than random places in {found['better']} of {len(rows)} "
        "comparisons (deletion and insertion)."
    )


def _of_gates(gates: pd.DataFrame) -> str:
    judged = gates[gates["outcome"] != "not applicable"]
    passed = int((judged["outcome"] == "pass").sum())
    failed = sorted({name.split(" ", 1)[1] for name in judged.index[judged["outcome"] == "fail"]})
    told = f"; it fails in: {', '.join(failed)}" if failed else ""
    return f"**Gates:** {passed} of {len(judged)} rules passed{told}. {len(gates) - len(judged)} do not apply here."


def may_be_said(compared: pd.DataFrame) -> pd.DataFrame:
    """One row a map: how it does against floors and random places, and what that allows."""
    floors = compared[(compared["kind"] == "floor") & (compared["measure"] == "auprc")]
    rows = []
    for method, layer in compared[["method", "layer"]].drop_duplicates().itertuples(index=False):
        mine = floors[(floors["method"] == method) & (floors["layer"] == layer)]
        need = compared[(compared["method"] == method) & (compared["question"] == "need")]
        need = need[need["other"] == "random"]
        place = (
            "not measured: no masks" if not len(mine)
            else "better than every floor tried" if (mine["outcome"] == "better").all()
            else "not better than every floor: do not call it a finding"
        )  # fmt: skip
        needed = (
            "the model needs what it marks" if len(need) and (need["outcome"] == "better").all()
            else "not shown that the model needs what it marks" if len(need) else "not measured"
        )  # fmt: skip
        rows.append({
            "map": title_of(method, layer), "against floors": tally(mine), "against random places": tally(need),
            "where it lies": place, "what it is about": needed,
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("map")
