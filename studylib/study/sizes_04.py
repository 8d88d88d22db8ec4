"""How much of an IoU is the size of the tumour: the most that a mask can reach, shares of it, change with area, and a
metric that does not follow the area.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate, difference_between, mean_by, of_columns, statistic_by
from studylib.study.maps_04 import each_class, right
from studylib.study.segmenting import GOOD, SHARE, averaged


def attainable(areas: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: Sequence[str], **how) -> dict:
    """The IoU that a region of 5 % could reach at best, its mean and how often it is above 0.5. areas: of the tumours,
    shares of the image (N,). -> {name: Estimate}
    """
    rows = pd.DataFrame({"group": groups, "label": labels, "most": localisation.attainable_iou(areas, SHARE)})
    rows["above"] = (rows["most"] > GOOD).astype(float)
    found = {}
    for name, some in each_class(rows, classes).items():
        found[f"attainable.mean.{name}"] = mean_by(some, "most", how="IoU that a 5 % region could reach", **how)
        found[f"attainable.above_05.{name}"] = mean_by(some, "above", how=f"a 5 % region could exceed {GOOD}", **how)
    return found


def relative(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """IoU at the 95th percentile as a share of what its area could reach, by class and of all, correct images."""
    share = table["iou_p95"] / localisation.attainable_iou(table["tumour"].to_numpy(), table["area_p95"].to_numpy())
    rows = averaged(right(table.assign(relative=share)), ["relative"])
    text = "IoU as a share of the attainable, correct images"
    parts = each_class(rows, classes).items()
    return {f"relative_iou.{name}": mean_by(some, "relative", how=text, **how) for name, some in parts}


def slope(x, y, weights=None) -> float:
    """Least-squares slope of y on x; NaN where x does not vary."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, float)
    mx, my = (w @ x) / w.sum(), (w @ y) / w.sum()
    var = w @ (x - mx) ** 2
    return float((w @ ((x - mx) * (y - my))) / var) if var > 0 else float("nan")


def with_size(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """How IoU, relative IoU, pointing and AUPRC above chance change when a tumour's area doubles, correct images."""
    share = table["iou_p95"] / localisation.attainable_iou(table["tumour"].to_numpy(), table["area_p95"].to_numpy())
    rows = right(table.assign(relative=share, enrichment=np.log2(table["energy_inside"] / table["tumour"])))
    rows = rows.replace([np.inf, -np.inf], np.nan)
    found, columns = (
        {},
        {"iou": "iou_p95", "relative_iou": "relative", "pointing": "pointing", "enrichment": "enrichment"},
    )
    for name, column in columns.items():
        means = averaged(rows, [column, "tumour"]).dropna()
        means["log_area"] = np.log2(means["tumour"])
        found[f"slope.{name}_per_log_area"] = statistic_by(
            means, of_columns(slope, "log_area", column), how=f"{name} for a tumour of twice the area", **how
        )
    return found


def order_of_tumours(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Each class minus the next in IoU, and in IoU as a share of the attainable: is the source's order one of size?"""
    share = table["iou_p95"] / localisation.attainable_iou(table["tumour"].to_numpy(), table["area_p95"].to_numpy())
    rows, found = averaged(right(table.assign(relative=share)), ["iou_p95", "relative"]), {}
    for a, b in zip(classes[:-1], classes[1:], strict=True):
        parts = [rows[rows["label"] == classes.index(name)] for name in (a, b)]
        for measure, column in (("iou", "iou_p95"), ("relative_iou", "relative")):
            text = f"{measure} of {a} minus {b}, correct images"
            found[f"order.{measure}.{a}_minus_{b}"] = difference_between(*parts, column, how=text, **how)
    return found


def at_own_area(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """IoU of as many of the map's highest pixels as the tumour has, by class and of all, correct images."""
    rows = averaged(right(table), ["iou_matched"])
    return {
        f"iou_matched.group.cam.{name}": mean_by(
            some, "iou_matched", how="IoU at the tumour's own area, correct", **how
        )
        for name, some in each_class(rows, classes).items()
    }
