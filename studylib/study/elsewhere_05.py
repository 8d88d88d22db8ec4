"""Melanoma or not on a set that no network was trained on, other clinics and other years."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from studylib.cam import prepare
from studylib.data.dataset import Dataset
from studylib.metrics.intervals import Estimate, exact
from studylib.study.fits import Fits
from studylib.study.mapping import BATCH, as_images
from studylib.study.train import Workshop

POSITIVE = "MEL"


@torch.inference_mode()
def external_table(workshop: Workshop, fits: Fits, arm: str, dataset: Dataset) -> pd.DataFrame:
    """What every network of an arm says of every image of a set: image, group, label (1: melanoma), p (its
    probability), said (1: melanoma is the likeliest class), repeat. Classes of the set need not be the study's.
    """
    labels = (dataset.table["label"].to_numpy() == POSITIVE).astype(int)
    row = {"image": dataset.table["image"].to_numpy().astype(str), "group": dataset.groups("group"), "label": labels}
    tables = []
    for t in fits.select(arm):
        spec, model = t.fit.spec, prepare(t.fit.model())
        pixels, _ = workshop.pixels(dataset, spec.image_size, spec.crop)
        logits = torch.cat(
            [model(as_images(np.asarray(pixels[i : i + BATCH]))) for i in range(0, len(pixels), BATCH)]
        ).double()
        p = logits.softmax(1).numpy()
        told = {"p": p[:, -1], "said": (p.argmax(1) == p.shape[1] - 1).astype(float), "repeat": t.run.repeat}
        tables.append(pd.DataFrame(row | told))
    return pd.concat(tables, ignore_index=True)


def shared(dataset: Dataset, other: Dataset, column: str = "isic_id") -> Estimate:
    """How many images of one set are in the other by the archive's id: must be 0 for the one to be elsewhere."""
    both = set(dataset.table[column]) & set(other.table[column])
    return exact(float(len(both)), n=len(other.table), how=f"images of {other.name} that {dataset.name} holds too")
