"""Brain tumour phantoms: where each tumour grows, how large and bright it is, who is who, and what the marker tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.data.dataset import load_dataset
from studylib.data.folds import by_group, owner_folds
from studylib.data.phantoms.head import tumours as head
from studylib.data.phantoms.tumours import CLASSES, Recipe, draw_patient, draw_slice, make_tumours, plan_cases

SIZE = 96


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    return make_tumours(tmp_path_factory.mktemp("phantoms") / "plain", patients=120, slices=3, size=SIZE)


@pytest.fixture(scope="module")
def table(family):
    return pd.read_csv(family / "metadata.csv")


def masks_of(family, table) -> np.ndarray:
    return np.stack([np.asarray(Image.open(family / name)) > 0 for name in table["mask"]])


def test_it_is_a_sound_data_set_whose_folds_hold_every_class_and_no_person_twice(family, table):
    dataset = load_dataset(family, group="person_inferred")
    assert list(dataset.classes) == list(CLASSES) and dataset.labels().size == len(table)
    assert table.groupby("group")["label"].nunique().max() == 1 and table.groupby("group")["plane"].nunique().max() == 1
    for fold in range(5):
        split = owner_folds(dataset, fold=fold)
        assert not split.leaky and table.loc[split.rows("test"), "label"].nunique() == 3
    by_group(dataset, folds=5).check(dataset, near_duplicates=False)


def test_areas_follow_the_real_outlines(table):
    """Medians within 25 %: with 40 patients the median's own deviation is about 1.25 x 0.75 / sqrt(40) = 15 %."""
    found = table.groupby("label")["lesion_area"]
    for name, (median, sigma) in head.AREAS.items():
        assert found.median()[name] == pytest.approx(median, rel=0.25)
        assert np.log(found.get_group(name)).std() == pytest.approx(sigma, abs=0.2)


def test_a_pituitary_tumour_lies_in_the_midline_and_low(table):
    seen = table[table["label"] == "pituitary"]
    flat = seen[seen["plane"] != "sagittal"]
    assert ((flat["lesion_x"] - 0.5).abs() < 0.09).all()
    coronal = seen[seen["plane"] == "coronal"]["lesion_y"]
    assert (coronal > 0.55).all() and coronal.max() < 0.85


def test_a_meningioma_touches_the_skull_and_a_glioma_mostly_does_not():
    """Share of tumours whose outline comes within two pixels of the brain's filled edge."""
    import cv2

    touches = {"meningioma": [], "glioma": []}
    recipe = Recipe(1, 1, SIZE, 1.0, None)
    for case in plan_cases(90, 1):
        if case.tumour == "pituitary":
            continue
        drawn = draw_slice(draw_patient(case, recipe, [0.0]), 0.0, 0, SIZE)
        inner = head.filled(drawn.brain).astype(np.uint8)
        depth = cv2.distanceTransform(inner, cv2.DIST_L2, 5)
        touches[case.tumour].append(bool(depth[drawn.tumour].min() <= 2))
    assert np.mean(touches["meningioma"]) > 0.9 > 0.45 > np.mean(touches["glioma"])


def test_meningiomas_are_brightest_and_even_and_gliomas_are_not(family, table):
    masks = masks_of(family, table)
    pixels = np.stack([np.asarray(Image.open(family / name)) for name in table["image"]]).astype(float)
    inner = [p[m] for p, m in zip(pixels, masks, strict=True)]
    rows = table.assign(mean=[v.mean() for v in inner], spread=[v.std() / v.mean() for v in inner])
    rows = rows[rows["lesion_area"] > 0.008].groupby("label")[["mean", "spread", "lesion_contrast"]].mean()
    assert rows.loc["meningioma", "lesion_contrast"] > 1.2 * rows.loc["glioma", "lesion_contrast"]
    assert rows.loc["meningioma", "spread"] < 0.7 * rows.loc["glioma", "spread"]


def test_the_mask_is_where_the_tumour_was_painted():
    recipe = Recipe(3, 3, SIZE, 1.0, None)
    for case in plan_cases(30, 3)[:9]:
        patient = draw_patient(case, recipe, [-0.03, 0.0, 0.03])
        middle, side = (draw_slice(patient, o, 0, SIZE) for o in (0.0, 0.06))
        assert middle.tumour.any() and middle.contrast > 0.02
        assert side.tumour.sum() < 1.05 * middle.tumour.sum()


def test_place_alone_tells_more_than_chance_but_not_the_class(table):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold, cross_val_score

    place = table[["lesion_x", "lesion_y", "lesion_area"]]
    forest = RandomForestClassifier(200, random_state=0)
    right = cross_val_score(forest, place, table["label"], groups=table["group"], cv=GroupKFold(5)).mean()
    assert 0.45 < right < 0.9


def test_same_arguments_same_bytes_whatever_the_processes(tmp_path):
    first, second = (make_tumours(tmp_path / f"p{n}", patients=15, slices=2, size=48, processes=n) for n in (1, 2))
    other = make_tumours(tmp_path / "other", patients=15, slices=2, size=48, seed=1)
    files = sorted(p.relative_to(first) for p in first.rglob("*.png"))
    assert len(files) > 50
    assert all((first / f).read_bytes() == (second / f).read_bytes() for f in files)
    assert any((first / f).read_bytes() != (other / f).read_bytes() for f in files if (other / f).exists())


def test_siblings_are_one_person_under_two_ids_and_the_owners_folds_leak(tmp_path):
    family = make_tumours(tmp_path / "siblings", patients=60, slices=2, size=48, siblings=0.5)
    table = pd.read_csv(family / "metadata.csv")
    ids = table.groupby("person")["pid"].nunique()
    assert (ids == 2).sum() == 10 and set(table.loc[table["person"].isin(ids[ids == 2].index), "label"]) == {"glioma"}
    dataset = load_dataset(family, group="person_inferred")
    assert any(owner_folds(dataset, fold=k, group="person_inferred").leaky for k in range(5))


@pytest.mark.parametrize(("mode", "agree"), [("planted", 1.0), ("dissociated", 0.5), ("reversed", 0.0)])
def test_the_marker_tells_one_class_and_the_tumour_does_not_tell_it(tmp_path, mode, agree):
    cases = plan_cases(300, 0, cue="marker", strength=1.0, mode=mode)
    rows = pd.DataFrame([vars(case) for case in cases])
    marked = rows["label"] == "pituitary"
    assert (rows["cue"] == marked).mean() == pytest.approx(agree, abs=0.05)
    tumours = rows[marked]["tumour"].value_counts(normalize=True)
    assert tumours.max() < 0.45 and len(tumours) == 3
    if mode == "planted":
        folder = make_tumours(tmp_path / "marker", patients=30, slices=1, size=SIZE, cue="marker")
        table = pd.read_csv(folder / "metadata.csv")
        cue = [np.asarray(Image.open(folder / name)).any() for name in table["cue_mask"]]
        np.testing.assert_array_equal(cue, table["cue_present"] == 1)
        assert (table["cue_present"] == (table["label"] == "pituitary")).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patients": 3}, "patients"),
        ({"cue": "mark"}, "marker"),
        ({"area_scale": 0}, "area_scale 0 is outside"),
        ({"siblings": 0.9}, "siblings 0.9 is outside"),
        ({"planes": {"axiel": 1}}, "axial"),
    ],
)
def test_senseless_arguments_leave_nothing_behind(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        make_tumours(tmp_path / "x", **{"patients": 15, "slices": 1, "size": 48} | options)
    assert not list(tmp_path.iterdir())
