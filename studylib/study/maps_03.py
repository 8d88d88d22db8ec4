"""Maps of study 3's heads: CAM and CRM of every choice of levels, their regions at a share of the maximum, where they
lie. One row an image, network, head and method; the class is the one that the head said unless another is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain
from studylib.cam.explanation import Explanation
from studylib.cam.regions import find_regions
from studylib.metrics import floors, localisation
from studylib.metrics.intervals import Estimate, difference_by, mean_by, statistic_by
from studylib.study.heads_03 import BEST, SEVEN, Frozen, Head, short, title
from studylib.study.mapping import BATCH, TOLERANCE, as_images, random_network
from studylib.study.methods import INTERPOLATIONS, upsampled
from studylib.study.segmenting import LAYER
from studylib.study.train import Workshop

METHODS = ("cam", "crm", "crm_mse", "crm_softmax", "crm_mse_softmax")
CUT = 0.2  # of the maximum, source 4.2
ROOT = CUT**0.5  # of |CAM|: what that cut of a squared map is
TARGETS = {"phantom": ("os", "zone"), "annocerv": ("acetowhite",)}  # first words of regions; cervix_types has none
FLOORS = ("centre", "class_mean", "darkest", "sobel", "random", "random_weights")
KEYS = ["image", "group", "label", "repeat"]


@dataclass(frozen=True, eq=False)
class Looked:
    """Images of one network's part: pixels as it sees them (N, S, S, 3), and masks of what maps are to find (N, S, S),
    all False where the set has none or the image shows none. names, groups, labels: (N,).
    """

    of: Frozen
    rows: np.ndarray
    pixels: np.ndarray
    masks: np.ndarray

    @property
    def images(self) -> torch.Tensor:
        return as_images(self.pixels)

    @property
    def side(self) -> int:
        return self.pixels.shape[1]

    def table(self) -> dict[str, np.ndarray]:
        of, rows = self.of, self.rows
        row = {"image": of.names[rows], "group": of.groups[rows], "label": of.labels[rows]}
        return row | {"repeat": np.full(len(rows), of.trained.run.repeat)}

    def where(self, keep: np.ndarray) -> Looked:
        return Looked(self.of, self.rows[keep], self.pixels[keep], self.masks[keep])


def target_words(workshop: Workshop, name: str) -> tuple[str, ...]:
    """Which regions a map of this data set is to find; none where it has no outlines."""
    return TARGETS["phantom"] if workshop.data == "phantom" else TARGETS.get(name, ())


def looked_at(workshop: Workshop, of: Frozen, part: str = "test", most: int = 0, words: Sequence[str] = ()) -> Looked:
    """The images of a part, at most so many (0: all) evenly over their names, with masks of regions that begin with
    `words` (those that a map is to find).
    """
    spec, dataset = of.trained.fit.spec, workshop.dataset(of.trained.run.arm.variant)
    rows = of.rows(part)
    if most and len(rows) > most:
        order = rows[np.argsort(of.names[rows], kind="stable")]
        rows = np.sort(order[np.linspace(0, len(order) - 1, most).round().astype(int)])
    pixels, _ = workshop.pixels(dataset, spec.image_size, spec.crop)
    words = words or target_words(workshop, dataset.name)
    masks = np.zeros((len(rows), spec.image_size, spec.image_size), bool)
    if words:
        masks = workshop.named_regions(dataset, spec.image_size, spec.crop, words)[rows] > 0
    return Looked(of, rows, np.asarray(pixels[rows]), masks)


def explained(looked: Looked, head: Head, methods: Sequence[str] = METHODS, target=None) -> Explanation:
    """Maps of a head on these images, at the size of its finest level."""
    return explain(head.network(looked.of), looked.images, methods, target, LAYER, batch_size=BATCH)


def said(e: Explanation, labels: np.ndarray) -> dict[str, np.ndarray]:
    """What a head said: predicted, correct, confidence."""
    p = e.logits.double().softmax(1).numpy()
    predicted = p.argmax(1)
    return {"predicted": predicted, "correct": (predicted == labels).astype(float), "confidence": p.max(1)}


def large(e: Explanation, method: str, side: int) -> np.ndarray:
    """A method's maps at the images' size, signed, (N, S, S)."""
    return e.upsampled(method, LAYER, side, relu=False, scale=None).numpy()


def region_columns(maps: np.ndarray, masks: np.ndarray, cut: float = CUT) -> dict[str, np.ndarray]:
    """Of the region above a share of a map's maximum: its `area`, `iou` with the mask, `coverage` of the mask and
    `precision`, the share of the region in it; NaN where there is no region or no mask.
    """
    regions = find_regions(maps, "fraction", cut)
    inside, size = (regions.masks & masks).sum((1, 2)), regions.masks.sum((1, 2))
    total = masks.sum((1, 2))
    keep = regions.defined

    def share(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        return np.divide(top, bottom, out=np.full(len(top), np.nan), where=keep & (bottom > 0) & (total > 0))

    return {
        "area": regions.areas,
        "iou": share(inside, size + total - inside),
        "coverage": share(inside, total),
        "precision": share(inside, size),
    }


def found_columns(maps: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """How well a map finds its mask without a threshold: AUPRC, energy inside, pointing, IoU at the mask's own area."""
    return {
        "auprc": localisation.pixel_auprc(maps, masks),
        "energy_inside": localisation.energy_inside(maps, masks),
        "pointing": localisation.pointing_game(maps, masks, TOLERANCE * maps.shape[1]),
        "iou_matched": localisation.iou_at_matched_area(maps, masks),
    }


