"""Every map of the same networks and pictures: what the choice of method, layer and interpolation is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from studylib.cam import METHODS, explain
from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, Pictures, as_images, floor_maps, map_difference

FLOORS = {"brightest": "floor: brightest pixels", "centre": "floor: centred blob"}
SHOWN = ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "scorecam", "crm")
INTERPOLATIONS = ("bilinear", "nearest", "bicubic")
NETWORKS = 3  # Score-CAM takes a pass a channel: more networks would take longer than training them


def method_maps(trained: Trained, pictures: Pictures, layers: tuple[str, ...]) -> dict[tuple[str, str], torch.Tensor]:
    """Maps of the positive class by method and layer, (N, h, w), signed; those that a layer's head does not allow are
    left out. One forward and one backward serve all but Score-CAM.
    """
    e = explain(trained.fit.model(), as_images(pictures.pixels), SHOWN, 1, layers, batch_size=BATCH)
    return {(method, layer): e[method, layer] for method in SHOWN for layer in layers if (method, layer) in e.maps}


def name_of(method: str, layer: str) -> str:
    """How tables name a map."""
    return f"{METHODS[method].title} at {layer}"


def upsampled(maps: torch.Tensor, side: int, interpolation: str = "bilinear") -> np.ndarray:
    """Maps (N, h, w) at the pictures' size, signed, without scaling: (N, S, S)."""
    return F.interpolate(maps[:, None], size=(side, side), mode=interpolation)[:, 0].numpy()


def methods_table(fits: Fits, arm: str, pictures_for, layers: tuple[str, ...]) -> pd.DataFrame:
    """Pixel AUPRC of every map of an arm's first networks and of two floors, one row a picture, network and map:
    columns image, group, repeat, map, auprc, undefined. pictures_for: network -> Pictures with masks.
    """
    tables = []
    for t in fits.select(arm)[:NETWORKS]:
        pictures = pictures_for(t)
        side, floors = pictures.masks.shape[-1], floor_maps(pictures, seed=t.run.seed)
        shown = {name_of(*key): upsampled(maps, side) for key, maps in method_maps(t, pictures, layers).items()}
        for name, maps in (shown | {words: floors[floor] for floor, words in FLOORS.items()}).items():
            values = localisation.pixel_auprc(maps, pictures.masks)
            row = {"image": pictures.names, "group": pictures.groups, "map": name, "auprc": values}
            tables.append(pd.DataFrame(row).assign(repeat=t.run.repeat, undefined=np.isnan(values)))
    return pd.concat(tables, ignore_index=True)


def methods_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean pixel AUPRC of every map, best first, and how many had none."""
    found = table.groupby("map").agg(auprc=("auprc", "mean"), undefined=("undefined", "sum"))
    return found.sort_values("auprc", ascending=False, kind="stable")


def against(table: pd.DataFrame, where: str, layers: tuple[str, ...], **how) -> dict[str, Estimate]:
    """Pixel AUPRC of other maps minus that of CAM at the last layer, and minus that of the brightest pixels, paired by
    picture.
    """
    bases, found = {"cam": name_of("cam", layers[-1]), "brightest": FLOORS["brightest"]}, {}
    for method in ("gradcam", "gradcam++", "scorecam"):
        for layer in layers:
            for base, words in bases.items():
                name = f"loc.{where}.{method.replace('++', 'pp')}_{layer}_minus_{base}.auprc"
                found[name] = map_difference(table, "auprc", name_of(method, layer), words, **how)
    return found


def choices(trained: Trained, pictures: Pictures, layers: tuple[str, ...]) -> dict[str, float]:
    """Mean pixel AUPRC of one network over method, layer and interpolation: what a free choice is worth."""
    found, side = {}, pictures.masks.shape[-1]
    for (method, layer), maps in method_maps(trained, pictures, layers).items():
        for interpolation in INTERPOLATIONS:
            values = localisation.pixel_auprc(upsampled(maps, side, interpolation), pictures.masks)
            found[f"{name_of(method, layer)}, {interpolation}"] = float(np.nanmean(values))
    return found
