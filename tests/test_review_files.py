"""The files of a review: read whatever a spreadsheet made of them, and every fault named with file and row."""

from __future__ import annotations

from pathlib import Path

import pytest

from studylib.study.review_files import (
    COLUMNS,
    KEY_COLUMNS,
    ReviewError,
    read_key,
    read_rows,
    read_verdicts,
    write_rows,
)

SHEET = "s0123456789a"
ROWS = [
    ("image001", "A", "meaningful", "", ""),
    ("image001", "B", "out_of_region", "large polyp", 'said "no", twice; sure'),
    ("image002", "A", "bad_image", "", "größer, unscharf"),
    ("image002", "B", "bad_image", "", ""),
]


@pytest.fixture
def key(tmp_path) -> Path:
    path = tmp_path / "key.csv"
    methods = ["cam", "crm", "crm", "cam"]
    rows = [
        {"sheet": SHEET, "image": row[0], "side": row[1], "method": method, "name": f"w{row[0][-1]}.png", "group": ""}
        for row, method in zip(ROWS, methods, strict=True)
    ]
    write_rows(path, KEY_COLUMNS, rows)
    return path


def written(folder: Path, rows=ROWS, delimiter=",", end="\n", sheet=SHEET, header=COLUMNS) -> str:
    """The text of verdicts.csv; fields with a delimiter or quotes are quoted."""

    def field(text):
        return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',;"\t\n') else text

    return "".join(delimiter.join(map(field, row)) + end for row in [header, *[(*row, sheet) for row in rows]])


def read(path: Path, text: str | bytes, key: Path, **options):
    path = path / "verdicts.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_verdicts(path, read_key(key), **options)


def refused(path: Path, text: str | bytes, key: Path, **options) -> list[str]:
    with pytest.raises(ReviewError) as caught:
        read(path, text, key, **options)
    return caught.value.problems


@pytest.mark.parametrize(
    ("delimiter", "end", "encoding"),
    [
        (",", "\n", "utf-8"),
        (";", "\r\n", "utf-8-sig"),
        (";", "\r\n", "cp1252"),
        ("\t", "\r\n", "utf-16"),
        (",", "\r\n", "utf-8-sig"),
    ],
)
def test_a_spreadsheets_file_is_read_as_it_was(tmp_path, key, delimiter, end, encoding):
    table = read(tmp_path, written(tmp_path, delimiter=delimiter, end=end).encode(encoding), key)
    assert list(table.itertuples(index=False, name=None)) == ROWS


def test_what_else_a_spreadsheet_does(tmp_path, key):
    text = "sep=;\r\n" + written(tmp_path, delimiter=";", end="\r\n") + ";;;;;\r\n\r\n"  # empty rows at the end
    assert list(read(tmp_path, text, key)["verdict"]) == [row[2] for row in ROWS]
    columns = (5, 0, 2, 1, 3, 4)  # columns in another order, one more, another case
    moved = [[(*row, SHEET)[i] for i in columns] + ["seen"] for row in ROWS]
    header = [COLUMNS[i].upper() for i in columns] + ["Status"]
    lines = [header, *moved[::-1]]
    text = "\n".join(";".join(f'"{field.replace(chr(34), chr(34) * 2)}"' for field in line) for line in lines)
    assert list(read(tmp_path, text, key).itertuples(index=False, name=None)) == ROWS
    spoken = [("image001", "a", "Meaningful ", "", ""), ("image001", "b", "out of region", "", ""),
              ("image002", "A", "BAD-IMAGE", "", ""), ("image002", "B", "bad_image", "", "")]  # fmt: skip
    assert list(read(tmp_path, written(tmp_path, spoken), key)["verdict"]) == [row[2] for row in ROWS]


def test_a_line_break_inside_a_comment_is_no_new_row(tmp_path, key):
    rows = [(*ROWS[0][:4], "first\nsecond"), *ROWS[1:3], ("image002", "B", "good", "", "")]
    assert refused(tmp_path, written(tmp_path, rows), key) == [
        "verdicts.csv row 5: no verdict is called 'good' (known: meaningful, out_of_region, insufficient_coverage, "
        "wrong_label, bad_image)"
    ]


@pytest.mark.parametrize("text", ["image|side|verdict|reason|comment|sheet\n", "image,side,verdict\n", "\n"])
def test_a_file_whose_delimiter_cannot_be_told(tmp_path, key, text):
    (problem,) = refused(tmp_path, text, key)
    assert problem.startswith(
        "verdicts.csv row 1: the columns image, side, verdict, reason, comment, sheet are not there"
    )
    assert "comma or semicolon or tab" in problem and "save as CSV" in problem


