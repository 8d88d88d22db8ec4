"""Study: the one object that a notebook carries: settings, images, networks, records, verdicts, and the report
folder.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from studylib.study import record
from studylib.study.claims import COLUMNS, load_claims
from studylib.study.display import headline_text
from studylib.study.report_folder import ReportFolder
from studylib.study.root import find_report, find_root, runs_folder
from studylib.study.settings import check_parameters, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from studylib.data.dataset import Dataset
    from studylib.study.fits import Fits


class Study(ReportFolder):
    """One study in one run: `Study.open("02", data=..., profile=..., seed=...)`. Raises SettingsError for unknown
    names.
    """

    def __init__(self, study: str, data: str, profile: str, seed: int) -> None:
        check_parameters(data, profile, seed)
        root = find_root()
        self.settings = load_settings(study, root)
        self.profile = self.settings.profile(profile)
        self.ledger = load_claims(study, root)
        self.verdicts: dict[str, object] = {}
        self._weights: dict[str, str] = {}
        self._precisions: Counter[str] = Counter()
        super().__init__(root, self.settings.name, data, profile, seed)

    @classmethod
    def open(cls, study: str, *, data: str = "phantom", profile: str = "quick", seed: int = 0) -> Study:
        """Find the project, read settings and ledger, open the report."""
        return cls(study, data, profile, seed)

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
        return beside_real(now, find_report(self.root, "real-standard", self.name), self.data)

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

        show_text(opening_text(self))

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
        trained = {"weights": self._weights, "trained_in": self._precisions}
        with record.explained(self.final):
            record.write_json(self._folder / "metrics.json", record.metrics_json(head, rest))
            record.write_json(self._folder / "costs.json", record.metrics_json(head, costs))
            record.write_json(self._folder / "provenance.json", self.rested_on() | trained)
            table = self._verdict_table([claim.id for claim in self.ledger.claims])
            table.to_csv(self._folder / "verdicts.csv")
            (self._folder / "headline.md").write_text(headline_text(self._folder, self.settings), encoding="utf-8")
            self.put_in_place()
        print(f"{self.headline()}; report in reports/{self.data}-{self.profile_name}/{self.settings.name}/")
