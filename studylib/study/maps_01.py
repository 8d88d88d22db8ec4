"""What study 1 measures of its maps: energy by region of the cell, the nucleus found or not, beside floors; by method
and layer, paired by cell. One row a cell, network, method and layer; the class is the one that the network said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from studylib.cam import explain
from studylib.data.dataset import Dataset
from studylib.metrics import floors, localisation
from studylib.metrics.intervals import Estimate, auroc_by, difference_by, mean_by
from studylib.metrics.maps import defined, positive
from studylib.study.cells_01 import CELL
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, TOLERANCE, as_images, random_network
from studylib.study.methods import INTERPOLATIONS, upsampled
from studylib.study.segmenting import LAYER, Seen, averaged, explained, firsts, large, measures, seen_by, told
from studylib.study.train import Workshop

METHODS = ("cam", "gradcam", "gradcam++")
FLOORS = ("centre", "class_mean", "darkest", "sobel", "random")
NAMES = ("auprc", "iou_matched", "energy_inside", "pointing")
KEYS = ["image", "group", "label", "repeat"]


def regions_of(workshop: Workshop, trained: Trained, part: str = "test", variant: str = "") -> np.ndarray:
    """Regions of the cells of a part, as the network's pictures are brought to the study's size, uint8 (N, S, S)."""
    spec, rows = trained.fit.spec, np.flatnonzero(workshop.split(trained.run).part == part)
    dataset = workshop.dataset(variant or trained.run.arm.variant)
    return workshop.regions(dataset, workshop.profile.image_size, spec.crop)[rows]


def region_names(dataset: Dataset) -> dict[int, str]:
    """What each value of a mask is in one word, background first; the first word of what the set calls it."""
    return {0: "background"} | {value: name.split()[0] for value, name in dataset.regions.items() if value}


def energies(maps: np.ndarray, regions: np.ndarray, names: Mapping[int, str]) -> dict[str, np.ndarray]:
    """Share of each map's positive part in every region (`energy_<name>`) and that region's share of the picture
    (`area_<name>`); NaN for a map without a positive part. maps: (N, S, S) signed; regions: uint8 (N, S, S)
    """
    keep = defined(maps)
    mass = positive(maps, keep)
    total = mass.sum((1, 2))
    found = {}
    for value, name in names.items():
        inside = regions == value
        part = np.divide((mass * inside).sum((1, 2)), total, out=np.full(len(maps), np.nan), where=keep & (total > 0))
        found |= {f"energy_{name}": part, f"area_{name}": inside.mean((1, 2))}
    return found


def on_cell(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Whether each map peaks on the cell (nucleus or cytoplasm), with the pointing game's tolerance; (N,), NaN where
    undefined.
    """
    return localisation.pointing_game(maps, np.isin(regions, CELL), TOLERANCE * maps.shape[1])


def map_table(
    workshop: Workshop,
    fits: Fits,
    arm: str,
    methods: Sequence[str] = METHODS,
    layers: Sequence[str] = (LAYER,),
    part: str = "test",
    networks: Sequence[Trained] | None = None,
) -> pd.DataFrame:
    """Every method and layer of the networks of an arm on their cells: what the network said, the nucleus found, energy
    by region. Maps that a head does not allow are left out.
    """
    tables = []
    for t in fits.select(arm) if networks is None else networks:
        seen, regions = seen_by(workshop, t, part), regions_of(workshop, t, part)
        named = region_names(workshop.dataset(t.run.arm.variant))
        e = explained(seen, methods, layers)
        row = told(seen, e) | {"repeat": t.run.repeat}
        for method, layer in e.maps:
            maps = large(e, method, seen.side, layer)
            columns = measures(maps, seen.pictures.masks, NAMES) | energies(maps, regions, named)
            columns |= {"on_cell": on_cell(maps, regions), "method": method, "layer": layer}
            tables.append(pd.DataFrame(row | columns))
    return pd.concat(tables, ignore_index=True)


def of(table: pd.DataFrame, method: str, layer: str = LAYER, correct: bool = True) -> pd.DataFrame:
    """Rows of one map, cells named right unless all are asked for."""
    rows = table[(table["method"] == method) & (table["layer"] == layer)]
    return rows[rows["correct"] == 1] if correct else rows


