"""What study 5 records about its classifiers: common and rare classes, what balancing gives, confidence, leak and the
set from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studylib.metrics import calibration, classification, selective
from studylib.metrics.absolute_sums import absolute_sum_by
from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_by,
    exact,
    mean_by,
    of_columns,
    statistic_by,
)
from studylib.study.by_class import every_arm, named_classes
from studylib.study.compare import gap_between, paired
from studylib.study.fits import Fits

COMMON, RARE = ("NV", "BKL"), ("MEL", "SCC")  # what the source calls common and rare
BALANCES = ("weighted", "sampler", "focal", "adjusted")  # its future work
BACKBONES = ("small", "mobilenet_v2", "resnet18", "efficientnet_b0", "resnet50", "vit_b_16")
STATED = (0.90, 0.97)  # confidences around the 93.74 % of its example
COVERAGE = 0.8
KEYS = ["image", "group", "label", "repeat"]


def everyone(fits: Fits, arms: Sequence[str], main: str, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """`named_classes` of every arm on every split that it was trained on; of the main arm under `main` too."""
    return every_arm(fits, arms, main, classes, named_classes, **how)


def over_majority(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Accuracy of the commonest class, and of the network minus it."""
    rows = table.assign(common=(table["label"] == table["label"].mode()[0]).astype(float))
    return {
        "majority.accuracy": mean_by(rows, "common", how="always the commonest class", **how),
        "accuracy.main_minus_majority": difference_by(
            rows, "correct", "common", how="accuracy, network minus the commonest class", **how
        ),
    }


def gaps(fits: Fits, main: str, split: str = "group", **how) -> dict[str, Estimate]:
    """Accuracy on training, validation and test images, every part in evaluation mode, and the gaps."""
    found = {
        f"accuracy.{split}.main.{part}": mean_by(
            fits.predictions(main, split, part), "correct", how=f"accuracy, {part} images, evaluation mode", **how
        )
        for part in ("train", "validation")
    }
    for other in ("validation", "test"):
        found[f"gap.{split}.train_minus_{other}"] = gap_between(fits, main, ("train", other), split, **how)
    return found


