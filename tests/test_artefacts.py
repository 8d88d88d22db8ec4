"""Artefacts of dermoscopy: masks are where a picture was changed, how often each comes, what each keeps clear of."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from studylib.data.phantoms.dermoscopy.artefacts import CLEAR, SHARES, choose, lay

SIZE = 96


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 0.8, (SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture
def lesion() -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.hypot(x - 50, y - 45) < 18


@pytest.mark.parametrize("name", SHARES)
def test_the_mask_is_where_the_picture_was_changed(name, image, lesion):
    """Half a grey level of 255 is what a written picture can show; nothing is changed outside, and not in place."""
    before = image.copy()
    for seed in range(12):
        found, mask = lay(name, image, lesion, np.random.default_rng(seed))
        change = np.abs(found - image).max(-1)
        if name == "vignette":  # whose mask is what it hides; a rim of 2 % of the side is soft
            assert np.ptp(found[mask], axis=0).max() < 1e-6
            y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE - 0.5
            rim = ~mask & (np.hypot(x, y) > 0.52 - 0.02 * 2**0.5)
            assert (change[rim] <= change[mask].max()).all()
            change = np.where(rim, 0, change)
        assert change[~mask].max() == 0 and mask.any()
        assert (change[mask] > 0.5 / 255).mean() > 0.9 and change.max() > 0.1
        assert found.min() >= 0 and found.max() <= 1
    np.testing.assert_array_equal(image, before)


def test_artefacts_come_as_often_as_was_said_and_a_cue_as_was_decided():
    drawn = [choose(np.random.default_rng(s), None, False) for s in range(2000)]
    for name, share in SHARES.items():
        assert np.mean([name in d for d in drawn]) == pytest.approx(share, abs=0.035)  # 3 standard errors of hair's
    for s in range(50):
        with_it, without = (choose(np.random.default_rng(s), "ruler", there) for there in (True, False))
        assert "ruler" in with_it and "ruler" not in without
        assert [n for n in with_it if n != "ruler"] == list(without) == [n for n in drawn[s] if n != "ruler"]
        assert choose(np.random.default_rng(s), "size", True) == drawn[s]  # a cue that is no artefact


def test_ink_keeps_clear_of_the_lesion_and_is_violet(image, lesion):
    wide = 2 * round(CLEAR * SIZE) + 1
    near = cv2.dilate(lesion.astype(np.uint8), np.ones((wide, wide), np.uint8)) > 0
    for seed in range(12):
        found, mask = lay("ink", image, lesion, np.random.default_rng(seed))
        assert not (mask & near).any()
        solid = found[mask] / image[mask]
        assert (solid[:, 2] >= solid[:, 0]).all() and (solid[:, 0] >= solid[:, 1]).all()


def test_where_the_lesion_fills_the_picture_there_is_no_ink(image):
    found, mask = lay("ink", image, np.ones((SIZE, SIZE), bool), np.random.default_rng(0))
    assert not mask.any()
    np.testing.assert_array_equal(found, image)


def test_a_frame_is_dark_in_every_corner_and_leaves_the_middle(image, lesion):
    for seed in range(8):
        found, mask = lay("vignette", image, lesion, np.random.default_rng(seed))
        assert max(found[y, x].max() for y in (0, -1) for x in (0, -1)) < 0.05
        y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
        assert not mask[np.hypot(x, y) < 0.48].any()


def test_a_ruler_is_a_band_along_one_edge_with_ticks_at_one_distance(lesion):
    even = np.full((SIZE, SIZE, 3), 0.6, np.float32)
    for seed in range(8):
        found, mask = lay("ruler", even, lesion, np.random.default_rng(seed))
        rows, columns = np.nonzero(mask)
        across = min(np.ptp(rows), np.ptp(columns)) + 1
        assert mask.sum() == across * SIZE and 0.08 * SIZE <= across <= 0.13 * SIZE
        band = found[..., 0][mask].reshape(-1, SIZE) if np.ptp(columns) == SIZE - 1 else \
            found[..., 0].T[mask.T].reshape(-1, SIZE)  # fmt: skip
        dark = np.flatnonzero(band.min(0) < 0.2)
        steps = np.diff(dark)
        assert 15 <= len(dark) <= 28 and np.ptp(steps) <= 1
        long = np.flatnonzero(band.max(0)[dark] < 0.2)
        assert (np.diff(long) == 5).all() and len(long) >= 3


def test_a_disc_has_one_colour_and_lies_at_the_rim(image, lesion):
    for seed in range(8):
        found, mask = lay("disc", image, lesion, np.random.default_rng(seed))
        inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
        colour = np.median(found[inner], 0)
        assert (np.abs(found[inner] - colour).max(1) < 1e-6).mean() > 0.99  # all but pixels of its smoothed rim
        assert np.ptp(colour) > 0.3
        edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert edge.any() and not mask[40:56, 40:56].any()
