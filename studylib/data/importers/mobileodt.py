"""Study 3's second set as Kaggle releases it (Intel & MobileODT, 2017): Type_1/ID.jpg to Type_3/ID.jpg, and boxes of
competitors where a JSON file lies beside them. https://www.kaggle.com/c/intel-mobileodt-cervical-cancer-screening
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from studylib.data.dataset import DataError
from studylib.data.duplicates import clusters, signature
from studylib.data.folder import FolderWriter
from studylib.data.images import read_bytes
from studylib.data.importers.boxes import KINDS, Box, read_boxes, set_of
from studylib.data.importers.photographs import KEPT, reduced, same_pictures, write_jpeg
from studylib.data.importers.problems import class_folders, noted, read_picture, told

LABELS = {f"Type_{n}": f"type_{n}" for n in (1, 2, 3)}
PICTURES = (".jpg", ".jpeg", ".png")
SEEN = 224  # pixels of the square in which darkness and sharpness are measured, as the public reduced copy has it
DARK = 12  # of 255, brightness below which a pixel is dark: as that copy has it, within a pixel's JPEG noise
SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Picture:
    """A picture of the release: its class folder, the path from what holds that folder, and Kaggle's number."""

    folder: str
    number: str
    path: Path
    shown: str


def import_mobileodt(
    source: Path, target: Path, *, allow_missing: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Read one set of the release in `source` and its subfolders and write it to `target`, whole or not. -> target.

    `group` joins near-identical pictures: women are not known. Boxes of every JSON file below `source` become columns
    in pixels of the written picture, blank where there is none.
    Raises DataError with every problem: class folders missing, empty or there twice, names that are not a number, a
    number in two types, damaged pictures and boxes of pictures that are not there (unless allowed), wrong boxes.
    """
    pictures, problems = find_pictures(source)
    boxes, said = find_boxes(source, pictures, problems, allow_missing)
    if target.exists():
        raise DataError(f"{target.name} exists already under the target folder: remove it, or name another with --to")
    with FolderWriter(target) as folder:
        rows, found, digests, left_out = [], [], [], []
        for place, picture in enumerate(pictures.values(), 1):
            damage: list[str] = []
            with noted(damage):
                image = read_picture(picture.path, picture.shown)
                with noted(problems):
                    row = _row(picture, image, boxes.get(picture.number, {}))
                    if not problems:  # with a problem nothing will be kept: only look for more of them
                        small = reduced(image)
                        write_jpeg(folder.path / row["image"], small)
                        rows.append(row)
                        found.append(signature(small))
                        digests.append(hashlib.sha256(read_bytes(picture.path)).hexdigest())
            left_out += damage if allow_missing else []
            problems += [] if allow_missing else [f"{text}, or say --allow-missing" for text in damage]
            if place % 500 == 0:
                say(f"{place} of {len(pictures)} pictures")
        lacking = set(LABELS.values()) - {row["label"] for row in rows}
        if left_out and lacking and not problems:
            problems += [f"{name}: no picture of it can be read; download it again" for name in sorted(lacking)]
        if problems:
            raise DataError(told(problems, source))
        _group(rows, found, digests)
        folder.tabulate(rows)
        folder.describe(_about(rows, left_out))
    said += [f"left out: {text}" for text in left_out]
    counts, boxed = Counter(row["label"] for row in rows), sum(row["cervix_left"] != "" for row in rows)
    shown = ", ".join(f"{name} {counts[name]}" for name in LABELS.values())
    for line in said:
        say(line)
    say("green-filter, iodine and plain pictures are not told apart; women are not known, groups are near-duplicates")
    groups = len({row["group"] for row in rows})
    say(f"{len(rows)} pictures ({shown}), {groups} groups, {boxed} with a box of the cervix")
    say(f"written to {target}")
    return target


def find_pictures(source: Path) -> tuple[dict[str, Picture], list[str]]:
    """Return the pictures of a release by number and what is wrong with folders and names.

    Raises DataError for a source without class folders.
    """
    folders, problems = class_folders(source, LABELS)
    pictures: dict[str, Picture] = {}
    for folder, path in folders.items():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES)
        if not files:
            problems.append(
                f"{folder}: the class folder holds no picture, expected such as {folder}/5.jpg; unpack the archive "
                "again"
            )
        for file in files:
            shown = file.relative_to(path.parent).as_posix()
            if not re.fullmatch(r"\d+", file.stem, re.ASCII):
                problems.append(
                    f"{shown}: the name '{file.stem}' is not a number, expected such as 5.jpg; give it Kaggle's name, "
                    "or remove it"
                )
                continue
            one = Picture(folder, str(int(file.stem)), file, shown)
            if (first := pictures.setdefault(one.number, one)) != one:
                problems.append(f"{shown}: its number is also that of {first.shown}, expected once; remove one")
    return dict(sorted(pictures.items(), key=lambda item: (item[1].folder, int(item[0])))), problems


def find_boxes(
    source: Path, pictures: dict[str, Picture], problems: list[str], allow_missing: bool = False
) -> tuple[dict[str, dict[str, Box]], list[str]]:
    """Return the boxes of every JSON file below `source` by number and kind, and what is to be said of others.

    Problems are added to the list. Boxes of another of Kaggle's sets than the pictures' are not taken, as numbers
    begin anew in each.
    """
    sets = {set_of([source.name, *picture.path.relative_to(source).parts[:-1]]) for picture in pictures.values()} - {""}
    boxes: dict[str, dict[str, Box]] = {}
    others: Counter = Counter()
    elsewhere: Counter = Counter()
    doubled: dict[tuple[str, str], str] = {}
    for path in sorted(source.rglob("*.json")):
        with noted(problems):
            drawn, further = read_boxes(path, path.relative_to(source).as_posix())
            others += further
            for box in drawn:
                if box.of_set and sets and box.of_set not in sets:
                    elsewhere[f"boxes are of the set {box.of_set}, not of these pictures"] += 1
                    continue
                with noted(problems):
                    if not _is_here(box, pictures, allow_missing):
                        elsewhere["boxes are of pictures that are not here"] += 1
                        continue
                    first = boxes.setdefault(str(int(box.picture)), {}).setdefault(box.kind, box)
                    if first != box:
                        doubled.setdefault(
                            (str(int(box.picture)), box.kind),
                            f"{box.shown} is the second of its picture, after {first.shown}",
                        )
    named = {box.of_set for of_picture in boxes.values() for box in of_picture.values()} - {""}
    if not sets and len(named) > 1:
        problems.append(
            f"the boxes are of the sets {' and '.join(sorted(named))}, whose numbers are the same: name the folder of "
            f"the pictures after their set, such as {sorted(named)[0]}/Type_1/"
        )
    for (number, kind), text in doubled.items():
        if not allow_missing:
            problems.append(f"{text}; which is meant? remove one, or say --allow-missing to have neither")
        del boxes[number][kind]
    said = [f"{number} annotations '{what}' are not used" for what, number in others.items()]
    said += [f"{text}: neither is used" for text in doubled.values()]
    return boxes, said + [f"{number} {what}: not used" for what, number in elsewhere.items()]


def _is_here(box: Box, pictures: dict[str, Picture], allow_missing: bool) -> bool:
    """Whether a box's picture is there; DataError where it should be, or stands in another type."""
    picture = pictures.get(str(int(box.picture))) if re.fullmatch(r"\d+", box.picture, re.ASCII) else None
    if picture is None and not allow_missing:
        raise DataError(
            f"{box.shown} is of picture '{box.picture}', which is not there, expected below "
            f"{box.folder or 'Type_1 to 3'}; are the boxes of this set? remove them, or say --allow-missing"
        )
    if picture and box.folder and box.folder != picture.folder:
        raise DataError(
            f"{box.shown} is of {box.folder}, but the picture is {picture.shown}; are the boxes of this set? remove one"
        )
    return picture is not None


def looks(image: np.ndarray) -> tuple[float, float]:
    """How dark and how sharp an image (H, W[, 3]), uint8, is: share of pixels darker than DARK in [0, 1]; variance of
    the Laplacian (Pech-Pacheco 2000), both of its grey values in a square of SEEN pixels, so that sizes compare.
    """
    small = cv2.resize(image, (SEEN, SEEN), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    return float((grey < DARK).mean()), float(cv2.Laplacian(grey, cv2.CV_64F).var())


def _row(picture: Picture, image: np.ndarray, boxes: dict[str, Box]) -> dict:
    """A picture's row, whose group is not known yet. DataError for boxes outside the picture."""
    height, width = image.shape[:2]
    small = reduced(image)
    scales = (small.shape[1] / width, small.shape[0] / height) * 2
    problems: list[str] = []
    columns = {f"{kind}_{side}": "" for kind in KINDS for side in SIDES}
    for kind, box in boxes.items():
        with noted(problems):
            for side, value, scale in zip(SIDES, box.within(width, height), scales, strict=True):
                columns[f"{kind}_{side}"] = f"{value * scale:.1f}"
    if problems:
        raise DataError(problems)
    dark, sharp = looks(image)
    label = LABELS[picture.folder]
    return {
        "image": f"images/{label}_{int(picture.number):04d}.jpg",
        "label": label,
        "group": "",
        "kaggle_id": picture.number,
        "width": width,
        "height": height,
        "dark_fraction": f"{dark:.3f}",
        "sharpness": f"{sharp:.1f}",
        "mixed_type_group": 0,
        **columns,
        "source_file": picture.shown,
    }


def _group(rows: list[dict], found: list[tuple[int, bytes]], digests: list[str]) -> None:
    """Fill in group, a cluster of near-identical pictures, and mixed_type_group: it holds more than one type."""
    number = clusters(len(rows), same_pictures(found, digests))
    types: dict[int, set[str]] = {}
    for row, cluster in zip(rows, number, strict=True):
        types.setdefault(cluster, set()).add(row["label"])
    for row, cluster in zip(rows, number, strict=True):
        row["group"], row["mixed_type_group"] = f"nd_{cluster + 1:04d}", int(len(types[cluster]) > 1)


def _about(rows: list[dict], left_out: list[str]) -> dict:
    """Return dataset.json."""
    counts = Counter(row["label"] for row in rows)
    return {
        "name": "cervix_types",
        "title": f"Intel & MobileODT cervical cancer screening (2017): {len(rows):,} photographs, cervix types 1 to 3",
        "homepage": "https://www.kaggle.com/c/intel-mobileodt-cervical-cancer-screening",
        "licence": "Kaggle competition data of Intel and MobileODT, governed by the competition's rules, not an open "
        "licence",
        "citation": "Intel & MobileODT Cervical Cancer Screening. Kaggle competition, 2017",
        "classes": {name: counts[name] for name in LABELS.values()},
        "regions": {},
        "one_label_per_group": False,
        "prepared": f"Read from Kaggle's folders: every picture {KEPT}; width and height are the original's. Pictures "
        "through a green filter or after iodine are not told apart from plain ones. group: clusters of near-identical "
        "pictures (perceptual hash and thumbnails); women are not known, so groups are a lower bound on relatedness; "
        f"mixed_type_group marks those with two types. dark_fraction: share of pixels below {DARK} of 255, sharpness: "
        f"variance of the Laplacian, both of grey values at {SEEN} x {SEEN} pixels. Boxes of cervix and os (_left, "
        "_top, _right, _bottom) are competitors', in pixels of the written picture, cut at its sides; blank for none."
        + (f" {len(left_out)} pictures that cannot be read were left out." if left_out else ""),
    }
