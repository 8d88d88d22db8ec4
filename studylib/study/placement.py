"""A rule in place of study 3's expert: does a map's peak lie on what decides the class, and does its region cover it?

Not an expert: it knows the outlines, judges every map alike, and has no opinion on labels or photographs. A map is
"out_of_region" where its peak lies further from the region of interest (RoI) than a tolerance, a share of the image's
diagonal; else "insufficient_coverage" where its region covers less than a share of the RoI; else "meaningful".
"undefined": a flat, NaN or all-negative map, no region, or a photograph without an RoI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd

from studylib.metrics.maps import as_maps, as_masks, reasons
from studylib.study.misplacement import UNDEFINED

TOLERANCE = 0.05  # of the diagonal; the pointing game's 15 of 224 pixels are 0.047 of a square's
LEAST = 0.5  # of the RoI
CUT = 0.2  # of the map's maximum, source 4.2


@dataclass(frozen=True, eq=False)
class Placement:
    """Where maps lie. distance: (N,) of the peak from the RoI in diagonals, 0 on it, infinite off the cervix; coverage:
    (N,) share of the RoI in the map's region; undefined: for each image why there is no verdict, or None.
    """

    distance: np.ndarray
    coverage: np.ndarray
    undefined: list[str | None]

    def verdicts(self, tolerance: float = TOLERANCE, least: float = LEAST) -> np.ndarray:
        """The rule's verdict on each map, (N,) str. Raises ValueError for a tolerance below 0 or `least` off [0, 1]."""
        if not tolerance >= 0 or not 0 <= least <= 1:
            raise ValueError(
                f"tolerance {tolerance:g} is a share of the diagonal, 0 or more; least {least:g} one of the RoI, 0 to 1"
            )
        rounding = 1e-6  # of the distances, which are float32
        found = np.where(self.coverage < least, "insufficient_coverage", "meaningful")
        found = np.where(self.distance > tolerance + rounding, "out_of_region", found)
        return np.where([why is not None for why in self.undefined], UNDEFINED, found)


def placed(maps: Any, regions: Any, roi: Any, cervix: Any = None) -> Placement:
    """Measure where maps lie. maps: (N, H, W), signed or not; regions, roi, cervix: (N, H, W) bool, of 0 and 1.

    Where several pixels share a map's maximum the median of their distances counts, the lower of two. cervix: where
    given, a peak off it and off the RoI is off at any tolerance. Raises ValueError for shapes that differ.
    """
    maps = as_maps(maps)
    regions, roi = as_masks(regions, maps.shape), as_masks(roi, maps.shape)
    allowed = None if cervix is None else roi | as_masks(cervix, maps.shape)
    inside, total, size = (regions & roi).sum((1, 2)), roi.sum((1, 2)), regions.sum((1, 2))
    undefined = _without_verdict(maps, roi, size)
    distance, coverage = np.full(len(maps), np.nan), np.full(len(maps), np.nan)
    diagonal = np.hypot(maps.shape[1] - 1, maps.shape[2] - 1) or 1.0
    for i, why in enumerate(undefined):
        if why is None:
            peak = maps[i] == maps[i].max()
            off = cv2.distanceTransform((~roi[i]).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            far = off[peak] / diagonal
            far = far if allowed is None else np.where(allowed[i][peak], far, np.inf)
            distance[i] = np.sort(far)[(len(far) - 1) // 2]
            coverage[i] = inside[i] / total[i]
    return Placement(distance, coverage, undefined)


def _without_verdict(maps: np.ndarray, roi: np.ndarray, size: np.ndarray) -> list[str | None]:
    """Why there is no verdict. A RoI that fills the photograph is no reason: it is met anywhere, and can be covered."""
    found = reasons(maps, roi)
    found = [None if why == "full mask" else why for why in found]
    return ["empty region" if why is None and not area else why for why, area in zip(found, size, strict=True)]


def judged(
    methods: dict[str, tuple[Any, Any]], roi: Any, cervix: Any = None, *, tolerance: float = TOLERANCE,
    least: float = LEAST, **columns: Any,
) -> pd.DataFrame:  # fmt: skip
    """The rule's verdicts as the table that `misplacement` counts, a row an image and method, with distance, coverage
    and `why` ("" where there is a verdict). methods: name -> maps and regions (N, H, W); columns: image, group, … (N,).
    """
    tables = []
    for name, (maps, regions) in methods.items():
        found = placed(maps, regions, roi, cervix)
        said = {
            "method": name,
            "verdict": found.verdicts(tolerance, least),
            "distance": found.distance,
            "coverage": found.coverage,
            "why": [why or "" for why in found.undefined],
        }
        tables.append(pd.DataFrame(columns | said))
    return pd.concat(tables, ignore_index=True)


def constant(blob: Any, n: int, *, cut: float = CUT, areas: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """One map (H, W) for n images and its region above a share of its maximum: the chance level when it is judged by
    the same rule, since it knows of no image. areas: where given (n,), in pixels, its highest pixels of these areas
    instead, so that it covers as much as the maps that it stands beside. -> maps, regions (n, H, W)
    """
    from studylib.cam.regions import find_regions, matched_area  # they bring torch

    one = as_maps(np.asarray(blob)[None])
    maps = np.repeat(one, n, axis=0)
    if areas is not None:
        return maps, matched_area(maps, areas).masks
    return maps, np.repeat(find_regions(one, "fraction", cut).masks, n, axis=0)


def choices(found: Placement, tolerances: Any = (0, 0.025, 0.05, 0.1), leasts: Any = (0.25, 0.5, 0.75)) -> pd.DataFrame:
    """Share misplaced by each choice of the rule's two numbers, which are ours: a row a tolerance, a column a least
    coverage; NaN where no map has a verdict.
    """
    rows = {}
    for tolerance in tolerances:
        said = [found.verdicts(tolerance, least) for least in leasts]
        said = [verdicts[verdicts != UNDEFINED] for verdicts in said]
        rows[tolerance] = [float((v != "meaningful").mean()) if len(v) else float("nan") for v in said]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(leasts))
    return table.rename_axis("tolerance").rename_axis("least coverage", axis=1)
