"""What must be known of a network before its map is looked at: data, accuracy with interval, calibration, gates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.app.network import Network
from studylib.metrics import calibration
from studylib.metrics.estimates import digits
from studylib.metrics.intervals import Estimate, absolute_sum_by, mean_by, of_columns
from studylib.study.one_image import temperature_of, words

RESAMPLES = 1000  # of an interval on the page; records have the profile's
JUDGED = {"02": "cam"}  # whose maps a study's gates judge, where its settings name no main network


@dataclass(frozen=True)
class Card:
    """rows: (what, value), in order; gates: gate, rule, figure, outcome, empty where no report is there; why_no_gates;
    worse: whether the network is not shown to be better than always naming the commonest class.
    """

    rows: tuple[tuple[str, str], ...]
    gates: pd.DataFrame
    why_no_gates: str
    accuracy: Estimate
    commonest: float
    notes: tuple[str, ...]

    @property
    def failed(self) -> list[str]:
        """Names of the gates of which at least one row fails, in order."""
        return list(dict.fromkeys(self.gates.loc[self.gates["outcome"] == "fail", "gate"]))

    @property
    def counted(self) -> str:
        """How many of the rows that apply pass."""
        applied = self.gates[self.gates["outcome"] != "not applicable"]
        return f"{int((applied['outcome'] == 'pass').sum())} of {len(applied)} checks passed"


def card_of(network: Network, reports: Path) -> Card:
    """Everything that is known of a network, from its own predictions and the report of its study."""
    workshop, trained, settings = network.workshop, network.trained, network.workshop.settings
    run, spec = trained.run, trained.fit.spec
    unit = settings.phantom_unit if workshop.data == "phantom" else settings.unit
    tested = network.fits.predictions(run.arm.name, run.split)
    accuracy = mean_by(tested, "correct", unit=unit, resamples=RESAMPLES)
    own = trained.fit.predictions.query("part == 'test'")
    commonest = float(own["label"].value_counts(normalize=True).max())
    degree = temperature_of(trained)
    siblings = len(network.fits.select(run.arm.name, run.split))
    gates, why = gates_of(network, reports)
    rows = [
        ("Study", f"{settings.study}: {settings.title}"),
        ("Network", f"{words(run.arm.name)}: {run.arm.why}"),
        ("Images", f"{network.dataset.info.get('title') or network.dataset.name}, {len(network.dataset):,} in all"),
        ("Classes", ", ".join(words(name) for name in network.classes)),
        ("Split", _split(network, unit)),
        ("Accuracy on unseen images", f"{accuracy}; {_counted(siblings)} of this kind"),
        ("Always naming the commonest class", f"{commonest:.3f}"),
        ("Temperature", f"{degree:.2f}, chosen on validation images (above 1: the network was too sure of itself)"),
        ("Calibration error (ECE)", _calibration(trained, unit, degree)),
        ("Gates", _gates_line(gates, why)),
        ("Warned of, among its own test images", _alarms(network)),
        ("Weights from", "scratch" if trained.fit.weights_from == "none" else trained.fit.weights_from),
        ("Picture size", f"{spec.image_size} x {spec.image_size} pixels, crop: {spec.crop}"),
        ("Training", _training(trained)),
    ]  # fmt: skip
    notes = _notes(network, accuracy, commonest)
    return Card(tuple(rows), gates, why, accuracy, commonest, tuple(notes))


def _notes(network: Network, accuracy: Estimate, commonest: float) -> list[str]:
    """What makes a network one to be distrusted, whatever the picture."""
    run, notes = network.trained.run, []
    if run.arm.labels == "shuffled":
        notes.append("this network learnt labels drawn by lot: it is a control, and nothing that it says is true")
    if network.workshop.split(run).leaky:
        notes.append("pictures of one group stand on both sides of this split: its accuracy flatters")
    if not accuracy.low > commonest:
        notes.append(
            f"this kind of network is not shown to be better than always naming the commonest class "
            f"(accuracy {accuracy.value:.2f}, commonest class {commonest:.2f})"
        )
    if run.arm.phantom != "plain":
        notes.append(f"this network learnt phantoms with a planted cue ('{run.arm.phantom}'): it may look at the cue")
    return notes


def _alarms(network: Network) -> str:
    """How often pictures of its own kind are called unlike or blurred."""
    return ", ".join(f"{kind} {count} of {n}" for kind, (count, n) in network.alarms.items())


def _training(trained) -> str:
    spec, fit = trained.fit.spec, trained.fit
    return f"{spec.epochs} epochs, weights of epoch {fit.best_epoch} kept, {fit.trained_in}, seed {spec.seed}"


def _counted(networks: int) -> str:
    return f"{networks} network{'s' if networks != 1 else ''}"


def _split(network: Network, unit: str) -> str:
    groups = network.workshop.group_of(network.dataset)
    counts = [
        f"{int((network.parts == part).sum()):,} {part} ({len(np.unique(groups[network.parts == part])):,} groups)"
        for part in ("train", "validation", "test")
    ]
    run = network.trained.run
    by = f"by {unit}" if run.split == "group" else words(run.split)
    return f"{by}, fold {run.fold + 1} of {network.workshop.profile.folds}: {', '.join(counts)}"


def _calibration(trained, unit: str, degree: float) -> str:
    """Error of the likeliest class's probability on test images as trained and with the temperature."""
    table = trained.fit.predictions.query("part == 'test'")
    p = table.filter(regex="^p_").to_numpy()
    logits, told = np.log(p.clip(1e-7)), []
    for name, t in (("with the temperature", degree), ("as trained", 1.0)):
        right, top = calibration.top_label(table["label"], calibration.probabilities_at(logits, t))
        rows = table.assign(right=right, top=top)
        gaps = of_columns(calibration.gaps, "right", "top")
        made = absolute_sum_by(rows, gaps, unit=unit, resamples=RESAMPLES)
        interval = "" if np.isnan(made.low) else f" [{digits(made.low)}, {digits(made.high)}]"
        told.append(f"{digits(made.value)}{interval} {name}")
    return f"{'; '.join(told)}; {len(table):,} test images"


