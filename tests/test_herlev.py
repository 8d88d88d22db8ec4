"""The importer of Herlev: what a good release becomes, pixel by pixel, and a clear error for each kind of bad one."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.__main__ import main
from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.herlev import import_herlev, sessions

# Sorted as numbers, their first numbers are 9000 10000 13599 | 17199 17200 | 100000: as text, 9000 would come last.
CELLS = {
    "normal_superficiel": ["10000-10050-001", "10000-10050-002"],
    "normal_intermediate": ["9000-9001-001"],
    "normal_columnar": ["13599-13600-012"],
    "light_dysplastic": ["17199-17210-001"],
    "moderate_dysplastic": ["17200-17230-001"],
    "severe_dysplastic": ["100000-100001-003"],
    "carcinoma_in_situ": ["100000-100002-001"],
}
PALETTE = [(0, 0, 0), (0, 0, 255), (255, 0, 0), (128, 128, 128), (0, 0, 128)]
PLACES = np.array([2, 1, 4, 3, 0], np.uint8)  # of regions 0 to 4 in the palette
WIDE, HIGH = 12, 10


def picture() -> np.ndarray:
    """Channels that differ from each other, so that no swap of colours, sides or directions leaves it as it is."""
    y, x = np.mgrid[:HIGH, :WIDE]
    return np.stack([20 * y, 15 * x, 100 + y + 3 * x], axis=2).astype(np.uint8)


def regions() -> np.ndarray:
    """0 background 81 pixels, 1 nucleus 4, 2 cytoplasm 32, 3 grey 2, 4 stray 1: 120 in all."""
    mask = np.zeros((HIGH, WIDE), np.uint8)
    mask[2:8, 3:9] = 2
    mask[4:6, 5:7] = 1
    mask[9, [0, 2]] = 3
    mask[9, 1] = 4
    return mask


def write_segmentation(path, values: np.ndarray) -> None:
    """Write regions as the owners' bitmap of colours in a palette, whose order is not that of the regions."""
    image = Image.fromarray(PLACES[values])
    image.putpalette([channel for colour in PALETTE for channel in colour])
    image.save(path)


def write_release(folder) -> None:
    for name, cells in CELLS.items():
        (folder / "New database" / name).mkdir(parents=True)
        for cell in cells:
            Image.fromarray(picture()).save(folder / "New database" / name / f"{cell}.BMP")
            write_segmentation(folder / "New database" / name / f"{cell}-d.bmp", regions())
    (folder / "new_database_results.xls").write_bytes(b"not read")


@pytest.fixture
def release(tmp_path):
    write_release(tmp_path / "release")
    return tmp_path / "release"


def test_a_release_becomes_a_sound_data_set_pixel_by_pixel(release, tmp_path):
    said = []
    target = import_herlev(release, tmp_path / "set", say=said.append)
    dataset = load_dataset(target, group="session")
    assert dataset.name == "pap_herlev" and dataset.regions[2] == "cytoplasm (0,0,128)"
    assert dataset.info["classes"] == {
        "normal_superficial": 2, "normal_intermediate": 1, "normal_columnar": 1, "light_dysplastic": 1,
        "moderate_dysplastic": 1, "severe_dysplastic": 1, "carcinoma_in_situ": 1,
    }  # fmt: skip
    for row in range(len(dataset)):
        np.testing.assert_array_equal(dataset.image(row), picture())
        np.testing.assert_array_equal(dataset.mask(row), regions())
    with Image.open(target / "masks" / "9000-9001-001.png") as stored:
        assert stored.mode == "L" and stored.getextrema() == (0, 4)
    assert "8 cells (normal_superficial 2, normal_intermediate 1" in said[-1] and "6 groups, 3 sessions" in said[-1]


