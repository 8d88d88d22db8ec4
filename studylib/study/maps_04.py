"""What study 4 records about maps as segmenters. Tables are those of `segmenting`: one row an image and network; images
that several networks were tested on are averaged first.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_between,
    difference_by,
    exact,
    mean_by,
)
from studylib.study.fits import Fits
from studylib.study.segmenting import (
    BAD,
    FLOORS,
    FURTHER,
    GOOD,
    PERCENTILES,
    Seen,
    averaged,
    cam_table,
    explained,
)
from studylib.study.train import Workshop

THRESHOLDS = ("mean", *PERCENTILES, *FURTHER, "otsu")
SHOWN = (*FLOORS, "random_weights")
NEWER = ("resnet18", "resnet50", "densenet121", "mobilenet_v2")  # than the source's VGG and AlexNet


def right(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that the network named right: those that the source means to judge."""
    return table[table["correct"] == 1]


def each_class(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """All rows under "all", and those of each class under its name."""
    return {"all": rows, **{name: rows[rows["label"] == number] for number, name in enumerate(classes)}}


def ious(table: pd.DataFrame, split: str, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Mean IoU of the CAM of correct images at every threshold, and by class at the 95th percentile."""
    names = [name for name in THRESHOLDS if f"iou_{name}" in table]
    rows = averaged(right(table), [f"iou_{name}" for name in names])
    found = {
        f"iou.{split}.cam.{name}": mean_by(rows, f"iou_{name}", how=f"IoU above {name}, correct images", **how)
        for name in names
    }
    found[f"area.{split}.cam.p95"] = mean_by(averaged(table, ["area_p95"]), "area_p95", how="share marked", **how)
    met = right(table)
    met = averaged(met[met["iou_p95"] >= BAD], ["iou_p95"])
    found[f"iou.{split}.cam.p95_if_found"] = mean_by(met, "iou_p95", how="IoU at p95 where it is 0.01 or more", **how)
    for name in classes:
        some = each_class(rows, classes)[name]
        found[f"iou.{split}.cam.p95.{name}"] = mean_by(some, "iou_p95", how=f"IoU above p95, {name}, correct", **how)
    return found


def between_thresholds(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """IoU at the 95th percentile minus at each other threshold, paired by image."""
    names = [name for name in THRESHOLDS if f"iou_{name}" in table]
    rows = averaged(right(table), [f"iou_{name}" for name in names])
    return {
        f"iou.group.cam.p95_minus_{name}": difference_by(
            rows, "iou_p95", f"iou_{name}", how=f"IoU at p95 minus at {name}, paired by image", **how
        )
        for name in names
        if name != "p95"
    }


def shares(table: pd.DataFrame, classes: Sequence[str], split: str = "", **how) -> dict[str, Estimate]:
    """Share of images with IoU above 0.5 and below 0.01 at the 95th percentile, by class and of all: of correct images,
    and under `every_slice` of all tested, as the source counts (257 of 612); without a split for unseen people.
    """
    room, found = f"{split}." if split else "", {}
    for which, where, some in ((" named right", "", right(table)), ("", "every_slice.", table)):
        rows = some.dropna(
            subset=["iou_p95"]
        )  # found and missed by each network, then averaged: not the other way round
        rows = rows.assign(above=(rows["iou_p95"] > GOOD).astype(float), below=(rows["iou_p95"] < BAD).astype(float))
        rows = averaged(rows, ["above", "below"])
        for name, part in each_class(rows, classes).items():
            of = f"{name}, slices{which}"
            for key, column, sign in (("above_05", "above", f"> {GOOD}"), ("below_001", "below", f"< {BAD}")):
                found[f"share_{key}.{room}{where}{name}"] = mean_by(
                    part, column, how=f"share with IoU {sign}, {of}", **how
                )
    return found


def all_minus_correct(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """IoU over all images minus over those named right, and over those named wrong minus right."""
    return {
        "iou.group.cam_all_minus_correct": difference_between(
            table, right(table), "iou_p95", how="IoU at p95, all images minus correct ones", **how
        ),
        "iou.group.cam_wrong_minus_correct": difference_between(
            table[table["correct"] == 0], right(table), "iou_p95", how="IoU at p95, wrong minus correct images", **how
        ),
    }


def chosen_floor(floors: pd.DataFrame, measure: str = "iou_5", among: Sequence[str] = FLOORS) -> dict[int, str]:
    """The floor with the best mean of a measure, by default IoU of its highest 5 %, on each network's validation
    images. floors: rows of these, a column `map` -> {repeat: floor}
    """
    means = right(floors).groupby(["repeat", "map"])[measure].mean().unstack()[list(among)]
    return means.idxmax(axis=1).to_dict()


def against_floors(
    table: pd.DataFrame, floors: pd.DataFrame, chosen: dict[int, str], classes: Sequence[str], **how
) -> dict[str, Estimate]:
    """CAM minus every floor, correct images, paired by image: IoU of the highest 5 % of both, AUPRC and pointing; IoU
    by class too. The primary comparison is that against the floor chosen on validation images.
    """
    keys = ["image", "group", "label", "repeat"]
    picked = floors[floors["map"] == floors["repeat"].map(chosen)].assign(map="chosen_floor")
    found = {}
    for name, some in pd.concat([floors, picked], ignore_index=True).groupby("map", sort=False):
        both = right(table).merge(some, on=keys, suffixes=("_cam", "_floor"))
        measured = {"iou": "iou_5", "auprc": "auprc", "pointing": "pointing"}
        for measure, column in measured.items():
            rows = averaged(both, [f"{column}_cam", f"{column}_floor"])
            text = f"{measure} of CAM minus {name.replace('_', ' ')}, highest 5 % of both, correct images, paired"
            for kind, part in each_class(rows, classes).items():
                if measure == "iou" or kind == "all":
                    key = f"{measure}.group.cam_minus_{name}.{kind}"
                    found[key] = difference_by(part, f"{column}_cam", f"{column}_floor", how=text, **how)
    found["primary.cam_minus_floor.iou"] = found["iou.group.cam_minus_chosen_floor.all"]
    return found


def nested_threshold(table: pd.DataFrame, validation: pd.DataFrame, **how) -> tuple[dict, pd.DataFrame]:
    """IoU with the threshold that each network's validation images chose, and by how much choosing on the test images
    themselves flatters. table, validation: `cam_table` of both -> estimates, the choices
    """
    names = [name for name in THRESHOLDS if f"iou_{name}" in table]
    columns = [f"iou_{name}" for name in names]
    picked = right(validation).groupby("repeat")[columns].mean().idxmax(axis=1)
    best = right(table)[columns].mean().idxmax()
    rows = right(table).copy()
    rows["nested"] = [row[picked[row["repeat"]]] for _, row in rows.iterrows()]
    rows = averaged(rows.assign(on_test=rows[best]), ["nested", "on_test", "iou_p95"])
    text = "threshold chosen on validation images"
    estimates = {
        "threshold.nested.iou": mean_by(rows, "nested", how=f"IoU, {text}", **how),
        "threshold.nested_optimism": difference_by(
            rows, "on_test", "nested", how=f"chosen on test minus {text}", **how
        ),
        "threshold.nested_minus_p95": difference_by(rows, "nested", "iou_p95", how=f"{text} minus p95", **how),
    }
    chosen = picked.str.removeprefix("iou_").rename("chosen on validation").to_frame()
    return estimates, chosen.assign(best_on_test=best.removeprefix("iou_"))


def against_unet(table: pd.DataFrame, unet: pd.DataFrame, **how) -> dict[str, Estimate]:
    """The U-Net's IoU on its test images, and U-Net minus CAM at the tumour's own area, paired by image; all images."""
    both = unet.merge(table, on=["image", "group", "label", "repeat"], suffixes=("_unet", "_cam"))
    return {
        "unet.group.iou": mean_by(unet, "iou", how="IoU of the U-Net at probability 1/2, unseen people", **how),
        "unet.minus_cam.iou_matched": difference_by(
            both, "iou_matched_unet", "iou_matched_cam", how="IoU at the tumour's own area, U-Net minus CAM", **how
        ),
        "unet.minus_cam.iou": difference_by(
            both, "iou", "iou_p95", how="IoU, U-Net minus CAM at p95, all images", **how
        ),
    }


def confidence_for_miss(table: pd.DataFrame, **how) -> Estimate:
    """AUROC with which low confidence tells that the map will miss the tumour (IoU below 0.01), all images."""
    rows = table.dropna(subset=["iou_p95"])  # each network's doubt against its own map
    rows = rows.assign(missed=(rows["iou_p95"] < BAD).astype(int), doubt=-rows["confidence"])
    return auroc_by(rows, "missed", "doubt", how="AUROC of doubt for a miss", **how)


def against_methods(methods: pd.DataFrame, base: tuple[str, str], **how) -> dict[str, Estimate]:
    """IoU at p95 of every method and layer minus that of CAM at the last layer, paired by image, correct images."""
    keys = ["image", "group", "label", "repeat"]
    parts = {key: right(some)[[*keys, "iou_p95"]] for key, some in methods.groupby(["method", "layer"], sort=False)}
    found = {}
    for (method, layer), some in parts.items():
        if (method, layer) == base:
            continue
        rows = averaged(some.merge(parts[base], on=keys, suffixes=("_a", "_b")), ["iou_p95_a", "iou_p95_b"])
        name = f"loc.group.{method.replace('++', 'pp')}_{layer.replace('.', '_')}_minus_cam.iou"
        text = f"IoU at p95 of {method} at {layer} minus CAM, paired"
        found[name] = difference_by(rows, "iou_p95_a", "iou_p95_b", how=text, **how)
    return found


def counted(chosen: dict[int, str]) -> str:
    """Which floors were chosen, and by how many networks."""
    names = list(chosen.values())
    return ", ".join(f"{name.replace('_', ' ')} ({names.count(name)} of {len(names)})" for name in dict.fromkeys(names))


def floor_means(table: pd.DataFrame, floors: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Mean IoU of the highest 5 % of the map and of every floor, correct images."""
    found = {"cam": mean_by(averaged(right(table), ["iou_5"]), "iou_5", how="IoU of the highest 5 %", **how)}
    for name, some in right(floors).groupby("map", sort=False):
        found[name] = mean_by(averaged(some, ["iou_5"]), "iou_5", how="IoU of the highest 5 %", **how)
    return found


def iou_gap(leaky: pd.DataFrame, honest: pd.DataFrame, arm: str, **how) -> dict[str, Estimate]:
    """IoU at the 95th percentile on the source's split minus on unseen people, correct images."""
    text = f"IoU of {arm}: images at random minus unseen groups"
    return {f"leak.iou_gap.{arm}": difference_between(right(leaky), right(honest), "iou_p95", how=text, **how)}


def peaks(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Share of correct images whose map peaks outside the tumour (widened by 15 / 224 of the side)."""
    rows = averaged(right(table), ["pointing"]).assign(outside=lambda t: 1 - t["pointing"])
    return {"peak_outside.correct": mean_by(rows, "outside", how="the map's peak lies outside, correct images", **how)}


def between_arms(tables: dict[tuple[str, str], pd.DataFrame], table: pd.DataFrame, main: str, **how) -> dict:
    """IoU at the 95th percentile of other architectures minus that of the main one, and IoU at the tumour's own area of
    newer ones minus that of VGG-16, the source's family; paired by image that both name right. tables: (arm, split) ->
    rows of `cam_table`. -> {name: Estimate}
    """
    found, ours = {}, averaged(right(table), ["iou_p95"])
    for (arm, split), other in tables.items():
        if split == "group" and arm != main:
            both = averaged(right(other), ["iou_p95"]).merge(
                ours, on=["image", "group", "label"], suffixes=("_a", "_b")
            )
            text = f"IoU of {arm} minus {main}, paired by image"
            found[f"iou.group.{arm}_minus_main.p95"] = difference_by(both, "iou_p95_a", "iou_p95_b", how=text, **how)
            found[f"iou.group.{arm}.p95"] = mean_by(averaged(right(other), ["iou_p95"]), "iou_p95", **how)
    honest = {arm: some for (arm, split), some in tables.items() if split == "group"} | {main: table}
    for arm in (arm for arm in NEWER if arm in honest and "vgg16" in honest):
        parts = [averaged(right(honest[one]), ["iou_matched"]) for one in (arm, "vgg16")]
        both = parts[0].merge(parts[1], on=["image", "group", "label"], suffixes=("_a", "_b"))
        found[f"iou_matched.group.{arm}_minus_vgg16"] = difference_by(
            both,
            "iou_matched_a",
            "iou_matched_b",
            how=f"IoU at the tumour's own area, {arm} minus vgg16, paired",
            **how,
        )
    return found


def cropped(workshop: Workshop, fits: Fits, table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """IoU of networks trained on the centre crop, and that minus the full frame's; nothing where there are none."""
    if not fits.has("centre_crop"):
        return {}
    crop = right(cam_table(workshop, fits, "centre_crop", names=()))
    return {
        "iou.group.centre_crop.p95": mean_by(averaged(crop, ["iou_p95"]), "iou_p95", how="IoU, centre crop", **how),
        "iou.group.centre_crop_minus_full.p95": difference_between(
            crop, right(table), "iou_p95", how="IoU, centre crop minus full frame", **how
        ),
    }


def methods_means(methods: pd.DataFrame) -> pd.DataFrame:
    """Mean IoU, IoU at the tumour's own area, AUPRC and pointing of every method and layer, correct images; and how
    many maps were undefined.
    """
    columns = ["iou_p95", "iou_matched", "auprc", "pointing"]
    found = right(methods).groupby(["method", "layer"], sort=False)[columns].mean()
    return found.assign(
        undefined=methods["iou_p95"].isna().groupby([methods["method"], methods["layer"]], sort=False).sum()
    )


def identity(seen: Seen) -> Estimate:
    """Largest difference of Grad-CAM from CAM / (h w), as a share of the largest value: zero on this head."""
    e = explained(seen, ("cam", "gradcam"))
    cam, grad = e["cam"].double(), e["gradcam"].double()
    scaled = cam / (cam.shape[1] * cam.shape[2])
    return exact(float((grad - scaled).abs().max() / scaled.abs().max()), n=len(cam), how="Grad-CAM minus CAM / (h w)")


def energy_minus_area(table: pd.DataFrame, **how) -> Estimate:
    """Share of the map's energy in the tumour minus the tumour's share of the picture, correct images."""
    rows = averaged(right(table), ["energy_inside", "tumour"])
    return difference_by(rows, "energy_inside", "tumour", how="map energy in the tumour minus its area", **how)
