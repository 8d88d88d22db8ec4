"""Study 5's maps across layers: how sharp, how close to the lesion, how much of them off it. One row an image, network,
method and layer; the class is the one that the network said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from studylib.cam import explain, prepare
from studylib.cam.regions import find_regions, matched_area
from studylib.metrics import concentration, floors, localisation
from studylib.metrics.boundary import boundary_f1
from studylib.metrics.intervals import Estimate, difference_by, mean_by
from studylib.metrics.maps import defined
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, TOLERANCE, as_images
from studylib.study.maps_01 import floor_rows
from studylib.study.methods import INTERPOLATIONS, upsampled
from studylib.study.occlusion import grown
from studylib.study.segmenting import LAYER, Seen, averaged, explained, first, firsts, large, seen_by, told
from studylib.study.train import Workshop

METHODS = ("gradcam", "gradcam++", "scorecam")
LAYERS = ("layer1", "layer3", "layer4")  # the source's, of a ResNet: strides 4, 16 and 32
SAME = {  # of each architecture what has those strides, or comes nearest
    "small": ("relu1", "relu3"),
    "resnet18": ("layer1", "layer3"),
    "resnet50": ("layer1", "layer3"),
    "mobilenet_v2": ("features_3", "features_13"),
    "efficientnet_b0": ("features_2", "features_5"),
}
FLOORS = ("centre", "class_mean", "darkest", "blue", "sobel", "random")
FOUND = ("auprc", "iou_matched", "energy_inside", "pointing", "iou_50", "boundary_f1")
SHARP = ("area_50", "entropy", "half_area", "variation")
KEYS = ["image", "group", "label", "repeat"]
EDGE = 5 / 224  # of the side: how near a border counts as found
PASSES = 80  # of a network for each map image, that Score-CAM may take at one layer: it takes one a channel and image


def layers_of(trained: Trained) -> dict[str, str]:
    """The source's names of layers -> where they are in a network, as `explain` takes them."""
    model = trained.fit.model()
    architecture = dict(trained.fit.spec.options)["architecture"]
    where = {
        name: f"{part}.{name}"
        for part in ("trunk", "upper") if hasattr(model, part)
        for name, _ in getattr(model, part).named_children()
    }  # fmt: skip
    return dict(zip(LAYERS, (*(where[name] for name in SAME[architecture]), LAYER), strict=True))


def map_table(workshop: Workshop, fits: Fits, arm: str, most: int) -> pd.DataFrame:
    """Every method at every layer, the first network of each fold, at most so many images of each; of Score-CAM as many
    of them as its passes allow.
    """
    tables, networks = [], firsts(fits, arm)
    for t in networks:
        seen, named, model = first(seen_by(workshop, t), most), layers_of(t), prepare(t.fit.model())
        asked = [(METHODS[:2], tuple(named.values()), seen)]
        asked += [
            (METHODS[2:], (place,), drawn(seen, affordable(t, place, most, len(networks)))) for place in named.values()
        ]
        for methods, places, some in asked:
            e = explain(model, as_images(some.pixels), methods, None, places, batch_size=BATCH)
            row = told(some, e) | {"repeat": t.run.repeat}
            for method, place in e.maps:
                columns = columns_of(large(e, method, some.side, place), some)
                name = next(name for name, other in named.items() if other == place)
                tables.append(pd.DataFrame(row | columns | {"method": method, "layer": name}))
    return pd.concat(tables, ignore_index=True)


def drawn(seen: Seen, most: int) -> Seen:
    """At most so many images in one order by lot, so that fewer of them are among more of them: they pair."""
    keep = np.zeros(len(seen.pixels), bool)
    keep[np.random.default_rng(0).permutation(len(keep))[:most]] = True
    return seen.where(keep)


