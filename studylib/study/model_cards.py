"""Model cards: what each family of networks of a study is, what it learned from, how well it does, and what it is not
for; filled from its fits and the records of the run (headings after Mitchell 2019, Model Cards for Model Reporting).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from studylib.metrics import calibration, classification
from studylib.metrics.estimates import at_the_edge, counted
from studylib.metrics.intervals import Estimate, absolute_sum_by, auroc_by, mean_by, of_columns, statistic_by
from studylib.models.registry import learns
from studylib.models.weights import count_parameters
from studylib.study.fits import Fits, Trained
from studylib.study.records_04 import calibrated

if TYPE_CHECKING:
    from studylib.study.study import Study

SPLITS = {  # how a split is said
    "group": "by group",
    "owner_folds": "by the owner's folds",
    "random_folds": "single images at random, as the sources did: it leaks",
    "random_images": "single images at random, as the sources did: it leaks",
}
STARTS = {"none": "random numbers", "scratch": "random numbers: no pretrained weights were at hand"}
MEASURES = {"balanced accuracy": classification.balanced_accuracy, "accuracy": classification.accuracy}
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Card:
    """One family of networks. parts: part -> (images, groups) of the first network; performance: split -> measure ->
    Estimate on test images; recorded: what metrics.json holds of it by name; failed: gates that its maps fail.
    """

    arm: str
    why: str
    is_main: bool
    architecture: str
    parameters: int
    trained_parameters: int
    classes: tuple[str, ...]
    trained_on: str
    parts: dict[str, tuple[int, int]]
    networks: dict[str, int]
    seeds: tuple[int, ...]
    training: str
    begins: str
    seconds: float
    performance: dict[str, dict[str, Estimate]]
    recorded: dict[str, Estimate]
    gates: pd.DataFrame | None

    @property
    def size(self) -> str:
        """How many numbers it has, and how many of them training changed."""
        some = f"{self.trained_parameters:,} of them trained"
        return f"{self.parameters:,} numbers, {some if self.trained_parameters < self.parameters else 'all trained'}"

    @property
    def count(self) -> int:
        """How many networks there are."""
        return sum(self.networks.values())

    def measured(self, measure: str) -> Estimate | None:
        """A measure on unseen groups; None where it was not measured there."""
        return self.performance.get("group", {}).get(measure)


def main_arm(study: Study, fits: Fits) -> str:
    """The arm that a study judges: the one its settings name, else the first that its primary estimand names."""
    if study.main in fits.arms:
        return study.main
    named = [part.split("_minus_")[0] for part in study.settings.primary.split(".")]
    return next((name for name in named if name in fits.arms), fits.arms[0])


def cards(study: Study, fits: Fits) -> list[Card]:
    """A card for each arm that this run trained, the main one first."""
    main = main_arm(study, fits)
    return [card(study, fits, arm) for arm in sorted(fits.arms, key=lambda arm: arm != main)]


def card(study: Study, fits: Fits, arm: str) -> Card:
    """The card of one arm."""
    trained = [t for t in fits if t.run.arm.name == arm]
    first, main = trained[0], main_arm(study, fits)
    spec, dataset = first.fit.spec, study.dataset(first.run.arm.variant)
    model = first.fit.model()
    found = {
        split: performance(fits, arm, split, study.how, arm == main)
        for split in dict.fromkeys(t.run.split for t in trained)
    }
    return Card(
        arm=arm,
        why=first.run.arm.why,
        is_main=arm == main,
        architecture=architecture(spec.model, dict(spec.options)),
        parameters=sum(p.numel() for p in model.parameters()),
        trained_parameters=count_parameters(model),
        classes=tuple(name.removeprefix("p_") for name in first.fit.predictions.columns if name.startswith("p_")),
        trained_on=f"{dataset.info.get('title', dataset.name)} (`{dataset.name}`, fingerprint `{dataset.fingerprint}`)",
        parts=parts_of(study, first),
        networks=dict(Counter(t.run.split for t in trained)),
        seeds=tuple(sorted({t.run.seed for t in trained})),
        training=training_of(first),
        begins=weights_source(first.fit.weights_from, spec.weights),
        seconds=sum(t.fit.seconds["total"] for t in trained),
        performance=found,
        recorded=recorded(study.metrics, arm, arm == main),
        gates=study.kept("gates_all") if arm == main else None,
    )


def recorded(metrics: Mapping[str, Estimate], arm: str, is_main: bool) -> dict[str, Estimate]:
    """What was recorded of an arm by its name; of the main one also under `main`, where its own name has no twin."""
    found = {name: e for name, e in metrics.items() if arm in name.split(".")}
    if is_main:
        found |= {
            name: e
            for name, e in metrics.items()
            if "main" in name.split(".") and name.replace(".main.", f".{arm}.") not in found
        }
    return found


def architecture(model: str, options: Mapping) -> str:
    """A network's name with its options: `staged (architecture mobilenet_v2, head flattened)`."""
    said = [f"{name} {value}" for name, value in options.items() if name not in ("image_size", "outputs")]
    return model + (f" ({', '.join(said)})" if said else "")


