"""Study 4's set as its owner releases it: 1.mat to 3064.mat (MATLAB 7.3) with a struct `cjdata`, and cvind.mat with
five folds. doi:10.6084/m9.figshare.1512427
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
from studylib.data.importers.matlab import read_hdf5, read_variable, text_of
from studylib.data.importers.problems import told

LABELS = {1: "meningioma", 2: "glioma", 3: "pituitary"}
FIELDS = ("label", "PID", "image", "tumorBorder", "tumorMask")
FOLDS = 5
NEAR = 3.0  # pixels of a 512 x 512 slice within which the border's points lie from the mask's edge
JOINED = {"97737": "97607"}  # two ids whose slices show one head and tumour


@dataclass(frozen=True)
class Slice:
    """One file: image uint8 (H, W), mask bool (H, W)."""

    number: int
    label: str
    pid: str
    image: np.ndarray
    mask: np.ndarray
    points: int


def import_figshare(
    source: Path, target: Path, *, allow_missing: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Read the release in `source` and its subfolders and write it to `target`, whole or not at all. -> target.

    Each slice is scaled from its own minimum and maximum to 8 bits. `group` is the owner's patient id,
    `person_inferred` joins ids that are probably one person: letters behind an MR number, and one pair that was seen.
    Raises DataError with every problem: files that are not HDF5, lack a field, hold an unknown label, an empty, shifted
    or misshapen mask; numbers that are missing (unless allowed); folds that do not fit or hold one class only.
    """
    files, problems = find_files(source, allow_missing)
    folds = _folds(source, files, problems)
    labels: dict[int, str] = {}
    if target.exists():
        raise DataError(f"{target.name} exists already under the target folder: remove it, or name another with --to")
    with FolderWriter(target) as folder:
        rows = []
        for place, (number, path) in enumerate(files.items(), 1):
            try:
                one = read_slice(path, number)
            except DataError as error:
                problems.append(str(error))
                continue
            labels[number] = one.label
            if not problems:  # with a problem nothing will be kept: only look for more of them
                rows.append(_write(folder, one, folds.get(number)))
            if place % 500 == 0:
                say(f"{place} of {len(files)} slices")
        problems += [] if problems else _one_class_folds(folds, labels)
        if problems:
            raise DataError(told(problems, source))
        folder.tabulate(rows)
        folder.describe(_about(rows, allow_missing))
    counts = Counter(row["label"] for row in rows)
    shown = ", ".join(f"{name} {counts[name]}" for name in LABELS.values())
    people = (len({row[column] for row in rows}) for column in ("pid", "person_inferred"))
    say(f"{len(rows)} slices ({shown}), {next(people)} patient ids, {next(people)} people, written to {target}")
    return target


def find_files(source: Path, allow_missing: bool = False) -> tuple[dict[int, Path], list[str]]:
    """Return the numbered files of a release in order, and what is wrong with their numbers. DataError without any."""
    if not source.is_dir():
        raise DataError(f"'{source}' is not a folder; name the one into which the owner's archives were unpacked")
    files: dict[int, Path] = {}
    problems = []
    for path in sorted(source.rglob("*.mat")):
        if not re.fullmatch(r"[1-9]\d*", path.stem):
            continue
        if int(path.stem) in files:
            problems.append(
                f"{path.name}: is there twice, in {files[int(path.stem)].parent.name}/ and {path.parent.name}/"
            )
        files[int(path.stem)] = path
    if not files:
        raise DataError(
            f"'{source}' holds no file named 1.mat, 2.mat ... in itself or below: unpack the owner's archives there"
        )
    missing = sorted(set(range(1, max(files) + 1)) - set(files))
    if missing and not allow_missing:
        shown = ", ".join(map(str, missing[:10])) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        problems.append(
            f"{len(missing)} files are missing (numbers {shown}): unpack all archives, or say --allow-missing"
        )
    return dict(sorted(files.items())), problems


def read_slice(path: Path, number: int) -> Slice:
    """Read and check one file. Raises DataError saying what was found, what was expected and what to do."""
    content = read_hdf5(path, "cjdata", FIELDS)
    code = content["label"].ravel()
    if code.size != 1 or int(code[0]) not in LABELS:
        known = ", ".join(f"{k} {v}" for k, v in LABELS.items())
        raise DataError(
            f"{path.name}: label is {code.tolist()}, expected one of {known}; leave the file out or correct it"
        )
    image, mask = content["image"], content["tumorMask"]
    if image.ndim != 2 or mask.shape != image.shape:
        raise DataError(f"{path.name}: the image is {image.shape} and the mask {mask.shape}; both must be one slice")
    if not np.isin(mask, (0, 1)).all():
        raise DataError(f"{path.name}: tumorMask holds other values than 0 and 1; is it the owner's file?")
    mask = mask == 1
    if not mask.any():
        raise DataError(
            f"{path.name}: tumorMask is empty, but the label says {LABELS[int(code[0])]}; download it again"
        )
    points = np.asarray(content["tumorBorder"], float).reshape(-1, 2)  # x, y after x, y
    far = border_distance(points, mask)
    allowed = NEAR * max(mask.shape) / 512
    if not far <= max(allowed, 1.5):
        raise DataError(
            f"{path.name}: tumorMask is shifted against tumorBorder: half of its {len(points)} points lie {far:.1f} "
            f"pixels or more from the mask's edge, expected {max(allowed, 1.5):.1f} at most; download it again"
        )
    return Slice(number, LABELS[int(code[0])], text_of(content["PID"]), window(image, path), mask, len(points))


