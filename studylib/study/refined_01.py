"""What two of study 1's steps are worth: training on augmented pictures, and a refinement that looks at the map."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.cam import explain
from studylib.metrics.intervals import Estimate, difference_by
from studylib.metrics.localisation import energy_inside
from studylib.study.compare import difference_of, gap_difference, paired
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, as_images, held_out
from studylib.study.segmenting import LAYER
from studylib.study.train import Workshop


def augmentation(fits: Fits, main: str, **how) -> dict[str, Estimate]:
    """Accuracy of networks that saw augmented pictures minus those that did not, on untouched cells of unseen groups,
    and the same of the gap between training and test; the arm is called `<main>_augmented`.
    """
    arm = f"{main}_augmented"
    if not fits.has(arm):
        return {}
    return {
        "augment.accuracy_gain": difference_of(fits, arm, main, **how),
        "augment.gap_change": gap_difference(fits, (arm, "group"), (main, "group"), ("train", "test"), **how),
    }


def pair(fits: Fits, main: str) -> tuple[str, str, str]:
    """The arm to refine, the refined one, and the pictures that judge both: where ink was planted those on which it is
    free of the class, else ("") the study's own. ("", "", "") where no such pair was trained.
    """
    for arm, variant in (("confounded", "confounded_free"), (main, "")):
        if fits.has(arm) and fits.has(f"{arm}_guided"):
            return arm, f"{arm}_guided", variant
    return "", "", ""


def judged(workshop: Workshop, trained: Trained, variant: str, names: tuple[str, ...]) -> pd.DataFrame:
    """One row a test picture: `correct`, and the share of the CAM of the class that was said on the named regions."""
    spec, pictures = trained.fit.spec, held_out(workshop, trained, variant)
    dataset = workshop.dataset(variant or trained.run.arm.variant)
    rows = np.flatnonzero(workshop.split(trained.run).part == "test")
    cell = workshop.named_regions(dataset, spec.image_size, spec.crop, names)[rows] == 1
    e = explain(trained.fit.model(), as_images(pictures.pixels), "cam", None, LAYER, batch_size=BATCH)
    energy = energy_inside(e.upsampled("cam", relu=False, scale=None).numpy(), cell)
    said = e.logits.argmax(1) if e.logits.shape[1] > 1 else (e.logits[:, 0] > 0).long()
    row = {"image": pictures.names, "group": pictures.groups, "repeat": trained.run.repeat, "energy": energy}
    return pd.DataFrame(row | {"correct": (said.numpy() == pictures.labels).astype(float)})


def refinement(workshop: Workshop, fits: Fits, main: str, **how) -> dict[str, Estimate]:
    """Accuracy and CAM energy on the cell of networks under the penalty minus the same networks without it, paired by
    picture and network: `refine.accuracy_gain` and `refine.energy_gain`; on phantoms where ink is free of the class.
    """
    plain, guided, variant = pair(fits, main)
    if not guided:
        return {}
    names = fits.select(guided)[0].run.arm.guide_regions
    repeats = {t.run.repeat for t in fits.select(guided)}
    after, before = (
        pd.concat([judged(workshop, t, variant, names) for t in fits.select(arm) if t.run.repeat in repeats])
        for arm in (guided, plain)
    )
    where = "pictures whose ink is free of the class" if variant else "cells of unseen groups"
    found = {}
    for name, column, what in (
        ("accuracy_gain", "correct", "accuracy"),
        ("energy_gain", "energy", "CAM energy on the cell"),
    ):
        both = paired(after, before, column)
        text = f"{what}, {guided} minus {plain}, paired by picture; {where}"
        found[f"refine.{name}"] = difference_by(both.dropna(subset=["a", "b"]), "a", "b", how=text, **how)
    return found
