"""The importer of AnnoCerv: regions against drawn circles, joined women, and a clear error for each bad input."""

from __future__ import annotations

import io
import json

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.__main__ import main
from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.annocerv import REGIONS, import_annocerv, regions_of
from studylib.data.importers.annotation import COLOURS

WIDE, HIGH = 120, 80
PURPLE, BLUE, RED, BROWN, YELLOW, BLACK = (colour for _, colour in COLOURS.values())
SCORES = [2, 5, 7, 0, 10]


def scene(seed: int, wide: int = WIDE, high: int = HIGH) -> Image.Image:
    """A smooth random photograph, no two alike."""
    coarse = np.random.default_rng(seed).integers(40, 216, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((wide, high), Image.Resampling.BICUBIC)


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def layer(*arcs, wide: int = WIDE, high: int = HIGH) -> np.ndarray:
    """Lines on transparent: (colour, centre, radius, first and last angle), the pixels within 1.5 of the arc."""
    image = np.zeros((high, wide, 4), np.uint8)
    y, x = np.mgrid[:high, :wide]
    for colour, centre, radius, start, end in arcs:
        turn = np.degrees(np.arctan2(y - centre[1], x - centre[0])) % 360
        away = np.abs(np.hypot(x - centre[0], y - centre[1]) - radius)
        image[(away <= 1.5) & (turn >= start) & (turn <= end)] = (*colour, 255)
    return image


CIRCLE = (PURPLE, (60, 40), 20, 0, 360)
LAYERS = {  # of each photograph of each case
    1: [layer(CIRCLE), layer()],
    2: [layer((PURPLE, (60, 40), 20, 0, 200))],
    3: [layer(CIRCLE)],
    4: [layer(CIRCLE, (BLUE, (60, 40), 30, 0, 180), (RED, (60, 40), 4, 0, 360), (BROWN, (20, 20), 5, 0, 360),
              (YELLOW, (100, 20), 5, 0, 360), (BLACK, (20, 60), 5, 0, 360), (PURPLE, (100, 60), 12, 0, 180))],
    5: [layer()],
}  # fmt: skip


def write_release(clone) -> None:
    """Case 3 holds the bytes of a photograph of case 1, case 5 that of case 4, saved at another quality."""
    photographs = {1: [scene(0), scene(1)], 2: [scene(2)], 3: [scene(0)], 4: [scene(3)], 5: [scene(3)]}
    for case, pictures in photographs.items():
        folder = clone / "dataset" / f"Case {case}"
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures, 1):
            name = f"C{case}Aceto ({number})"
            (folder / f"{name}.jpg").write_bytes(jpeg(picture, 60 if case == 5 else 90))
            Image.fromarray(LAYERS[case][number - 1]).save(folder / f"{name}.png")
        (folder / f"C{case}Iod (1).jpg").write_bytes(jpeg(scene(50 + case)))
    (clone / "dataset" / "Case 2" / "C2Green (1).jpg").write_bytes(jpeg(scene(60)))
    (clone / "dataset" / "Case 2" / "Thumbs.db").write_bytes(b"not read")
    (clone / "dataset" / "swede_scores.csv").write_text("\n".join(map(str, SCORES)))
    (clone / "README.md").write_text("not read")


@pytest.fixture
def release(tmp_path):
    write_release(tmp_path / "release")
    return tmp_path / "release"


