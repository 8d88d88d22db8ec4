"""Rows of a release of dermoscopic images, with their pictures and masks, written as one data set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.data.dataset import DataError
from studylib.data.duplicates import clusters, signature
from studylib.data.folder import FolderWriter, write_png
from studylib.data.images import read_bytes
from studylib.data.importers.dermoscopy import (
    KEPT,
    LESION,
    MASK,
    Files,
    find_files,
    keep_picture,
    read_lesion,
    read_lesion_mask,
    shrunk,
    touches_border,
)
from studylib.data.importers.photographs import same_pictures
from studylib.data.importers.problems import MOST, noted, told

FULL = 0.99  # share of the frame from which a lesion fills it: a map has next to nothing outside to be wrong on
REGIONS = {"0": "surrounding skin and background", str(LESION): "lesion"}


@dataclass(frozen=True)
class Lesion:
    """An image of a release: its plain id, label, the lesion that it shows ("" where unknown), and further columns.

    where: the file and row that say so; downsampled: its owner reduced the picture, but not its mask.
    """

    image: str
    label: str
    lesion: str
    where: str
    columns: dict[str, str] = field(default_factory=dict)
    downsampled: bool = False


@dataclass(frozen=True)
class Release:
    """What the tables of a release say: its images, what is wrong in the tables, and what was counted.

    about: dataset.json but for regions and one_label_per_group, its `classes` listed in order; those without an image
    are left out. every_mask: an image without a mask is a problem.
    """

    about: dict
    lesions: Sequence[Lesion]
    problems: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    every_mask: bool = False


def import_lesions(
    read: Callable[[Path, Files], Release],
    source: Path,
    target: Path,
    *,
    allow_missing: bool = False,
    threshold: int | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Write the images that `read` finds in `source`, with their masks, to `target`, whole or not at all. -> target.

    `group` is the lesion (an image whose lesion is unknown stands alone), joined where two show the same picture.
    threshold: see `read_lesion_mask`. Raises DataError with the release's problems and all others: ids with two
    pictures, no picture (unless allowed), a damaged or blank one (unless allowed), no mask where every image needs one
    (unless allowed), masks that `read_lesion_mask` refuses.
    """
    if threshold is not None and not 0 <= threshold < LESION:
        raise DataError(f"--threshold {threshold}: expected 0 to {LESION - 1}, as masks hold 0 to {LESION}")
    files = find_files(source)
    release = read(source, files)
    lesions, problems = release.lesions, release.problems + files.problems
    if target.exists():
        raise DataError(f"{target.name} exists already under the target folder: remove it, or name another with --to")
    with FolderWriter(target) as folder:
        rows, found, digests, left_out = [], [], [], []
        for place, lesion in enumerate(lesions, 1):
            lacking: list[str] = []
            with noted(lacking):
                image = _picture(lesion, files, source, release.every_mask)
            left_out += lacking if allow_missing else []
            problems += [] if allow_missing else [f"{text}, or say --allow-missing" for text in lacking]
            if not lacking:
                with noted(problems):
                    mask = _mask(lesion, files, image.shape[:2], threshold)
                    if not problems:  # with a problem nothing will be kept: only look for more of them
                        path = files.pictures[lesion.image]
                        kept, small = keep_picture(path, image, folder.path, lesion.image)
                        rows.append(_row(lesion, kept, image, small, mask, folder))
                        found.append(signature(small))
                        digests.append(hashlib.sha256(read_bytes(path)).hexdigest())
            if place % 500 == 0:
                say(f"{place} of {len(lesions)} images")
        if not rows and not problems:
            problems.append(
                f"no image is left to import (first: {left_out[0] if left_out else 'the release is empty'})"
            )
        if problems:
            raise DataError(told(problems, source))
        joined = _group(rows, found, digests)
        folder.tabulate(rows)
        folder.describe(_about(release.about, rows, len(left_out), threshold))
    for line in (
        *release.said,
        *files.said,
        *(f"left out: {text}" for text in left_out[:MOST]),
        *_counted(lesions, rows, files),
    ):
        say(line)
    if left_out:
        say(f"{len(left_out)} images were left out")
    if joined:
        say(f"{joined} groups were joined to others: they hold near-identical pictures under several lesions")
    counts = Counter(row["label"] for row in rows)
    shown = ", ".join(f"{name} {counts[name]}" for name in release.about["classes"] if counts[name])
    groups, masks = len({row["group"] for row in rows}), sum(row["mask"] != "" for row in rows)
    say(f"{len(rows)} images ({shown}), {groups} groups, {masks} with a mask, written to {target}")
    return target


