"""The source's crop by hand and by a second implementation, resizing, augmented copies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from studylib.data.dataset import load_dataset
from studylib.data.transforms import (
    augment_copy,
    copy_matrix,
    crop_to_brain,
    crop_to_centre,
    prepare,
    prepare_masks,
    to_grey,
)


def test_crop_of_a_bright_rectangle_by_hand():
    """Blur 1-4-6-4-1 over 16: one pixel outside the edge is 5/16 * 255 = 80 > 45, two are 16; the opening keeps that.

    So the extreme points are 1 outside each edge, and the last row and column are cut off, as in the source.
    """
    image = np.zeros((60, 80), dtype=np.uint8)
    image[20:40, 30:65] = 255
    part, box = crop_to_brain(image)
    assert box == (29, 19, 65, 40)
    np.testing.assert_array_equal(part, image[19:40, 29:65])
    assert crop_to_brain(image, margin=4)[1] == (25, 15, 69, 44)
    assert crop_to_brain(image, margin=100)[1] == (0, 0, 80, 60)


def test_crop_takes_the_largest_object_and_drops_specks_and_dim_parts():
    image = np.zeros((100, 100), dtype=np.uint8)
    image[10:30, 10:30] = 200
    image[50:90, 40:95] = 120
    image[5:8, 70:73] = 255  # a letter of 3 x 3 pixels: eroded away
    image[92:100, :] = 44  # below the threshold
    # outside its edge 120 * 5 / 16 = 37 is below the threshold: no pixel is gained; last row and column are lost
    assert crop_to_brain(image)[1] == (40, 50, 94, 89)
    # the dim one is gone, and the edge of the other: 200 * 11 / 16 = 137 < 150
    assert crop_to_brain(image, threshold=150)[1] == (11, 11, 28, 28)


@pytest.mark.parametrize("seed", range(5))
def test_crop_equals_a_second_implementation(seed):
    """scipy: separable blur, threshold, opening by two 3 x 3 steps, the component whose filled area is largest."""
    rng = np.random.default_rng(seed)
    image = np.zeros((90, 110), dtype=np.uint8)
    y, x = np.mgrid[:90, :110]
    for _ in range(3):
        cy, cx, ry, rx = rng.uniform(25, 65), rng.uniform(25, 85), rng.uniform(4, 20), rng.uniform(4, 20)
        image[((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1] = rng.integers(90, 250)
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    blurred = ndimage.convolve1d(image.astype(float), kernel, axis=0, mode="mirror")
    blurred = np.floor(ndimage.convolve1d(blurred, kernel, axis=1, mode="mirror") + 0.5)
    square = np.ones((3, 3))
    bright = ndimage.binary_erosion(blurred > 45, square, iterations=2, border_value=1)
    bright = ndimage.binary_dilation(bright, square, iterations=2)
    parts, count = ndimage.label(bright, structure=square)
    areas = [ndimage.binary_fill_holes(parts == k + 1).sum() for k in range(count)]
    rows, columns = np.nonzero(parts == 1 + int(np.argmax(areas)))
    assert crop_to_brain(image)[1] == (columns.min(), rows.min(), columns.max(), rows.max())


def test_dark_and_degenerate_images_are_returned_whole():
    dark = np.full((30, 40), 45, dtype=np.uint8)  # "brighter than 45" is strict
    part, box = crop_to_brain(dark)
    assert box == (0, 0, 40, 30) and part.shape == (30, 40)
    point = np.zeros((30, 40), dtype=np.uint8)
    point[10, 10] = 255
    assert crop_to_brain(point)[1] == (0, 0, 40, 30)
    bright = np.full((30, 40), 200, dtype=np.uint8)
    assert crop_to_brain(bright)[1] == (0, 0, 39, 29)  # the source loses the last row and column here too


def test_crop_of_colour_keeps_colour_and_input():
    image = np.zeros((60, 80, 3), dtype=np.uint8)
    image[20:40, 30:65] = (255, 255, 255)
    before = image.copy()
    part, box = crop_to_brain(image)
    assert box == (29, 19, 65, 40) and part.shape == (21, 36, 3)
    np.testing.assert_array_equal(image, before)
    assert to_grey(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)).tolist() == [[76, 150, 29]]


# --- arrays of one size ---------------------------------------------------------------------------------------------


def test_prepare_resizes_by_a_known_factor(tiny_dataset):
    pixels = np.repeat(np.repeat(np.array([[10, 200], [90, 30]], dtype=np.uint8), 16, axis=0), 16, axis=1)
    Image.fromarray(pixels).save(tiny_dataset / "images/2.png")  # row 2 has no mask, so its size is free
    dataset = load_dataset(tiny_dataset).select([2])
    (small,) = prepare(dataset, 8, crop="none")
    assert small[1, 1] == 10 and small[1, 6] == 200 and small[6, 1] == 90 and small[6, 6] == 30
    (same,) = prepare(dataset, 32, crop="none")
    np.testing.assert_array_equal(same, pixels)  # its own size: untouched
    colour = prepare(dataset, 8, crop="none", channels=3)
    assert colour.shape == (1, 8, 8, 3)
    np.testing.assert_array_equal(colour, small[None, :, :, None].repeat(3, axis=3))
    with pytest.raises(ValueError, match="2 channels"):
        prepare(dataset, 8, crop="none", channels=2)


def test_prepare_makes_grey_of_colour_and_keeps_colour_where_asked(tiny_dataset):
    Image.new("RGB", (24, 20), (255, 0, 0)).save(tiny_dataset / "images/2.png")
    dataset = load_dataset(tiny_dataset).select([2])
    assert set(prepare(dataset, 6, crop="none").ravel()) == {76}
    assert prepare(dataset, 6, crop="none", channels=3)[0, 3, 3].tolist() == [255, 0, 0]


def test_centre_crop_equals_torchvision_resize_256_and_centre_crop_224():
    from torchvision.transforms.v2 import functional as v2

    rng = np.random.default_rng(0)
    for shape in ((256, 256), (256, 320)):  # at 256 pixels Resize(256) changes nothing
        image = rng.integers(0, 256, shape).astype(np.uint8)
        part, (left, top, right, bottom) = crop_to_centre(image)
        expected = v2.center_crop(torch.from_numpy(image)[None], [224, 224])[0].numpy()
        np.testing.assert_array_equal(part, expected)
        np.testing.assert_array_equal(image[top:bottom, left:right], part)
    assert crop_to_centre(np.zeros((512, 512)))[1] == (32, 32, 480, 480)


def test_unknown_crop_names_the_known_ones(tiny_dataset):
    dataset = load_dataset(tiny_dataset)
    for reads in (prepare, prepare_masks):
        with pytest.raises(ValueError, match="crop 'center' is not known; it is one of brain, centre, none"):
            reads(dataset, 8, crop="center")


def test_crop_and_mask_stay_together(tiny_dataset):
    image = np.zeros((60, 80), dtype=np.uint8)
    image[20:40, 30:65] = 200
    mask = np.zeros((60, 80), dtype=np.uint8)
    image[25:33, 40:48] = 255
    mask[25:33, 40:48] = 1
    Image.fromarray(image).save(tiny_dataset / "images/0.png")
    Image.fromarray(mask).save(tiny_dataset / "masks/0.png")
    dataset = load_dataset(tiny_dataset).select([0])
    box = crop_to_brain(image)[1]
    size = 64
    (seen,), (outlined,) = prepare(dataset, size, crop="brain"), prepare_masks(dataset, size, crop="brain")
    assert set(np.unique(outlined)) == {0, 1}
    share = (33 - 25) * (48 - 40) / ((box[2] - box[0]) * (box[3] - box[1]))
    assert outlined.mean() == pytest.approx(share, rel=0.08)  # whole pixels of 64
    bright = ndimage.center_of_mass(seen > 235)
    np.testing.assert_allclose(bright, ndimage.center_of_mass(outlined), atol=1)
    whole = prepare_masks(dataset, 60, crop="none")
    assert whole.mean() == pytest.approx(64 / 4800, rel=0.1)


def test_missing_masks_are_not_empty_masks(tiny_dataset):
    dataset = load_dataset(tiny_dataset)
    with pytest.raises(ValueError, match=r"6 of 12 images of tiny have no mask \(first: images/2.png\)"):
        prepare_masks(dataset, 16, crop="none")
    filled = prepare_masks(dataset, 16, crop="none", missing=9)
    assert [set(np.unique(mask)) for mask in filled[2:4]] == [{9}, {9}] and filled[0].max() == 1


# --- augmented copies -----------------------------------------------------------------------------------------------


class Drawn(np.random.Generator):
    """A generator that gives chosen numbers: uniform() as a share of its range, random() as it is."""

    def __init__(self, uniform, random):
        super().__init__(np.random.PCG64(0))
        self._uniform, self._random = iter(uniform), iter(random)

    def uniform(self, low, high):
        return low + (high - low) * next(self._uniform)

    def random(self):
        return next(self._random)


STILL = [0.5, 0.5, 0.5, 0.5]  # rotation, shift right, shift down, shear: the middle of each range is none


def test_copy_matrix_by_hand():
    np.testing.assert_allclose(copy_matrix(11, 21), [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    # a quarter turn anticlockwise about the centre (10, 5): 3 to its right goes to 3 above it
    np.testing.assert_allclose(copy_matrix(11, 21, rotation=90) @ [13, 5, 1], [10, 2], atol=1e-12)
    np.testing.assert_allclose(copy_matrix(10, 20, shift=(0.1, -0.2)) @ [0, 0, 1], [2, -2], atol=1e-12)
    # shear by 30 degrees: a point 4 below the centre moves by -4 sin 30 to the side and to 4 cos 30
    np.testing.assert_allclose(copy_matrix(11, 21, shear=30) @ [10, 9, 1], [8, 5 + 4 * np.sqrt(0.75)], atol=1e-12)


def test_copy_without_change_and_with_each_flip_and_brightness():
    image = np.random.default_rng(0).integers(0, 256, (12, 17), dtype=np.uint8)
    mask = (image > 99).astype(np.uint8) * 3
    copy, moved = augment_copy(image, mask, Drawn([*STILL, 1.0], [0.5, 0.5]))
    np.testing.assert_array_equal(copy, image)
    np.testing.assert_array_equal(moved, mask)
    copy, moved = augment_copy(image, mask, Drawn([*STILL, 0.0], [0.4, 0.9]))  # left to right, darkest
    np.testing.assert_array_equal(copy, np.rint(image[:, ::-1] * 0.3).astype(np.uint8))
    np.testing.assert_array_equal(moved, mask[:, ::-1])  # a mask is not dimmed
    copy, _ = augment_copy(image, None, Drawn([*STILL, 1.0], [0.9, 0.4]))
    np.testing.assert_array_equal(copy, image[::-1])
    colour = np.stack([image, image // 2, 255 - image], axis=-1)
    copy, _ = augment_copy(colour, None, Drawn([*STILL, 0.5], [0.4, 0.4]))
    np.testing.assert_array_equal(copy, np.rint(colour[::-1, ::-1] * (0.3 + (1.0 - 0.3) * 0.5)).astype(np.uint8))


def test_copy_shifts_by_a_tenth_and_repeats_the_border():
    image = np.arange(20, dtype=np.uint8)[None, :].repeat(20, axis=0)
    copy, moved = augment_copy(image, image, Drawn([0.5, 1.0, 0.5, 0.5, 1.0], [0.9, 0.9]))  # 10 % of 20 to the right
    expected = np.clip(np.arange(20) - 2, 0, None)
    np.testing.assert_array_equal(copy, expected[None, :].repeat(20, axis=0))
    np.testing.assert_array_equal(moved, copy)


def test_copies_stay_in_range_follow_the_seed_and_keep_mask_and_image_together():
    y, x = np.mgrid[:64, :64]
    disc = ((y - 30) ** 2 + (x - 36) ** 2 < 100).astype(np.uint8)
    image = 100 * disc + 100
    angles = []
    for seed in range(40):
        copy, mask = augment_copy(image, disc, seed)
        assert set(np.unique(mask)) <= {0, 1}
        levels = sorted({int(copy[mask == 1].max()), int(copy[mask == 0].min())})
        assert 0.29 < levels[0] / 100 < 1.01 and levels[1] == pytest.approx(2 * levels[0], abs=2)
        assert abs(mask.sum() / disc.sum() - 1) < 0.05  # area is kept
        angles.append(copy.mean())
        again, _ = augment_copy(image, disc, np.random.default_rng(seed))
        np.testing.assert_array_equal(copy, again)
    assert len(set(angles)) > 30
    assert image.max() == 200 and disc.max() == 1
    with pytest.raises(ValueError, match="mask"):
        augment_copy(image, disc[:5], 0)


# --- real images ----------------------------------------------------------------------------------------------------


def test_real_brain_images_lose_their_surround(real_data):
    dataset = load_dataset(real_data / "brain_mri_originals").select(np.arange(0, 253, 10))
    shares, lost = [], []
    for i in range(len(dataset)):
        image = dataset.image(i)
        part, (left, top, right, bottom) = crop_to_brain(image)
        np.testing.assert_array_equal(part, image[top:bottom, left:right])
        shares.append(part.size / image.size)
        blurred = cv2.GaussianBlur(to_grey(image), (5, 5), 0).astype(float)
        blurred[top : bottom + 1, left : right + 1] = 0
        lost.append((blurred > 45).mean())
    assert 0.4 < np.median(shares) < 0.95
    # letters, marks, often a thin skull; in a few images the crop takes the tumour alone and loses the head
    assert np.median(lost) < 0.02 and np.quantile(lost, 0.9) < 0.1
