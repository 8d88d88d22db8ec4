"""How alike maps stay: after weights are randomised, after training on labels by lot, with another seed, with another
backbone. Each likeness stands beside that of 50 random pairs of maps of the same network.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain
from studylib.cam.explanation import resize
from studylib.metrics.intervals import Estimate, difference_by, mean_by
from studylib.metrics.sanity import random_pairs, randomised, similarity
from studylib.metrics.stability import noisy, shifted
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, Pictures, as_images, class_maps, held_out
from studylib.study.train import Workshop

MEASURES = ("spearman", "ssim", "overlap")
PAIRS = 50
SMALL = 0.02  # a change that the eye hardly sees: noise as a share of the range, a shift as a share of the side


def beside_pairs(pictures: Pictures, before: np.ndarray, after: np.ndarray, seed: int, **more) -> pd.DataFrame:
    """One row a picture: likeness of its two maps, and in `pairs_*` the mean of 50 random pairs of `before`.

    before, after: (N, h, w) at the layer's own size: upsampling adds only likeness.
    """
    pairs = random_pairs(before, seed, PAIRS)._asdict()
    columns = {"image": pictures.names, "group": pictures.groups} | similarity(before, after)._asdict()
    with np.errstate(all="ignore"):
        means = {f"pairs_{name}": np.nanmean(v) if np.isfinite(v).any() else np.nan for name, v in pairs.items()}
    return pd.DataFrame(columns | means | more)


def class_of(trained: Trained, pictures: Pictures) -> int | np.ndarray:
    """Whose map is compared: the positive class of two, with more classes the true one of each picture."""
    return pictures.labels if dict(trained.fit.spec.options).get("outputs", 1) > 1 else 1


def magnitude(trained: Trained, pictures: Pictures, model: torch.nn.Module | None = None) -> np.ndarray:
    """|CAM| at the layer's own size, (N, h, w), of a network, or of `model` in its place."""
    model = trained.fit.model() if model is None else model
    return np.abs(class_maps(model, pictures.pixels, target=class_of(trained, pictures))[0])


def signed_maps(trained: Trained, pictures: Pictures) -> np.ndarray:
    """CAM at the layer's own size, (N, h, w), signed."""
    return class_maps(trained.fit.model(), pictures.pixels, target=class_of(trained, pictures))[0]


def some(pictures: Pictures, most: int | None) -> Pictures:
    """At most so many pictures, evenly over the rows."""
    keep = np.zeros(len(pictures), bool)
    keep[np.linspace(0, len(pictures) - 1, min(most or len(pictures), len(pictures))).round().astype(int)] = True
    return pictures.where(keep)


def randomisations(
    workshop: Workshop, fits: Fits, arm: str, *, cascade: bool, networks: int | None = None, most: int | None = None
) -> pd.DataFrame:
    """|CAM| of the networks of an arm before and after their weights are drawn anew, one row a picture and layer.

    cascade: from the head to the stem, each layer staying random; else one layer at a time. networks, most: at most so
    many networks, and pictures of each.
    """
    tables = []
    for t in fits.select(arm)[:networks]:
        pictures, model = some(held_out(workshop, t), most), t.fit.model()
        before = magnitude(t, pictures)
        for layer, changed in randomised(model, cascade, t.run.seed):
            after = magnitude(t, pictures, changed)
            tables.append(beside_pairs(pictures, before, after, t.run.seed, layer=layer, repeat=t.run.repeat))
    return pd.concat(tables, ignore_index=True)


def labels_by_lot(workshop: Workshop, fits: Fits, arm: str, control: str) -> pd.DataFrame:
    """|CAM| of networks of an arm against the networks of the same fold and seed that learned labels drawn by lot."""
    lots, tables = {t.run.repeat: t for t in fits.select(control)}, []
    for t in fits.select(arm):
        if t.run.repeat in lots:
            pictures = held_out(workshop, t)
            ours, theirs = (magnitude(x, pictures) for x in (t, lots[t.run.repeat]))
            tables.append(beside_pairs(pictures, ours, theirs, t.run.seed, repeat=t.run.repeat))
    return pd.concat(tables, ignore_index=True)


def sanity_tables(
    workshop: Workshop, fits: Fits, arm: str = "cam", labelled: str = "none", lots: str = "shuffled_labels", **limits
) -> dict[str, pd.DataFrame]:
    """What the sanity gate reads: `layers`, every step of the cascade; `cascade`, its end, where no learned weight is
    left; `independent`, each layer singly; `labels_by_lot`, networks of the arm `labelled` against those of `lots`,
    that learned labels drawn by lot. limits: of `randomisations`.
    """
    layers = randomisations(workshop, fits, arm, cascade=True, **limits)
    return {
        "layers": layers,
        "cascade": layers[layers["layer"] == layers["layer"].iloc[-1]],
        "independent": randomisations(workshop, fits, arm, cascade=False, **limits),
        "labels_by_lot": labels_by_lot(workshop, fits, labelled, lots),
    }


