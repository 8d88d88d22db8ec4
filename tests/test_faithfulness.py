"""Deletion and insertion by hand on scores that can be computed on paper, and the mistakes that such code makes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from studylib.metrics import faithfulness as faith


def mean_score(images):
    """Return the mean brightness, a 'probability' whose curve is known for every order."""
    return images.mean((1, 2, 3))


def images_of(maps, channels=3) -> torch.Tensor:
    return torch.tensor(maps, dtype=torch.float64)[:, None].repeat(1, channels, 1, 1)


def ranked(n=1, side=8, seed=0) -> np.ndarray:
    """Return maps whose values are all different, between 0 and 1."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(side * side).reshape(side, side) / (side * side - 1) for _ in range(n)])


def test_deletion_of_the_right_map_by_hand():
    maps = ranked()
    curve = faith.deletion(mean_score, images_of(maps), maps, baseline="zero", blocks=None, steps=64)
    falling = np.sort(maps.ravel())[::-1]
    expected = np.append(falling.sum(), falling.sum() - np.cumsum(falling)) / 64
    assert curve.shares.tolist() == [k / 64 for k in range(65)]
    assert curve.scores[0] == pytest.approx(expected)
    assert curve.area[0] == pytest.approx(((expected[1:] + expected[:-1]) / 2).mean())
    assert curve.relative_area[0] == pytest.approx(curve.area[0] / expected[0])
    assert curve.intact[0] == pytest.approx(expected[0])


def test_insertion_mirrors_deletion_for_an_additive_score():
    maps = ranked(2)
    images = images_of(maps)
    out = faith.deletion(mean_score, images, maps, baseline="zero", blocks=None)
    back = faith.insertion(mean_score, images, maps, baseline="zero", blocks=None)
    assert out.scores + back.scores == pytest.approx(np.broadcast_to(out.intact[:, None], (2, 33)))
    assert back.scores[:, 0] == pytest.approx(0) and back.scores[:, -1] == pytest.approx(back.intact)


def test_the_axis_is_normalised_with_both_ends_whatever_the_steps():
    maps = ranked(side=16)
    areas = []
    for steps in (8, 16, 32, 128):
        curve = faith.deletion(mean_score, images_of(maps), maps, baseline="zero", blocks=None, steps=steps)
        assert (curve.shares[0], curve.shares[-1], len(curve.shares)) == (0, 1, steps + 1)
        areas.append(curve.area[0])
    # the exact area for values i / (n - 1): about 1/6; steps only refine it
    assert areas == pytest.approx([1 / 6] * 4, abs=0.01)


def test_steps_need_not_divide_the_number_of_places():
    maps = ranked(side=7)
    curve = faith.deletion(mean_score, images_of(maps * 0 + 1), maps, baseline="zero", blocks=None, steps=32)
    counts = np.rint(np.arange(33) * 49 / 32)
    assert curve.scores[0] == pytest.approx(1 - counts / 49)
    assert curve.shares == pytest.approx(counts / 49)


def test_exact_rank_counts_on_a_map_that_is_nearly_all_zero():
    maps = np.zeros((1, 10, 10))
    maps[0, 0] = 1.0  # nine tenths are tied at zero
    curve = faith.deletion(mean_score, images_of(maps * 0 + 1), maps, baseline="zero", blocks=None, steps=5)
    assert 1 - curve.scores[0] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


def test_one_map_serves_all_channels_of_its_image():
    maps, seen = ranked(), []
    faith.deletion(
        lambda x: seen.append(x) or mean_score(x), images_of(maps + 1) / 2, maps, baseline="zero", blocks=None
    )
    for image in seen:
        gone = image[0] == 0
        assert (gone[0] == gone[1]).all() and (gone[1] == gone[2]).all()
    assert [int((image[0, 0] == 0).sum()) for image in seen] == [2 * k for k in range(33)]


def test_blocks_go_as_a_whole_in_the_order_of_their_means():
    maps = np.zeros((1, 6, 6))
    maps[0, 0, 0] = 5  # the highest pixel, in a block of mean 5/4
    maps[0, 2:4, 4:6] = 2
    seen = []
    faith.deletion(
        lambda x: seen.append(x) or mean_score(x), torch.ones(1, 1, 6, 6), maps, baseline="zero", blocks=3, steps=9
    )
    first, second = (torch.nonzero(seen[k][0, 0] == 0) for k in (1, 2))
    assert first.tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    assert second.tolist()[:4] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert [int((x == 0).sum()) for x in seen] == [4 * k for k in range(10)]


