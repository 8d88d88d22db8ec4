"""What maps do when nothing is there, what the map inside the gate does, and whether a planted cue shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from studylib.metrics import concentration, localisation
from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_between,
    difference_by,
    exact,
    mean_by,
)
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import as_images, class_maps, held_out
from studylib.study.train import Workshop


def peaks(workshop: Workshop, fits: Fits, arm: str, split: str = "group") -> pd.DataFrame:
    """Raw-scale peak, mass and concentration of the CAM of every test image, with what became of the image.

    Columns: image, group, label, outcome (TP, TN, FP, FN), peak, peak_minmax (after scaling each map to [0, 1]), gini.
    """
    tables = []
    for t in fits.select(arm, split):
        pictures = held_out(workshop, t)
        raw, _, logits = class_maps(t.fit.model(), pictures.pixels)
        called = logits > 0
        outcome = np.where(pictures.labels == 1, np.where(called, "TP", "FN"), np.where(called, "FP", "TN"))
        low, high = raw.min((1, 2)), raw.max((1, 2))
        row = {
            "image": pictures.names,
            "group": pictures.groups,
            "label": pictures.labels,
            "outcome": outcome,
            "peak": high,
        }
        scaled = np.where(high > low, (high - low) / np.where(high > low, high - low, 1), np.nan)
        tables.append(
            pd.DataFrame(row | {"peak_minmax": scaled, "gini": concentration.gini(raw), "repeat": t.run.repeat})
        )
    return pd.concat(tables, ignore_index=True)


def emptiness(table: pd.DataFrame, column: str = "peak", **how) -> Estimate:
    """AUROC with which a map's peak tells correct positives from correct negatives; 0.5: no telling."""
    kept = table[table["outcome"].isin(["TP", "TN"])]
    return auroc_by(kept, "label", column, how=f"AUROC of {column}, TP against TN", **how)


def false_alarms(table: pd.DataFrame, **how) -> Estimate:
    """Mean raw peak of false positives minus of true negatives; NaN with fewer than two false positives."""
    fp, tn = table[table["outcome"] == "FP"], table[table["outcome"] == "TN"]
    if len(fp) < 2:
        return exact(float("nan"), n=len(fp), how=f"{len(fp)} false positives: fewer than two")
    return difference_between(fp, tn, "peak", how="raw peak of false positives minus true negatives", **how)


def raw_peaks(table: pd.DataFrame, arm: str, **how) -> dict[str, Estimate]:
    """Whether raw peaks tell pictures with a tumour from those without, the same after scaling each map, and false
    alarms.
    """
    return {
        f"empty.{arm}.peak_auroc": emptiness(table, **how),
        f"empty.{arm}.peak_auroc_minmax": emptiness(table, "peak_minmax", **how),
        f"fp.{arm}.peak_minus_true_negative": false_alarms(table, **how),
    }


@torch.inference_mode()
def flat_gate_change(workshop: Workshop, fits: Fits, arm: str = "cam", **how) -> Estimate:
    """Mean |p - p'| on test images, p' with the map inside the gate replaced by a flat one: what the CAM in it does."""
    tables = []
    for t in fits.select(arm, "group"):
        pictures, model = held_out(workshop, t), t.fit.model()
        images = as_images(pictures.pixels)
        p = torch.sigmoid(model(images)[:, 0])
        model.gate.cam_pooled = lambda features, weight: features.mean((2, 3))
        change = (p - torch.sigmoid(model(images)[:, 0])).abs().numpy()
        tables.append(pd.DataFrame({"image": pictures.names, "group": pictures.groups, "change": change.astype(float)}))
    return mean_by(pd.concat(tables, ignore_index=True), "change", how="|p - p'| with a flat map in the gate", **how)


