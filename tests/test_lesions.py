"""Images of a dermoscopic release as a data set: groups, masks, what is left out, nothing half-written."""

from __future__ import annotations

import pandas as pd
import pytest
from conftest import write_lesion_mask, write_lesion_picture
from PIL import Image

from studylib.data.dataset import DataError, load_dataset
from studylib.data.images import read_image, read_mask
from studylib.data.importers.lesions import REGIONS, Lesion, Release, import_lesions

ABOUT = {"name": "skin", "classes": ("NV", "MEL", "UNK"), "prepared": "Drawn by a test."}
LESIONS = [  # three of lesion L1, of which the last is also picture 5, a lesion of its own; 4 names no lesion
    ("ISIC_0000001", "NV", "L1"),
    ("ISIC_0000002", "NV", "L1"),
    ("ISIC_0000003", "NV", "L1"),
    ("ISIC_0000004", "MEL", ""),
    ("ISIC_0000005", "NV", "L5"),
]


def picture(folder, number: int):
    return folder / "in" / f"ISIC_000000{number}.jpg"


def mask(folder, number: int):
    return folder / "in" / f"ISIC_000000{number}_segmentation.png"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "release"
    for number in range(1, 5):
        write_lesion_picture(picture(folder, number), number)
    Image.open(picture(folder, 3)).save(picture(folder, 5), quality=60)  # saved anew
    write_lesion_mask(mask(folder, 1), (10, 10, 40, 28))  # 30 x 18 of 60 x 45: a fifth
    write_lesion_mask(mask(folder, 4), (0, 0, 60, 45))
    return folder


def run(source, *, lesions=None, said=None, **options):
    release = {name: options.pop(name) for name in ("every_mask", "problems") if name in options}
    rows = [Lesion(*row, f"t.csv row {place}") for place, row in enumerate(lesions or LESIONS, 2)]
    say = (lambda _: None) if said is None else said.append
    return import_lesions(lambda *_: Release(ABOUT, rows, **release), source, source.parent / "set", say=say, **options)


def refused(source, **options) -> str:
    with pytest.raises(DataError) as error:
        run(source, **options)
    assert not list(source.parent.glob("*set*")) and not list(source.parent.glob(".*"))  # nothing half-written
    return str(error.value)


def test_a_release_becomes_a_sound_data_set(source):
    said = []
    dataset = load_dataset(run(source, said=said))
    assert dataset.classes == ["NV", "MEL"] and dataset.info["classes"] == {"NV": 4, "MEL": 1}  # UNK has no image
    assert dataset.info["regions"] == REGIONS and dataset.info["one_label_per_group"] is True
    table = dataset.table
    assert table["isic_id"].tolist() == [row[0] for row in LESIONS]
    assert table["lesion_id"].tolist() == ["L1", "L1", "L1", "", "L5"]
    assert table["group"].tolist() == ["L1", "L1", "L1", "ISIC_0000004", "L1"]
    assert table["lesion_fraction"].tolist() == ["0.2000", "", "", "1.0000", ""]
    assert table["mask_touches_border"].tolist() == ["0", "", "", "1", ""]
    assert set(table["width"]) == {"60"} and set(table["height"]) == {"45"}
    for row, number in ((0, 1), (3, 4)):
        assert (dataset.mask(row) == read_mask(mask(source, number), {255: "lesion"})).all()
    assert dataset.mask(1) is None and (dataset.image(4) == read_image(picture(source, 5))).all()
    assert said == [
        "1 images name no lesion: each has a group of its own (first: ISIC_0000004)",
        "1 lesions fill the frame (99 % or more of it): warning, no map can miss them (first: ISIC_0000004)",
        "1 groups were joined to others: they hold near-identical pictures under several lesions",
        f"5 images (NV 4, MEL 1), 2 groups, 2 with a mask, written to {source.parent / 'set'}",
    ]


def test_groups_of_two_labels_are_allowed_and_marked(source):
    lesions = [*LESIONS[:4], ("ISIC_0000005", "MEL", "L5")]  # the picture of 3, which is NV
    dataset = load_dataset(run(source, lesions=lesions))
    assert dataset.info["one_label_per_group"] is False and dataset.table["group"][4] == "L1"


def test_files_without_a_row_are_said(source):
    said = []
    dataset = load_dataset(run(source, lesions=LESIONS[1:3], said=said))
    assert len(dataset) == 2 and dataset.regions == {}  # no mask, so nothing to name
    assert "3 pictures have no row in the table: not used (first: ISIC_0000001)" in said
    assert "2 masks have no row in the table: not used (first: ISIC_0000001)" in said


