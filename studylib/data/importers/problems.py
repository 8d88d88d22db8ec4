"""What is wrong with a release of pictures in class folders: found file by file, told at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from studylib.data.images import DataError, decode_image, read_bytes

MOST = 20  # problems that are told; the rest is counted
SMALLEST = 8  # pixels of a side: a picture below it stands for one that was not released


def told(problems: Sequence[str], source: Path) -> str:
    """Return the problems of the release in `source`, one a line, the first MOST of them and how many more there are.

    Each names the file, what was found, what was expected and what to do.
    """
    lines = [f"{len(problems)} problem{'s' * (len(problems) > 1)} in '{source.name}', nothing was written:"]
    lines += [f"  {line}" for line in problems[:MOST]]
    lines += [f"  and {len(problems) - MOST} more"] if len(problems) > MOST else []
    return "\n".join(lines)


@contextmanager
def noted(problems: list[str]) -> Iterator[None]:
    """Add the problems of a DataError that ends the block to the list, and go on after it."""
    try:
        yield
    except DataError as error:
        problems += error.problems


def class_folders(source: Path, names: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
    """Find class folders anywhere below `source`, in the order of `names`; list those that are missing or there twice.

    A folder inside one of the same name belongs to it. Raises DataError for a source that holds none of them.
    """
    names = list(names)
    if not source.is_dir():
        raise DataError(f"'{source}' is not a folder; name the one into which the owner's archive was unpacked")
    found: dict[str, Path] = {}
    problems = []
    for path in sorted(path for path in source.rglob("*") if path.name in names and path.is_dir()):
        first = found.setdefault(path.name, path)
        if first != path and first not in path.parents:
            here, there = (one.relative_to(source).as_posix() for one in (first, path))
            problems.append(f"{path.name}: is there twice, as {here}/ and {there}/, expected once; remove one")
    if not found:
        raise DataError(
            f"'{source}' holds no class folder, expected {', '.join(names)} below it: unpack the owner's archive there"
        )
    problems += [
        f"{name}: the class folder is missing, expected below '{source.name}'; unpack all of the owner's archives there"
        for name in names
        if name not in found
    ]
    return {name: found[name] for name in names if name in found}, problems


def read_picture(path: Path, name: str) -> np.ndarray:
    """Read a picture, uint8 (H, W) or (H, W, 3). DataError, which calls it `name`, where it is damaged or too small."""
    try:
        picture = decode_image(read_bytes(path))
    except DataError as error:
        raise DataError(f"{name}: {error}, expected a whole picture; download it again") from None
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        raise DataError(
            f"{name}: is {width} x {height} pixels, expected {SMALLEST} or more on each side; download it again"
        )
    return picture
