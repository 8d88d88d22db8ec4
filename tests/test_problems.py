"""What is wrong with a release of pictures in class folders: how it is found and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studylib.data.dataset import DataError
from studylib.data.importers.problems import class_folders, noted, read_picture, told


def test_twenty_problems_are_told_and_the_rest_is_counted():
    assert told(["a.bmp: torn"], Path("in/release")) == "1 problem in 'release', nothing was written:\n  a.bmp: torn"
    lines = told([f"{number}.bmp: torn" for number in range(23)], Path("release")).splitlines()
    assert lines[0] == "23 problems in 'release', nothing was written:"
    assert lines[1] == "  0.bmp: torn" and lines[20] == "  19.bmp: torn" and lines[21:] == ["  and 3 more"]


def test_noted_collects_every_problem_and_lets_other_errors_through():
    problems = ["first"]
    with noted(problems):
        raise DataError(["second", "third"])
    with noted(problems):
        problems.append("fourth")
    assert problems == ["first", "second", "third", "fourth"]
    with pytest.raises(KeyError), noted(problems):
        raise KeyError("no problem of the data")


def test_class_folders_are_found_below_in_the_order_of_the_classes(tmp_path):
    for path in ("deep/er/b", "a/a/CROPPED", "other"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "other" / "c").write_text("a file is no class folder")
    folders, problems = class_folders(tmp_path, ("b", "a"))
    assert list(folders.items()) == [("b", tmp_path / "deep/er/b"), ("a", tmp_path / "a")] and problems == []
    (tmp_path / "other" / "a").mkdir()
    folders, problems = class_folders(tmp_path, ("a", "b", "c"))
    assert problems == [
        "a: is there twice, as a/ and other/a/, expected once; remove one",
        f"c: the class folder is missing, expected below '{tmp_path.name}'; unpack all of the owner's archives there",
    ]


def test_a_source_that_is_no_release(tmp_path):
    with pytest.raises(DataError, match="nowhere' is not a folder; name the one into which"):
        class_folders(tmp_path / "nowhere", ("a", "b"))
    with pytest.raises(DataError, match="holds no class folder, expected a, b below it: unpack the owner's archive"):
        class_folders(tmp_path, ("a", "b"))


def test_pictures_keep_their_values_and_have_eight_pixels_a_side(tmp_path):
    values = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    Image.fromarray(values).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.bmp", "class/a.bmp"), values)
    Image.fromarray(values[:7]).save(tmp_path / "b.bmp")
    with pytest.raises(DataError, match="^class/b.bmp: is 9 x 7 pixels, expected 8 or more on each side; download"):
        read_picture(tmp_path / "b.bmp", "class/b.bmp")
    (tmp_path / "c.bmp").write_bytes((tmp_path / "a.bmp").read_bytes()[:100])
    with pytest.raises(DataError, match="^class/c.bmp: is truncated or damaged .*, expected a whole picture; download"):
        read_picture(tmp_path / "c.bmp", "class/c.bmp")
    with pytest.raises(DataError, match="^class/d.bmp: cannot be opened .*; download it again"):
        read_picture(tmp_path / "d.bmp", "class/d.bmp")
