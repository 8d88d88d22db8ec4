"""reports/index.html and reports/statements.csv from the folders `reports/<data>-<profile>/<NN_name>/` and the ledgers:
read here, laid out by `index`.
"""

from __future__ import annotations

import csv
import difflib
import json
import os
import subprocess
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from studylib.study import index
from studylib.study.claims import ClaimsError, Ledger, load_claims
from studylib.study.rules import VERDICTS
from studylib.study.sections import read_contents
from studylib.study.settings import DATA, PROFILES
from studylib.study.statements import as_csv, gather

NEEDED = ("study", "data", "profile", "metrics")  # of metrics.json
OF_REPORTS = "reports"  # what an overview's metrics.json calls its dataset: it reads reports, and judges nothing


class SiteError(ValueError):
    """Reports that could not be read, each with its file (the page of all others was written), or a page that could not
    be written.
    """


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
    settings: dict = field(default_factory=dict)  # [study] of the notebook's settings: title, claim, headline
    committed: str = ""  # the day of the commit that made it, "" where nothing knows it

    @property
    def is_overview(self) -> bool:
        """Whether it is of a notebook over all studies."""
        return self.dataset.get("name") == OF_REPORTS

    @property
    def command(self) -> str:
        """What makes this run again."""
        return f"make reproduce STUDY={self.study} DATA={self.data} PROFILE={self.profile} SEED={self.seed}"

    @property
    def study(self) -> str:
        return self.name[:2]

    @property
    def rank(self) -> tuple[int, int]:
        """Order of runs: real images before phantoms, the fuller profile before the quicker."""
        return DATA.index(self.data), PROFILES.index(self.profile)


def build(reports: Path, root: Path | None = None, verbs: Collection[str] = ()) -> Path:
    """Write `reports/index.html` and `reports/statements.csv`; return the page's path. The same bytes for the same
    reports.

    Ledgers, notebooks and their settings are those of `root` (default: beside `reports`). verbs: the commands that a
    reader can type, so that the page names none that is not there. What cannot be read is left out, named on the page,
    and raised as SiteError once both files are written.
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
    found = dated(found, root)
    ledgers = read_ledgers(root, problems)
    page = replace(_page(reports, root, found, ledgers, problems), audits="audit" in verbs)
    target = reports / "index.html"
    write(target, index.render(page))
    write(reports / "statements.csv", as_csv(page.statements))
    if problems:
        raise SiteError("\n".join(problems))
    return target


def _page(reports: Path, root: Path, found: list[Report], ledgers: list[Ledger], problems: list[str]) -> index.Page:
    judging = [report for report in found if not report.is_overview]
    overviews = [report for report in found if report.is_overview]
    names = {report.study: report.name for report in found}
    for ledger in ledgers:
        for path in sorted((root / "notebooks").glob(f"{ledger.study}_*.toml")):
            names.setdefault(ledger.study, path.stem)
    settings = {study: _settings(root / "notebooks" / f"{name}.toml") for study, name in names.items()}
    titles = {study: name[3:].replace("_", " ") for study, name in names.items()}
    titles |= {ledger.study: ledger.title for ledger in ledgers}
    titles |= {study: str(table["title"]) for study, table in settings.items() if table.get("title")}
    contents = {study: read_contents(root / "notebooks" / f"{name}.ipynb") for study, name in names.items()}
    statements = gather(ledgers, judging, contents)
    return index.Page(reports, judging, overviews, statements, settings, titles, contents, problems)


def write(target: Path, text: str) -> None:
    """Write a file if it differs; renamed when whole, so that a reader never meets half of one. Raises SiteError where
    it cannot be written.
    """
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return
    beside = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        said = error.strerror or error
        raise SiteError(f"reports/{target.name} could not be written: {said}; what stood there is unchanged") from error
    finally:
        if beside.exists():
            beside.unlink()


def read_ledgers(root: Path, problems: list[str]) -> list[Ledger]:
    """Every ledger under `root/data/claims`; what is wrong with one is added to the problems."""
    found = []
    for path in sorted((root / "data" / "claims").glob("[0-9][0-9].toml")):
        try:
            found.append(load_claims(path.stem, root))
        except ClaimsError as error:
            problems += str(error).splitlines()
    return found


def dated(reports: list[Report], root: Path) -> list[Report]:
    """The reports with the day of the commit that made each, as git knows it: a report says nothing of when."""
    commits = sorted({commit for report in reports if (commit := str(report.provenance.get("commit", ""))).isalnum()})
    days = {}
    for commit in commits:
        asked = ["git", "show", "--no-patch", "--format=%cs", commit]
        try:
            done = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
        except OSError:  # no git here
            break
        days |= {commit: done.stdout.strip()} if done.returncode == 0 else {}
    return [replace(report, committed=days.get(str(report.provenance.get("commit")), "")) for report in reports]


def read_report(folder: Path, root: Path) -> Report:
    """Read one report folder. Raises SiteError listing every problem with its file."""
    shown = f"{folder.parent.name}/{folder.name}"
    problems: list[str] = []
    metrics = _json(folder / "metrics.json", shown, problems)
    provenance = _json(folder / "provenance.json", shown, problems)
    judges = (metrics.get("dataset") or {}).get("name") != OF_REPORTS  # an overview may have no verdicts
    verdicts = _verdicts(folder / "verdicts.csv", shown, problems) if judges else []
    if lacking := [key for key in NEEDED if metrics and key not in metrics]:
        problems.append(f"{shown}/metrics.json: lacks {', '.join(lacking)}; run the report again")
    elif metrics:
        for key, known in (("data", DATA), ("profile", PROFILES)):
            if metrics[key] not in known:
                problems.append(f"{shown}/metrics.json: {key} '{metrics[key]}' is unknown{_near(metrics[key], known)}")
        problems += _incomplete(metrics["metrics"], f"{shown}/metrics.json")
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


def _incomplete(metrics: dict[str, dict], shown: str) -> list[str]:
    wanted = ("value", "low", "high", "n", "groups", "unit", "how")
    lacks = {name: [key for key in wanted if key not in entry] for name, entry in metrics.items()}
    return [f"{shown}: '{name}' lacks {', '.join(keys)}; run the report again" for name, keys in lacks.items() if keys]


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
