"""Files of a release of dermoscopic images: pictures and masks by image id, each checked before it is kept."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from studylib.data.dataset import DataError
from studylib.data.images import decode_mask, read_bytes
from studylib.data.importers.photographs import LONGER, reduced, write_jpeg
from studylib.data.importers.problems import read_picture
from studylib.data.importers.tables import plain_id

ENDINGS = (".jpg", ".jpeg", ".png")
MASK = "_segmentation"  # how the owners end the name of a mask: ISIC_0000000_segmentation.png
LEAST = 16  # of 255 that brightness must range over: a picture below it shows nothing, black or not
KEPT = (
    f"bytes as released, unless a side is longer than {LONGER:,} pixels: then reduced to that by averaging areas, as "
    "JPEG"
)
LESION = 255  # in masks; the rest is 0


@dataclass
class Files:
    """Pictures and masks by plain image id, what is wrong with their names, and what is to be said of other files."""

    pictures: dict[str, Path] = field(default_factory=dict)
    masks: dict[str, Path] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def find_files(source: Path) -> Files:
    """Find pictures ID.jpg and masks ID_segmentation.png anywhere below `source`, ids with or without _downsampled.

    The same picture in two folders counts once; different ones of an id are a problem. Of two masks of an id, which
    different people drew, that of the first folder by name is used, and said. Raises DataError for no folder.
    """
    if not source.is_dir():
        raise DataError(f"'{source}' is not a folder; name the one into which the owner's archives were unpacked")
    files = Files()
    others: list[str] = []
    second: Counter = Counter()
    for path in sorted(path for path in source.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()):
        is_mask = path.stem.endswith(MASK)
        image = plain_id(path.stem.removesuffix(MASK))
        if image is None:
            others.append(path.relative_to(source).as_posix())
            continue
        held = files.masks if is_mask else files.pictures
        first = held.setdefault(image, path)
        if first == path or read_bytes(first) == read_bytes(path):
            continue
        here, there = (one.relative_to(source).as_posix() for one in (first, path))
        if is_mask and first.parent != path.parent:
            second[(Path(here).parent.as_posix(), Path(there).parent.as_posix())] += 1
        else:
            files.problems.append(
                f"{there}: {image} is also {here}, another {'mask' if is_mask else 'picture'}, expected one; remove "
                f"one (masks are named {image}{MASK}.png)"
            )
    for (here, there), number in second.items():
        files.said.append(f"{number} images have a mask in {here}/ and another in {there}/: the one in {here}/ is used")
    if others:
        files.said.append(f"{len(others)} files whose names are no image id are not used (first: {others[0]})")
    return files


def read_lesion(path: Path) -> np.ndarray:
    """Read a dermoscopic picture, uint8 (H, W[, 3]). DataError where it is damaged, tiny, black or flat."""
    image = read_picture(path, path.name)
    low, high = int(image.min()), int(image.max())
    if high - low < LEAST:
        raise DataError(
            f"{path.name}: shows nothing, its values go from {low} to {high} of 255, expected a range of {LEAST} or "
            "more; download it again"
        )
    return image


def read_lesion_mask(
    path: Path, size: tuple[int, int], *, threshold: int | None = None, downsampled: bool = False
) -> np.ndarray:
    """Read a mask of a picture of `size` (height, width): uint8 (H, W) of 0 and LESION.

    threshold: values above it are lesion; without it only 0 and 255 (or one bit) are accepted, as a mask of other
    values was made from the owner's in a way that nobody stated. downsampled: the picture was reduced by its owner, so
    a larger mask of the same aspect is reduced to it. Raises DataError for any other size or value, and for no lesion.
    """
    try:
        mask, one_bit = decode_mask(read_bytes(path))
    except DataError as error:
        raise DataError(f"{path.name}: {error}, expected a mask of 0 and 255; download it again") from None
    mask = mask * np.uint8(LESION) if one_bit else mask
    values = np.setdiff1d(mask, (0, LESION)).tolist()
    if threshold is not None:
        mask = np.where(mask > threshold, np.uint8(LESION), np.uint8(0))
    elif values:
        shown = ", ".join(map(str, values[:5])) + (f" … ({len(values)} values)" if len(values) > 5 else "")
        raise DataError(
            f"{path.name}: holds {shown}, expected only 0 and 255; take the owner's mask, or state where lesion "
            "begins: --threshold 127 makes every value above 127 lesion"
        )
    (height, width), (high, wide) = mask.shape, size
    if downsampled and height > high and abs(height * wide / width - high) <= 1:  # aspect to a pixel of rounding
        mask = shrunk(mask, size, path.name)
    elif (height, width) != size:
        raise DataError(
            f"{path.name}: is {width} x {height} pixels, expected {wide} x {high} as its picture; take both from one "
            "release"
        )
    if not mask.any():
        raise DataError(
            f"{path.name}: is empty, no pixel is lesion, expected some; remove the file, or download it again"
        )
    return mask


def shrunk(mask: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
    """Reduce a mask of 0 and LESION to `size` (height, width): lesion where it covers at least half of a pixel's area.

    Raises DataError, which calls the file `name`, where nothing of the lesion is left.
    """
    height, width = size
    share = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    small = np.where(share >= LESION / 2, np.uint8(LESION), np.uint8(0))
    if mask.any() and not small.any():
        raise DataError(
            f"{name}: its lesion of {np.count_nonzero(mask)} pixels vanishes at {width} x {height}, expected a lesion; "
            "remove the file"
        )
    return small


def keep_picture(path: Path, image: np.ndarray, folder: Path, name: str) -> tuple[str, np.ndarray]:
    """Write a picture, read from `path` as `image`, below `folder` as `name`. -> its path from there, what was written.

    Its bytes are copied unless a side is longer than LONGER: then it is reduced, as JPEG.
    """
    small = reduced(image)
    if small is image:
        kept = f"images/{name}{path.suffix.lower()}"
        shutil.copyfile(path, folder / kept)
    else:
        kept = f"images/{name}.jpg"
        write_jpeg(folder / kept, small)
    return kept, small


def touches_border(mask: np.ndarray) -> bool:
    """Whether a mask (H, W) holds a pixel of the outermost rows or columns: the lesion may be cut off there."""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
