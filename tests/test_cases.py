"""The folders of AnnoCerv: pairs of files in order of their numbers, and scores by line."""

from __future__ import annotations

import pytest

from studylib.data.dataset import DataError
from studylib.data.importers.cases import cases_of, find_cases, find_photographs, read_scores


def write(folder, *names) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


def test_photographs_come_in_order_of_numbers_and_other_kinds_are_counted(tmp_path):
    write(tmp_path / "Case 10", "C10Aceto (1).jpg", "C10Aceto (1).png", "C10Green (1).jpg", "notes.txt")
    write(tmp_path / "Case 2", *(f"C2Aceto ({n}).{end}" for n in (10, 9) for end in ("png", "JPG")), "C2Iod(1).jpeg")
    (tmp_path / "Case x").mkdir()
    folder = find_cases(tmp_path)
    assert list(cases_of(folder)) == [2, 10]
    photographs, unused, problems, left_out = find_photographs(folder)
    assert [(one.case, one.number) for one in photographs] == [(2, 9), (2, 10), (10, 1)]
    assert photographs[0].shown == "Case 2/C2Aceto (9).JPG"
    assert photographs[1].annotation == tmp_path / "Case 2" / "C2Aceto (10).png"
    assert unused == {"iodine": 1, "green-filter": 1} and problems == [] and left_out == 0


def test_nothing_left_is_a_problem_even_where_halves_may_be_missing(tmp_path):
    write(tmp_path / "Case 1", "C1Aceto (1).jpg")
    photographs, _, problems, left_out = find_photographs(tmp_path, allow_missing=True)
    assert photographs == [] and left_out == 1
    assert problems == ["no case holds a photograph with its annotation; pull the clone again"]


def test_scores_are_of_the_case_whose_number_is_the_line(tmp_path):
    path = tmp_path / "swede_scores.csv"
    path.write_bytes("\ufeff4\r\n 10 \r\n0\r\n\r\n".encode())
    cases = {1: tmp_path, 2: tmp_path, 3: tmp_path}
    assert read_scores(path, cases) == {1: 4, 2: 10, 3: 0}
    with pytest.raises(DataError, match=r"3 lines for 2 folders of cases \(without 2\), .* or say --allow-missing"):
        read_scores(path, {1: tmp_path, 3: tmp_path})
    assert read_scores(path, {1: tmp_path, 3: tmp_path}, allow_missing=True)[3] == 0
    with pytest.raises(DataError, match=r"3 lines for 3 folders of cases \(without 3\), .* pull the clone again$"):
        read_scores(path, {1: tmp_path, 2: tmp_path, 4: tmp_path}, allow_missing=True)
    path.write_text("4\n-1\n2.5\n")
    with pytest.raises(DataError) as error:
        read_scores(path, cases)
    assert [text.split(",")[0] for text in error.value.problems] == [
        "swede_scores.csv: line 2 is '-1'",
        "swede_scores.csv: line 3 is '2.5'",
    ]
