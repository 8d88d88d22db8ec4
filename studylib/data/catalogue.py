"""The public image sets that the studies use: where each lies under $STUDYLIB_DATA, whose it is, and how to get it."""

from __future__ import annotations

import difflib
import os
import tomllib
from functools import lru_cache
from pathlib import Path

from studylib.data.dataset import DataError, Dataset, load_dataset

FIELDS = ("title", "study", "images", "group", "homepage", "licence", "citation", "layout", "get", "traps")


def _file() -> Path:
    """Find data/datasets.toml in $STUDYLIB_HOME, in the folder that holds the package, or in what a wheel carries."""
    home = os.environ.get("STUDYLIB_HOME")
    package = Path(__file__).resolve().parents[1]
    root = Path(home).expanduser() if home else package.parent
    path = root / "data" / "datasets.toml"
    if not home and not path.is_file():
        path = package / "_home" / "data" / "datasets.toml"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist: run from a clone of the repository, or set STUDYLIB_HOME to one "
            f"(it is {'set to ' + repr(home) if home else 'not set'})"
        )
    return path


@lru_cache(maxsize=4)
def _read(path: Path) -> dict[str, dict]:
    """Read the table of sets; a set without one of FIELDS is an error."""
    with open(path, "rb") as stream:
        sets = tomllib.load(stream)
    for name, entry in sets.items():
        lacking = [field for field in FIELDS if not entry.get(field)]
        if lacking:
            raise DataError(f"datasets.toml: [{name}] lacks {', '.join(lacking)}")
    return sets


def names() -> list[str]:
    """List the names of the known sets, in the order of datasets.toml."""
    return list(_read(_file()))


def entry(name: str) -> dict:
    """Return what datasets.toml says of a set (FIELDS, one_label_per_group); DataError names the nearest known set."""
    sets = _read(_file())
    if name not in sets:
        near = difflib.get_close_matches(name, sets, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise DataError(f"no dataset is called '{name}' (known: {', '.join(sets)}){hint}")
    return {"one_label_per_group": True, **sets[name]}


def find(name: str) -> Path:
    """Return the folder of a set under $STUDYLIB_DATA; DataError says what to set and how to get the set."""
    about = entry(name)
    how = (
        f"To get '{name}': {about['get']} Home page: {about['homepage']}. Then bring it into the layout of "
        f"data/README.md as $STUDYLIB_DATA/{name}/ (dataset.json, metadata.csv, images/). "
        "Phantoms need no images: DATA=phantom."
    )
    given = os.environ.get("STUDYLIB_DATA", "")
    if not given:
        raise DataError(
            f"real images are asked for, and STUDYLIB_DATA is not set: set it to the folder that holds {name}/. {how}"
        )
    root = Path(given).expanduser()
    if not root.is_dir():
        raise DataError(f"STUDYLIB_DATA is '{given}', which is not a folder. {how}")
    folder = root / name
    if not (folder / "dataset.json").is_file():
        present = [known for known in names() if (root / known / "dataset.json").is_file()]
        state = "has no dataset.json" if folder.is_dir() else "does not exist"
        raise DataError(
            f"{folder} {state} (STUDYLIB_DATA is '{given}' and holds {', '.join(present) or 'no known set'}). {how}"
        )
    return folder


def licence(name: str) -> str:
    """Return the text to print before a set is used: its title, licence, citation and home page."""
    about = entry(name)
    return (
        f"{name}: {about['title']}\n  licence   {about['licence']}\n  cite      {about['citation']}\n"
        f"  home page {about['homepage']}"
    )


def load(name: str, *, group: str | None = None, cache: str | os.PathLike | None = None) -> Dataset:
    """Find and validate a set; `group` defaults to its safe unit, and two labels in a group are allowed where known.

    Raises DataError as `find` and `load_dataset` do.
    """
    about = entry(name)
    return load_dataset(
        find(name),
        group=group or about["group"],
        cache=cache,
        one_label_per_group=None if about["one_label_per_group"] else False,
    )


def listing() -> str:
    """Return the table of sets, one a line: name, study, images, whether it is under $STUDYLIB_DATA, title."""
    given = os.environ.get("STUDYLIB_DATA", "")
    lines = [f"{'name':<20} study {'images':>6}  {'here':<4} title"]
    for name in names():
        about = entry(name)
        here = "yes" if given and (Path(given).expanduser() / name / "dataset.json").is_file() else "no"
        lines.append(f"{name:<20} {about['study']:<5} {about['images']:>6,}  {here:<4} {about['title']}")
    by_hand = [name for name in names() if not {"fetch", "part_of"} & set(entry(name))]
    state = "set" if given else "not set"
    lines.append(
        f"STUDYLIB_DATA is {state}; `python -m studylib data fetch NAME` downloads what needs no log-in (all but "
        f"{', '.join(by_hand) or 'none'}); how to get it by hand: data/datasets.toml"
    )
    return "\n".join(lines)
