"""The folders of AnnoCerv: which photographs, annotations and Swede scores a clone holds, and what is missing in it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from studylib.data.images import DataError, read_bytes

NAME = re.compile(r"C(\d+)\s*(Aceto|Iod|Green)\s*\((\d+)\)\.(jpe?g|png)", re.ASCII | re.IGNORECASE)
PICTURES = (".jpg", ".jpeg", ".png")
UNUSED = {"iod": "iodine", "green": "green-filter"}


@dataclass(frozen=True)
class Photograph:
    """A photograph after acetic acid and its annotation; `shown` is its path from the folder of cases."""

    case: int
    number: int
    picture: Path
    annotation: Path

    @property
    def shown(self) -> str:
        """The photograph's path from the folder that holds the cases."""
        return f"{self.picture.parent.name}/{self.picture.name}"


def find_cases(source: Path) -> Path:
    """Return the folder that holds 'Case 1', 'Case 2' …: `source` or its folder dataset. DataError for neither."""
    if not source.is_dir():
        raise DataError(f"'{source}' is not a folder; name the clone of https://github.com/iclx/AnnoCerv")
    for folder in (source, source / "dataset"):
        if folder.is_dir() and cases_of(folder):
            return folder
    raise DataError(
        f"'{source}' holds no folder 'Case 1', 'Case 2' …, in itself or in its folder dataset: name the clone of "
        "https://github.com/iclx/AnnoCerv"
    )


def cases_of(folder: Path) -> dict[int, Path]:
    """The folders of cases in a folder by number, in order."""
    found = {}
    for path in folder.iterdir():
        if path.is_dir() and (match := re.fullmatch(r"Case\s*(\d+)", path.name, re.ASCII | re.IGNORECASE)):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def find_photographs(folder: Path, allow_missing: bool = False) -> tuple[list[Photograph], Counter, list[str], int]:
    """Return the photographs after acetic acid by case and number, the pictures of other kinds by kind, what is wrong
    with names and halves, and how many halves were left out as that is allowed.
    """
    photographs: list[Photograph] = []
    unused: Counter = Counter()
    problems: list[str] = []
    left_out = 0
    for case, path in cases_of(folder).items():
        halves: dict[int, dict[bool, Path]] = {}
        for file in sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES):
            match = NAME.fullmatch(file.name)
            if not match or int(match[1]) != case:
                problems.append(
                    f"{path.name}/{file.name}: its name is not that of a picture of case {case}, expected such as "
                    f"C{case}Aceto (1).jpg; give it the owners' name, or remove it"
                )
            elif (kind := match[2].lower()) != "aceto":
                unused[UNUSED[kind]] += 1
            else:
                both, drawn = halves.setdefault(int(match[3]), {}), match[4].lower() == "png"
                if drawn in both:
                    problems.append(
                        f"{path.name}/{file.name}: is there twice, also as {both[drawn].name}, expected once; remove "
                        "one"
                    )
                both[drawn] = file
        whole = [Photograph(case, n, both[False], both[True]) for n, both in sorted(halves.items()) if len(both) == 2]
        for both in (both for both in halves.values() if len(both) == 1):
            (drawn, file), left_out = next(iter(both.items())), left_out + 1
            if not allow_missing:
                lacks = "photograph" if drawn else "annotation"
                other = file.with_suffix(".jpg" if drawn else ".png").name
                problems.append(
                    f"{path.name}/{file.name}: has no {lacks}, expected {other} beside it; pull the clone again, or "
                    "say --allow-missing"
                )
        if not halves and not allow_missing:
            problems.append(
                f"{path.name}: holds no photograph after acetic acid, expected C{case}Aceto (1).jpg with "
                f"C{case}Aceto (1).png; pull the clone again, or say --allow-missing"
            )
        photographs += whole
    if not photographs and not problems:
        problems.append("no case holds a photograph with its annotation; pull the clone again")
    return photographs, unused, problems, left_out


def read_scores(path: Path, cases: dict[int, Path], allow_missing: bool = False) -> dict[int, int]:
    """Read the Swede score of each case, whose number is that of its line. Cases may be missing where that is allowed.

    Raises DataError with every line that is not a whole number from 0 to 10, and where lines and cases do not fit.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig", "replace")
    except DataError as error:
        text = f"{path.name}: {error}, expected a line with a score for each case; pull the clone again"
        raise DataError(text) from None
    lines = [line.strip() for line in text.rstrip().splitlines()]
    problems = [
        f"{path.name}: line {number} is '{line[:40]}', expected the Swede score of case {number}, a whole number from "
        "0 to 10; pull the clone again"
        for number, line in enumerate(lines, 1)
        if not (re.fullmatch(r"\d+", line, re.ASCII) and int(line) <= 10)
    ]
    absent = sorted(set(range(1, max(*cases, len(lines)) + 1)) - set(cases))
    short = len(lines) < max(cases)
    if short or (absent and not allow_missing):
        without = f" (without {', '.join(map(str, absent[:10]))})" if absent else ""
        problems.append(
            f"{path.name}: holds {len(lines)} lines for {len(cases)} folders of cases{without}, expected a line for "
            "each, as line 1 is case 1; pull the clone again" + ("" if short else ", or say --allow-missing")
        )
    if problems:
        raise DataError(problems)
    return {number: int(line) for number, line in enumerate(lines, 1)}