@torch.inference_mode()
def affordable(trained: Trained, layer: str, most: int, networks: int = 1) -> int:
    """How many images of one of so many networks Score-CAM can have at a layer, at most `most`, at least two."""
    model, seen = trained.fit.model(), []
    model.get_submodule(layer).register_forward_hook(lambda _, __, out: seen.append(out.shape[1]))
    model(torch.zeros(1, 3, trained.fit.spec.image_size, trained.fit.spec.image_size))
    return max(2, min(most, PASSES * most // networks // seen[0]))


def columns_of(maps: np.ndarray, seen: Seen) -> dict[str, np.ndarray]:
    """All that is measured of maps (N, S, S), signed, of these images."""
    masks, side = seen.pictures.masks, seen.side
    half = find_regions(maps, "fraction", 0.5)
    own = matched_area(maps, masks.sum((1, 2)))
    outside = 1 - localisation.energy_inside(maps, grown(masks))
    return {
        "auprc": localisation.pixel_auprc(maps, masks),
        "iou_matched": localisation.iou_at_matched_area(maps, masks),
        "energy_inside": localisation.energy_inside(maps, masks),
        "pointing": localisation.pointing_game(maps, masks, TOLERANCE * side),
        "iou_50": localisation.iou(half.masks, masks) + np.where(half.defined, 0, np.nan),
        "boundary_f1": boundary_f1(own.masks, masks, EDGE * side),
        "outside": np.where(masks.any((1, 2)), outside, np.nan),
        "area_50": half.areas,
        "entropy": concentration.entropy(maps),
        "half_area": concentration.half_mass_area(maps),
        "variation": concentration.total_variation(maps),
        "sobel": rank_correlation(maps, floors.sobel(seen.pictures.pixels)),
    }


def rank_correlation(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's correlation of two maps of each image, (N,); NaN where one is flat or holds NaN."""
    found, keep = np.full(len(maps), np.nan), defined(maps, ranks=True) & defined(others, ranks=True)
    for i in np.flatnonzero(keep):
        found[i] = np.corrcoef(rankdata(maps[i].ravel()), rankdata(others[i].ravel()))[0, 1]
    return found


def of(table: pd.DataFrame, method: str, layer: str = LAYERS[-1]) -> pd.DataFrame:
    return table[(table["method"] == method) & (table["layer"] == layer)]


def short(method: str) -> str:
    """A method's name in metrics."""
    return method.replace("++", "pp")


def means(table: pd.DataFrame, names: Sequence[str] = (*FOUND, "outside", *SHARP, "sobel"), **how) -> dict:
    """Mean of every measure, method and layer, all images."""
    return {
        f"map.{short(method)}.{layer}.{name}": mean_by(
            averaged(of(table, method, layer), [name]), name, how=f"{name} of {method} at {layer}", **how
        )
        for method in METHODS
        for layer in LAYERS
        for name in names
    }


def tidy(found: Mapping[str, Estimate]) -> pd.DataFrame:
    """Estimates called `what.of.measure` as a table for the page: a row for each `what.of`, a column a measure."""
    rows: dict[str, dict[str, str]] = {}
    for name, e in found.items():
        what, measure = name.split(".", 1)[1].rsplit(".", 1)
        rows.setdefault(what, {})[measure] = f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("maps")


def contrast(first_rows: pd.DataFrame, second_rows: pd.DataFrame, measure: str, text: str, **how) -> Estimate:
    """A measure of one map minus of another, paired by image and network, networks averaged."""
    both = first_rows.merge(second_rows, on=KEYS, suffixes=("_a", "_b"))
    rows = averaged(both, [f"{measure}_a", f"{measure}_b"])
    return difference_by(rows, f"{measure}_a", f"{measure}_b", how=f"{measure}, {text}, paired by image", **how)


def between_methods(table: pd.DataFrame, layer: str = LAYERS[-1], **how) -> dict[str, Estimate]:
    """Grad-CAM++ and Score-CAM minus Grad-CAM, and Grad-CAM++ minus Score-CAM, at one layer: all measures."""
    found = {}
    for a, b in (("gradcam++", "gradcam"), ("scorecam", "gradcam"), ("gradcam++", "scorecam")):
        for name in (*FOUND, "outside", *SHARP):
            text = f"{a} minus {b} at {layer}"
            made = contrast(of(table, a, layer), of(table, b, layer), name, text, **how)
            found[f"loc.{short(a)}_minus_{short(b)}.{name}"] = made
    return found


def between_layers(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Layer 4 minus 3, 3 minus 1 and 4 minus 1 of every method: where they lie, how broad, how like edges."""
    found = {}
    for method in METHODS:
        for a, b in ((2, 1), (1, 0), (2, 0)):
            high, low = LAYERS[a], LAYERS[b]
            for name in ("iou_matched", "energy_inside", "boundary_f1", "area_50", "sobel"):
                rows = (of(table, method, layer) for layer in (high, low))
                text = f"{method}, {high} minus {low}"
                found[f"layer.{short(method)}.{high}_minus_{low}.{name}"] = contrast(*rows, name, text, **how)
    return found


def blue(seen: Seen) -> dict[str, np.ndarray]:
    """Darkness in blue, where pigment absorbs most: what segments lesions without any network."""
    return {"blue": 255.0 - seen.pictures.pixels[..., 2]}


def floors_of(workshop: Workshop, fits: Fits, arm: str, part: str = "test") -> pd.DataFrame:
    """Floors on the images of the first network of each fold, those of `maps_01.floor_rows` and darkness in blue."""
    return floor_rows(workshop, fits, arm, part, blue)


def against_floors(
    table: pd.DataFrame, floor_table: pd.DataFrame, chosen: Mapping[int, str], **how
) -> dict[str, Estimate]:
    """Every method at the last layer minus every floor, and minus the floor that each network's validation images
    chose; IoU at the lesion's own area, pixel AUPRC, pointing.
    """
    found = {}
    picked = floor_table[floor_table["map"] == floor_table["repeat"].map(chosen)]
    named = {name: some for name, some in floor_table.groupby("map", sort=False)} | {"chosen_floor": picked}
    for method in METHODS:
        for name, rows in named.items():
            for measure in ("iou_matched", "auprc", "pointing"):
                text = f"{method} minus {name.replace('_', ' ')}"
                made = contrast(of(table, method), rows, measure, text, **how)
                found[f"loc.{short(method)}_minus_{name}.{measure}"] = made
    return found


def mostly(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """How often a map peaks on the lesion, and how often more than half of its energy lies there."""
    found = {}
    for method in METHODS:
        rows = of(table, method).dropna(subset=["energy_inside"])
        rows = averaged(rows.assign(inside=(rows["energy_inside"] > 0.5).astype(float)), ["inside"])
        text = f"{method} with more than half of its energy on the lesion"
        found[f"mostly.{short(method)}.energy"] = mean_by(rows, "inside", how=text, **how)
        rows = averaged(of(table, method), ["pointing"])
        found[f"mostly.{short(method)}.pointing"] = mean_by(rows, "pointing", how=f"{method} peaks on it", **how)
    return found


def choices(seen: Seen, layers: Mapping[str, str]) -> dict[str, float]:
    """Mean pixel AUPRC of one network over method, layer and interpolation, Score-CAM left out."""
    e, found = explained(seen, METHODS[:2], tuple(layers.values())), {}
    names = {place: name for name, place in layers.items()}
    for method, layer in e.maps:
        for how in INTERPOLATIONS:
            maps = upsampled(e[method, layer], seen.side, how)
            values = localisation.pixel_auprc(maps, seen.pictures.masks)
            found[f"{method}, {names[layer]}, {how}"] = float(np.nanmean(values))
    return found
