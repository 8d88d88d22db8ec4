"""ReportFolder: what every notebook writes to: numbers kept by name, tables, figures, where they came from; whole or
not at all.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.metrics.intervals import Estimate
from studylib.study import record
from studylib.study.root import reports_folder

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAME = re.compile(r"^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$")


class ReportFolder:
    """The report of one notebook in one run. It stands beside its final place until `put_in_place`."""

    def __init__(self, root: Path, name: str, data: str, profile: str, seed: int) -> None:
        self.root, self.name, self.number = root, name, name[:2]
        self.data, self.profile_name, self.seed = data, profile, seed
        self.metrics: dict[str, Estimate] = {}
        self._figures: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._began = time.perf_counter()
        self._folder = self._open_folder()

    @property
    def final(self) -> Path:
        """Where the report stands once it is whole."""
        return reports_folder(self.root) / f"{self.data}-{self.profile_name}" / self.name

    @property
    def command(self) -> str:
        """What makes this report again."""
        return f"make reproduce STUDY={self.number} DATA={self.data} PROFILE={self.profile_name} SEED={self.seed}"

    def _open_folder(self) -> Path:
        given = os.environ.get("STUDYLIB_REPORT")
        if given:  # the runner made it and moves it in place
            return Path(given)
        folder = self.final.with_name(f".{self.final.name}.{os.getpid()}")
        with record.explained(self.final.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
            record.clear_remains(self.final)
            folder.mkdir(exist_ok=True)
        return folder

    def record(self, name: str, estimate: Estimate) -> Estimate:
        """Keep an estimate under its name; a second record of a name must be equal. Returns it, so that a cell can
        show it.
        """
        if not NAME.match(name):
            raise ValueError(f"'{name}' is no metric's name; expected topic.detail, lower case, joined by dots")
        if name in self.metrics and self.metrics[name] != estimate:
            raise ValueError(f"'{name}' was recorded before as {self.metrics[name]}, now as {estimate}; rename one")
        self.metrics[name] = estimate
        return estimate

    def record_all(self, estimates: Mapping[str, Estimate], title: str = "") -> None:
        """Keep several estimates and show them as one table."""
        for name, estimate in estimates.items():
            self.record(name, estimate)
        self.show(self.numbers(estimates), title)

    @staticmethod
    def numbers(estimates: Mapping[str, Estimate]) -> pd.DataFrame:
        """Estimates as a table for the page."""
        import pandas as pd

        rows = {name: {"value [95 % interval]": str(e), "how": e.how} for name, e in estimates.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")

    def show(self, table: pd.DataFrame, title: str = "") -> None:
        """Show a table on the page, three digits a number."""
        from studylib.study.display import show_table

        show_table(table, title)

    def say(self, text: str) -> None:
        """Show a computed sentence as a paragraph of the page."""
        from studylib.study.display import show_text

        show_text(text)

    def table(self, name: str, table: pd.DataFrame, title: str = "") -> None:
        """Keep a table as tables/NAME.csv and show it."""
        self.keep(name, table)
        self.show(table, title)

    def keep(self, name: str, table: pd.DataFrame) -> None:
        """Keep a table as tables/NAME.csv without showing it: too long for a page, but there for a reader to sort."""
        folder = self._folder / "tables"
        with record.explained(self.final):
            folder.mkdir(exist_ok=True)
            table.to_csv(folder / f"{name}.csv", float_format="%.6g")

    def figure(self, fig: Figure, name: str, *, caption: str, patients: bool = False) -> None:
        """Keep a figure as PNG and SVG and show it with its caption. `patients`: it shows images; of real people it
        stays apart.
        """
        from studylib.study.display import show_figure

        apart = patients and self.data != "phantom"
        folder = self._folder / ("patients" if apart else "figures")
        text = f"{caption} Redraw: `{self.command}`."
        with record.explained(self.final):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
            show_figure(fig, folder / name, text, photographs=patients)
        self._figures[name] = text

    @contextmanager
    def apart(self, name: str):
        """A folder of the report for what is not committed: of real people among `patients`. -> its path"""
        folder = self._folder / ("patients" if self.data != "phantom" else "") / name
        with record.explained(self.final):
            folder.mkdir(parents=True, exist_ok=True)
            yield folder

    @contextmanager
    def timed(self, section: str):
        """Count the seconds of a section into provenance.json."""
        began = time.perf_counter()
        yield
        self._seconds[section] = self._seconds.get(section, 0.0) + time.perf_counter() - began

    def provenance(self) -> None:
        """Print what this run rests on: versions, commit, cores, data."""
        known = record.versions()
        made, clean = record.commit(self.root)
        state = {True: "", False: " with changes", None: ""}[clean]
        print(" ".join(f"{name} {known[name]}" for name in ("studylib", "torch", "torchvision", "lightning", "numpy")))
        print(f"commit {made[:12]}{state}; data {self.data}, profile {self.profile_name}, seed {self.seed}; {device()}")

    def rested_on(self) -> dict:
        """What provenance.json says of every report: commit, versions, processor, seconds, figures."""
        made, clean = record.commit(self.root)
        seconds = {name: round(value, 1) for name, value in self._seconds.items()}
        return {
            "commit": made,
            "clean": clean,
            "packages": record.versions(),
            "cores": os.cpu_count(),
            "accelerator": device(),
            "seconds": seconds | {"notebook": round(time.perf_counter() - self._began, 1)},
            "figures": self._figures,
        }

    def put_in_place(self) -> None:
        """Move the report to where it stands for good; the runner, where one made the folder, does so itself."""
        if not os.environ.get("STUDYLIB_REPORT"):
            record.replace_folder(self._folder, self.final)

    def kept(self, name: str) -> pd.DataFrame | None:
        """A table that this run kept, as tables/NAME.csv holds it; None where it kept none of that name."""
        import pandas as pd

        path = self._folder / "tables" / f"{name}.csv"
        return pd.read_csv(path, keep_default_na=False) if path.is_file() else None

    def write(self, name: str, text: str) -> None:
        """Keep a text in the report. name: its path there, `cards/small.md`."""
        path = self._folder / name
        with record.explained(self.final):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")


def device() -> str:
    """The kind of accelerator that torch would use here: 'cpu', 'cuda' or 'mps'."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
