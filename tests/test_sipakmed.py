"""The importer of SIPaKMeD: what a good release becomes, pixel by pixel, and a clear error for each kind of bad one."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.__main__ import main
from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.sipakmed import fill, import_sipakmed, read_contour

CELLS = {
    "Dyskeratotic": ["001_01", "001_02", "002_01"],
    "Koilocytotic": ["001_01"],
    "Metaplastic": ["001_01"],
    "Parabasal": ["001_10"],
    "Superficial-Intermediate": ["120_01"],
}
WIDE, HIGH = 20, 16
CYTOPLASM = [(1.5, 2.5), (12.5, 2.5), (12.5, 10.5), (1.5, 10.5)]  # 11 columns from 2, 8 rows from 3
NUCLEUS = [(4.5, 4.5), (8.5, 4.5), (8.5, 7.5), (4.5, 7.5)]  # 4 columns from 5, 3 rows from 5


def picture() -> np.ndarray:
    """Channels that differ from each other, so that no swap of colours, sides or directions leaves it as it is."""
    y, x = np.mgrid[:HIGH, :WIDE]
    return np.stack([12 * y, 10 * x, 100 + y + 3 * x], axis=2).astype(np.uint8)


def regions() -> np.ndarray:
    """0 background, 1 nucleus in 12 pixels, 2 cytoplasm in 76: 320 in all."""
    mask = np.zeros((HIGH, WIDE), np.uint8)
    mask[3:11, 2:13] = 2
    mask[5:8, 5:9] = 1
    return mask


def write_contour(path, points) -> None:
    path.write_text("".join(f"{x:.8f},{y:.8f}\n" for x, y in points))


def write_cell(folder, cell: str) -> None:
    Image.fromarray(picture()).save(folder / f"{cell}.bmp")
    write_contour(folder / f"{cell}_cyt.dat", CYTOPLASM)
    write_contour(folder / f"{cell}_nuc.dat", NUCLEUS)


def write_release(folder) -> None:
    for name, cells in CELLS.items():
        inner = folder / f"im_{name}" / f"im_{name}"
        (inner / "CROPPED").mkdir(parents=True)
        Image.fromarray(picture()).save(inner / "001.bmp")  # a slide: not imported, nor are its contours
        write_contour(inner / "001_cyt01.dat", [(900, 900)])
        for cell in cells:
            write_cell(inner / "CROPPED", cell)


@pytest.fixture
def release(tmp_path):
    write_release(tmp_path / "release")
    return tmp_path / "release"


def test_a_release_becomes_a_sound_data_set_pixel_by_pixel(release, tmp_path):
    said = []
    target = import_sipakmed(release, tmp_path / "set", say=said.append)
    dataset = load_dataset(target)
    assert dataset.name == "sipakmed" and dataset.regions == {1: "nucleus", 2: "cytoplasm"}
    assert dataset.info["classes"] == {
        "dyskeratotic": 3, "koilocytotic": 1, "metaplastic": 1, "parabasal": 1, "superficial_intermediate": 1,
    }  # fmt: skip
    for row in range(7):
        np.testing.assert_array_equal(dataset.image(row), picture())
        np.testing.assert_array_equal(dataset.mask(row), regions())
    with Image.open(target / "masks" / "parabasal_001_10.png") as stored:
        assert stored.mode == "L" and stored.getextrema() == (0, 2)
    assert "7 cells (dyskeratotic 3, koilocytotic 1" in said[-1] and "6 slides" in said[-1]


def test_columns_of_a_release_by_hand(release, tmp_path):
    target = import_sipakmed(release, tmp_path / "set", say=lambda _: None)
    table = pd.read_csv(target / "metadata.csv", dtype=str)
    assert dict(table.iloc[6]) == {
        "image": "images/superficial_intermediate_120_01.png",
        "label": "superficial_intermediate",
        "group": "superficial_intermediate_120",
        "mask": "masks/superficial_intermediate_120_01.png",
        "slide": "superficial_intermediate_120",
        "cell_no": "1",
        "binary": "normal",
        "width": "20",
        "height": "16",
        "nucleus_fraction": "0.037500",
        "cytoplasm_fraction": "0.237500",
        "source_file": "im_Superficial-Intermediate/im_Superficial-Intermediate/CROPPED/120_01.bmp",
    }
    assert table["group"].tolist()[:5] == [
        "dyskeratotic_001", "dyskeratotic_001", "dyskeratotic_002", "koilocytotic_001", "metaplastic_001",
    ]  # fmt: skip
    assert table["cell_no"].tolist() == ["1", "2", "1", "1", "1", "10", "1"]
    assert table["binary"].tolist() == ["abnormal"] * 4 + ["benign", "normal", "normal"]
    assert "left out" not in json.loads((target / "dataset.json").read_text())["prepared"]


def test_fill_holds_the_pixels_whose_centre_lies_inside():
    y, x = np.mgrid[:30, :40]
    diamond = np.array([(20.2, 4.1), (30.3, 14.2), (20.2, 24.3), (10.1, 14.2)])
    np.testing.assert_array_equal(fill(diamond, (30, 40)), np.abs(x - 20.2) + np.abs(y - 14.2) < 10.1)
    corner = fill(np.array([(-1, -1), (2.5, -1), (-1, 2.5)]), (8, 9))  # x + y up to 1.5, cut off at the border
    assert np.argwhere(corner).tolist() == [[0, 0], [0, 1], [1, 0]]


def test_contours_are_read_as_written_and_may_pass_the_border_by_a_pixel(tmp_path):
    (tmp_path / "a.dat").write_bytes(b"-1, 0.25\r\n21,0\r\n 3e0 ,17\r\n\r\n")
    points = read_contour(tmp_path / "a.dat", "a.dat", (HIGH, WIDE))
    assert points.tolist() == [[-1, 0.25], [21, 0], [3, 17]]


def test_folders_one_level_below_and_names_in_capitals(release, tmp_path):
    outer = release / "im_Parabasal"
    (outer / "im_Parabasal" / "CROPPED").rename(outer / "CROPPED")
    for file in list((outer / "CROPPED").iterdir()):
        file.rename(file.with_name(file.name.upper()))
    table = pd.read_csv(import_sipakmed(release, tmp_path / "set", say=lambda _: None) / "metadata.csv")
    assert len(table) == 7 and table["source_file"][5] == "im_Parabasal/CROPPED/001_10.BMP"


def bad(release, tmp_path, **options) -> str:
    with pytest.raises(DataError) as error:
        import_sipakmed(release, tmp_path / "set", say=lambda _: None, **options)
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob(".set*"))
    return str(error.value)


@pytest.mark.parametrize(
    ("spoil", "messages"),
    [
        (
            lambda folder: write_contour(folder / "001_01_cyt.dat", [*CYTOPLASM, (21.5, 3), (4, -2), (4, 17.5)]),
            ["001_01_cyt.dat: line 5 is the point (21.5, 3) and 2 more lines are such, expected it inside the picture",
             "20 x 16 pixels; are they of one cell? unpack both again"],
        ),
        (
            lambda folder: (folder / "001_01_nuc.dat").write_text("4,4\n8,4\n8,7,4\n7\n"),
            ["001_01_nuc.dat: line 3 is '8,7,4' and 1 more lines are such, expected two numbers 'x,y'; unpack it"],
        ),
        (
            lambda folder: (folder / "001_01_nuc.dat").write_text("x,y\n4,4\n8,4\n8,7\n"),
            ["001_01_nuc.dat: line 1 is 'x,y', expected two numbers 'x,y'; unpack it again"],
        ),
        (
            lambda folder: (folder / "001_01_nuc.dat").write_text("4,4\n8,nan\n8,7\n"),
            ["001_01_nuc.dat: line 2 is '8,nan', expected two numbers 'x,y'; unpack it again"],
        ),
        (
            lambda folder: write_contour(folder / "001_01_nuc.dat", [(4, 4), (8, 4), (4, 4)]),
            ["001_01_nuc.dat: holds 2 different points, expected three or more; unpack it again"],
        ),
        (
            lambda folder: (folder / "001_01_nuc.dat").unlink(),
            ["001_01.bmp: has no contour, expected 001_01_nuc.dat beside it; unpack the archive again, or say --"],
        ),
        (
            lambda folder: (folder / "001_01.bmp").unlink(),
            ["001_01_cyt.dat: has no picture, expected 001_01.bmp beside it; unpack the archive again, or say --"],
        ),
        (
            lambda folder: [file.unlink() for file in folder.iterdir()],
            ["im_Metaplastic: the class folder holds no cell, expected CROPPED/001_01.bmp", "unpack the archive again"],
        ),
        (
            lambda folder: Image.new("RGB", (1, 1)).save(folder / "001_01.bmp"),
            ["001_01.bmp: is 1 x 1 pixels, expected 8 or more on each side; download it again"],
        ),
        (
            lambda folder: (folder / "001_01.bmp").write_bytes((folder / "001_01.bmp").read_bytes()[:300]),
            ["001_01.bmp: is truncated or damaged", "expected a whole picture; download it again"],
        ),
        (
            lambda folder: (folder / "001_01_cyt.dat").write_bytes(b""),
            ["001_01_cyt.dat: the file is empty (0 bytes), expected a line 'x,y' for each point; unpack it again"],
        ),
        (
            lambda folder: write_contour(folder / "001_01_nuc.dat", [(x + 7, y) for x, y in NUCLEUS]),
            ["001_01_nuc.dat: 75% of the nucleus lies outside 001_01_cyt.dat, expected half of it at most", "unpack"],
        ),
        (
            lambda folder: write_contour(folder / "001_01_nuc.dat", [(4.1, 4.1), (4.4, 4.1), (4.2, 4.4)]),
            ["001_01_nuc.dat: encloses no pixel, expected the outline of a nucleus; unpack it again"],
        ),
        (
            lambda folder: Image.fromarray(picture()).save(folder / "001-02.bmp"),
            ["001-02.bmp: its name is not slide and cell joined by '_', expected such as 001_01.bmp", "or remove it"],
        ),
        (
            lambda folder: Image.fromarray(picture()).save(folder / "001_01.BMP"),
            ["001_01.bmp: is there twice, also as im_Metaplastic/im_Metaplastic/CROPPED/001_01.BMP", "remove one"],
        ),
    ],
    ids=["beyond", "count", "text", "nan", "points", "no-contour", "no-picture", "empty", "tiny", "cut",
         "empty-contour", "outside", "nothing", "name", "twice"],
)  # fmt: skip
def test_each_bad_input_has_its_message_and_leaves_nothing_behind(release, tmp_path, spoil, messages):
    spoil(release / "im_Metaplastic" / "im_Metaplastic" / "CROPPED")
    text = bad(release, tmp_path)
    assert "in 'release', nothing was written:" in text
    for message in messages:
        assert message in text, text


def test_a_class_folder_that_is_missing(release, tmp_path):
    folder = release / "im_Metaplastic"
    (folder / "im_Metaplastic").rename(release / "inner")
    folder.rmdir()
    text = bad(release, tmp_path)
    assert "1 problem in 'release', nothing was written:" in text
    assert "im_Metaplastic: the class folder is missing, expected below 'release'; unpack all of the owner's" in text


def test_half_of_a_nucleus_may_lie_outside(release, tmp_path):
    path = release / "im_Metaplastic" / "im_Metaplastic" / "CROPPED" / "001_01_nuc.dat"
    write_contour(path, [(x + 6, y) for x, y in NUCLEUS])  # columns 11 to 14, of which 11 and 12 are cytoplasm
    dataset = load_dataset(import_sipakmed(release, tmp_path / "set", say=lambda _: None))
    expected = np.where(regions() > 0, 2, 0)
    expected[5:8, 11:15] = 1
    np.testing.assert_array_equal(dataset.mask(4), expected)


def test_all_problems_of_a_cell_and_of_a_release_are_told_at_once(release, tmp_path):
    folder = release / "im_Metaplastic" / "im_Metaplastic" / "CROPPED"
    (folder / "001_01.bmp").write_text("no picture")
    (folder / "001_01_cyt.dat").write_text("1;2\n")
    (release / "im_Koilocytotic" / "im_Koilocytotic" / "CROPPED" / "001_01_nuc.dat").unlink()
    for number in range(20):
        write_contour(folder / f"003_{number:02d}_cyt.dat", CYTOPLASM)
    lines = bad(release, tmp_path).splitlines()
    assert lines[0] == "23 problems in 'release', nothing was written:"
    assert "im_Koilocytotic/im_Koilocytotic/CROPPED/001_01.bmp: has no contour" in lines[1]
    assert "/im_Metaplastic/CROPPED/003_00_cyt.dat: has no picture, expected 003_00.bmp, 003_00_nuc.dat" in lines[2]
    assert lines[-1] == "  and 3 more" and len(lines) == 22


def test_missing_halves_may_be_allowed_but_no_class_may_be_empty(release, tmp_path):
    (release / "im_Dyskeratotic" / "im_Dyskeratotic" / "CROPPED" / "001_02_nuc.dat").unlink()
    said = []
    target = import_sipakmed(release, tmp_path / "set", allow_missing=True, say=said.append)
    assert len(load_dataset(target)) == 6 and said[0].startswith("1 cells were left out: their picture or a contour")
    assert "1 cells whose picture or contour" in json.loads((target / "dataset.json").read_text())["prepared"]
    (release / "im_Parabasal" / "im_Parabasal" / "CROPPED" / "001_10.bmp").unlink()
    with pytest.raises(DataError, match="im_Parabasal: the class folder holds no cell"):
        import_sipakmed(release, tmp_path / "again", allow_missing=True, say=said.append)


def test_the_command_writes_to_the_data_folder_and_says_the_licence(release, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path / "data"))
    assert main(["data", "import", "sipakmed", str(release)]) == 0
    text = capsys.readouterr().out
    assert "7 cells" in text and "none stated" in text and "Plissiti M. E." in text
    assert main(["data", "check", str(tmp_path / "data" / "sipakmed")]) == 0
