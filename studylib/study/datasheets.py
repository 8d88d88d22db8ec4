"""Datasheets of the phantom families (headings after Gebru 2021, Datasheets for Datasets): counted on the sets that a
study draws, told by the family's table `datasheets.toml` and its generator's docstring.
"""

from __future__ import annotations

import importlib
import inspect
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.data import phantoms
from studylib.data.images import read_mask
from studylib.metrics.estimates import counted
from studylib.study import record
from studylib.study.material import FAMILIES, phantom_folder, phantom_set
from studylib.study.root import find_clone, runs_folder
from studylib.study.settings import PROFILES, Settings, load_settings, studies

TOLD = Path(phantoms.__file__).with_name("datasheets.toml")
PROFILE, SEED = "quick", 0  # of the sets that are counted
FEW_VALUES = 12  # a column with so many different words is shown by all of them
WANTED = ("why", "stands_for", "truth", "cannot_show")


class DatasheetError(ValueError):
    """A family of phantoms that is not told; the message lists every problem, one a line."""


def families(root: Path) -> dict[str, Settings]:
    """Family of phantoms -> the settings of the study that draws it."""
    found = {settings.phantom: settings for settings in (load_settings(study, root) for study in studies(root))}
    return {name: found[name] for name in FAMILIES if name in found}


def sets_of(settings: Settings) -> dict[str, tuple[str, dict]]:
    """Set -> its name and what its generator is asked for, at the settings that are counted. Draws nothing."""
    profile = settings.profile(PROFILE)
    return {variant: phantom_set(settings, profile, variant, SEED) for variant in ("plain", *profile.variants)}


def told(path: Path = TOLD) -> dict[str, dict]:
    """The table of what families stand for. Raises DatasheetError naming what is missing of one."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    problems = [
        f"{path.name} [{name}]: {key} is missing; it says in words what nothing can count"
        for name in FAMILIES
        for key in WANTED
        if not str(table.get(name, {}).get(key, "")).strip()
    ]
    if problems:
        raise DatasheetError("\n".join(problems))
    return table


def sheet(family: str, settings: Settings, runs: Path, words: dict[str, dict] | None = None) -> str:
    """The datasheet of a family as Markdown; draws the sets that do not lie under `runs` yet.

    words: of `told`. Raises DatasheetError for a column of the table that nothing describes.
    """
    words = told() if words is None else words
    own, profile = words[family], settings.profile(PROFILE)
    drawn = {variant: phantom_folder(settings, profile, variant, SEED, runs) for variant in sets_of(settings)}
    tables = {variant: table_of(folder) for variant, folder in drawn.items()}
    about = json.loads((drawn["plain"] / "dataset.json").read_text(encoding="utf-8"))
    described = words["columns"] | own.get("columns", {})
    lines = [
        f"# Datasheet: phantoms, {family}", "",
        f"Images of study {settings.study}, drawn by `{FAMILIES[family].replace(':', '.')}`. Counted on the sets of "
        f"profile {PROFILE}, seed {SEED}. For research and teaching; no figure on them is a clinic's figure.", "",
        "## Why it was made", "", own["why"], "",
        "## What it stands for", "", own["stands_for"], "",
        "**It cannot show:** " + own["cannot_show"], "",
        "## What is known of every picture", "", own["truth"], "",
        "## What was drawn", "",
        f"A group is a {settings.phantom_unit}. Outlines hold "
        + ", ".join(f"{value} {name}" for value, name in about["regions"].items()) + ".", "",
        *grid(pd.DataFrame({variant: counts(tables[variant], drawn[variant], settings) for variant in drawn}).T, "set"),
        "", f"### The plain set, `{drawn['plain'].name}`", "",
        *grid(shape(tables["plain"], drawn["plain"], about), "outlined"), "",
        "### The columns of its table", "", *grid(columns(tables["plain"], described, family), "column"), "",
    ]  # fmt: skip
    cued = cue_table(tables)
    if len(cued):
        lines += ["### How planted cues go with the class", "", *grid(cued, "set, cue"), ""]
    lines += [
        "## How it is drawn, and what may be asked for", "",
        *(f"> {line}".rstrip() for line in inspect.getdoc(generator(family)).splitlines()), "",
        "What each profile of the study asks for:", "", *grid(asked(settings), "profile, set"), "",
        "## Preparation, licence, upkeep", "",
        f"{about['prepared']} Nothing else was done, and nobody labelled anything. Licence: {about['licence']}. "
        "No copy is kept: the sets are drawn anew wherever they are needed, and the name of one holds a digest of the "
        "generator's code and of its arguments. `python -m studylib datasheets` makes this page again.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def generator(family: str) -> Callable:
    """The function that draws a family."""
    module, function = FAMILIES[family].split(":")
    return getattr(importlib.import_module(module), function)


def table_of(folder: Path) -> pd.DataFrame:
    """metadata.csv of a set, everything as text."""
    return pd.read_csv(folder / "metadata.csv", dtype=str, keep_default_na=False)


def counts(table: pd.DataFrame, folder: Path, settings: Settings) -> dict[str, str]:
    """Images, groups and classes of a set, and what its label comes from."""
    classes = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["classes"]
    of_class = table["label"].value_counts()
    return {
        "what tells the class": " or ".join(sorted(set(table["label_from"]))),
        "images": f"{len(table):,}",
        "groups": counted(table["group"].nunique(), settings.phantom_unit),
        "classes": ", ".join(f"{name} {int(of_class.get(name, 0)):,}" for name in classes),
        "digest": f"`{folder.name.rsplit('-', 1)[1]}`",
    }


def shape(table: pd.DataFrame, folder: Path, about: dict) -> pd.DataFrame:
    """How much of a picture each region covers: one row a region, over the pictures that hold it."""
    regions = {int(value): name for value, name in about["regions"].items()}
    shares = {value: [] for value in regions}
    for path in table.loc[table["mask"] != "", "mask"]:
        mask = read_mask(folder / path, regions)
        for value, kept in shares.items():
            kept.append(float((mask == value).mean()))
    rows = {}
    for value, name in regions.items():
        share = np.array(shares[value])
        there = share[share > 0]
        quartiles = np.quantile(there, (0.25, 0.5, 0.75)) if len(there) else np.full(3, np.nan)
        low, middle, high = (f"{100 * q:.1f}" for q in quartiles)
        rows[name] = {
            "pictures that hold it": f"{len(there):,} of {len(table):,}",
            "share of the picture, median (quartiles)": f"{middle} % ({low} to {high})" if len(there) else "",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def columns(table: pd.DataFrame, described: dict[str, str], family: str) -> pd.DataFrame:
    """Every column of the table: what it holds, and its values or their range."""
    untold = [name for name in table.columns if name not in described]
    if untold:
        raise DatasheetError(
            "\n".join(f"datasheets.toml: nothing says what column '{n}' of {family} holds" for n in untold)
        )
    rows = {f"`{name}`": {"what it is": described[name], "values": values(table[name])} for name in table.columns}
    return pd.DataFrame.from_dict(rows, orient="index")


def values(column: pd.Series) -> str:
    """What a column holds: its words, the range of its numbers, or how many different ones; empty ones counted."""
    filled = column[column != ""]
    if filled.empty:
        return "empty in this set"
    numbers = pd.to_numeric(filled, errors="coerce")
    words = sorted({word for text in set(filled) for word in text.split(";")})
    if numbers.notna().all() and filled.nunique() > 2:
        said = f"{numbers.min():.3g} to {numbers.max():.3g}"
    else:
        said = ", ".join(words) if len(words) <= FEW_VALUES else f"{filled.nunique():,} different"
    empty = len(column) - len(filled)
    return said + (f"; empty in {empty:,}" if empty else "")


def cue_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How often each planted cue is in the pictures of a class: one row a set and cue."""
    rows = {}
    for variant, table in tables.items():
        for cue, planted in table[table["cue"] != ""].groupby("cue"):
            share = planted.assign(there=planted["cue_present"] == "1").groupby("label", sort=False)["there"]
            text = "; ".join(
                f"{label} {100 * mean:.0f} % of {n:,}"
                for label, mean, n in zip(share.mean().index, share.mean(), share.size(), strict=True)
            )
            rows[f"{variant}, {cue}"] = {"pictures that hold it": text}
    return pd.DataFrame.from_dict(rows, orient="index")


