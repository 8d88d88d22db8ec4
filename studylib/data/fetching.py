"""Fetch an owner's release of a known set: licence first, every file checked, unpacked safely, ready to be imported.

`data/datasets.toml` says where the files of a set are, under [[NAME.fetch]]:

    from       addresses of a folder at the owner's, each tried in turn; or
    dataverse  the DOI of a deposit at the Dataverse `host`, which is asked for addresses and checksums
    files      names, or {name, at (what comes after `from`), md5 or sha256}

A set without that table wants a log-in, or has no address that is known for certain; one with `part_of` is made from
another set's release.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from studylib.data import catalogue
from studylib.data.downloads import Remote, download
from studylib.data.transfers import FetchError, Patience, Say
from studylib.data.unpacking import Damaged, Limits, inside, is_archive, stem, unpack

OTHER_ARCHIVES = (".7z", ".rar")
CHECKSUMS = ("sha256", "md5")


@dataclass
class Release:
    """A fetched release: `folder` is what an importer reads; `by_hand` are archives that nothing here can unpack."""

    folder: Path
    by_hand: list[Path] = field(default_factory=list)


def fetch_release(
    name: str, folder: Path, say: Say = print, patience: Patience | None = None, limits: Limits | None = None
) -> Release:
    """Fetch the files of a set into `folder`/downloads and unpack them into `folder`/release, whole archives at a time.

    What is there and right is not fetched or unpacked again, so a killed or broken run is simply repeated. Raises
    FetchError for a set that must be got by hand, saying how, and for whatever cannot be fetched or unpacked.
    """
    about = catalogue.entry(name)
    if about.get("part_of"):
        return fetch_release(about["part_of"], folder, say, patience, limits)
    say(catalogue.licence(name))
    by_hand_it_is = f"by hand: {about['get']} Home page: {about['homepage']}"
    if not about.get("fetch"):
        raise FetchError(f"'{name}' cannot be fetched by a program; {by_hand_it_is}")
    downloads, release = folder / "downloads", folder / "release"
    by_hand = []
    try:
        for remote in remotes(name, patience):
            path = download(remote, downloads, say, patience)
            if remote.name.lower().endswith(OTHER_ARCHIVES):
                by_hand.append(path)
            else:
                _place(path, release, say, limits, remote.checksum)
    except FetchError as error:
        raise type(error)(f"{error}\nOr {by_hand_it_is}") from error
    release.mkdir(exist_ok=True)
    found = list(release.iterdir())
    whole = found[0] if len(found) == 1 and found[0].is_dir() else release  # a set that is one archive
    return Release(whole, by_hand)


def remotes(name: str, patience: Patience | None = None) -> list[Remote]:
    """The files of a set, as datasets.toml and the owner's repository list them. Raises FetchError for a wrong row."""
    found = []
    for number, row in enumerate(catalogue.entry(name)["fetch"], 1):
        where = f"datasets.toml: [[{name}.fetch]] {number}"
        files = [file if isinstance(file, dict) else {"name": file} for file in row.get("files", ())]
        if not files or ("from" in row) == ("dataverse" in row):
            raise FetchError(f"{where}: expected `files`, and either `from` or `dataverse`")
        if "dataverse" in row:
            found += _deposited(row["host"], row["dataverse"], [file["name"] for file in files], patience)
            continue
        for file in files:
            if unknown := set(file) - {"name", "at", *CHECKSUMS}:
                raise FetchError(f"{where}: unknown {', '.join(sorted(unknown))} (known: name, at, md5, sha256)")
            if len(inside(file["name"]).parts) != 1:
                raise FetchError(f"{where}: '{file['name']}' is no file's name")
            checksum = next((f"{kind}:{file[kind]}" for kind in CHECKSUMS if kind in file), "")
            addresses = tuple(f"{base}{file.get('at', file['name'])}" for base in row["from"])
            found.append(Remote(file["name"], addresses, checksum))
    return found


def _deposited(host: str, doi: str, names: list[str], patience: Patience | None) -> list[Remote]:
    """Files of a Dataverse deposit with its MD5s. A table is asked for as it was deposited: the site's own rewriting
    has another name and no checksum.
    """
    import requests
    from pooch.downloaders import DataverseRepository

    stall = (patience or Patience()).stall
    try:
        deposit = DataverseRepository.initialize(doi, f"{host}/", timeout=stall)
        files = deposit.api_response.json()["data"]["latestVersion"]["files"] if deposit else None
    except (requests.RequestException, ValueError, KeyError) as error:
        raise FetchError(
            f"{host} could not be asked for doi:{doi}: {type(error).__name__}; fetch again later"
        ) from error
    if files is None:
        raise FetchError(f"{host} does not know doi:{doi}, or refuses to say; fetch again later")
    listed = {stem(file["dataFile"]["filename"]): file["dataFile"] for file in files}
    if lacking := [name for name in names if stem(name) not in listed]:
        raise FetchError(f"doi:{doi} holds no {', '.join(lacking)} (it holds {', '.join(sorted(listed))})")
    found = []
    for name in names:
        file = listed[stem(name)]
        table = bool(file.get("tabularData") or file.get("originalFileFormat"))
        address = f"{host}/api/access/datafile/{file['id']}{'?format=original' if table else ''}"
        checksum = f"md5:{file['md5']}" if file.get("md5") and not table else ""
        found.append(Remote(name, (address,), checksum))
    return found


def _place(path: Path, release: Path, say: Say, limits: Limits | None, checksum: str) -> None:
    """Unpack an archive as a folder of its name, or copy a plain file; neither again for the same bytes. A damaged one
    that nothing vouched for is not kept, so that it is fetched anew.
    """
    release.mkdir(parents=True, exist_ok=True)
    if not is_archive(path.name):
        beside = release / f".{path.name}.part"
        shutil.copyfile(path, beside)
        beside.replace(release / path.name)
        return
    folder, done = release / stem(path.name), path.with_name(f"{path.name}.unpacked")
    mark = f"{path.stat().st_size} {path.stat().st_mtime_ns}"
    if folder.is_dir() and done.is_file() and done.read_text() == mark:
        return
    shutil.rmtree(folder, ignore_errors=True)  # of other bytes, or its mark is gone
    done.unlink(missing_ok=True)
    try:
        files = unpack(path, folder, limits)
    except Damaged:
        if not checksum:
            path.unlink()
            path.with_name(f"{path.name}.sha256").unlink(missing_ok=True)
        raise
    done.write_text(mark)
    say(f"  unpacked: {files:,} files")


def fetch_and_say(name: str, folder: Path, importers: set[str], say: Say = print) -> list[str]:
    """Fetch a set and say what to do next. -> [importer, folder] for `data import`, [] where a hand is needed first."""
    release = fetch_release(name, folder, say)
    importer = catalogue.entry(name).get("part_of", name)
    for archive in release.by_hand:
        say(f"unpack by hand, with 7-Zip or the like: 7z x -o'{release.folder}' '{archive}'")
    if importer not in importers:
        say(f"fetched into {release.folder}; no importer reads it: bring it into the layout of data/README.md")
        return []
    then = "" if importer == name else f" --to $STUDYLIB_DATA/{name}"
    when = "then" if release.by_hand else "fetched; next"
    say(f"{when}: python -m studylib data import {importer} '{release.folder}'{then}")
    return [] if release.by_hand else [importer, str(release.folder)]
