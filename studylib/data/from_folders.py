"""From a folder of images, one folder a class, to the layout that everything reads. Copies; the source stays."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from studylib.data.dataset import DataError, load_dataset
from studylib.data.folder import FolderWriter, write_png
from studylib.data.images import read_image
from studylib.data.parts import PART_WORDS
from studylib.data.transforms import to_grey

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def lay_out(
    source: Path, target: Path, *, masks: Path | None = None, group_pattern: str = "", region: str = "object",
    say: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Write `target` from `source`/CLASS/IMAGE: dataset.json, metadata.csv, images/ and masks/, whole or not at all.

    masks: a folder that holds CLASS/IMAGE or IMAGE, same name, any image suffix; every value above 0 becomes 1. Folders
    named train, validation and test above the classes become the column `split`. group_pattern: a regular expression
    whose first group, found in the file's name, is the patient, lesion or slide; without it every image is its own.
    Raises DataError for a source without classes, an image that cannot be read, a name that the pattern does not fit.
    """
    found = _found(source)
    pattern = _pattern(group_pattern)
    classes = list(dict.fromkeys(label for _, label, _ in found))
    if len(classes) < 2:
        raise DataError(
            f"{source.name}: {len(classes)} folders with images; expected one folder a class, "
            f"{source.name}/CLASS/IMAGE{_hint(source)}"
        )
    groups = [_group(path, pattern, group_pattern) for path, _, _ in found]
    parts = sorted({part for _, _, part in found if part})
    with _whole(target) as folder:
        rows = []
        for number, ((path, label, part), group) in enumerate(zip(found, groups, strict=True), 1):
            stem = "_".join(text for text in (part, label, path.stem) if text)
            name = f"images/{re.sub(r'[^A-Za-z0-9._-]+', '-', stem)}{path.suffix.lower()}"
            if any(row["image"] == name for row in rows[-50:]) or (folder.path / name).exists():
                raise DataError(f"{path.name}: two images of class {label} would be called {name}; rename one")
            shutil.copyfile(path, folder.path / name)
            row = {"image": name, "label": label, "group": group or f"image_{number:05d}"}
            row |= {"split": part} if parts else {}
            row |= {"mask": _mask(path, label, masks, folder.path, Path(name).stem)} if masks else {}
            rows.append(row)
            if number % 500 == 0:
                say(f"{number} of {len(found)} images copied")
        folder.tabulate(rows)
        one = {label: {row["group"] for row in rows if row["label"] == label} for label in classes}
        mixed = sum(len(one[a] & one[b]) for i, a in enumerate(classes) for b in classes[i + 1 :])
        about = {"homepage": "", "licence": "not to be passed on", "citation": "", "one_label_per_group": not mixed}
        regions = {"regions": {"1": region}} if masks else {}
        folder.describe({"name": target.name, "title": target.name, "classes": classes} | regions | about)
        load_dataset(folder.path)  # what would be refused later is refused now, and nothing is left behind
    say(f"{len(rows)} images of {len(classes)} classes in {target.name}/; your own folder was not changed")
    if not group_pattern:
        say(
            "mind: every image is a group of its own. Where two show one patient, lesion or slide, intervals are too "
            "narrow and a split leaks: say with --group-pattern which part of the name it is, as in '^(P[0-9]+)_'"
        )


def _found(source: Path) -> list[tuple[Path, str, str]]:
    """(file, class, part) of every image, in order; part is "" where there are no such folders."""
    if not source.is_dir():
        raise DataError(f"{source.name}: there is no such folder")
    below = sorted(path for path in source.iterdir() if path.is_dir())
    parts = {path: PART_WORDS[path.name.lower()] for path in below if path.name.lower() in PART_WORDS}
    roots = [(path, part) for path, part in parts.items()] if parts and len(parts) == len(below) else [(source, "")]
    found = []
    for root, part in roots:
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
            found += [(path, folder.name, part) for path in files]
    return found


def _hint(source: Path) -> str:
    loose = sum(path.suffix.lower() in SUFFIXES for path in source.iterdir())
    return f"; {loose} images lie beside the folders" if loose else ""


def _pattern(text: str) -> re.Pattern | None:
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f"--group-pattern '{text}' is no regular expression: {error}") from error
    if not pattern.groups:
        raise DataError(f"--group-pattern '{text}' has no (…): put round brackets around what names the group")
    return pattern


def _group(path: Path, pattern: re.Pattern | None, text: str) -> str:
    if pattern is None:
        return ""
    match = pattern.search(path.name)
    if not match or not match[1]:
        raise DataError(f"{path.name}: --group-pattern '{text}' finds no group in this name")
    return match[1]


def _mask(path: Path, label: str, masks: Path, target: Path, stem: str) -> str:
    """Copy the mask of an image as values 0 and 1; "" where there is none."""
    places = [masks / label / path.stem, masks / path.stem]
    files = [place.with_name(place.name + suffix) for place in places for suffix in SUFFIXES]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return ""
    name = f"masks/{stem}.png"
    write_png(target / name, (to_grey(read_image(file)) > 0).astype("uint8"))
    return name


def _whole(target: Path) -> FolderWriter:
    if target.exists() and any(target.iterdir()):
        raise DataError(f"{target.name} is there and not empty: name another folder with --to")
    if target.exists():
        target.rmdir()
    return FolderWriter(target)
