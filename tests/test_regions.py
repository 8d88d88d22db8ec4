"""Regions by hand values and second implementations; flat maps and maps with NaN have none, and say why."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studylib.cam.explanation import resize
from studylib.cam.regions import ORDERS, boxes, convention, find_regions, largest_component, matched_area

RAMP = np.arange(1.0, 17.0).reshape(1, 4, 4)  # 1 … 16


def kept(maps, *args, **kwargs) -> list[float]:
    regions = find_regions(maps, *args, **kwargs)
    return sorted(np.asarray(maps)[regions.masks].tolist())


@pytest.mark.parametrize(
    ("rule", "value", "level", "first"),
    [
        ("fraction", 0.5, 0.5, 9),  # 8 is half of 16 and not above it
        ("fraction", None, 0.2, 4),  # 3.2
        ("mean", None, 8.5 / 16, 9),
        ("median", None, 8.5 / 16, 9),
        ("percentile", 75, 12.25 / 16, 13),  # place 0.75 * 15 = 11.25 between 12 and 13
        ("percentile", 80, 13 / 16, 14),  # place 12 exactly: the value 13, and 13 is not above it
        ("percentile", None, 15.25 / 16, 16),
    ],
)
def test_thresholds_by_hand(rule, value, level, first):
    regions = find_regions(RAMP, rule, value)
    assert regions.levels[0] == pytest.approx(level, abs=1e-15)
    assert kept(RAMP, rule, value) == list(range(first, 17))
    assert regions.areas[0] == pytest.approx((17 - first) / 16)


def test_percentile_equals_a_second_implementation():
    maps = np.random.default_rng(0).random((3, 7, 9))
    for q in (50, 90, 95, 97.3):
        for i, mask in enumerate(find_regions(maps, "percentile", q).masks):
            ordered = np.sort(maps[i].ravel())
            place = q / 100 * (len(ordered) - 1)
            low = int(place)
            level = ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
            assert np.array_equal(mask, maps[i] > level)


def test_otsu_maximises_the_variance_between_the_two_parts():
    rng = np.random.default_rng(0)
    maps = np.where(rng.random((1, 40, 40)) < 0.3, rng.normal(8, 0.3, (1, 40, 40)), rng.normal(2, 0.3, (1, 40, 40)))
    values = maps.clip(0).ravel()
    regions = find_regions(maps, "otsu")

    def between(t):
        high, low = values[values > t], values[values <= t]
        return len(high) * len(low) * (high.mean() - low.mean()) ** 2

    best = max(between(t) for t in np.linspace(values.min(), values.max(), 100)[1:-1])
    # The threshold is the middle of one of 256 bins, so a pixel or two may fall on its other side.
    assert between(regions.levels[0] * values.max()) > 0.995 * best
    assert (regions.masks != (maps > 5)).sum() <= 2


def test_local_keeps_what_is_above_its_surroundings():
    maps = np.tile(np.linspace(0, 10, 60), (1, 60, 1))  # a ramp, on which a global threshold keeps the right side only
    maps[0, 30, 10] += 2
    regions = find_regions(maps, "local", 11)
    assert regions.masks[0, 30, 10] and not regions.masks[0, 30, 9] and not regions.masks[0, 30, 11]
    assert np.isnan(regions.levels[0])
    assert not find_regions(maps, "mean").masks[0, 30, 10]


def test_relu_comes_first_and_may_be_left_out():
    maps = np.array([[[-4.0, 0.0], [1.0, 2.0]]])
    assert find_regions(maps, "mean").masks.tolist() == [[[False, False], [True, True]]]  # mean of 0, 0, 1, 2
    assert find_regions(maps, "mean", relu=False).masks.tolist() == [[[False, True], [True, True]]]  # mean -0.25


def test_the_default_order_is_upsample_scale_threshold():
    maps = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0))
    up = resize(maps.double(), (20, 30)).numpy()
    expected = up > 0.4 * up.max((1, 2), keepdims=True)
    regions = find_regions(maps, "fraction", 0.4, size=(20, 30))
    assert np.array_equal(regions.masks, expected)
    assert np.array_equal(find_regions(maps, "fraction", 0.4, size=(20, 30), scale=None).masks, expected)


def test_orders_differ_as_they_should():
    maps = np.zeros((1, 4, 4))
    maps[0, 1, 1], maps[0, 2, 2] = 1.0, 0.6
    first, second, third = (find_regions(maps, "fraction", 0.7, size=16, order=o).masks[0] for o in ORDERS)
    peak = resize(torch.from_numpy(maps), (16, 16)).max().item()
    assert peak < 1  # no pixel centre of the fine grid lies on the coarse one: "of the maximum" means another value
    assert first.sum() > second.sum()
    assert third.sum() == 16 and third[4:8, 4:8].all()  # thresholded on the coarse grid: whole cells
    unscaled = find_regions(maps, "fraction", 0.7, size=16, order=ORDERS[1], scale=None)
    assert np.array_equal(unscaled.masks[0], first)  # the maximum of the upsampled map itself


def test_scaling_by_minimum_and_maximum_moves_a_fraction_threshold():
    maps = np.array([[[10.0, 11.0], [12.0, 14.0]]])
    assert kept(maps, "fraction", 0.3) == [10, 11, 12, 14]
    assert kept(maps, "fraction", 0.3, scale="minmax") == [12, 14]


def test_what_has_no_region_says_why_and_is_never_a_hit():
    nan, inf = RAMP[0].copy(), RAMP[0].copy()
    nan[0, 0], inf[0, 0] = np.nan, np.inf
    maps = np.stack([RAMP[0], nan, inf, np.zeros((4, 4)), np.full((4, 4), 3.0), -RAMP[0]])
    for rule in ("fraction", "mean", "median", "percentile", "otsu", "local"):
        regions = find_regions(maps, rule, 3 if rule == "local" else None)
        assert regions.undefined == [None, "NaN", "infinite", "flat", "flat", "all-negative"]
        assert regions.defined.tolist() == [True] + [False] * 5
        assert not regions.masks[1:].any() and np.isnan(regions.areas[1:]).all() and np.isnan(regions.levels[1:]).all()
        assert regions.areas[0] > 0
    assert find_regions(maps, "mean", relu=False, scale=None).undefined[5] is None
    assert find_regions(maps, "fraction", relu=False, scale=None).undefined[5] == "all-negative"


def test_ties_at_the_maximum_leave_an_empty_region_that_is_undefined():
    maps = np.zeros((1, 4, 4))
    maps[0, :2] = 1.0
    regions = find_regions(maps, "percentile", 60)  # half of the pixels share the maximum
    assert regions.undefined == ["empty"] and np.isnan(regions.areas).all()


def test_matched_area_takes_exactly_the_highest_pixels():
    maps = np.random.default_rng(0).permutation(16).reshape(1, 4, 4).astype(float)
    for area in range(1, 17):
        regions = matched_area(maps, area)
        assert sorted(maps[regions.masks]) == list(range(16 - area, 16))
        assert regions.levels[0] == 16 - area
    assert matched_area(np.concatenate([maps, maps]), np.array([3, 5])).masks.sum((1, 2)).tolist() == [3, 5]
    assert matched_area(-maps - 1, 4).masks.sum() == 4  # a ranking needs no positive values


def test_matched_area_breaks_ties_without_preferring_a_side():
    maps = np.zeros((1, 20, 20))
    maps[0, 10, 10] = 1.0
    centre = []
    for seed in range(200):
        mask = matched_area(maps, 40, seed=seed).masks[0]
        assert mask.sum() == 40 and mask[10, 10]
        centre.append(np.argwhere(mask).mean(0))
    # expected 9.5; a mean of 40 places out of 400 has a standard error of 0.87, of 200 seeds 0.06
    assert np.abs(np.mean(centre, 0) - 9.5).max() < 0.25
    twice = matched_area(np.concatenate([maps, maps]), 40, seed=3)
    assert np.array_equal(twice.masks[0], twice.masks[1])  # the same order of places for every map and call
    assert np.array_equal(twice.masks[0], matched_area(maps, 40, seed=3).masks[0])


def test_matched_area_of_nothing_or_too_much():
    assert matched_area(RAMP, 0).undefined == ["empty"]
    assert matched_area(np.ones((1, 4, 4)), 3).undefined == ["flat"]
    for area in (17, -1, 2.5):
        with pytest.raises(ValueError, match="whole numbers of pixels from 0 to 16"):
            matched_area(RAMP, area)


def test_largest_component_joins_corners_and_takes_the_upper_of_equals():
    mask = np.array([[[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]]], dtype=bool)
    assert largest_component(mask)[0].astype(int).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]]
    two = np.array([[[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]], dtype=bool)
    assert largest_component(two)[0, 0, :2].all() and largest_component(two).sum() == 2
    assert not largest_component(np.zeros((1, 3, 3), dtype=bool)).any()
    maps = np.where(mask, 1.0, 0.0) + np.where(np.arange(4) == 3, 0.1, 0)
    assert find_regions(maps, "fraction", 0.5, largest=True).masks.sum() == 5


def test_boxes_are_half_open_and_nan_when_empty():
    mask = np.zeros((2, 6, 8), dtype=bool)
    mask[0, 2:5, 3:4] = True
    assert boxes(mask)[0].tolist() == [2, 3, 5, 4]
    assert np.isnan(boxes(mask)[1]).all()


def test_the_convention_is_stated():
    assert convention() == (
        "ReLU, then upsample (bilinear, align_corners=False), then scale by the maximum, then keep pixels above 0.2 of "
        "the maximum"
    )
    assert convention(scale="minmax").endswith("keep pixels above 0.2 of the range from minimum to maximum")
    assert convention(order=ORDERS[1]).endswith("keep pixels above 0.2 of the maximum before upsampling")
    text = convention("percentile", relu=False, order=ORDERS[2], scale=None, largest=True)
    assert text == (
        "no scaling, then keep pixels above the map's percentile 95 (linear interpolation), then upsample the region "
        "(nearest), then keep the largest component"
    )
    assert find_regions(RAMP, "percentile", relu=False, order=ORDERS[2], scale=None, largest=True).said == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "percentil"}, "the rule 'percentil' is not known .*did you mean 'percentile'"),
        ({"order": "scale"}, "the order 'scale' is not known"),
        ({"scale": "sum"}, "the scale 'sum' is not known"),
        ({"rule": "fraction", "value": 20}, "must be at least 0 and below 1"),
        ({"rule": "percentile", "value": 100}, "below 100"),
        ({"rule": "local", "value": 10}, "odd number of pixels"),
        ({"rule": "otsu", "value": 0.5}, "takes no value"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        find_regions(RAMP, **arguments)


def test_maps_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 4\); it must be \(N, h, w\)"):
        find_regions(RAMP[0])


def test_arrays_and_tensors_of_any_precision_give_the_same_and_are_not_changed():
    maps = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    before = maps.copy()
    a = find_regions(maps, "fraction", 0.3, size=32)
    b = find_regions(torch.from_numpy(maps).requires_grad_(), "fraction", 0.3, size=32)
    c = find_regions(maps.tolist(), "fraction", 0.3, size=32)
    assert np.array_equal(a.masks, b.masks) and np.array_equal(a.masks, c.masks)
    assert np.array_equal(maps, before) and a.masks.dtype == bool
