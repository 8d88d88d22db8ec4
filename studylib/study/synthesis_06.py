"""What the five studies say together: which map does what, where they agree, whether phantoms foretell real images."""

from __future__ import annotations

import pandas as pd

from studylib.cam import METHODS
from studylib.metrics.intervals import Estimate, exact
from studylib.study.across import CONTROLS, FLOORS, MEASURES, OUTCOMES, hardest
from studylib.study.overview import of_one_machine


def title_of(method: str, layer: str = "") -> str:
    """`Grad-CAM at pool2`; the last layer is not named."""
    return METHODS[method].title + (f" at {layer.replace('_', '.')}" if layer else "")


def other_title(other: str) -> str:
    """The map that another is set against, as `title_of` says it."""
    method, _, layer = other.partition(" at ")
    return title_of(method, layer)


def kind_of(data: str) -> str:
    """`real images` or `phantoms`."""
    return "real images" if data == "real" else "phantoms"


def floor_table(table: pd.DataFrame) -> pd.DataFrame:
    """Of each map the floor that is hardest for it, one row a study, run and map, real images first."""
    rows = hardest(table)
    return rows.assign(
        map=[title_of(m, layer) for m, layer in zip(rows["method"], rows["layer"], strict=True)],
        floor=rows["other"].map(FLOORS),
    ).reset_index(drop=True)


def tallied(rows: pd.DataFrame) -> dict[str, int]:
    """How many comparisons came out better, open, worse or undefined."""
    return {word: int((rows["outcome"] == word).sum()) for word in OUTCOMES}


def tally(rows: pd.DataFrame) -> str:
    """`2 better, 1 open, 4 worse`; a dash for none."""
    return ", ".join(f"{count} {word}" for word, count in tallied(rows).items() if count) or "–"


def by_control(table: pd.DataFrame) -> pd.DataFrame:
    """Maps against places drawn at random and against random weights: outcomes counted by question and images."""
    rows = table[table["kind"] == "control"]
    found = [
        {"question": question, "against": CONTROLS[other], "images": kind_of(data), "measures": measures_of(part)}
        | tallied(part)
        for (question, other, data), part in rows.groupby(["question", "other", "data"], sort=False)
    ]
    return pd.DataFrame(found)


def measures_of(rows: pd.DataFrame) -> str:
    """The measures of some comparisons in words."""
    return ", ".join(MEASURES[name][2] for name in MEASURES if (rows["measure"] == name).any())


def between_maps(table: pd.DataFrame) -> pd.DataFrame:
    """One map against another in every study that compared them, by question: outcomes counted, and whether two studies
    or runs contradict each other (one finds better, one worse).
    """
    rows = table[(table["kind"] == "map") & (table["outcome"] != "undefined")]
    found = []
    for (question, method, other), part in rows.groupby(["question", "method", "other"], sort=False):
        better, worse = part[part["outcome"] == "better"], part[part["outcome"] == "worse"]
        pair = {"question": question, "map": title_of(method), "minus": other_title(other)}
        found.append(
            pair | {"studies": part["study"].nunique()}
            | tallied(part)
            | {"conflict": "yes" if len(better) and len(worse) else "no", "better in": places(better),
               "worse in": places(worse)}
        )  # fmt: skip
    return pd.DataFrame(found).drop(columns="undefined")


def places(rows: pd.DataFrame) -> str:
    """`01 phantoms, 05 phantoms`: where some comparisons were made."""
    pairs = dict.fromkeys(zip(rows["study"], rows["data"], strict=True))
    return ", ".join(f"{study} {kind_of(data)}" for study, data in pairs)


def foretold(table: pd.DataFrame) -> pd.DataFrame:
    """The same comparison on phantoms and on real images of one study, one row a comparison: study, metric, question,
    map, other, phantom, real (differences, turned so that more is better) and both outcomes.
    """
    keys = ["study", "measure", "method", "layer", "other", "kind"]
    sides = {}
    for data in ("phantom", "real"):
        part = table[(table["data"] == data) & (table["outcome"] != "undefined")]
        sign = [1 if MEASURES[measure][1] else -1 for measure in part["measure"]]
        sides[data] = part.assign(value=part["value"] * sign)
    both = sides["phantom"].merge(sides["real"], on=keys, suffixes=("_phantom", "_real"))
    return both[[*keys, "question_phantom", "value_phantom", "value_real", "outcome_phantom", "outcome_real"]].rename(
        columns={"question_phantom": "question", "value_phantom": "phantom", "value_real": "real"}
    )


def foretelling(pairs: pd.DataFrame) -> pd.DataFrame:
    """How often phantoms foretold: both intervals on one side of 0, how many of them agree; by question and kind."""
    sure = pairs[pairs["outcome_phantom"].isin(("better", "worse")) & pairs["outcome_real"].isin(("better", "worse"))]
    found = []
    for (question, kind), part in sure.groupby(["question", "kind"], sort=False):
        same = int((part["outcome_phantom"] == part["outcome_real"]).sum())
        found.append({"question": question, "against": kind, "sure in both": len(part), "same answer": same})
    return pd.DataFrame(found)


