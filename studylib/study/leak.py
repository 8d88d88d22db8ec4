"""Probes of a split: relatives across it, what copying the nearest picture scores, what labels drawn by lot score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.metrics.classification import auroc, balanced_accuracy
from studylib.metrics.intervals import Estimate, difference_between, difference_by, mean_by, of_columns, statistic_by
from studylib.study.compare import paired
from studylib.study.fits import Fits
from studylib.study.train import Workshop
from studylib.training.pixels import load_pixels


def accuracy_gap(fits: Fits, arm: str, **how) -> Estimate:
    """Test accuracy on the leaky split minus on the honest one: the same groups drawn in both."""
    leaky, honest = fits.predictions(arm, "random_images"), fits.predictions(arm, "group")
    text = f"test accuracy of {arm}: random images minus held-out groups"
    return difference_between(leaky, honest, "correct", how=text, **how)


def copies_gap(fits: Fits, arm: str, **how) -> Estimate:
    """The same with copies of the held-out groups as honest test, so that copies meet copies."""
    leaky, honest = fits.predictions(arm, "random_images"), fits.predictions(arm, "group", "test_copies")
    text = f"test accuracy of {arm}: random images minus copies of held-out groups"
    return difference_between(leaky, honest, "correct", how=text, **how)


def relatives(workshop: Workshop, fits: Fits, arm: str, split: str, column: str, **how) -> Estimate:
    """Share of test images that have a relative in training: the same value of `column` (group or original)."""
    dataset = workshop.dataset()
    kin, groups = dataset.groups(column), workshop.group_of(dataset)
    tables = []
    for t in fits.select(arm, split):
        part = workshop.split(t.run).part
        test, train = np.flatnonzero(part == "test"), np.unique(kin[part == "train"])
        tables.append(pd.DataFrame({"related": np.isin(kin[test], train).astype(float), "group": groups[test]}))
    return mean_by(pd.concat(tables, ignore_index=True), "related", how=f"share with a relative by {column}", **how)


def nearest_neighbour(workshop: Workshop, fits: Fits, arm: str, split: str) -> pd.DataFrame:
    """Each test image gets the label of the most alike training image, by 32 x 32 grey pixels. -> rows like predictions."""
    from sklearn.neighbors import KNeighborsClassifier

    dataset = workshop.dataset()
    pixels, _ = load_pixels(dataset, 32, True, workshop.folder / ".cache")
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    labels, _ = workshop.labels(dataset)
    groups, names = workshop.group_of(dataset), dataset.table["image"].to_numpy().astype(str)
    tables = []
    for t in fits.select(arm, split):
        part = workshop.split(t.run).part
        train, test = np.flatnonzero(part == "train"), np.flatnonzero(part == "test")
        found = KNeighborsClassifier(1).fit(flat[train], labels[train]).predict(flat[test])
        row = {"image": names[test], "group": groups[test], "label": labels[test], "predicted": found}
        tables.append(pd.DataFrame(row).assign(repeat=t.run.repeat, correct=(found == labels[test]).astype(float)))
    return pd.concat(tables, ignore_index=True)


def neighbour_minus_network(neighbour: pd.DataFrame, fits: Fits, arm: str, split: str, **how) -> Estimate:
    """Accuracy of the nearest neighbour minus of the network, paired by image."""
    both = paired(neighbour, fits.predictions(arm, split), "correct")
    return difference_by(both, "a", "b", how=f"accuracy of 1-nearest-neighbour minus {arm}, paired by image", **how)


def shuffled_labels(fits: Fits, split: str, **how) -> Estimate:
    """Balanced accuracy, against the shuffled labels, of networks that were trained on them; 0.5 is chance."""
    table = fits.predictions("shuffled_labels", split)
    text = f"balanced accuracy on labels drawn by lot, {table['repeat'].nunique()} draws"
    return statistic_by(table, of_columns(balanced_accuracy, "target", "predicted"), how=text, **how)


def artefacts(pixels: np.ndarray) -> np.ndarray:
    """What augmentation leaves and anatomy does not: border brightness and smear, darkness, blur. uint8 (N, S, S) -> (N, 9)."""
    x = pixels.astype(np.float32) / 255
    edges = [x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]]
    smear = [np.abs(x[:, 0] - x[:, 2]), np.abs(x[:, -1] - x[:, -3]), np.abs(x[..., 0] - x[..., 2]), np.abs(x[..., -1] - x[..., -3])]
    detail = np.abs(np.diff(x, axis=1)).mean((1, 2)) + np.abs(np.diff(x, axis=2)).mean((1, 2))
    columns = [e.mean(1) for e in edges] + [s.mean(1) for s in smear] + [detail / x.mean((1, 2)).clip(1e-3)]
    return np.stack(columns, 1)


def artefact_probe(workshop: Workshop, **how) -> Estimate:
    """AUROC of a logistic regression that sees artefacts alone: copies only, cross-validated by group."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    dataset = workshop.dataset()
    pixels, _ = load_pixels(dataset, 128, False, workshop.folder / ".cache")
    rows = np.flatnonzero(dataset.copies())
    labels, groups = workshop.labels(dataset)[0][rows], workshop.group_of(dataset)[rows]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedGroupKFold(workshop.profile.folds, shuffle=True, random_state=workshop.seed)
    scores = cross_val_predict(model, artefacts(pixels[rows]), labels, groups=groups, cv=folds, method="decision_function")
    table = pd.DataFrame({"label": labels, "score": scores, "group": groups})
    text = "AUROC of a logistic regression on borders and blur, cross-validated by group"
    return statistic_by(table, of_columns(auroc, "label", "score"), how=text, **how)
