"""What study 4 records about maps: populations, signs and values on tables made by hand."""

import numpy as np
import pandas as pd
import pytest

from studylib.metrics.localisation import attainable_iou
from studylib.study import maps_04

CLASSES = ("meningioma", "glioma", "pituitary")


def rows(n=60, seed=0) -> pd.DataFrame:
    """A table like `cam_table`'s: three images a person, every fourth image called wrong."""
    rng = np.random.default_rng(seed)
    image = np.arange(n)
    label = image // 3 % 3
    correct = (image % 4 != 0).astype(float)
    tumour = np.exp(rng.normal(np.log(0.015), 0.6, n))
    table = {"image": image.astype(str), "group": (image // 3).astype(str), "label": label, "correct": correct,
             "predicted": np.where(correct == 1, label, (label + 1) % 3), "tumour": tumour, "repeat": image % 2,
             "confidence": rng.uniform(0.4, 1, n), "area_p95": 0.05, "energy_inside": rng.uniform(0, 0.2, n),
             "auprc": rng.uniform(0, 0.3, n), "pointing": (rng.random(n) < 0.4).astype(float)}  # fmt: skip
    iou = rng.uniform(0, 1, n) * attainable_iou(tumour, 0.05)
    table |= {"iou_p95": iou, "iou_5": iou, "iou_matched": rng.uniform(0, 0.5, n)}
    table |= {
        f"iou_{name}": iou * factor for name, factor in (("mean", 0.2), ("median", 0.3), ("p90", 0.7), ("p99", 1.1))
    }
    return pd.DataFrame(table)


def test_iou_is_of_images_named_right_only():
    table = rows()
    right = table[table["correct"] == 1]
    found = maps_04.ious(table, "group", CLASSES)
    assert found["iou.group.cam.p95"].value == pytest.approx(right["iou_p95"].mean())
    assert found["iou.group.cam.p95"].n == len(right) and found["iou.group.cam.p95"].groups == right["group"].nunique()
    assert found["iou.group.cam.p95.glioma"].value == pytest.approx(right.loc[right["label"] == 1, "iou_p95"].mean())
    assert found["iou.group.cam.mean"].value == pytest.approx(0.2 * right["iou_p95"].mean())
    both = maps_04.all_minus_correct(table)
    assert both["iou.group.cam_all_minus_correct"].value == pytest.approx(
        table["iou_p95"].mean() - right["iou_p95"].mean()
    )


def test_networks_that_saw_the_same_image_count_once():
    table = rows()
    twice = pd.concat([table, table.assign(repeat=9, iou_p95=0.0)], ignore_index=True)
    found = maps_04.ious(twice, "group", CLASSES)["iou.group.cam.p95"]
    assert found.n == int((table["correct"] == 1).sum())
    assert found.value == pytest.approx(table.loc[table["correct"] == 1, "iou_p95"].mean() / 2)


def test_shares_above_and_below_the_sources_marks():
    table = rows().assign(correct=1.0, iou_p95=np.r_[np.full(15, 0.6), np.full(15, 0.005), np.full(30, 0.2)])
    found = maps_04.shares(table, CLASSES)
    assert found["share_above_05.all"].value == 0.25 and found["share_below_001.all"].value == 0.25
    label = table["label"].to_numpy()
    assert found["share_below_001.pituitary"].value == pytest.approx((label[15:30] == 2).sum() / (label == 2).sum())


def test_every_slice_counts_those_that_were_named_wrong_too():
    table = rows().assign(iou_p95=0.2)
    table.loc[table["correct"] == 0, "iou_p95"] = 0.0
    found = maps_04.shares(table, CLASSES, split="random_folds")
    assert found["share_below_001.random_folds.all"].value == 0
    every = found["share_below_001.random_folds.every_slice.all"]
    assert every.value == pytest.approx((table["correct"] == 0).mean()) and every.n == len(table)
    some = table[table["label"] == 1]
    assert found["share_below_001.random_folds.every_slice.glioma"].value == pytest.approx(
        (some["correct"] == 0).mean()
    )


def test_newer_networks_are_compared_with_vgg_whichever_is_the_main_one():
    vgg, newer = rows(), rows().assign(iou_matched=rows()["iou_matched"] + 0.1)
    newer["correct"] = (np.arange(len(newer)) % 5 != 0).astype(float)
    both = (vgg["correct"] == 1) & (newer["correct"] == 1)
    name = "iou_matched.group.resnet18_minus_vgg16"
    for tables, table, main in (
        ({("vgg16", "group"): vgg, ("resnet18", "group"): newer, ("resnet18", "random_folds"): vgg}, rows(seed=5), "m"),
        ({("resnet18", "group"): newer}, vgg, "vgg16"),
        ({("vgg16", "group"): vgg}, newer, "resnet18"),
    ):
        found = maps_04.between_arms(tables, table, main)
        assert found[name].value == pytest.approx(0.1) and found[name].n == both.sum()
    assert name not in maps_04.between_arms({("resnet18", "group"): newer}, rows(), "mobilenet_v2")


def test_a_tumour_that_one_of_two_networks_misses_is_missed_by_half():
    table = rows(12).assign(correct=1.0, iou_p95=0.3)
    twice = pd.concat([table, table.assign(repeat=9, iou_p95=0.0)], ignore_index=True)
    found = maps_04.shares(twice, CLASSES)
    assert found["share_below_001.all"].value == 0.5 and found["share_below_001.all"].n == 12
    assert maps_04.ious(twice, "group", CLASSES)["iou.group.cam.p95_if_found"].value == pytest.approx(0.3)


def test_floors_are_paired_by_image_and_the_primary_takes_each_networks_own_choice():
    table = rows()
    floors = pd.concat(
        [table.assign(map=name, iou_5=level) for name, level in (("centre", 0.1), ("brightest", 0.2))],
        ignore_index=True,
    )
    found = maps_04.against_floors(table, floors, {0: "centre", 1: "brightest"}, CLASSES)
    right = table[table["correct"] == 1]
    chosen = np.where(right["repeat"] == 0, 0.1, 0.2)
    assert found["primary.cam_minus_floor.iou"].value == pytest.approx((right["iou_5"] - chosen).mean())
    assert found["iou.group.cam_minus_centre.all"].value == pytest.approx((right["iou_5"] - 0.1).mean())
    assert found["auprc.group.cam_minus_centre.all"].value == 0
    low = found["iou.group.cam_minus_brightest.pituitary"].value
    assert low == pytest.approx((right.loc[right["label"] == 2, "iou_5"] - 0.2).mean())


def test_doubt_that_knows_every_miss_has_auroc_one():
    table = rows()
    missed = np.arange(len(table)) % 5 == 0
    table = table.assign(iou_p95=np.where(missed, 0.0, 0.3), confidence=np.where(missed, 0.4, 0.9))
    assert maps_04.confidence_for_miss(table).value == 1.0


def test_other_methods_are_paired_with_cam_at_the_last_layer():
    table = rows()
    other = table.assign(method="gradcam++", layer="trunk.layer3", iou_p95=table["iou_p95"] + 0.05)
    methods = pd.concat([table.assign(method="cam", layer="upper"), other])
    found = maps_04.against_methods(methods, ("cam", "upper"))
    (name,) = found
    assert name == "loc.group.gradcampp_trunk_layer3_minus_cam.iou" and found[name].value == pytest.approx(0.05)


def test_unet_and_cam_are_compared_on_the_same_images_of_the_same_fold():
    table = rows()
    unet = table[table["repeat"] == 0][["image", "group", "label", "repeat"]].assign(iou=0.7, iou_matched=0.8)
    found = maps_04.against_unet(table, unet)
    some = table[table["repeat"] == 0]
    assert found["unet.group.iou"].value == pytest.approx(0.7) and found["unet.minus_cam.iou"].n == len(some)
    assert found["unet.minus_cam.iou_matched"].value == pytest.approx((0.8 - some["iou_matched"]).mean())


def test_each_network_takes_the_floor_that_its_own_validation_images_chose():
    table = rows().assign(correct=1.0)
    levels = {
        "centre": [0.3, 0.1],
        "brightest": [0.2, 0.4],
        "class_mean": [0.0, 0.0],
        "sobel": [0, 0],
        "random": [0, 0],
    }
    floors = pd.concat([table.assign(map=n, iou_5=np.array(v)[table["repeat"]]) for n, v in levels.items()])
    assert maps_04.chosen_floor(floors) == {0: "centre", 1: "brightest"}
    assert maps_04.counted({0: "centre", 1: "brightest", 2: "centre"}) == "centre (2 of 3), brightest (1 of 3)"


def test_the_threshold_is_chosen_on_validation_and_the_optimism_is_what_choosing_on_test_adds():
    table = rows().assign(correct=1.0)
    columns = ["iou_mean", "iou_median", "iou_p90", "iou_p95", "iou_p99"]
    test, validation = table.copy(), table.copy()
    for i, column in enumerate(columns):
        test[column], validation[column] = 0.1 * i, 0.0  # the last is best on test
    validation.loc[validation["repeat"] == 0, "iou_p90"] = 0.5
    validation.loc[validation["repeat"] == 1, "iou_p95"] = 0.5
    found, choice = maps_04.nested_threshold(test, validation)
    assert choice["chosen on validation"].to_dict() == {0: "p90", 1: "p95"} and set(choice["best_on_test"]) == {"p99"}
    assert found["threshold.nested.iou"].value == pytest.approx((0.2 + 0.3) / 2)
    assert found["threshold.nested_optimism"].value == pytest.approx(0.4 - 0.25)