def parts_of(study: Study, trained: Trained) -> dict[str, tuple[int, int]]:
    """Images and groups of each part that a network was trained, chosen and tested on."""
    _, examples = study.workshop.examples(trained.run)
    rows = {part: examples.rows(part) for part in PARTS}
    return {part: (len(at), len(set(np.asarray(examples.groups)[at].tolist()))) for part, at in rows.items()}


def training_of(trained: Trained) -> str:
    """How a network was trained, in one sentence."""
    spec, arm = trained.fit.spec, trained.run.arm
    said = [
        f"{spec.optimiser.capitalize()}, learning rate {spec.learning_rate:g}",
        f"batches of {spec.batch_size}",
        f"{counted(spec.epochs, 'epoch')}, of which the first with the best validation accuracy was kept",
        f"images of {spec.image_size} x {spec.image_size} pixels, frame `{spec.crop}`",
        f"in {trained.fit.trained_in}",
    ]
    said += ["training images moved and tinted at random"] if spec.augment else []
    said += [f"evidence outside {' and '.join(arm.guide_regions)} penalised"] if spec.guide else []
    said += [f"classes balanced by {spec.balance}"] if spec.balance else []
    said += ["labels drawn by lot per group"] if arm.labels == "shuffled" else []
    said += [f"on {arm.share:.0%} of the training groups"] if arm.share < 1 else []
    return "; ".join(said)


def performance(fits: Fits, arm: str, split: str, how: Mapping, is_main: bool = False) -> dict[str, Estimate]:
    """Balanced accuracy, accuracy and AUROC on test images, on unseen groups the calibration error too (of the main
    arm also after one temperature); of a network that outlines its Dice. Each with an interval by group.
    """
    trained = fits.select(arm, split)
    if learns(trained[0].fit.spec.model) == "masks":
        table = pd.concat([t.fit.predictions.query("part == 'test'") for t in trained], ignore_index=True)
        return {"Dice of its outlines": mean_by(table, "dice", how="Dice at probability 1/2", **how)}
    table = fits.predictions(arm, split)
    columns = [name for name in table.columns if name.startswith("p_")]
    scores, mean = (columns, ", mean of one class to the rest") if len(columns) > 2 else ("p", "")
    found = {
        name: at_the_edge(statistic_by(table, of_columns(measure, "label", "predicted"), how=name, **how))
        for name, measure in MEASURES.items()
    }
    found["AUROC"] = auroc_by(table, "label", scores, how=f"AUROC{mean}", **how)
    if split == "group" and is_main:
        scaled, _ = calibrated(fits, arm, [name.removeprefix("p_") for name in columns], **how)
        found["calibration error"] = scaled["calibration.group.ece"]
        found["calibration error after one temperature"] = scaled["calibration.group.ece_scaled"]
    elif split == "group":
        # not `top_label`: an arm may have an output without a class, so that the named ones do not sum to 1
        told = table.assign(right=table["correct"], top=table[columns].max(axis=1))
        gaps, text = of_columns(calibration.gaps, "right", "top"), "ECE of the likeliest class, 15 bins of equal mass"
        found["calibration error"] = absolute_sum_by(told, gaps, how=text, **how)
    return found


def weights_source(where: str, digest: str) -> str:
    """What training began from. where: as a fit says it; digest: the first digits of its weights' SHA-256, by which the
    index under $STUDYLIB_WEIGHTS knows owner and licence.
    """
    if where == "torchvision":
        return "torchvision's ImageNet weights, downloaded; licence as torchvision states it"
    if where != "file":
        return STARTS.get(where, where)
    path = Path(os.environ.get("STUDYLIB_WEIGHTS", "")) / "index.json"
    index = json.loads(path.read_text(encoding="utf-8")) if os.environ.get("STUDYLIB_WEIGHTS") else {}
    for name, entry in index.items():
        if digest and entry.get("sha256", "").startswith(digest):
            source = entry.get("source_repo", "not named")
            return f"`{name}` from {source}; licence: {entry.get('licence', 'not stated')}; SHA-256 `{digest}`"
    return f"a file of SHA-256 `{digest}`, whose index is not at hand: owner and licence are not known here"
