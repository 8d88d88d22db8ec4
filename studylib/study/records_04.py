"""What study 4 records about its images and its classifiers: each function one family of its ledger's metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.metrics import calibration, classification
from studylib.metrics.intervals import (
    Estimate,
    absolute_sum_by,
    auroc_by,
    difference_between,
    exact,
    mean_by,
    of_columns,
    statistic_by,
    trend,
)
from studylib.study.compare import difference_of, gap_difference
from studylib.study.fits import Fits
from studylib.study.train import Workshop

# what the source prints in its table 2: mean and standard deviation over its five folds
SOURCE = {
    "alexnet": ("0.902 (0.086)", "0.900 (0.091)", "0.896 (0.089)", "0.896 (0.089)"),
    "vgg16": ("0.928 (0.089)", "0.926 (0.082)", "0.928 (0.072)", "0.924 (0.087)"),
    "vgg19": ("0.950 (0.040)", "0.944 (0.048)", "0.946 (0.038)", "0.944 (0.043)"),
}
CLASSIFIERS = (
    "small", "mobilenet_v2", "resnet18", "vgg16", "alexnet", "vgg19", "resnet50", "densenet121", "scratch",
    "three_layers",
)  # fmt: skip
SPLITS = ("group", "owner_folds", "random_folds")
PAIRS = (
    ("vgg19", "vgg16"),
    ("vgg19", "alexnet"),
    ("vgg16", "alexnet"),
    ("resnet18", "vgg16"),
    ("mobilenet_v2", "vgg16"),
    ("mobilenet_v2", "resnet18"),
    ("mobilenet_v2", "scratch"),
)
FAILED = 0.10  # a fold this far below the median of its arm has failed


def macro_precision(labels, predicted, weights=None) -> float:
    """Mean over classes of the share of right calls."""
    return _macro(classification.precision, labels, predicted, weights)


def macro_recall(labels, predicted, weights=None) -> float:
    """Mean over classes of the share found."""
    return classification.balanced_accuracy(labels, predicted, weights)


def _macro(measure, labels, predicted, weights) -> float:
    values = [measure(labels, predicted, weights, positive=c) for c in np.unique(labels)]
    return float(np.mean(values)) if np.isfinite(values).all() else float("nan")


MEASURES = {
    "accuracy": classification.accuracy,
    "precision": macro_precision,
    "recall": macro_recall,
    "f1": classification.macro_f1,
}


def counts(dataset: Dataset) -> dict[str, Estimate]:
    """How many images and how many of each class, exactly."""
    labels = dataset.table["label"]
    found = {"counts.images": exact(float(len(labels)), n=len(labels), how="images")}
    for name in dataset.classes:
        found[f"counts.{name}"] = exact(float((labels == name).sum()), n=len(labels), how=f"images of {name}")
    return found


def fold_counts(workshop: Workshop, fits: Fits, arm: str) -> dict[str, Estimate]:
    """Folds of the source's split that hold 613 images (of 3,064: four of five), exactly."""
    sizes = {t.run.fold: int((workshop.split(t.run).part == "test").sum()) for t in fits.select(arm, "random_folds")}
    right = sum(size == 613 for size in sizes.values())
    return {"counts.folds_613": exact(float(right), n=len(sizes), how=f"test folds of {sorted(sizes.values())} images")}


def fold_table(fits: Fits, arm: str, split: str) -> pd.DataFrame:
    """Accuracy, macro precision, recall and F1 of every network of an arm on a split, a row a network."""
    rows, folds = [], {t.run.repeat: t.run.fold for t in fits.select(arm, split)}
    for repeat, table in fits.predictions(arm, split).groupby("repeat"):
        row = {name: measure(table["label"], table["predicted"]) for name, measure in MEASURES.items()}
        rows.append({"arm": arm, "split": split, "repeat": repeat, "fold": folds[repeat], "images": len(table)} | row)
    return pd.DataFrame(rows)


