"""From folders of classes to the layout, and what is said of a set before it is used."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.__main__ import main
from studylib.data.dataset import DataError, load_dataset
from studylib.data.from_folders import lay_out
from studylib.data.inspection import inspection


def picture(path, seed, side=24):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)).save(path)


@pytest.fixture
def source(tmp_path):
    for person in range(4):
        for number in range(2):
            picture(
                tmp_path / "mine" / ("sick" if person % 2 else "well") / f"P{person}_{number}.png", 10 * person + number
            )
    mask = np.zeros((24, 24), np.uint8)
    mask[:6, :12] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "P1_0.bmp")
    return tmp_path / "mine"


def quiet(line):
    return None


def test_classes_groups_and_masks_by_hand(source, tmp_path):
    lay_out(source, tmp_path / "set", masks=tmp_path / "masks", group_pattern="^(P[0-9])_", region="ulcer", say=quiet)
    dataset = load_dataset(tmp_path / "set")
    assert dataset.classes == ["sick", "well"] and dataset.regions[1] == "ulcer"
    assert sorted(set(dataset.groups())) == ["P0", "P1", "P2", "P3"] and len(dataset) == 8
    with_mask = dataset.table[dataset.table["mask_file"] != ""]
    assert with_mask["image"].tolist() == ["images/sick_P1_0.png"]
    assert dataset.mask(int(with_mask.index[0])).mean() == pytest.approx(6 * 12 / 24**2)
    assert len(list(source.rglob("*.png"))) == 8  # copied, not moved


def test_folders_of_parts_become_the_split(source, tmp_path):
    (tmp_path / "parted").mkdir()
    source.rename(tmp_path / "parted" / "Training")
    picture(tmp_path / "parted" / "test" / "well" / "X.png", 99)
    picture(tmp_path / "parted" / "test" / "sick" / "X.png", 98)
    said = []
    lay_out(tmp_path / "parted", tmp_path / "set", say=said.append)
    table = pd.read_csv(tmp_path / "set" / "metadata.csv")
    assert table["split"].value_counts().to_dict() == {"train": 8, "test": 2}
    assert "every image is a group of its own" in said[-1]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("P[0-9]", r"has no \(…\)"), ("([", "is no regular expression"), ("^(Q)_", "finds no group in this name")],
)
def test_a_pattern_that_fits_nothing_is_named_and_nothing_is_left(source, tmp_path, pattern, message):
    with pytest.raises(DataError, match=message):
        lay_out(source, tmp_path / "set", group_pattern=pattern, say=quiet)
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob(".set*"))


def test_what_is_no_folder_of_classes_is_refused(source, tmp_path):
    picture(tmp_path / "one" / "well" / "a.png", 1)
    with pytest.raises(DataError, match="1 folders with images; expected one folder a class"):
        lay_out(tmp_path / "one", tmp_path / "set", say=quiet)
    with pytest.raises(DataError, match="there is no such folder"):
        lay_out(tmp_path / "absent", tmp_path / "set", say=quiet)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is there and not empty"):
        lay_out(source, tmp_path / "set", say=quiet)
    (source / "well" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="broken"):
        lay_out(source, tmp_path / "new", say=quiet)
    assert not (tmp_path / "new").exists()


def test_check_says_what_a_person_wants_to_know(source, tmp_path, capsys):
    picture(source / "well" / "P9_0.png", 10)  # the same pixels as P1_0, another person and class
    assert main(["data", "layout", str(source), "--to", str(tmp_path / "set"), "--group-pattern", "^(P[0-9])_"]) == 0
    assert "next: python -m studylib data check" in capsys.readouterr().out
    assert main(["data", "check", str(tmp_path / "set")]) == 0
    text = capsys.readouterr().out
    assert "set: 9 images, 5 groups (group)" in text and "  well" in text
    assert "no column `split`" in text and "masks: none" in text
    assert "mind: fewer than 10 groups in sick, well" in text
    assert "mind: 1 files stand in two groups or more, byte by byte" in text
    assert "mind: 1 pairs of images look alike across groups" in text
    assert text.rstrip().splitlines()[-1].startswith("next: python -m studylib audit --data set")


def test_check_counts_parts_that_a_group_stands_in_twice(source, tmp_path):
    lay_out(source, tmp_path / "set", masks=tmp_path / "masks", group_pattern="^(P[0-9])_", say=quiet)
    table = pd.read_csv(tmp_path / "set" / "metadata.csv", dtype=str, keep_default_na=False)
    table.assign(split=["train", "test"] * 4).to_csv(tmp_path / "set" / "metadata.csv", index=False)
    info = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert info["one_label_per_group"] is True
    text = inspection(load_dataset(tmp_path / "set"))
    assert "parts: train 4, test 4; 4 groups stand in more than one part" in text
    assert "masks: 1 images; object covers 12.5% of the picture in the median" in text