@torch.inference_mode()
def planted_marker(
    workshop: Workshop, fits: Fits, top: float = 0.05, **how
) -> tuple[dict[str, Estimate], pd.DataFrame]:
    """Does the map show a planted shortcut? On false positives of networks that learned a corner mark.

    Tested on the same patients with the mark set free of the class. -> estimates `flip_top5_minus_random` (share that
    turns
    negative when the map's top 5 % is masked, minus a random 5 %) and `energy_minus_area` (share of positive map on the
    mark minus its share of the frame), and the table.
    """
    tables = []
    for t in fits.select("marker", "group"):
        pictures = held_out(workshop, t, "marker_free")
        marks = cue_masks(workshop, t)
        model = t.fit.model()
        _, maps, logits = class_maps(model, pictures.pixels)
        keep = (pictures.labels == 0) & (logits > 0) & marks.any((1, 2))
        if not keep.any():
            continue
        found, chosen, at = pictures.where(keep), maps[keep], marks[keep]
        rng = np.random.default_rng(t.run.seed)
        positive = chosen.clip(0)
        mass = positive.sum((1, 2))
        energy = np.divide((positive * at).sum((1, 2)), mass, out=np.full(len(mass), np.nan), where=mass > 0)
        row = {"image": found.names, "group": found.groups, "energy": energy, "area": at.mean((1, 2))}
        for name, order in {"flip_top": chosen, "flip_random": rng.random(chosen.shape)}.items():
            row[name] = masked_flips(model, found.pixels, order, top)
        tables.append(pd.DataFrame(row).assign(repeat=t.run.repeat))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    if table.empty:
        none = exact(float("nan"), n=0, how="no false positive carries the mark")
        return {"flip_top5_minus_random": none, "energy_minus_area": none}, table
    flips = difference_by(
        table, "flip_top", "flip_random", how="turned negative: top 5 % masked minus random 5 %", **how
    )
    energy = difference_by(table, "energy", "area", how="map energy on the mark minus its area", **how)
    return {"flip_top5_minus_random": flips, "energy_minus_area": energy}, table


def cue_energy(workshop: Workshop, fits: Fits, arm: str = "marker", **how) -> Estimate:
    """Share of the map's energy on a planted mark minus the mark's share of the picture, on test images that carry it,
    class said by the network; the mark set free of the class. Above 0 the map shows the shortcut.
    """
    tables = []
    for t in fits.select(arm):
        pictures, marks = held_out(workshop, t, "marker_free"), cue_masks(workshop, t)
        keep = marks.any((1, 2))
        maps = class_maps(t.fit.model(), pictures.pixels[keep], target=None)[1]
        row = {"image": pictures.names[keep], "group": pictures.groups[keep], "area": marks[keep].mean((1, 2))}
        tables.append(pd.DataFrame(row | {"energy": localisation.energy_inside(maps, marks[keep])}))
    text = "map energy on the mark minus its area, class that was said"
    return difference_by(pd.concat(tables, ignore_index=True), "energy", "area", how=text, **how)


def cue_masks(
    workshop: Workshop, trained: Trained, variant: str = "marker_free", column: str = "cue_mask"
) -> np.ndarray:
    """Where the cue lies on the test images of a network (or what another column of masks holds), bool (N, S, S),
    cropped and resized as the images.
    """
    from dataclasses import replace

    from studylib.data.transforms import prepare_masks

    dataset = workshop.dataset(variant)
    rows = np.flatnonzero(workshop.split(trained.run).part == "test")
    chosen = dataset.select(rows)
    files = [
        str(path) if name else "" for name, path in zip(chosen.table[column], _beside(chosen, column), strict=True)
    ]
    cues = replace(chosen, table=chosen.table.assign(mask=chosen.table[column], mask_file=files), regions={1: "cue"})
    size, crop = trained.fit.spec.image_size, trained.fit.spec.crop
    return prepare_masks(cues, size, crop, missing=0) > 0


def _beside(dataset, column: str) -> list:
    from pathlib import Path

    roots = [
        Path(file).parents[len(Path(image).parts) - 1] for file, image in dataset.table[["file", "image"]].to_numpy()
    ]
    return [root / name for root, name in zip(roots, dataset.table[column], strict=True)]


def masked_flips(model: torch.nn.Module, pixels: np.ndarray, order: np.ndarray, share: float) -> np.ndarray:
    """Whether each image turns negative when the top `share` of `order` gets the image's mean. -> float (N,) of 0 and
    1
    """
    count = max(1, round(share * order[0].size))
    cut = np.partition(order.reshape(len(order), -1), -count, axis=1)[:, -count][:, None, None]
    mean = pixels.mean((1, 2), keepdims=True)
    masked = np.where(order >= cut, mean, pixels).astype(np.uint8)
    return (model(as_images(masked))[:, 0] <= 0).numpy().astype(float)