def within(centre, radius) -> np.ndarray:
    y, x = np.mgrid[:HIGH, :WIDE]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def test_a_release_becomes_a_sound_data_set(release, tmp_path):
    said = []
    target = import_annocerv(release, tmp_path / "set", say=said.append)
    dataset = load_dataset(target)
    assert dataset.name == "annocerv" and dataset.info["classes"] == {"swede_0_4": 3, "swede_5_10": 3}
    assert dataset.regions == {int(value): meaning for value, meaning in REGIONS.items()} and len(dataset) == 6
    assert np.abs(dataset.image(1).astype(int) - np.asarray(scene(1))).mean() < 3  # twice JPEG
    np.testing.assert_array_equal(dataset.mask(0) == 1, within((60, 40), 21.5))  # to the line's outer edge
    assert not dataset.mask(1).any() and not dataset.mask(5).any()
    np.testing.assert_array_equal(dataset.mask(2) == 2, LAYERS[2][0][..., 3] > 0)
    assert set(np.unique(dataset.mask(2))) == {0, 2}
    assert said[-2:] == ["acetowhite outlines: closed 2, partly 1, open 1, none 2", f"written to {target}"]
    assert "6 photographs (swede_0_4 3, swede_5_10 3), 5 cases, 3 women (2 of them with two scores)" in said
    assert "5 iodine pictures are not used: they have no annotation" in said
    assert "1 green-filter pictures are not used: they have no annotation" in said


def test_other_findings_stay_lines_over_the_area(release, tmp_path):
    dataset = load_dataset(import_annocerv(release, tmp_path / "set", say=lambda _: None))
    mask, drawn = dataset.mask(4), LAYERS[4][0]
    for value, colour in ((3, BLUE), (4, RED), (5, BROWN), (6, YELLOW), (7, BLACK)):
        np.testing.assert_array_equal(mask == value, (drawn[..., :3] == colour).all(axis=2) & (drawn[..., 3] > 0))
    np.testing.assert_array_equal((mask == 1) | (mask == 4), within((60, 40), 21.5))
    assert (mask == 2).sum() > 80 and not (mask[50:, 80:] == 1).any()  # the second outline is open
    table = pd.read_csv(dataset.table["file"][0].replace("images/C001_aceto1.jpg", "metadata.csv"))
    assert table["acetowhite_fraction"][4] == pytest.approx(table["acetowhite_fraction"][0])  # red hides none of it


def test_columns_of_a_release_by_hand(release, tmp_path):
    table = pd.read_csv(import_annocerv(release, tmp_path / "set", say=lambda _: None) / "metadata.csv", dtype=str)
    row = dict(table.fillna("").iloc[3])
    assert float(row.pop("acetowhite_fraction")) == pytest.approx(np.pi * 21.5**2 / 9600, rel=0.01)
    assert row == {
        "image": "images/C003_aceto1.jpg",
        "label": "swede_5_10",
        "group": "woman_001",
        "mask": "masks/C003_aceto1.png",
        "case": "case_003",
        "swede_score": "7",
        "acetowhite_annotated": "1",
        "outline_state": "closed",
        "bridged_fraction": "0.0000",
        "any_annotation": "1",
        "width": "120",
        "height": "80",
        "source_file": "Case 3/C3Aceto (1).jpg",
        "duplicate_of": "images/C001_aceto1.jpg",
        "conflicting_score": "1",
    }
    women = ["woman_001", "woman_001", "woman_002", "woman_001", "woman_004", "woman_004"]
    assert table["group"].tolist() == women
    assert table["label"].tolist() == ["swede_0_4"] * 2 + ["swede_5_10"] * 2 + ["swede_0_4", "swede_5_10"]
    assert table["conflicting_score"].tolist() == ["1", "1", "0", "1", "1", "1"]
    same = ["", "", "", "images/C001_aceto1.jpg", "", "images/C004_aceto1.jpg"]
    assert table["duplicate_of"].fillna("").tolist() == same
    assert table["outline_state"].tolist() == ["closed", "none", "open", "closed", "partly", "none"]
    assert table["acetowhite_annotated"].tolist() == ["1", "0", "1", "1", "1", "0"]
    about = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert about["one_label_per_group"] is False and "at most 1,200 pixels" in about["prepared"]
    assert "5 cases (3 distinct women)" in about["title"]


