"""Regions of CAM and CRM in study 3: how large they are at a share of the maximum, what a lower cut does, and how much
of the difference is that one map is the other's square.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from studylib.cam.regions import find_regions
from studylib.metrics.intervals import Estimate, difference_between, difference_by, mean_by, statistic_by
from studylib.study.heads_03 import BEST, Head
from studylib.study.maps_03 import CUT, ROOT, Looked, averaged, beside, explained, large, of, region_columns, said

SWEEP = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.447, 0.6)  # of the maximum; 0.447: what 0.2 of a square is


def unlikeness(looked: Sequence[Looked], heads: Sequence[Mapping], levels=BEST) -> pd.DataFrame:
    """1 - IoU of the regions of CAM and CRM at CUT, one row an image and network."""
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        e = explained(seen, made[levels], ("cam", "crm"))
        regions = [find_regions(large(e, m, seen.side), "fraction", CUT) for m in ("cam", "crm")]
        keep = regions[0].defined & regions[1].defined
        union = (regions[0].masks | regions[1].masks).sum((1, 2))
        both = (regions[0].masks & regions[1].masks).sum((1, 2))
        differ = 1 - np.divide(both, union, out=np.full(len(keep), np.nan), where=keep & (union > 0))
        tables.append(pd.DataFrame(seen.table() | said(e, seen.of.labels[seen.rows]) | {"differ": differ}))
    return pd.concat(tables, ignore_index=True)


def cuts(looked: Sequence[Looked], heads: Sequence[Mapping], values: Sequence[float], method: str = "crm",
         levels=BEST) -> pd.DataFrame:  # fmt: skip
    """Area, coverage, precision and IoU over thresholds, one row an image, network and `cut`."""
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        e = explained(seen, made[levels], (method,))
        maps = large(e, method, seen.side)
        row = seen.table() | said(e, seen.of.labels[seen.rows])
        tables += [pd.DataFrame(row | region_columns(maps, seen.masks, cut) | {"cut": cut}) for cut in values]
    return pd.concat(tables, ignore_index=True)


def lower_cut(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Coverage, IoU, precision and area at 10 % of the maximum minus at the source's 20 %, named right, paired."""
    low, high = (table[(table["cut"] == cut) & (table["correct"] == 1)] for cut in (0.1, CUT))
    found = {}
    for name in ("coverage", "iou", "precision", "area"):
        rows = beside(low, high, name)
        text = f"{name} of CRM at 10 % of the maximum minus at 20 %, images named right"
        found[f"cut.p10_minus_p20.{name}"] = difference_by(rows, "a", "b", how=text, **how)
    return found


def squaring(looked: Sequence[Looked], heads: Sequence[Mapping], levels=BEST) -> pd.DataFrame:
    """Of images named right the logarithm of the ratio of areas, CRM at CUT over CAM at CUT (`seen`), and |CAM| at ROOT
    over CAM at CUT (`predicted`): what taking the square, and with it the sign away, does alone.
    """
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        e = explained(seen, made[levels], ("cam", "crm"))
        cam, crm = (large(e, method, seen.side) for method in ("cam", "crm"))
        cuts_of = ((cam, CUT), (np.abs(cam), ROOT), (crm, CUT))
        areas = [find_regions(grid, "fraction", cut).areas for grid, cut in cuts_of]
        with np.errstate(all="ignore"):
            columns = {"seen": np.log(areas[2] / areas[0]), "predicted": np.log(areas[1] / areas[0])}
        row = seen.table() | said(e, seen.of.labels[seen.rows])
        tables.append(pd.DataFrame(row | columns | {"contrast": _contrast(seen, made[levels])}))
    table = pd.concat(tables, ignore_index=True)
    return table[table["correct"] == 1].reset_index(drop=True)


def _contrast(seen: Looked, head: Head) -> np.ndarray:
    """Spearman of incremental error on softmax with CAM of the class said minus CAM of the other, (N,)."""
    e = explained(seen, head, ("crm_mse_softmax",))
    both = explained(seen, head, ("cam",), "all")["cam"].numpy()
    rows, target = np.arange(len(both)), e.target.numpy()
    contrast = both[rows, target] - both[rows, 1 - target]
    relevance = e["crm_mse_softmax"].numpy()
    if contrast[0].size < 3:
        return np.full(len(both), np.nan)
    return np.array([stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(relevance, contrast, strict=True)])


def explained_by_squaring(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Squared correlation of the log ratios seen and predicted, and the mean rank correlation of incremental error with
    the contrast of both classes' CAMs. table: `squaring`
    """

    def r_squared(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        w = np.ones(len(frame)) if weights is None else weights
        x, y = frame["predicted"].to_numpy(), frame["seen"].to_numpy()
        if not w.sum():
            return float("nan")
        x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
        spread = (w * x * x).sum() * (w * y * y).sum()
        return float((w * x * y).sum() ** 2 / spread) if spread > 0 else float("nan")

    text = "squared correlation of log ratios of areas with what squaring alone gives, images named right"
    contrast = averaged(table.dropna(subset=["contrast"]), ["contrast"])
    return {
        "area.explained_by_squaring": statistic_by(table, r_squared, needs=["seen", "predicted"], how=text, **how),
        "crm.contrast_spearman": mean_by(
            contrast, "contrast", how="Spearman of incremental error on softmax with the contrast of both CAMs", **how
        ),
    }


def by_class(looked: Sequence[Looked], heads: Sequence[Mapping], **how) -> dict[str, Estimate]:
    """1 - IoU of the two regions where the class is not treatable minus where it is treatable, named right."""
    rows = unlikeness(looked, heads)
    rows = averaged(rows[rows["correct"] == 1].dropna(subset=["differ"]), ["differ"])
    text = "1 - IoU of CAM's and CRM's regions at 20 %, not treatable minus treatable, named right"
    pair = rows[rows["label"] == 1], rows[rows["label"] == 0]
    return {"differ.not_treatable_minus_treatable": difference_between(*pair, "differ", how=text, **how)}


def five_against_three(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Logarithm of the area of CRM's region with five levels over that with P3+P6+P7, and how often it is twice as
    large; all images.
    """
    from studylib.models.pyramid import LEVELS

    both = [of(table, "crm", levels, correct=False) for levels in (LEVELS, BEST)]
    rows = beside(*both, "area")
    rows = rows.assign(log=np.log(rows["a"] / rows["b"]), twice=(rows["a"] > 2 * rows["b"]).astype(float))
    text = "log area of CRM's region, P3..P7 over P3+P6+P7"
    return {
        "area.p3p4p5p6p7_minus_p3p6p7.log_ratio": mean_by(rows, "log", how=text, **how),
        "area.p3p4p5p6p7_twice_p3p6p7": mean_by(rows, "twice", how="share of images with twice the area", **how),
    }
