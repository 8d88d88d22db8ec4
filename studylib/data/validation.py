"""A dataset folder against its layout: every problem at once, each with file and row (row 1 is the header)."""

from __future__ import annotations

import csv
import difflib
import json
import os
import posixpath
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from studylib.data.images import DataError, inspect_file, unknown_values, unknown_values_text

NEEDED = ("image", "label", "group")
RESERVED = ("file", "mask_file")  # columns that load_dataset adds
LAYOUT = "a dataset folder holds dataset.json, metadata.csv (image,label,group[,mask]) and images/: see data/README.md"
SUGGESTIONS = 20  # the nearest file name is looked up for so many missing files: it is slow in a folder of thousands


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """Return "; nearest: 'x'" for the known name that looks most like `word`, or nothing."""
    found = difflib.get_close_matches(word, known, n=1) or difflib.get_close_matches(
        word.strip().casefold(), known, n=1, cutoff=0.8
    )
    return f"; nearest: '{found[0]}'" if found else ""


def read_description(folder: Path) -> tuple[dict, list[str], dict[int, str], list[str]]:
    """Read dataset.json; return it, its classes in order, its regions by number, and the problems found."""
    try:
        info = json.loads((folder / "dataset.json").read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}, [], {}, [f"dataset.json is missing: {LAYOUT}"]
    except json.JSONDecodeError as error:
        return {}, [], {}, [f"dataset.json line {error.lineno} column {error.colno}: not JSON ({error.msg})"]
    except (OSError, UnicodeDecodeError) as error:
        return {}, [], {}, [f"dataset.json cannot be read as UTF-8 text ({error})"]
    if not isinstance(info, dict):
        return {}, [], {}, [f"dataset.json: an object {{…}} is expected, not {type(info).__name__}"]
    problems = []
    classes = info.get("classes")
    names = list(classes) if isinstance(classes, list | dict) else []
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        problems.append(
            "dataset.json: 'classes' must list the class names, each once, or count images by name"
            + ("" if "classes" in info else nearest("classes", list(info)))
        )
        names = []
    regions: dict[int, str] = {}
    given = info.get("regions", {})
    if not isinstance(given, dict):
        problems.append('dataset.json: \'regions\' must name the values of the masks, such as {"1": "tumour"}')
        given = {}
    for key, meaning in given.items():
        if key.isascii() and key.isdigit() and int(key) <= 255:
            regions[int(key)] = str(meaning)
        else:
            problems.append(f"dataset.json: region '{key}' is not a whole number from 0 to 255")
    if not isinstance(info.get("one_label_per_group", True), bool):
        problems.append("dataset.json: 'one_label_per_group' must be true or false")
    return info, names, regions, problems


def read_metadata(folder: Path, needed: tuple[str, ...]) -> tuple[pd.DataFrame, list[int], list[str]]:
    """Read metadata.csv with every value as text; return the table, the row of each record in the file, and problems.

    The table is empty where the file or a needed column is missing.
    """
    empty: tuple[pd.DataFrame, list[int]] = (pd.DataFrame(), [])
    try:
        with open(folder / "metadata.csv", encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream))
    except FileNotFoundError:
        return *empty, [f"metadata.csv is missing: {LAYOUT}"]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return *empty, [f"metadata.csv cannot be read as UTF-8 text with commas ({error})"]
    header = lines[0] if lines else []
    problems = [
        f"metadata.csv row 1: the column '{name}' is missing (found: {', '.join(header) or 'nothing'})"
        + nearest(name, [other for other in header if other not in needed])
        for name in needed
        if name not in header
    ]
    problems += [f"metadata.csv row 1: column '{name}' occurs twice" for name in _repeated(header)]
    problems += [
        f"metadata.csv row 1: column '{name}' is a name that studylib fills in itself; rename it"
        for name in RESERVED
        if name in header
    ]
    if problems:
        return *empty, problems
    records, rows = [], []
    for row, fields in enumerate(lines[1:], start=2):
        if len(fields) == len(header):
            records.append(fields)
            rows.append(row)
        elif fields:  # an empty line is no record
            problems.append(
                f"metadata.csv row {row}: {len(fields)} fields, the header has {len(header)} (a comma inside a value "
                'needs "quotes")'
            )
    if not records and not problems:
        problems.append("metadata.csv has a header and no rows")
    return pd.DataFrame(records, columns=header, dtype=str), rows, problems


