"""What tells the class without a network that sees the object: its place and size, the plane, who acquired the slice,
the brightness of the frame. Logistic regressions, cross-validated by group, for any number of classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studylib.metrics import classification
from studylib.metrics.intervals import Estimate, difference_between, difference_by, mean_by, statistic_by
from studylib.study.probes import brightness
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
    """Distance of each class's objects from the picture's centre, and the first class's minus the second's. table:
    columns group, label, centre_distance.
    """
    parts = {name: table[table["label"] == number] for number, name in enumerate(classes)}
    text = "distance of the outline's centre from the picture's, share of the side"
    found = {f"location.{n}.centre_distance": mean_by(t, "centre_distance", how=text, **how) for n, t in parts.items()}
    a, b = classes[:2]
    found[f"location.{a}_minus_{b}.centre_distance"] = difference_between(
        parts[a], parts[b], "centre_distance", how=f"{text}, {a} minus {b}", **how
    )
    return found


def told_by(workshop: Workshop, features: np.ndarray, what: str, **how) -> tuple[Estimate, Estimate]:
    """Accuracy minus that of the commonest class, and mean AUROC of one class against the rest, of a logistic
    regression on some features, cross-validated by group. features: (N, F), a row an image of the study's data set.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    dataset = workshop.dataset()
    labels, groups = workshop.labels(dataset)[0], workshop.group_of(dataset)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedGroupKFold(workshop.profile.folds, shuffle=True, random_state=workshop.seed)
    scores = cross_val_predict(model, features, labels, groups=groups, cv=folds, method="predict_proba")
    row = {"image": dataset.table["image"].to_numpy().astype(str), "group": groups, "label": labels}
    right = (scores.argmax(1) == labels).astype(float)
    common = (labels == np.bincount(labels).argmax()).astype(float)
    table = pd.DataFrame(row | {"right": right, "common": common, "at": np.arange(len(labels))})

    def auroc(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        return classification.macro_auroc(frame["label"], scores[frame["at"]], weights)

    text = f"logistic regression on {what}, cross-validated by group"
    gain = difference_by(table, "right", "common", how=f"accuracy minus the commonest class, {text}", **how)
    return gain, statistic_by(table, auroc, how=f"AUROC of one class against the rest, {text}", **how)


def shortcuts(
    workshop: Workshop, masks: np.ndarray, pixels: np.ndarray, plane: np.ndarray, **how
) -> dict[str, Estimate]:
    """What place and size, plane, acquisition and brightness tell of the class; what the set does not say is left out.

    masks: bool (N, S, S); pixels: uint8 (N, S, S); plane: (N,) text, "" where unknown. Acquisition: whether the owner's
    id begins with letters, which marks another series.
    """
    where = places(masks)
    features = {
        ("location.class_from_place", "place and area of the outline"): where[["x", "y", "area"]].to_numpy(),
        ("shortcut.brightness", "brightness of the slice"): brightness(pixels),
    }
    if len(set(plane)) > 1:
        features["plane.class_from_plane", "the plane"] = pd.get_dummies(plane).to_numpy(float)
    owner = workshop.dataset().table.get("pid")
    if owner is not None and 0 < (series := owner.astype(str).str.match("[A-Za-z]").to_numpy()).sum() < len(series):
        features["shortcut.acquisition", "the series of the id"] = series[:, None].astype(float)
    found = {}
    for (name, what), values in features.items():
        found[f"{name}.accuracy_minus_majority"], found[f"{name}.auroc"] = told_by(workshop, values, what, **how)
    return found
