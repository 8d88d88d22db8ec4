"""Is a measure of map against mask fair to small objects? Measures are tried on maps whose error was set: discs of
several areas, the map displaced by a known share of the disc's diameter, blurred, on a weak background as maps of
networks have one. A fair measure falls with the displacement, and at equal displacement does not follow the area. The
house's answer is `iou_at_matched_area`: the IoU of as many of the map's highest pixels as the object has, so that no
object is too small to be met; it asks where the map points, and not how large a region somebody cut from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate, t_interval

AREAS = (0.004, 0.007, 0.013, 0.02, 0.035, 0.06)  # of the image: what tumours on brain slices cover
SHIFTS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)  # of the disc's diameter; at 1 the discs part
BLUR = 0.25  # standard deviation, as a share of the diameter
BACKGROUND = 0.05  # of the disc's height
PIXELS = 0.02
FALLS, FLAT = -0.9, 0.1  # Spearman with displacement below, and with area within, where a measure is fair


class Trial(NamedTuple):
    """table: a row a measure, its two correlations and whether it is fair; estimates: the same with intervals over
    draws; chosen: the first fair measure in the order of CANDIDATES, which begins with overlaps, "" where none is fair.
    """

    table: pd.DataFrame
    estimates: dict[str, Estimate]
    chosen: str


def _fixed_region(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """IoU of the highest 5 % of the pixels, whatever the object's size."""
    return localisation.iou_at_matched_area(maps, masks, round(0.05 * maps[0].size))


def _of_attainable(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The same as a share of what 5 % could reach."""
    return _fixed_region(maps, masks) / localisation.attainable_iou(masks.mean((1, 2)), 0.05)


def _enrichment(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Energy inside over the object's share of the image, in doublings."""
    with np.errstate(divide="ignore"):
        return np.log2(localisation.energy_inside(maps, masks) / masks.mean((1, 2)))


def _above_chance(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """AUPRC between its chance level, 0, and 1."""
    chance = localisation.prevalence(masks)
    return (localisation.pixel_auprc(maps, masks) - chance) / (1 - chance)


CANDIDATES: Mapping[str, Callable] = {
    "iou": _fixed_region,
    "iou_of_attainable": _of_attainable,
    "iou_matched": localisation.iou_at_matched_area,
    "auprc": localisation.pixel_auprc,
    "auprc_above_chance": _above_chance,
    "energy_inside": localisation.energy_inside,
    "enrichment": _enrichment,
    "pointing": localisation.pointing_game,
}


def displaced(side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Maps and masks of every area and displacement, in a random direction from a random place that keeps both inside.

    -> maps float (N, side, side), masks bool (N, side, side), columns area and shift
    """
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[:side, :side].astype(float)
    maps, masks, rows = [], [], []
    for area in AREAS:
        radius = np.sqrt(area / np.pi) * side
        for shift in SHIFTS:
            turn, far = rng.uniform(0, 2 * np.pi), 2 * radius * shift
            dy, dx = far * np.sin(turn), far * np.cos(turn)
            room = radius * 2.2
            cy, cx = (rng.uniform(room + max(0, -d), side - room - max(0, d)) for d in (dy, dx))
            masks.append((y - cy) ** 2 + (x - cx) ** 2 <= radius**2)
            disc = ((y - cy - dy) ** 2 + (x - cx - dx) ** 2 <= radius**2).astype(float)
            maps.append(gaussian_filter(disc, BLUR * 2 * radius) + BACKGROUND)
            rows.append({"area": area, "shift": shift})
    return np.stack(maps), np.stack(masks), pd.DataFrame(rows)


def correlations(values: np.ndarray, table: pd.DataFrame) -> tuple[float, float]:
    """Spearman of a measure with displacement, mean over areas, and with area, mean over displacements; where a
    measure is the same for all it is 0, and differences below PIXELS, which pixels make, are none. values: (N,);
    table: columns area and shift -> (float, float)
    """
    from scipy.stats import spearmanr

    def within(fixed: str, varied: str) -> float:
        found = []
        for _, at in table.groupby(fixed).groups.items():
            some = np.round(values[np.asarray(at)] / PIXELS) * PIXELS
            if np.isfinite(some).all():
                same = np.ptp(some) == 0
                found.append(0.0 if same else spearmanr(table[varied].to_numpy()[np.asarray(at)], some).statistic)
        return float(np.mean(found)) if found else float("nan")

    return within("area", "shift"), within("shift", "area")


def trial(side: int = 160, draws: int = 16, seed: int = 0) -> Trial:
    """Try every candidate on independent draws of displaced maps."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CANDIDATES}
    for draw in range(draws):
        maps, masks, table = displaced(side, np.random.default_rng([seed, draw]))
        for name, measure in CANDIDATES.items():
            found[name].append(correlations(np.asarray(measure(maps, masks), float), table))
    estimates, rows = {}, {}
    for name, pairs in found.items():
        falls, follows = (t_interval([pair[i] for pair in pairs], unit="draw") for i in (0, 1))
        estimates[f"size_metric.{name}.spearman_displacement"] = falls
        estimates[f"size_metric.{name}.spearman_area"] = follows
        fair = falls.value < FALLS and abs(follows.value) < FLAT
        rows[name] = {"with displacement": falls.value, "with area": follows.value, "fair": fair}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")
    chosen = next((name for name in CANDIDATES if table.loc[name, "fair"]), "")
    if chosen:
        for what in ("displacement", "area"):
            estimates[f"size_metric.chosen.spearman_{what}"] = estimates[f"size_metric.{chosen}.spearman_{what}"]
    return Trial(table, estimates, chosen)