def _repeated(values) -> list[str]:
    """List the values that occur more than once, in order of first repetition."""
    seen: set[str] = set()
    again = [value for value in values if value in seen or seen.add(value)]
    return list(dict.fromkeys(again))


def check_table(table, rows, classes, group, one_label_per_group) -> list[str]:
    """List unknown labels, empty groups, repeated rows and images, and groups with two labels."""
    problems = []
    for row, label in zip(rows, table["label"], strict=True):
        if classes and label not in classes:
            known = ", ".join(classes)
            problems.append(
                f"metadata.csv row {row}: label '{label}' is not a class ({known}){nearest(label, classes)}"
            )
    for column in dict.fromkeys(("group", group)):
        for row, value in zip(rows, table[column], strict=True):
            if not value.strip():
                problems.append(
                    f"metadata.csv row {row}: '{column}' is empty; an image that stands alone gets a group of its own"
                )
    first: dict[str, int] = {}
    whole = ["\x1f".join(values) for values in table.itertuples(index=False, name=None)]
    for i, (row, image) in enumerate(zip(rows, table["image"], strict=True)):
        path = posixpath.normpath(image)
        if path in first:
            same = whole[rows.index(first[path])] == whole[i]
            what = "the same row" if same else f"the same image '{image}'"
            problems.append(f"metadata.csv row {row}: {what} as row {first[path]}; keep one")
        else:
            first[path] = row
    if one_label_per_group:
        for value, shown in _mixed(table, rows, group, "label"):
            problems.append(
                f"metadata.csv: {group} '{value}' has the labels {shown}; "
                'if that is meant, set "one_label_per_group": false in dataset.json'
            )
    if {"original", "augmented"} <= set(table.columns):
        for value, shown in _mixed(table, rows, "original", group):
            problems.append(f"metadata.csv: copies of '{value}' are in several groups ({group}): {shown}")
    return problems


def _mixed(table, rows, by: str, column: str) -> list[tuple[str, str]]:
    """List the values of `by` (not empty) that occur with several values of `column`, and the first row of each."""
    pairs = table[[by, column]].drop_duplicates()
    pairs = pairs[(pairs[by].str.strip() != "") & pairs[by].duplicated(keep=False)]
    return [
        (value, ", ".join(f"'{x}' (row {rows[i]})" for i, x in part[column].items()))
        for value, part in pairs.groupby(by, sort=False)
    ]


class Paths:
    """Resolves the paths of metadata.csv inside one dataset folder, and says why one is refused."""

    def __init__(self, folder: Path):
        self.root = os.path.realpath(folder)
        self._parents: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        self._suggested = 0

    def locate(self, value: str) -> tuple[str, os.stat_result]:
        """Return the absolute path of a relative one and its status; DataError for a path out or a missing file."""
        if not value.strip():
            raise DataError("the path is empty")
        windows = PureWindowsPath(value)
        out = PurePosixPath(value).is_absolute() or windows.drive or windows.root
        if out or ".." in PurePosixPath(value).parts or ".." in windows.parts:
            raise DataError(f"'{value}' leaves the dataset folder; write a path relative to it, without '..'")
        path = os.path.join(self.root, value)
        parent = os.path.dirname(path)
        if parent not in self._parents:
            self._parents[parent] = os.path.realpath(parent)
        try:
            status = os.lstat(path)
            real = os.path.join(self._parents[parent], os.path.basename(path))
            if not os.path.samestat(status, os.stat(path)):  # a symbolic link
                real, status = os.path.realpath(path), os.stat(path)
        except (OSError, ValueError):  # ValueError: a NUL character in the path
            raise DataError(f"'{value}' does not exist{self._suggest(value, parent)}") from None
        if not real.startswith(self.root + os.sep):
            raise DataError(f"'{value}' leaves the dataset folder by a symbolic link; copy the file into it")
        return path, status

    def _suggest(self, value: str, parent: str) -> str:
        """Name the nearest file in the same folder, for the first SUGGESTIONS missing files."""
        if "\\" in value:
            return "; paths are written with '/'"
        if parent not in self._names:
            self._names[parent] = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
        self._suggested += 1
        if self._suggested > SUGGESTIONS:
            return ""
        return nearest(os.path.basename(value), self._names[parent])


