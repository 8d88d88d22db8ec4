"""Study 1's set as its owners release it (smear2005): seven class folders with NAME.BMP, a cell, and NAME-d.bmp, its
parts in five colours. http://mde-lab.aegean.gr/index.php/downloads
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from studylib.data.dataset import DataError
from studylib.data.folder import FolderWriter, write_png
from studylib.data.importers.problems import class_folders, noted, read_picture, told

SAME = ("normal_intermediate", "normal_columnar", "light_dysplastic", "moderate_dysplastic", "severe_dysplastic")
LABELS = {"normal_superficiel": "normal_superficial"} | {name: name for name in (*SAME, "carcinoma_in_situ")}
COLOURS = {(255, 0, 0): 0, (0, 0, 255): 1, (0, 0, 128): 2, (128, 128, 128): 3, (0, 0, 0): 4}
REGIONS = {
    "0": "background (red 255,0,0)",
    "1": "nucleus (0,0,255)",
    "2": "cytoplasm (0,0,128)",
    "3": "grey 128,128,128: assigned to no cell part (seen: strips between the smooth outer boundary and the segmented "
    "cytoplasm, neighbouring matter)",
    "4": "black 0,0,0: stray pixels, assigned to no cell part",
}
GAP = 3600  # between first numbers of names, which look like seconds: an hour without a picture begins a session


@dataclass(frozen=True)
class Pair:
    """A cell's picture and its segmentation; `name` is three numbers joined by '-', `folder` the owners' class."""

    folder: str
    name: str
    picture: Path
    segmentation: Path


def import_herlev(
    source: Path, target: Path, *, allow_missing: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Read the release in `source` and its subfolders and write it to `target`, whole or not at all. -> target.

    `group` is the first number of a name, `frame` the first two, `session` joins groups less than GAP apart.
    Raises DataError with every problem: class folders that are missing or empty, names that are not three numbers,
    pictures or segmentations without the other (unless allowed), damaged, tiny or of two sizes, other colours, no
    nucleus.
    """
    pairs, problems, left_out = find_pairs(source, allow_missing)
    if target.exists():
        raise DataError(f"{target.name} exists already under the target folder: remove it, or name another with --to")
    names = [pair.name for pair in pairs] + left_out  # a name tells when pictures were taken, whether or not it is kept
    session = sessions(int(name.split("-")[0]) for name in names)
    with FolderWriter(target) as folder:
        rows = []
        for place, pair in enumerate(pairs, 1):
            with noted(problems):
                image, mask = read_pair(pair)
                if not problems:  # with a problem nothing will be kept: only look for more of them
                    rows.append(_write(folder, pair, image, mask, session[int(pair.name.split("-")[0])]))
            if place % 200 == 0:
                say(f"{place} of {len(pairs)} cells")
        if problems:
            raise DataError(told(problems, source))
        folder.tabulate(rows)
        folder.describe(_about(rows, len(left_out)))
    counts = Counter(row["label"] for row in rows)
    shown = ", ".join(f"{name} {counts[name]}" for name in LABELS.values())
    groups, of_sessions = (len({row[column] for row in rows}) for column in ("group", "session"))
    if left_out:
        say(f"{len(left_out)} cells were left out: their picture or their segmentation is missing")
    say(f"{len(rows)} cells ({shown}), {groups} groups, {of_sessions} sessions, written to {target}")
    return target


def find_pairs(source: Path, allow_missing: bool = False) -> tuple[list[Pair], list[str], list[str]]:
    """Return the cells of a release by class and name, what is wrong with its folders and names, and names left out.

    Names are left out where a half is missing and that is allowed. Raises DataError for a source without class folders.
    """
    folders, problems = class_folders(source, LABELS)
    pairs: list[Pair] = []
    left_out: list[str] = []
    held: dict[str, str] = {}
    for folder, path in folders.items():
        halves, found = _halves(path)
        problems += found
        whole = []
        for name, (picture, segmentation) in halves.items():
            if name in held:
                problems.append(f"{folder}/{name}: is also in {held[name]}/, expected in one class; remove one")
                continue
            held[name] = folder
            if picture and segmentation:
                whole.append(Pair(folder, name, picture, segmentation))
            elif allow_missing:
                left_out.append(name)
            else:
                lacks = f"segmentation, expected {name}-d.bmp" if picture else f"picture, expected {name}.BMP"
                problems.append(
                    f"{folder}/{(picture or segmentation).name}: has no {lacks} beside it; unpack the archive again, "
                    "or say --allow-missing"
                )
        if not whole and (allow_missing or not halves):
            problems.append(
                f"{folder}: the class folder holds no cell, expected NAME.BMP with NAME-d.bmp; unpack the archive again"
            )
        pairs += whole
    return pairs, problems, left_out


