"""SIPaKMeD as its authors release it: im_CLASS/…/CROPPED/001_01.bmp, a cell of slide 001, with the outlines of its
nucleus and cytoplasm, 001_01_nuc.dat and 001_01_cyt.dat. https://www.cs.uoi.gr/~marina/sipakmed.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studylib.data.dataset import DataError
from studylib.data.folder import FolderWriter, write_png
from studylib.data.images import read_bytes
from studylib.data.importers.problems import class_folders, noted, read_picture, told

CLASSES = ("Dyskeratotic", "Koilocytotic", "Metaplastic", "Parabasal", "Superficial-Intermediate")
LABELS = {f"im_{name}": name.lower().replace("-", "_") for name in CLASSES}
BINARY = {"dyskeratotic": "abnormal", "koilocytotic": "abnormal", "metaplastic": "benign"}  # the others are normal
BEYOND = 1.0  # pixels that a contour may pass the border of its picture: outlines are drawn by hand


@dataclass(frozen=True)
class Cell:
    """A cut-out cell: its class folder, the slide's and its own number as written, its picture and two contours."""

    folder: Path
    slide: str
    number: str
    picture: Path
    cytoplasm: Path
    nucleus: Path

    @property
    def name(self) -> str:
        """The cell's name among all classes, as slides are numbered from 1 in each."""
        return f"{LABELS[self.folder.name]}_{self.slide}_{self.number}"


