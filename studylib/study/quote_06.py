"""What the synthesis says in words: an answer above each table and half a page to quote, every number from records."""

from __future__ import annotations

import pandas as pd

from studylib.metrics.estimates import counted
from studylib.metrics.intervals import Estimate
from studylib.study.across import MEASURES
from studylib.study.synthesis_06 import floor_table, foretelling, kind_of, tallied


def listed(parts: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def of_floors(table: pd.DataFrame) -> str:
    """Does a map find the object better than a floor that knows nothing of the network?"""
    said = []
    for data, rows in floor_table(table).groupby("data", sort=False):
        found, many = tallied(rows), len(rows)
        verb = {0: "none beats", many: "all beat"}.get(found["better"], f"{found['better']} beat")
        words = {"worse": "do worse", "open": "cannot be told apart"}
        rest = listed([f"{found[word]} {told}" for word, told in words.items() if found[word]])
        of = f"of {many} maps in {counted(rows['study'].nunique(), 'study')}"
        said.append(f"On {kind_of(data)} {verb} the floor that is hardest for it, {of}{f' ({rest})' if rest else ''}.")
    return (
        f"**{' '.join(said)}** A map here is a method at a layer; the floor is picked after the fact, against the map."
    )


def of_chosen(table: pd.DataFrame) -> str:
    """The same against the floor that validation images chose, which no one can call picked."""
    rows = table[table["kind"] == "chosen"]
    if not len(rows):
        return "No run that is here chose its floor on validation images."
    parts = []
    for data, part in rows.groupby("data", sort=False):
        found = tallied(part)
        told = [f"{found[word]} {word}" for word in ("better", "equal", "open", "worse") if found[word]]
        parts.append(f"on {kind_of(data)} {listed(told)} of {len(part)}")
    return f"Against the floor that validation images chose, over maps and measures: {'; '.join(parts)}."


def of_need(table: pd.DataFrame) -> str:
    """Does the network need what the map marks?"""
    rows = table[(table["question"] == "need") & (table["other"] == "random")]
    if not len(rows):
        return "No run that is here removed what a map marks."
    hard = table[(table["question"] == "need") & (table["kind"] == "floor")]
    head = "Removing or giving back what a map marks changes the score more than random places do"
    return f"**{head}: {_times(rows)}.** More than what a floor marks: {_times(hard)}."


def _times(rows: pd.DataFrame) -> str:
    """`on real images 8 of 8 times and on phantoms 12 of 12`."""
    groups = rows.groupby("data", sort=False)
    return listed([f"on {kind_of(data)} {tallied(part)['better']} of {len(part)} times" for data, part in groups])


def of_gates(gate_rows: pd.DataFrame) -> str:
    """Which gates do the maps of these studies pass?"""
    judged = gate_rows[gate_rows["outcome"] != "not applicable"]
    parts = []
    for gate, rows in judged.groupby("gate", sort=True):
        parts.append(f"{gate.split(' ', 1)[1]} {int((rows['outcome'] == 'pass').sum())} of {len(rows)}")
    clean = judged.groupby(["study", "run"])["outcome"].apply(lambda found: (found == "pass").all())
    head = f"**{int(clean.sum())} of {counted(len(clean), 'run')} pass every rule of every gate.**"
    return f"{head} Rules passed, over all runs: {'; '.join(parts)}."


def of_cues(rates: pd.DataFrame) -> str:
    """Does a map show the shortcut that a network rests on?"""
    shown = rates[(rates["what"] == "reveal") & rates["value"].notna()] if len(rates) else rates
    false = shown[shown["cue"] != "true"] if len(shown) else shown
    if not len(false):
        return "No run that is here planted a shortcut that its networks learned."
    most, sure = int((false["value"] > 0.5).sum()), int((false["low"] > 0.5).sum())
    return (
        f"**Where a shortcut was planted and learned, {most} of {len(false)} rates (a cue, a study, a map) lie above "
        f"one half; of {sure} the whole interval does.** All on phantoms; the fewest groups behind a rate are "
        f"{int(false['groups'].min())}, so many intervals are wide."
    )


def of_contradictions(pairs: pd.DataFrame) -> str:
    """Where do studies disagree about one map against another?"""
    split = pairs[pairs["conflict"] == "yes"]
    names = listed([f"{row['map']} minus {row['minus']} ({row['question']})" for row in split.to_dict("records")])
    head = f"{len(split)} of {len(pairs)} pairs of maps are better in one study or run and worse in another"
    several = int((pairs["studies"] > 1).sum())
    tail = f"{counted(several, 'pair')} were compared in more than one study."
    return f"**{head}{f': {names}' if len(split) else ''}.** {tail}"


def of_choices(choices: pd.DataFrame) -> str:
    """What is the choice of layer and interpolation worth?"""
    low, high = choices["times"].min(), choices["times"].max()
    return (
        f"**The best choice gives {low:.1f} to {high:.1f} times the measure of the worst**, on the same networks and "
        f"images, in {counted(len(choices), 'run')}. A difference between two published maps that is smaller than that "
        "says nothing by itself."
    )


def of_foretelling(pairs: pd.DataFrame) -> str:
    """Did phantoms foretell what real images showed?"""
    told = foretelling(pairs)
    if not len(told):
        return "No comparison was sure in a run on phantoms and in one on real images."
    sure, same = int(told["sure in both"].sum()), int(told["same answer"].sum())
    return (
        f"**Of {len(pairs)} comparisons made on both, {sure} lie on one side of 0 in both, and {same} of these give "
        "the same answer.** A phantom shows a mechanism; how often it foretells a clinic is what this counts."
    )


def quotable(records: dict[str, Estimate], table: pd.DataFrame, choices: pd.DataFrame) -> str:
    """Half a page for a paper, filled from the records of this run."""

    def of(name: str) -> str:
        return f"{records[name].value:.0f} of {records[name].n}" if name in records else "none (not measured)"

    measures = listed([words for name, (_, _, words) in MEASURES.items() if (table["measure"] == name).any()])
    return (
        "> We judged class activation maps by the protocols of five published studies, each with splits by patient or "
        "the nearest known group, intervals over those groups, and floors that know nothing of the network. Of "
        f"{records['verdicts.reproduced'].n} statements, cost apart, {of('verdicts.reproduced')} were reproduced and "
        f"{of('verdicts.not_reproduced')} were not. On real images {of('floors.real.better')} maps found the object "
        f"better than the floor that is hardest for them and {of('floors.real.worse')} did worse; on phantoms "
        f"{of('floors.phantom.better')} and {of('floors.phantom.worse')}. What a map marks mattered to the score more "
        f"than random places in {of('need.real.better')} comparisons on real images and in {of('need.phantom.better')} "
        "on phantoms: a map can be faithful to its network without being at the object. Rules of the randomisation "
        f"tests were passed in {of('gates.sanity.real.passed')} (real images) and {of('gates.sanity.phantom.passed')} "
        "(phantoms). The choice of layer and interpolation alone changed the measure of place up to "
        f"{choices['times'].max():.1f} times. Measures: {measures}. We therefore show every map beside its floor and "
        "beside the map of random weights, and call nothing a finding because a map marks it."
    )