def test_columns_of_a_release_by_hand(release, tmp_path):
    target = import_herlev(release, tmp_path / "set", say=lambda _: None)
    table = pd.read_csv(target / "metadata.csv", dtype=str)
    assert dict(table.iloc[3]) == {
        "image": "images/13599-13600-012.png",
        "label": "normal_columnar",
        "group": "13599",
        "mask": "masks/13599-13600-012.png",
        "frame": "13599-13600",
        "cell_no": "12",
        "session": "s01",
        "binary": "normal",
        "width": "12",
        "height": "10",
        "nucleus_fraction": "0.033333",
        "cytoplasm_fraction": "0.266667",
        "background_fraction": "0.675000",
        "source_file": "normal_columnar/13599-13600-012.BMP",
    }
    assert table["session"].tolist() == ["s01", "s01", "s01", "s01", "s02", "s02", "s03", "s03"]
    assert table["binary"].tolist() == ["normal"] * 4 + ["abnormal"] * 4
    assert table["group"].tolist() == ["10000", "10000", "9000", "13599", "17199", "17200", "100000", "100000"]
    about = json.loads((target / "dataset.json").read_text())
    assert about["one_label_per_group"] is False  # 100000 holds two classes
    assert "new_database_results.xls was not read" in about["prepared"] and "left out" not in about["prepared"]


def test_sessions_part_where_the_next_number_is_an_hour_on():
    assert sessions([7200, 3599, 0, 7200, 3600 + 7200]) == {0: "s01", 3599: "s01", 7200: "s02", 10800: "s03"}
    assert sessions([]) == {} and sessions([5]) == {5: "s01"}


def test_extensions_are_read_in_either_case(release, tmp_path):
    folder = release / "New database" / "normal_columnar"
    (folder / "13599-13600-012.BMP").rename(folder / "13599-13600-012.bmp")
    (folder / "13599-13600-012-d.bmp").rename(folder / "13599-13600-012-D.BMP")
    table = pd.read_csv(import_herlev(release, tmp_path / "set", say=lambda _: None) / "metadata.csv")
    assert len(table) == 8 and table["source_file"][3] == "normal_columnar/13599-13600-012.bmp"


def bad(release, tmp_path, **options) -> str:
    with pytest.raises(DataError) as error:
        import_herlev(release, tmp_path / "set", say=lambda _: None, **options)
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob(".set*"))
    return str(error.value)


def sixth_colour(folder):
    values = np.array(PALETTE, np.uint8)[np.full((HIGH, WIDE), 2)]
    values[4:6, 5:7], values[0, :3] = (0, 0, 255), (0, 255, 0)
    Image.fromarray(values).save(folder / "9000-9001-001-d.bmp")


@pytest.mark.parametrize(
    ("spoil", "messages"),
    [
        (
            lambda folder: [file.unlink() for file in folder.iterdir()],
            ["normal_intermediate: the class folder holds no cell", "NAME.BMP with NAME-d.bmp; unpack the archive"],
        ),
        (
            lambda folder: folder.rename(folder.with_name("normal_intermediat")),
            ["normal_intermediate: the class folder is missing, expected below 'release'; unpack all"],
        ),
        (
            lambda folder: (folder / "9000-9001-001-d.bmp").unlink(),
            ["/9000-9001-001.BMP: has no segmentation, expected 9000-9001-001-d.bmp beside it", "say --allow-missing"],
        ),
        (
            lambda folder: (folder / "9000-9001-001.BMP").unlink(),
            ["/9000-9001-001-d.bmp: has no picture, expected 9000-9001-001.BMP beside it", "say --allow-missing"],
        ),
        (
            sixth_colour,
            ["/9000-9001-001-d.bmp: holds the colour (0,255,0) in 3 pixels, expected only (255,0,0)", "; take the o"],
        ),
        (
            lambda folder: write_segmentation(folder / "9000-9001-001-d.bmp", regions()[:, 1:]),
            ["/9000-9001-001-d.bmp: is 11 x 10 pixels, expected 12 x 10 as its picture 9000-9001-001.BMP; take both"],
        ),
        (
            lambda folder: Image.new("RGB", (1, 1)).save(folder / "9000-9001-001.BMP"),
            ["/9000-9001-001.BMP: is 1 x 1 pixels, expected 8 or more on each side; download it again"],
        ),
        (
            lambda folder: (folder / "9000-9001-001.BMP").write_text("<html>not found</html>"),
            ["/9000-9001-001.BMP: is not an image that can be read", "expected a whole picture; download it again"],
        ),
        (
            lambda folder: (folder / "9000-9001-001-d.bmp").write_bytes(b""),
            ["/9000-9001-001-d.bmp: the file is empty (0 bytes), expected a whole picture; download it again"],
        ),
        (
            lambda folder: Image.fromarray(picture()).save(folder / "9000-x-001.BMP"),
            ["/9000-x-001.BMP: the name '9000-x-001' is not three numbers joined by '-'", "give the file the ow"],
        ),
        (
            lambda folder: write_segmentation(folder / "9000-9001-001-d.bmp", np.where(regions() == 1, 2, regions())),
            ["/9000-9001-001-d.bmp: has no nucleus, expected pixels of (0,0,255); download it again"],
        ),
        (
            lambda folder: Image.fromarray(picture()).save(folder / "9000-9001-001.bmp"),
            ["/9000-9001-001.bmp: is there twice, also as 9000-9001-001.BMP, expected once; remove one"],
        ),
        (
            lambda folder: Image.fromarray(picture()).save(folder / "13599-13600-012.BMP"),
            ["/13599-13600-012: is also in normal_intermediate/, expected in one class; remove one"],
        ),
    ],
    ids=["empty", "folder", "no-d", "no-picture", "colour", "sizes", "tiny", "no-image", "cut", "name", "nucleus",
         "case", "classes"],
)  # fmt: skip
def test_each_bad_input_has_its_message_and_leaves_nothing_behind(release, tmp_path, spoil, messages):
    spoil(release / "New database" / "normal_intermediate")
    text = bad(release, tmp_path)
    assert "in 'release', nothing was written:" in text
    for message in messages:
        assert message in text, text


