"""Probes of a split: relatives across it, what copying the nearest picture scores, what labels drawn by lot score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from studylib.data.splits import shuffle_labels
from studylib.metrics.classification import balanced_accuracy
from studylib.metrics.intervals import (
    Estimate,
    difference_between,
    difference_by,
    mean_by,
    of_columns,
    statistic_by,
    t_interval,
)
from studylib.study.compare import paired
from studylib.study.fits import Fits, Trained
from studylib.study.train import Workshop

# what the headline figure shows, and in which words
SHOWN = {
    "accuracy.random_images.cam.test": "cam, source's random split",
    "leak.nearest_neighbour": "1-nearest neighbour, source's split",
    "leak.shuffled_labels.random_images": "labels by lot, source's split",
    "accuracy.group.cam.test": "cam, unseen groups",
    "leak.shuffled_labels.group": "labels by lot, unseen groups",
}


def findings(workshop: Workshop, fits: Fits, neighbour: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Everything that the leak is measured by. neighbour: predictions of `nearest_neighbour` on the leaky split."""
    leaky = "random_images"
    return {
        "leak.accuracy_gap": accuracy_gap(fits, "cam", **how),
        "leak.accuracy_gap_none": accuracy_gap(fits, "none", **how),
        "leak.copies_gap": copies_gap(fits, "cam", **how),
        "leak.relatives": relatives(workshop, fits, "cam", leaky, "group", **how),
        "leak.originals": relatives(workshop, fits, "cam", leaky, "original", **how),
        "leak.nearest_neighbour": mean_by(neighbour, "correct", how="accuracy of 1-nearest-neighbour", **how),
        "leak.nearest_neighbour_minus_cnn": neighbour_minus_network(neighbour, fits, "cam", leaky, **how),
        "leak.shuffled_labels.random_images": shuffled_labels(fits, leaky, **how),
        "leak.shuffled_labels.group": shuffled_labels(fits, "group", **how),
        "leak.neighbour_by_lot.random_images": neighbour_by_lot(workshop, fits, "cam", leaky),
        "leak.neighbour_by_lot.group": neighbour_by_lot(workshop, fits, "cam", "group"),
    }


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


def nearest(
    workshop: Workshop, fits: Fits, arm: str, split: str
) -> Iterator[tuple[Trained, np.ndarray, np.ndarray, np.ndarray]]:
    """For each network's split: the test rows, the training row most alike each by 32 x 32 grey pixels, all training
    rows.
    """
    from sklearn.neighbors import NearestNeighbors

    networks = fits.select(arm, split)
    pixels, _ = workshop.pixels(workshop.dataset(), 32, networks[0].run.arm.crop)
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    for t in networks:
        part = workshop.split(t.run).part
        train, test = np.flatnonzero(part == "train"), np.flatnonzero(part == "test")
        found = NearestNeighbors(n_neighbors=1).fit(flat[train]).kneighbors(flat[test], return_distance=False)
        yield t, test, train[found[:, 0]], train


def nearest_neighbour(workshop: Workshop, fits: Fits, arm: str, split: str) -> pd.DataFrame:
    """Each test image gets the label of the most alike training image. -> rows like predictions."""
    dataset = workshop.dataset()
    labels, _ = workshop.labels(dataset)
    groups, names = workshop.group_of(dataset), dataset.table["image"].to_numpy().astype(str)
    tables = []
    for t, test, alike, _ in nearest(workshop, fits, arm, split):
        row = {"image": names[test], "group": groups[test], "label": labels[test], "predicted": labels[alike]}
        right = (labels[alike] == labels[test]).astype(float)
        tables.append(pd.DataFrame(row).assign(repeat=t.run.repeat, correct=right))
    return pd.concat(tables, ignore_index=True)


def neighbour_by_lot(workshop: Workshop, fits: Fits, arm: str, split: str, draws: int = 200) -> Estimate:
    """Balanced accuracy of copying the most alike training image minus that of copying any one, labels drawn by lot.

    0 unless test images have relatives in training; no network is trained, so that many draws are cheap. The control
    is needed because labels permuted over groups differ a little more often between groups than independent ones do.
    """
    dataset = workshop.dataset()
    labels, groups = workshop.labels(dataset)[0], workshop.group_of(dataset)
    found = list(nearest(workshop, fits, arm, split))
    test, alike = (np.concatenate([rows[i] for rows in found]) for i in (1, 2))
    rng, values = np.random.default_rng([workshop.seed, draws]), []
    for _ in range(draws):
        lot = shuffle_labels(labels, groups, rng)
        any_one = np.concatenate([rng.choice(train, len(rows)) for _, rows, _, train in found])
        values.append(balanced_accuracy(lot[test], lot[alike]) - balanced_accuracy(lot[test], lot[any_one]))
    return t_interval(values, unit="draw", how="labels by lot: the most alike training image minus any one")


def neighbour_minus_network(neighbour: pd.DataFrame, fits: Fits, arm: str, split: str, **how) -> Estimate:
    """Accuracy of the nearest neighbour minus of the network, paired by image."""
    both = paired(neighbour, fits.predictions(arm, split), "correct")
    return difference_by(both, "a", "b", how=f"accuracy of 1-nearest-neighbour minus {arm}, paired by image", **how)


def shuffled_labels(fits: Fits, split: str, arm: str = "shuffled_labels", **how) -> Estimate:
    """Balanced accuracy, against the shuffled labels, of networks that were trained on them; 1 / classes is chance."""
    table = fits.predictions(arm, split)
    text = f"balanced accuracy on labels drawn by lot, {table['repeat'].nunique()} draws"
    return statistic_by(table, of_columns(balanced_accuracy, "target", "predicted"), how=text, **how)