def test_an_empty_a_missing_and_a_torn_file(tmp_path, key):
    assert refused(tmp_path, "", key) == ["verdicts.csv: the file is empty (0 bytes)"]
    with pytest.raises(ReviewError, match=r"nowhere.csv: cannot be opened \(No such file or directory\)"):
        read_rows(tmp_path / "nowhere.csv", COLUMNS)
    torn = written(tmp_path).rstrip("\n")[:-15]
    problems = refused(tmp_path, torn, key)
    assert problems[0] == f"verdicts.csv row 5: sheet '', the key's is '{SHEET}'; put it back" and len(problems) == 2
    wide = written(tmp_path).replace(f"meaningful,,,{SHEET}", f"meaningful,,yes, and no,{SHEET}")
    (problem,) = refused(tmp_path, wide, key)
    assert problem == 'verdicts.csv row 2: 7 fields, the header has 6; a comma inside a value needs "quotes" around it'
    twice = written(tmp_path, header=(*COLUMNS[:5], "sheet", "verdict"))
    assert refused(tmp_path, twice, key) == [
        "verdicts.csv row 1: column 'verdict' occurs twice; keep the one that is filled in"
    ]


def test_unknown_verdicts_name_the_nearest(tmp_path, key):
    rows = [("image001", "A", "meaningfull", "", ""), ("image001", "B", "out of regin", "", ""), *ROWS[2:]]
    assert refused(tmp_path, written(tmp_path, rows), key) == [
        "verdicts.csv row 2: no verdict is called 'meaningfull'; nearest: 'meaningful'",
        "verdicts.csv row 3: no verdict is called 'out of regin'; nearest: 'out_of_region'",
    ]


def test_missing_doubled_and_unknown_images_and_sides(tmp_path, key):
    rows = [ROWS[0], ROWS[0], ("image002", "C", "meaningful", "", ""), ("image02", "B", "meaningful", "", ""), ROWS[3]]
    assert refused(tmp_path, written(tmp_path, rows), key) == [
        "verdicts.csv row 3: image001, side A stands in row 2 already; keep one of them",
        "verdicts.csv row 4: the sheet has no image002, side C; sides are A and B",
        "verdicts.csv row 5: the sheet has no image02, side B; nearest: 'image002'",
        "verdicts.csv: image001, side B has no row; put it back",
        "verdicts.csv: image002, side A has no row; put it back",
    ]


def test_empty_verdicts_are_listed_or_counted(tmp_path, key):
    rows = [(*ROWS[0][:2], "", "", "later"), ROWS[1], (*ROWS[2][:2], " ", "", ""), ROWS[3]]
    (problem,) = refused(tmp_path, written(tmp_path, rows), key)
    assert problem.startswith("verdicts.csv: no verdict in rows 2, 4; fill them in") and "--allow-missing" in problem
    assert read(tmp_path, written(tmp_path, rows), key, allow_missing=True)["verdict"].tolist() == [
        "",
        "out_of_region",
        "",
        "bad_image",
    ]


def test_the_key_of_another_sheet(tmp_path, key):
    assert refused(tmp_path, written(tmp_path, sheet="sother"), key) == [
        f"verdicts.csv: belongs to sheet 'sother', the key to '{SHEET}'; give the key that was written with it"
    ]
    mixed = written(tmp_path) + "image002,B,meaningful,,,sother\n"
    assert refused(tmp_path, mixed, key) == [
        f"verdicts.csv row 6: sheet 'sother', the key's is '{SHEET}'; remove the rows of another sheet"
    ]


def test_many_faults_are_counted(tmp_path, key):
    rows = [*ROWS, *[("image009", "A", "meaningful", "", "")] * 30]
    problems = refused(tmp_path, written(tmp_path, rows), key)
    assert len(problems) == 21 and problems[-1] == "and 10 more problems like these"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("image002,B,cam", "image002,A,cam", "image002 has the sides A, A, expected A and B"),
        ("image002,B,cam", "image002,B,crm", "image002 has 'crm' on both sides"),
        ("image002,B,cam", "image002,B,lrp", "it has the methods cam, crm, lrp, expected two"),
        (f"{SHEET},image002,B", "sother,image002,B", f"it names several sheets ({SHEET}, sother)"),
    ],
)
def test_a_key_that_was_changed(key, old, new, said):
    key.write_text(key.read_text().replace(old, new))
    with pytest.raises(ReviewError) as caught:
        read_key(key)
    assert caught.value.problems == [f"key.csv: {said}; take the key as it was written"]


def test_verdicts_given_as_the_key(tmp_path):
    path = tmp_path / "verdicts.csv"
    path.write_text(written(tmp_path))
    with pytest.raises(ReviewError, match="row 1: the columns sheet, image, side, method, name, group are not there"):
        read_key(path)
