"""Model cards as pages: cards/ARM.md of a report for each family of networks, their index, one table on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from studylib.metrics.estimates import FEW, counted, plural
from studylib.metrics.intervals import Estimate
from studylib.study.fits import Fits
from studylib.study.marks import spoken
from studylib.study.model_cards import SPLITS, Card, cards

if TYPE_CHECKING:
    from studylib.study.study import Study

RESEARCH = "For research and teaching: no clinic has seen these networks, and no answer of theirs is a diagnosis."


def limits(made: Card, study: Study) -> list[str]:
    """What nobody may conclude from a card, as far as its own records say it."""
    said = [RESEARCH]
    if study.data == "phantom":
        said.append("It has seen drawn images only: it says nothing about a photograph or scan of a person.")
    said.append(
        f"Its intervals resample {plural(study.unit)}; they say how sure these {counted(made.count, 'network')} are "
        "judged, not how another training run would end."
    )
    tested = made.parts["test"][1]
    if tested < FEW:
        said.append(f"A network is tested on {counted(tested, study.unit)}: an interval of one network is indicative.")
    leaky = [split for split in made.networks if SPLITS.get(split, "").endswith("leaks")]
    if leaky:
        said.append(f"What is measured on `{'`, `'.join(leaky)}` is too good: related images stand on both sides.")
    if made.gates is not None:
        failed = made.gates[made.gates["outcome"] == "fail"]
        said += [f"Fails gate {row.gate}: {row.rule} ({row.figure})." for row in failed.itertuples()]
    return said


def markdown(made: Card, study: Study) -> str:
    """A card as Markdown."""
    images = "; ".join(
        f"{name} {counted(n, 'image')} of {counted(groups, study.unit)}" for name, (n, groups) in made.parts.items()
    )
    splits = "; ".join(f"{n} {SPLITS.get(split, split)}" for split, n in made.networks.items())
    seeds = f"{made.seeds[0]} to {made.seeds[-1]}" if len(made.seeds) > 1 else f"{made.seeds[0]}"
    rows = {
        "What it is": f"{made.why}" + ("; **the networks whose maps this study judges**" if made.is_main else ""),
        "Architecture": f"`{made.architecture}`, {made.parameters:,} numbers, "
        + (
            f"{made.trained_parameters:,} of them trained"
            if made.trained_parameters < made.parameters
            else "all trained"
        ),
        "Tells apart": ", ".join(f"`{name}`" for name in made.classes) or "lesion and background, pixel by pixel",
        "Meant for": f"asking where such a network looks ({study.settings.title}); for no decision about a person",
        "Trained on": made.trained_on,
        "Images of its first network": images,
        "Networks": f"{made.count}: {splits}; seeds {seeds}",
        "Training": made.training,
        "Begins from": made.begins,
        "Seconds of training": f"{made.seconds:.0f} in all, on the machine of this run",
    }
    lines = [f"# Model card: {made.arm}", "", f"Study {study.number}, {spoken(study.data, study.profile_name)}, seed "
             f"{study.seed}. Made by code from the networks and records of that run; `{study.command}` makes it again.",
             "", "| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows.items())]  # fmt: skip
    lines += ["", "## How well it does", "", "| test images | measure | value [95 % interval] |", "|---|---|---|"]
    for split, measures in made.performance.items():
        lines += [f"| {SPLITS.get(split, split)} | {name} | {e} |" for name, e in measures.items()]
    lines += ["", "## What its maps passed", ""]
    if made.gates is None:
        lines.append("The gates judge the maps of the study's main networks; these were not put through all of them.")
    else:
        lines += ["| gate | passed | of |", "|---|---|---|"]
        lines += [f"| {name} | {passed} | {of} |" for name, (passed, of) in passes(made.gates).items() if of]
    lines += ["", "## What it is not for, and what is not known", ""]
    lines += [f"- {text}" for text in limits(made, study)]
    if made.recorded:
        lines += ["", "## What else this run recorded of it", "", "| metric | value [95 % interval] |", "|---|---|"]
        lines += [f"| `{name}` | {e} |" for name, e in made.recorded.items()]
    return "\n".join(lines) + "\n"


def passes(gates: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Gate -> (rules passed, rules judged), in the order of the table; rules that do not apply count in neither."""
    return {
        name: (int((rows["outcome"] == "pass").sum()), int((rows["outcome"] != "not applicable").sum()))
        for name, rows in gates.groupby("gate", sort=False)
    }


def overview(made: list[Card]) -> pd.DataFrame:
    """One row a card: networks, test groups, what is measured on unseen groups, what it begins from."""
    rows = []
    for one in made:
        measures = {name: one.measured(name) for name in ("balanced accuracy", "AUROC", "calibration error")}
        said = {name: interval(e) if e else "not measured" for name, e in measures.items()}
        rows.append({"family": one.arm, "what it is": one.why, "networks": one.count} | said)
    return pd.DataFrame(rows).set_index("family")


def interval(e: Estimate) -> str:
    """Value and interval without what they rest on, which the card says."""
    return str(e).split(", n = ")[0]


def write(study: Study, fits: Fits) -> list[Card]:
    """Write cards/ARM.md for every family of networks and cards/README.md, and show one table of them all."""
    made = cards(study, fits)
    for one in made:
        study.write(f"cards/{one.arm}.md", markdown(one, study))
    table = overview(made)
    head = ["family", *table.columns]
    rows = ["| " + " | ".join((f"[{name}]({name}.md)", *map(str, row))) + " |" for name, row in
            zip(table.index, table.itertuples(index=False, name=None), strict=True)]  # fmt: skip
    title = f"# Model cards of study {study.number}, {spoken(study.data, study.profile_name)}"
    note = (
        f"Measured on {plural(study.unit)} that no network saw, 95 % intervals over them. {limits(made[0], study)[0]}"
    )
    text = [title, "", note, "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|", *rows]
    study.write("cards/README.md", "\n".join(text) + "\n")
    study.table("model_cards", table, f"{len(made)} families of networks, a card each in cards/ of this report")
    return made