def test_large_photographs_are_reduced_and_their_thin_lines_survive():
    values = np.zeros((1000, 1500), np.uint8)  # kept at 1200 x 800: 0.8 of a line of one pixel
    cv2.circle(values, (750, 500), 300, 1, 1)
    values[:, 100] = 3
    mask, outlines = regions_of(values)
    assert mask.shape == (800, 1200) and outlines.state == "closed"
    assert (mask[:, 80] == 3).all()
    assert (mask == 1).sum() == pytest.approx(np.pi * 240.5**2, rel=0.01)


def test_the_folder_of_cases_itself_is_a_source_too(release, tmp_path):
    assert len(load_dataset(import_annocerv(release / "dataset", tmp_path / "set", say=lambda _: None))) == 6


def bad(release, tmp_path, **options) -> str:
    with pytest.raises(DataError) as error:
        import_annocerv(release, tmp_path / "set", say=lambda _: None, **options)
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob(".set*"))
    return str(error.value)


def strange_colour(folder):
    image = layer(CIRCLE)
    image[0, :3] = (0, 255, 0, 255)
    Image.fromarray(image).save(folder / "C2Aceto (1).png")


@pytest.mark.parametrize(
    ("spoil", "messages"),
    [
        (
            strange_colour,
            ["Case 2/C2Aceto (1).png: holds the colour (0,255,0) in 3 pixels (nearest: cuffed gland opening (0,0,0)",
             "expected within 48 of one of acetowhite area (255,0,255)", "; take the owners' file"],
        ),
        (
            lambda folder: Image.fromarray(layer(wide=119)).save(folder / "C2Aceto (1).png"),
            ["Case 2/C2Aceto (1).png: is 119 x 80 pixels, expected 120 x 80 as its photograph C2Aceto (1).jpg; take"],
        ),
        (
            lambda folder: (folder / "C2Aceto (1).png").unlink(),
            ["Case 2/C2Aceto (1).jpg: has no annotation, expected C2Aceto (1).png beside it; pull", "--allow-"],
        ),
        (
            lambda folder: (folder / "C2Aceto (1).jpg").unlink(),
            ["Case 2/C2Aceto (1).png: has no photograph, expected C2Aceto (1).jpg beside it; pull", "--allow-"],
        ),
        (
            lambda folder: [file.unlink() for file in folder.glob("C2Aceto*")],
            ["Case 2: holds no photograph after acetic acid, expected C2Aceto (1).jpg with C2Aceto (1).png; pull the"],
        ),
        (
            lambda folder: (folder / "C2Aceto (1).jpg").write_bytes((folder / "C2Aceto (1).jpg").read_bytes()[:700]),
            ["Case 2/C2Aceto (1).jpg: is truncated or damaged", "expected a whole picture; download it again"],
        ),
        (
            lambda folder: (folder / "C2Aceto (1).png").write_text("<html>"),
            ["Case 2/C2Aceto (1).png: is not an image that can be read", "expected a whole annotation layer; download"],
        ),
        (
            lambda folder: (folder / "C2Iod (1).jpg").rename(folder / "C3Iod (1).jpg"),
            ["Case 2/C3Iod (1).jpg: its name is not that of a picture of case 2, expected such as C2Aceto"],
        ),
        (
            lambda folder: scene(9).save(folder / "C2Schiller (1).jpg"),
            ["Case 2/C2Schiller (1).jpg: its name is not that of a picture of case 2, ", "or remove it"],
        ),
        (
            lambda folder: scene(9).save(folder / "C2Aceto (1).JPG"),
            ["Case 2/C2Aceto (1).jpg: is there twice, also as C2Aceto (1).JPG, expected once; remove one"],
        ),
        (
            lambda folder: (folder.parent / "swede_scores.csv").write_text("2\n5\n\n11\n10\n"),
            ["swede_scores.csv: line 3 is '', expected the Swede score of case 3, a whole number from 0 to 10; pull",
             "swede_scores.csv: line 4 is '11', expected the Swede score of case 4"],
        ),
        (
            lambda folder: (folder.parent / "swede_scores.csv").write_text("score\n2\n5\n7\n0\n10\n"),
            ["line 1 is 'score', expected", "holds 6 lines for 5 folders of cases (without 6), expected"],
        ),
        (
            lambda folder: (folder.parent / "swede_scores.csv").write_text("2\n5\n7\n0\n"),
            ["swede_scores.csv: holds 4 lines for 5 folders of cases, expected a line for each, as line 1 is"],
        ),
        (
            lambda folder: (folder.parent / "swede_scores.csv").unlink(),
            ["swede_scores.csv: cannot be opened", "expected a line with a score for each case; pull the clone again"],
        ),
        (
            lambda folder: folder.rename(folder.parent.parent / "elsewhere"),
            ["swede_scores.csv: holds 5 lines for 4 folders of cases (without 2), ", "say --allow-missing"],
        ),
    ],
    ids=["colour", "size", "no-annotation", "no-photograph", "no-aceto", "cut", "no-image", "case", "kind", "twice",
         "scores", "header", "count", "no-scores", "no-case"],
)  # fmt: skip
def test_each_bad_input_has_its_message_and_leaves_nothing_behind(release, tmp_path, spoil, messages):
    spoil(release / "dataset" / "Case 2")
    text = bad(release, tmp_path)
    assert "in 'release', nothing was written:" in text
    for message in messages:
        assert message in text, text


