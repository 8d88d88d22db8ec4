"""Deletion and insertion by hand on scores that can be computed on paper, and the mistakes that such code makes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from studylib.metrics import faithfulness as faith


def mean_score(images, rows):
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
        lambda x, rows: seen.append(x) or mean_score(x, rows),
        images_of(maps + 1) / 2,
        maps,
        baseline="zero",
        blocks=None,
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
        lambda x, rows: seen.append(x) or mean_score(x, rows),
        torch.ones(1, 1, 6, 6),
        maps,
        baseline="zero",
        blocks=3,
        steps=9,
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

    def keep_last(x, rows):
        last[:] = [x]
        return mean_score(x, rows)

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
        faith.deletion(lambda x, rows: mean_score(x, rows) - 3, images, maps)
    with pytest.raises(ValueError, match=r"score has shape \(2, 1\).*\(2,\)"):
        faith.deletion(lambda x, rows: mean_score(x, rows)[:, None], images, maps)
    with pytest.raises(ValueError, match="torch.uint8.*scaled floats"):
        faith.deletion(mean_score, images.byte(), maps)
    with pytest.raises(ValueError, match=r"expected \(N, C, H, W\) and \(N, H, W\)"):
        faith.deletion(mean_score, images, maps[:, :4])
    with pytest.raises(ValueError, match="before lies in -1 to 2; expected probabilities"):
        faith.average_drop([-1.0, 2.0], [0.1, 0.2])


def of_each(images, rows):
    """Return a score that differs by image, so that a mix-up of rows shows."""
    return images.mean((1, 2, 3)) / (1 + rows)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5])
def test_both_curves_at_once_equal_each_alone_whatever_the_batch_and_score_the_ends_once(batch_size):
    maps, calls = ranked(5), []

    def score(images, rows):
        calls.append(len(rows))
        return of_each(images, rows)

    options = {"baseline": "mean", "steps": 8, "rng": 3}
    both = faith.deletion_and_insertion(score, images_of(maps), maps, batch_size=batch_size, **options)
    assert sum(calls) == 5 * 2 * 8 and max(calls) <= (batch_size or 5)  # 2 (S + 1) without the shared ends
    for curve, alone in zip(both, (faith.deletion, faith.insertion), strict=True):
        single = alone(of_each, images_of(maps), maps, **options)
        assert np.array_equal(curve.scores, single.scores) and np.array_equal(curve.intact, single.intact)
    with pytest.raises(ValueError, match="batch_size is 0; it must be 1 image or more"):
        faith.deletion(score, images_of(maps), maps, batch_size=0)


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
