"""Files of dermoscopic releases: which are pictures and masks, what is refused, and how masks shrink."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import write_lesion_mask, write_lesion_picture
from PIL import Image

from studylib.data.dataset import DataError
from studylib.data.images import read_image
from studylib.data.importers.dermoscopy import (
    find_files,
    keep_picture,
    read_lesion,
    read_lesion_mask,
    shrunk,
    touches_border,
)


def refused(call, *arguments, **options) -> str:
    with pytest.raises(DataError) as error:
        call(*arguments, **options)
    return str(error.value)


def test_files_are_found_by_id_in_any_folder(tmp_path):
    write_lesion_picture(tmp_path / "part_1" / "ISIC_0000001.jpg", 1)
    write_lesion_picture(tmp_path / "ISIC_0000002_downsampled.JPG", 2)
    write_lesion_mask(tmp_path / "masks" / "ISIC_0000002_segmentation.png", (9, 9, 20, 20))
    write_lesion_picture(tmp_path / "part_1" / "ISIC_0000001_superpixels.png", 3)
    (tmp_path / "part_1" / "ISIC_0000001.txt").write_text("no picture")
    files = find_files(tmp_path)
    assert {image: path.name for image, path in files.pictures.items()} == {
        "ISIC_0000001": "ISIC_0000001.jpg",
        "ISIC_0000002": "ISIC_0000002_downsampled.JPG",
    }
    assert list(files.masks) == ["ISIC_0000002"] and files.problems == []
    assert files.said == [
        "1 files whose names are no image id are not used (first: part_1/ISIC_0000001_superpixels.png)"
    ]
    assert "is not a folder; name the one into which" in refused(find_files, tmp_path / "nowhere")


def test_the_same_picture_twice_counts_once_and_another_is_a_problem(tmp_path):
    for folder in ("HAM10000_images_part_1", "ham10000_images_part_1"):  # as one mirror of the release has it
        write_lesion_picture(tmp_path / folder / "ISIC_0000001.jpg", 1)
    files = find_files(tmp_path)
    assert files.problems == [] and files.said == [] and len(files.pictures) == 1
    write_lesion_picture(tmp_path / "x" / "ISIC_0000001_downsampled.jpg", 2)
    assert find_files(tmp_path).problems == [
        "x/ISIC_0000001_downsampled.jpg: ISIC_0000001 is also HAM10000_images_part_1/ISIC_0000001.jpg, another picture,"
        " expected one; remove one (masks are named ISIC_0000001_segmentation.png)"
    ]


def test_of_two_masks_that_of_the_first_folder_is_used_and_said(tmp_path):
    for number, (folder, edge) in enumerate({"Task1": 30, "HAM": 20}.items()):
        write_lesion_mask(tmp_path / folder / "ISIC_0000001_segmentation.png", (9, 9, edge, 20))
        write_lesion_mask(tmp_path / folder / f"ISIC_000000{number + 2}_segmentation.png", (9, 9, edge, 20))
    files = find_files(tmp_path)
    assert files.masks["ISIC_0000001"].parent.name == "HAM" and len(files.masks) == 3 and files.problems == []
    assert files.said == ["1 images have a mask in HAM/ and another in Task1/: the one in HAM/ is used"]


def test_pictures_that_show_nothing_are_refused(tmp_path):
    for name, low, high in (("black", 0, 0), ("white", 255, 255), ("nearly", 3, 18), ("dim", 3, 19)):
        picture = np.full((45, 60, 3), low, np.uint8)
        picture[20:25, 20:25] = high
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    assert "black.png: shows nothing, its values go from 0 to 0 of 255, expected a range of 16 or more; download" in (
        refused(read_lesion, tmp_path / "black.png")
    )
    assert "go from 255 to 255" in refused(read_lesion, tmp_path / "white.png")
    assert "go from 3 to 18" in refused(read_lesion, tmp_path / "nearly.png")
    assert read_lesion(tmp_path / "dim.png").max() == 19
    (tmp_path / "a.jpg").write_text("<html>log in</html>")
    assert "a.jpg: is not an image that can be read" in refused(read_lesion, tmp_path / "a.jpg")


def test_masks_hold_two_values_unless_a_threshold_is_stated(tmp_path):
    path = tmp_path / "m.png"
    grey = np.zeros((45, 60), np.uint8)
    grey[10:20, 10:30], grey[10, 10:30] = 255, 128  # 10 x 20 lesion, of which 20 pixels are smoothed
    grey[30, :3] = 1, 2, 127
    Image.fromarray(grey).save(path)
    text = refused(read_lesion_mask, path, (45, 60))
    assert "m.png: holds 1, 2, 127, 128, expected only 0 and 255; take the owner's mask, or state where" in text
    assert "--threshold 127 makes every value above 127 lesion" in text
    assert (read_lesion_mask(path, (45, 60), threshold=127) == 255).sum() == 200
    assert (read_lesion_mask(path, (45, 60), threshold=128) == 255).sum() == 180
    Image.fromarray(grey == 255).save(path)  # one bit a pixel
    mask = read_lesion_mask(path, (45, 60))
    assert set(np.unique(mask)) == {0, 255} and (mask == 255).sum() == 180
    Image.new("RGB", (60, 45)).save(path)
    assert "m.png: has mode RGB" in refused(read_lesion_mask, path, (45, 60))


def test_masks_of_another_size_or_without_lesion_are_refused(tmp_path):
    path = tmp_path / "m.png"
    write_lesion_mask(path, (10, 10, 40, 30), 120, 90)
    message = "m.png: is 120 x 90 pixels, expected 60 x 45 as its picture; take both from one release"
    assert refused(read_lesion_mask, path, (45, 60)) == message
    small = read_lesion_mask(path, (45, 60), downsampled=True)  # twice as large: 10..40 x 10..30 becomes 5..20 x 5..15
    expected = np.zeros((45, 60), np.uint8)
    expected[5:15, 5:20] = 255
    assert (small == expected).all()
    assert "is 120 x 90 pixels, expected 60 x 60" in refused(read_lesion_mask, path, (60, 60), downsampled=True)
    assert "expected 240 x 180" in refused(read_lesion_mask, path, (180, 240), downsampled=True)  # never enlarged
    write_lesion_mask(path, (0, 0, 0, 0))
    assert "m.png: is empty, no pixel is lesion, expected some; remove the file" in refused(
        read_lesion_mask, path, (45, 60)
    )


def test_shrunk_keeps_what_covers_half_of_a_pixel():
    mask = np.zeros((4, 8), np.uint8)
    mask[0:2, 0], mask[0, 2], mask[2:4, 4:6] = 255, 255, 255  # half, a quarter, and all of a block of 2 x 2
    assert shrunk(mask, (2, 4), "m").tolist() == [[255, 0, 0, 0], [0, 0, 255, 0]]
    lone = np.zeros((4, 8), np.uint8)
    lone[0, 0] = 255
    assert "m: its lesion of 1 pixels vanishes at 4 x 2" in refused(shrunk, lone, (2, 4), "m")


def test_pictures_keep_their_bytes_unless_they_are_large(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    for name, wide, high in (("small.JPG", 60, 45), ("large.png", 2400, 90)):
        write_lesion_picture(tmp_path / name, 1, wide, high)
    image = read_lesion(tmp_path / "small.JPG")
    kept, same = keep_picture(tmp_path / "small.JPG", image, tmp_path / "set", "ISIC_0000001")
    assert kept == "images/ISIC_0000001.jpg" and same is image
    assert (tmp_path / "set" / kept).read_bytes() == (tmp_path / "small.JPG").read_bytes()
    large = read_lesion(tmp_path / "large.png")
    kept, small = keep_picture(tmp_path / "large.png", large, tmp_path / "set", "ISIC_0000002")
    written = read_image(tmp_path / "set" / kept)
    assert kept == "images/ISIC_0000002.jpg" and written.shape == small.shape == (45, 1200, 3)
    means = large.reshape(45, 2, 1200, 2, 3).mean(axis=(1, 3))  # each kept pixel is the mean of four
    assert np.abs(small - means).max() <= 0.5 and np.abs(written - means).mean() < 2


def test_lesions_that_touch_the_border():
    for row, column, touches in ((0, 5, True), (8, 5, True), (5, 0, True), (5, 8, True), (1, 1, False), (7, 7, False)):
        mask = np.zeros((9, 9), np.uint8)
        mask[row, column] = 255
        assert touches_border(mask) is touches
