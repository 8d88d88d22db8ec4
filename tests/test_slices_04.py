"""The slices before any network: areas, crop, contrast and shared people, by hand."""

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from test_segmenting import CLASSES, SIDE, Brightness, Fits, make_workshop, trained

from studylib.data.folds import by_group, random_folds
from studylib.metrics.localisation import attainable_iou
from studylib.study import slices_04


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return make_workshop(tmp_path_factory.mktemp("slices") / "made")


def masks_of(workshop) -> np.ndarray:
    dataset = workshop.dataset()
    return np.stack([dataset.mask(i) == 1 for i in range(len(dataset))])


def test_areas_and_the_table_of_classes(workshop):
    rows = slices_04.areas(workshop, workshop.dataset())
    np.testing.assert_allclose(rows["area"], masks_of(workshop).mean((1, 2)))
    table = slices_04.by_class(workshop, workshop.dataset())
    assert table.index.tolist() == list(CLASSES) and table["slices"].sum() == len(rows)
    expected = 100 * rows.loc[rows["label"] == 1, "area"].median()
    assert table.loc["glioma", "median area, %"] == pytest.approx(expected)
    assert table["people"].sum() == rows["group"].nunique()


def test_the_crop_enlarges_tumours_and_the_ceiling_follows(workshop):
    found = slices_04.crop_ceiling(workshop, workshop.dataset(), CLASSES)
    whole = attainable_iou(masks_of(workshop).mean((1, 2)), 0.05)
    gap = found["crop.attainable_minus_full"]
    assert gap.value == pytest.approx(found["crop.attainable.mean.all"].value - whole.mean(), abs=1e-9)
    crop = workshop.masks(workshop.dataset(), SIDE, "centre").mean((1, 2))
    inside = [m[3:45, 3:45].mean() for m in masks_of(workshop)]  # 42 of 48 pixels are 224 of 256
    np.testing.assert_allclose(crop, inside, atol=0.006)  # resized to 48 again by nearest neighbour
    assert found["crop.attainable.mean.all"].value == pytest.approx(attainable_iou(crop, 0.05).mean())


def test_contrast_is_in_units_of_the_surroundings_noise(workshop):
    found = slices_04.contrast_of(workshop, workshop.dataset())
    assert (found > 3).all()  # tumours of 220 in heads of 90: noise alone has a deviation of 3.5, air raises it
    pixels, mask = workshop.dataset().image(7).astype(float), masks_of(workshop)[7]
    reach = round(8 / 224 * SIDE)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2) > 0
    around = ndimage.binary_dilation(mask, disc) & ~mask
    expected = (pixels[mask].mean() - pixels[around].mean()) / pixels[around].std()
    assert found[7] == pytest.approx(expected)


def test_misses_of_visible_tumours_count_the_top_third_only(workshop):
    dataset = workshop.dataset()
    names = dataset.table["image"].to_numpy().astype(str)
    rank = slices_04.contrast_of(workshop, dataset).argsort().argsort()
    base = {"image": names, "group": dataset.groups(), "label": workshop.labels(dataset)[0], "correct": 1.0}
    table = pd.DataFrame(base | {"iou_p95": np.where(rank >= 20, 0.0, 0.3)})
    floors = pd.DataFrame(base | {"iou_5": 0.2, "map": "brightest"})
    found = slices_04.visible(workshop, dataset, table, floors)
    assert found["visible.misses_top_contrast_third"].value == 1
    assert found["visible.misses_low_contrast_third"].value == 0
    assert found["visible.brightest_misses_top_third"].value == 0


def test_shared_people_are_none_by_person_and_nearly_all_by_slice(workshop):
    dataset = workshop.dataset()
    splits = {"group": by_group(dataset, folds=5), "random_folds": random_folds(dataset)}
    table = slices_04.shared_people(dataset, splits, "group")
    assert table.loc["group", "share"] == 0 and table.loc["random_folds", "share"] > 0.5


def test_examples_are_the_first_by_name_of_every_class_and_plane(workshop):
    rows, titles = slices_04.examples(workshop.dataset(), CLASSES)
    assert titles == [f"{name}, {plane}" for name in CLASSES for plane in ("axial", "coronal")]
    assert rows[:2] == [0, 1]
    assert slices_04.planes(workshop.dataset()).to_numpy().sum() == 30


def test_weights_are_named_for_every_arm():
    table = slices_04.weights_of(Fits(main=[trained(Brightness())], other=[trained(Brightness())]))
    assert table.loc["main", "weights"] == "none" and len(table) == 1  # both stand for the arm `main`