def table_2(fits: Fits, arms: Sequence[str], splits: Sequence[str] = SPLITS) -> pd.DataFrame:
    """The source's table 2, ours beside it: mean (standard deviation) over networks, and how many of them failed."""
    rows = []
    for arm in arms:
        for split in splits:
            if not fits.has(arm, split):
                continue
            table = fold_table(fits, arm, split)
            row = {"arm": arm, "split": split, "networks": len(table)}
            for name in MEASURES:
                spread = f" ({table[name].std(ddof=1):.3f})" if len(table) > 1 else ""
                row[name] = f"{table[name].mean():.3f}{spread}"
            failed = table["accuracy"] < table["accuracy"].median() - FAILED
            row["failed folds"] = ", ".join(f"{r.fold} ({r.accuracy:.3f})" for r in table[failed].itertuples())
            rows.append(row)
    head = {"split": "source's table 2", "networks": 5}
    printed = [{"arm": arm} | head | dict(zip(MEASURES, row, strict=True)) for arm, row in SOURCE.items()]
    return pd.DataFrame(rows + printed).fillna("").set_index(["arm", "split"])


def deviations() -> str:
    """What the source's deviations over folds say: each beside the binomial one of a fold of 613 slices."""
    told = []
    for arm, (printed, *_) in SOURCE.items():
        mean, spread = (float(part) for part in printed.removesuffix(")").split(" ("))
        sampling = (mean * (1 - mean) / 613) ** 0.5
        told.append(f"{arm} {spread:.3f}, {spread / sampling:.1f} times the {sampling:.3f} of sampling alone")
    return f"The source's deviations over folds: {'; '.join(told)}. At least one of its folds probably failed."


def accuracies(fits: Fits, arms: Sequence[str], main: str, **how) -> dict[str, Estimate]:
    """Accuracy and macro measures of every arm on every split; of the main arm under `main` too."""
    found = {}
    for arm in arms:
        for split in SPLITS:
            if not fits.has(arm, split):
                continue
            table = fits.predictions(arm, split)
            for name, measure in MEASURES.items():
                key = "accuracy" if name == "accuracy" else f"macro_{name}"
                estimate = statistic_by(table, of_columns(measure, "label", "predicted"), how=f"{key} of {arm}", **how)
                found[f"{key}.{split}.{arm}.test"] = estimate
                if arm == main:
                    found[f"{key}.{split}.main.test"] = estimate
    return found


def against_each_other(fits: Fits, pairs: Sequence[tuple[str, str]], split: str, **how) -> dict[str, Estimate]:
    """Accuracy of one arm minus that of another, paired by image, on a split."""
    return {
        f"accuracy.{split}.{a}_minus_{b}.test": difference_of(fits, a, b, split, **how)
        for a, b in pairs
        if fits.has(a, split) and fits.has(b, split)
    }


def leak_gaps(fits: Fits, arms: Sequence[str], **how) -> dict[str, Estimate]:
    """Test accuracy on leaky splits minus on the honest one: the same people drawn in both."""
    found = {}
    for arm in arms:
        for split, name in (("random_folds", "leak.accuracy_gap"), ("owner_folds", "leak.owner_gap")):
            if fits.has(arm, split) and fits.has(arm, "group"):
                tables = (fits.predictions(arm, split), fits.predictions(arm))
                text = f"test accuracy of {arm}: {split.replace('_', ' ')} minus unseen groups"
                found[f"{name}.{arm}"] = difference_between(*tables, "correct", how=text, **how)
    return found


def train_gaps(fits: Fits, arms: Sequence[str], **how) -> dict[str, Estimate]:
    """Accuracy on training images minus on images of unseen groups, of every arm on the honest split; and how much
    wider the gap is from scratch than from pretrained weights, where both were trained.
    """
    found, pair = {}, (("scratch", "group"), ("mobilenet_v2", "group"))
    if all(fits.has(*one) for one in pair):
        found["gap.scratch_minus_mobilenet_v2.train_minus_test"] = gap_difference(fits, *pair, ("train", "test"), **how)
    for arm in (arm for arm in arms if fits.has(arm)):
        tables = [fits.predictions(arm, "group", part) for part in ("train", "test")]
        found[f"gap.{arm}.train_minus_test"] = difference_between(
            *tables, "correct", how=f"accuracy of {arm}, training minus unseen groups", **how
        )
    return found


