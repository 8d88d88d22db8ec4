"""Tables of a release of dermoscopic images: found by name, read as text by image id, with what is wrong in a row."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studylib.data.dataset import DataError
from studylib.data.images import read_bytes

ID = re.compile(r"(ISIC_\d{7})(_downsampled)?", re.ASCII)


@dataclass(frozen=True)
class Row:
    """A record: `where` names its file and row (row 1 is the header), `fields` are its values as text by column."""

    where: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table's columns, and its rows by image id without the suffix _downsampled."""

    columns: tuple[str, ...]
    rows: dict[str, Row]


def plain_id(text: str) -> str | None:
    """Return an image id without the suffix _downsampled, as masks and other releases have it; None for other text."""
    found = ID.fullmatch(text)
    return found[1] if found else None


def find_table(source: Path, name: str) -> Path | None:
    """Find a table below `source` by its name without ending (.csv, .tab or none), whatever its case; None for none.

    Raises DataError where two files of that name differ.
    """
    wanted = re.compile(rf"{re.escape(name)}(\.csv|\.tab)?", re.IGNORECASE)
    found = sorted(path for path in source.rglob("*") if wanted.fullmatch(path.name) and path.is_file())
    for other in found[1:]:
        if read_bytes(other) != read_bytes(found[0]):
            here, there = (path.relative_to(source).as_posix() for path in (found[0], other))
            raise DataError(f"{here} and {there}: two tables of one name that differ, expected one; remove one")
    return found[0] if found else None


def needed_table(source: Path, name: str) -> Path:
    """Find a table as `find_table` does; DataError says what to download where there is none."""
    path = find_table(source, name)
    if path is None:
        raise DataError(f"'{source}' holds no {name}.csv, expected it or below it; download the owner's table there")
    return path


def read_table(path: Path, key: str, needed: Sequence[str], problems: list[str]) -> Table:
    """Read a table with commas or tabs, whose column `key` holds image ids; what is wrong is added to `problems`.

    Rows with another number of fields than the header, an id that is none, or an id that was there before are left
    out. Raises DataError where it is no such table at all: not UTF-8, columns missing or twice, no rows.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
        mark = "\t" if "\t" in text.partition("\n")[0] else ","
        lines = list(csv.reader(text.splitlines(), delimiter=mark, strict=True))
    except DataError as error:
        raise DataError(f"{path.name}: {error}; download it again") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name}: is no table in UTF-8 text ({error}); download it again") from None
    header = [name.strip() for name in lines[0]] if lines else []
    lacking = [name for name in needed if name not in header]
    if lacking or len(set(header)) < len(header):
        what = f"lacks the column {', '.join(lacking)}" if lacking else "has a column twice"
        raise DataError(
            f"{path.name} row 1: {what} (found: {', '.join(header) or 'nothing'}), expected {', '.join(needed)}; take "
            "the owner's table, not one made from it"
        )
    rows: dict[str, Row] = {}
    for line, values in enumerate(lines[1:], 2):
        if not values:
            continue
        where = f"{path.name} row {line}"
        if len(values) != len(header):
            problems.append(
                f"{where}: has {len(values)} fields, expected {len(header)} as the header; download it again"
            )
            continue
        row = Row(where, dict(zip(header, (value.strip() for value in values), strict=True)))
        image = plain_id(row.fields[key])
        if image is None:
            problems.append(
                f"{where}: '{row.fields[key]}' is no image id, expected such as ISIC_0000000; correct or remove the row"
            )
        elif (first := rows.setdefault(image, row)) is not row:
            problems.append(f"{where}: {image} was in row {first.where.split()[-1]} already, expected once; remove one")
    if len(lines) < 2:
        raise DataError(f"{path.name}: has a header and no rows, expected one for each image; download it again")
    return Table(tuple(header), rows)


def marked(row: Row, columns: Sequence[str]) -> list[str]:
    """List the columns of a row that hold 1, the others holding 0; DataError for any other value."""
    values = {}
    for name in columns:
        if row.fields[name] not in ("0", "1", "0.0", "1.0"):
            raise DataError(f"{row.where}: {name} is '{row.fields[name]}', expected 0 or 1; take the owner's table")
        values[name] = row.fields[name][0] == "1"
    return [name for name, one in values.items() if one]


def without_partner(table: Table, other: Table, kind: str) -> list[str]:
    """List, as problems, the rows of a table whose image has no row in the other table, which is of the given kind."""
    return [
        f"{row.where}: {image} has no row in the table of {kind}, expected one; take both tables from one release"
        for image, row in table.rows.items()
        if image not in other.rows
    ]