def border_distance(points: np.ndarray, mask: np.ndarray) -> float:
    """Median distance in pixels of border points (P, 2), from 1 as in MATLAB, from the edge of a mask; infinite for
    points outside the picture or fewer than three. The owner does not say which coordinate is the row: the order that
    lies nearer counts.
    """
    from scipy.ndimage import distance_transform_edt

    if len(points) < 3:
        return float("inf")
    at = (points - 1).round().astype(int)
    away = np.where(mask, distance_transform_edt(mask) - 1, distance_transform_edt(~mask))
    found = [float("inf")]
    for rows, columns in (at.T, at.T[::-1]):
        inside = (rows >= -1).all() and (columns >= -1).all()
        if inside and (rows <= mask.shape[0]).all() and (columns <= mask.shape[1]).all():
            clipped = rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)
            found.append(float(np.median(away[clipped])))
    return min(found)


def window(image: np.ndarray, path: Path) -> np.ndarray:
    """Scale a slice from its minimum and maximum to 0 and 255, uint8. Raises DataError for a slice of one value."""
    low, high = float(image.min()), float(image.max())
    if high <= low:
        raise DataError(f"{path.name}: every pixel of the image is {low:g}; download it again")
    return np.rint((image.astype(float) - low) / (high - low) * 255).astype(np.uint8)


def person_of(pid: str) -> str:
    """The person whom an id probably stands for: letters behind an MR number mark the same head seen again."""
    base = re.sub(r"^(MR\d+)[A-Za-z]+$", r"\1", pid)
    return JOINED.get(base, base)


def _folds(source: Path, files: dict[int, Path], problems: list[str]) -> dict[int, int]:
    """The owner's fold of every number; problems are added to the list."""
    found = sorted(source.rglob("cvind.mat"))
    if not found:
        problems.append("cvind.mat is missing: the owner's folds come with the archives; put it into the same folder")
        return {}
    try:
        values = read_variable(found[0], "cvind").ravel()
    except DataError as error:
        problems.append(str(error))
        return {}
    if len(values) < max(files):
        problems.append(
            f"cvind.mat: holds {len(values)} folds for files numbered to {max(files)}; is it of this release?"
        )
        return {}
    strange = sorted(set(values.tolist()) - set(range(1, FOLDS + 1)))
    if strange:
        problems.append(f"cvind.mat: holds folds {strange[:5]}, expected 1 to {FOLDS}")
        return {}
    return {number: int(values[number - 1]) for number in files}


def _one_class_folds(folds: dict[int, int], labels: dict[int, str]) -> list[str]:
    """Folds whose slices are all of one class."""
    held: dict[int, set[str]] = {}
    for number, fold in folds.items():
        if number in labels:
            held.setdefault(fold, set()).add(labels[number])
    return [
        f"cvind.mat: fold {fold} holds {next(iter(classes))} only; a fold needs two classes to be tested on"
        for fold, classes in sorted(held.items())
        if len(classes) < 2
    ]


def _write(folder: FolderWriter, one: Slice, fold: int | None) -> dict:
    """Write a slice's image and mask; return its row."""
    name = f"{one.number:04d}_{one.label}.png"
    write_png(folder.path / "images" / name, one.image)
    write_png(folder.path / "masks" / name, one.mask.astype(np.uint8))
    base = re.sub(r"^(MR\d+)[A-Za-z]+$", r"\1", one.pid)
    return {
        "image": f"images/{name}",
        "label": one.label,
        "group": one.pid,
        "mask": f"masks/{name}",
        "fold": fold,
        "pid": one.pid,
        "pid_base": base,
        "person_inferred": person_of(one.pid),
        "mat_id": one.number,
        "width": one.image.shape[1],
        "height": one.image.shape[0],
        "border_points": one.points,
        "mask_area_fraction": f"{one.mask.mean():.6f}",
    }


def _about(rows: list[dict], partly: bool) -> dict:
    """Return dataset.json."""
    counts = Counter(row["label"] for row in rows)
    return {
        "name": "brain_figshare",
        "title": f"Brain tumour dataset of Jun Cheng: {len(rows):,} T1-weighted contrast-enhanced slices, three tumour "
        "types, with tumour outlines",
        "homepage": "https://doi.org/10.6084/m9.figshare.1512427.v5",
        "licence": "CC BY 4.0 (figshare deposit 1512427, as quoted elsewhere)",
        "citation": "Cheng J. brain tumor dataset. figshare, 2017. doi:10.6084/m9.figshare.1512427.v5",
        "classes": {name: counts[name] for name in LABELS.values()},
        "regions": {"1": "tumour"},
        "prepared": "Read from the owner's MATLAB files: each slice scaled from its own minimum and maximum to 8 bits, "
        "at its native size, mask as drawn. group = pid = the owner's patient id; fold = cvind.mat; pid_base strips "
        "the letter behind MR numbers, person_inferred also joins 97607 and 97737, which show one head. The plane of a "
        "slice is not in the release." + (" Some numbers were missing and were allowed to be." if partly else ""),
    }
