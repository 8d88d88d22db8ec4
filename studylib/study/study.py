"""Study: the one object that a notebook carries: settings, images, networks, records, verdicts, and the report
folder.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.metrics.intervals import Estimate
from studylib.study import record
from studylib.study.claims import COLUMNS, load_claims
from studylib.study.display import headline_text
from studylib.study.root import find_root, reports_folder, runs_folder
from studylib.study.settings import check_parameters, load_settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from studylib.data.dataset import Dataset
    from studylib.study.fits import Fits

NAME = re.compile(r"^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$")


class Study:
    """One study in one run: `Study.open("02", data=..., profile=..., seed=...)`. Raises SettingsError for unknown
    names.
    """

    def __init__(self, study: str, data: str, profile: str, seed: int) -> None:
        check_parameters(data, profile, seed)
        self.root = find_root()
        self.settings = load_settings(study, self.root)
        self.profile = self.settings.profile(profile)
        self.number, self.data, self.profile_name, self.seed = study, data, profile, seed
        self.ledger = load_claims(study, self.root)
        self.metrics: dict[str, Estimate] = {}
        self.verdicts: dict[str, object] = {}
        self._figures: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._weights: dict[str, str] = {}
        self._precisions: Counter[str] = Counter()
        self._began = time.perf_counter()
        self._folder = self._open_folder()

    @classmethod
    def open(cls, study: str, *, data: str = "phantom", profile: str = "quick", seed: int = 0) -> Study:
        """Find the project, read settings and ledger, open the report."""
        return cls(study, data, profile, seed)

    @property
    def final(self) -> Path:
        """Where the report stands once it is whole."""
        return reports_folder(self.root) / f"{self.data}-{self.profile_name}" / self.settings.name

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

    @cached_property
    def workshop(self):
        from studylib.study.train import Workshop

        return Workshop(self.settings, self.data, self.profile_name, self.seed, runs_folder(self.root))

    def dataset(self, variant: str = "plain") -> Dataset:
        """The images of this run, validated: phantoms made on the spot, or the real sets under $STUDYLIB_DATA."""
        return self.workshop.dataset(variant)

    def external(self) -> Dataset | None:
        """The real set that no network was trained on; None in a phantom run."""
        if self.data == "phantom" or not self.settings.external:
            return None
        from studylib.study.material import load_external

        return load_external(self.settings, runs_folder(self.root))

    def fits(self, dataset: Dataset | None = None) -> Fits:
        """Every network that the settings ask for: finished ones are loaded, missing ones trained, a line each."""
        fits = self.workshop.fits(lambda line: print(line, flush=True))
        self._weights = {t.run.arm.name: t.fit.weights_from for t in fits if t.fit.weights_from != "none"}
        self._precisions = Counter(t.fit.trained_in for t in fits)
        return fits

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
        folder = self._folder / "tables"
        with record.explained(self.final):
            folder.mkdir(exist_ok=True)
            table.to_csv(folder / f"{name}.csv", float_format="%.6g")
        self.show(table, title)

    def figure(self, fig: Figure, name: str, *, caption: str, patients: bool = False) -> None:
        """Keep a figure as PNG and SVG and show it with its caption. `patients`: it shows images; of real people it
        stays apart.
        """
        from studylib.study.display import show_figure

        apart = patients and self.data == "real"
        folder = self._folder / ("patients" if apart else "figures")
        command = f"make reproduce STUDY={self.number} DATA={self.data} PROFILE={self.profile_name} SEED={self.seed}"
        text = f"{caption} Redraw: `{command}`."
        with record.explained(self.final):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
            show_figure(fig, folder / name, text, photographs=patients)
        self._figures[name] = text

    @contextmanager
    def apart(self, name: str):
        """A folder of the report for what is not committed: of real people among `patients`. -> its path"""
        folder = self._folder / ("patients" if self.data == "real" else "") / name
        with record.explained(self.final):
            folder.mkdir(parents=True, exist_ok=True)
            yield folder

    def settle(self, *claims: str) -> None:
        """Judge statements by the ledger's rules on what was recorded so far, and show their rows."""
        for claim in claims:
            self.verdicts[claim] = self.ledger.settle(claim, self.metrics, self.data, self.profile_name)
        self.show(self._verdict_table(claims)[["statement", "verdict", "estimate", "reason"]])

    def _verdict_table(self, claims) -> pd.DataFrame:
        import pandas as pd

        rows = [[getattr(self.verdicts[c], column) for column in COLUMNS] for c in claims]
        return pd.DataFrame(rows, columns=list(COLUMNS)).set_index("claim")

    def settle_rest(self) -> list[str]:
        """Judge every statement that no section settled; returns their ids."""
        rest = [claim.id for claim in self.ledger.claims if claim.id not in self.verdicts]
        for claim in self.ledger.claims:  # again for all: a later record may belong to an earlier statement
            self.verdicts[claim.id] = self.ledger.settle(claim.id, self.metrics, self.data, self.profile_name)
        return rest

    def verdict_table(self) -> pd.DataFrame:
        """Every statement in order: this run's verdict, and the committed run on real images beside it."""
        from studylib.study.display import beside_real

        self.settle_rest()
        now = self._verdict_table([claim.id for claim in self.ledger.claims])
        return beside_real(now, reports_folder(self.root), self.settings.name, self.data)

    @property
    def main(self) -> str:
        """The arm whose maps are judged in this run; "" where the study names none."""
        return self.profile.main.get(self.data, "")

    @property
    def unit(self) -> str:
        """What a group is in this run."""
        return self.settings.phantom_unit if self.data == "phantom" else self.settings.unit

    @property
    def how(self) -> dict:
        """What every interval of this run shares: unit, resamples, seed."""
        return {"unit": self.unit, "resamples": self.profile.resamples, "seed": self.seed}

    def opening(self) -> None:
        """Show what was claimed, on what data this run rests, and what came out: of the committed runs, and of this
        one when it ends.
        """
        from studylib.study.display import opening_text, show_text

        show_text(opening_text(self, reports_folder(self.root)))

    def headline(self) -> str:
        """One sentence that counts the verdicts of this run."""
        from collections import Counter

        self.settle_rest()
        counts = Counter(v.verdict for v in self.verdicts.values())
        order = ("reproduced", "partly", "not reproduced", "undecided", "not testable")
        return (
            ", ".join(f"{counts[word]} {word}" for word in order if counts[word])
            + f", of {len(self.ledger)} statements"
        )

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

    def close(self) -> None:
        """Write metrics.json, costs.json, verdicts.csv and provenance.json, and put the report in place."""
        self.settle_rest()
        head = {
            "study": self.number,
            "data": self.data,
            "profile": self.profile_name,
            "seed": self.seed,
            "settings": self.settings.to_dict(self.profile_name) | {"group": self.settings.group},
            "primary": self.settings.primary,
            "dataset": {"name": self.dataset().name, "fingerprint": self.dataset().fingerprint},
        }
        costs = {name: e for name, e in self.metrics.items() if name.startswith("cost.")}
        rest = {name: e for name, e in self.metrics.items() if name not in costs}
        made, clean = record.commit(self.root)
        provenance = {
            "commit": made,
            "clean": clean,
            "packages": record.versions(),
            "cores": os.cpu_count(),
            "accelerator": device(),
            "seconds": {k: round(v, 1) for k, v in self._seconds.items()}
            | {"notebook": round(time.perf_counter() - self._began, 1)},
            "weights": self._weights,
            "trained_in": self._precisions,
            "figures": self._figures,
        }
        with record.explained(self.final):
            record.write_json(self._folder / "metrics.json", record.metrics_json(head, rest))
            record.write_json(self._folder / "costs.json", record.metrics_json(head, costs))
            record.write_json(self._folder / "provenance.json", provenance)
            table = self._verdict_table([claim.id for claim in self.ledger.claims])
            table.to_csv(self._folder / "verdicts.csv")
            (self._folder / "headline.md").write_text(headline_text(self._folder, self.settings), encoding="utf-8")
            if not os.environ.get("STUDYLIB_REPORT"):
                record.replace_folder(self._folder, self.final)
        print(f"{self.headline()}; report in reports/{self.data}-{self.profile_name}/{self.settings.name}/")


def device() -> str:
    """The kind of accelerator that torch would use here: 'cpu', 'cuda' or 'mps'."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
