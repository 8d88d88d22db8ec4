"""What study 3 records about its classifiers: every head beside the majority, each other, the detector and the source's
way of training; counted by woman.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from studylib.metrics import classification
from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_between,
    difference_by,
    exact,
    mean_by,
    of_columns,
    statistic_by,
)  # fmt: skip
from studylib.metrics.rates_by_groups import rates_by
from studylib.study.compare import paired
from studylib.study.heads_03 import (
    BEST,
    SEVEN,
    Frozen,
    as_printed,
    converged,
    everywhere,
    predictions,
    short,
    title,
)  # fmt: skip

FLIPS = (0.05, 0.1, 0.2)  # shares of training labels that are turned round


def performance(table: pd.DataFrame, name: str, **how) -> dict[str, Estimate]:
    """Accuracy, F1 of not treatable, balanced accuracy, sensitivity, specificity, AUROC. table: predictions, a row an
    image and network.
    """
    rates = rates_by(table, "label", "predicted", how=f"of {name}", **how)
    found = {f"{key}.group.{name}.test": e for key, e in rates.items()}
    return found | {f"auroc.group.{name}.test": auroc_by(table, "label", "p", how=f"AUROC of {name}", **how)}


def everyone(frozens: Sequence[Frozen], heads: Sequence[Mapping], prefix: str = "", **how) -> dict[str, Estimate]:
    """`performance` of the seven heads, and accuracy minus that of always saying the commonest class. prefix: before a
    head's name, for another arm than the main one.
    """
    found = {}
    for levels in SEVEN:
        table, name = everywhere(frozens, heads, levels), prefix + short(levels)
        found |= performance(table, name, **how) | over_majority(table, name, **how)
    return found


def majority(frozens: Sequence[Frozen]) -> float:
    """Accuracy of always saying the commonest class on the test images."""
    return classification.majority_share(np.concatenate([of.labels[of.rows("test")] for of in frozens]))


def over_majority(table: pd.DataFrame, name: str, **how) -> dict[str, Estimate]:
    """Accuracy minus that of always saying the commonest class, paired by image."""
    common = table.assign(common=(table["label"] == table["label"].mode()[0]).astype(float))
    text = f"accuracy of {name} minus always the commonest class"
    return {f"heads.{name}_minus_majority.accuracy": difference_by(common, "correct", "common", how=text, **how)}


def against(frozens, heads, levels: Sequence[str] = BEST, choices=SEVEN, **how) -> dict[str, Estimate]:
    """Accuracy of the head on `levels` minus that of every other, paired by image and network."""
    ours, found = everywhere(frozens, heads, levels), {}
    for other in (c for c in choices if tuple(c) != tuple(levels)):
        both = paired(ours, everywhere(frozens, heads, other), "correct")
        text = f"accuracy, {title(levels)} minus {title(other)}, paired by image"
        found[f"heads.{short(levels)}_minus_{short(other)}.accuracy"] = difference_by(both, "a", "b", how=text, **how)
    return found


def below_others(frozens, heads, levels: Sequence[str], choices=SEVEN, **how) -> Estimate:
    """Accuracy of one head minus the mean of the others, paired by image."""
    ours = everywhere(frozens, heads, levels)
    rest = [everywhere(frozens, heads, c).set_index(["image", "repeat"])["correct"] for c in choices if c != levels]
    mean = pd.concat(rest, axis=1).mean(axis=1).rename("rest").reset_index()
    rows = ours.merge(mean, on=["image", "repeat"])
    rows = rows.groupby(["image", "group"], as_index=False)[["correct", "rest"]].mean()
    return difference_by(rows, "correct", "rest", how=f"accuracy, {title(levels)} minus the mean of the others", **how)


def subset_table(frozens: Sequence[Frozen], heads: Sequence[Mapping]) -> pd.DataFrame:
    """Every choice of levels: accuracy on validation and test images, AUROC, best test accuracy first."""
    rows = {}
    for levels in heads[0]:
        test, held = everywhere(frozens, heads, levels), everywhere(frozens, heads, levels, "validation")
        rows[title(levels)] = {
            "validation accuracy": held["correct"].mean(),
            "test accuracy": test["correct"].mean(),
            "test AUROC": np.mean([classification.auroc(t["label"], t["p"]) for _, t in test.groupby("repeat")]),
            "levels": len(levels),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("head")
    return table.sort_values("test accuracy", ascending=False, kind="stable")


def chosen_by(frozens, heads, **how) -> dict[str, Estimate]:
    """The rank of the source's best choice among all; and what choosing on the test images flatters: accuracy of the
    choice that is best on them minus that of the choice that validation images make, the same images.
    """
    table = subset_table(frozens, heads)
    by_title = {title(levels): levels for levels in heads[0]}
    rank = 1 + int((table["test accuracy"] > table.loc[title(BEST), "test accuracy"]).sum())
    best, honest = table.index[0], table["validation accuracy"].idxmax()
    both = paired(*(everywhere(frozens, heads, by_title[name]) for name in (best, honest)), "correct")
    text = f"accuracy, {best} (best on test images) minus {honest} (best on validation images)"
    return {
        "subsets.p3p6p7.rank": exact(float(rank), n=len(table), how="rank of P3+P6+P7 among all, test accuracy"),
        "subsets.optimism.accuracy": difference_by(both, "a", "b", how=text, **how),
    }


def printed_training(frozens: Sequence[Frozen], heads: Sequence[Mapping], **how) -> tuple[dict, list[dict]]:
    """The source's training rate against convergence: accuracy of every head trained so, minus converged, and how far
    its weights moved. -> (estimates, heads of every network)
    """
    made, found = [as_printed(of) for of in frozens], {}
    for levels in SEVEN:
        name = short(levels)
        ours = [predictions(of, each[levels][0]) for of, each in zip(frozens, made, strict=True)]
        table = pd.concat(ours, ignore_index=True)
        text = f"accuracy of {title(levels)}, trained at 1e-6"
        found[f"accuracy.group.{name}_printed.test"] = mean_by(table, "correct", how=text, **how)
        both = paired(table, everywhere(frozens, heads, levels), "correct")
        text = f"accuracy of {title(levels)}, trained at 1e-6 minus to convergence"
        found[f"printed.{name}_minus_converged.accuracy"] = difference_by(both, "a", "b", how=text, **how)
    moved = [each[BEST][1] for each in made]
    text = "mean change of a weight over its size at the start, 1e-6, P3+P6+P7"
    found["printed.p3p6p7.moved"] = exact(float(np.mean(moved)), n=len(moved), how=text)
    return found, made


def training_gap(frozens, heads, levels: Sequence[str] = BEST, **how) -> dict[str, Estimate]:
    """Accuracy on training images minus on test images: what a review of all images mixes."""
    parts = [everywhere(frozens, heads, levels, part) for part in ("train", "test")]
    text = f"accuracy of {title(levels)}: training images minus test images"
    return {f"heads.{short(levels)}.training_minus_test": difference_between(*parts, "correct", how=text, **how)}


def noisy(frozens: Sequence[Frozen], levels: Sequence[str] = BEST, **how) -> dict[str, Estimate]:
    """Accuracy with a share of training labels turned round minus with the true ones, paired; and the precision of
    confident learning in naming those labels: of the images that the head, cross-fitted, contradicts with more than
    the mean confidence of the class it says, the share whose label was turned (Northcutt 2021).
    """
    found, clean = {}, pd.concat([predictions(of, converged(of, levels)) for of in frozens], ignore_index=True)
    flags = []
    for share in FLIPS:
        tables = []
        for of in frozens:
            rng = np.random.default_rng([of.trained.run.seed, round(1000 * share)])
            women = np.unique(of.groups[of.rows("train")])
            turned = np.isin(of.groups, rng.permutation(women)[: round(share * len(women))]) & (of.part == "train")
            labels = np.where(turned, 1 - of.labels, of.labels)
            tables.append(predictions(of, converged(of, levels, labels)))
            if share == FLIPS[-1]:
                flags.append(_flagged(of, levels, labels, turned, rng))
        both = paired(pd.concat(tables, ignore_index=True), clean, "correct")
        text = f"accuracy with {share:.0%} of training women's labels turned minus with none"
        found[f"noise.p{round(100 * share):02d}_minus_clean.accuracy"] = difference_by(both, "a", "b", how=text, **how)
    table = pd.concat(flags, ignore_index=True)
    flagged = table[table["flagged"]].assign(base=FLIPS[-1])
    text = "share of flagged labels that were turned minus the share of all that were"
    found["noise.flags.precision_minus_base"] = difference_by(flagged, "turned", "base", how=text, **how)
    return found


def _flagged(of: Frozen, levels, labels: np.ndarray, turned: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Training rows: whether the label was turned, and whether a head that did not see the woman contradicts it."""
    from dataclasses import replace

    train = of.rows("train")
    women = np.unique(of.groups[train])
    fold = dict(zip(rng.permutation(women), np.arange(len(women)) % 3, strict=True))
    p = np.empty(len(train))
    for k in range(3):
        out = np.array([fold[g] == k for g in of.groups[train]])
        part = of.part.copy()
        part[train[out]] = "left out"
        p[out] = converged(replace(of, part=part), levels, labels).probability(of.means)[train[out]]
    given = labels[train]
    bar = [p[given == 1].mean(), (1 - p[given == 0]).mean()]
    flagged = np.where(given == 0, p >= bar[0], 1 - p >= bar[1])
    row = {"image": of.names[train], "group": of.groups[train], "flagged": flagged}
    return pd.DataFrame(row | {"turned": turned[train].astype(float)})