def floor_rows(
    workshop: Workshop, fits: Fits, arm: str, part: str = "test", more: Callable[[Seen], dict] = lambda seen: {}
) -> pd.DataFrame:
    """The first region found by maps that know nothing of the network: a bump in the middle, the mean region of the
    named class over training images, the darkest pixels, edges, noise, and by name what `more` makes of the images; on
    test images the CAM of random weights too. One row an image, network and `map`.
    """
    tables = []
    for t in firsts(fits, arm):
        seen = seen_by(workshop, t, part)
        e = explained(seen)
        row, shape = told(seen, e) | {"repeat": t.run.repeat}, seen.pictures.masks.shape
        train = seen_by(workshop, t, "train").pictures
        means = np.stack([floors.class_mean_mask(train.masks[train.labels == c])[0] for c in np.unique(train.labels)])
        maps = {
            "centre": floors.centred_gaussian(shape),
            "class_mean": means[row["predicted"]],
            "darkest": floors.darkest(seen.pictures.pixels),
            "sobel": floors.sobel(seen.pictures.pixels),
            "random": floors.uniform_random(shape, t.run.seed),
        } | more(seen)
        if part == "test":
            images = as_images(seen.pixels)
            random = explain(random_network(t), images, "cam", e.target, LAYER, batch_size=BATCH)
            maps["random_weights"] = large(random, "cam", seen.side)
        tables += [
            pd.DataFrame(row | measures(made, seen.pictures.masks, NAMES) | {"map": name})
            for name, made in maps.items()
        ]
    return pd.concat(tables, ignore_index=True)


def against_floors(
    table: pd.DataFrame, floor_table: pd.DataFrame, chosen: Mapping[int, str], **how
) -> dict[str, Estimate]:
    """CAM minus every floor, cells named right, paired by cell: AUPRC, pointing, IoU and energy at the nucleus's area.
    The primary comparison is that against the floor that each network's validation cells chose. chosen: {repeat: floor}
    """
    found, ours = {}, of(table, "cam")
    for name, some in floor_table.groupby("map", sort=False):
        both = ours.merge(some, on=KEYS, suffixes=("_a", "_b"))
        for measure in NAMES:
            rows = averaged(both, [f"{measure}_a", f"{measure}_b"])
            text = f"{measure} of CAM minus {name.replace('_', ' ')}, nucleus, cells named right, paired"
            found[f"loc.cam_minus_{name}.{measure}"] = difference_by(
                rows, f"{measure}_a", f"{measure}_b", how=text, **how
            )
    picked = floor_table[floor_table["map"] == floor_table["repeat"].map(chosen)]
    rows = averaged(ours.merge(picked, on=KEYS, suffixes=("_a", "_b")), ["auprc_a", "auprc_b"])
    text = "auprc of CAM minus the floor that each network's validation cells chose, nucleus, cells named right, paired"
    found["primary.cam_minus_floor.auprc"] = difference_by(rows, "auprc_a", "auprc_b", how=text, **how)
    return found


def floor_means(table: pd.DataFrame, floor_table: pd.DataFrame, measure: str = "auprc", **how) -> dict[str, Estimate]:
    """Mean of a measure for the three maps and every floor, cells named right."""
    found = {}
    for method in METHODS:
        rows = averaged(of(table, method), [measure])
        found[method] = mean_by(rows, measure, how=f"{measure} of {method}, nucleus", **how)
    for name, some in floor_table[floor_table["correct"] == 1].groupby("map", sort=False):
        found[name] = mean_by(averaged(some, [measure]), measure, how=f"{measure} of {name}, nucleus", **how)
    return found


def against_each_other(table: pd.DataFrame, layers: Sequence[str], **how) -> dict[str, Estimate]:
    """Grad-CAM minus CAM, Grad-CAM++ minus Grad-CAM and minus CAM at the last layer, Grad-CAM++ minus Grad-CAM at the
    earlier ones; cells named right, paired by cell; AUPRC, pointing, IoU and energy at the nucleus's area.
    """
    pairs = [("gradcam", "cam", layers[-1]), ("gradcam++", "cam", layers[-1])]
    pairs += [("gradcam++", "gradcam", layer) for layer in layers]
    found = {}
    for a, b, layer in pairs:
        both = of(table, a, layer).merge(of(table, b, layer), on=KEYS, suffixes=("_a", "_b"))
        where = "" if layer == layers[-1] else f"_{layer.replace('.', '_')}"
        for measure in NAMES:
            rows = averaged(both, [f"{measure}_a", f"{measure}_b"])
            text = f"{measure} of {a} minus {b} at {layer}, nucleus, paired by cell"
            name = f"loc.{a.replace('++', 'pp')}_minus_{b}{where}.{measure}"
            found[name] = difference_by(rows, f"{measure}_a", f"{measure}_b", how=text, **how)
    return found