def test_many_problems_are_told_at_once_and_more_than_twenty_counted(release, tmp_path):
    folder = release / "New database" / "severe_dysplastic"
    sixth_colour(release / "New database" / "normal_intermediate")
    for number in range(21):
        Image.fromarray(picture()).save(folder / f"100000-100002-{number + 100}.BMP")
    lines = bad(release, tmp_path).splitlines()
    assert lines[0] == "22 problems in 'release', nothing was written:"
    assert len(lines) == 22 and lines[-1] == "  and 2 more"


def test_halves_may_be_allowed_to_be_missing_but_no_class_may_be_empty(release, tmp_path):
    folder = release / "New database"
    (folder / "normal_superficiel" / "10000-10050-002-d.bmp").unlink()
    said = []
    target = import_herlev(release, tmp_path / "set", allow_missing=True, say=said.append)
    assert len(load_dataset(target)) == 7 and said[0].startswith("1 cells were left out: their picture or")
    assert (
        "1 cells whose picture or segmentation was missing"
        in json.loads((target / "dataset.json").read_text())["prepared"]
    )
    (folder / "carcinoma_in_situ" / "100000-100002-001.BMP").unlink()
    with pytest.raises(DataError, match="carcinoma_in_situ: the class folder holds no cell"):
        import_herlev(release, tmp_path / "again", allow_missing=True, say=said.append)


def test_a_cell_that_is_left_out_still_joins_the_sessions_on_its_sides(release, tmp_path):
    folder = release / "New database" / "normal_columnar"
    Image.fromarray(picture()).save(folder / "16000-16001-001.BMP")  # between 13599 and 17199, and without a half
    target = import_herlev(release, tmp_path / "set", allow_missing=True, say=lambda _: None)
    table = pd.read_csv(target / "metadata.csv", dtype=str).set_index("group")
    assert table["session"]["17199"] == table["session"]["13599"] == "s01"
    assert table["session"]["100000"].tolist() == ["s02", "s02"]


def test_a_folder_that_exists_is_left_alone(release, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match="set exists already under the target folder: remove it, or name another"):
        import_herlev(release, tmp_path / "set", say=lambda _: None)
    assert list((tmp_path / "set").iterdir()) == []


def test_the_command_writes_to_the_data_folder_and_says_the_licence(release, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path / "data"))
    assert main(["data", "import", "pap_herlev", str(release)]) == 0
    text = capsys.readouterr().out
    assert "8 cells" in text and "none stated" in text and "Jantzen J." in text
    assert main(["data", "check", str(tmp_path / "data" / "pap_herlev")]) == 0