def asked(settings: Settings) -> pd.DataFrame:
    """The arguments of the generator in each profile, plain set and variants."""
    rows = {}
    for name in (name for name in PROFILES if name in settings.profiles):
        profile = settings.profile(name)
        for variant, arguments in {"plain": profile.phantom, **profile.variants}.items():
            rows[f"{name}, {variant}"] = {"arguments": ", ".join(f"{k} = {spelled(v)}" for k, v in arguments.items())}
    return pd.DataFrame.from_dict(rows, orient="index")


def spelled(value: object) -> str:
    """An argument as text: tables as `name value`, lists by commas."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} {v}" for k, v in value.items()) + "}"
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list | tuple) else str(value)


def grid(table: pd.DataFrame, corner: str) -> list[str]:
    """A table as lines of Markdown."""
    head = [corner, *table.columns]
    rows = [(name, *row) for name, row in zip(table.index, table.itertuples(index=False, name=None), strict=True)]
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]


def write(root: Path | None = None, say: Callable[[str], None] = print) -> list[Path]:
    """Write data/phantoms/NAME.md for every family, whole or not at all, a line each. -> the files"""
    root, words, written = root or find_clone(), told(), []
    folder = root / "data" / "phantoms"
    for family, settings in families(root).items():
        text = sheet(family, settings, runs_folder(root), words)
        with record.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            beside = folder / f".{family}.md"
            beside.write_text(text, encoding="utf-8")
            written.append(beside.replace(folder / f"{family}.md"))
        say(f"datasheet data/phantoms/{family}.md: {counted(len(sets_of(settings)), 'set')} counted")
    return written
