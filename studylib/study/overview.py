"""Overview: what a notebook over all studies carries: the reports that are there, read, never made; no training."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from studylib.study import record
from studylib.study.claims import COLUMNS
from studylib.study.report_folder import ReportFolder
from studylib.study.root import find_report, find_root
from studylib.study.settings import SettingsError, check_parameters, notebook_name, overviews, studies
from studylib.study.site import Report, SiteError, read_report

READ = ("metrics.json", "costs.json", "provenance.json", "verdicts.csv", "tables/gates_all.csv")
COMMITTED = "real-standard"  # the run on real images that stands beside this one


def folders_read(root: Path, data: str, profile: str) -> list[Path]:
    """The report folders that an overview rests on, by study, this run before the one on real images. One that was not
    made under STUDYLIB_REPORTS is taken from the project's own `reports/`.
    """
    found = []
    for study in studies(root):
        for run in dict.fromkeys((f"{data}-{profile}", COMMITTED)):
            place = find_report(root, run, notebook_name(study, root))
            found += [place] if (place / "metrics.json").is_file() else []
    return found


def digest(folders: list[Path]) -> str:
    """Sixteen hex digits of what the reports in `folders` found; what took how long, and where, does not count, nor do
    verdicts on cost, which belong to one machine.
    """
    sha = hashlib.sha256()
    for folder in folders:
        for name in ("metrics.json", "tables/gates_all.csv"):
            path = folder / name
            sha.update(f"{folder.parent.name}/{folder.name}/{name}\n".encode())
            sha.update(path.read_bytes() if path.is_file() else b"")
        if (folder / "verdicts.csv").is_file():
            with (folder / "verdicts.csv").open(encoding="utf-8", newline="") as file:
                rows = [(row["claim"], row["verdict"]) for row in csv.DictReader(file) if not of_one_machine(row)]
            sha.update(repr(rows).encode())
    return sha.hexdigest()[:16]


def of_one_machine(row: Mapping[str, str]) -> bool:
    """Whether a verdict rests on what took how long."""
    return any(name.strip().startswith("cost.") for name in row.get("metric", "").split(";"))


class Overview(ReportFolder):
    """A notebook over the reports of all studies: `Overview.open("06", data=..., profile=..., seed=...)`. Raises
    SettingsError for a number that is no overview's, SiteError for a report that cannot be read.
    """

    def __init__(self, number: str, data: str, profile: str, seed: int) -> None:
        check_parameters(data, profile, seed)
        root = find_root()
        if number not in overviews(root):
            raise SettingsError(f"'{number}' is no notebook over all studies (known: {', '.join(overviews(root))})")
        super().__init__(root, notebook_name(number, root), data, profile, seed)

    @classmethod
    def open(cls, number: str, *, data: str = "phantom", profile: str = "quick", seed: int = 0) -> Overview:
        """Find the project and the reports that this overview reads."""
        return cls(number, data, profile, seed)

    @cached_property
    def reports(self) -> list[Report]:
        """Every report that is there, by study, this run before the one on real images."""
        problems, found = [], []
        for folder in folders_read(self.root, self.data, self.profile_name):
            try:
                found.append(read_report(folder, self.root))
            except SiteError as error:
                problems.append(str(error))
        if problems:
            raise SiteError("\n".join(problems))
        if not found:
            raise SiteError(f"no report of {self.data}-{self.profile_name} is there; make them with `make reproduce`")
        return found

    def report(self, study: str, run: str = "") -> Report | None:
        """The report of a study in a run (default this one), or None."""
        wanted = run or f"{self.data}-{self.profile_name}"
        return next((r for r in self.reports if r.study == study and f"{r.data}-{r.profile}" == wanted), None)

    def close(self) -> None:
        """Write metrics.json, costs.json and provenance.json, and put the report in place."""
        folders = folders_read(self.root, self.data, self.profile_name)
        head = {
            "study": self.number,
            "data": self.data,
            "profile": self.profile_name,
            "seed": self.seed,
            "settings": {},
            "dataset": {"name": "reports", "fingerprint": digest(folders)},
        }
        read = [f"{folder.parent.name}/{folder.name}" for folder in folders]
        with record.explained(self.final):
            record.write_json(self._folder / "metrics.json", record.metrics_json(head, self.metrics))
            record.write_json(self._folder / "costs.json", record.metrics_json(head, {}))
            record.write_json(self._folder / "provenance.json", self.rested_on() | {"weights": {}, "read": read})
            (self._folder / "verdicts.csv").write_text(",".join(COLUMNS) + "\n", encoding="utf-8")  # it judges nothing
            self.put_in_place()
        print(f"{len(read)} reports read; written to reports/{self.data}-{self.profile_name}/{self.name}/")
