"""Maps taken as segmenters: masks by thresholds, their IoU with the true outline, beside floors and a U-Net that was
told the outlines. One row an image and network; every arm is judged at one size, whatever its network takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain, prepare
from studylib.cam.explanation import Explanation
from studylib.cam.regions import level_of
from studylib.metrics import floors, localisation
from studylib.metrics.overlap import iou_above
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, TOLERANCE, Pictures, as_images, pictures_of, random_network
from studylib.study.train import Workshop

PERCENTILES = {"median": 50, "p75": 75, "p90": 90, "p95": 95}  # the source's, beside the mean
FURTHER = {"p97": 97, "p98": 98, "p985": 98.5, "p99": 99, "p995": 99.5, "p999": 99.9}
SHARE = 0.05  # of the image: what lies above the source's 95th percentile
BAD, GOOD = 0.01, 0.5  # the source's marks of a missed and of a found tumour
LAYER = "upper"
FLOORS = ("centre", "class_mean", "brightest", "sobel", "random")
MEASURES = ("iou_5", "iou_matched", "auprc", "energy_inside", "pointing")
FLOOR_MEASURES = ("iou_5", "auprc", "pointing")
PASSES = 10_000  # of a network, that Score-CAM may take
TOLD = ["image", "group", "label", "predicted", "correct", "repeat"]


@dataclass(frozen=True)
class Seen:
    """What a network sees (pixels at its own size) and what its maps are judged on (pictures at the study's size)."""

    trained: Trained
    pixels: np.ndarray
    pictures: Pictures

    @property
    def side(self) -> int:
        return self.pictures.masks.shape[-1]

    def where(self, keep: np.ndarray) -> Seen:
        return Seen(self.trained, self.pixels[keep], self.pictures.where(keep))


def seen_by(workshop: Workshop, trained: Trained, part: str = "test") -> Seen:
    """The images of a part of a network's split, with masks at the profile's image size."""
    run, spec = trained.run, trained.fit.spec
    rows = np.flatnonzero(workshop.split(run).part == part)
    dataset = workshop.dataset(run.arm.variant)
    pixels, _ = workshop.pixels(dataset, spec.image_size, spec.crop)
    pictures = pictures_of(workshop, dataset, rows, trained, size=workshop.profile.image_size)
    return Seen(trained, np.asarray(pixels[rows]), pictures)


def explained(seen: Seen, methods: Sequence[str] = ("cam",), layers: Sequence[str] = (LAYER,), target=None):
    """Maps of the predicted class (or of `target`) of every image. -> Explanation"""
    return explain(seen.trained.fit.model(), as_images(seen.pixels), methods, target, tuple(layers), batch_size=BATCH)


def large(e: Explanation, method: str, side: int, layer: str | None = None) -> np.ndarray:
    """A method's signed maps at the size at which they are judged, (N, side, side) float32."""
    return e.upsampled(method, layer, side, relu=False, scale=None).numpy()


def told(seen: Seen, e: Explanation) -> dict[str, np.ndarray]:
    """What the network said of every image, in columns: label, predicted, correct, confidence, area of the tumour."""
    p = e.logits.double().softmax(1).numpy()
    labels, predicted = seen.pictures.labels, p.argmax(1)
    return {
        "image": seen.pictures.names,
        "group": seen.pictures.groups,
        "label": labels,
        "predicted": predicted,
        "correct": (labels == predicted).astype(float),
        "confidence": p.max(1),
        "tumour": seen.pictures.masks.mean((1, 2)),
    }


def levels_of(maps: np.ndarray, percentiles: dict[str, float], rules: Sequence[str] = ("mean", "otsu")) -> dict:
    """Thresholds of every map: percentiles of its pixels and rules of `find_regions`. -> {name: (N,)}, NaN for a map
    without meaning.
    """
    found = {name: np.full(len(maps), np.nan) for name in (*rules, *percentiles)}
    for i, grid in enumerate(maps):
        if np.isfinite(grid).all() and grid.max() > grid.min():
            values = np.percentile(grid, list(percentiles.values()))
            for name, value in zip(percentiles, values, strict=True):
                found[name][i] = value
            for name in rules:
                found[name][i] = level_of(grid, name)
    return found


def overlaps(maps: np.ndarray, masks: np.ndarray, further: bool = True) -> dict[str, np.ndarray]:
    """IoU with the mask, and share of the image, of the pixels strictly above each threshold: columns `iou_p95`,
    `area_p95` and so on. `further`: beyond the source's five thresholds, which its own analysis stops at.
    """
    levels = levels_of(
        maps, PERCENTILES | FURTHER if further else PERCENTILES, ("mean", "otsu") if further else ("mean",)
    )
    columns = {}
    for name, (iou, area) in iou_above(maps, masks, levels).items():
        columns |= {f"iou_{name}": iou, f"area_{name}": area}
    return columns


def cam_table(
    workshop: Workshop, fits: Fits, arm: str, split: str = "group", part: str = "test", names: Sequence[str] = MEASURES
) -> pd.DataFrame:
    """The CAM of every network of an arm on its images: what the network said, IoU at every threshold, and by name what
    does not rest on one.
    """
    tables = []
    for t in fits.select(arm, split):
        seen = seen_by(workshop, t, part)
        e = explained(seen)
        maps = large(e, "cam", seen.side)
        columns = told(seen, e) | overlaps(maps, seen.pictures.masks) | measures(maps, seen.pictures.masks, names)
        tables.append(pd.DataFrame(columns).assign(repeat=t.run.repeat, fold=t.run.fold))
    return pd.concat(tables, ignore_index=True)


def measures(maps: np.ndarray, masks: np.ndarray, names: Sequence[str] = MEASURES) -> dict[str, np.ndarray]:
    """What needs no threshold, by name; `iou_5` is the IoU of the highest 5 %, ties by expectation."""
    side = masks.shape[-1]
    known = {
        "iou_5": lambda: localisation.iou_at_matched_area(maps, masks, round(SHARE * side * side)),
        "iou_matched": lambda: localisation.iou_at_matched_area(maps, masks),
        "auprc": lambda: localisation.pixel_auprc(maps, masks),
        "energy_inside": lambda: localisation.energy_inside(maps, masks),
        "pointing": lambda: localisation.pointing_game(maps, masks, TOLERANCE * side),
    }
    return {name: known[name]() for name in names}


def class_masks(workshop: Workshop, trained: Trained) -> np.ndarray:
    """Mean mask of each class over a network's training images, (classes, S, S): a map that knows the class alone."""
    seen = seen_by(workshop, trained, "train").pictures
    return np.stack([floors.class_mean_mask(seen.masks[seen.labels == c])[0] for c in np.unique(seen.labels)])


def floor_table(
    workshop: Workshop,
    fits: Fits,
    arm: str,
    table: pd.DataFrame,
    part: str = "test",
    names: Sequence[str] = FLOOR_MEASURES,
) -> pd.DataFrame:
    """Every floor on the images of an arm's networks, by some of `measures`. One row an image, network and `map`.

    table: `cam_table` of the same images, which says what each network called them. Floors that no network has a part
    in are measured once a fold; on test images the first network of each fold gives the CAM of random weights too.
    """
    tables, fixed = [], {}
    for t in fits.select(arm):
        rows = table.loc[table["repeat"] == t.run.repeat, TOLD].reset_index(drop=True)
        first_of_fold = t.run.fold not in fixed
        if first_of_fold:
            seen = seen_by(workshop, t, part)
            fixed[t.run.fold] = _fixed_floors(seen, class_masks(workshop, t), names)
        floors_of = dict(fixed[t.run.fold])
        means = floors_of.pop("class_mean")
        picked = rows["predicted"].to_numpy()
        floors_of["class_mean"] = {n: np.choose(picked, [mean[n] for mean in means]) for n in names}
        if first_of_fold and part == "test":
            said = torch.as_tensor(picked)
            random = explain(random_network(t), as_images(seen.pixels), "cam", said, LAYER, batch_size=BATCH)
            floors_of["random_weights"] = measures(large(random, "cam", seen.side), seen.pictures.masks, names)
        tables += [
            rows.assign(**floors_of[name], map=name) for name in (*FLOORS, "random_weights") if name in floors_of
        ]
    return pd.concat(tables, ignore_index=True)


def _fixed_floors(seen: Seen, means: np.ndarray, names: Sequence[str]) -> dict:
    """Measures of the floors on a fold's images; of the mean mask of each class in turn."""
    pictures, shape, masks = seen.pictures, seen.pictures.masks.shape, seen.pictures.masks
    maps = {
        "centre": floors.centred_gaussian(shape),
        "brightest": floors.brightest(pictures.pixels),
        "sobel": floors.sobel(pictures.pixels),
        "random": floors.uniform_random(shape, seen.trained.run.seed),
    }
    found = {name: measures(made, masks, names) for name, made in maps.items()}
    return found | {"class_mean": [measures(np.broadcast_to(mean, shape), masks, names) for mean in means]}


def methods_table(
    workshop: Workshop, fits: Fits, arm: str, methods: Sequence[str], layers: Sequence[str], most: int
) -> pd.DataFrame:
    """IoU at the source's threshold and at the tumour's own area, and AUPRC, of every method and layer, predicted
    class; at most so many images of the first network of each fold, evenly over names. One row an image, network,
    method and layer.
    """
    tables = []
    for t in firsts(fits, arm):
        seen = first(seen_by(workshop, t), most)
        e = explained(seen, methods, layers)
        row = told(seen, e) | {"repeat": t.run.repeat}
        for method, layer in e.maps:
            maps, masks = large(e, method, seen.side, layer), seen.pictures.masks
            found = {"iou_p95": overlaps(maps, masks, further=False)["iou_p95"]} | measures(maps, masks)
            tables.append(pd.DataFrame(row | found | {"method": method, "layer": layer}))
    return pd.concat(tables, ignore_index=True)


def firsts(fits: Fits, arm: str) -> list[Trained]:
    """The first network of each fold: where more would take long and add little."""
    networks = fits.select(arm)
    return [t for place, t in enumerate(networks) if t.run.fold not in {other.run.fold for other in networks[:place]}]


def first(seen: Seen, most: int) -> Seen:
    """At most so many images, evenly over the names in order, so that classes and people are mixed as in all."""
    order = np.argsort(seen.pictures.names, kind="stable")
    return seen.where(np.sort(order[np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)]))