def _picture(lesion: Lesion, files: Files, source: Path, every_mask: bool) -> np.ndarray:
    """Read an image's picture. DataError where that or, if every image needs one, its mask is missing."""
    for held, ending, kind in ((files.pictures, ".jpg", "picture"), (files.masks, f"{MASK}.png", "mask")):
        if lesion.image not in held and (held is files.pictures or every_mask):
            raise DataError(
                f"{lesion.where}: {lesion.image} has no {kind}, expected {lesion.image}{ending} below '{source.name}'; "
                "unpack all of the owner's archives there"
            )
    return read_lesion(files.pictures[lesion.image])


def _mask(lesion: Lesion, files: Files, size: tuple[int, int], threshold: int | None) -> np.ndarray | None:
    """Read an image's mask, None where it has none."""
    path = files.masks.get(lesion.image)
    return path and read_lesion_mask(path, size, threshold=threshold, downsampled=lesion.downsampled)


def _row(lesion: Lesion, kept: str, image, small, mask: np.ndarray | None, folder: FolderWriter) -> dict:
    """Write a mask, reduced as its picture is; return the image's row, whose group is not known yet."""
    name, fraction, cut = "", "", ""
    if mask is not None:
        name = f"masks/{lesion.image}.png"
        mask = mask if small is image else shrunk(mask, small.shape[:2], f"{lesion.image}{MASK}.png")
        write_png(folder.path / name, mask)
        fraction, cut = f"{(mask == LESION).mean():.4f}", str(int(touches_border(mask)))
    return {
        "image": kept,
        "label": lesion.label,
        "group": lesion.lesion or lesion.image,
        "mask": name,
        "isic_id": lesion.image,
        "lesion_id": lesion.lesion,
        **lesion.columns,
        "width": image.shape[1],
        "height": image.shape[0],
        "lesion_fraction": fraction,
        "mask_touches_border": cut,
    }


def _group(rows: list[dict], found: list[tuple[int, bytes]], digests: list[str]) -> int:
    """Join groups that hold the same picture, under the name of the first; return how many were joined to others."""
    names = [row["group"] for row in rows]
    first: dict[str, int] = {}
    of_lesion = [(first.setdefault(name, place), place) for place, name in enumerate(names)]
    pairs = pd.concat([pd.DataFrame(of_lesion, columns=["row_a", "row_b"]), same_pictures(found, digests)])
    leader: dict[int, str] = {}
    for row, name, cluster in zip(rows, names, clusters(len(rows), pairs), strict=True):
        row["group"] = leader.setdefault(cluster, name)
    return len(first) - len(leader)


def _counted(lesions: Sequence[Lesion], rows: list[dict], files: Files) -> list[str]:
    """What is said of files without a row, unknown lesions, masks of downsampled pictures, and lesions without skin."""
    known = {lesion.image for lesion in lesions}
    downsampled = {lesion.image for lesion in lesions if lesion.downsampled}
    masked = [row for row in rows if row["mask"]]
    full = [row["isic_id"] for row in masked if float(row["lesion_fraction"]) >= FULL]
    told_of = (
        ([name for name in files.pictures if name not in known], "pictures have no row in the table: not used"),
        ([name for name in files.masks if name not in known], "masks have no row in the table: not used"),
        (
            [row["isic_id"] for row in rows if not row["lesion_id"]],
            "images name no lesion: each has a group of its own",
        ),
        (
            [row["isic_id"] for row in masked if row["isic_id"] in downsampled],
            "masks belong to pictures that the owner downsampled: reduced to the picture where larger",
        ),
        (full, f"lesions fill the frame ({100 * FULL:.0f} % or more of it): warning, no map can miss them"),
    )
    return [f"{len(names)} {what} (first: {names[0]})" for names, what in told_of if names]


def _about(about: dict, rows: list[dict], left_out: int, threshold: int | None) -> dict:
    """Return dataset.json: `about`, its classes counted, regions, and what was done to the images."""
    counts = Counter(row["label"] for row in rows)
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row["group"], set()).add(row["label"])
    prepared = (
        f"{about['prepared']} Images: {KEPT}; masks alike, lesion where it covers at least half of a pixel. width and "
        "height are the original's. group: lesion_id, or the image where it is unknown, joined where pictures are "
        "near-identical (perceptual hash and thumbnails); people are not known."
    )
    if threshold is not None:
        prepared += f" Masks: values above {threshold} are lesion."
    if left_out:
        prepared += f" {left_out} images without a usable file were left out."
    return {
        **about,
        "classes": {name: counts[name] for name in about["classes"] if counts[name]},
        "regions": REGIONS if any(row["mask"] for row in rows) else {},
        "one_label_per_group": all(len(names) == 1 for names in labels.values()),
        "prepared": prepared,
    }