def test_a_large_picture_and_its_mask_are_reduced_alike(source):
    write_lesion_picture(picture(source, 1), 1, 2400, 1600)
    write_lesion_mask(mask(source, 1), (200, 400, 1400, 800), 2400, 1600)
    dataset = load_dataset(run(source))
    row = dataset.table.iloc[0]
    assert (row["width"], row["height"]) == ("2400", "1600") and dataset.image(0).shape == (800, 1200, 3)
    lesion = dataset.mask(0) == 255
    assert lesion[200:400, 100:700].all() and lesion.sum() == 200 * 600 and row["lesion_fraction"] == "0.1250"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: picture(folder, 2).unlink(),
            "t.csv row 3: ISIC_0000002 has no picture, expected ISIC_0000002.jpg below 'release'; unpack all of the "
            "owner's archives there, or say --allow-missing",
        ),
        (
            lambda folder: picture(folder, 2).write_text("<html>"),
            "ISIC_0000002.jpg: is not an image that can be read",
        ),
        (
            lambda folder: Image.new("RGB", (60, 45)).save(picture(folder, 2)),
            "ISIC_0000002.jpg: shows nothing, its values go from 0 to 0",
        ),
        (
            lambda folder: write_lesion_mask(mask(folder, 1), (1, 1, 9, 9), 45, 60),
            "ISIC_0000001_segmentation.png: is 45 x 60 pixels, expected 60 x 45",
        ),
        (
            lambda folder: write_lesion_mask(mask(folder, 1), (1, 1, 1, 1)),
            "ISIC_0000001_segmentation.png: is empty, no pixel is lesion",
        ),
        (
            lambda folder: mask(folder, 1).write_bytes(mask(folder, 1).read_bytes()[:60]),
            "ISIC_0000001_segmentation.png: is truncated or damaged",
        ),
        (
            lambda folder: Image.new("L", (60, 45), 254).save(mask(folder, 1)),
            "ISIC_0000001_segmentation.png: holds 254, expected only 0 and 255",
        ),
        (
            lambda folder: write_lesion_picture(folder / "more" / "ISIC_0000002.jpg", 9),
            "more/ISIC_0000002.jpg: ISIC_0000002 is also in/ISIC_0000002.jpg, another picture",
        ),
    ],
    ids=["missing", "no image", "black", "size", "empty", "torn", "values", "twice"],
)
def test_each_bad_file_has_its_message_and_leaves_nothing_behind(source, spoil, message):
    spoil(source)
    text = refused(source)
    assert text.startswith("1 problem in 'release', nothing was written:\n  ") and message in text


def test_all_problems_are_told_at_once(source):
    picture(source, 2).unlink()
    write_lesion_mask(mask(source, 1), (1, 1, 1, 1))
    lines = refused(source, problems=["t.csv row 9: torn"], every_mask=True).splitlines()
    assert lines[0] == "5 problems in 'release', nothing was written:" and lines[1] == "  t.csv row 9: torn"
    assert [line.split(": ")[0].strip() for line in lines[2:]] == [
        "ISIC_0000001_segmentation.png",
        "t.csv row 3",
        "t.csv row 4",
        "t.csv row 6",
    ]
    assert "ISIC_0000003 has no mask, expected ISIC_0000003_segmentation.png below 'release'" in lines[4]


def test_what_is_missing_may_be_left_out_and_is_named(source):
    picture(source, 2).unlink()
    data = picture(source, 3).read_bytes()
    picture(source, 3).write_bytes(data[: len(data) - 60])
    said = []
    target = run(source, allow_missing=True, said=said)
    assert pd.read_csv(target / "metadata.csv")["isic_id"].str[-1].tolist() == ["1", "4", "5"]
    assert said[0].startswith("left out: t.csv row 3: ISIC_0000002 has no picture") and "2 images were left out" in said
    assert said[1].startswith("left out: ISIC_0000003.jpg: is truncated or damaged")
    assert "2 images without a usable file were left out" in (target / "dataset.json").read_text()


def test_nothing_left_is_an_error(source):
    for number in range(1, 6):
        picture(source, number).unlink()
    text = refused(source, allow_missing=True)
    assert "no image is left to import (first: t.csv row 2: ISIC_0000001 has no picture" in text


def test_a_threshold_is_stated_in_the_description_and_checked(source):
    grey = Image.new("L", (60, 45), 0)
    grey.paste(100, (0, 0, 30, 45))
    grey.paste(200, (30, 0, 45, 45))
    grey.save(mask(source, 1))
    assert "expected 0 to 254, as masks hold 0 to 255" in refused(source, threshold=255)
    dataset = load_dataset(run(source, threshold=127))
    assert dataset.table["lesion_fraction"][0] == "0.2500"
    assert "Masks: values above 127 are lesion." in dataset.info["prepared"]


def test_a_folder_that_exists_is_left_alone(source):
    (source.parent / "set").mkdir()
    with pytest.raises(DataError, match="set exists already under the target folder: remove it, or name another"):
        run(source)
    assert list((source.parent / "set").iterdir()) == []
