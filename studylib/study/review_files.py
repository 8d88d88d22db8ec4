"""The files of a review: verdicts.csv, which a reader fills in, and the key, which says what A and B were. Read
whatever a spreadsheet made of them; every fault is named with file and row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from studylib.data.images import DataError, read_bytes
from studylib.data.validation import nearest
from studylib.study.misplacement import VERDICTS

SIDES = ("A", "B")
COLUMNS = ("image", "side", "verdict", "reason", "comment", "sheet")  # of verdicts.csv
KEY_COLUMNS = ("sheet", "image", "side", "method", "name", "group")
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
SHOWN = 20  # problems of one file; the rest are counted

Row = tuple[int, dict[str, str]]  # number in the file, the header being row 1, and its fields


class ReviewError(DataError):
    """A review that cannot be written or read; the message lists each problem with its file and row."""

    def __init__(self, problems: str | list[str]) -> None:
        listed = [problems] if isinstance(problems, str) else list(problems)
        more = len(listed) - SHOWN
        super().__init__(listed[:SHOWN] + ([f"and {more} more problems like these"] if more > 0 else []))


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    """Write a table as UTF-8 with commas."""
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path, needed: Sequence[str]) -> list[Row]:
    """Rows of a table with commas, semicolons or tabs, in UTF-8 (with or without a mark), UTF-16 or Windows-1252; empty
    rows are passed over. Raises ReviewError where no delimiter gives the needed columns, or a row has too many fields.
    """
    try:
        text = _decoded(read_bytes(path))
    except DataError as error:
        raise ReviewError(f"{path.name}: {error}") from None
    first = 1
    if re.match(r'"?sep=.', text):  # a line that some spreadsheets put before the header
        text, first = text.partition("\n")[2], 2
    delimiter, header = _header(text, path.name, needed)
    found, problems = [], []
    try:
        for number, fields in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), first):
            if number == first or not any(field.strip() for field in fields):
                continue
            if any(field.strip() for field in fields[len(header) :]):
                problems.append(
                    f"{path.name} row {number}: {len(fields)} fields, the header has {len(header)}; a "
                    f'{DELIMITERS[delimiter]} inside a value needs "quotes" around it'
                )
                continue
            fields = [field.strip() for field in fields] + [""] * (len(header) - len(fields))
            found.append((number, dict(zip(header, fields, strict=False))))
    except csv.Error as error:
        problems.append(f"{path.name}: no table ({error}); save it again as CSV")
    if problems:
        raise ReviewError(problems)
    return found


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # only comments and reasons hold other letters


def _header(text: str, name: str, needed: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter that gives the needed columns, and the columns."""
    for delimiter in DELIMITERS:
        try:
            fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        except csv.Error:
            continue
        header = [field.strip().lower() for field in fields]
        if set(needed) <= set(header):
            if twice := sorted({column for column in header if column and header.count(column) > 1}):
                raise ReviewError(f"{name} row 1: column '{twice[0]}' occurs twice; keep the one that is filled in")
            return delimiter, header
    shown = (text.splitlines() or [""])[0][:80]
    raise ReviewError(
        f"{name} row 1: the columns {', '.join(needed)} are not there with {' or '.join(DELIMITERS.values())} between "
        f"them (found: {shown or 'nothing'}); keep the header as it was and save as CSV"
    )


def read_key(path: str | Path) -> pd.DataFrame:
    """The key, a row an image and side, in the sheet's order; columns KEY_COLUMNS. Raises ReviewError for a file that
    is no key: several sheets, a side twice or missing, other than two methods, one method on both sides.
    """
    path = Path(path)
    rows = read_rows(path, KEY_COLUMNS)
    table = pd.DataFrame([fields for _, fields in rows], columns=list(KEY_COLUMNS))
    problems = []
    if not rows:
        problems.append("it has no rows")
    if table["sheet"].nunique() > 1:
        problems.append(f"it names several sheets ({', '.join(sorted(set(table['sheet'])))})")
    for image, some in table.groupby("image", sort=False):
        if sorted(some["side"]) != list(SIDES):
            problems.append(f"{image} has the sides {', '.join(some['side'])}, expected A and B")
        elif some["method"].nunique() != 2:
            problems.append(f"{image} has '{some['method'].iloc[0]}' on both sides")
    if rows and table["method"].nunique() != 2:
        problems.append(f"it has the methods {', '.join(sorted(set(table['method'])))}, expected two")
    if problems:
        raise ReviewError([f"{path.name}: {what}; take the key as it was written" for what in problems])
    return table


def read_verdicts(path: str | Path, key: pd.DataFrame, allow_missing: bool = False) -> pd.DataFrame:
    """What a reader said, in the key's order: image, side, verdict ("" where none was given and allow_missing), reason,
    comment. Raises ReviewError listing rows of another sheet, images or sides that are unknown, doubled or missing,
    unknown verdicts and, unless allow_missing, rows without a verdict.
    """
    path = Path(path)
    rows = read_rows(path, COLUMNS)
    sheet, places = key["sheet"].iloc[0], list(zip(key["image"], key["side"], strict=True))
    others = sorted({fields["sheet"] for _, fields in rows} - {sheet})
    if others and not any(fields["sheet"] == sheet for _, fields in rows):
        raise ReviewError(
            f"{path.name}: belongs to sheet '{others[0]}', the key to '{sheet}'; give the key that was written with it"
        )
    known, seen, found, empty, problems = set(places), {}, {}, [], []
    for number, fields in rows:
        here = f"{path.name} row {number}"
        if fields["sheet"] != sheet:
            other = "remove the rows of another sheet" if fields["sheet"] else "put it back"
            problems.append(f"{here}: sheet '{fields['sheet']}', the key's is '{sheet}'; {other}")
            continue
        place = (fields["image"], fields["side"].upper())
        if place not in known:
            problems.append(f"{here}: the sheet has no {_place(place)}{_nearest_place(place, places)}")
            continue
        if place in seen:
            problems.append(f"{here}: {_place(place)} stands in row {seen[place]} already; keep one of them")
            continue
        seen[place] = number
        verdict = re.sub(r"[\s-]+", "_", fields["verdict"]).lower()
        if not verdict:
            empty.append(number)
        elif verdict not in VERDICTS:
            near = nearest(verdict, tuple(VERDICTS)) or f" (known: {', '.join(VERDICTS)})"
            problems.append(f"{here}: no verdict is called '{fields['verdict']}'{near}")
        found[place] = {"verdict": verdict, "reason": fields["reason"], "comment": fields["comment"]}
    if missing := [place for place in places if place not in seen]:
        problems += [f"{path.name}: {_place(place)} has no row; put it back" for place in missing]
    if empty and not allow_missing:
        problems.append(
            f"{path.name}: no verdict in row{'s' if len(empty) > 1 else ''} {', '.join(map(str, empty))}; fill them in,"
            " or allow missing verdicts (--allow-missing), which are counted"
        )
    if problems:
        raise ReviewError(problems)
    return pd.DataFrame([{"image": image, "side": side} | found[image, side] for image, side in places])


def _place(place: tuple[str, str]) -> str:
    return f"{place[0] or 'image without a name'}, side {place[1] or 'without a name'}"


def _nearest_place(place: tuple[str, str], places: list[tuple[str, str]]) -> str:
    images = list(dict.fromkeys(image for image, _ in places))
    return "; sides are A and B" if place[0] in images else nearest(place[0], images)