def test_blocks_of_sides_that_do_not_divide():
    curve = faith.deletion(
        mean_score, torch.ones(1, 1, 16, 15), ranked(side=16)[:, :, :15], blocks=14, steps=196, baseline="zero"
    )
    assert np.diff(curve.scores[0]).max() < 0 and curve.scores[0, -1] == 0
    assert np.unique(np.rint(-np.diff(curve.scores[0]) * 240)).tolist() == [1, 2, 4]  # 1 or 2 pixels a side


def test_the_order_of_a_good_map_beats_random_order_and_bad_maps_lose():
    maps = ranked(4)
    images = images_of(maps)
    good, bad = (faith.deletion(mean_score, images, m, baseline="zero").area for m in (maps, -maps))
    control = faith.random_order(mean_score, images, baseline="zero", draws=5)
    assert (good < control).all() and (control < bad).all()
    assert control == pytest.approx(images.mean((1, 2, 3)) / 2, rel=0.1)  # a straight line down
    inserted = faith.random_order(mean_score, images, of=faith.insertion, baseline="zero")
    assert (faith.insertion(mean_score, images, maps, baseline="zero").area > inserted).all()


def test_baselines():
    images = torch.rand(2, 3, 30, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    maps = np.random.default_rng(0).random((2, 30, 40))
    last = []

    def keep_last(x):
        last[:] = [x]
        return mean_score(x)

    faith.deletion(keep_last, images, maps, baseline="mean")
    assert torch.allclose(last[0], images.mean((2, 3), keepdim=True).expand_as(images))
    faith.deletion(keep_last, images, maps, baseline="blur")
    sigma = (10 / 224 * 30, 10 / 224 * 40)
    reference = ndimage.gaussian_filter(images.numpy(), (0, 0, *sigma), mode="nearest", truncate=4)
    assert last[0].numpy() == pytest.approx(reference, abs=1e-12)
    faith.deletion(keep_last, images, maps, baseline=torch.full((1, 3, 1, 1), 0.25))
    assert (last[0] == 0.25).all()
    with pytest.raises(ValueError, match="'blurred'; it is 'blur', 'mean', 'zero'"):
        faith.deletion(keep_last, images, maps, baseline="blurred")


def test_undefined_maps_give_nan_and_leave_the_others_alone():
    maps = ranked(4)
    images = images_of(maps)
    maps[1], maps[2, 0, 0] = 0.5, np.nan
    together = faith.deletion(mean_score, images, maps, baseline="zero")
    assert np.isnan(together.area).tolist() == [False, True, True, False]
    alone = faith.deletion(mean_score, images[3:], maps[3:], baseline="zero")
    assert together.area[3] == alone.area[0]


def test_nothing_that_is_passed_is_changed_and_no_graph_is_kept():
    maps = ranked(2)
    images = images_of(maps).requires_grad_()
    before = images.detach().clone(), maps.copy()
    faith.insertion(mean_score, images, maps)
    assert torch.equal(images, before[0]) and np.array_equal(maps, before[1]) and images.grad is None


def test_ties_follow_the_seed():
    maps = np.zeros((1, 8, 8))
    maps[0, 0, 0] = 1
    images = images_of(ranked())
    a, b, c = (faith.deletion(mean_score, images, maps, blocks=None, rng=seed).area[0] for seed in (0, 0, 1))
    assert a == b != c


def test_logits_wrong_lengths_and_raw_images_are_refused():
    maps, images = ranked(2), images_of(ranked(2))
    with pytest.raises(ValueError, match="score lies in .* expected probabilities, not logits"):
        faith.deletion(lambda x: mean_score(x) - 3, images, maps)
    with pytest.raises(ValueError, match=r"score has shape \(2, 1\).*\(2,\)"):
        faith.deletion(lambda x: mean_score(x)[:, None], images, maps)
    with pytest.raises(ValueError, match="torch.uint8.*scaled floats"):
        faith.deletion(mean_score, images.byte(), maps)
    with pytest.raises(ValueError, match=r"expected \(N, C, H, W\) and \(N, H, W\)"):
        faith.deletion(mean_score, images, maps[:, :4])
    with pytest.raises(ValueError, match="before lies in -1 to 2; expected probabilities"):
        faith.average_drop([-1.0, 2.0], [0.1, 0.2])


def test_average_drop_and_increase_by_hand():
    before, after = np.array([0.8, 0.5, 0.4, 0.0, 0.9]), np.array([0.2, 0.6, 0.4, 0.1, np.nan])
    assert faith.average_drop(before, after)[:3] == pytest.approx([0.75, 0, 0])
    assert np.isnan(faith.average_drop(before, after)[3:]).all()
    assert faith.increase(before, after)[:4].tolist() == [0, 1, 0, 1] and math.isnan(faith.increase(before, after)[4])


def test_multiplied_scales_by_the_maximum_and_drops_the_negative():
    maps = np.array([[[4.0, 2], [-1, 0]], [[3.0, 3], [3, 3]]])
    images = torch.ones(2, 3, 2, 2)
    result = faith.multiplied(images, maps)
    assert result[0, 1].tolist() == [[1, 0.5], [0, 0]] and result.dtype == torch.float32
    assert torch.isnan(result[1]).all() and (images == 1).all()


def small_network(side: int = 20):
    """Return a network in float64 with three classes, its images (5, 3, side, side) and maps, one of them flat."""
    generator = torch.Generator().manual_seed(0)
    pool = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3), torch.nn.ReLU(), pool, torch.nn.Linear(6, 3)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))
    maps = np.random.default_rng(0).normal(size=(5, side, side))
    maps[2] = 1.0
    return model, torch.rand(5, 3, side, side, dtype=torch.float64, generator=generator), maps


