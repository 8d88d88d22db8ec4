"""A dataset folder in memory: its table, classes and regions, its images and masks on demand, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.data.images import MAX_PIXELS, DataError, read_image, read_mask
from studylib.data.validation import LAYOUT, NEEDED, check_files, check_table, nearest, read_description, read_metadata

__all__ = ["DataError", "Dataset", "join_datasets", "load_dataset", "read_image", "read_mask"]
CACHE_FORMAT = 1  # of the stored facts; raised when what is checked changes


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with a label and a group each; rows are numbered 0..N-1 in the order of the table.

    table: the columns of metadata.csv as text, `file` (absolute path) and `mask_file` (absolute path or "").
    fingerprint: 16 hexadecimal digits of SHA-256 over classes, regions, table (without the absolute paths) and bytes of
    every file; `digests` are the files' own, image and mask of each row.
    """

    name: str
    info: dict
    table: pd.DataFrame
    classes: list[str]
    regions: dict[int, str]
    fingerprint: str = ""
    digests: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self):
        if len(self.digests) != len(self.table):
            raise ValueError(f"{len(self.digests)} digests for {len(self.table)} rows")
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", _fingerprint(self))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.table)

    @property
    def first_region(self) -> int:
        """The value of the first region that masks hold, background (0) apart; 1 where none is named."""
        return min((value for value in self.regions if value), default=1)

    def labels(self) -> np.ndarray:
        """Return each row's class as an index into `classes`, int64 (N,)."""
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index[label] for label in self.table["label"]], dtype=np.int64)

    def groups(self, column: str = "group") -> np.ndarray:
        """Return each row's value in `column` as text (N,); KeyError names the nearest column."""
        if column not in self.table:
            known = list(self.table.columns)
            raise KeyError(f"{self.name} has no column '{column}' (it has {', '.join(known)}){nearest(column, known)}")
        return np.asarray(self.table[column].tolist(), dtype=str)

    def copies(self) -> np.ndarray:
        """Return which rows are augmented copies (column `augmented` is "1"), bool (N,); none without that column."""
        if "augmented" not in self.table:
            return np.zeros(len(self), dtype=bool)
        return self.groups("augmented") == "1"

    def image(self, i: int) -> np.ndarray:
        """Read image i as a viewer would show it: uint8 (H, W) or (H, W, 3)."""
        return read_image(self.table["file"].iat[i])

    def mask(self, i: int) -> np.ndarray | None:
        """Read the mask of image i, uint8 (H, W) with values of `regions`; None where the table names none."""
        path = self.table["mask_file"].iat[i]
        return read_mask(path, self.regions) if path else None

    def relabelled(self, names: Mapping[str, str]) -> Dataset:
        """Return the dataset with its classes renamed, several of them to one if need be; the fingerprint follows.

        names: class -> new name, in whose order the new classes stand. Raises KeyError for a class that it lacks.
        """
        lacking = [name for name in self.classes if name not in names]
        if lacking:
            raise KeyError(f"{self.name}: nothing says what class '{lacking[0]}' is called (known: {', '.join(names)})")
        table = self.table.assign(label=[names[label] for label in self.table["label"]])
        classes = list(dict.fromkeys(new for old, new in names.items() if old in self.classes))
        return replace(self, table=table, classes=classes, fingerprint="")

    def select(self, rows: Sequence[int] | np.ndarray) -> Dataset:
        """Return the dataset of some rows, given as indices or as bool (N,); the fingerprint follows the rows."""
        rows = np.asarray(rows)
        if rows.dtype == bool:
            if rows.shape != (len(self),):
                raise ValueError(f"a boolean selection of shape {rows.shape} for {len(self)} images")
            rows = np.flatnonzero(rows)
        rows = rows.astype(np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows from {rows.min()} to {rows.max()} asked of {len(self)} images")
        table = self.table.iloc[rows].reset_index(drop=True)
        return replace(self, table=table, digests=tuple(self.digests[row] for row in rows), fingerprint="")


def _fingerprint(dataset: Dataset) -> str:
    """Hash classes, regions, the table without absolute paths, and the files' digests."""
    table = dataset.table.drop(columns=["file", "mask_file"])
    head = [dataset.classes, sorted(dataset.regions.items()), list(table.columns)]
    total = hashlib.sha256(json.dumps(head, ensure_ascii=False).encode())
    for values, digest in zip(table.itertuples(index=False, name=None), dataset.digests, strict=True):
        total.update("\x1f".join((*values, digest, "\n")).encode(errors="surrogatepass"))
    return total.hexdigest()[:16]


def load_dataset(
    path: str | os.PathLike,
    *,
    group: str = "group",
    cache: str | os.PathLike | None = None,
    one_label_per_group: bool | None = None,
) -> Dataset:
    """Read and validate a dataset folder in the layout of data/README.md; every image is decoded once.

    group: the column that splits will use (it must exist, be filled, and have one label a group unless
    `one_label_per_group` is false, here or in dataset.json). cache: a folder where facts about the files are kept;
    files whose size and time have not changed are not opened again. Raises DataError that lists every problem, each
    with its row of metadata.csv (row 1 is the header).
    """
    folder = Path(path)
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise DataError([f"{what}: {LAYOUT}"], str(folder))
    info, classes, regions, problems = read_description(folder)
    table, rows, found = read_metadata(folder, tuple(dict.fromkeys((*NEEDED, group))))
    problems += found
    if len(table):
        if one_label_per_group is None:
            one_label_per_group = info.get("one_label_per_group", True) is not False
        problems += check_table(table, rows, classes, group, one_label_per_group)
        store = None if cache is None else Path(cache) / f"{_key(folder)}.json"
        known = _read_facts(store)
        images, masks, facts, found = check_files(folder, table, rows, regions, known)
        problems += found
        if facts != known:
            _write_facts(store, facts)
    if problems:
        raise DataError(problems, str(folder))
    table["file"] = [its["path"] for its in images]
    table["mask_file"] = [its["path"] if its else "" for its in masks]
    digests = tuple(a["digest"] + ("+" + b["digest"] if b else "") for a, b in zip(images, masks, strict=True))
    return Dataset(str(info.get("name") or folder.resolve().name), info, table, classes, regions, digests=digests)


def _key(folder: Path) -> str:
    """Name the stored facts of a folder by its absolute path."""
    return hashlib.sha256(os.path.realpath(folder).encode(errors="surrogateescape")).hexdigest()[:16]


def _read_facts(store: Path | None) -> dict:
    """Return what an earlier run found out about each file; nothing where there is none, or its record is damaged."""
    if store is None:
        return {}
    try:
        stored = json.loads(store.read_text(encoding="utf-8"))
        return stored["facts"] if stored["format"] == [CACHE_FORMAT, MAX_PIXELS] else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_facts(store: Path | None, facts: dict) -> None:
    """Keep the facts for the next run, whole or not at all; a folder that cannot be written costs time, not the run."""
    if store is None:
        return
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=store.parent, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump({"format": [CACHE_FORMAT, MAX_PIXELS], "facts": facts}, stream)
            os.replace(temporary, store)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        warnings.warn(f"the cache of the dataset could not be written ({error.strerror}); going on", stacklevel=3)


def join_datasets(name: str, datasets: Sequence[Dataset]) -> Dataset:
    """Put datasets of the same classes together, rows one after another, with each one's name in a column `source`.

    Columns that one of them lacks are "" in its rows; a column `source` that one already has becomes `source_given`.
    Where two sets have an image of the same name, every `image` gets its set's name in front. Groups of the same name
    are one group. Raises DataError when classes or regions disagree, a set is given twice, or such a group has two
    labels.
    """
    if not datasets:
        raise ValueError("no datasets to join")
    first, regions, problems = datasets[0], {}, []
    for dataset in datasets:
        if dataset.classes != first.classes:
            problems.append(f"{dataset.name} has classes {dataset.classes}, {first.name} has {first.classes}")
        for value, meaning in dataset.regions.items():
            if regions.setdefault(value, meaning) != meaning:
                problems.append(f"{dataset.name} calls region {value} '{meaning}', another set '{regions[value]}'")
    parts = []
    for dataset in datasets:
        table = dataset.table.rename(columns={"source": "source_given"})
        table["source"] = dataset.name
        parts.append(table)
    table = pd.concat(parts, ignore_index=True).fillna("")
    if table["image"].duplicated().any():
        table["image"] = table["source"] + "/" + table["image"]
    twice = table["file"][table["file"].duplicated()]
    if len(twice):
        problems.append(f"{len(twice)} files are in two of the sets (first: {twice.iloc[0]})")
    one_label = all(d.info.get("one_label_per_group", True) is not False for d in datasets)
    for value, part in table.groupby("group", sort=False) if one_label else ():
        if part["label"].nunique() > 1:
            where = ", ".join(f"{row.label} in {row.source}" for row in part.drop_duplicates("label").itertuples())
            problems.append(f"group '{value}' is {where}; rename the groups if they are not the same")
    if problems:
        raise DataError(problems, f"joining {name}")
    info = {
        "name": name,
        "title": " + ".join(str(d.info.get("title", d.name)) for d in datasets),
        "licence": " | ".join(f"{d.name}: {d.info.get('licence', 'not stated')}" for d in datasets),
        "citation": " | ".join(dict.fromkeys(str(d.info.get("citation", "")) for d in datasets)),
        "joined": [d.name for d in datasets],
        "classes": list(first.classes),
        "regions": {str(value): meaning for value, meaning in sorted(regions.items())},
        "one_label_per_group": one_label,
    }
    digests = tuple(digest for d in datasets for digest in d.digests)
    return Dataset(name, info, table, list(first.classes), dict(sorted(regions.items())), digests=digests)
