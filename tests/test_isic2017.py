"""The importer of ISIC 2017: three tables, a nevus is what neither column marks, splits as the owner has them."""

from __future__ import annotations

import pytest
from conftest import write_lesion_mask, write_lesion_picture

from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.isic2017 import import_isic2017

TABLES = {
    "Training": {"ISIC_0000000": "0.0,0.0", "ISIC_0000002": "1.0,0.0"},
    "Validation": {"ISIC_0001769": "0.0,1.0"},
    "Test_v2": {"ISIC_0012086": "0.0,0.0"},
}


def write_table(folder, part: str, rows: dict[str, str]) -> None:
    lines = ["image_id,melanoma,seborrheic_keratosis", *(f"{image},{marks}" for image, marks in rows.items())]
    (folder / f"ISIC-2017_{part}_Part3_GroundTruth.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def release(tmp_path):
    folder, number = tmp_path / "isic2017", 0
    for part, rows in TABLES.items():
        data = folder / f"ISIC-2017_{part}_Data"
        for image in rows:
            number += 1
            write_lesion_picture(data / f"{image}.jpg", number)
            write_lesion_picture(data / f"{image}_superpixels.png", number + 50)
            masks = folder / f"ISIC-2017_{part}_Part1_GroundTruth"
            write_lesion_mask(masks / f"{image}_segmentation.png", (5, 5, 15, 5 + number))
        write_table(folder, part, rows)
    data = folder / "ISIC-2017_Training_Data" / "ISIC-2017_Training_Data_metadata.csv"
    data.write_text("image_id,age_approximate,sex\nISIC_0000000,55,female\nISIC_0000002,unknown,male\n")
    return folder


def bad(release) -> str:
    with pytest.raises(DataError) as error:
        import_isic2017(release, release.parent / "set", say=lambda _: None)
    assert not (release.parent / "set").exists()
    return str(error.value)


def test_a_release_becomes_a_sound_data_set(release, tmp_path):
    said = []
    dataset = load_dataset(import_isic2017(release, tmp_path / "set", say=said.append))
    assert dataset.info["classes"] == {"MEL": 1, "NV": 2, "SK": 1}
    assert dataset.table["label"].tolist() == ["NV", "MEL", "SK", "NV"]
    assert dataset.table["split"].tolist() == ["train", "train", "validation", "test"]
    assert dataset.table["age"].tolist() == ["55", "unknown", "", ""]
    assert [(dataset.mask(row) == 255).sum() for row in range(4)] == [10, 20, 30, 40]
    assert said[0].startswith("4 files whose names are no image id are not used (first: ISIC-2017_Test_v2_Data/")
    assert said[-1].startswith("4 images (MEL 1, NV 2, SK 1), 4 groups, 4 with a mask")


def test_lesions_are_named_by_the_metadata_of_isic_2019(release, tmp_path):
    rows = ["image,lesion_id", "ISIC_0000000,MSK4_0000009", "ISIC_0012086_downsampled,MSK4_0000009", "ISIC_0099999,x"]
    (release / "ISIC_2019_Training_Metadata.csv").write_text("\n".join(rows))
    said = []
    table = load_dataset(import_isic2017(release, tmp_path / "set", say=said.append)).table
    assert table["lesion_id"].tolist() == ["MSK4_0000009", "", "", "MSK4_0000009"]
    assert table["group"].tolist() == ["MSK4_0000009", "ISIC_0000002", "ISIC_0001769", "MSK4_0000009"]
    assert "2 images name no lesion: each has a group of its own (first: ISIC_0000002)" in said


def test_parts_that_are_not_there_are_said(release, tmp_path):
    (release / "ISIC-2017_Validation_Part3_GroundTruth.csv").unlink()
    said = []
    dataset = load_dataset(import_isic2017(release, tmp_path / "set", say=said.append))
    assert len(dataset) == 3 and said[0] == "no table of diagnoses for validation: not imported"
    assert "1 pictures have no row in the table: not used (first: ISIC_0001769)" in said
    for path in release.glob("*.csv"):
        path.unlink()
    (tmp_path / "set").rename(tmp_path / "first")
    assert "holds no table of diagnoses, expected such as ISIC-2017_Training_Part3_GroundTruth.csv" in bad(release)


def test_each_bad_row_has_its_message(release):
    write_table(release, "Training", {"ISIC_0000000": "1.0,1.0"})
    write_table(release, "Test_v2", {"ISIC_0012086": "0.0,0.0", "ISIC_0001769": "0.0,1.0"})
    tables = "ISIC-2017_{}_Part3_GroundTruth.csv"
    assert bad(release).splitlines() == [
        "3 problems in 'isic2017', nothing was written:",
        "  ISIC-2017_Training_Data_metadata.csv row 3: ISIC_0000002 has no row in the table of diagnoses, expected "
        "one; take both tables from one release",
        f"  {tables.format('Training')} row 2: ISIC_0000000 has 2 ones (melanoma, seborrheic_keratosis), expected one "
        "at most; take the owner's table, or remove the row",
        f"  {tables.format('Test_v2')} row 3: ISIC_0001769 is also {tables.format('Validation')} row 2, expected in "
        "one split; remove one",
    ]