@pytest.mark.parametrize("baseline", ["blur", "mean", "zero"])
def test_both_curves_at_once_are_bit_for_bit_the_two_alone_and_share_their_ends(baseline):
    model, images, maps = small_network()
    calls = []

    def score(x):
        calls.append(len(x))
        return model(x).softmax(1)[:, 1]

    options = {"baseline": baseline, "steps": 12, "rng": 3}
    alone = [of(score, images, maps, **options) for of in (faith.deletion, faith.insertion)]
    assert len(calls) == 2 * 13
    calls.clear()
    both = faith.deletion_and_insertion(score, images, maps, **options)
    assert calls == [5] * (2 * 12)  # the whole image and the baseline are shown once
    for a, b in zip(alone, both, strict=True):
        for name in ("shares", "scores", "intact", "area"):
            assert np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True)
    assert np.isnan(both[0].area).tolist() == [False, False, True, False, False]
    assert np.array_equal(both[0].scores[:, 0], both[1].scores[:, -1], equal_nan=True)
    assert np.array_equal(both[0].scores[:, -1], both[1].scores[:, 0], equal_nan=True)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 7, 11, 1000])
def test_a_batch_size_bounds_the_forward_and_changes_no_score(batch_size):
    model, images, maps = small_network()
    target, sizes = torch.tensor([0, 1, 2, 1, 0]), []

    def score(x, rows):
        sizes.append(len(x))
        return model(x).softmax(1)[torch.arange(len(x)), target[rows]]

    def every_image(x):
        return model(x).softmax(1)[torch.arange(5), target]

    bounded = faith.deletion_and_insertion(score, images, maps, steps=6, batch_size=batch_size)
    assert max(sizes) <= batch_size and sum(sizes) == 5 * 2 * 6
    whole = faith.deletion_and_insertion(every_image, images, maps, steps=6)
    for a, b in zip(bounded, whole, strict=True):
        # the same sums in another blocking: a few units in the last place of float64
        assert a.scores == pytest.approx(b.scores, abs=1e-14, nan_ok=True)
    with pytest.raises(ValueError, match="batch_size is 0; it counts images"):
        faith.deletion(score, images, maps, batch_size=0)