def import_sipakmed(
    source: Path, target: Path, *, allow_missing: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Read the release in `source` and its subfolders and write it to `target`, whole or not at all. -> target.

    `group` is the slide, with its class, as numbers restart there. Contours become masks: nucleus 1 over cytoplasm 2.
    Raises DataError with every problem: class folders missing or empty, pictures or contours without the other (unless
    allowed), damaged or tiny pictures, contours that `read_contour` refuses, a nucleus outside its cytoplasm.
    """
    cells, problems, left_out = find_cells(source, allow_missing)
    if target.exists():
        raise DataError(f"{target.name} exists already under the target folder: remove it, or name another with --to")
    with FolderWriter(target) as folder:
        rows = []
        for place, cell in enumerate(cells, 1):
            with noted(problems):
                image, mask = read_cell(cell)
                if not problems:  # with a problem nothing will be kept: only look for more of them
                    rows.append(_write(folder, cell, image, mask))
            if place % 500 == 0:
                say(f"{place} of {len(cells)} cells")
        if problems:
            raise DataError(told(problems, source))
        folder.tabulate(rows)
        folder.describe(_about(rows, left_out))
    counts = Counter(row["label"] for row in rows)
    shown = ", ".join(f"{name} {counts[name]}" for name in LABELS.values())
    if left_out:
        say(f"{left_out} cells were left out: their picture or a contour is missing")
    say(f"{len(rows)} cells ({shown}), {len({row['slide'] for row in rows})} slides, written to {target}")
    return target


def find_cells(source: Path, allow_missing: bool = False) -> tuple[list[Cell], list[str], int]:
    """Return the cells of a release by class and number, what is wrong with its files' names, and the cells left out.

    Cells are left out where a file is missing and that is allowed. Raises DataError for a source without class folders.
    """
    folders, problems = class_folders(source, LABELS)
    cells: list[Cell] = []
    left_out = 0
    for folder in folders.values():
        parts, found = _parts(folder)
        problems += found
        whole = []
        for (slide, number), files in sorted(parts.items()):
            needed = (("", ".bmp"), ("cyt", "_cyt.dat"), ("nuc", "_nuc.dat"))
            lacks = [f"{slide}_{number}{end}" for part, end in needed if part not in files]
            if not lacks:
                whole.append(Cell(folder, slide, number, files[""], files["cyt"], files["nuc"]))
            elif allow_missing:
                left_out += 1
            else:
                there, kind = next(iter(files.values())), "contour" if "" in files else "picture"
                problems.append(
                    f"{_shown(there, folder)}: has no {kind}, expected {', '.join(lacks)} beside it; unpack the "
                    "archive again, or say --allow-missing"
                )
        if not whole and (allow_missing or not parts):
            problems.append(
                f"{folder.name}: the class folder holds no cell, expected CROPPED/001_01.bmp with 001_01_cyt.dat and "
                "001_01_nuc.dat below it; unpack the archive again"
            )
        cells += whole
    return cells, problems, left_out


def _parts(folder: Path) -> tuple[dict[tuple[str, str], dict[str, Path]], list[str]]:
    """Picture "" and contours "cyt", "nuc" of each slide and cell in a class's folders CROPPED; problems of names."""
    parts: dict[tuple[str, str], dict[str, Path]] = {}
    problems = []
    cropped = [path for path in sorted(folder.rglob("*")) if path.name.upper() == "CROPPED" and path.is_dir()]
    files = sorted(file for path in cropped for file in path.iterdir() if file.suffix.lower() in (".bmp", ".dat"))
    for file in files:
        found = re.fullmatch(r"(\d+)_(\d+)(?:_(cyt|nuc)\.dat|\.bmp)", file.name, re.ASCII | re.IGNORECASE)
        if not found:
            problems.append(
                f"{_shown(file, folder)}: its name is not slide and cell joined by '_', expected such as 001_01.bmp, "
                "001_01_cyt.dat or 001_01_nuc.dat; give it the authors' name, or remove it"
            )
            continue
        slide, number, part = found[1], found[2], (found[3] or "").lower()
        of_cell = parts.setdefault((slide, number), {})
        if other := of_cell.get(part):
            problems.append(
                f"{_shown(file, folder)}: is there twice, also as {_shown(other, folder)}, expected once; remove one"
            )
        of_cell[part] = file
    return parts, problems


def _shown(file: Path, folder: Path) -> str:
    """A file's path from where its class folder stands."""
    return file.relative_to(folder.parent).as_posix()


def read_cell(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Read a cell: image uint8 (H, W[, 3]), mask uint8 (H, W): nucleus 1, cytoplasm 2. DataError lists its problems.

    A nucleus that encloses no pixel, or lies outside its cytoplasm by more than half, is one too.
    """
    problems: list[str] = []
    size, contours = None, []
    with noted(problems):
        image = read_picture(cell.picture, _shown(cell.picture, cell.folder))
        size = image.shape[:2]
    for path in (cell.cytoplasm, cell.nucleus):
        with noted(problems):
            contours.append(read_contour(path, _shown(path, cell.folder), size))
    if problems:
        raise DataError(problems)
    cytoplasm, nucleus = (fill(points, size) for points in contours)
    name = _shown(cell.nucleus, cell.folder)
    if not nucleus.any():
        raise DataError(f"{name}: encloses no pixel, expected the outline of a nucleus; unpack it again")
    outside = (nucleus & ~cytoplasm).sum() / nucleus.sum()
    if outside > 0.5:
        raise DataError(
            f"{name}: {outside:.0%} of the nucleus lies outside {cell.cytoplasm.name}, expected half of it at most; "
            "are they of one cell? unpack both again"
        )
    return image, np.where(nucleus, 1, np.where(cytoplasm, 2, 0)).astype(np.uint8)


def read_contour(path: Path, name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a contour's points, x and y in pixels of a picture of `size` (H, W), float64 (P, 2).

    Raises DataError, which calls the file `name`, for lines that are not two numbers, points more than BEYOND outside
    the picture (where its size is known), and fewer than three points.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig", "replace")
    except DataError as error:
        raise DataError(f"{name}: {error}, expected a line 'x,y' for each point; unpack it again") from None
    height, width = size or (np.inf, np.inf)
    points, strange, far = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            x, y = map(float, line.split(","))
        except ValueError:
            x = y = np.nan
        if not np.isfinite((x, y)).all():
            strange += [f"line {number} is '{line.strip()[:40]}'"] if line.strip() else []
            continue
        points.append((x, y))
        if not (-BEYOND <= x <= width + BEYOND and -BEYOND <= y <= height + BEYOND):
            far.append(f"line {number} is the point ({x:g}, {y:g})")
    inside = f"it inside the picture of {width} x {height} pixels; are they of one cell? unpack both again"
    problems = [
        f"{name}: {found[0]}{f' and {len(found) - 1} more lines are such' * (len(found) > 1)}, expected {expected}"
        for found, expected in ((strange, "two numbers 'x,y'; unpack it again"), (far, inside))
        if found
    ]
    if not problems and (distinct := len(set(points))) < 3:
        problems = [f"{name}: holds {distinct} different points, expected three or more; unpack it again"]
    if problems:
        raise DataError(problems)
    return np.array(points)


def fill(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels of a picture of `size` (H, W) have their centre in or on a polygon, bool (H, W).

    points (P, 2) are x and y; the first pixel's centre is 0, 0. No outline is drawn, which would widen small nuclei.
    """
    from skimage.draw import polygon2mask

    return polygon2mask(size, points[:, ::-1])


def _write(folder: FolderWriter, cell: Cell, image: np.ndarray, mask: np.ndarray) -> dict:
    """Write a cell's image and mask; return its row."""
    write_png(folder.path / "images" / f"{cell.name}.png", image)
    write_png(folder.path / "masks" / f"{cell.name}.png", mask)
    label = LABELS[cell.folder.name]
    return {
        "image": f"images/{cell.name}.png",
        "label": label,
        "group": f"{label}_{cell.slide}",
        "mask": f"masks/{cell.name}.png",
        "slide": f"{label}_{cell.slide}",
        "cell_no": int(cell.number),
        "binary": BINARY.get(label, "normal"),
        "width": image.shape[1],
        "height": image.shape[0],
        "nucleus_fraction": f"{(mask == 1).mean():.6f}",
        "cytoplasm_fraction": f"{(mask == 2).mean():.6f}",
        "source_file": _shown(cell.picture, cell.folder),
    }


def _about(rows: list[dict], left_out: int) -> dict:
    """Return dataset.json."""
    counts = Counter(row["label"] for row in rows)
    return {
        "name": "sipakmed",
        "title": f"SIPaKMeD: {len(rows):,} single cells of Pap smears in 5 classes, with nucleus and cytoplasm",
        "homepage": "https://www.cs.uoi.gr/~marina/sipakmed.html",
        "licence": "none stated: the authors say that it can be used for experimental purposes, and ask to be cited",
        "citation": "Plissiti M. E. et al. SIPAKMED: a new dataset for feature and image based classification of "
        "normal and pathological cervical cells in Pap smear images. Proc. ICIP 2018",
        "classes": {name: counts[name] for name in LABELS.values()},
        "regions": {"1": "nucleus", "2": "cytoplasm"},
        "prepared": "The authors' cut-out cells (CROPPED) at their native size; pictures of whole slides are not read. "
        "Masks: pixels whose centre (the first at 0, 0) lies in a contour, nucleus over cytoplasm. group = slide: the "
        "class and number of the slide's picture, as numbers restart in each class; women are not in the release."
        + (f" {left_out} cells whose picture or contour was missing were left out." if left_out else ""),
    }
