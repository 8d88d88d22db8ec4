"""Boxes as competitors published them: which picture each is of, where it lies, and what is refused."""

from __future__ import annotations

import json

import pytest

from studylib.data.dataset import DataError
from studylib.data.importers.boxes import Box, read_boxes, set_of


def rect(kind, *numbers, **more) -> dict:
    return {"class": kind, "type": "rect"} | dict(zip(("x", "y", "width", "height"), numbers, strict=True)) | more


def write(path, *entries) -> None:
    path.write_text(json.dumps([{"class": "image", "filename": name, "annotations": drawn} for name, drawn in entries]))


def box(left=10.0, top=20.0, width=30.0, height=40.0, filename="Type_2/7.jpg", file="a.json") -> Box:
    return Box(file, filename, "os", left, top, width, height)


def test_boxes_are_read_and_other_annotations_counted(tmp_path):
    path = tmp_path / "a.json"
    flag = {"class": "to_remove", "type": "point", "x": 1, "y": 2}
    others = [flag, {"class": "cervix", "type": "polygon", "xn": "1;2"}]
    untyped = {key: value for key, value in rect("cervix", 0.5, 1, 20, 30).items() if key != "type"}
    write(path, ("../input/train/Type_1/0.jpg", [rect("os", 1, 2, 3, 4), untyped, *others]), ("1.jpg", []))
    boxes, counted = read_boxes(path, "a.json")
    assert boxes == [
        Box("a.json", "../input/train/Type_1/0.jpg", "os", 1, 2, 3, 4),
        Box("a.json", "../input/train/Type_1/0.jpg", "cervix", 0.5, 1, 20, 30),
    ]
    assert counted == {"to_remove (point)": 1, "cervix (polygon)": 1}


@pytest.mark.parametrize(
    ("filename", "file", "expected"),
    [
        ("../input/additional/Type_3/12.jpg", "a.json", ("12", "Type_3", "additional")),
        ("Type_1\\007.jpg", "Type_2_bbox.json", ("007", "Type_1", "")),
        ("5.jpg", "boxes/Type_2_bbox.json", ("5", "Type_2", "")),
        ("5.jpg", "all.json", ("5", "", "")),
    ],
)
def test_number_type_and_set_of_a_picture(filename, file, expected):
    one = box(filename=filename, file=file)
    assert (one.picture, one.folder, one.of_set) == expected


def test_sets_are_named_by_the_innermost_folder_that_begins_with_one():
    assert set_of(["train", "Additional_Type_1_v2"]) == "additional" and set_of(["latest"]) == ""
    assert set_of(["kaggle-train_1"]) == "train" and set_of([]) == ""


def test_boxes_are_cut_at_the_sides_of_the_picture():
    assert box().within(100, 100) == (10, 20, 40, 60)
    assert box(-8, -4, 112, 104).within(100, 100) == (0, 0, 100, 100)  # 8 left, 4 above, 4 right, none below


@pytest.mark.parametrize("numbers", [(-8.1, 0, 50, 50), (0, -8.1, 50, 50), (60, 0, 48.1, 9), (0, 60, 9, 48.1)])
def test_boxes_that_pass_a_side_by_more_are_refused(numbers):
    with pytest.raises(DataError) as error:
        box(*numbers).within(100, 100)
    shown = "x {:g}, y {:g}, width {:g}, height {:g}".format(*numbers)
    assert f"a.json: Type_2/7.jpg: the os box ({shown}) lies outside its picture of 100 x 100 p" in str(error.value)
    assert "expected inside, or past a side by 8% of it at most; is it of this picture, in its own" in str(error.value)


def test_a_box_with_nothing_inside_is_refused():
    with pytest.raises(DataError, match=r"the os box \(x 101, y 0, width 5, height 9\) lies outside its picture of"):
        box(101, 0, 5, 9).within(100, 100)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("{", ["a.json: is not JSON (", 'expected a list of {"filename", "annotations"', "download it again"]),
        ('{"a": 1}', ["a.json: holds dict, expected a list of {", "move other files elsewhere"]),
        ("", ["a.json: the file is empty (0 bytes), expected a list of {"]),
        ('[{"annotations": []}, 5]', ["a.json: entry 1 is not as", "a.json: entry 2 is not as expected"]),
        ('[{"filename": "1.jpg", "annotations": {}}]', ["a.json: entry 1 is not as expected"]),
    ],
)
def test_files_that_are_no_list_of_boxes(tmp_path, text, messages):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError) as error:
        read_boxes(tmp_path / "a.json", "a.json")
    for message in messages:
        assert message in "\n".join(error.value.problems), error.value


def test_empty_boxes_and_boxes_without_numbers_are_told_at_once(tmp_path):
    drawn = [rect("os", 1, 2, 0, 4), rect("cervix", 1, 2, 3, -4)]
    drawn += [rect("os", "1", 2, 3, None), rect("os", True, 1, 2, 3)]
    write(tmp_path / "a.json", ("Type_1/3.jpg", drawn))
    with pytest.raises(DataError) as error:
        read_boxes(tmp_path / "a.json", "a.json")
    assert error.value.problems == [
        "a.json: Type_1/3.jpg: the os box (x 1, y 2, width 0, height 4) is empty, expected width and height above 0; "
        "correct it or remove it",
        "a.json: Type_1/3.jpg: the cervix box (x 1, y 2, width 3, height -4) is empty, expected width and height above "
        "0; correct it or remove it",
        "a.json: Type_1/3.jpg: the os box has x, y, width, height ['1', 2, 3, None], expected four numbers; correct it "
        "or remove it",
        "a.json: Type_1/3.jpg: the os box has x, y, width, height [True, 1, 2, 3], expected four numbers; correct it "
        "or remove it",
    ]
