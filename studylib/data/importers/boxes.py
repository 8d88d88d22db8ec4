"""Boxes around cervix and os that competitors drew on the Intel & MobileODT pictures and published as JSON: a list of
{"filename", "annotations": [{"class", "x", "y", "width", "height"}]}, in pixels of the picture as released.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from studylib.data.images import DataError, read_bytes

KINDS = ("cervix", "os")
SETS = ("additional", "train", "test")  # Kaggle's, each with its own numbers: 5.jpg of one is not 5.jpg of another
BEYOND = 0.08  # of a side that a box may pass it by: of 4,403 published ones, drawn by hand, some begin at -160 pixels
# and some end 172 below a picture 4,128 pixels high
LAYOUT = 'a list of {"filename", "annotations": [{"class", "x", "y", "width", "height"}]}'


@dataclass(frozen=True)
class Box:
    """A box as written: left, top, width and height in pixels; `shown` says where: file, picture, kind, numbers."""

    file: str
    filename: str
    kind: str
    left: float
    top: float
    width: float
    height: float

    @property
    def picture(self) -> str:
        """The number of its picture, as text; anything else where the name is not such a number."""
        return Path(_parts(self.filename)[-1]).stem

    @property
    def folder(self) -> str:
        """The class folder that its picture's name, or else the JSON file's, says: Type_1, or "" where neither does."""
        named = [part for part in _parts(self.filename)[:-1] if re.fullmatch(r"Type_\d", part)]
        found = named[-1:] or re.findall(r"Type_\d", Path(self.file).name)
        return found[0] if found else ""

    @property
    def of_set(self) -> str:
        """Kaggle's set that its picture's path says, or ""."""
        return set_of(_parts(self.filename)[:-1])

    @property
    def shown(self) -> str:
        """Where the box stands and what it is."""
        numbers = f"x {self.left:g}, y {self.top:g}, width {self.width:g}, height {self.height:g}"
        return f"{self.file}: {self.filename}: the {self.kind} box ({numbers})"

    def within(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in a picture of that size in pixels, cut at its sides.

        Raises DataError for a box that passes a side by more than BEYOND of it, or has nothing inside the picture.
        """
        right, bottom = self.left + self.width, self.top + self.height
        past = max(-self.left / width, -self.top / height, right / width - 1, bottom / height - 1)
        cut = max(self.left, 0.0), max(self.top, 0.0), min(right, float(width)), min(bottom, float(height))
        if past > BEYOND or cut[0] >= cut[2] or cut[1] >= cut[3]:
            raise DataError(
                f"{self.shown} lies outside its picture of {width} x {height} pixels, expected inside, or past a side "
                f"by {BEYOND:.0%} of it at most; is it of this picture, in its own pixels? correct it or remove it"
            )
        return cut


def set_of(parts: list[str] | tuple[str, ...]) -> str:
    """Kaggle's set that the folders of a path name, the innermost first, or ""."""
    named = (re.search(rf"(?<![a-z])({'|'.join(SETS)})", part.lower()) for part in reversed(parts))
    return next((found[1] for found in named if found), "")


def _parts(filename: str) -> list[str]:
    """Folders and name of a path written with either slash."""
    return re.split(r"[\\/]", filename)


def read_boxes(path: Path, name: str) -> tuple[list[Box], Counter]:
    """Read a file's boxes of cervix and os, and count its other annotations by class.

    Raises DataError, which calls the file `name`, with every entry that is not as in LAYOUT and every empty box.
    """
    try:
        content = json.loads(read_bytes(path).decode("utf-8-sig"))
    except DataError as error:
        raise DataError(f"{name}: {error}, expected {LAYOUT}; download it again, or remove it") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{name}: is not JSON ({error}), expected {LAYOUT}; download it again, or remove it") from None
    if not isinstance(content, list):
        raise DataError(f"{name}: holds {type(content).__name__}, expected {LAYOUT}; move other files elsewhere")
    boxes: list[Box] = []
    others: Counter = Counter()
    problems = []
    for place, entry in enumerate(content, 1):
        fields = entry if isinstance(entry, dict) else {}
        filename, drawn = fields.get("filename"), fields.get("annotations")
        if not isinstance(filename, str) or not filename or not isinstance(drawn, list):
            problems.append(f"{name}: entry {place} is not as expected, {LAYOUT}; correct it or remove it")
            continue
        for one in drawn:
            one = one if isinstance(one, dict) else {}
            if one.get("class") not in KINDS or one.get("type", "rect") != "rect":  # flags, points, polygons
                others[f"{one.get('class')} ({one.get('type', 'no type')})"] += 1
                continue
            numbers = [one.get(key) for key in ("x", "y", "width", "height")]
            if not all(_is_number(value) for value in numbers):
                problems.append(
                    f"{name}: {filename}: the {one['class']} box has x, y, width, height {numbers}, expected four "
                    "numbers; correct it or remove it"
                )
                continue
            box = Box(name, filename, one["class"], *map(float, numbers))
            if box.width <= 0 or box.height <= 0:
                problems.append(f"{box.shown} is empty, expected width and height above 0; correct it or remove it")
                continue
            boxes.append(box)
    if problems:
        raise DataError(problems)
    return boxes, others


def _is_number(value) -> bool:
    """Whether a value of JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
