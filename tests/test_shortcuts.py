"""Place, size, plane and brightness as classifiers: what was planted is found, and nothing where there is nothing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import shortcuts

CLASSES = ("a", "b", "c")


class Sized:
    """A table with a length, as a Dataset is one."""

    def __init__(self, table):
        self.table = table

    def __len__(self):
        return len(self.table)


def workshop(n=240, seed=0):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n // 4), 4)
    label = rng.integers(0, 3, n // 4)[group]
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(n)], "group": group.astype(str)})
    dataset = Sized(table)
    dataset.groups = lambda name="group": group.astype(str)
    return SimpleNamespace(
        dataset=lambda: dataset, labels=lambda _d: (label, CLASSES), group_of=lambda d: d.groups(), seed=0,
        profile=SimpleNamespace(folds=4),
    ), label, rng  # fmt: skip


def test_places_by_hand():
    masks = np.zeros((3, 10, 10), bool)
    masks[0, 4:6, 4:6] = True
    masks[1, 0, 9] = True
    found = shortcuts.places(masks)
    assert found.loc[0].tolist() == pytest.approx([0.5, 0.5, 0, 0.04])
    assert found.loc[1].tolist() == pytest.approx([0.95, 0.05, np.hypot(0.45, 0.45), 0.01])
    assert found.loc[2, ["x", "y", "centre_distance"]].isna().all() and found.loc[2, "area"] == 0


def test_what_tells_the_class_is_found_and_what_does_not_gains_nothing():
    shop, label, rng = workshop()
    gain, auroc = shortcuts.told_by(shop, np.column_stack([label == 0, label == 1]).astype(float), "the class itself")
    majority = np.bincount(label).max() / len(label)
    assert gain.value == pytest.approx(1 - majority) and auroc.value == 1 and gain.low > 0
    gain, auroc = shortcuts.told_by(shop, rng.normal(size=(len(label), 2)), "noise")
    assert abs(gain.value) < 0.05 and gain.low < 0 and abs(auroc.value - 0.5) < 0.1


def test_distances_areas_and_all_differences():
    table = pd.DataFrame(
        {"group": list("aabbcc"), "label": [0, 0, 1, 1, 2, 2], "centre_distance": [4, 2, 1, 1, 0, 0.0],
         "area": [0.1, 0.3, 0.2, 0.2, 0.01, 0.03]}
    )  # fmt: skip
    found = shortcuts.distances(table, CLASSES)
    assert found["location.a.centre_distance"].value == 3 and found["location.c.centre_distance"].value == 0
    assert found["location.a_minus_b.centre_distance"].value == 2
    assert found["location.c_minus_a.centre_distance"].value == -3 == -found["location.a_minus_c.centre_distance"].value
    assert found["location.a.area"].value == pytest.approx(0.2) and found["location.c.area"].value == pytest.approx(
        0.02
    )


def test_planted_places_are_told_apart_with_their_interval():
    rng, rows = np.random.default_rng(3), []
    for label, far in enumerate((0.3, 0.2, 0.05)):
        for person in range(40):
            place = far + rng.normal(0, 0.03)  # of the person: its slices are alike
            rows += [{"group": f"{label}-{person}", "label": label, "area": 0.01 * (label + 1),
                      "centre_distance": place + rng.normal(0, 0.01)} for _ in range(3)]  # fmt: skip
    found = shortcuts.distances(pd.DataFrame(rows), CLASSES)
    for name, planted in (("a_minus_b", 0.1), ("c_minus_b", -0.15), ("c_minus_a", -0.25)):
        e = found[f"location.{name}.centre_distance"]
        assert e.low < planted < e.high and e.low * e.high > 0
    one = found["location.b.centre_distance"]
    assert one.groups == 40 and one.high - one.low > 0.014  # by person 0.019; by slice it would be 0.012
    assert found["location.b.area"].value == found["location.b.area"].high == pytest.approx(0.02)


def test_median_with_weights_is_that_of_the_rows_repeated():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 8):
        x, w = rng.normal(size=n), rng.integers(0, 4, n)
        w[0] += 1
        assert shortcuts.median(x, w) == np.median(np.repeat(x, w)) and shortcuts.median(x) == np.median(x)
    assert np.isnan(shortcuts.median(np.array([1.0, 2.0]), np.array([0, 0])))


def test_a_centred_disc_meets_what_lies_in_the_middle_and_misses_the_rest():
    masks = np.zeros((4, 60, 60), bool)
    y, x = np.mgrid[:60, :60] - 29.5
    masks[0] = masks[1] = np.hypot(y, x) <= np.sqrt(0.05 / np.pi) * 60  # the disc itself
    masks[2, :5, :5] = True  # a corner; masks[3] is empty: undefined, not missed
    found = shortcuts.centre_disc(masks, np.array([0, 0, 1, 2]), np.array(list("abcd")), CLASSES, resamples=50)
    assert found["location.centre_disc.iou.a"].value > 0.95 and found["location.centre_disc.iou.b"].value == 0
    assert found["location.centre_disc.share_below_001.b"].value == 1
    assert found["location.centre_disc.share_below_001.all"].value == pytest.approx(1 / 3)
    assert np.isnan(found["location.centre_disc.iou.c"].value)


def test_a_plane_that_was_inferred_is_not_the_owners():
    table = pd.DataFrame({"image": ["1.png"], "plane_inferred": ["axial"]})
    none = shortcuts.owner_columns(Sized(table))
    assert none.value == 0 and "none" in none.how
    assert shortcuts.owner_columns(Sized(table.assign(plane="axial"))).value == 1


def test_only_what_the_set_says_is_probed():
    shop, label, rng = workshop()
    masks, pixels = rng.random((len(label), 8, 8)) < 0.3, rng.integers(0, 255, (len(label), 8, 8)).astype(np.uint8)
    none = shortcuts.shortcuts(shop, masks, pixels, np.full(len(label), ""), resamples=50)
    probed = {name.rsplit(".", 1)[0] for name in none if name.endswith(".auroc")}
    assert probed == {"location.class_from_place", "shortcut.brightness", "shortcut.border"}
    assert none["plane.owner_columns"].value == 0
    assert {name for name in none if name.startswith("location.centre_disc.iou")} == {
        f"location.centre_disc.iou.{name}" for name in ("all", *CLASSES)
    }
    shop.dataset().table["pid"] = np.where(label == 1, "MR1", "100")
    planes = np.array(["axial", "coronal", "sagittal"])[label]
    pixels[label == 2, 0] = 0  # a dark border of one class
    found = shortcuts.shortcuts(shop, masks, pixels, planes, resamples=50)
    assert found["plane.class_from_plane.auroc"].value == 1
    assert 0.5 < found["shortcut.acquisition.auroc"].value < 1
    assert found["shortcut.border.auroc"].value > none["shortcut.border.auroc"].value + 0.1