def _halves(path: Path) -> tuple[dict[str, list[Path | None]], list[str]]:
    """Picture and segmentation of each name in a class folder, None for a missing one; and problems of names."""
    halves: dict[str, list[Path | None]] = {}
    problems = []
    for file in sorted(file for file in path.iterdir() if file.suffix.lower() == ".bmp"):
        half = file.stem.lower().endswith("-d")
        name = file.stem[:-2] if half else file.stem
        if not re.fullmatch(r"\d+-\d+-\d+", name, re.ASCII):
            problems.append(
                f"{path.name}/{file.name}: the name '{name}' is not three numbers joined by '-', expected such as "
                "153958345-153958392-001; give the file the owners' name, or remove it"
            )
            continue
        both = halves.setdefault(name, [None, None])
        if other := both[half]:
            problems.append(f"{path.name}/{file.name}: is there twice, also as {other.name}, expected once; remove one")
        both[half] = file
    return halves, problems


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Read a cell: image uint8 (H, W[, 3]) and mask uint8 (H, W) of REGIONS. Raises DataError of all that is wrong."""
    problems: list[str] = []
    read = []
    names = [f"{pair.folder}/{path.name}" for path in (pair.picture, pair.segmentation)]
    for path, name in zip((pair.picture, pair.segmentation), names, strict=True):
        with noted(problems):
            read.append(read_picture(path, name))
    if problems:
        raise DataError(problems)
    image, coloured = read
    (height, width), (high, wide) = coloured.shape[:2], image.shape[:2]
    if (height, width) != (high, wide):
        problems.append(
            f"{names[1]}: is {width} x {height} pixels, expected {wide} x {high} as its picture {pair.picture.name}; "
            "take both from one download"
        )
    with noted(problems):
        mask = regions_of(coloured, names[1])
    if problems:
        raise DataError(problems)
    return image, mask


def regions_of(coloured: np.ndarray, name: str) -> np.ndarray:
    """Translate the colours of a segmentation, (H, W, 3) or grey (H, W), to regions, uint8 (H, W).

    Raises DataError, which calls the file `name`, for other colours and where no pixel is nucleus.
    """
    if coloured.ndim == 2:
        coloured = np.repeat(coloured[..., None], 3, axis=2)
    mask = np.full(coloured.shape[:2], 255, np.uint8)
    for colour, region in COLOURS.items():
        mask[(coloured == colour).all(axis=2)] = region
    problems = []
    if (mask == 255).any():
        others, counts = np.unique(coloured[mask == 255], axis=0, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:3]
        shown = ", ".join(f"({','.join(map(str, others[i]))}) in {counts[i]} pixels" for i in most)
        more = f" and {len(others) - 3} more colours" if len(others) > 3 else ""
        known = ", ".join(f"({','.join(map(str, colour))})" for colour in COLOURS)
        problems.append(
            f"{name}: holds the colour {shown}{more}, expected only {known}; take the owners' file, neither resized "
            "nor saved anew"
        )
    if not (mask == 1).any():
        problems.append(f"{name}: has no nucleus, expected pixels of (0,0,255); download it again, or remove the cell")
    if problems:
        raise DataError(problems)
    return mask


def sessions(prefixes: Iterable[int]) -> dict[int, str]:
    """Name the session of each first number: in their order, s01 and one more wherever the next is GAP or more on."""
    ordered = sorted(set(prefixes))
    names = {ordered[0]: "s01"} if ordered else {}
    number = 1
    for former, later in pairwise(ordered):
        number += later - former >= GAP
        names[later] = f"s{number:02d}"
    return names


def _write(folder: FolderWriter, pair: Pair, image: np.ndarray, mask: np.ndarray, session: str) -> dict:
    """Write a cell's image and mask; return its row."""
    write_png(folder.path / "images" / f"{pair.name}.png", image)
    write_png(folder.path / "masks" / f"{pair.name}.png", mask)
    group, field, number = pair.name.split("-")
    label = LABELS[pair.folder]
    return {
        "image": f"images/{pair.name}.png",
        "label": label,
        "group": group,
        "mask": f"masks/{pair.name}.png",
        "frame": f"{group}-{field}",
        "cell_no": int(number),
        "session": session,
        "binary": "normal" if label.startswith("normal_") else "abnormal",
        "width": image.shape[1],
        "height": image.shape[0],
        "nucleus_fraction": f"{(mask == 1).mean():.6f}",
        "cytoplasm_fraction": f"{(mask == 2).mean():.6f}",
        "background_fraction": f"{(mask == 0).mean():.6f}",
        "source_file": f"{pair.folder}/{pair.picture.name}",
    }


def _about(rows: list[dict], left_out: int) -> dict:
    """Return dataset.json."""
    counts = Counter(row["label"] for row in rows)
    return {
        "name": "pap_herlev",
        "title": f"Herlev (DTU/Herlev) pap smear database, 2005: {len(rows):,} single cells in 7 classes",
        "homepage": "http://mde-lab.aegean.gr/index.php/downloads",
        "licence": "none stated: the owners' paper (Jantzen et al. 2005) says they wish to publish the database of "
        "images with measurements for benchmarking",
        "citation": "Jantzen J., Norup J., Dounias G., Bjerregaard B. Pap-smear benchmark data for pattern "
        "classification. Proc. NiSIS 2005, Albufeira, Portugal, pp. 1-9",
        "classes": {name: counts[name] for name in LABELS.values()},
        "regions": REGIONS,
        "one_label_per_group": False,
        "prepared": "Read from the owners' bitmaps: images at their native size, never resized; the five colours of "
        "NAME-d.bmp translated to values 0 to 4. group: first number of the file name (probably the moment at which a "
        "specimen or series was opened; not documented), frame: first two numbers (one photographed field), session: "
        "first numbers less than 3600 apart. The owners' table new_database_results.xls was not read: its "
        "measurements are not here."
        + (f" {left_out} cells whose picture or segmentation was missing were left out." if left_out else ""),
    }
