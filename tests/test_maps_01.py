"""What study 1 records about maps: regions, slopes, floors and pairs on maps and tables made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import maps_01, maps_04, sizes_01

NAMES = {0: "background", 1: "nucleus", 2: "cytoplasm"}


def rows(n=120, seed=0) -> pd.DataFrame:
    """A table like `map_table`'s: three cells a group, every fourth named wrong; Grad-CAM++ adds 0.1 where the nucleus
    is small and takes 0.2 elsewhere.
    """
    rng = np.random.default_rng(seed)
    image = np.arange(n)
    label, area = image // 3 % 3, rng.uniform(0.01, 0.3, n)
    small = pd.Series(area).rank(method="first").to_numpy() <= n / 3
    base = {"image": image.astype(str), "group": (image // 3).astype(str), "label": label, "repeat": 0,
            "layer": "upper", "correct": (image % 4 != 0).astype(float), "confidence": rng.uniform(0.4, 1, n),
            "area_nucleus": area, "area_cytoplasm": 0.4, "area_background": 0.6 - area}  # fmt: skip
    energy, tables = rng.uniform(0.2, 0.6, n), []
    for method in maps_01.METHODS:
        gain = np.where(small, 0.1, -0.2) if method == "gradcam++" else 0.0
        tables.append(pd.DataFrame(base | {
            "method": method, "energy_nucleus": energy + gain, "energy_cytoplasm": 0.3, "energy_background": 0.1,
            "auprc": energy + gain, "iou_matched": energy + gain, "energy_inside": energy + gain,
            "pointing": (energy > 0.4).astype(float), "on_cell": (image % 10 != 1).astype(float)}))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_energy_by_region_by_hand():
    maps = np.array([[[4.0, 2.0], [2.0, -8.0]], [[-1.0, -1.0], [-1.0, -2.0]]])
    regions = np.array([[[1, 2], [0, 0]], [[1, 2], [0, 0]]], np.uint8)
    found = maps_01.energies(maps, regions, NAMES)
    assert found["energy_nucleus"][0] == 0.5 and found["energy_cytoplasm"][0] == 0.25
    assert found["energy_background"][0] == 0.25 and found["area_background"].tolist() == [0.5, 0.5]
    assert np.isnan(found["energy_nucleus"][1])  # nothing positive


def test_regions_are_called_by_one_word_whatever_the_set_says():
    told = {0: "background (red 255,0,0)", 1: "nucleus (0,0,255)", 3: "grey 128,128,128: assigned to no cell part"}
    found = maps_01.region_names(SimpleNamespace(regions=told))
    assert found == {0: "background", 1: "nucleus", 3: "grey"}
    assert maps_01.region_names(SimpleNamespace(regions={1: "nucleus"})) == {0: "background", 1: "nucleus"}


def test_a_peak_on_nucleus_or_cytoplasm_is_on_the_cell():
    maps = np.zeros((3, 60, 60))
    regions = np.zeros((3, 60, 60), np.uint8)
    regions[:, 20:30, 20:30], regions[:, 22:26, 22:26], regions[:, 40:50, 40:50] = 2, 1, 3
    for i, at in enumerate(((24, 24), (32, 25), (45, 45))):  # nucleus; within 15/224 of the side; a neighbour
        maps[i][at] = 1.0
    assert maps_01.on_cell(maps, regions).tolist() == [1.0, 1.0, 0.0]


def test_regions_are_judged_on_cells_named_right():
    table = rows()
    found = maps_01.by_region(table, ["nucleus", "background"])
    right = table[(table["method"] == "cam") & (table["correct"] == 1)]
    e = found["region.cam.nucleus.energy_minus_area"]
    assert e.value == pytest.approx((right["energy_nucleus"] - right["area_nucleus"]).mean()) and e.n == len(right)
    shown = maps_01.region_means(table, ["nucleus"], ["a_b", "c", "d"])
    some = right[right["label"] == 0]
    expected = f"{100 * some['energy_nucleus'].mean():.0f} ({100 * some['area_nucleus'].mean():.0f})"
    assert shown.loc["a b", "nucleus: energy (area), %"] == expected


def test_maps_are_compared_by_cell_and_small_nuclei_apart():
    table = rows()
    found = maps_01.against_each_other(table, ["upper"])
    assert found["loc.gradcam_minus_cam.auprc"].value == 0.0
    right = table[table["correct"] == 1].pivot(index="image", columns="method", values="iou_matched")
    expected = (right["gradcam++"] - right["gradcam"]).mean()
    assert found["loc.gradcampp_minus_gradcam.iou_matched"].value == pytest.approx(expected)
    sizes = sizes_01.by_size(table)
    assert sizes["size.gradcampp_minus_gradcam.largest_third"].value == pytest.approx(-0.2)
    assert sizes["size.gradcampp_minus_gradcam.smallest_third"].value > 0.07
    assert sizes["size.gradcampp_minus_gradcam.slope"].high < 0


def test_floors_are_paired_and_the_chosen_one_is_the_primary():
    table = rows()
    floor = maps_01.of(table, "cam", correct=False).drop(columns=["method", "layer"])
    floors = pd.concat([floor.assign(map="centre", auprc=floor["auprc"] - 0.05), floor.assign(map="darkest")])
    both = pd.concat([floors, floor.assign(map="class_mean", auprc=0.0), floor.assign(map="sobel", auprc=0.1),
                      floor.assign(map="random", auprc=0.0)])  # fmt: skip
    assert maps_04.chosen_floor(both, "auprc", maps_01.FLOORS) == {0: "darkest"}
    found = maps_01.against_floors(table, floors, {0: "centre"})
    assert found["primary.cam_minus_floor.auprc"].value == found["loc.cam_minus_centre.auprc"].value
    two = pd.concat([table, table.assign(repeat=1)], ignore_index=True)  # one network's cells chose each floor
    both_floors = pd.concat([floors, floors.assign(repeat=1)], ignore_index=True)
    mixed = maps_01.against_floors(two, both_floors, {0: "centre", 1: "darkest"})
    assert mixed["primary.cam_minus_floor.auprc"].value == pytest.approx((0.05 + 0.0) / 2)
    assert found["loc.cam_minus_centre.auprc"].value == pytest.approx(0.05)
    assert found["loc.cam_minus_darkest.auprc"].value == 0.0
    means = maps_01.floor_means(table, floors)
    assert means["cam"].value - means["centre"].value == pytest.approx(0.05)


def test_slope_within_classes_by_hand():
    frame = pd.DataFrame({"label": [0, 0, 1, 1], "x": [0.0, 1.0, 10.0, 12.0], "y": [5.0, 7.0, 0.0, 4.0]})
    assert sizes_01.slope("x", "y")(frame) == pytest.approx(2.0)  # 2 in both classes, whatever lies between them
    weighted = sizes_01.slope("x", "y")(frame.assign(y=[5.0, 7.0, 0.0, 8.0]), np.array([1, 1, 0, 0]))
    assert weighted == pytest.approx(2.0)
    assert np.isnan(sizes_01.slope("x", "y")(frame.assign(x=1.0)))


def test_density_is_chance_at_nought_and_never_below_an_eighth():
    made = sizes_01.with_density(pd.DataFrame({"energy_nucleus": [0.1, 0.4, 0.0], "area_nucleus": [0.1, 0.1, 0.1]}))
    assert made["density"].tolist() == pytest.approx([0.0, 2.0, -3.0])


def test_deceptive_maps_are_counted_among_cells_named_right():
    table = rows()
    right = table[(table["method"] == "cam") & (table["correct"] == 1)]
    found = maps_01.deceptive(table)
    assert found["deceptive.cam.peak_off_cell"].value == pytest.approx(1 - right["on_cell"].mean())
    assert 0 <= found["agreement.energy.auroc_for_error"].value <= 1
