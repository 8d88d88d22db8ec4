"""Which measure of a map against a mask is fair to small objects, tried on maps whose error was set.

Discs of several areas; the map is the disc displaced by a known share of its diameter and blurred, either in proportion
to the disc or, as by a network's grid, by the same width whatever the disc. A fair measure falls with the displacement,
and at equal displacement (in diameters) it does not follow the area, under either blur.

The house's answer is the **IoU at the object's own area** (`localisation.iou_at_matched_area`):

    IoU_own(M, G) = |T n G| / |T u G| = o / (2a - o),   T: the a = |G| highest pixels of M,   o = |T n G|

in [0, 1]; 1 only where the a highest pixels are the object; about a / (2n - a) for a map of n pixels without knowledge.
NaN for a map that is flat or not finite and for an empty or full mask; ties at the last place count by expectation.
For a disc displaced by d diameters it is L / (2 - L), L = 2/pi (arccos d - d sqrt(1 - d^2)), whatever area and blur: no
object is too small to be met, and only where the map points counts. Pixel AUPRC passes the same trial; the overlap
comes first since it reads as the source's IoU does. For both, what a map without knowledge reaches grows with the area
(about a / 2n and a / n: below 0.06 for these discs), so that a comparison of areas near chance says little of either.
Its price: the area is taken from the mask, so that it compares maps and objects but does not say how well a region that
somebody cut would do, nor whether a map is sharp.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate, t_interval

AREAS = (0.004, 0.007, 0.013, 0.02, 0.035, 0.06)  # of the image: what tumours on brain slices cover
SHIFTS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)  # of the disc's diameter; at 1 the discs part
BLURS = {"own": 0.25, "grid": 1 / 14}  # standard deviation: of the diameter; of the image's side
BACKGROUND = 0.05  # of the disc's height, as maps of networks have one
# Of a measure's range: what a disc's pixels make; 95 % of matched IoUs lie within 0.014 of the formula above.
PIXELS = 0.03
SHARE = 0.05  # of the image: the region of the fixed size
FALLS, FLAT = -0.9, 0.1  # Spearman with displacement below, and with area within, where a measure is fair
CANDIDATES = (
    "iou", "iou_of_attainable", "iou_matched", "auprc", "auprc_above_chance", "auprc_lift", "energy_inside",
    "enrichment", "pointing",
)  # fmt: skip


class Trial(NamedTuple):
    """table: a row a measure, its correlations under each blur and whether it is fair under both; estimates: of each
    measure the worse of its two, with intervals over draws; chosen: the first fair measure in the order of CANDIDATES,
    which begins with overlaps, "" where none is fair.
    """

    table: pd.DataFrame
    estimates: dict[str, Estimate]
    chosen: str


def scores(maps: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """Every candidate on every map. maps: (N, S, S); masks: bool (N, S, S) -> {name: (N,)}, in the order of CANDIDATES.

    iou: of the highest 5 % of the pixels; iou_of_attainable: that over min(a, s) / max(a, s); iou_matched: of as many
    pixels as the mask has; auprc, and the same between chance and 1, and in doublings of chance; energy_inside, and in
    doublings of the mask's area; pointing: whether the maximum is inside.
    """
    area = masks.mean((1, 2))
    fixed = localisation.iou_at_matched_area(maps, masks, round(SHARE * maps[0].size))
    auprc, energy = localisation.pixel_auprc(maps, masks), localisation.energy_inside(maps, masks)
    with np.errstate(divide="ignore"):
        found = (
            fixed,
            fixed / localisation.attainable_iou(area, SHARE),
            localisation.iou_at_matched_area(maps, masks),
            auprc,
            (auprc - area) / (1 - area),
            np.log2(auprc / area),
            energy,
            np.log2(energy / area),
            localisation.pointing_game(maps, masks),
        )
    return dict(zip(CANDIDATES, found, strict=True))


def displaced(side: int, rng: np.random.Generator, blur: str = "own") -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Maps and masks of every area and displacement, in a random direction from a random place that keeps both inside.

    -> maps float (N, side, side), masks bool (N, side, side), columns area (of the image) and shift (of the diameter)
    """
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[:side, :side].astype(float)
    maps, masks, rows = [], [], []
    for area in AREAS:
        radius = np.sqrt(area / np.pi) * side
        width = BLURS[blur] * (2 * radius if blur == "own" else side)
        for shift in SHIFTS:
            turn, far = rng.uniform(0, 2 * np.pi), 2 * radius * shift
            dy, dx = far * np.sin(turn), far * np.cos(turn)
            room = radius * 2.2
            cy, cx = (rng.uniform(room + max(0, -d), side - room - max(0, d)) for d in (dy, dx))
            masks.append((y - cy) ** 2 + (x - cx) ** 2 <= radius**2)
            disc = ((y - cy - dy) ** 2 + (x - cx - dx) ** 2 <= radius**2).astype(float)
            maps.append(gaussian_filter(disc, width, mode="constant") + BACKGROUND)
            rows.append({"area": area, "shift": shift})
    return np.stack(maps), np.stack(masks), pd.DataFrame(rows)


