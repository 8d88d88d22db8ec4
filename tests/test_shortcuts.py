"""Place, size, plane and brightness as classifiers: what was planted is found, and nothing where there is nothing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import shortcuts

CLASSES = ("a", "b", "c")


def workshop(n=240, seed=0):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n // 4), 4)
    label = rng.integers(0, 3, n // 4)[group]
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(n)], "group": group.astype(str)})
    dataset = SimpleNamespace(table=table, groups=lambda name="group": group.astype(str))
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


def test_distances_and_their_difference():
    table = pd.DataFrame(
        {"group": list("aabbcc"), "label": [0, 0, 1, 1, 2, 2], "centre_distance": [4, 2, 1, 1, 0, 0.0]}
    )
    found = shortcuts.distances(table, CLASSES)
    assert found["location.a.centre_distance"].value == 3 and found["location.c.centre_distance"].value == 0
    assert found["location.a_minus_b.centre_distance"].value == 2


def test_only_what_the_set_says_is_probed():
    shop, label, rng = workshop()
    masks, pixels = rng.random((len(label), 8, 8)) < 0.3, rng.integers(0, 255, (len(label), 8, 8)).astype(np.uint8)
    none = shortcuts.shortcuts(shop, masks, pixels, np.full(len(label), ""), resamples=50)
    assert set(none) == {f"{n}.{m}" for n in ("location.class_from_place", "shortcut.brightness")
                         for m in ("accuracy_minus_majority", "auroc")}  # fmt: skip
    shop.dataset().table["pid"] = np.where(label == 1, "MR1", "100")
    planes = np.array(["axial", "coronal", "sagittal"])[label]
    found = shortcuts.shortcuts(shop, masks, pixels, planes, resamples=50)
    assert found["plane.class_from_plane.auroc"].value == 1
    assert 0.5 < found["shortcut.acquisition.auroc"].value < 1
