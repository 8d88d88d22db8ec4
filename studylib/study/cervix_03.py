"""The photographs of study 3 before any network: classes, reasons, examples, and what colour and light alone tell."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.study.cells_01 import SIDE, colour_features
from studylib.study.cells_01 import forest as forests
from studylib.study.figures import quantile_cases
from studylib.study.maps_03 import Looked
from studylib.study.train import Workshop

DARK = 40  # of 255: surround and shadow


def kinds(dataset: Dataset) -> np.ndarray:
    """What a photograph shows, (N,) str: its class, or, of a phantom that is not treatable, the reason."""
    labels = dataset.table["label"].to_numpy().astype(str)
    if "reason" not in dataset.table:
        return labels
    why = dataset.table["reason"].to_numpy().astype(str)
    return np.where(why == "", labels, why)


def by_class(workshop: Workshop, dataset: Dataset) -> pd.DataFrame:
    """Photographs and groups of each class or reason, and how many photographs have an outline."""
    outlined = dataset.table["mask_file"].to_numpy() != "" if dataset.regions else np.zeros(len(dataset), bool)
    table = pd.DataFrame({
        "class": dataset.table["label"], "shows": kinds(dataset), "group": workshop.group_of(dataset),
        "outlined": outlined,
    })  # fmt: skip
    found = table.groupby(["class", "shows"]).agg(
        photographs=("group", "size"), groups=("group", "nunique"), outlined=("outlined", "sum")
    )
    found.index = [(a.replace("_", " "), b.replace("_", " ")) for a, b in found.index]
    found.index = pd.MultiIndex.from_tuples(found.index, names=["class", "shows"])
    return found


def examples(dataset: Dataset, classes: Sequence[str], most: int = 12) -> tuple[list[int], list[str]]:
    """The first photographs of each class, or of each reason, by name. -> rows, titles"""
    shows = kinds(dataset)
    table = pd.DataFrame({"image": dataset.table["image"], "shows": shows}).sort_values("image")
    names = [*classes[:1], *sorted(set(shows) - set(classes)), *classes[1:]]
    there = [name for name in names if (shows == name).any()]
    each = max(1, most // len(there))
    rows = [int(i) for name in there for i in table[table["shows"] == name].index[:each]][:most]
    return rows, [shows[i].replace("_", " ") for i in rows]


def light_features(workshop: Workshop, dataset: Dataset) -> np.ndarray:
    """Mean brightness, share of dark pixels, and the logarithm of the Laplacian's variance (sharpness), (N, 3)."""
    pixels = workshop.pixels(dataset, 2 * SIDE, "none")[0]
    found = np.empty((len(dataset), 3))
    for i, picture in enumerate(pixels):
        grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
        found[i] = grey.mean() / 255, (grey < DARK).mean(), np.log(cv2.Laplacian(grey, cv2.CV_64F).var() + 1)
    return found


def forest(workshop: Workshop, dataset: Dataset) -> dict[str, pd.DataFrame]:
    """What forests on colour, on light, and on both predict for groups that they were not fitted on; `p`: of the
    positive class.
    """
    colour, light = colour_features(workshop, dataset), light_features(workshop, dataset)
    told = forests(
        workshop, dataset, {"colour": colour, "light": light, "colour_and_light": np.hstack([colour, light])}
    )
    last = f"p_{workshop.labels(dataset)[1][-1]}"
    return {name: table.assign(p=table[last]) for name, table in told.items()}


def cases(table: pd.DataFrame) -> list[int]:
    """Rows at the 5th, 50th and 95th percentile of the overlap with what is to be found, one of each class named right
    and one named wrong, as far as there are; where nothing is outlined, of confidence.
    """
    measure = "iou_matched" if table["iou_matched"].notna().any() else "confidence"
    rows = quantile_cases(table[measure].where(table["correct"] == 1).to_numpy())
    wrong = table.index[table["correct"] == 0]
    return list(dict.fromkeys([*rows, *wrong[:1].tolist()]))


def caption(row: pd.Series, classes: Sequence[str]) -> str:
    """What an example is and what was said of it."""
    words = [classes[int(row[name])].replace("_", " ") for name in ("label", "predicted")]
    overlap = "" if np.isnan(row["iou_matched"]) else f"\nIoU {row['iou_matched']:.2f}"
    return f"{words[0]},\nsaid {words[1]}{overlap}"


def regions_at(workshop: Workshop, looked: Looked) -> tuple[np.ndarray, dict[int, str]]:
    """Regions of the images that a network is looked at on, (N, S, S), and their names."""
    spec = looked.of.trained.fit.spec
    dataset = workshop.dataset(looked.of.trained.run.arm.variant)
    return workshop.regions(dataset, spec.image_size, spec.crop)[looked.rows], dataset.regions
