"""Every statement of the ledgers once, with what each run says of it, the verdict that counts, and one CSV of all.

A run on real images counts before one on phantoms and a fuller profile before a quicker; a run that cannot test a
statement gives way to one that can. A statement without any run stands there too, with the reason.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studylib.study.rules import UNTESTABLE, sentence
from studylib.study.sections import Contents, Section

if TYPE_CHECKING:
    from studylib.study.claims import Ledger
    from studylib.study.site import Report

NO_RUN = "no run yet"
KINDS = ("real", "phantom")  # in the order in which they count
COLUMNS = ("study", "claim", "topic", "statement", "source", "stated", "verdict", "evidence", "settled_by", "reason")
COLUMNS += tuple(f"{kind}_{part}" for kind in KINDS for part in ("run", "verdict", "evidence", "estimate", "reason"))
COLUMNS += ("rule", "section")


@dataclass(frozen=True)
class Judged:
    """What one run says of a statement: a row of its verdicts.csv."""

    report: Report
    row: Mapping[str, str]

    @property
    def verdict(self) -> str:
        return self.row["verdict"]


@dataclass(frozen=True)
class Statement:
    """One statement of a source. Its words are the ledger's; where no ledger has it, those of the leading run."""

    study: str
    claim: str
    topic: str
    text: str
    source: str
    stated: str
    rule: str
    testable_on: tuple[str, ...]
    judged: tuple[Judged, ...]  # as runs lead
    section: Section | None
    in_ledger: bool = True

    def on(self, kind: str) -> Judged | None:
        """What the leading run on `real` images or on a `phantom` says."""
        return next((judged for judged in self.judged if judged.report.data == kind), None)

    @property
    def counted(self) -> Judged | None:
        """The run whose verdict counts: the first that could test the statement, else the first."""
        able = (judged for judged in self.judged if judged.verdict != UNTESTABLE)
        return next(able, self.judged[0] if self.judged else None)

    @property
    def verdict(self) -> str:
        return self.counted.verdict if self.counted else NO_RUN

    @property
    def evidence(self) -> str:
        return (self.counted.row.get("evidence") or "not given") if self.counted else "none"

    @property
    def reason(self) -> str:
        if self.counted:
            return self.counted.row.get("reason", "")
        return f"no run has judged it; `make reproduce STUDY={self.study}` does"

    @property
    def is_read(self) -> bool:
        """Whether it was judged by reading: no image is involved, nothing is measured, every run says the same."""
        said = {tuple(j.row.get(key, "") for key in ("verdict", "evidence", "estimate", "reason")) for j in self.judged}
        return len(said) == 1 and self.evidence == "document" and not self.counted.row.get("estimate")


def gather(ledgers: Iterable[Ledger], reports: list[Report], contents: Mapping[str, Contents]) -> list[Statement]:
    """Every statement of the ledgers and of the reports, each once, by study and number. reports: as they lead within a
    study; contents: study -> its notebook's sections. A statement that only a report has is kept and says so.
    """
    judged: dict[tuple[str, str], list[Judged]] = {}
    for report in reports:
        for row in report.verdicts:
            judged.setdefault((report.study, row["claim"]), []).append(Judged(report, row))
    found = []
    for ledger in ledgers:
        where = contents.get(ledger.study, Contents())
        for claim in ledger.claims:
            runs = tuple(judged.pop((ledger.study, claim.id), ()))
            said = (claim.topic, claim.statement, claim.source, claim.stated, sentence(claim.rule), claim.testable_on)
            found.append(Statement(ledger.study, claim.id, *said, runs, where.of(claim.id)))
    for (study, claim), runs in judged.items():
        row, where = runs[0].row, contents.get(study, Contents())
        said = [row.get(key, "") for key in ("topic", "statement", "source", "stated", "rule")]
        found.append(Statement(study, claim, *said, (), tuple(runs), where.of(claim), in_ledger=False))
    return sorted(found, key=lambda statement: (statement.study, natural_key(statement.claim)))


def natural_key(claim: str) -> list[tuple[int, str]]:
    """A sort key that puts 2.9 before 2.10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", claim)]


def run_name(report: Report) -> str:
    """A run as its folder is called: `real-standard`."""
    return f"{report.data}-{report.profile}"


def as_csv(statements: Iterable[Statement]) -> str:
    """One row a statement, the columns of `COLUMNS`; both kinds of runs side by side."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for s in statements:
        row = {"study": s.study, "claim": s.claim, "topic": s.topic, "statement": s.text, "source": s.source}
        row |= {"stated": s.stated, "verdict": s.verdict, "evidence": s.evidence, "reason": s.reason, "rule": s.rule}
        row |= {"settled_by": run_name(s.counted.report) if s.counted else ""}
        row |= {"section": s.section.title if s.section else ""}
        for kind in KINDS:
            if run := s.on(kind):
                row[f"{kind}_run"] = run_name(run.report)
                row |= {
                    f"{kind}_{part}": run.row.get(part, "") for part in ("verdict", "evidence", "estimate", "reason")
                }
        table.writerow(row)
    return text.getvalue()