def outcomes(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The four outcomes and what each means under the source's own definition: positive is not treatable."""
    meaning = {
        (1, 1): "referred, rightly", (1, 0): "ablated although not eligible (false negative)",
        (0, 1): "referred although treatable (false positive)", (0, 0): "ablated, rightly",
    }  # fmt: skip
    rows = []
    for (label, predicted), text in meaning.items():
        count = int(((table["label"] == label) & (table["predicted"] == predicted)).sum())
        names = [classes[i].replace("_", " ") for i in (label, predicted)]
        rows.append({"true": names[0], "said": names[1], "outcome": text, "images, each network": count})
    return pd.DataFrame(rows).set_index(["true", "said"])


def detector_against(detected: pd.DataFrame, frozens, heads, levels=BEST, **how) -> dict[str, Estimate]:
    """The detector's best box: its accuracy and others of `performance`, the share of images without a detection (the
    commonest class is said then), its IoU with the true box; the head minus it, paired; Cohen's kappa of the two.
    """
    ours = everywhere(frozens, heads, levels)
    found = performance(detected, "detector", **how)
    both = paired(ours, detected, "correct")
    text = f"accuracy, head on {title(levels)} minus the detector's best box, paired by image"
    found["heads.p3p6p7_minus_detector.accuracy"] = difference_by(both, "a", "b", how=text, **how)
    missed = detected.assign(missed=1.0 - detected["detected"])
    found["detector.without_detection"] = mean_by(missed, "missed", how="images without a detection", **how)
    found["detector.box_iou"] = mean_by(detected, "iou", how="IoU of the best box with the true one", **how)
    pair = ours[["image", "group", "repeat", "predicted"]].merge(
        detected[["image", "repeat", "predicted"]], on=["image", "repeat"], suffixes=("_head", "_box")
    )

    measure = of_columns(classification.cohen_kappa, "predicted_head", "predicted_box")
    found["detector.head_kappa"] = statistic_by(pair, measure, how="Cohen's kappa of head and detector", **how)
    return found
