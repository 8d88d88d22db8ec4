"""What tells the class without a network that sees the object: its place and size, the plane, who acquired the slice,
the brightness of the frame and its border. Logistic regressions, cross-validated by group, for any number of classes.
And what a disc in the middle of every picture meets, which knows not even the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.metrics import floors, localisation
from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_between,
    difference_by,
    exact,
    mean_by,
    of_columns,
    statistic_by,
)
from studylib.study.probes import artefacts, brightness, cross_validated
from studylib.study.segmenting import BAD, SHARE
from studylib.study.train import Workshop


def places(masks: np.ndarray) -> pd.DataFrame:
    """Centre (x, y) of each mask, its distance from the picture's centre, and its area, as shares of side and picture;
    NaN for an empty mask. masks: bool (N, S, S) -> columns x, y, centre_distance, area.
    """
    side, area = masks.shape[-1], masks.sum((1, 2)).astype(float)
    axis = (np.arange(side) + 0.5) / side
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = (masks.sum(1) @ axis) / area, (masks.sum(2) @ axis) / area
    distance = np.hypot(x - 0.5, y - 0.5)
    return pd.DataFrame({"x": x, "y": y, "centre_distance": distance, "area": area / side**2})


def distances(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Distance of each class's objects from the picture's centre, its differences between classes (of a pair "a, b"
    both a minus b and b minus a), and each class's median area. table: columns group, label, centre_distance, area.
    """
    parts = {name: table[table["label"] == number] for number, name in enumerate(classes)}
    text, found = "distance of the outline's centre from the picture's, share of the side", {}
    for name, some in parts.items():
        found[f"location.{name}.centre_distance"] = mean_by(some, "centre_distance", how=text, **how)
        found[f"location.{name}.area"] = statistic_by(
            some, of_columns(median, "area"), needs=["area"], how="median area, share of the picture", **how
        )
    for a, b in (pair for two in combinations(classes, 2) for pair in (two, two[::-1])):
        found[f"location.{a}_minus_{b}.centre_distance"] = difference_between(
            parts[a], parts[b], "centre_distance", how=f"{text}, {a} minus {b}", **how
        )
    return found


def median(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The median of values drawn so many times each: the mean of the two in the middle where their number is even."""
    values = np.asarray(values, float)
    times = np.ones(len(values), int) if weights is None else np.asarray(weights).astype(int)
    order = np.argsort(values, kind="stable")
    upto = times[order].cumsum()
    if not len(upto) or not upto[-1]:
        return float("nan")
    middle = np.searchsorted(upto, [(upto[-1] + 1) // 2, upto[-1] // 2 + 1])
    return float(values[order][middle].mean())


def centre_disc(
    masks: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: Sequence[str], **how
) -> dict[str, Estimate]:
    """IoU of a disc of 5 % in the middle of every picture with the objects, and the share that it misses (IoU below
    0.01), of all and by class: what needs no picture and no network. masks: bool (N, S, S); labels, groups: (N,)
    """
    iou = localisation.iou(floors.centred_disc(masks.shape, SHARE) > 0, masks)
    missed = np.where(np.isfinite(iou), iou < BAD, np.nan)
    rows, found = pd.DataFrame({"group": groups, "label": labels, "iou": iou, "missed": missed}), {}
    for name, some in {"all": rows, **{n: rows[rows["label"] == i] for i, n in enumerate(classes)}}.items():
        text = f"a centred disc of {SHARE:.0%}, {name}"
        found[f"location.centre_disc.iou.{name}"] = mean_by(some, "iou", how=f"IoU of {text}", **how)
        found[f"location.centre_disc.share_below_001.{name}"] = mean_by(
            some, "missed", how=f"missed (IoU < {BAD}) by {text}", **how
        )
    return found


def owner_columns(dataset: Dataset, word: str = "plane") -> Estimate:
    """How many columns of the owner's table name a thing; `..._inferred` was added later and is not theirs."""
    named = [c for c in dataset.table if word in c and not c.endswith("_inferred")]
    return exact(len(named), n=len(dataset), how=f"columns that name the {word}: {', '.join(named) or 'none'}")


def told_by(workshop: Workshop, features: np.ndarray, what: str, **how) -> tuple[Estimate, Estimate]:
    """Accuracy minus that of the commonest class, and mean AUROC of one class against the rest, of a logistic
    regression on some features, cross-validated by group. features: (N, F), a row an image of the study's data set.
    """
    dataset = workshop.dataset()
    labels, groups = workshop.labels(dataset)[0], workshop.group_of(dataset)
    scores = cross_validated(workshop, features, labels, groups, "predict_proba")
    row = {"image": dataset.table["image"].to_numpy().astype(str), "group": groups, "label": labels}
    right = (scores.argmax(1) == labels).astype(float)
    common = (labels == np.bincount(labels).argmax()).astype(float)
    columns = {f"p_{c}": scores[:, c] for c in range(scores.shape[1])}
    table = pd.DataFrame(row | columns | {"right": right, "common": common})
    text = f"logistic regression on {what}, cross-validated by group"
    gain = difference_by(table, "right", "common", how=f"accuracy minus the commonest class, {text}", **how)
    return gain, auroc_by(table, "label", list(columns), how=f"AUROC of one class against the rest, {text}", **how)


def shortcuts(
    workshop: Workshop, masks: np.ndarray, pixels: np.ndarray, plane: np.ndarray, **how
) -> dict[str, Estimate]:
    """What place and size, plane, acquisition, brightness and border tell of the class, what a centred disc meets, and
    whether the owner names the plane; what the set does not say is left out.

    masks: bool (N, S, S); pixels: uint8 (N, S, S); plane: (N,) text, "" where unknown. Acquisition: whether the owner's
    id begins with letters, which marks another series.
    """
    where = places(masks)
    features = {
        ("location.class_from_place", "place and area of the outline"): where[["x", "y", "area"]].to_numpy(),
        ("shortcut.brightness", "brightness of the slice"): brightness(pixels),
        ("shortcut.border", "border and detail of the slice"): artefacts(pixels),
    }
    if len(set(plane)) > 1:
        features["plane.class_from_plane", "the plane"] = pd.get_dummies(plane).to_numpy(float)
    dataset = workshop.dataset()
    owner = dataset.table.get("pid")
    if owner is not None and 0 < (series := owner.astype(str).str.match("[A-Za-z]").to_numpy()).sum() < len(series):
        features["shortcut.acquisition", "the series of the id"] = series[:, None].astype(float)
    labels, classes = workshop.labels(dataset)
    found = {"plane.owner_columns": owner_columns(dataset)}
    found |= centre_disc(masks, labels, workshop.group_of(dataset), classes, **how)
    for (name, what), values in features.items():
        found[f"{name}.accuracy_minus_majority"], found[f"{name}.auroc"] = told_by(workshop, values, what, **how)
    return found
