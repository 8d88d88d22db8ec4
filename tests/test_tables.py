"""Tables of releases of dermoscopic images: what is read by id, and a clear error for each bad row."""

from __future__ import annotations

import pytest

from studylib.data.dataset import DataError
from studylib.data.importers.tables import (
    Row,
    find_table,
    marked,
    needed_table,
    plain_id,
    read_table,
    without_partner,
)

TEXT = "image,MEL,NV\nISIC_0000001,1.0,0.0\nISIC_0000002_downsampled,0,1\n"


def read(path, text: str):
    path.write_text(text, encoding="utf-8")
    problems: list[str] = []
    return read_table(path, "image", ("image", "MEL"), problems), problems


def test_a_table_is_read_by_plain_id_with_its_rows(tmp_path):
    table, problems = read(tmp_path / "a.csv", TEXT)
    assert problems == [] and table.columns == ("image", "MEL", "NV")
    assert table.rows["ISIC_0000002"] == Row(
        "a.csv row 3", {"image": "ISIC_0000002_downsampled", "MEL": "0", "NV": "1"}
    )
    again, problems = read(tmp_path / "b.tab", "\ufeff" + TEXT.replace(",", "\t").replace("1.0", '"1.0"'))
    assert problems == [] and [row.fields for row in again.rows.values()] == [r.fields for r in table.rows.values()]


def test_ids_are_isic_and_seven_digits():
    assert plain_id("ISIC_0024306") == plain_id("ISIC_0024306_downsampled") == "ISIC_0024306"
    for text in ("ISIC_024306", "ISIC_0024306.jpg", "isic_0024306", "ISIC_00243061", "ISIC_002430\u0666", ""):
        assert plain_id(text) is None


def test_each_bad_row_is_told_and_left_out(tmp_path):
    text = TEXT + "ISIC_0000003,1\n\nISIC_1,0,1\nISIC_0000002,1,0\nISIC_0000004,0,1\n"
    table, problems = read(tmp_path / "a.csv", text)
    assert problems == [
        "a.csv row 4: has 2 fields, expected 3 as the header; download it again",
        "a.csv row 6: 'ISIC_1' is no image id, expected such as ISIC_0000000; correct or remove the row",
        "a.csv row 7: ISIC_0000002 was in row 3 already, expected once; remove one",
    ]
    assert list(table.rows) == ["ISIC_0000001", "ISIC_0000002", "ISIC_0000004"]
    assert table.rows["ISIC_0000002"].fields["NV"] == "1"  # the first row stays


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,NV\nISIC_0000001,1\n", "a.csv row 1: lacks the column MEL (found: image, NV), expected image, MEL"),
        ("image,MEL,MEL\nISIC_0000001,1,0\n", "a.csv row 1: has a column twice (found: image, MEL, MEL)"),
        ("image,MEL\n", "a.csv: has a header and no rows, expected one for each image; download it again"),
        ("", "a.csv: the file is empty (0 bytes); download it again"),
        ('image,MEL\nISIC_0000001,"1\n', "a.csv: is no table in UTF-8 text (unexpected end of data); download it"),
    ],
)
def test_what_is_no_such_table(tmp_path, text, message):
    with pytest.raises(DataError) as error:
        read(tmp_path / "a.csv", text)
    assert message in str(error.value)


def test_other_encodings_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("image,MEL\nISIC_0000001,é\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a.csv: is no table in UTF-8 text"):
        read_table(tmp_path / "a.csv", "image", ("image",), [])


def test_tables_are_found_by_name_without_ending(tmp_path):
    assert find_table(tmp_path, "Labels") is None
    with pytest.raises(DataError, match=r"holds no Labels.csv, expected it or below it; download the owner's table"):
        needed_table(tmp_path, "Labels")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "labels.TAB").write_text(TEXT)
    (tmp_path / "Labels_2.csv").write_text("another")
    (tmp_path / "Labels.csv").mkdir()  # some archives unpack into a folder of the file's name
    (tmp_path / "Labels.csv" / "Labels").write_text(TEXT)  # the same once more
    assert needed_table(tmp_path, "Labels") == tmp_path / "Labels.csv" / "Labels"
    (tmp_path / "deep" / "labels.TAB").write_text(TEXT + "ISIC_0000003,1,0\n")
    with pytest.raises(DataError, match=r"Labels.csv/Labels and deep/labels.TAB: two tables of one name that differ"):
        find_table(tmp_path, "Labels")


def test_columns_that_hold_one():
    row = Row("a.csv row 2", {"MEL": "1.0", "NV": "0", "SK": "1", "BCC": "2"})
    assert marked(row, ("MEL", "NV", "SK")) == ["MEL", "SK"] and marked(row, ("NV",)) == []
    with pytest.raises(DataError, match=r"a.csv row 2: BCC is '2', expected 0 or 1; take the owner's table"):
        marked(row, ("MEL", "BCC"))


def test_rows_without_a_partner(tmp_path):
    first, _ = read(tmp_path / "a.csv", TEXT)
    second, _ = read(tmp_path / "b.csv", "image,MEL\nISIC_0000002,1\nISIC_0000009,1\n")
    assert without_partner(second, first, "diagnoses") == [
        "b.csv row 3: ISIC_0000009 has no row in the table of diagnoses, expected one; take both tables from one "
        "release"
    ]
    assert without_partner(first, first, "diagnoses") == []
