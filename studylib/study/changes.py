"""Verdicts that changed between two committed runs: read from git's history of every report, told in CHANGES.md."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from studylib.study import record
from studylib.study.claims import ClaimsError, diff
from studylib.study.marks import VERDICT_MARKS, spoken
from studylib.study.record import ReportError
from studylib.study.root import find_clone

REPORTS = ":(glob)reports/*/[0-9][0-9]_*/verdicts.csv"
LENGTH = 110  # of a statement, which stands whole in the report


@dataclass(frozen=True)
class Change:
    """One verdict that changed. code: the commit that the later run was made with; topic "cost": of one machine."""

    run: str
    name: str
    claim: str
    topic: str
    statement: str
    was: str
    now: str
    measured_was: str
    measured_now: str
    code: str

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What tells two changes apart, whatever their words."""
        return self.run, self.claim, self.was, self.now, self.code


def changes(root: Path, committed: bool = False) -> list[Change]:
    """Every change of a verdict from one committed state of a report to the next, the oldest first by report; what lies
    in the working tree counts as the last state unless `committed`. Raises ReportError where the history is not whole.
    """
    return [change for path in paths(root) for change in between(path, list(states(root, path, committed)))]


def paths(root: Path) -> list[str]:
    """Every verdicts.csv of a report that was ever committed, or lies there now."""
    if not (root / ".git").exists() or _git(root, "rev-parse", "--is-shallow-repository").strip() != "false":
        raise ReportError(
            "CHANGES.md is made from git's history of reports/, which is not whole here; "
            "use a clone of it all (`git fetch --unshallow`)"
        )
    listed = _git(root, "log", "--format=", "--name-only", "--", REPORTS).split()
    there = [f"reports/{path.relative_to(root / 'reports').as_posix()}" for path in
             (root / "reports").glob("*/[0-9][0-9]_*/verdicts.csv")]  # fmt: skip
    return sorted({*listed, *there})


def states(root: Path, path: str, committed: bool = False) -> Iterator[tuple[pd.DataFrame, str]]:
    """Each committed state of a table of verdicts, the oldest first, and the commit its run was made with; then,
    unless only what is `committed` counts, the working tree's. Removals are left out.
    """
    beside = path.replace("verdicts.csv", "provenance.json")
    commits = _git(root, "log", "--topo-order", "--reverse", "--diff-filter=AM", "--format=%H", "--", path).split()
    texts = [(_show(root, commit, path), _show(root, commit, beside)) for commit in commits]
    now = [root / path, root / beside]
    if now[0].is_file() and not committed:
        texts.append(tuple(file.read_text(encoding="utf-8") if file.is_file() else "" for file in now))
    for table, provenance in texts:
        try:
            rows = pd.read_csv(io.StringIO(table), dtype=str, keep_default_na=False)
        except pd.errors.EmptyDataError:
            continue
        yield rows, str(json.loads(provenance or "{}").get("commit", "unknown"))[:12]


def between(path: str, found: list[tuple[pd.DataFrame, str]]) -> list[Change]:
    """The verdicts that changed from each state of a report to the next."""
    _, run, name, _ = path.split("/")
    told, before = [], None
    for rows, code in found:
        try:
            flipped = diff(rows if before is None else before, rows, costs=True)
        except ClaimsError:
            continue
        old = {} if before is None else before.set_index("claim").to_dict("index")
        new = rows.set_index("claim").to_dict("index")
        for row in flipped[flipped["change"] == "verdict"].itertuples():
            told.append(
                Change(
                    run,
                    name,
                    row.claim,
                    row.topic,
                    new[row.claim]["statement"],
                    row.was,
                    row.now,
                    old[row.claim]["estimate"],
                    new[row.claim]["estimate"],
                    code,
                )  # fmt: skip
            )
        before = rows
    return told


def page(found: list[Change]) -> str:
    """CHANGES.md: one table a report, a line a change, the oldest first."""
    lines = [
        "# Verdicts that changed", "",
        "A verdict that differs from that of the run committed before it gets a line here; nothing is taken out. Made "
        "from git's history of `verdicts.csv` by `python -m studylib claims changes`. *code*: the commit that the "
        "later run was made with. What was measured is shortened: all of it, with n, stands in `verdicts.csv`. "
        "Verdicts on costs belong to one machine.",
    ]  # fmt: skip
    for run, name in sorted({(change.run, change.name) for change in found}):
        data, profile = run.split("-", 1)
        rows = [change for change in found if (change.run, change.name) == (run, name)]
        lines += ["", f"## {name}: {spoken(data, profile)}", "", "| claim | statement | was | is | measured | code |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        lines += [line(change) for change in rows]
    return "\n".join(lines) + "\n"


def line(change: Change) -> str:
    """One change as a row of the page."""
    text = change.statement if len(change.statement) <= LENGTH else change.statement[:LENGTH].rsplit(" ", 1)[0] + " …"
    measured = f"{short(change.measured_was)} → {short(change.measured_now)}"
    was, now = (f"{VERDICT_MARKS[word][0]} {word}" for word in (change.was, change.now))
    cells = (change.claim, text, was, now, measured, f"`{change.code}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def short(measured: str) -> str:
    """The first of what a verdict rests on, value and interval, and how much more there is."""
    parts = [part.split(", n = ")[0] for part in measured.split("; ") if part]
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    return (parts[0] if parts else "nothing") + more


def write(root: Path | None = None) -> tuple[Path, list[Change]]:
    """Write reports/CHANGES.md of a project (None: this one). -> (the file, every change in it)"""
    root = root or find_clone()
    found, path = changes(root), root / "reports" / "CHANGES.md"
    with record.explained(path.parent):
        beside = path.with_name(".CHANGES.md")
        beside.write_text(page(found), encoding="utf-8")
        beside.replace(path)
    return path, found


def _git(root: Path, *arguments: str) -> str:
    try:
        made = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ReportError(f"CHANGES.md is made from git's history: `git {arguments[0]}` failed ({error})") from error
    return made.stdout


def _show(root: Path, commit: str, path: str) -> str:
    """A file as a commit holds it; "" where it does not."""
    made = subprocess.run(
        ["git", "show", f"{commit}:{path}"], cwd=root, capture_output=True, text=True, encoding="utf-8"
    )
    return made.stdout if made.returncode == 0 else ""
