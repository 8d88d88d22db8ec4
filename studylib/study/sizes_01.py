"""How maps of study 1 change as a neighbour covers the cell and as the nucleus grows, within classes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.metrics.intervals import Estimate, difference_by, statistic_by
from studylib.study.maps_01 import KEYS, METHODS, of
from studylib.study.segmenting import averaged
from studylib.study.train import Workshop


def with_overlap(workshop: Workshop, table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """How each map changes as a neighbour covers the cell: slope of energy on the nucleus (over its area, log 2) and of
    pointing against the covered share, within classes, phantoms only.
    """
    dataset = workshop.dataset()
    if "overlap" not in dataset.table:
        return {}
    covered = pd.DataFrame({"image": dataset.table["image"], "overlap": dataset.table["overlap"].astype(float)})
    found = {}
    for method in METHODS:
        rows = with_density(averaged(of(table, method), ["energy_nucleus", "area_nucleus", "auprc", "pointing"]))
        rows = rows.merge(covered, on="image").dropna(subset=["density", "overlap"])
        for column in ("density", "auprc", "pointing"):
            name = f"overlap.{method.replace('++', 'pp')}.{column}_slope"
            text = f"{column} of {method} on the nucleus, change from no overlap to full, within classes"
            found[name] = statistic_by(rows, slope("overlap", column), how=text, **how)
    return found


def with_density(rows: pd.DataFrame) -> pd.DataFrame:
    """Energy on the nucleus over its share of the picture, log 2: 0 is chance, 1 twice as dense; a map that leaves the
    nucleus out counts as an eighth of chance.
    """
    ratio = (rows["energy_nucleus"] / rows["area_nucleus"].where(rows["area_nucleus"] > 0)).clip(lower=0.125)
    return rows.assign(density=np.log2(ratio))


def slope(x: str, y: str):
    """A statistic: the least-squares slope of y against x, both centred within classes (column label)."""

    def measured(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        w = np.ones(len(frame)) if weights is None else np.asarray(weights, float)
        label = frame["label"].to_numpy()
        a, b = frame[x].to_numpy(float), frame[y].to_numpy(float)
        n = np.bincount(label, w)
        with np.errstate(invalid="ignore"):
            a, b = a - (np.bincount(label, w * a) / n)[label], b - (np.bincount(label, w * b) / n)[label]
        below = np.nansum(w * a * a)
        return float(np.nansum(w * a * b) / below) if below > 0 else float("nan")

    return measured


def by_size(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Grad-CAM++ minus Grad-CAM on small and large nuclei (thirds by area within all cells): energy on the nucleus, and
    how the difference changes with twice the area, within classes.
    """
    both = of(table, "gradcam++").merge(of(table, "gradcam"), on=KEYS, suffixes=("_a", "_b"))
    rows = averaged(both, ["energy_nucleus_a", "energy_nucleus_b", "area_nucleus_a"]).dropna()
    third = pd.qcut(rows["area_nucleus_a"].rank(method="first"), 3, labels=False)
    found = {
        f"size.gradcampp_minus_gradcam.{name}_third": difference_by(
            rows[third == i], "energy_nucleus_a", "energy_nucleus_b",
            how=f"energy on the nucleus, Grad-CAM++ minus Grad-CAM, {name} third of nuclei", **how,
        )
        for i, name in ((0, "smallest"), (2, "largest"))
    }  # fmt: skip
    rows = rows.assign(
        difference=rows["energy_nucleus_a"] - rows["energy_nucleus_b"], size=np.log2(rows["area_nucleus_a"])
    )
    rows = rows[np.isfinite(rows["size"])]
    text = "change of that difference with twice the area, within classes"
    return found | {
        "size.gradcampp_minus_gradcam.slope": statistic_by(rows, slope("size", "difference"), how=text, **how)
    }