def by_hand(score, image, map_, baseline, cumulative, inserted) -> tuple[list[float], list[float]]:
    """Return saliency and change of one image pixel by pixel, written without the module."""
    saliency, change = [], []
    order = np.argsort(-map_.ravel(), kind="stable")
    start, other = (baseline, image) if inserted else (image, baseline)
    current = start.clone()
    for place in order:
        row, column = divmod(int(place), map_.shape[1])
        after = current.clone()
        after[:, row, column] = other[:, row, column]
        drop = float(score(current[None])[0] - score(after[None])[0])
        saliency.append(map_[row, column])
        change.append(-drop if inserted else drop)
        current = after if cumulative else start.clone()
    return saliency, change


@pytest.mark.parametrize("cumulative", [True, False])
@pytest.mark.parametrize("inserted", [True, False])
def test_correlations_of_saliency_and_change_as_scipy_one_pixel_at_a_time(cumulative, inserted):
    model, images, maps = small_network(side=6)

    def score(x):
        return model(x).softmax(1)[:, 1]

    of = faith.insertion_correlation if inserted else faith.deletion_correlation
    options = {"baseline": "zero", "blocks": None, "cumulative": cumulative}
    plain, ranked = of(score, images, maps, **options), of(score, images, maps, ranked=True, **options)
    assert np.isnan(plain).tolist() == np.isnan(ranked).tolist() == [False, False, True, False, False]
    with torch.no_grad():
        for k in (0, 1, 3, 4):
            pair = by_hand(score, images[k], maps[k], torch.zeros_like(images[k]), cumulative, inserted)
            assert plain[k] == pytest.approx(stats.pearsonr(*pair).statistic, abs=1e-9)
            assert ranked[k] == pytest.approx(stats.spearmanr(*pair).statistic, abs=1e-9)


def test_a_map_that_is_the_drop_correlates_fully_and_its_negative_inversely():
    maps = ranked(2)
    images = images_of(maps)
    for of in (faith.deletion_correlation, faith.insertion_correlation):
        for cumulative in (True, False):
            options = {"baseline": "zero", "blocks": None, "cumulative": cumulative}
            assert of(mean_score, images, maps, **options) == pytest.approx(1, abs=1e-9)
            assert of(mean_score, images, 3 - 2 * maps, **options) == pytest.approx(-1, abs=1e-9)
    # it judges values, not order: the tenth power ranks places alike, and goes with the drop less
    bent = faith.deletion_correlation(mean_score, images, maps**10, baseline="zero", blocks=None)
    assert (bent < 0.8).all()
    assert faith.deletion_correlation(
        mean_score, images, maps**10, baseline="zero", blocks=None, ranked=True
    ) == pytest.approx(1)


def test_steps_of_several_places_correlate_their_mean_saliency():
    maps = ranked(side=6)
    falling = np.sort(maps.ravel())[::-1].reshape(4, 9)
    squares = torch.tensor(maps**2)[:, None]  # what goes is the square of what the map says
    value = faith.deletion_correlation(mean_score, squares, maps, baseline="zero", blocks=None, steps=4)
    assert value[0] == pytest.approx(stats.pearsonr(falling.mean(1), (falling**2).mean(1)).statistic)
    blocks = np.arange(9.0).reshape(1, 3, 3)
    value = faith.deletion_correlation(mean_score, torch.ones(1, 1, 6, 6), blocks.repeat(2, 1).repeat(2, 2), blocks=3)
    assert math.isnan(value[0])  # the baseline is the image: nothing drops


def test_a_correlation_is_undefined_with_two_values_of_saliency_or_a_flat_drop():
    maps = ranked(3)
    images = images_of(maps)
    two = (maps > 0.5).astype(float)
    options = {"baseline": "zero", "blocks": None}
    assert np.isnan(faith.deletion_correlation(mean_score, images, two, **options)).all()
    three = two + (maps > 0.9)
    assert np.isfinite(faith.deletion_correlation(mean_score, images, three, **options)).all()
    for kind in (torch.float64, torch.float32):  # every pixel takes the same away, but for rounding
        even = torch.full((3, 1, 8, 8), 0.3, dtype=kind)
        assert np.isnan(faith.deletion_correlation(mean_score, even, maps, **options)).all()
    with pytest.raises(ValueError, match=r"steps is 65; .* at most one a place \(64\)"):
        faith.deletion_correlation(mean_score, images, maps, steps=65, **options)
