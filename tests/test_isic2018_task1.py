"""The importer of ISIC 2018 task 1: every picture with its mask, one label, and the owner's parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import write_lesion_mask, write_lesion_picture

from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.isic2018_task1 import import_isic2018_task1, split_of


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "task1"
    for number, part in enumerate(("Training", "Validation", "Test")):
        write_lesion_picture(folder / f"ISIC2018_Task1-2_{part}_Input" / f"ISIC_001000{number}.jpg", number)
        masks = folder / f"ISIC2018_Task1_{part}_GroundTruth"
        write_lesion_mask(masks / f"ISIC_001000{number}_segmentation.png", (5, 5, 15 + number, 14))
    return folder


def test_a_release_becomes_a_sound_data_set(release, tmp_path):
    said = []
    dataset = load_dataset(import_isic2018_task1(release, tmp_path / "set", say=said.append))
    assert dataset.classes == ["lesion"] and dataset.table["split"].tolist() == ["train", "validation", "test"]
    assert dataset.table["group"].tolist() == ["ISIC_0010000", "ISIC_0010001", "ISIC_0010002"]
    assert [(dataset.mask(row) == 255).sum() for row in range(3)] == [90, 99, 108]
    assert said[0] == "the release names no diagnoses: every label is 'lesion'; for labels put its masks below an " + (
        "isic2019 release"
    )


def test_a_picture_needs_its_mask_unless_that_is_allowed(release, tmp_path):
    (release / "ISIC2018_Task1_Test_GroundTruth" / "ISIC_0010002_segmentation.png").unlink()
    with pytest.raises(DataError, match=r"ISIC_0010002.jpg: ISIC_0010002 has no mask, expected ISIC_0010002_segmentat"):
        import_isic2018_task1(release, tmp_path / "set", say=lambda _: None)
    target = import_isic2018_task1(release, tmp_path / "set", allow_missing=True, say=lambda _: None)
    assert load_dataset(target).table["isic_id"].tolist() == ["ISIC_0010000", "ISIC_0010001"]


def test_lesions_are_named_by_the_metadata_of_isic_2019(release, tmp_path):
    (release / "ISIC_2019_Training_Metadata.csv").write_text("image,lesion_id\nISIC_0010001,HAM_0000001\n")
    table = load_dataset(import_isic2018_task1(release, tmp_path / "set", say=lambda _: None)).table
    assert table["group"].tolist() == ["ISIC_0010000", "HAM_0000001", "ISIC_0010002"]


def test_no_picture_at_all(tmp_path):
    with pytest.raises(
        DataError, match=r"holds no picture, expected such as ISIC2018_Task1-2_Training_Input/ISIC_0000"
    ):
        import_isic2018_task1(tmp_path, tmp_path / "set", say=lambda _: None)


def test_the_innermost_folder_says_the_part():
    assert split_of(Path("training/ISIC2018_Task1-2_Test_Input/ISIC_0010002.jpg")) == "test"
    assert split_of(Path("Validation/a/ISIC_0010002.jpg")) == "validation" and split_of(Path("training.jpg")) == ""
