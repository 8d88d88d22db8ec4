"""reports/index.html from the folders `reports/<data>-<profile>/<NN_name>/`: read here, laid out by `index`."""

from __future__ import annotations

import csv
import difflib
import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from studylib.study import index
from studylib.study.rules import VERDICTS
from studylib.study.settings import DATA, PROFILES

NEEDED = ("study", "data", "profile", "metrics")  # of metrics.json


class SiteError(ValueError):
    """Reports that could not be read; the message lists each with its file. The index of all others was written."""


@dataclass(frozen=True)
class Report:
    """One report folder, as far as the index shows it."""

    folder: Path
    name: str  # NN_name
    data: str
    profile: str
    seed: int
    dataset: dict
    metrics: dict
    provenance: dict
    verdicts: list[dict[str, str]]
    primary: str = ""  # the name of the metric that was named before it was computed
    settings: dict = field(default_factory=dict)  # [study] of the notebook's settings: title, claim

    @property
    def study(self) -> str:
        return self.name[:2]

    @property
    def rank(self) -> tuple[int, int]:
        """Order of runs: real images before phantoms, the fuller profile before the quicker."""
        return DATA.index(self.data), PROFILES.index(self.profile)


def build(reports: Path, root: Path | None = None) -> Path:
    """Write `reports/index.html` and return its path: the same bytes for the same reports, no date in it.

    Titles come from the settings in `root/notebooks` (default: beside `reports`). A report that cannot be read is left
    out, named on the page, and raised as SiteError once the page is written.
    """
    reports = Path(reports)
    root = reports.resolve().parent if root is None else Path(root)
    found, problems = [], []
    for folder in sorted(path for path in reports.glob("*-*/[0-9][0-9]_*") if path.is_dir()):
        try:
            found.append(read_report(folder, root))
        except SiteError as error:
            problems += str(error).splitlines()
    found.sort(key=lambda report: (report.study, *(-part for part in report.rank), report.name))
    target = reports / "index.html"
    text = index.render(found, problems, reports)
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        reports.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".index.{os.getpid()}.html")  # renamed when whole: a reader never meets half a page
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    if problems:
        raise SiteError("\n".join(problems))
    return target


def read_report(folder: Path, root: Path) -> Report:
    """Read one report folder. Raises SiteError listing every problem with its file."""
    shown = f"{folder.parent.name}/{folder.name}"
    problems: list[str] = []
    metrics = _json(folder / "metrics.json", shown, problems)
    provenance = _json(folder / "provenance.json", shown, problems)
    verdicts = _verdicts(folder / "verdicts.csv", shown, problems)
    if lacking := [key for key in NEEDED if metrics and key not in metrics]:
        problems.append(f"{shown}/metrics.json: lacks {', '.join(lacking)}; run the report again")
    elif metrics:
        for key, known in (("data", DATA), ("profile", PROFILES)):
            if metrics[key] not in known:
                problems.append(f"{shown}/metrics.json: {key} '{metrics[key]}' is unknown{_near(metrics[key], known)}")
    if problems:
        raise SiteError("\n".join(problems))
    return Report(
        folder=folder,
        name=folder.name,
        data=metrics["data"],
        profile=metrics["profile"],
        seed=metrics.get("seed", 0),
        dataset=metrics.get("dataset") or {},
        metrics=metrics["metrics"],
        provenance=provenance,
        verdicts=verdicts,
        primary=str(metrics.get("primary", "")),
        settings=_settings(root / "notebooks" / f"{folder.name}.toml"),
    )


def _json(path: Path, shown: str, problems: list[str]) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{shown}/{path.name}: not there; run the report again")
    except (OSError, ValueError) as error:
        problems.append(f"{shown}/{path.name}: {error}; run the report again")
    else:
        if isinstance(content, dict):
            return content
        problems.append(
            f"{shown}/{path.name}: holds a {type(content).__name__}, expected an object; run the report again"
        )
    return {}


def _verdicts(path: Path, shown: str, problems: list[str]) -> list[dict[str, str]]:
    """Rows of verdicts.csv as they are; only `claim` and `verdict` are needed."""
    try:
        with open(path, newline="", encoding="utf-8") as table:
            reader = csv.DictReader(table, restval="")
            rows, columns = list(reader), reader.fieldnames or []
    except FileNotFoundError:
        problems.append(f"{shown}/{path.name}: not there; run the report again")
        return []
    except (OSError, ValueError, csv.Error) as error:
        problems.append(f"{shown}/{path.name}: {error}; run the report again")
        return []
    if lacking := [column for column in ("claim", "verdict") if column not in columns]:
        problems.append(f"{shown}/{path.name}: no column {', '.join(lacking)}; run the report again")
        return []
    for number, row in enumerate(rows, 2):
        if row["verdict"] not in VERDICTS:
            near = _near(row["verdict"], VERDICTS)
            problems.append(f"{shown}/{path.name} row {number}: verdict '{row['verdict']}' is unknown{near}")
    return rows


def _settings(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")).get("study", {})
    except (
        OSError,
        tomllib.TOMLDecodeError,
    ):  # a report may outlive its notebook; wrong settings are the runner's to refuse
        return {}


def _near(word: object, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; nearest: '{near[0]}'" if near else f" (known: {', '.join(known)})"
