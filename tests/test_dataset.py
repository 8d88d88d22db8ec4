"""Reading a dataset folder: what is accepted, what is refused and in which words, and the fingerprint."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
from conftest import write_dataset
from PIL import Image

from studylib.data import validation
from studylib.data.dataset import DataError, join_datasets, load_dataset, read_image, read_mask
from studylib.data.images import MAX_PIXELS


def problems(folder, **options) -> list[str]:
    """Load a folder that must be refused, and return the problems."""
    with pytest.raises(DataError) as caught:
        load_dataset(folder, **options)
    assert str(caught.value).splitlines()[1:] == caught.value.problems  # the message shows them all, one a line
    return caught.value.problems


def edit(folder, row, **values):
    """Change one record of metadata.csv; rows are counted as in messages, the header is row 1."""
    lines = (folder / "metadata.csv").read_text().splitlines()
    header = lines[0].split(",")
    fields = dict(zip(header, lines[row - 1].split(","), strict=True)) | values
    lines[row - 1] = ",".join(fields[name] for name in header)
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


# --- what is read ---------------------------------------------------------------------------------------------------


def test_a_good_folder_gives_its_labels_groups_images_and_masks(tiny_dataset):
    dataset = load_dataset(tiny_dataset)
    assert len(dataset) == 12 and dataset.classes == ["yes", "no"] and dataset.regions == {1: "tumour"}
    assert dataset.labels().tolist() == [0, 0, 1, 1] * 3
    assert dataset.groups().tolist() == [f"p{i // 2}" for i in range(12)]
    stored = np.asarray(Image.open(tiny_dataset / "images/5.png"))
    np.testing.assert_array_equal(dataset.image(5), stored)
    assert dataset.mask(4).sum() == 5 * 4 and dataset.mask(2) is None  # rows 5 to 9, columns 6 to 9
    assert dataset.table["file"][0] == str(tiny_dataset.resolve() / "images/0.png")
    assert dataset.table["mask_file"][2] == ""
    assert not dataset.copies().any()


def test_the_first_region_is_the_lowest_value_that_is_no_background(tiny_dataset):
    dataset = load_dataset(tiny_dataset)
    assert dataset.first_region == 1
    for regions, first in (({0: "skin", 255: "lesion"}, 255), ({3: "b", 2: "a"}, 2), ({}, 1)):
        assert replace(dataset, regions=regions).first_region == first


def test_columns_are_text_and_carried_along(tiny_dataset):
    text = (tiny_dataset / "metadata.csv").read_text().splitlines()
    lines = [text[0] + ",age"] + [line + ",NA" for line in text[1:]]
    (tiny_dataset / "metadata.csv").write_text("\n".join(lines))
    dataset = load_dataset(tiny_dataset)
    assert set(dataset.groups("age")) == {"NA"}  # not a missing number
    with pytest.raises(KeyError, match="no column 'agee'.*nearest: 'age'"):
        dataset.groups("agee")


def test_select_follows_rows_and_masks_of_booleans(tiny_dataset):
    dataset = load_dataset(tiny_dataset)
    some = dataset.select([3, 0])
    assert some.table["image"].tolist() == ["images/3.png", "images/0.png"]
    np.testing.assert_array_equal(some.image(0), dataset.image(3))
    every_other = dataset.select(np.arange(12) % 2 == 0)
    assert every_other.groups().tolist() == ["p0", "p1", "p2", "p3", "p4", "p5"]
    with pytest.raises(IndexError, match="12"):
        dataset.select([12])
    with pytest.raises(ValueError, match="12 images"):
        dataset.select(np.ones(11, dtype=bool))


# --- the fingerprint and its cache ----------------------------------------------------------------------------------


def test_fingerprint_follows_bytes_table_rows_and_order_but_not_the_place(tiny_dataset, tmp_path):
    dataset = load_dataset(tiny_dataset)
    moved = tmp_path / "elsewhere"
    tiny_dataset.rename(moved)
    assert load_dataset(moved).fingerprint == dataset.fingerprint
    assert dataset.select(np.arange(12)).fingerprint == dataset.fingerprint
    seen = {dataset.fingerprint, dataset.select([0, 1]).fingerprint, dataset.select([1, 0]).fingerprint}
    edit(moved, 2, group="p1x")
    edit(moved, 3, group="p1x")
    seen.add(load_dataset(moved).fingerprint)
    Image.fromarray(np.zeros((20, 24), dtype=np.uint8)).save(moved / "images/0.png")
    seen.add(load_dataset(moved).fingerprint)
    Image.fromarray(np.zeros((20, 24), dtype=np.uint8)).save(moved / "masks/0.png")
    seen.add(load_dataset(moved).fingerprint)
    assert len(seen) == 6


def test_cache_opens_only_files_that_changed(tiny_dataset, tmp_path, monkeypatch):
    first = load_dataset(tiny_dataset, cache=tmp_path / "cache")
    opened = []
    real = validation.inspect_file
    monkeypatch.setattr(validation, "inspect_file", lambda path, kind: opened.append(path) or real(path, kind))
    again = load_dataset(tiny_dataset, cache=tmp_path / "cache")
    assert opened == [] and again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.image(7), first.image(7))

    Image.fromarray(np.full((20, 24), 9, dtype=np.uint8)).save(tiny_dataset / "images/7.png")
    changed = load_dataset(tiny_dataset, cache=tmp_path / "cache")
    assert [os.path.basename(path) for path in opened] == ["7.png"] and changed.fingerprint != first.fingerprint

    (tiny_dataset / "images/7.png").write_bytes(b"broken")
    assert "row 9: image 'images/7.png' is not an image" in problems(tiny_dataset, cache=tmp_path / "cache")[0]


def test_damaged_or_unwritable_cache_costs_time_and_nothing_else(tiny_dataset, tmp_path):
    first = load_dataset(tiny_dataset, cache=tmp_path / "cache")
    (record,) = (tmp_path / "cache").iterdir()
    record.write_text("{")
    assert load_dataset(tiny_dataset, cache=tmp_path / "cache").fingerprint == first.fingerprint
    json.loads(record.read_text())  # whole again
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="cache of the dataset could not be written"):
        assert load_dataset(tiny_dataset, cache=tmp_path / "file").fingerprint == first.fingerprint


def test_regions_are_checked_against_cached_masks_too(tiny_dataset, tmp_path):
    load_dataset(tiny_dataset, cache=tmp_path / "cache")
    write_dataset_json = {"classes": ["yes", "no"], "regions": {"2": "tumour"}}
    (tiny_dataset / "dataset.json").write_text(json.dumps(write_dataset_json))
    found = problems(tiny_dataset, cache=tmp_path / "cache")
    assert len(found) == 6 and all("holds 1, which 'regions' of dataset.json does not name" in text for text in found)


# --- bad folders and tables -----------------------------------------------------------------------------------------


def test_no_folder_no_description_no_table(tmp_path):
    assert "does not exist: a dataset folder holds dataset.json" in problems(tmp_path / "none")[0]
    (tmp_path / "file").write_text("")
    assert "is not a folder" in problems(tmp_path / "file")[0]
    (tmp_path / "empty").mkdir()
    assert [text.split(":")[0] for text in problems(tmp_path / "empty")] == [
        "dataset.json is missing",
        "metadata.csv is missing",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"classes": ["yes", "no"]', "dataset.json line 1 column 26: not JSON"),
        ("[1]", "an object"),
        ('{"clases": ["yes"]}', "nearest: 'clases'"),
        ('{"classes": ["yes", "yes"]}', "each once"),
        ('{"classes": ["yes", "no"], "regions": {"256": "x"}}', "region '256' is not a whole number from 0 to 255"),
        ('{"classes": ["yes", "no"], "regions": ["tumour"]}', "'regions' must name the values"),
        ('{"classes": ["yes", "no"], "one_label_per_group": "no"}', "must be true or false"),
    ],
)
def test_bad_description(tiny_dataset, text, expected):
    (tiny_dataset / "dataset.json").write_text(text)
    assert any(expected in found for found in problems(tiny_dataset)), problems(tiny_dataset)


def test_classes_may_be_counts_in_their_order(tiny_dataset):
    (tiny_dataset / "dataset.json").write_text('{"classes": {"no": 6, "yes": 6}, "regions": {"0": "rest", "1": "x"}}')
    dataset = load_dataset(tiny_dataset)
    assert dataset.classes == ["no", "yes"] and dataset.labels()[:3].tolist() == [1, 1, 0] and dataset.name == "tiny"


def test_missing_column_names_the_nearest(tiny_dataset):
    text = (tiny_dataset / "metadata.csv").read_text()
    (tiny_dataset / "metadata.csv").write_text(text.replace("label", "lable", 1))
    (found,) = problems(tiny_dataset)
    assert found.startswith("metadata.csv row 1: the column 'label' is missing") and found.endswith("nearest: 'lable'")


def test_group_column_that_a_study_asks_for_must_exist(tiny_dataset):
    assert "the column 'person' is missing" in problems(tiny_dataset, group="person")[0]


def test_header_and_rows_that_do_not_fit(tiny_dataset):
    lines = (tiny_dataset / "metadata.csv").read_text().splitlines()
    lines[3] += ",surplus"
    lines[5] = "images/4.png,yes"
    (tiny_dataset / "metadata.csv").write_text("\n".join(lines))
    found = problems(tiny_dataset)
    assert [text[:40] for text in found[:2]] == [
        "metadata.csv row 4: 5 fields, the header",
        "metadata.csv row 6: 2 fields, the header",
    ]
    (tiny_dataset / "metadata.csv").write_text("image,label,group,file,label\n")
    found = problems(tiny_dataset)
    assert "column 'label' occurs twice" in found[0] and "'file' is a name that studylib fills in" in found[1]
    (tiny_dataset / "metadata.csv").write_text("image,label,group\n")
    assert problems(tiny_dataset) == ["metadata.csv has a header and no rows"]
    (tiny_dataset / "metadata.csv").write_bytes(b"image,label,group\n\xff\xfe,a,b\n")
    assert "UTF-8" in problems(tiny_dataset)[0]


def test_unknown_label_names_row_classes_and_nearest(tiny_dataset):
    edit(tiny_dataset, 2, label="yess")
    edit(tiny_dataset, 3, label="yess")
    expected = "label 'yess' is not a class (yes, no); nearest: 'yes'"
    assert problems(tiny_dataset) == [f"metadata.csv row {row}: {expected}" for row in (2, 3)]


def test_all_problems_are_listed_at_once(tiny_dataset):
    edit(tiny_dataset, 2, label="maybe")
    edit(tiny_dataset, 4, group=" ")
    edit(tiny_dataset, 6, image="images/44.png")
    edit(tiny_dataset, 8, image="../8.png")
    (tiny_dataset / "images/9.png").write_bytes(b"")
    found = "\n".join(problems(tiny_dataset))
    for expected in (
        "row 2: label 'maybe' is not a class (yes, no)",
        "row 4: 'group' is empty",
        "row 6: image 'images/44.png' does not exist; nearest: '4.png'",
        "row 8: image '../8.png' leaves the dataset folder",
        "row 11: image 'images/9.png' the file is empty (0 bytes)",
    ):
        assert expected in found
    assert "tiny: 6 problems" in str(pytest.raises(DataError, load_dataset, tiny_dataset).value)  # row 2: two labels


def test_group_with_two_labels_unless_allowed(tiny_dataset):
    edit(tiny_dataset, 2, label="no")
    (found,) = problems(tiny_dataset)
    assert found.startswith("metadata.csv: group 'p0' has the labels 'no' (row 2), 'yes' (row 3)")
    assert len(load_dataset(tiny_dataset, one_label_per_group=False)) == 12
    about = json.loads((tiny_dataset / "dataset.json").read_text()) | {"one_label_per_group": False}
    (tiny_dataset / "dataset.json").write_text(json.dumps(about))
    assert len(load_dataset(tiny_dataset)) == 12


def test_repeated_row_and_repeated_image(tiny_dataset):
    lines = (tiny_dataset / "metadata.csv").read_text().splitlines()
    lines += [lines[1], lines[2].replace("images/1.png", "images//1.png")]
    (tiny_dataset / "metadata.csv").write_text("\n".join(lines))
    assert problems(tiny_dataset) == [
        "metadata.csv row 14: the same row as row 2; keep one",
        "metadata.csv row 15: the same image 'images//1.png' as row 3; keep one",
    ]


def test_copies_of_one_original_in_two_groups(tiny_dataset):
    lines = (tiny_dataset / "metadata.csv").read_text().splitlines()
    lines = (
        [lines[0] + ",original,augmented"] + [line + ",O1,1" for line in lines[1:5]] + [x + ",,0" for x in lines[5:]]
    )
    (tiny_dataset / "metadata.csv").write_text("\n".join(lines))
    (found,) = problems(tiny_dataset)
    assert found == "metadata.csv: copies of 'O1' are in several groups (group): 'p0' (row 2), 'p1' (row 4)"


# --- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["../secret.png", "images/../../secret.png", "/etc/hostname", "C:\\x.png", "..\\x.png"]
)
def test_path_that_leaves_the_folder(tiny_dataset, path):
    edit(tiny_dataset, 5, image=path)
    (found,) = problems(tiny_dataset)
    assert found.startswith(f"metadata.csv row 5: image '{path}' leaves the dataset folder")


def test_symbolic_links_may_stay_inside_and_not_lead_out(tiny_dataset, tmp_path):
    Image.fromarray(np.zeros((20, 24), dtype=np.uint8)).save(tmp_path / "outside.png")
    (tiny_dataset / "images/out.png").symlink_to(tmp_path / "outside.png")
    (tiny_dataset / "images/in.png").symlink_to(tiny_dataset / "images/3.png")
    (tiny_dataset / "images/dead.png").symlink_to(tiny_dataset / "nothing.png")
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((20, 24), dtype=np.uint8)).save(tmp_path / "pictures/a.png")
    (tiny_dataset / "linked").symlink_to(tmp_path / "pictures")
    edit(tiny_dataset, 5, image="images/in.png")
    assert len(load_dataset(tiny_dataset)) == 12
    edit(tiny_dataset, 6, image="images/out.png")
    edit(tiny_dataset, 7, image="linked/a.png")
    edit(tiny_dataset, 8, image="images/dead.png")
    found = problems(tiny_dataset)
    assert "'images/out.png' leaves the dataset folder by a symbolic link" in found[0]
    assert "'linked/a.png' leaves the dataset folder by a symbolic link" in found[1]
    assert "'images/dead.png' does not exist" in found[2]
    (tmp_path / "alias").symlink_to(tiny_dataset)  # the folder itself may be reached by a link
    edit(tiny_dataset, 6, image="images/4.png")
    edit(tiny_dataset, 7, image="images/5.png")
    edit(tiny_dataset, 8, image="images/6.png")
    assert len(load_dataset(tmp_path / "alias")) == 12


def test_folders_pipes_and_backslashes_are_not_images(tiny_dataset):
    os.mkfifo(tiny_dataset / "images/pipe.png")
    edit(tiny_dataset, 5, image="images")
    edit(tiny_dataset, 6, image="images/pipe.png")
    edit(tiny_dataset, 7, image="images\\5.png")
    found = problems(tiny_dataset)
    assert "row 5: image 'images' is not a file" in found[0]
    assert "row 6: image 'images/pipe.png' is not a file" in found[1]
    assert "row 7: image 'images\\5.png' does not exist; paths are written with '/'" in found[2]


# --- image files ----------------------------------------------------------------------------------------------------


def png_header(width, height) -> bytes:
    """A PNG that claims a size and holds almost nothing: a decompression bomb."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def test_unreadable_images_are_named(tiny_dataset):
    whole = (tiny_dataset / "images/0.png").read_bytes()
    rng = np.random.default_rng(1)
    jpeg = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (20, 24), dtype=np.uint8)).save(jpeg, "JPEG")
    (tiny_dataset / "images/0.png").write_bytes(whole[: len(whole) // 2])
    (tiny_dataset / "images/1.png").write_bytes(b"")
    (tiny_dataset / "images/2.png").write_text("not an image")
    (tiny_dataset / "images/3.png").write_bytes(jpeg.getvalue()[:-60])
    (tiny_dataset / "images/4.png").write_bytes(png_header(8001, 8000))
    (tiny_dataset / "images/5.png").write_bytes(png_header(60_000, 60_000))  # Pillow's own limit, in the header
    (tiny_dataset / "images/6.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    Image.new("L", (24, 20)).save(
        tiny_dataset / "images/7.png", "TIFF", save_all=True, append_images=[Image.new("L", (24, 20))]
    )
    Image.fromarray(np.zeros((20, 24), dtype=np.float32)).save(tiny_dataset / "images/8.png", "TIFF")
    start = time.perf_counter()
    found = problems(tiny_dataset)
    assert time.perf_counter() - start < 2  # nothing of the bombs was decoded
    for row, expected in enumerate(
        (
            "is truncated or damaged",
            "the file is empty (0 bytes)",
            "is not an image that can be read",
            "is truncated or damaged",
            f"refused as a decompression bomb: 8,001 x 8,000 pixels, the limit is {MAX_PIXELS:,}",
            f"refused as a decompression bomb: more than {MAX_PIXELS:,} pixels",
            "is not an image that can be read",
            "holds 2 pages",
            "holds floats",
        ),
        start=2,
    ):
        assert found[row - 2].startswith(f"metadata.csv row {row}: image 'images/{row - 2}.png' {expected}")
    assert len(found) == 9


def test_one_pixel_below_the_limit_is_read_and_one_above_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("studylib.data.images.MAX_PIXELS", 100)
    Image.new("L", (10, 10), 7).save(tmp_path / "a.png")
    Image.new("L", (101, 1), 7).save(tmp_path / "b.png")
    assert read_image(tmp_path / "a.png").tolist() == [[7] * 10] * 10
    with pytest.raises(DataError, match="101 x 1 pixels, the limit is 100"):
        read_image(tmp_path / "b.png")


def test_sixteen_bits_are_scaled_by_their_full_range(tmp_path):
    values = np.array([[0, 128, 257, 4095, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tif")
    # v / 257, rounded: 128 / 257 = 0.498, 4095 / 257 = 15.93, 32768 / 257 = 127.50
    for name in ("a.png", "a.tif"):
        assert read_image(tmp_path / name).tolist() == [[0, 0, 1, 16, 128, 255]]
    Image.fromarray(np.array([[-1, 70_000]], dtype=np.int32)).save(tmp_path / "b.tif")
    with pytest.raises(DataError, match="integers from -1 to 70000, outside 16 bits"):
        read_image(tmp_path / "b.tif")


def test_twelve_bits_in_sixteen_give_a_warning(tiny_dataset):
    Image.fromarray(np.full((20, 24), 4000, dtype=np.uint16)).save(tiny_dataset / "images/2.png")
    with pytest.warns(UserWarning, match=r"1 16-bit images hold no value above 4,095.*first: images/2\.png"):
        assert load_dataset(tiny_dataset).image(2).max() == 16


def test_cmyk_palette_and_one_bit_become_what_is_seen(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.tif")  # magenta and yellow ink are red
    assert read_image(tmp_path / "cmyk.tif")[3, 3].tolist() == [255, 0, 0]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").tolist() == [[[10, 20, 30], [200, 100, 0]]]
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bits.png")
    assert read_image(tmp_path / "bits.png").tolist() == [[255, 0]]


def test_transparency_is_laid_over_white(tmp_path):
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "rgba.png")
    # 51 / 255 = 0.2: 0.2 * (0, 100, 200) + 0.8 * 255 = (204, 224, 244)
    assert read_image(tmp_path / "rgba.png").tolist() == [[[10, 20, 30], [255, 255, 255], [204, 224, 244]]]
    Image.fromarray(np.array([[[50, 255], [50, 0]]], dtype=np.uint8)).save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png").tolist() == [[50, 255]]  # grey stays one channel
    Image.fromarray(np.array([[0, 90]], dtype=np.uint8)).save(tmp_path / "key.png", transparency=0)
    assert read_image(tmp_path / "key.png").tolist() == [[255, 90]]


def test_exif_rotation_is_applied_to_pixels_and_sizes(tiny_dataset, tmp_path):
    pixels = np.zeros((16, 24), dtype=np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned: the viewer shows it rotated clockwise by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100)
    seen = read_image(tmp_path / "a.jpg")
    np.testing.assert_allclose(seen.astype(int), np.rot90(pixels, -1).astype(int), atol=3)  # JPEG
    assert seen.shape == (24, 16) and seen[4, 12] > 250 and seen[4, 4] < 5  # bright corner: upper right
    Image.fromarray(np.zeros((24, 20), dtype=np.uint8)).save(tiny_dataset / "images/0.png", exif=exif)
    assert load_dataset(tiny_dataset).image(0).shape == (20, 24)  # its mask is 20 x 24: accepted


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_lose_the_image(tmp_path):
    Image.new("L", (4, 4), 90).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert read_image(tmp_path / "a.jpg").shape == (4, 4)


# --- masks ----------------------------------------------------------------------------------------------------------


def test_mask_of_another_size_or_with_unknown_values(tiny_dataset):
    Image.fromarray(np.zeros((24, 20), dtype=np.uint8)).save(tiny_dataset / "masks/0.png")
    Image.fromarray(np.array([[0, 1, 7]] * 20, dtype=np.uint8).repeat(8, axis=1)).save(tiny_dataset / "masks/1.png")
    Image.new("RGB", (24, 20)).save(tiny_dataset / "masks/4.png")
    noise = np.random.default_rng(0).integers(0, 256, (20, 24), dtype=np.uint8)
    Image.fromarray(noise).save(tiny_dataset / "masks/5.png")
    found = problems(tiny_dataset)
    assert found[0] == (
        "metadata.csv row 2: mask 'masks/0.png' is 24 x 20 (height x width), its image 20 x 24 as a viewer shows it"
    )
    assert found[1].startswith(
        "metadata.csv row 3: mask 'masks/1.png' holds 7, which 'regions' of dataset.json does not"
    )
    assert "row 6: mask 'masks/4.png' has mode RGB; a mask has one 8-bit channel" in found[2]
    assert "in all), which" in found[3] and "saved as JPEG" in found[3] and len(found) == 4


def test_read_mask_values_of_each_kind_of_file(tmp_path):
    one = {1: "tumour"}
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "bits.png")
    assert read_mask(tmp_path / "bits.png", one).tolist() == [[0, 1]]
    assert read_mask(tmp_path / "bits.png", {0: "rest", 255: "lesion"}).tolist() == [[0, 255]]
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.save(tmp_path / "palette.png")
    assert read_mask(tmp_path / "palette.png", one).tolist() == [[0, 1]]  # indices, not colours
    with pytest.raises(DataError, match=r"palette\.png holds 1, which 'regions'.*named: 0, 2"):
        read_mask(tmp_path / "palette.png", {2: "x"})


# --- joining --------------------------------------------------------------------------------------------------------


def joined_parts(tmp_path):
    rng = np.random.default_rng(3)
    parts = []
    for name, extra in (("copies", {"augmented": "1"}), ("originals", {"source": "web"})):
        folder = tmp_path / name
        (folder / "images").mkdir(parents=True)
        rows = []
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (9, 9), dtype=np.uint8)).save(folder / f"images/{name}{i}.png")
            rows.append({"image": f"images/{name}{i}.png", "label": "yes" if i < 2 else "no", "group": f"g{i}"} | extra)
        parts.append(load_dataset(write_dataset(folder, rows)))
    return parts


def test_join_keeps_rows_in_order_and_fills_columns(tmp_path):
    copies, originals = joined_parts(tmp_path)
    both = join_datasets("both", [copies, originals])
    assert both.groups("source").tolist() == ["copies"] * 4 + ["originals"] * 4
    assert (
        both.groups("augmented").tolist() == ["1"] * 4 + [""] * 4 and both.copies().tolist() == [True] * 4 + [False] * 4
    )
    assert both.groups("source_given").tolist() == [""] * 4 + ["web"] * 4
    assert both.labels().tolist() == [0, 0, 1, 1] * 2 and both.regions == {1: "tumour"}
    np.testing.assert_array_equal(both.image(5), originals.image(1))
    assert both.fingerprint not in (copies.fingerprint, originals.fingerprint)
    assert list(originals.table.columns) == ["image", "label", "group", "source", "file", "mask_file"]  # unchanged


def test_join_refuses_what_does_not_fit(tmp_path, tiny_dataset):
    copies, originals = joined_parts(tmp_path)
    about = {"classes": ["no", "yes"], "regions": {"1": "lesion"}}
    (tiny_dataset / "dataset.json").write_text(json.dumps(about))
    with pytest.raises(DataError) as caught:
        join_datasets("all", [copies, load_dataset(tiny_dataset)])
    assert "tiny has classes ['no', 'yes'], copies has ['yes', 'no']" in caught.value.problems[0]
    assert "calls region 1 'lesion', another set 'tumour'" in caught.value.problems[1]
    with pytest.raises(DataError, match="4 files are in two of the sets"):
        join_datasets("twice", [copies, copies])
    edit(tmp_path / "originals", 2, label="no")
    with pytest.raises(DataError, match="group 'g0' is yes in copies, no in originals"):
        join_datasets("both", [copies, load_dataset(tmp_path / "originals")])


def test_join_of_equal_image_names_puts_the_set_in_front(tiny_dataset, tmp_path):
    other = tmp_path / "other"
    (other / "images").mkdir(parents=True)
    Image.new("L", (5, 5)).save(other / "images/0.png")
    write_dataset(other, [{"image": "images/0.png", "label": "no", "group": "q"}])
    both = join_datasets("both", [load_dataset(tiny_dataset), load_dataset(other)])
    assert both.table["image"].iat[0] == "tiny/images/0.png" and both.table["image"].iat[12] == "other/images/0.png"
    assert both.table["image"].is_unique


# --- real images ----------------------------------------------------------------------------------------------------


def test_real_brain_set_is_read_and_read_again_quickly(real_data, tmp_path):
    sets = [load_dataset(real_data / name, cache=tmp_path) for name in ("brain_mri", "brain_mri_originals")]
    start = time.perf_counter()
    again = [load_dataset(real_data / name, cache=tmp_path) for name in ("brain_mri", "brain_mri_originals")]
    seconds = time.perf_counter() - start
    assert [len(dataset) for dataset in again] == [2065, 253]
    assert [a.fingerprint for a in sets] == [b.fingerprint for b in again]
    assert np.bincount(again[0].labels()).tolist() == [1085, 980]
    assert len(set(again[0].groups())) == 199
    assert seconds < 2  # 0.2 s on an idle core