def check_files(
    folder: Path, table, rows, regions, known: dict
) -> tuple[list[dict], list[dict | None], dict, list[str]]:
    """Check every image and mask; return the facts of both for each row, all facts by path, and problems.

    known: facts of an earlier run by "kind path"; a file whose size and time are unchanged is not opened again.
    """
    paths, problems, jobs, facts = Paths(folder), [], {}, {}
    masks = table["mask"] if "mask" in table else [""] * len(table)
    keys: list[list[str | None]] = []
    for row, image, mask in zip(rows, table["image"], masks, strict=True):
        pair: list[str | None] = []
        for kind, value in (("image", image), ("mask", mask)):
            key = f"{kind} {value}" if value or kind == "image" else None
            pair.append(key)
            if key is None or key in facts or key in jobs:
                continue
            try:
                path, status = paths.locate(value)
            except DataError as error:
                problems.append((row, f"metadata.csv row {row}: {kind} {error}"))
                continue
            stamp = [status.st_size, status.st_mtime_ns]
            if known.get(key, {}).get("stamp") == stamp:
                facts[key] = {**known[key], "path": path}
            else:
                jobs[key] = (row, kind, value, path, stamp)
        keys.append(pair)

    def run(job):
        row, kind, value, path, stamp = job
        try:
            return {**inspect_file(path, kind), "stamp": stamp, "path": path}
        except DataError as error:
            return row, f"metadata.csv row {row}: {kind} '{value}' {error}"

    with ThreadPoolExecutor(2) as pool:  # Pillow decodes outside Python's lock
        for key, result in zip(jobs, pool.map(run, jobs.values()), strict=True):
            if isinstance(result, dict):
                facts[key] = result
            else:
                problems.append(result)
    for row, (image, mask) in zip(rows, keys, strict=True):
        problems += [(row, f"metadata.csv row {row}: {text}") for text in _mask_problems(facts, image, mask, regions)]
    _warn_of_dark(facts)
    problems.sort(key=lambda found: found[0])
    found = [(facts.get(image), facts.get(mask) if mask else None) for image, mask in keys]
    return [a for a, _ in found], [b for _, b in found], facts, [text for _, text in problems]


def _mask_problems(facts: dict, image: str | None, mask: str | None, regions: dict[int, str]) -> list[str]:
    """Compare one mask's size with its image's, and its values with the regions."""
    if mask is None or mask not in facts:
        return []
    name, its, texts = mask.removeprefix("mask "), facts[mask], []
    of = facts.get(image)
    if of and (of["height"], of["width"]) != (its["height"], its["width"]):
        texts.append(
            f"mask '{name}' is {its['height']} x {its['width']} (height x width), its image "
            f"{of['height']} x {of['width']} as a viewer shows it"
        )
    one_region = its["one_bit"] and len(set(regions) - {0}) == 1
    unknown = [] if one_region else unknown_values(its["values"], regions)
    if unknown:
        texts.append(f"mask '{name}' {unknown_values_text(unknown, regions)}")
    return texts


def _warn_of_dark(facts: dict) -> None:
    """Warn of 16-bit images that hold 12 bits or fewer: by their full range they are nearly black and lose levels."""
    dark = [key.removeprefix("image ") for key, its in facts.items() if 0 < its["top"] < 4096]
    if dark:
        warnings.warn(
            f"{len(dark)} 16-bit images hold no value above 4,095 and are shown nearly black (first: {dark[0]}); "
            "save 8 bits with the window that a reader should see",
            stacklevel=4,
        )
