"""The cells of study 1 before any network: classes, sizes, colours, and what these alone tell of the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.metrics.intervals import Estimate, exact
from studylib.study.train import Workshop

NORMAL = ("normal", "superficial_intermediate", "parabasal", "metaplastic")  # beginnings of classes called normal
CELL = (1, 2)  # regions that are the cell itself: nucleus and cytoplasm
TREES = 40
SIDE = 64  # of pictures whose colour is read


def is_abnormal(classes: Sequence[str]) -> np.ndarray:
    """Which classes are called abnormal, bool (K,)."""
    return np.array([not name.startswith(NORMAL) for name in classes])


def by_class(workshop: Workshop, dataset: Dataset) -> pd.DataFrame:
    """Cells and groups of each class, medians of picture size and of the share that is nucleus."""
    table = sizes(workshop, dataset).assign(name=dataset.table["label"].to_numpy())
    found = table.groupby("name").agg(
        cells=("width", "size"), groups=("group", "nunique"), width=("width", "median"), height=("height", "median"),
        nucleus=("nucleus", "median"),
    )  # fmt: skip
    found["median nucleus, %"] = 100 * found.pop("nucleus")
    found = found.rename(columns={"width": "median width, px",
                                  "height": "median height, px"})  # fmt: skip
    order = list(workshop.labels(dataset)[1])
    return found.loc[order].assign(**{"called": np.where(is_abnormal(order), "abnormal", "normal")})


def sizes(workshop: Workshop, dataset: Dataset) -> pd.DataFrame:
    """Width and height of each native picture, pixels, and the share that is nucleus; columns image, group, label."""
    row = {"image": dataset.table["image"].to_numpy().astype(str), "group": workshop.group_of(dataset)}
    numbers = {name: dataset.table[name].astype(float).to_numpy() for name in ("width", "height")}
    nucleus = dataset.table["nucleus_fraction"].astype(float).to_numpy()
    return pd.DataFrame(row | {"label": workshop.labels(dataset)[0]} | numbers | {"nucleus": nucleus})


def counts(dataset: Dataset, what: str = "cells") -> dict[str, Estimate]:
    """Images in all and of each class, exactly. what: they show."""
    table = dataset.table
    found = {"counts.images": exact(float(len(table)), n=len(table), how=what)}
    for name in dataset.classes:
        found[f"counts.{name.lower()}"] = exact(
            float((table["label"] == name).sum()), n=len(table), how=f"{what} of {name}"
        )
    return found


def mixed_groups(workshop: Workshop, dataset: Dataset) -> Estimate:
    """Share of groups that hold both normal and abnormal cells; 0: that contrast is one of acquisition too."""
    labels, classes = workshop.labels(dataset)
    table = pd.DataFrame({"group": workshop.group_of(dataset), "abnormal": is_abnormal(classes)[labels]})
    both = table.groupby("group")["abnormal"].nunique() > 1
    return exact(float(both.mean()), n=len(both), how=f"share of {len(both)} groups with normal and abnormal cells")


def size_features(workshop: Workshop, dataset: Dataset) -> np.ndarray:
    """Logarithms of width, height and of their ratio, (N, 3): what a network sees of none of them when it is told."""
    table = sizes(workshop, dataset)
    width, height = np.log(table["width"]), np.log(table["height"])
    return np.column_stack([width, height, width - height])


def colour_features(workshop: Workshop, dataset: Dataset) -> np.ndarray:
    """Mean and deviation of red, green and blue over the whole picture, (N, 6)."""
    pixels = workshop.pixels(dataset, SIDE, "none")[0].reshape(len(dataset), -1, 3) / 255
    return np.column_stack([pixels.mean(1), pixels.std(1)])


def background_features(workshop: Workshop, dataset: Dataset) -> np.ndarray:
    """Median red, green and blue of what is no cell, (N, 3): stain and lamp without any anatomy. Where the outline
    leaves no background, of the picture's border.
    """
    pixels = workshop.pixels(dataset, SIDE, "none")[0]
    regions = workshop.regions(dataset, SIDE, "none")
    edge = np.zeros((SIDE, SIDE), bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    found = np.empty((len(dataset), 3))
    for i, (picture, region) in enumerate(zip(pixels, regions, strict=True)):
        free = region == 0
        found[i] = np.median(picture[free if free.sum() > 20 else edge], axis=0) / 255
    return found


def baselines(workshop: Workshop, dataset: Dataset) -> dict[str, np.ndarray]:
    """What each baseline without a network is told: name -> features (N, F)."""
    size, background = size_features(workshop, dataset), background_features(workshop, dataset)
    return {
        "size": size,
        "background": background,
        "colour": colour_features(workshop, dataset),
        "size_and_background": np.column_stack([size, background]),
    }


def forest(workshop: Workshop, dataset: Dataset, features: Mapping[str, np.ndarray]) -> dict[str, pd.DataFrame]:
    """What forests on such features predict for cells of groups that they were not fitted on: rows like predictions
    of networks, with a column of each class's probability.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    (labels, classes), groups = workshop.labels(dataset), workshop.group_of(dataset)
    folds = StratifiedGroupKFold(workshop.profile.folds, shuffle=True, random_state=workshop.seed)
    row = {"image": dataset.table["image"].to_numpy().astype(str), "group": groups, "label": labels, "repeat": 0}
    found = {}
    for name, values in features.items():
        model = RandomForestClassifier(TREES, min_samples_leaf=5, random_state=workshop.seed)
        p = cross_val_predict(model, values, labels, groups=groups, cv=folds, method="predict_proba")
        told = {f"p_{c}": p[:, i] for i, c in enumerate(classes)}
        predicted = p.argmax(1)
        found[name] = pd.DataFrame(
            row | told | {"predicted": predicted, "correct": (predicted == labels).astype(float)}
        )
    return found


def examples(dataset: Dataset, classes: Sequence[str], each: int = 3) -> tuple[list[int], list[str]]:
    """The first cells of each class by name. -> rows, titles"""
    table = pd.DataFrame({"image": dataset.table["image"], "label": dataset.table["label"]}).sort_values("image")
    rows = [int(i) for name in classes for i in table[table["label"] == name].index[:each]]
    return rows, [dataset.table["label"].iat[i].replace("_", " ") for i in rows]