def recalls(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Mean recall of the source's common classes and of its rare ones, each minus the mean of the other classes; rank
    correlation of a class's recall with its number of images; share of melanomas that are called nevus.
    """

    def contrast(names: Sequence[str]):
        chosen = np.array([c in names for c in classes])

        def value(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
            per_class = recall_of(frame, len(classes), weights)
            return _mean(per_class[chosen]) - _mean(per_class[~chosen])

        return value

    def ranked(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        from scipy.stats import spearmanr

        per_class, w = recall_of(frame, len(classes), weights), np.ones(len(frame)) if weights is None else weights
        sizes = np.bincount(frame["label"], w, len(classes))
        keep = np.isfinite(per_class)
        if keep.sum() < 3 or np.ptp(per_class[keep]) == 0:
            return float("nan")
        return float(spearmanr(per_class[keep], sizes[keep]).statistic)

    found = {
        "recall.common_minus_rest": statistic_by(
            table, contrast(COMMON), how=f"mean recall of {', '.join(COMMON)} minus of the others", **how
        ),
        "recall.rare_minus_rest": statistic_by(
            table, contrast(RARE), how=f"mean recall of {', '.join(RARE)} minus of the others", **how
        ),
        "recall.with_size.spearman": statistic_by(
            table, ranked, how=f"Spearman of recall with images tested, {len(classes)} classes", **how
        ),
    }
    names = list(classes)
    melanoma = table[table["label"] == names.index("MEL")]
    melanoma = melanoma.assign(nevus=(melanoma["predicted"] == names.index("NV")).astype(float))
    found["confusion.mel_called_nv"] = mean_by(melanoma, "nevus", how="melanomas called nevus", **how)
    return found


def _mean(recalls_: np.ndarray) -> float:
    """Mean recall of those classes that a sample holds; NaN where it holds none."""
    there = recalls_[np.isfinite(recalls_)]
    return float(there.mean()) if len(there) else float("nan")


def recall_of(table: pd.DataFrame, classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Recall of every class, (K,), NaN where no image has it."""
    w = np.ones(len(table)) if weights is None else weights
    label, correct = table["label"].to_numpy(), table["correct"].to_numpy()
    total = np.bincount(label, w, classes)
    return np.divide(np.bincount(label, w * correct, classes), total, out=np.full(classes, np.nan), where=total > 0)


def balancing(fits: Fits, plain: str, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Each way of balancing minus plain training, the same folds and seeds, paired by image: balanced accuracy,
    accuracy, mean recall of the source's rare classes, ECE of the likeliest class as trained.
    """

    def rare_gain(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        a, b = (recall_of(frame.assign(correct=frame[f"correct_{s}"]), len(classes), weights) for s in "ab")
        return _mean(a) - _mean(b)

    found = {}
    for kind in (k for k in BALANCES if fits.has(f"{plain}_{k}")):
        balanced = fits.predictions(f"{plain}_{kind}")
        both = fits.predictions(plain).merge(balanced, on=KEYS, suffixes=("_b", "_a"))
        if both.empty:
            raise ValueError(f"{plain}_{kind} and {plain} share no fold and seed: give both networks of the same folds")
        rare = both[both["label"].isin([i for i, c in enumerate(classes) if c in RARE])]
        text = f"{kind} minus plain, paired by image"
        name = f"balance.{kind}_minus_plain"
        found |= {
            f"{name}.balanced_accuracy": statistic_by(both, _balanced_gain, how=f"balanced accuracy, {text}", **how),
            f"{name}.accuracy": difference_by(both, "correct_a", "correct_b", how=f"accuracy, {text}", **how),
            f"{name}.rare_recall": statistic_by(
                rare, rare_gain, how=f"mean recall of {', '.join(RARE)}, {text}", **how
            ),
            f"balance.{kind}.ece": _ece(balanced, classes, f"ECE of the likeliest class, {kind}", **how),
        }
    return found


def _balanced_gain(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
    """Balanced accuracy of a minus of b on the same images."""
    a, b = (classification.balanced_accuracy(frame["label"], frame[f"predicted_{s}"], weights) for s in "ab")
    return a - b


def _ece(table: pd.DataFrame, classes: Sequence[str], text: str, **how) -> Estimate:
    right, top = calibration.top_label(table["label"], table[[f"p_{c}" for c in classes]].to_numpy())
    rows = table.assign(right=right, top=top)
    return absolute_sum_by(rows, of_columns(calibration.gaps, "right", "top"), how=text, **how)


def confidence(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Accuracy of predictions as sure as the source's example, and of the surest four fifths, minus all."""
    top = table[[f"p_{c}" for c in classes]].max(axis=1)
    rows = table.assign(top=top, sure=((top >= STATED[0]) & (top <= STATED[1])).astype(float))
    some = rows[rows["sure"] == 1]
    text = f"accuracy of predictions with confidence {STATED[0]:g} to {STATED[1]:g}"
    none = exact(float("nan"), n=0, how=f"{text}: there is none")
    gain = of_columns(selective.selective_accuracy, "correct", "top", coverage=COVERAGE)
    return {
        "confidence.stated.accuracy": mean_by(some, "correct", how=text, **how) if len(some) else none,
        "confidence.surest.accuracy": statistic_by(rows, gain, how=f"accuracy of the surest {COVERAGE:.0%}", **how),
    }


def ninth(fits: Fits, arm: str, plain: str, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """What an output does that no training image has: its mean probability, and accuracy with it minus without."""
    if not fits.has(arm):
        return {}
    table = fits.predictions(arm)
    table = table.assign(ninth=1 - table[[f"p_{c}" for c in classes]].sum(axis=1))
    both = paired(table, fits.predictions(plain), "correct")
    return {
        "nine.probability": mean_by(table, "ninth", how="probability of an output without a training image", **how),
        "nine.accuracy_minus_without": difference_by(both, "a", "b", how="accuracy, one output more minus none", **how),
    }


def variants(fits: Fits, main: str, **how) -> dict[str, Estimate]:
    """Accuracy of the centre of the picture minus of the whole of it, and of augmented training minus plain."""
    pairs = {"crop.centre_minus_whole.accuracy": f"{main}_centre", "augment.minus_plain.accuracy": f"{main}_augmented"}
    return {
        name: difference_by(
            paired(fits.predictions(arm), fits.predictions(main), "correct"),
            "a",
            "b",
            how=f"accuracy of {arm} minus {main}, paired by image",
            **how,
        )  # fmt: skip
        for name, arm in pairs.items()
        if fits.has(arm)
    }


def clinic(
    named: dict[str, Estimate],
    table: pd.DataFrame,
    on_lesion: pd.DataFrame,
    words: pd.DataFrame,
    classes: Sequence[str],
) -> pd.DataFrame:
    """One row a class, as a clinic could read it: recall with its interval, calibrated confidence where it was said,
    share of maps that peak on the lesion, share of words that the true outline confirms.

    named: `by_class.each_class`; table: predictions with calibrated probabilities; on_lesion: label, pointing; words:
    label, true (share of an image's words that hold).
    """
    top, rows = table[[f"p_{c}" for c in classes]].max(axis=1), {}
    for number, name in enumerate(classes):
        recall, said = named[f"recall.{name.lower()}.test"], table["predicted"] == number
        pointing = on_lesion.loc[on_lesion["label"] == number, "pointing"]
        true = words.loc[words["label"] == number, "true"]
        rows[name] = {
            "images": recall.n,
            "recall": f"{recall.value:.2f} [{recall.low:.2f}, {recall.high:.2f}]",
            "confidence where said": top[said].mean(),
            "right where said": table.loc[said, "correct"].mean(),
            "maps on the lesion": pointing.mean(),
            "words that hold": true.mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("class")


def elsewhere(table: pd.DataFrame, positive: str, **how) -> dict[str, Estimate]:
    """One class or not on a set that no network was trained on: AUROC, sensitivity and specificity where it is said.
    table: image, group, label (1: it is), p (its probability), said (1: it is the likeliest class), repeat.
    """
    text = f"{positive} or not, a set from elsewhere"
    return {
        "external.auroc": auroc_by(table, "label", "p", how=f"AUROC, {text}", **how),
        "external.sensitivity": mean_by(table[table["label"] == 1], "said", how=f"sensitivity, {text}", **how),
        "external.specificity": mean_by(
            table[table["label"] == 0].assign(said=lambda t: 1 - t["said"]), "said", how=f"specificity, {text}", **how
        ),
    }
