"""Mixtures of image and baseline by hand, who goes into which forward, and the order of tied places."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studylib.metrics import removal


def two_images() -> tuple[torch.Tensor, np.ndarray]:
    images = torch.arange(1.0, 9.0).view(2, 1, 2, 2) / 10
    maps = np.array([[[4.0, 3], [2, 1]], [[1.0, 2], [3, 4]]])
    return images, maps


def shown(mixture, batch_size=None) -> np.ndarray:
    """Return what a score gets to see of two images of four pixels, (2, 4)."""
    images, maps = two_images()
    of, seen = removal.parts(images, maps, "zero", None, 0), []
    removal.scores(lambda x: seen.append(x.flatten(1)) or x.mean((1, 2, 3)), of, [mixture], batch_size)
    return torch.cat(seen).numpy().round(6)


def test_mixtures_by_hand():
    whole = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]
    assert shown(removal.Mixture(0, 0)) == pytest.approx(np.array(whole))
    assert not shown(removal.Mixture(0, 4)).any()
    assert shown(removal.Mixture(0, 2)) == pytest.approx(np.array([[0, 0, 0.3, 0.4], [0.5, 0.6, 0, 0]]))
    assert shown(removal.Mixture(1, 3)) == pytest.approx(np.array([[0.1, 0, 0, 0.4], [0.5, 0, 0, 0.8]]))
    assert shown(removal.Mixture(1, 3, True)) == pytest.approx(np.array([[0, 0.2, 0.3, 0], [0, 0.6, 0.7, 0]]))
    assert shown(removal.Mixture(0, 1, True), batch_size=1) == pytest.approx(np.array([[0.1, 0, 0, 0], [0, 0, 0, 0.8]]))


def test_saliency_falls_and_ranks_follow_it():
    images, maps = two_images()
    of = removal.parts(images, maps, "mean", None, 0)
    assert of.saliency.tolist() == [[4, 3, 2, 1]] * 2 and of.places == 4
    assert of.ranks.flatten(1).tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert of.baseline.flatten(1).tolist() == [[0.25] * 4, [pytest.approx(0.65)] * 4]
    whole = removal.parts(images, maps, "zero", 1, 0)
    assert whole.places == 1 and whole.saliency.tolist() == [[2.5], [2.5]] and not whole.ranks.any()


def test_counts_are_exact_and_hold_both_ends():
    assert removal.counts(196, 4).tolist() == [0, 49, 98, 147, 196]
    assert removal.counts(7, 3).tolist() == [0, 2, 5, 7]


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(None, [3, 3, 3, 3]), (2, [2, 1] * 4), (3, [3] * 4), (7, [6, 6]), (12, [12]), (99, [12])]
)
def test_forwards_hold_parts_of_one_mixture_or_several_whole_ones(batch_size, sizes):
    images, maps = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0)), np.random.default_rng(0)
    of, seen, rows_seen = removal.parts(images, maps.random((3, 4, 4)), "zero", None, 0), [], []

    def score(x, rows):
        seen.append(len(x))
        rows_seen.extend(rows.tolist())
        return (x.sum((1, 2, 3)) + rows) / 100

    mixtures = [removal.Mixture(0, k) for k in (0, 5, 9, 16)]
    found = removal.scores(score, of, mixtures, batch_size)
    assert seen == sizes and rows_seen == [0, 1, 2] * 4
    alone = [float((image.sum() + k) / 100) for k, image in enumerate(images)]
    assert found[:, 0] == pytest.approx(alone) and found[:, 3] == pytest.approx([0, 0.01, 0.02])


def test_tied_places_come_in_one_random_order_for_every_image():
    images, maps = torch.zeros(2, 1, 6, 6), np.zeros((2, 6, 6))
    maps[:, 0, 0] = 1
    first, again, other = (removal.parts(images, maps, "zero", None, seed).ranks[:, 0] for seed in (0, 0, 1))
    assert torch.equal(first, again) and torch.equal(first[0], first[1]) and not torch.equal(first, other)
    assert first[0, 0, 0] == 0 and sorted(first[0].flatten().tolist()) == list(range(36))
