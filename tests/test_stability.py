"""Stability against a second implementation in scipy and scikit-image, image by image, and where it is NaN."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity

from studylib.metrics.intervals import of_columns, statistic_by
from studylib.metrics.sanity import Similarity, random_pairs, similarity
from studylib.metrics.stability import above_chance, between, noisy, prediction_saliency_correlation, shifted


def pictures(n=4, channels=2, side=20, seed=0) -> torch.Tensor:
    """Return images, each with a range of its own."""
    rng = np.random.default_rng(seed)
    scale = np.arange(1.0, n + 1)[:, None, None, None]
    return torch.from_numpy(rng.normal(0, 1, (n, channels, side, side)) * scale)


def local(images):
    """Return a map that looks at each pixel alone: it moves with the image."""
    return images[:, 0] * 2 - images[:, 1] ** 2


def pinned(images):
    """Return a map that stays where it is, whatever the image: a bump in the middle."""
    axis = torch.linspace(-1, 1, images.shape[-1], dtype=images.dtype)
    return torch.exp(-(axis[:, None] ** 2) - axis[None] ** 2).expand(len(images), -1, -1)


def reference(a: np.ndarray, b: np.ndarray, top=0.1) -> list[float]:
    """Return Spearman, SSIM and overlap of two maps without ties, written without the package."""
    scaled = [(m - m.min()) / (m.max() - m.min()) for m in (a, b)]
    k = round(top * a.size)
    high = [set(np.argsort(m.ravel())[-k:].tolist()) for m in (a, b)]
    return [
        stats.spearmanr(a.ravel(), b.ravel()).statistic,
        structural_similarity(*scaled, data_range=1, win_size=7),
        len(high[0] & high[1]) / k,
    ]


def test_noise_is_a_share_of_each_images_own_range_and_values_are_as_scipy_and_scikit_image():
    images, seen = pictures(), []

    def maps_of(x):
        seen.append(x.clone())
        return local(x)

    result = noisy(maps_of, images, share=0.1, draws=3, rng=5)
    assert len(seen) == 4 and torch.equal(seen[0], images)
    for image, copies in zip(images, zip(*seen[1:], strict=True), strict=True):
        spread = float(image.max() - image.min())
        noise = torch.stack(copies) - image
        assert float(noise.std()) / spread == pytest.approx(0.1, rel=0.05)  # 2,400 values: 1.4 % a standard error
    maps = [local(x).numpy() for x in seen]
    expected = np.mean([[reference(maps[0][i], m[i]) for i in range(4)] for m in maps[1:]], axis=0)
    assert np.stack(result, 1) == pytest.approx(expected)


def test_more_noise_is_less_alike_and_the_seed_decides():
    images = pictures()
    little, much = (noisy(local, images, share=share) for share in (0.02, 0.5))
    assert all((a > b).all() for a, b in zip(little, much, strict=True))
    assert np.stack(noisy(local, images, share=0)) == pytest.approx(1)
    first, again, other = (noisy(local, images, rng=seed).spearman for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_map_that_moves_with_the_image_is_the_same_after_any_shift():
    images = pictures()
    for by in (1, 5, [(2, -3)], [(0, 7), (-6, 4)]):
        assert np.stack(shifted(local, images, by=by)) == pytest.approx(1)


def test_shifts_of_a_pinned_map_by_hand():
    images, seen = pictures(n=2), []

    def maps_of(x):
        seen.append(x.clone())
        return pinned(x) + 1e-3 * images[0, 0]  # no ties

    result = shifted(maps_of, images, by=3)
    bump = maps_of(images)[0].numpy()
    windows = [(bump[3:], bump[:-3]), (bump[:-3], bump[3:]), (bump[:, 3:], bump[:, :-3]), (bump[:, :-3], bump[:, 3:])]
    expected = np.mean([reference(*pair) for pair in windows], axis=0)
    assert np.stack(result, 1) == pytest.approx(np.tile(expected, (2, 1)))
    assert result.spearman.max() < 0.9
    up, down, left, right = seen[1:5]
    assert torch.equal(up[:, :, :-3], images[:, :, 3:]) and torch.equal(
        up[:, :, -3:], images[:, :, -1:].expand_as(up[:, :, -3:])
    )
    assert torch.equal(down[:, :, 3:], images[:, :, :-3]) and (down[:, :, :3] == images[:, :, :1]).all()
    assert torch.equal(left[..., :-3], images[..., 3:]) and torch.equal(right[..., 3:], images[..., :-3])


def test_a_coarse_map_or_too_large_a_shift_is_refused():
    images = pictures()
    with pytest.raises(ValueError, match=r"maps are \(10, 10\), images \(20, 20\); upsample"):
        shifted(lambda x: local(x)[:, ::2, ::2], images)
    with pytest.raises(ValueError, match="each smaller than the image of 20 x 20"):
        shifted(local, images, by=20)
    with pytest.raises(ValueError, match="4 images; expected one each"):
        noisy(lambda x: local(x)[:1], images)
    with pytest.raises(ValueError, match="draws 0; expected .* at least one draw"):
        noisy(local, images, draws=0)
    assert np.isfinite(noisy(lambda x: local(x)[:, ::2, ::2], images).spearman).all()  # noise needs no pixel's place


def test_undefined_maps_are_nan_alone_and_a_copy_without_a_map_is_left_out():
    images, calls = pictures(), []

    def maps_of(x):
        calls.append(len(x))
        maps = local(x).clone()
        maps[1] = 0.5
        maps[2, 0, 0] = math.nan  # outside of most windows
        if len(calls) == 2:
            maps[3] = math.nan
        return maps.numpy()

    for result in (noisy(maps_of, images, draws=2), shifted(maps_of, images)):
        calls.clear()
        assert np.isnan(np.stack(result)).tolist() == [[False, True, True, False]] * 3
    calls.clear()
    second = noisy(maps_of, images, draws=2, rng=0).spearman[3]
    rng = np.random.default_rng(0)
    noise = [rng.standard_normal(images.shape) for _ in range(2)][1][3]
    copy = images[3] + 0.05 * (images[3].max() - images[3].min()) * torch.from_numpy(noise)
    assert second == pytest.approx(reference(local(images[3:])[0].numpy(), local(copy[None])[0].numpy())[0])


def test_images_are_not_changed_and_arrays_serve_too():
    images = pictures()
    before = images.clone()
    a = noisy(local, images), shifted(local, images)
    assert torch.equal(images, before)
    b = noisy(local, images.numpy()), shifted(local, images.numpy())
    assert all(np.array_equal(x, y) for x, y in zip(np.stack(a), np.stack(b), strict=True))


def networks(count=3, n=6, side=16, shared=1.0, seed=0) -> list[np.ndarray]:
    """Return maps of several networks that share a part of what they see in an image."""
    rng = np.random.default_rng(seed)
    of_image = rng.normal(size=(n, side, side))
    return [shared * of_image + rng.normal(size=of_image.shape) for _ in range(count)]


def test_likeness_between_networks_is_the_mean_over_their_pairs():
    maps = networks()
    expected = np.mean([[reference(a[i], b[i]) for i in range(6)] for a, b in combinations(maps, 2)], axis=0)
    assert np.stack(between(maps), 1) == pytest.approx(expected)
    named = between({f"seed {k}": torch.tensor(m) for k, m in enumerate(maps)})
    assert np.array_equal(np.stack(named), np.stack(between(np.stack(maps))))
    maps[0][2], maps[1][4], maps[2][4] = 0, math.nan, 7
    result = between(maps)
    assert np.isnan(result.ssim).tolist() == [False, False, False, False, True, False]
    assert result.ssim[2] == pytest.approx(reference(maps[1][2], maps[2][2])[1])  # one pair is left
    with pytest.raises(ValueError, match="1 network's maps are given"):
        between(maps[:1])


def test_above_chance_takes_the_mean_of_random_pairs_away():
    maps = networks(shared=2.0)
    likeness = similarity(maps[0], maps[1])
    found = above_chance(likeness, maps[0], 3)
    for mine, got, pairs in zip(likeness, found, random_pairs(maps[0], 3, 50), strict=True):
        assert got == pytest.approx(mine - pairs.mean())
    of_all = above_chance(between(maps), maps, 3)
    rng = np.random.default_rng(3)
    chance = np.mean([random_pairs(m, rng, 50).ssim.mean() for m in maps])
    assert of_all.ssim == pytest.approx(between(maps).ssim - chance)
    assert np.isnan(above_chance(similarity(maps[0][:1], maps[1][:1]), maps[0][:1], 0).ssim).all()


def test_networks_that_share_nothing_of_an_image_are_at_chance_and_those_that_share_are_above():
    apart, alike = networks(n=20, shared=0.0), networks(n=20, shared=1.0)
    none, some = (above_chance(between(m), m, 0).spearman for m in (apart, alike))
    # Spearman of 256 independent pixels: standard deviation 1/16 a pair, three pairs and twenty images
    assert abs(none.mean()) < 0.03 < 0.3 < some.min()
    # one and the same bump for every image is highly alike, and no more so than any two maps
    bumps = [pinned(torch.zeros(20, 1, 16, 16, dtype=torch.float64)).numpy() + 0.01 * m for m in apart]
    assert between(bumps).spearman.min() > 0.95 and abs(above_chance(between(bumps), bumps, 0).spearman.mean()) < 0.01


def test_maps_that_change_with_the_prediction_correlate_and_weights_are_multiplicities():
    rng = np.random.default_rng(0)
    before, after = rng.random((2, 60))
    likeness = 1 - np.abs(after - before) * 0.5
    assert prediction_saliency_correlation(before, after, likeness) == pytest.approx(1)
    likeness = rng.random(60)
    value = prediction_saliency_correlation(before, after, likeness)
    assert value == pytest.approx(stats.pearsonr(np.abs(after - before), 1 - likeness).statistic)
    w = rng.integers(0, 4, 60)
    repeated = (np.repeat(x, w) for x in (before, after, likeness))
    assert prediction_saliency_correlation(before, after, likeness, w) == pytest.approx(
        prediction_saliency_correlation(*repeated)
    )
    likeness[:3] = math.nan
    assert prediction_saliency_correlation(before, after, likeness) == pytest.approx(
        prediction_saliency_correlation(before[3:], after[3:], likeness[3:])
    )
    assert math.isnan(prediction_saliency_correlation(before, before, likeness))
    assert math.isnan(prediction_saliency_correlation(before[:5], after[:5], likeness[:5]))
    table = pd.DataFrame({"group": np.arange(60) // 2, "p": before, "q": after, "ssim": likeness})
    estimate = statistic_by(
        table, of_columns(prediction_saliency_correlation, "p", "q", "ssim"), needs=["ssim"], resamples=200
    )
    assert estimate.low < estimate.value < estimate.high and estimate.n == 57
    with pytest.raises(ValueError, match=r"likeness \(3,\)"):
        prediction_saliency_correlation([0.1, 0.2], [0.1, 0.3], [1.0, 0.5, 0.2])
    with pytest.raises(ValueError, match="not logits"):
        prediction_saliency_correlation([4.0, 0.2, 0.1], [0.1, 0.3, 0.1], [1.0, 0.5, 0.2])


def test_a_similarity_comes_back_with_its_names():
    result = noisy(local, pictures())
    assert isinstance(result, Similarity) and result._fields == ("spearman", "ssim", "overlap")
