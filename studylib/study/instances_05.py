"""Several lesions in one picture: how many of them a map finds, and how much of its region is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from studylib.cam import explain
from studylib.cam.regions import find_regions
from studylib.metrics.intervals import Estimate, difference_by, exact, mean_by
from studylib.study.fits import Fits
from studylib.study.mapping import BATCH, as_images, pictures_of
from studylib.study.maps_05 import short
from studylib.study.segmenting import LAYER, firsts
from studylib.study.train import Workshop

METHODS = ("gradcam", "gradcam++")
HALF = 0.5  # of the map's maximum: above it a lesion counts as found
SPECK = 0.002  # of the image: smaller parts of a mask are specks cut off, not lesions


def instance_table(workshop: Workshop, fits: Fits, arm: str, variant: str = "several") -> pd.DataFrame:
    """One row an image, network and method: lesions in it (`count`), share of them that the region above half of the
    maximum touches (`recall`), share of the region on a lesion (`precision`). Pictures of a variant that no network of
    the arm saw; the class is the one that the network said.
    """
    dataset, tables = workshop.dataset(variant), []
    for t in firsts(fits, arm):
        pictures = pictures_of(workshop, dataset, np.arange(len(dataset)), t)
        e = explain(t.fit.model(), as_images(pictures.pixels), METHODS, None, LAYER, batch_size=BATCH)
        for method, _ in e.maps:
            maps = e.upsampled(method, relu=False, scale=None).numpy()
            columns = {"image": pictures.names, "group": pictures.groups, "label": pictures.labels, "method": method}
            tables.append(pd.DataFrame(columns | found(maps, pictures.masks) | {"repeat": t.run.repeat}))
    return pd.concat(tables, ignore_index=True)


def found(maps: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """count, recall and precision of every image; NaN for a map without a region or a mask without a lesion."""
    regions = find_regions(maps, "fraction", HALF)
    count, recall, precision = np.zeros(len(masks), int), *np.full((2, len(masks)), np.nan)
    for i, mask in enumerate(masks):
        parts, n = ndimage.label(mask, np.ones((3, 3)))
        sizes = np.bincount(parts.ravel(), minlength=n + 1)[1:]
        kept = np.flatnonzero(sizes >= SPECK * mask.size) + 1
        count[i] = len(kept)
        if regions.defined[i] and len(kept):
            region = regions.masks[i]
            recall[i] = np.isin(kept, parts[region]).mean()
            precision[i] = mask[region].mean()
    return {"count": count, "recall": recall, "precision": precision}


def records(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Share of lesions found where a picture has several, by method; Grad-CAM++ minus Grad-CAM there and where it has
    one, paired by image, and how the difference grows from one lesion to several.
    """
    names, made = {short(m): m for m in METHODS}, {}
    for name, method in names.items():
        rows = table[(table["method"] == method) & (table["count"] > 1)]
        for column in ("recall", "precision"):
            text = f"{column} of lesions by {method}, two or more in a picture"
            made[f"instances.{name}.{column}"] = _mean(rows, column, text, **how)
    a, b = (table[table["method"] == m] for m in ("gradcam++", "gradcam"))
    both = a.merge(b, on=["image", "group", "count", "repeat"], suffixes=("_a", "_b"))
    for where, rows in (("several", both[both["count"] > 1]), ("one", both[both["count"] == 1])):
        for column in ("recall", "precision"):
            text = f"{column} of lesions, Grad-CAM++ minus Grad-CAM, {where} in a picture"
            made[f"instances.gradcampp_minus_gradcam.{where}.{column}"] = (
                difference_by(rows, f"{column}_a", f"{column}_b", how=text, **how) if len(rows) else _none(text)
            )
    return made


def _mean(rows: pd.DataFrame, column: str, text: str, **how) -> Estimate:
    return mean_by(rows, column, how=text, **how) if len(rows) else _none(text)


def _none(text: str) -> Estimate:
    return exact(float("nan"), n=0, how=f"{text}: there is none")
