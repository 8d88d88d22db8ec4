"""What a terminal shows of reports: verdicts counted, verdicts that flipped, statements with their rules. No torch,
no pandas.
"""

from __future__ import annotations

import csv
import json
import subprocess
from collections import Counter
from pathlib import Path

from studylib.study.marks import VERDICT_MARKS
from studylib.study.record import ReportError
from studylib.study.root import find_root, reports_folder
from studylib.study.settings import load_settings, overviews


def verdicts_of(folder: Path) -> list[dict[str, str]]:
    """Rows of a report's verdicts.csv. Raises ReportError where there is none."""
    path = folder / "verdicts.csv"
    if not path.is_file():
        raise ReportError(f"no report in reports/{folder.parent.name}/{folder.name}/; make it with `make reproduce`")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def summary(studies: list[str], data: str, profile: str) -> str:
    """One block a study: verdicts counted, the primary estimate, where the report lies."""
    root = find_root()
    blocks = []
    for study in studies:
        if study in overviews(root):
            continue  # they judge nothing of their own
        settings = load_settings(study, root)
        folder = reports_folder(root) / f"{data}-{profile}" / settings.name
        if not (folder / "metrics.json").is_file():
            blocks.append(
                f"study {study}  no report; the reason stands above, and in logs/{study}.failed.ipynb if a cell stopped"
            )
            continue
        counts = Counter(row["verdict"] for row in verdicts_of(folder))
        told = ", ".join(f"{counts[word]} {word}" for word in VERDICT_MARKS if counts[word])
        primary = json.loads((folder / "metrics.json").read_text())["metrics"].get(settings.primary)
        figure = "not measured in this profile"
        if primary and primary["value"] is not None:
            figure = "{value:.3f} [{low:.3f}, {high:.3f}], {groups} groups".format(**primary)
        blocks.append(
            f"study {study}  {settings.title}\n"
            f"          {sum(counts.values())} statements: {told}\n"
            f"          primary, {settings.primary}: {figure}\n"
            f"          reports/{data}-{profile}/{settings.name}/"
        )
    return "\n".join(blocks)


def claims_list(study: str) -> str:
    """Every statement of a study with the rule that settles it."""
    from studylib.study.claims import load_claims
    from studylib.study.rules import sentence

    ledger = load_claims(study, find_root())
    return "\n".join(f"{c.id}  {c.statement}\n      {sentence(c.rule)}" for c in ledger.claims)


def claims_diff(study: str, data: str, profile: str) -> tuple[str, bool]:
    """This report's verdicts against those that were committed. -> (text, whether any flipped)"""
    root = find_root()
    name = load_settings(study, root).name
    folder = reports_folder(root) / f"{data}-{profile}" / name
    verdicts_of(folder)  # says where a report is missing
    found = subprocess.run(
        ["git", "show", f"HEAD:reports/{data}-{profile}/{name}/verdicts.csv"], cwd=root, capture_output=True, text=True
    )
    if found.returncode:
        return f"reports/{data}-{profile}/{name}/ was never committed: nothing to compare with", False
    import io

    import pandas as pd

    from studylib.study.claims import diff

    before, now = (
        pd.read_csv(text, dtype=str, keep_default_na=False)
        for text in (io.StringIO(found.stdout), folder / "verdicts.csv")
    )
    changed = diff(before, now)
    lines = [
        f"{row.claim}: {row.change}, {row.was or 'absent'} -> {row.now or 'absent'}" for row in changed.itertuples()
    ]
    return "\n".join(lines) or f"all {len(now)} verdicts as committed", bool(lines)
