"""What study 1 records about its classifiers, beside what image size, background and colour tell without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from studylib.metrics import classification
from studylib.metrics.intervals import Estimate, auroc_by, difference_by, of_columns, statistic_by
from studylib.study.by_class import every_arm, named_classes
from studylib.study.cells_01 import is_abnormal
from studylib.study.compare import paired
from studylib.study.fits import Fits

BACKBONES = ("small", "mobilenet_v2", "resnet18", "vgg16", "vgg16_flat", "small_flat", "efficientnet_b0")
FRAMES = {"stretch": "", "pad": "_pad", "window": "_window"}


def performance(table: pd.DataFrame, name: str, classes: Sequence[str], part: str = "group", **how) -> dict:
    """`named_classes`, and the same without F1 of normal against abnormal. -> {name: Estimate}"""
    return named_classes(table, name, classes, part, **how) | _two_classes(table, name, classes, part, **how)


def _two_classes(table: pd.DataFrame, name: str, classes: Sequence[str], part: str, **how) -> dict[str, Estimate]:
    """Normal against abnormal, probabilities of the classes summed."""
    abnormal = is_abnormal(classes)
    p = table[[f"p_{c}" for c in classes]].to_numpy()[:, abnormal].sum(1)
    rows = table.assign(label=abnormal[table["label"]].astype(int), predicted=(p > 0.5).astype(int), score=p)
    text = f"normal against abnormal, {name}"
    measured = {
        "accuracy": of_columns(classification.accuracy, "label", "predicted"),
        "balanced_accuracy": of_columns(classification.balanced_accuracy, "label", "predicted"),
    }
    found = {key: statistic_by(rows, m, how=f"{key.replace('_', ' ')}, {text}", **how) for key, m in measured.items()}
    found["auroc"] = auroc_by(rows, "label", "score", how=f"auroc, {text}", **how)
    return {f"binary.{key}.{part}.{name}.test": estimate for key, estimate in found.items()}


def everyone(fits: Fits, arms: Sequence[str], main: str, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """`performance` of every arm on every split that it was trained on; of the main arm under `main` too."""
    return every_arm(fits, arms, main, classes, performance, **how)


def over_baselines(table: pd.DataFrame, told: Mapping[str, pd.DataFrame], **how) -> dict[str, Estimate]:
    """Accuracy of the network minus that of each baseline, paired by cell, and minus that of the commonest class."""
    found = {
        f"accuracy.group.main_minus_{name}": difference_by(
            paired(table, other, "correct"), "a", "b", how=f"accuracy, network minus {name}, paired by cell", **how
        )
        for name, other in _same_repeat(table, told).items()
    }
    common = table.assign(common=(table["label"] == table["label"].mode()[0]).astype(float))
    found["accuracy.group.main_minus_majority"] = difference_by(
        common, "correct", "common", how="accuracy, network minus the commonest class", **how
    )
    return found


def _same_repeat(table: pd.DataFrame, told: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """A baseline has no repeats: its rows stand beside each network's."""
    repeats = pd.DataFrame({"repeat": sorted(table["repeat"].unique())})
    return {name: other.drop(columns="repeat").merge(repeats, how="cross") for name, other in told.items()}


def shares_of_gain(table: pd.DataFrame, told: Mapping[str, pd.DataFrame], **how) -> dict[str, Estimate]:
    """How much of the network's gain over the commonest class each baseline reaches: (baseline - commonest) /
    (network - commonest), accuracies over the same cells. How much of the accuracy needs no look at the cell.
    """
    found = {}
    for name, other in _same_repeat(table, told).items():
        rows = table[["image", "group", "repeat", "label", "correct"]].merge(
            other[["image", "repeat", "correct"]], on=["image", "repeat"], suffixes=("", "_told")
        )
        rows["common"] = (rows["label"] == rows["label"].mode()[0]).astype(float)

        def share(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
            network, told_, common = (
                np.average(frame[c], weights=weights) for c in ("correct", "correct_told", "common")
            )
            return (told_ - common) / (network - common) if network > common else float("nan")

        text = f"share of the network's gain over the commonest class that {name.replace('_', ' ')} reaches"
        found[f"share_of_gain.{name}"] = statistic_by(rows, share, how=text, **how)
    return found


def frames(fits: Fits, main: str, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """What it is worth to keep shape (pad) or scale (window) instead of stretching: balanced accuracy of each, and
    accuracy minus that of stretched pictures, paired by cell and network.
    """
    found, base = {}, fits.predictions(main)
    for name, suffix in FRAMES.items():
        if not fits.has(main + suffix):
            continue
        table = fits.predictions(main + suffix)
        measure = of_columns(classification.balanced_accuracy, "label", "predicted")
        found[f"frame.{name}.balanced_accuracy"] = statistic_by(table, measure, how=f"balanced accuracy, {name}", **how)
        if suffix:
            both = paired(table, base, "correct")
            text = f"accuracy, {name} minus stretch, paired by cell"
            found[f"frame.{name}_minus_stretch.accuracy"] = difference_by(both, "a", "b", how=text, **how)
    return found


def head_cost(fits: Fits, pairs: Sequence[tuple[str, str]], **how) -> dict[str, Estimate]:
    """What pooling costs: accuracy with it minus with dense layers on every place, paired by cell."""
    return {
        f"accuracy.group.{a}_minus_{b}": difference_by(
            paired(fits.predictions(a), fits.predictions(b), "correct"), "a", "b", how=f"accuracy, {a} minus {b}", **how
        )
        for a, b in pairs
        if fits.has(a) and fits.has(b)
    }
