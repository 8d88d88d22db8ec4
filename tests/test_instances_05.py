"""Lesions found among several, counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studylib.study import instances_05


def picture(*corners, side=40, size=6):
    mask = np.zeros((side, side), bool)
    for y, x in corners:
        mask[y : y + size, x : x + size] = True
    return mask


def test_found_by_hand():
    masks = np.stack([picture((2, 2), (2, 30), (30, 2)), picture((10, 10)), picture()])
    maps = np.zeros((3, 40, 40))
    maps[0, 2:8, 2:8], maps[0, 2:8, 30:33], maps[0, 30:36, 2:8] = 1.0, 0.6, 0.4  # the third stays below half
    maps[1, 30:36, 30:36], maps[1, 10:12, 10:13] = 1.0, 0.9
    maps[2, 3, 3] = 1.0
    found = instances_05.found(maps, masks)
    assert found["count"].tolist() == [3, 1, 0]
    assert found["recall"][:2] == pytest.approx([2 / 3, 1.0]) and np.isnan(found["recall"][2])
    assert found["precision"][:2] == pytest.approx([1.0, 6 / (36 + 6)])


def test_a_speck_is_no_lesion_and_a_flat_map_finds_none():
    masks = picture((2, 2))[None].copy()
    masks[0, 39, 39] = True
    assert instances_05.found(np.ones((1, 40, 40)), masks)["count"] == [1]
    flat = instances_05.found(np.zeros((1, 40, 40)), masks)
    assert np.isnan(flat["recall"]) and np.isnan(flat["precision"])


def test_records_pair_by_image():
    row = {"image": list("abc"), "group": list("abc"), "label": 0, "count": [1, 3, 2], "precision": 1.0, "repeat": 0}
    recall = {"gradcam": [1.0, 1 / 3, 0.5], "gradcam++": [1.0, 1.0, 0.5]}
    table = pd.concat([pd.DataFrame(row | {"method": m, "recall": r}) for m, r in recall.items()], ignore_index=True)
    found = instances_05.records(table, resamples=100)
    assert found["instances.gradcam.recall"].value == pytest.approx((1 / 3 + 0.5) / 2)
    assert found["instances.gradcampp_minus_gradcam.several.recall"].value == pytest.approx((2 / 3 + 0) / 2)
    assert found["instances.gradcampp_minus_gradcam.one.recall"].value == 0
    none = instances_05.records(table[table["count"] > 1], resamples=100)
    assert set(none) == set(found)
    assert none["instances.gradcampp_minus_gradcam.one.recall"].n == 0
