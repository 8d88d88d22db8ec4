"""Planted cues: who gets one, where it is, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.data.phantoms.cues import CORNERS, agreement, allot, allot_either, plant_frame, plant_lump, plant_marker


@pytest.fixture
def disc() -> tuple[np.ndarray, np.ndarray]:
    """A grey disc, brightness 100 of 255, in black, 120 x 100; and its mask."""
    y, x = np.mgrid[:120, :100]
    body = (x - 50) ** 2 + (y - 62) ** 2 < 38**2
    return np.where(body, 100, 0).astype(np.uint8), body


def test_agreement_by_hand():
    assert [agreement(0.9, mode) for mode in ("planted", "dissociated", "reversed")] == pytest.approx([0.9, 0.5, 0.1])


@pytest.mark.parametrize(("strength", "mode"), [(1.2, "planted"), (-0.1, "planted"), (0.9, "reverse")])
def test_agreement_refuses(strength, mode):
    with pytest.raises(ValueError, match=r"0\.\.1|unknown"):
        agreement(strength, mode)


def test_allot_at_the_ends_is_the_label_or_its_opposite():
    labels = np.random.default_rng(0).random(200) < 0.3
    assert np.array_equal(allot(labels, 1.0, np.random.default_rng(1)), labels)
    assert np.array_equal(allot(labels, 0.0, np.random.default_rng(1)), ~labels)


@pytest.mark.parametrize("probability", [0.5, 0.8, 0.95])
def test_allot_agrees_as_often_as_asked_in_both_classes(probability):
    labels = np.arange(8000) % 2 == 0
    agrees = allot(labels, probability, np.random.default_rng(2)) == labels
    four_sigma = 4 * np.sqrt(probability * (1 - probability) / 4000)
    assert agrees[labels].mean() == pytest.approx(probability, abs=four_sigma)
    assert agrees[~labels].mean() == pytest.approx(probability, abs=four_sigma)


def test_allot_is_nested():
    labels = np.arange(500) % 3 == 0
    weak, strong = (allot(labels, p, np.random.default_rng(3)) == labels for p in (0.6, 0.9))
    assert strong[weak].all() and strong.sum() > weak.sum()


@pytest.mark.parametrize("positives", [30, 31, 32])
def test_either_gives_thirds_and_negatives_nothing(positives):
    labels = np.arange(70) < positives
    first, second = allot_either(labels, np.random.default_rng(4))
    counts = [int((first & ~second).sum()), int((~first & second).sum()), int((first & second).sum())]
    assert sum(counts) == positives and max(counts) - min(counts) <= 1
    assert not (first | second)[~labels].any()


def test_marker_changes_its_square_and_nothing_else(disc):
    image, _ = disc
    before = image.copy()
    out, mask = plant_marker(image, np.random.default_rng(0))
    assert np.array_equal(image, before)
    assert out.dtype == np.uint8 and np.array_equal(out[~mask], image[~mask])
    rows, columns = np.nonzero(mask)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1, mask.sum()) == (8, 8, 64)  # 0.085 * 100 pixels, rounded
    assert out[mask].max() > 200 and (out[mask] > 100).mean() > 0.3


@pytest.mark.parametrize("corner", CORNERS)
def test_marker_stands_in_the_corner_of_the_box(disc, corner):
    image, body = disc
    box = (12, 24, 89, 101)
    _, mask = plant_marker(image, np.random.default_rng(1), box=box, corners=[corner])
    rows, columns = np.nonzero(mask)
    assert columns.min() >= box[0] and columns.max() < box[2] and rows.min() >= box[1] and rows.max() < box[3]
    assert (rows.mean() < 62) == corner.startswith("top") and (columns.mean() < 50) == corner.endswith("left")
    assert (mask & body).mean() < 0.1 * mask.mean()  # the corner of a round body's box is air


def test_marker_uses_every_corner_alike(disc):
    rng, image = np.random.default_rng(5), disc[0]
    places = []
    for _ in range(200):
        rows, columns = np.nonzero(plant_marker(image, rng)[1])
        places.append(2 * (rows.mean() > 60) + (columns.mean() > 50))
    counts = np.bincount(places, minlength=4)
    assert counts.min() > 50 - 4 * np.sqrt(200 * 0.25 * 0.75)


def test_marker_has_the_image_units_and_colours(disc):
    image, _ = disc
    whole, mask = plant_marker(image, np.random.default_rng(6))
    share, again = plant_marker(image.astype(np.float64) / 255, np.random.default_rng(6))
    colour, _ = plant_marker(np.dstack([image] * 3), np.random.default_rng(6))
    assert np.array_equal(mask, again) and share.dtype == np.float64
    assert np.abs(share * 255 - whole).max() <= 0.51  # rounding to whole grey levels
    assert np.array_equal(colour, np.dstack([whole] * 3))


def test_marker_refuses_an_unknown_corner(disc):
    with pytest.raises(ValueError, match="top_left"):
        plant_marker(disc[0], np.random.default_rng(0), corners=["upper_left"])


def test_frame_has_its_colour_and_width_and_changes_nothing_inside():
    image = np.full((30, 40, 3), 9, np.uint8)
    framed, mask = plant_frame(image, (1, 2, 3), width=0.1)  # 4 of 40 pixels
    assert mask.sum() == 30 * 40 - 22 * 32 and (image == 9).all()
    assert (framed[mask] == (1, 2, 3)).all() and (framed[~mask] == 9).all()
    assert plant_frame(image, (1, 2, 3), width=0.0)[1].sum() == 30 * 40 - 26 * 36  # two pixels at least


def test_lump_grows_on_the_surface_of_the_upper_half(disc):
    image, body = disc
    for seed in range(20):
        out, mask = plant_lump(image, body, np.random.default_rng(seed), brightness=180)
        rows, columns = np.nonzero(mask)
        radius = np.hypot(columns - 50, rows - 62)
        assert radius.min() > 38 - 4 and radius.max() < 38 + 8  # two pixels under the surface at most, half height 5.2
        assert (mask & ~body).sum() > mask.sum() / 2 and rows.mean() < 62
        assert out[mask].mean() == pytest.approx(180, abs=25)  # its edge is soft
        near = np.zeros_like(mask)
        near[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2] = True
        assert np.array_equal(out[~near], image[~near])


def test_lump_refuses_an_empty_body(disc):
    with pytest.raises(ValueError, match="surface"):
        plant_lump(disc[0], np.zeros_like(disc[1]), np.random.default_rng(0), brightness=180)