@torch.inference_mode()
def unet_table(workshop: Workshop, fits: Fits, arm: str) -> pd.DataFrame:
    """What the U-Net outlines on its test images: IoU at probability 1/2 and at the tumour's own area, at the size at
    which maps are judged.
    """
    tables = []
    for t in fits.select(arm):
        seen, model = seen_by(workshop, t), t.fit.model()
        images = as_images(seen.pixels)
        logits = torch.cat([model(images[i : i + BATCH]) for i in range(0, len(images), BATCH)])
        maps = torch.nn.functional.interpolate(logits, size=(seen.side, seen.side), mode="bilinear")[:, 0].numpy()
        found, masks = maps > 0, seen.pictures.masks
        total = (found | masks).sum((1, 2))
        row = {"image": seen.pictures.names, "group": seen.pictures.groups, "label": seen.pictures.labels}
        iou = np.divide((found & masks).sum((1, 2)), total, out=np.full(len(total), np.nan), where=total > 0)
        tables.append(pd.DataFrame(row | {"iou": iou} | measures(maps, masks)).assign(repeat=t.run.repeat))
    return pd.concat(tables, ignore_index=True)


def averaged(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """One row an image: networks that were tested on it averaged."""
    return table.groupby(["image", "group", "label"], as_index=False)[list(columns)].mean()


def common(workshop: Workshop, trained: Trained, most: int):
    """A function from a network to the same pictures at its own size: test images of `trained`, at most so many."""
    rows = np.flatnonzero(workshop.split(trained.run).part == "test")
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]

    def at(other: Trained) -> Pictures:
        return pictures_of(workshop, workshop.dataset(other.run.arm.variant), rows, other)

    return at


def beside_scorecam(seen: Seen, most: int) -> pd.DataFrame:
    """Score-CAM beside CAM at the last layer: means over images of one network, at most so many and no more than PASSES
    allow, since it takes a pass a channel.
    """
    model = seen.trained.fit.model()
    some = first(seen, min(most, max(2, PASSES // _channels(model))))
    e = explain(prepare(model), as_images(some.pixels), ("cam", "scorecam"), None, LAYER, batch_size=64)
    rows = {}
    for method in ("cam", "scorecam"):
        maps = large(e, method, some.side)
        found = measures(maps, some.pictures.masks) | overlaps(maps, some.pictures.masks, further=False)
        rows[method] = {name: np.nanmean(found[name]) for name in ("iou_p95", "iou_matched", "auprc", "pointing")}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"{len(some.pixels)} images")


def _channels(model: torch.nn.Module) -> int:
    """How many channels the head sees."""
    return next(m.in_features for m in model.fc.modules() if isinstance(m, torch.nn.Linear))