def correlations(values: np.ndarray, table: pd.DataFrame) -> tuple[float, float, float]:
    """Spearman of a measure with displacement, mean over areas, and with area, mean over displacements; and its mean
    spread over areas at equal displacement as a share of its range.

    Where a measure spreads by less than PIXELS of its range it is the same for all, and Spearman is 0. values: (N,);
    table: columns area and shift. NaN where a value is not finite at every level.
    """
    from scipy.stats import spearmanr

    reach = np.ptp(values[np.isfinite(values)]) if np.isfinite(values).any() else float("nan")

    def within(fixed: str, varied: str) -> tuple[float, float]:
        found, spreads = [], []
        for at in table.groupby(fixed).indices.values():
            some = values[at]
            if np.isfinite(some).all():
                spreads.append(np.ptp(some) / reach if reach else 0.0)
                same = spreads[-1] < PIXELS
                found.append(0.0 if same else spearmanr(table[varied].to_numpy()[at], some).statistic)
        return (float(np.mean(found)), float(np.mean(spreads))) if found else (float("nan"), float("nan"))

    return within("area", "shift")[0], *within("shift", "area")


def trial(side: int = 160, draws: int = 16, seed: int = 0) -> Trial:
    """Try every candidate on independent draws of displaced maps, under each blur."""
    tried: dict[str, dict[str, list[tuple[float, ...]]]] = {name: {b: [] for b in BLURS} for name in CANDIDATES}
    for draw in range(draws):
        for number, blur in enumerate(BLURS):
            maps, masks, table = displaced(side, np.random.default_rng([seed, draw, number]), blur)
            for name, values in scores(maps, masks).items():
                tried[name][blur].append(correlations(values, table))
    estimates, rows = {}, {}
    for name, by_blur in tried.items():
        falls, follows, spread = (
            {b: t_interval([found[i] for found in draws], unit="draw") for b, draws in by_blur.items()}
            for i in range(3)
        )
        worse = max(falls.values(), key=lambda e: e.value), max(follows.values(), key=lambda e: abs(e.value))
        for what, estimate in zip(("displacement", "area"), worse, strict=True):
            estimates[f"size_metric.{name}.spearman_{what}"] = estimate
        rows[name] = {f"with displacement, {b} blur": e.value for b, e in falls.items()}
        rows[name] |= {f"with area, {b} blur": e.value for b, e in follows.items()}
        rows[name] |= {"spread over areas": max(e.value for e in spread.values())}
        rows[name] |= {"fair": worse[0].value < FALLS and abs(worse[1].value) < FLAT}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")
    chosen = next((name for name in CANDIDATES if table.loc[name, "fair"]), "")
    for what in ("displacement", "area"):
        none = Estimate(math.nan, math.nan, math.nan, draws, draws, "draw", "no candidate is fair")
        estimates[f"size_metric.chosen.spearman_{what}"] = estimates.get(f"size_metric.{chosen}.spearman_{what}", none)
    return Trial(table, estimates, chosen)