def counts(table: pd.DataFrame, statements: pd.DataFrame, gate_rows: pd.DataFrame, pairs: pd.DataFrame) -> dict:
    """The counts that the text quotes, as estimates: name -> Estimate."""
    found: dict[str, Estimate] = {}
    for data, rows in floor_table(table).groupby("data", sort=False):
        for word, count in tallied(rows).items():
            found[f"floors.{data}.{word}"] = exact(
                count, n=len(rows), how="maps against the floor hardest for them, pixel AUPRC"
            )
    needed = table[(table["question"] == "need") & (table["other"] == "random")]
    for data, rows in needed.groupby("data", sort=False):
        for word, count in tallied(rows).items():
            found[f"need.{data}.{word}"] = exact(
                count, n=len(rows), how="deletion and insertion, map minus random places"
            )
    lasting = statements[[not of_one_machine(row) for row in statements.to_dict("records")]]  # the same on any machine
    for word, count in lasting["verdict"].value_counts().items():
        found[f"verdicts.{word.replace(' ', '_')}"] = exact(
            count, n=len(lasting), how="statements of the five sources but those on cost, which belong to one machine"
        )
    for (gate, data), rows in gate_rows.assign(data=gate_rows["run"].str.split("-").str[0]).groupby(
        ["gate", "data"], sort=True
    ):
        judged = rows[rows["outcome"] != "not applicable"]
        name = gate.split(" ", 1)[1].replace(" ", "_")
        if len(judged):
            found[f"gates.{name}.{data}.passed"] = exact(
                (judged["outcome"] == "pass").sum(), n=len(judged), how="rules of the gate"
            )
    told = foretelling(pairs)
    sure = int(told["sure in both"].sum()) if len(told) else 0
    same = int(told["same answer"].sum()) if len(told) else 0
    found["foretold.same"] = exact(same, n=sure, how="comparisons whose interval lies on one side of 0 in both runs")
    return found


def unknown(statements: pd.DataFrame) -> pd.DataFrame:
    """Statements that neither run could decide, with what would: one row a statement."""
    rows = statements[statements["verdict"] == "undecided"]
    return rows[["claim", "statement", "reason", "run"]].set_index("claim")


def out_of_reach(statements: pd.DataFrame) -> pd.DataFrame:
    """How many statements of each study and topic these images or texts cannot settle."""
    rows = statements[statements["verdict"] == "not testable"]
    return rows.groupby(["study", "topic"], sort=False).size().rename("not testable").reset_index().set_index("study")


def needed(table: pd.DataFrame) -> pd.DataFrame:
    """Deletion and insertion of every map against random places and against all floors together, outcomes counted."""
    rows = table[(table["question"] == "need") & (table["kind"] != "map")]
    found = []
    for (study, data, method), part in rows.groupby(["study", "data", "method"], sort=False):
        row = {"study": study, "images": kind_of(data), "map": title_of(method)}
        for measure in ("deletion", "insertion"):
            mine = part[part["measure"] == measure]
            row[f"{measure} against random places"] = tally(mine[mine["other"] == "random"])
            row[f"{measure} against floors"] = tally(mine[mine["kind"] == "floor"])
        found.append(row)
    return pd.DataFrame(found).set_index("study")


def revealed(rates: pd.DataFrame) -> pd.DataFrame:
    """How often each map reveals each planted cue, with its interval: a row a study and cue, a column a map."""
    rows = rates[(rates["what"] == "reveal") & rates["value"].notna()]
    told = rows.assign(
        map=rows["method"].map(lambda name: METHODS[name].title),
        rate=[f"{r.value:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in rows.itertuples()],
        groups=rows["groups"].astype(int),
    )
    wide = told.pivot_table(index=["study", "cue"], columns="map", values="rate", aggfunc="first", sort=False)
    fewest = told.groupby(["study", "cue"], sort=False)["groups"].min()
    return wide.fillna("–").assign(groups=fewest).reset_index().set_index("study")


def compared_by(table: pd.DataFrame) -> pd.DataFrame:
    """How many comparisons each study and run recorded, by what a map was set against."""
    wide = table.pivot_table(index=["study", "run"], columns="kind", values="metric", aggfunc="count", fill_value=0)
    return wide.rename_axis(columns=None).reset_index().set_index("study")


def undecided_by(statements: pd.DataFrame) -> pd.DataFrame:
    """How many statements of each study no run could decide or test."""
    rows = statements[statements["verdict"].isin(("undecided", "not testable"))]
    return rows.groupby(["study", "verdict"]).size().unstack(fill_value=0)