def between_networks(first: list[Trained], second: list[Trained], pictures_for: Callable) -> pd.DataFrame:
    """Maps of the same pictures by networks of two arms, every pair once; of one arm: every pair of its networks.

    pictures_for: network -> Pictures, the same rows for each at its own size. Maps come to the smaller grid.
    """
    networks = {t.run.name: t for t in (*first, *second)}
    seen = {name: pictures_for(t) for name, t in networks.items()}
    maps = {name: torch.from_numpy(signed_maps(t, seen[name])) for name, t in networks.items()}
    pairs = combinations(first, 2) if first is second else [(a, b) for a in first for b in second]
    tables = []
    for a, b in ((one.run.name, other.run.name) for one, other in pairs):
        if not np.array_equal(seen[a].names, seen[b].names):
            raise ValueError(f"{a} and {b} were not given the same pictures")
        grid = min(tuple(maps[name].shape[1:]) for name in (a, b))
        ours, theirs = (
            m.numpy() if tuple(m.shape[1:]) == grid else resize(m, grid).numpy() for m in (maps[a], maps[b])
        )
        tables.append(beside_pairs(seen[a], ours, theirs, networks[a].run.seed, pair=f"{a}, {b}"))
    return pd.concat(tables, ignore_index=True)


def excess(table: pd.DataFrame, measure: str, text: str, **how) -> Estimate | str:
    """Likeness minus that of random pairs, paired by picture, networks averaged; a sentence where no map has one."""
    rows = table.groupby(["image", "group"], as_index=False)[[measure, f"pairs_{measure}"]].mean()
    if not np.isfinite(rows[measure]).any():
        return f"{measure} is not defined on maps of this size"
    return difference_by(rows, measure, f"pairs_{measure}", how=f"{measure}, {text}, minus {PAIRS} random pairs", **how)


def excesses(table: pd.DataFrame, text: str, **how) -> dict[str, Estimate | str]:
    """`excess` by every measure."""
    return {measure: excess(table, measure, text, **how) for measure in MEASURES}


def named(prefix: str, found: dict[str, dict[str, Estimate | str]]) -> dict[str, Estimate]:
    """What was measured, under the names of records: `prefix.test.measure_minus_random_pairs`."""
    return {
        f"{prefix}.{test}.{measure}_minus_random_pairs": e
        for test, by_measure in found.items()
        for measure, e in by_measure.items()
        if isinstance(e, Estimate)
    }


def agreement(table: pd.DataFrame, text: str, **how) -> Estimate:
    """Mean Spearman of two networks' maps of a picture, all pairs of networks averaged."""
    rows = table.groupby(["image", "group"], as_index=False)["spearman"].mean()
    return mean_by(rows, "spearman", how=f"Spearman of maps, {text}", **how)


def perturbed(workshop: Workshop, fits: Fits, arm: str, most: int | None = None, **how) -> dict[str, Estimate]:
    """Spearman of the CAM before and after a small change of the picture, networks averaged: `noise` and `shift`; at
    most so many pictures of each network.
    """
    tables = []
    for t in fits.select(arm):
        pictures, model = some(held_out(workshop, t), most), t.fit.model()
        target = class_of(t, pictures)

        def maps_of(images: torch.Tensor, model=model, target=target) -> torch.Tensor:
            return explain(model, images, "cam", target, batch_size=BATCH).upsampled("cam", relu=False, scale=None)

        images = as_images(pictures.pixels)
        step = max(1, round(SMALL * images.shape[-1]))
        noise = noisy(maps_of, images, share=SMALL, rng=t.run.seed).spearman
        shift = shifted(maps_of, images, by=step).spearman
        row = {"image": pictures.names, "group": pictures.groups, "noise": noise, "shift": shift}
        tables.append(pd.DataFrame(row))
    rows = pd.concat(tables, ignore_index=True).groupby(["image", "group"], as_index=False)[["noise", "shift"]].mean()
    words = {"noise": f"noise of {SMALL:.0%} of the range", "shift": f"a shift of {SMALL:.0%} of the side"}
    return {name: mean_by(rows, name, how=f"Spearman of maps after {text}", **how) for name, text in words.items()}
