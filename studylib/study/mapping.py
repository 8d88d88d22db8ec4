"""Maps of trained networks on images that they were not trained on, scored against masks beside their floors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain, prepare
from studylib.data.dataset import Dataset
from studylib.metrics import floors, localisation
from studylib.metrics.faithfulness import deletion_and_insertion
from studylib.metrics.intervals import Estimate, difference_by, mean_by
from studylib.study.fits import Fits, Trained
from studylib.study.train import Workshop

HEAD = 0.1  # pixels brighter than this share of white count as head, not as air
MEASURES = ("auprc", "pixel_auroc", "energy_inside", "pointing", "iou_matched")
BATCH = 64  # images in one pass
TOLERANCE = 15 / 224  # of the pointing game, as a share of the side


@dataclass(frozen=True)
class Pictures:
    """Images as a network saw none of them in training: pixels uint8 (N, S, S[, 3]); masks bool (N, S, S); names,
    groups, labels.
    """

    names: np.ndarray
    groups: np.ndarray
    labels: np.ndarray
    pixels: np.ndarray
    masks: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def where(self, keep: np.ndarray) -> Pictures:
        return Pictures(*(a[keep] for a in (self.names, self.groups, self.labels, self.pixels, self.masks)))

    @property
    def head(self) -> np.ndarray:
        """Pixels that are not air, bool (N, S, S)."""
        grey = self.pixels if self.pixels.ndim == 3 else self.pixels.mean(-1)
        return grey > HEAD * 255


def held_out(workshop: Workshop, trained: Trained, variant: str = "") -> Pictures:
    """The test images of a network, with masks where the set has them; of a `variant` of the phantoms, where one is
    named.
    """
    run = trained.run
    rows = np.flatnonzero(workshop.split(run).part == "test")
    dataset = workshop.dataset(variant or run.arm.variant)
    return pictures_of(workshop, dataset, rows, trained)


def pictures_of(
    workshop: Workshop, dataset: Dataset, rows: np.ndarray, trained: Trained, group: str = "", size: int = 0
) -> Pictures:
    """Rows of a data set as the network takes them, or at another size, at which its maps are judged. A set of other
    classes than the study's has the positive label throughout.
    """
    spec = trained.fit.spec
    size = size or spec.image_size
    pixels, _ = workshop.pixels(dataset, size, spec.crop)
    known = set(dataset.classes) == set(workshop.dataset(trained.run.arm.variant).classes)
    labels = workshop.labels(dataset)[0] if known else np.ones(len(dataset), int)
    chosen = dataset.select(rows)
    has_masks = "mask" in dataset.table and (chosen.table["mask_file"] != "").all()
    masks = workshop.masks(dataset, size, spec.crop)[rows] if has_masks else np.zeros((len(rows), size, size), bool)
    names = dataset.table["image"].to_numpy().astype(str)[rows]
    groups = dataset.groups(group or workshop.settings.group)[rows]
    return Pictures(names, groups, labels[rows], np.asarray(pixels[rows]), masks)


def as_images(pixels: np.ndarray) -> torch.Tensor:
    """Pixels as a network takes them. uint8 (N, S, S[, 3]) -> float32 (N, 3, S, S) in [0, 1], channels last: pooling is
    several times faster so.
    """
    images = torch.as_tensor(np.ascontiguousarray(pixels)).float().div(255)
    images = images[:, None].expand(-1, 3, -1, -1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last)


def class_maps(model: torch.nn.Module, pixels: np.ndarray, method: str = "cam", layer=None, target=1):
    """Raw maps for the positive class (`target`: another, or one a picture) and the last logit. -> (maps (N, h, w)
    signed, upsampled (N, S, S) signed, logits (N,)), float32
    """
    e = explain(model, as_images(pixels), (method,), target=target, layers=layer, batch_size=BATCH)
    large = e.upsampled(method, relu=False, scale=None)
    return e[method].numpy(), large.numpy(), e.logits[:, -1].numpy()


def floor_maps(pictures: Pictures, mean_mask: np.ndarray | None = None, seed: int = 0) -> dict[str, np.ndarray]:
    """Maps that no network made: centre, mean training mask, brightest head pixels, edges, noise; each (N, S, S)."""
    shape = pictures.masks.shape
    found = {"centre": floors.centred_gaussian(shape)}
    if mean_mask is not None:
        found["mean_mask"] = np.broadcast_to(mean_mask, shape)
    found["brightest"] = floors.brightest(pictures.pixels, inside=pictures.head)
    found["sobel"] = floors.sobel(pictures.pixels)
    found["random"] = floors.uniform_random(shape, seed)
    return found


def score(maps: np.ndarray, pictures: Pictures) -> pd.DataFrame:
    """One row an image: how well its map finds its mask; NaN where undefined. maps: (N, S, S) signed"""
    masks, head = pictures.masks, pictures.head
    area = np.full(len(maps), np.nan)
    for i in range(len(maps)):  # tumour against other head pixels: air is easy
        inside = head[i] | masks[i]
        area[i] = localisation.pixel_auroc(maps[i][inside][None, None], masks[i][inside][None, None])[0]
    tolerance = TOLERANCE * maps.shape[1]
    values = {
        "auprc": localisation.pixel_auprc(maps, masks),
        "pixel_auroc": area,
        "energy_inside": localisation.energy_inside(maps, masks),
        "pointing": localisation.pointing_game(maps, masks, tolerance),
        "iou_matched": localisation.iou_at_matched_area(maps, masks),
        "prevalence": localisation.prevalence(masks),
    }
    table = pd.DataFrame({"image": pictures.names, "group": pictures.groups} | values)
    return table.assign(reason=[r or "" for r in localisation.reasons(maps, masks, ranks=True)])


def random_network(trained: Trained) -> torch.nn.Module:
    """The same architecture with weights that saw nothing, gate on as in training."""
    from studylib.models.registry import build

    with torch.random.fork_rng():
        torch.manual_seed(trained.run.seed + 1_000_003)
        spec = trained.fit.spec
        scratch = {"pretrained": False} if spec.model in ("staged", "pyramid") else {}
        model = build(spec.model, **dict(spec.options) | scratch)
    if hasattr(model, "begin_epoch"):
        model.begin_epoch(1, 0)
    return model.eval()


def localisation_table(
    workshop: Workshop, fits: Fits, arms: Iterable[str], pictures_for, split: str = "group", with_floors: str = "cam"
) -> pd.DataFrame:
    """One row an image x network x map: the arms' own CAM, and beside the arm `with_floors` its floors and a network
    of random weights.

    pictures_for: network -> Pictures with masks.
    """
    tables = []
    for arm in arms:
        for t in fits.select(arm, split):
            pictures = pictures_for(t)
            maps = {arm: class_maps(t.fit.model(), pictures.pixels)[1]}
            if arm == with_floors:
                maps |= floor_maps(pictures, seed=t.run.seed)
                maps["random_weights"] = class_maps(random_network(t), pictures.pixels)[1]
            for name, found in maps.items():
                tables.append(score(found, pictures).assign(map=name, repeat=t.run.repeat))
    return pd.concat(tables, ignore_index=True)


def averaged(table: pd.DataFrame, measure: str, name: str) -> pd.DataFrame:
    """One row an image: the measure of one map, networks averaged."""
    rows = table[table["map"] == name]
    return rows.groupby(["image", "group"], as_index=False)[measure].mean()


def map_mean(table: pd.DataFrame, measure: str, name: str, **how) -> Estimate:
    """Mean of a measure for one kind of map, each group once."""
    text = f"{measure} of {name}, networks averaged, mean over groups"
    return mean_by(averaged(table, measure, name), measure, weight="group", how=text, **how)


def map_difference(table: pd.DataFrame, measure: str, a: str, b: str, **how) -> Estimate:
    """Measure of map a minus of map b, paired by image, networks averaged, each group once."""
    both = averaged(table, measure, a).merge(averaged(table, measure, b), on=["image", "group"], suffixes=("_a", "_b"))
    text = f"{measure} of {a} minus {b}, paired by image, mean over groups, these networks"
    return difference_by(both, f"{measure}_a", f"{measure}_b", weight="group", how=text, **how)


def curve_table(trained: Trained, pictures: Pictures, steps: int) -> pd.DataFrame:
    """Areas under the deletion and the insertion curve of every image called yes: the network's map and its floors.

    One row an image and curve; columns image, group, repeat, curve, and one for each map. Low is good for deletion,
    high for insertion.
    """
    model = prepare(trained.fit.model())
    _, maps, logits = class_maps(model, pictures.pixels)
    called = pictures.where(logits > 0)
    if not len(called):
        return pd.DataFrame()
    orders = {"map": maps[logits > 0]} | floor_maps(called, seed=trained.run.seed)

    @torch.inference_mode()
    def probability(images: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(model(images)[:, -1])

    images = as_images(called.pixels)
    curves = {
        name: deletion_and_insertion(probability, images, order, steps=steps, batch_size=BATCH)
        for name, order in orders.items()
    }
    row = {"image": called.names, "group": called.groups, "repeat": trained.run.repeat}
    return pd.concat(
        [
            pd.DataFrame(row | {"curve": kind} | {name: pair[place].area for name, pair in curves.items()})
            for place, kind in enumerate(("deletion", "insertion"))
        ],
        ignore_index=True,
    )