def calibrated(fits: Fits, arm: str, classes: Sequence[str], **how) -> tuple[dict[str, Estimate], dict]:
    """ECE of the likeliest class and Brier score before and after one temperature fitted on validation images, and the
    tables behind the reliability diagram.
    """
    columns = [f"p_{name}" for name in classes]
    test, validation = fits.predictions(arm), fits.predictions(arm, part="validation")
    temperatures = {r: _temperature(t, columns) for r, t in validation.groupby("repeat")}
    shifted = pd.concat([_at(t, columns, temperatures[r]) for r, t in test.groupby("repeat")], ignore_index=True)
    found, tables = {}, {}
    for name, table in (("", test), ("_scaled", shifted)):
        right, top = calibration.top_label(table["label"], table[columns].to_numpy())
        table = table.assign(right=right, top=top)
        text = "ECE of the likeliest class, 15 bins of equal mass" + (", one temperature" if name else "")
        gaps = of_columns(calibration.gaps, "right", "top")
        found[f"calibration.group.ece{name}"] = absolute_sum_by(table, gaps, how=text, **how)
        one = table.assign(
            brier=[_brier(row, y) for row, y in zip(table[columns].to_numpy(), table["label"], strict=True)]
        )
        found[f"calibration.group.brier{name}"] = mean_by(one, "brier", how="Brier score over classes", **how)
        tables["with temperature" if name else "as trained"] = calibration.reliability(right, top, bins=8)
    return found, tables


def _brier(p: np.ndarray, label: int) -> float:
    return calibration.multiclass_brier([label], p[None])


def _temperature(table: pd.DataFrame, columns: list[str]) -> float:
    return calibration.temperature(_logits(table, columns), table["label"].to_numpy())


def _logits(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return np.log(table[columns].to_numpy().clip(1e-7))


def _at(table: pd.DataFrame, columns: list[str], temperature: float) -> pd.DataFrame:
    """Predictions with probabilities at a temperature."""
    made = calibration.probabilities_at(_logits(table, columns), temperature)
    return table.assign(**{name: made[:, i] for i, name in enumerate(columns)})


def judged(fits: Fits, arms: Sequence[str], main: str) -> list[tuple[str, str]]:
    """Arms and splits, besides those of the main arm's, whose maps are judged too."""
    every = [(arm, split) for arm in arms for split in ("group", "random_folds") if fits.has(arm, split)]
    return [pair for pair in every if pair[0] not in (main, "three_layers")]  # no CAM exists on three layers


def ranking(fits: Fits, arm: str, classes: Sequence[str], **how) -> Estimate:
    """Mean over classes of the AUROC of one against the rest, unseen groups."""
    text = "AUROC of one class against the rest, mean"
    return auroc_by(fits.predictions(arm), "label", [f"p_{name}" for name in classes], how=text, **how)


def accuracy_with_iou(tables: dict[tuple[str, str], pd.DataFrame]) -> tuple[Estimate, pd.DataFrame]:
    """Whether networks that name tumours better also outline them better: Kendall's tau over networks. tables: (arm,
    split) -> rows of `cam_table`.
    """
    rows = []
    for (arm, split), table in tables.items():
        for repeat, some in table.groupby("repeat"):
            rows.append({"arm": arm, "split": split, "repeat": repeat, "accuracy": some["correct"].mean(),
                         "iou": some.loc[some["correct"] == 1, "iou_p95"].mean()})  # fmt: skip
    found = pd.DataFrame(rows)
    found["network"] = np.arange(len(found)).astype(str)

    def tau(frame: pd.DataFrame) -> float:
        return trend(frame["iou"], frame["accuracy"]).tau

    return statistic_by(found, tau, "network", unit="network", how="Kendall's tau of mean IoU and accuracy"), found