def map_table(
    looked: Sequence[Looked],
    heads: Sequence[Mapping[tuple[str, ...], Head]],
    choices: Sequence[tuple[str, ...]],
    methods: Sequence[str] = ("cam", "crm", "crm_mse_softmax"),
    target: int | None = None,
) -> pd.DataFrame:
    """Every method of every head: region at CUT of the maximum; of the best head also at ROOT of |map| (`area_root`),
    and how well it finds what it is to find. target: the class explained; None: the one that the head said.
    """
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        for levels in choices:
            e = explained(seen, made[levels], methods, target)
            row = seen.table() | said(e, seen.of.labels[seen.rows]) | {"head": short(levels)}
            for method in methods:
                maps = large(e, method, seen.side)
                columns = region_columns(maps, seen.masks)
                if levels == BEST:
                    columns |= found_columns(maps, seen.masks)
                    columns["area_root"] = find_regions(np.abs(maps), "fraction", ROOT).areas
                tables.append(pd.DataFrame(row | columns | {"method": method}))
    return pd.concat(tables, ignore_index=True)


def less(table: pd.DataFrame, weights: np.ndarray | None = None) -> float:
    """1 - mean of a over mean of b: where a single b may be tiny a mean of ratios would be that image's alone."""
    a, b = (np.average(table[name], weights=weights) for name in ("a", "b"))
    return float(1 - a / b) if b > 0 else float("nan")


def floor_table(workshop: Workshop, looked: Sequence[Looked], heads: Sequence[Mapping], levels=BEST) -> pd.DataFrame:
    """The same by maps that know nothing of the network: a bump in the middle, the mean mask of the training images of
    the class that was said, the darkest pixels (the os is one), edges, noise, CAM of random weights.
    """
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        e = explained(seen, made[levels], ("cam",))
        row = seen.table() | (told := said(e, seen.of.labels[seen.rows]))
        train, shape = looked_at(workshop, seen.of, "train"), seen.masks.shape
        labels = seen.of.labels[train.rows]
        means = np.stack([floors.class_mean_mask(train.masks[labels == c])[0] for c in (0, 1)])
        maps = {
            "centre": floors.centred_gaussian(shape),
            "class_mean": means[told["predicted"]],
            "darkest": floors.darkest(seen.pixels),
            "sobel": floors.sobel(seen.pixels),
            "random": floors.uniform_random(shape, seen.of.trained.run.seed),
            "random_weights": _random_weights(seen, made[levels], e.target),
        }
        for name, grid in maps.items():
            columns = found_columns(grid, seen.masks) | region_columns(grid, seen.masks)
            tables.append(pd.DataFrame(row | columns | {"map": name}))
    return pd.concat(tables, ignore_index=True)


def _random_weights(seen: Looked, head: Head, target: torch.Tensor) -> np.ndarray:
    """CAM of the same head's sizes on a pyramid, and with weights, that saw nothing."""
    from studylib.models.pyramid import on_levels

    random = random_network(seen.of.trained)
    generator = torch.Generator().manual_seed(seen.of.trained.run.seed)
    weight = torch.randn(head.weight.shape, generator=generator)
    network = on_levels(random, head.levels, weight, torch.zeros(2))
    e = explain(network, seen.images, "cam", target, LAYER, batch_size=BATCH)
    return large(e, "cam", seen.side)


def of(table: pd.DataFrame, method: str, levels: Sequence[str] = BEST, correct: bool = True) -> pd.DataFrame:
    """Rows of one map, images named right unless all are asked for."""
    rows = table[(table["method"] == method) & (table["head"] == short(levels))]
    return rows[rows["correct"] == 1] if correct else rows


