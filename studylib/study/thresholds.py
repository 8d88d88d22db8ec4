"""How far the way from a map to a mask moves the IoU: threshold, layer, interpolation, order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import nn

from studylib.cam.regions import ORDERS, find_regions
from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate, difference_by, mean_by
from studylib.study.fits import Fits
from studylib.study.segmenting import LAYER, Seen, averaged, explained, first, firsts, large, seen_by, told
from studylib.study.train import Workshop

INTERPOLATIONS = ("bilinear", "nearest", "bicubic")
RULES = {"mean": ("mean", None), "p90": ("percentile", 90), "p95": ("percentile", 95), "otsu": ("otsu", None)}
EARLIER = ("layer2", "relu3", "features_transition2", "features_6")  # ResNet, small, DenseNet, the others
STAGES = 9  # of EfficientNet, whose sixth has the last one's places already
WINDOW = 51 / 224  # of the local threshold, as a share of the side


def choices(seen: Seen, layers: Sequence[str], correct_only: bool = True) -> dict[str, float]:
    """Mean IoU over the images of one network by layer, interpolation, order and rule: what a free choice is worth."""
    e = explained(seen, layers=layers, methods=("gradcam",))
    keep = told(seen, e)["correct"] == 1 if correct_only else np.ones(len(seen.pixels), bool)
    masks, found = seen.pictures.masks[keep], {}
    for layer in layers:
        maps = e["gradcam", layer].numpy()[keep]
        for interpolation in INTERPOLATIONS:
            for order in (ORDERS[0], ORDERS[2]):
                for name, (rule, value) in RULES.items():
                    how = {"size": seen.side, "relu": False, "scale": "minmax"}
                    regions = find_regions(maps, rule, value, interpolation=interpolation, order=order, **how)
                    iou = localisation.iou(regions.masks, masks)
                    words = "upsampled, then cut" if order == ORDERS[0] else "cut, then upsampled"
                    found[f"{layer}, {interpolation}, {words}, {name}"] = float(np.nanmean(iou))
    return found


def local_table(workshop: Workshop, fits: Fits, arm: str, most: int) -> pd.DataFrame:
    """IoU of the CAM cut by a locally adaptive threshold, by Otsu's and at the 95th percentile, at most so many images
    of the first network of each fold.
    """
    tables = []
    for t in firsts(fits, arm):
        seen = first(seen_by(workshop, t), most)
        e = explained(seen)
        maps, columns = large(e, "cam", seen.side), told(seen, e) | {"repeat": t.run.repeat}
        window = 2 * (round(WINDOW * seen.side) // 2) + 1
        for name, rule, value in (("local", "local", window), ("otsu", "otsu", None), ("p95", "percentile", 95)):
            regions = find_regions(maps, rule, value, relu=False, scale=None)
            columns |= {
                f"iou_{name}": localisation.iou(regions.masks, seen.pictures.masks),
                f"area_{name}": regions.areas,
            }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def adaptive(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """IoU and area with the local and with Otsu's threshold, and IoU minus that at p95; correct images."""
    rows = averaged(table[table["correct"] == 1], [c for c in table if c.startswith(("iou_", "area_"))])
    found = {}
    for name in ("local", "otsu"):
        found[f"adaptive.{name}.iou"] = mean_by(
            rows, f"iou_{name}", how=f"IoU, {name} threshold, correct images", **how
        )
        found[f"adaptive.{name}.area"] = mean_by(
            rows, f"area_{name}", how=f"share marked by the {name} threshold", **how
        )
        text = f"IoU with the {name} threshold minus at p95, paired by image"
        found[f"iou.group.cam.{name}_minus_p95"] = difference_by(rows, f"iou_{name}", "iou_p95", how=text, **how)
    return found


def layers_of(model: nn.Module) -> tuple[str, ...]:
    """An earlier layer and the last of a network, as `explain` names them; AlexNet's has no finer places."""
    parts = {name: f"{part}.{name}" for part in ("trunk", "upper") for name, _ in _children(model, part)}
    if sum(name.startswith("features_") for name in parts) == STAGES:
        return (parts["features_5"], LAYER)
    return (next(parts[name] for name in EARLIER if name in parts), LAYER)


def _children(model: nn.Module, part: str):
    return getattr(model, part).named_children() if hasattr(model, part) else ()