def test_all_problems_are_told_at_once(release, tmp_path):
    strange_colour(release / "dataset" / "Case 2")
    (release / "dataset" / "Case 4" / "C4Aceto (1).jpg").write_bytes(b"")
    (release / "dataset" / "Case 5" / "C5Aceto (1).png").unlink()
    (release / "dataset" / "swede_scores.csv").write_text("2\n5\n7\nx\n10\n")
    lines = bad(release, tmp_path).splitlines()
    assert lines[0] == "4 problems in 'release', nothing was written:" and len(lines) == 5
    assert [next(name for name in ("C5", "line 4", "C2", "C4") if name in line) for line in lines[1:]] == [
        "C5", "line 4", "C2", "C4",
    ]  # fmt: skip


def test_halves_and_cases_may_be_allowed_to_be_missing(release, tmp_path):
    (release / "dataset" / "Case 2" / "C2Aceto (1).png").unlink()
    (release / "dataset" / "Case 4").rename(release / "elsewhere")
    said = []
    target = import_annocerv(release, tmp_path / "set", allow_missing=True, say=said.append)
    table = pd.read_csv(target / "metadata.csv")
    assert table["case"].tolist() == ["case_001", "case_001", "case_003", "case_005"]
    assert table["swede_score"].tolist() == [2, 2, 7, 10]  # line n stays case n
    assert "1 photographs or annotations were left out: the other half is missing" in said
    assert "1 photographs or annotations without the other half" in (target / "dataset.json").read_text()


def test_sources_that_are_no_release_and_a_folder_that_exists(release, tmp_path):
    with pytest.raises(DataError, match="holds no folder 'Case 1', 'Case 2' …, in itself or in its folder dataset"):
        import_annocerv(tmp_path, tmp_path / "set")
    with pytest.raises(DataError, match="nowhere' is not a folder; name the clone of https://github.com/iclx/AnnoCerv"):
        import_annocerv(tmp_path / "nowhere", tmp_path / "set")
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match="set exists already under the target folder: remove it, or name another"):
        import_annocerv(release, tmp_path / "set", say=lambda _: None)
    assert list((tmp_path / "set").iterdir()) == []


def test_the_command_writes_to_the_data_folder_and_says_the_licence(release, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path / "data"))
    assert main(["data", "import", "annocerv", str(release)]) == 0
    text = capsys.readouterr().out
    assert "6 photographs" in text and "CC BY 4.0" in text and "Minciuna" in text
    assert main(["data", "check", str(tmp_path / "data" / "annocerv")]) == 0
