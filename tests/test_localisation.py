"""Localisation by hand, against scikit-learn, and where other libraries give a hit for nothing."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from studylib.metrics import localisation as loc

AGAINST_MASKS = [
    loc.pixel_auprc, loc.pixel_auroc, loc.pointing_game, loc.energy_inside, loc.centre_distance,
    loc.iou_at_matched_area,
]  # fmt: skip


def square(n=1, side=6) -> np.ndarray:
    """Return masks with a 2 x 2 object in rows and columns 1 and 2."""
    masks = np.zeros((n, side, side), bool)
    masks[:, 1:3, 1:3] = True
    return masks


def spot(row, column, side=6) -> np.ndarray:
    maps = np.zeros((1, side, side))
    maps[0, row, column] = 1
    return maps


def test_iou_and_dice_by_hand():
    regions = np.zeros((1, 6, 6), bool)
    regions[0, 2:4, 1:4] = True  # six pixels, two of them in the object of four
    assert loc.iou(regions, square()) == pytest.approx(2 / 8)
    assert loc.dice(regions, square()) == pytest.approx(4 / 10)
    assert loc.relative_iou(regions, square()) == pytest.approx((2 / 8) / (4 / 6))
    assert loc.iou(square(), square()) == loc.relative_iou(square(), square()) == 1


def test_attainable_iou_is_the_ratio_of_areas():
    assert loc.attainable_iou([4, 10, 4, 0], [8, 5, 4, 3])[:3] == pytest.approx([0.5, 0.5, 1])
    assert math.isnan(loc.attainable_iou(0, 3))
    # a 5 % region on a meningioma of 2 %, as in the source of study 4: at most 0.4
    assert loc.attainable_iou(0.02, 0.05) == pytest.approx(0.4)


@pytest.mark.parametrize("decimals", [1, 6])
def test_pixel_auprc_and_auroc_as_scikit_learn_with_ties_and_without(decimals):
    rng = np.random.default_rng(0)
    maps, masks = np.round(rng.normal(size=(12, 20, 16)), decimals), rng.random((12, 20, 16)) < 0.2
    flat = [(k.ravel(), m.ravel()) for k, m in zip(masks, maps, strict=True)]
    assert loc.pixel_auprc(maps, masks) == pytest.approx([average_precision_score(*pair) for pair in flat], abs=1e-12)
    assert loc.pixel_auroc(maps, masks) == pytest.approx([roc_auc_score(*pair) for pair in flat], abs=1e-12)


def test_auprc_by_hand():
    # falling order: object, not, object, not: 1/2 (1/1 + 2/3)
    maps, masks = np.array([[[4.0, 3], [2, 1]]]), np.array([[[1, 0], [1, 0]]])
    assert loc.pixel_auprc(maps, masks) == pytest.approx(5 / 6)
    assert loc.pixel_auroc(maps, masks) == pytest.approx(3 / 4)
    # only two values, one of the object in each: 1/2 * 1/2 + 1/2 * 2/4
    assert loc.pixel_auprc(np.array([[[2.0, 2], [1, 1]]]), masks) == pytest.approx(1 / 2)


def test_chance_of_auprc_is_the_prevalence():
    rng = np.random.default_rng(0)
    masks = np.repeat(rng.random((1, 64, 64)) < 0.15, 40, axis=0)
    value = loc.pixel_auprc(rng.random(masks.shape), masks).mean()
    assert value == pytest.approx(loc.prevalence(masks)[0], abs=0.01)
    assert np.isnan(loc.prevalence(np.stack([np.zeros((3, 3), bool), np.ones((3, 3), bool)]))).all()


def test_pointing_game_with_tolerance_and_ties():
    assert loc.pointing_game(spot(1, 2), square()) == 1
    assert loc.pointing_game(spot(2, 4), square()) == 0
    assert loc.pointing_game(spot(2, 4), square(), tolerance=2) == 1
    assert loc.pointing_game(spot(4, 4), square(), tolerance=2) == 0  # 2.83 away
    assert loc.pointing_game(spot(4, 4), square(), tolerance=2.9) == 1
    assert loc.pointing_game(spot(1, 1) + spot(5, 5) + spot(0, 5), square()) == pytest.approx(1 / 3)


def test_pointing_chance_is_what_random_points_reach():
    assert loc.pointing_chance(square()) == pytest.approx(4 / 36)
    assert loc.pointing_chance(square(), tolerance=1) == pytest.approx(12 / 36)  # four more pixels than sides: 4 + 8
    spots = np.concatenate([spot(r, c) for r in range(6) for c in range(6)])
    hits = loc.pointing_game(spots, square(36), tolerance=1)
    assert hits.mean() == pytest.approx(loc.pointing_chance(square(), tolerance=1)[0])


def test_energy_inside_ignores_negative_values():
    maps = spot(1, 1) * 3 + spot(5, 5) - 8 * spot(2, 2) - 8 * spot(0, 0)
    assert loc.energy_inside(maps, square()) == pytest.approx(3 / 4)


def test_centre_distance_by_hand():
    # the object's centre is (1.5, 1.5), the diagonal from pixel centre to pixel centre 5 sqrt 2
    assert loc.centre_distance(spot(1, 1) + spot(2, 2), square()) == 0
    assert loc.centre_distance(spot(5, 5), square()) == pytest.approx(3.5 / 5)
    assert loc.centre_distance(spot(1, 5) + spot(2, 5), square()) == pytest.approx(3.5 / (5 * math.sqrt(2)))


def test_iou_at_matched_area():
    rng = np.random.default_rng(0)
    maps, masks = rng.random((1, 6, 6)), square()
    top = maps >= np.sort(maps.ravel())[-4]
    assert loc.iou_at_matched_area(maps, masks) == pytest.approx(loc.iou(top, masks))
    top = maps >= np.sort(maps.ravel())[-9]
    assert loc.iou_at_matched_area(maps, masks, area=9) == pytest.approx(loc.iou(top, masks))
    # one pixel of the object leads, the other 35 are tied: 1 + 3 * 3 / 35 expected inside
    inside = 1 + 9 / 35
    assert loc.iou_at_matched_area(spot(1, 1), masks) == pytest.approx(inside / (8 - inside))
    with pytest.raises(ValueError, match="1 to 36; found 0.1"):
        loc.iou_at_matched_area(maps, masks, area=0.1)


def test_a_perfect_map_is_perfect_even_when_more_is_asked_for_than_the_object_has():
    # a share of k top pixels would be |mask| / k here
    maps = square().astype(float)
    assert loc.iou_at_matched_area(maps, square()) == 1
    assert loc.iou_at_matched_area(maps + 1e-3 * np.random.default_rng(0).random((1, 6, 6)), square(), area=8) == 0.5


@pytest.mark.parametrize("measure", AGAINST_MASKS)
def test_flat_nan_and_infinite_maps_and_empty_and_full_masks_are_nan_never_a_hit(measure):
    maps = np.random.default_rng(0).random((7, 6, 6))
    maps[0], maps[1], maps[2, 0, 0], maps[3, 0, 0] = 0, 2.5, np.nan, -np.inf
    masks = square(7)
    masks[4], masks[5] = False, True
    values = measure(maps, masks)
    assert values.dtype == np.float64
    assert np.isnan(values).tolist() == [True] * 6 + [False]
    assert [r is None for r in loc.reasons(maps, masks)] == [False] * 6 + [True]


@pytest.mark.parametrize("measure", AGAINST_MASKS)
def test_an_all_negative_map_has_ranks_but_no_mass(measure):
    maps = np.random.default_rng(0).random((2, 6, 6))
    maps[1] = maps[0] - 9
    values = measure(maps, square(2))
    if measure in (loc.energy_inside, loc.centre_distance):
        assert np.isnan(values).tolist() == [False, True]
    else:
        assert values[0] == values[1]


@pytest.mark.parametrize("measure", AGAINST_MASKS)
def test_values_do_not_depend_on_the_batch_nor_change_the_input(measure):
    rng = np.random.default_rng(0)
    maps, masks = rng.normal(size=(5, 6, 6)), rng.random((5, 6, 6)) < 0.3
    maps[2] = 0  # one undefined map must not spoil its neighbours
    before = maps.copy(), masks.copy()
    together = measure(maps, masks)
    alone = np.concatenate([measure(maps[i : i + 1], masks[i : i + 1]) for i in range(5)])
    assert np.array_equal(together, alone, equal_nan=True)
    assert np.array_equal(maps, before[0]) and np.array_equal(masks, before[1])
    assert np.array_equal(measure(torch.tensor(maps), torch.tensor(masks)), together, equal_nan=True)


def test_empty_regions_are_undefined():
    assert np.isnan(loc.iou(np.zeros((1, 6, 6), bool), square())).all()
    assert np.isnan(loc.dice(square(), np.ones((1, 6, 6), bool))).all()


def test_a_thousand_maps_of_128_pixels_take_seconds():
    maps = np.random.default_rng(0).random((1000, 128, 128), dtype=np.float32)
    masks = square(1000, 128)
    start = time.perf_counter()
    loc.pixel_auprc(maps, masks)
    assert time.perf_counter() - start < 10  # 1.5 on an idle core