def _gates_line(gates: pd.DataFrame, why: str) -> str:
    if why:
        return why
    failed = list(dict.fromkeys(gates.loc[gates["outcome"] == "fail", "gate"]))
    passed, applied = (gates["outcome"] == "pass").sum(), (gates["outcome"] != "not applicable").sum()
    return f"{passed} of {applied} checks passed" + (f"; at least one fails of {', '.join(failed)}" if failed else "")


def gates_of(network: Network, reports: Path) -> tuple[pd.DataFrame, str]:
    """The gates of a study's report, and why there are none to show; only where the report judged these very images
    and this kind of network. Raises nothing: a report that is not there is a sentence.
    """
    asked, settings = network.collection, network.workshop.settings
    folder = reports / f"{asked.data}-{asked.profile}" / settings.name
    none = pd.DataFrame(columns=["gate", "rule", "figure", "outcome"])
    make = asked.command.replace("networks", "reproduce")
    try:
        judged = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        table = pd.read_csv(folder / "tables" / "gates_all.csv", keep_default_na=False)
    except (OSError, ValueError):
        return none, f"not judged yet: `{make}` writes the report that judges its maps"
    main = judged["settings"]["main"].get(asked.data) or JUDGED.get(asked.study, "")
    if network.trained.run.arm.name != main:
        return none, f"not judged: the report judges the maps of '{words(main)}' alone"
    # a name of phantoms holds a hash of all that decides them; their bytes may differ between processors
    same_drawing = asked.data == "phantom" and judged["dataset"]["name"] == network.dataset.name
    if not same_drawing and judged["dataset"]["fingerprint"] != network.dataset.fingerprint:
        return none, f"the report that is there judged other images: `{make}` writes it anew"
    return table, ""