def by_region(table: pd.DataFrame, names: Sequence[str], method: str = "cam", **how) -> dict[str, Estimate]:
    """Share of a map's energy in every region minus the region's share of the picture, cells named right; above 0 the
    map marks it more than a map drawn blindly would.
    """
    columns = [f"{kind}_{name}" for name in names for kind in ("energy", "area")]
    rows = averaged(of(table, method), columns)
    return {
        f"region.{method.replace('++', 'pp')}.{name}.energy_minus_area": difference_by(
            rows, f"energy_{name}", f"area_{name}", how=f"{method} energy on {name} minus its area", **how
        )
        for name in names
    }


def region_means(
    table: pd.DataFrame, names: Sequence[str], classes: Sequence[str], method: str = "cam"
) -> pd.DataFrame:
    """Per cent of a map's energy on every region by class, the region's per cent of the picture beside it."""
    rows = of(table, method)
    means = 100 * rows.groupby("label")[[f"{k}_{n}" for n in names for k in ("energy", "area")]].mean()
    shown = pd.DataFrame(index=[classes[i].replace("_", " ") for i in means.index])
    for name in names:
        energy, area = means[f"energy_{name}"], means[f"area_{name}"]
        shown[f"{name}: energy (area), %"] = [f"{e:.0f} ({a:.0f})" for e, a in zip(energy, area, strict=True)]
    return shown.rename_axis("class")


def deceptive(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Cells named right whose map peaks on no part of the cell; and whether that tells a wrong name."""
    found = {}
    for method in METHODS:
        rows = averaged(of(table, method), ["on_cell"]).assign(off=lambda t: 1 - t["on_cell"])
        text = f"{method} peaks off the cell, cells named right"
        found[f"deceptive.{method.replace('++', 'pp')}.peak_off_cell"] = mean_by(rows, "off", how=text, **how)
    rows = of(table, "cam", correct=False).dropna(subset=["on_cell", "energy_nucleus"])
    rows = rows.assign(wrong=(rows["correct"] == 0).astype(int), off=1 - rows["on_cell"], doubt=-rows["confidence"])
    rows = rows.assign(away=-(rows["energy_nucleus"] + rows["energy_cytoplasm"]))
    for name, column in (("energy", "away"), ("doubt", "doubt")):
        text = f"AUROC of {name} (less on the cell) for a wrong name"
        found[f"agreement.{name}.auroc_for_error"] = auroc_by(rows, "wrong", column, how=text, **how)
    return found


def choices(seen: Seen, layers: Sequence[str]) -> dict[str, float]:
    """Mean pixel AUPRC of one network, cells named right, over method, layer and interpolation."""
    e = explained(seen, METHODS, layers)
    keep, found = told(seen, e)["correct"] == 1, {}
    for method, layer in e.maps:
        for how in INTERPOLATIONS:
            maps = upsampled(e[method, layer], seen.side, how)
            found[f"{method}, {layer}, {how}"] = float(
                np.nanmean(localisation.pixel_auprc(maps, seen.pictures.masks)[keep])
            )
    return found


def shown_maps(seen: Seen, layers: Sequence[str]) -> tuple[dict[str, np.ndarray], dict]:
    """The three maps at every layer, a floor and random weights, for a figure, and what the network said."""
    e = explained(seen, METHODS, layers)
    maps = {f"{m} {layer}": large(e, m, seen.side, layer) for m, layer in e.maps}
    random = explain(random_network(seen.trained), as_images(seen.pixels), "cam", e.target, LAYER, batch_size=BATCH)
    maps["random weights"] = large(random, "cam", seen.side)
    maps["darkest"] = floors.darkest(seen.pictures.pixels)
    return maps, told(seen, e)
