"""What `python -m studylib data …` does: list the known sets, fetch and import a release, check a folder."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments; nothing heavy is imported."""
    parser.add_argument("what", choices=("list", "check", "layout", "fetch", "import"))
    parser.add_argument(
        "where", nargs="*", metavar="NAME FOLDER",
        help="for check: a folder in our layout; for layout: your images, one folder a class; for fetch: a set's name; "
        "for import: that and the folder of its unpacked release",
    )  # fmt: skip
    parser.add_argument(
        "--to", metavar="FOLDER",
        help="for import: the folder to write (default $STUDYLIB_DATA/NAME); for fetch: where downloads and the "
        "unpacked release go (default $STUDYLIB_DATA/releases/NAME)",
    )  # fmt: skip
    parser.add_argument("--group", default="group", metavar="COLUMN", help="for check: patient, lesion or slide")
    parser.add_argument("--masks", metavar="FOLDER", help="for layout: masks of the same names, 0 is the rest")
    parser.add_argument(
        "--group-pattern", default="", metavar="REGEX", help="for layout: its (…) in a file's name is the group"
    )
    parser.add_argument(
        "--import", action="store_true", dest="then_import", help="for fetch: import the release when it is there"
    )
    parser.add_argument("--allow-missing", action="store_true", help="for import: files may be missing")
    parser.add_argument(
        "--threshold", type=int, metavar="N", help="for import of skin lesions: masks are lesion above N, 0 to 254"
    )


def run(asked: argparse.Namespace) -> int:
    """Do what was asked. -> exit status; errors of the user's making are raised as DataError."""
    return {"list": _list, "check": _check, "fetch": _fetch, "import": _import, "layout": _layout}[asked.what](asked)


def _say(line: str) -> None:
    print(line, flush=True)


def _list(asked: argparse.Namespace) -> int:
    from studylib.data.catalogue import listing

    print(listing())
    return 0


def _check(asked: argparse.Namespace) -> int:
    if len(asked.where) != 1:
        print("data check: name a folder that holds dataset.json and metadata.csv", file=sys.stderr)
        return 2
    from studylib.data.dataset import load_dataset
    from studylib.data.inspection import inspection

    print(inspection(load_dataset(Path(asked.where[0])), asked.group))
    return 0


def _layout(asked: argparse.Namespace) -> int:
    if len(asked.where) != 1 or not asked.to:
        print("data layout: name a folder that holds CLASS/IMAGE, and with --to the folder to write", file=sys.stderr)
        return 2
    from studylib.data.from_folders import lay_out

    masks = Path(asked.masks) if asked.masks else None
    lay_out(Path(asked.where[0]), Path(asked.to), masks=masks, group_pattern=asked.group_pattern, say=_say)
    print(f"next: python -m studylib data check {asked.to}")
    return 0


def _fetch(asked: argparse.Namespace) -> int:
    from studylib.data.fetching import fetch_and_say
    from studylib.data.importers.registry import IMPORTERS

    if len(asked.where) != 1:
        print("data fetch: name one set; `python -m studylib data list` shows them", file=sys.stderr)
        return 2
    name, given = asked.where[0], os.environ.get("STUDYLIB_DATA", "")
    if not given and (asked.then_import or not asked.to):
        print("data fetch: set STUDYLIB_DATA, or say --to FOLDER (without --import)", file=sys.stderr)
        return 2
    folder = Path(asked.to).expanduser() if asked.to else Path(given).expanduser() / "releases" / name
    target = Path(given).expanduser() / name
    if asked.then_import and target.exists():
        print(f"data fetch: {name}/ is in STUDYLIB_DATA already; nothing was fetched", file=sys.stderr)
        return 2
    found = fetch_and_say(name, folder, set(IMPORTERS), say=_say)
    if not asked.then_import:
        return 0
    if not found:
        print("data fetch: not imported, a hand is needed first as said above", file=sys.stderr)
        return 1
    asked.where, asked.to = found, target
    return _import(asked)


def _import(asked: argparse.Namespace) -> int:
    from studylib.data import catalogue
    from studylib.data.importers.registry import IMPORTERS, import_release

    if len(asked.where) != 2:
        known = ", ".join(IMPORTERS)
        print(f"data import: name a set ({known}) and the folder of its unpacked release", file=sys.stderr)
        return 2
    name, source = asked.where
    given = os.environ.get("STUDYLIB_DATA", "")
    if not asked.to and not given:
        print("data import: say where to write with --to FOLDER, or set STUDYLIB_DATA", file=sys.stderr)
        return 2
    target = asked.to or Path(given).expanduser() / name
    import_release(name, source, target, allow_missing=asked.allow_missing, threshold=asked.threshold, say=_say)
    print(catalogue.licence(name))
    return 0