def averaged(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """One row an image: networks that were tested on it averaged."""
    return table.groupby(["image", "group", "label"], as_index=False)[list(columns)].mean()


def beside(a: pd.DataFrame, b: pd.DataFrame, column: str) -> pd.DataFrame:
    """The same images by two maps, networks averaged: columns a and b; rows where either is undefined are left out."""
    both = a[[*KEYS, column]].merge(b[[*KEYS, column]], on=KEYS, suffixes=("_a", "_b")).dropna()
    rows = averaged(both, [f"{column}_a", f"{column}_b"])
    return rows.rename(columns={f"{column}_a": "a", f"{column}_b": "b"})


def against_floors(table: pd.DataFrame, floor_rows: pd.DataFrame, methods=("cam", "crm"), **how) -> dict[str, Estimate]:
    """AUPRC and pointing of the best head's maps minus each floor's, images named right, paired."""
    found = {}
    for method in methods:
        for name, some in floor_rows.groupby("map", sort=False):
            for measure in ("auprc", "pointing"):
                rows = beside(of(table, method), some, measure)
                text = f"{measure} of {method} minus {name.replace('_', ' ')}, images named right, paired"
                found[f"loc.{method}_minus_{name}.{measure}"] = difference_by(rows, "a", "b", how=text, **how)
    return found


def crm_against_cam(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """CRM minus CAM at one area (the primary comparison), by energy and precision at CUT, and at the cut that squaring
    makes of it; images named right, paired. The area of CRM's region as a share less than that of CAM's.
    """
    cam, found = of(table, "cam"), {}
    for method in ("crm", "crm_mse_softmax"):
        other = of(table, method)
        for measure in ("iou_matched", "auprc", "energy_inside", "precision", "coverage", "iou"):
            if other[measure].notna().any():
                rows = beside(other, cam, measure)
                text = f"{measure.replace('_', ' ')} of {method} minus CAM, images named right, paired"
                found[f"loc.{method}_minus_cam.{measure}"] = difference_by(rows, "a", "b", how=text, **how)
        rows = beside(other, cam, "area")
        text = f"1 - mean area of {method} over mean area of CAM, both at {CUT:g} of the maximum"
        found[f"area.{method}.reduction"] = statistic_by(rows, less, how=text, **how)
    both = cam.rename(columns={"area_root": "a"})[[*KEYS, "a"]].merge(
        of(table, "crm")[[*KEYS, "area"]].rename(columns={"area": "b"}), on=KEYS
    )
    rows = averaged(both, ["a", "b"])
    text = f"area of |CAM| at {ROOT:.3f} minus area of CRM at {CUT:g}, after upsampling"
    found["area.root_minus_crm"] = difference_by(rows, "a", "b", how=text, **how)
    return found


def means(table: pd.DataFrame, floor_rows: pd.DataFrame, measure: str = "auprc", **how) -> dict[str, Estimate]:
    """Mean of a measure for CAM, CRM and every floor, images named right."""
    found = {}
    for method in ("cam", "crm"):
        rows = averaged(of(table, method).dropna(subset=[measure]), [measure])
        found[method] = mean_by(rows, measure, how=f"{measure} of {method}", **how)
    for name, some in floor_rows[floor_rows["correct"] == 1].dropna(subset=[measure]).groupby("map", sort=False):
        found[name] = mean_by(averaged(some, [measure]), measure, how=f"{measure} of {name}", **how)
    return found


def shown(looked: Looked, head: Head, method: str) -> np.ndarray:
    """A method's maps for a figure, (N, S, S)."""
    return large(explained(looked, head, (method,)), method, looked.side)


def controls(looked: Looked, head: Head) -> dict[str, np.ndarray]:
    """Maps that stand beside in a figure: random weights, a bump in the middle, the darkest pixels."""
    e = explained(looked, head, ("cam",))
    return {
        "random weights": _random_weights(looked, head, e.target),
        "middle": floors.centred_gaussian(looked.masks.shape),
        "darkest": floors.darkest(looked.pixels),
    }


def choices(looked: Looked, heads: Mapping[tuple[str, ...], Head], most: int) -> dict[str, float]:
    """Mean pixel AUPRC of one network, images named right among its first ones, over levels, method, interpolation."""
    looked, found = looked.where(np.arange(len(looked.rows)) < most), {}
    for levels in SEVEN:
        e = explained(looked, heads[levels], ("cam", "crm"))
        keep = said(e, looked.of.labels[looked.rows])["correct"] == 1
        for method in ("cam", "crm"):
            for how in INTERPOLATIONS:
                values = localisation.pixel_auprc(upsampled(e[method], looked.side, how), looked.masks)[keep]
                found[f"{title(levels)}, {method}, {how}"] = float(np.nanmean(values)) if len(values) else float("nan")
    return {name: value for name, value in found.items() if np.isfinite(value)}
