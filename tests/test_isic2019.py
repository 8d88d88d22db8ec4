"""The importer of ISIC 2019: one-hot rows, ids with _downsampled, lesions that are not named, both tables joined."""

from __future__ import annotations

import pytest
from conftest import write_lesion_mask, write_lesion_picture

from studylib.__main__ import main
from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.isic2019 import CLASSES, import_isic2019

LABELS = "ISIC_2019_Training_GroundTruth.csv"
METADATA = "ISIC_2019_Training_Metadata.csv"
ROWS = [  # image, class, age, site, lesion, sex
    ("ISIC_0000000", "NV", "55", "anterior torso", "", "female"),
    ("ISIC_0000002_downsampled", "MEL", "60", "upper extremity", "MSK4_0000001", "male"),
    ("ISIC_0024306", "NV", "45", "", "HAM_0000550", "male"),
    ("ISIC_0053453", "SCC", "", "head/neck", "BCN_0000001", ""),
]


def write_tables(folder, rows=ROWS, labels=CLASSES) -> None:
    ones = [",".join([row[0], *(f"{float(name == row[1])}" for name in labels)]) for row in rows]
    (folder / LABELS).write_text("\n".join([",".join(["image", *labels]), *ones]) + "\n")
    about = [",".join((row[0], *row[2:])) for row in rows]
    header = "image,age_approx,anatom_site_general,lesion_id,sex"
    (folder / METADATA).write_text("\n".join([header, *about]) + "\n")


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "isic"
    inside = folder / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input"  # archives unpack into their own name
    for number, row in enumerate(ROWS):
        write_lesion_picture(inside / f"{row[0]}.jpg", number)
    write_lesion_mask(folder / "tschandl" / "ISIC_0024306_segmentation.png", (10, 10, 40, 28))
    write_lesion_mask(folder / "task1" / "ISIC_0000002_segmentation.png", (20, 20, 80, 56), 120, 90)  # of the original
    write_tables(folder)
    return folder


def bad(release) -> str:
    with pytest.raises(DataError) as error:
        import_isic2019(release, release.parent / "set", say=lambda _: None)
    assert not (release.parent / "set").exists()
    return str(error.value)


def test_a_release_becomes_a_sound_data_set(release, tmp_path):
    said = []
    dataset = load_dataset(import_isic2019(release, tmp_path / "set", say=said.append))
    assert dataset.name == "isic2019" and dataset.info["classes"] == {"MEL": 1, "NV": 2, "SCC": 1}
    table = dataset.table
    assert table["label"].tolist() == ["NV", "MEL", "NV", "SCC"]
    assert table["isic_id"].tolist() == ["ISIC_0000000", "ISIC_0000002", "ISIC_0024306", "ISIC_0053453"]
    assert table["downsampled"].tolist() == ["0", "1", "0", "0"]
    assert table["group"].tolist() == ["ISIC_0000000", "MSK4_0000001", "HAM_0000550", "BCN_0000001"]
    assert table["lesion_id"][0] == "" and table["age"].tolist() == ["55", "60", "45", ""]
    assert table["site"][3] == "head/neck" and table["sex"][1] == "male"
    # 60 x 36 of 120 x 90, a fifth; the same share and place in the picture, which its owner halved
    assert table["lesion_fraction"].tolist() == ["", "0.2000", "0.2000", ""]
    assert (dataset.mask(1)[10:28, 10:40] == 255).all() and dataset.mask(1).shape == (45, 60)
    assert said[:3] == [
        "both tables joined by image: 4 rows, 14 columns (10 + 5 - 1)",
        "9 classes in the table, 3 hold an image; none in BCC, AK, BKL, DF, VASC, UNK",
        "1 images name no lesion: each has a group of its own (first: ISIC_0000000)",
    ]
    assert said[3].startswith("1 masks belong to pictures that the owner downsampled: reduced to the picture")
    assert said[-1].startswith("4 images (MEL 1, NV 2, SCC 1), 4 groups, 2 with a mask")


def test_pictures_may_lie_beside_the_tables_and_lack_the_suffix(release, tmp_path):
    inside = release / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input"
    for path in inside.iterdir():
        path.rename(release / path.name.replace("_downsampled", ""))
    dataset = load_dataset(import_isic2019(release, tmp_path / "set", say=lambda _: None))
    assert len(dataset) == 4 and dataset.table["image"][1] == "images/ISIC_0000002.jpg"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "ISIC_0000000,0.0,1.0,",
            "ISIC_0000000,0.0,0.0,",
            "row 2: ISIC_0000000 has no 1, expected a 1 in one of MEL, NV, BCC, AK, BKL, DF, VASC, SCC, UNK; take",
        ),
        (
            "ISIC_0000000,0.0,1.0,0.0",
            "ISIC_0000000,1.0,1.0,0.0",
            "row 2: ISIC_0000000 has 2 ones (MEL, NV), expected a 1 in one of",
        ),
        ("ISIC_0000000,0.0,1.0,", "ISIC_0000000,0.5,1.0,", "row 2: MEL is '0.5', expected 0 or 1"),
        ("ISIC_0053453,", "ISIC_0024306_downsampled,", "row 5: ISIC_0024306 was in row 4 already, expected once"),
        (",UNK", ",OTHER", "row 1: lacks the column UNK (found: image, MEL,"),
    ],
    ids=["none", "two", "half", "doubled", "column"],
)
def test_each_bad_row_of_diagnoses(release, old, new, message):
    text = (release / LABELS).read_text()
    assert text.count(old) == 1
    (release / LABELS).write_text(text.replace(old, new))
    assert f"{LABELS} {message}" in bad(release)


def test_rows_that_one_table_lacks(release):
    lines = (release / METADATA).read_text().replace("ISIC_0053453", "ISIC_0053454")
    (release / METADATA).write_text(lines)
    text = bad(release)
    assert text.startswith("2 problems in 'isic'")
    assert f"{LABELS} row 5: ISIC_0053453 has no row in the table of metadata, expected one" in text
    assert f"{METADATA} row 5: ISIC_0053454 has no row in the table of diagnoses, expected one" in text


@pytest.mark.parametrize("name", [LABELS, METADATA])
def test_a_table_that_is_not_there(release, name):
    (release / name).unlink()
    assert f"holds no {name}, expected it or below it; download the owner's table there" in bad(release)


def test_the_command_writes_to_the_data_folder_and_says_the_licence(release, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path / "data"))
    assert main(["data", "import", "isic2019", str(release), "--threshold", "127"]) == 0
    text = capsys.readouterr().out
    assert "14 columns (10 + 5 - 1)" in text and "CC BY-NC 4.0" in text
    assert main(["data", "check", str(tmp_path / "data" / "isic2019")]) == 0
