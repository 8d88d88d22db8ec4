"""Photographs as they are kept: their size, their colours, and which of them are the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from studylib.data.duplicates import signature
from studylib.data.images import read_image
from studylib.data.importers.photographs import reduced, same_pictures, write_jpeg


def scene(seed: int) -> np.ndarray:
    """A smooth random colour picture of 96 x 64, no two alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((96, 64), Image.Resampling.BICUBIC))


def test_reduced_keeps_the_aspect_and_averages_areas():
    image = np.zeros((80, 120, 3), np.uint8)
    image[:, ::2] = 200  # every second column: pairs average to 100
    small = reduced(image, 60)
    assert small.shape == (40, 60, 3) and (small == 100).all()
    assert reduced(image, 61).shape == (41, 61, 3)  # 80 * 61 / 120 = 40.7
    assert reduced(image, 120) is image and reduced(np.zeros((1, 500), np.uint8), 100).shape == (1, 100)


def test_jpeg_keeps_colours_beside_each_other(tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :31], image[:, 31:] = (200, 60, 60), (60, 60, 200)  # an edge inside a block of two pixels
    write_jpeg(tmp_path / "a.jpg", image)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - image).max() < 16  # shared colours would be off by 70
    write_jpeg(tmp_path / "b.jpg", image[..., 0])
    assert read_image(tmp_path / "b.jpg").shape == (64, 64)


def test_the_same_pictures_by_look_and_by_bytes():
    first, second = scene(0), scene(1)
    dim = (first * 0.6).astype(np.uint8)
    flat, paler = np.full((64, 96), 80, np.uint8), np.full((64, 96), 90, np.uint8)
    found = [signature(image) for image in (first, second, dim, flat, paler, flat, first)]
    pairs = same_pictures(found, ["a", "b", "c", "d", "e", "d", "a"])
    assert pairs.to_numpy().tolist() == [[0, 2], [3, 5], [0, 6], [2, 6]]
    assert len(same_pictures([], [])) == 0 and len(same_pictures(found[:2], ["a", "b"])) == 0


def test_jpeg_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError):
        write_jpeg(tmp_path / "no" / "a.jpg", scene(0))
