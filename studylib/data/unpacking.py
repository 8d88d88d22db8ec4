"""Unpack zip and tar archives from strangers: nothing leaves the folder, nothing grows without end, whole or not."""

from __future__ import annotations

import re
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from studylib.data.transfers import FetchError, size_text

TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
BLOCK = 1 << 20
SHOWN = 5  # at most so many wrong members are named


class UnpackError(FetchError):
    """An archive that is not unpacked; the message names it, the member and what is wrong. Nothing was written."""


class Damaged(UnpackError):
    """An archive whose bytes are not what an archive is: it has to be got again."""


@dataclass(frozen=True)
class Limits:
    """What an archive may grow to: bytes and members in all, and bytes out for a byte in beyond the first `spare`."""

    total: int = 200 << 30
    members: int = 1_000_000
    ratio: int = 100
    spare: int = 256 << 20


def is_archive(name: str) -> bool:
    """Whether `unpack` reads files of this name."""
    return name.lower().endswith((".zip", *TARS))


def stem(name: str) -> str:
    """The name of an archive without its ending: a.tar.gz gives a."""
    return re.sub(r"(\.tar)?\.\w+$", "", name)


def inside(name: str) -> PurePosixPath:
    """The place of a member below the folder that it is unpacked into.

    Raises UnpackError for a name that climbs out: absolute, with `..`, a drive, or characters that hide where it goes.
    """
    text = name.replace("\\", "/")  # as Windows reads it
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or re.match(r"[A-Za-z]:", text) or ".." in parts:
        raise UnpackError(f"'{name}' leaves the folder")
    if any(unicodedata.category(letter) in ("Cc", "Cf") for letter in text):
        raise UnpackError(f"{name!r} holds characters that cannot be seen")
    return PurePosixPath(*parts)


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> int:
    """Unpack a zip or tar archive as `folder`, which must not exist. -> how many files it holds.

    A single folder that holds everything is left out. Links, devices, encrypted members and names that climb out are
    refused, and so is what grows beyond `limits`: by the archive's own directory before anything is written, and by
    count while it is. Raises UnpackError; then `folder` is not there, and nothing beside it.
    """
    limits = limits or Limits()
    if folder.exists():
        raise UnpackError(f"{folder.name}/ exists already; remove it to unpack {archive.name} anew")
    with explained(archive), _beside(folder) as beside:
        read = _unpack_zip if archive.name.lower().endswith(".zip") else _unpack_tar
        files = read(archive, beside, limits)
        if not files:
            raise UnpackError(f"{archive.name}: it holds no file")
        top = list(beside.iterdir())
        (top[0] if len(top) == 1 and top[0].is_dir() else beside).rename(folder)
    return files


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder on the same disk that goes away, whatever happens."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    beside.chmod(0o755)
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def explained(archive: Path) -> Iterator[None]:
    """Turn what libraries say of a damaged archive into one sentence."""
    damaged = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)
    try:
        yield
    except damaged as error:
        raise Damaged(
            f"{archive.name}: the archive is damaged or ends early ({str(error) or 'unexpected end'}); remove it and "
            "fetch it again"
        ) from error
    except NotImplementedError as error:
        raise UnpackError(f"{archive.name}: {error}; unpack it by hand") from error
    except OSError as error:
        if error.errno is None:  # gzip says BadGzipFile, lzma and bz2 plain words
            raise UnpackError(
                f"{archive.name}: the archive is damaged ({error}); remove it and fetch it again"
            ) from error
        raise UnpackError(f"{archive.name}: could not be unpacked: {error.strerror}; nothing was kept") from error


class Growth:
    """Counts what comes out of an archive, and stops at its limits."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self.name, self.packed, self.limits = archive.name, max(1, archive.stat().st_size), limits
        self.bytes = self.members = 0
        self.places: set[str] = set()

    def member(self, name: str, is_file: bool = True) -> PurePosixPath:
        """Take a member in, by name. Raises UnpackError for one that is there twice, whatever its case."""
        self.members += 1
        if self.members > self.limits.members:
            raise UnpackError(f"{self.name}: more than {self.limits.members:,} members; refused as a bomb")
        place = inside(name)
        key = unicodedata.normalize("NFC", str(place)).casefold()
        if is_file:
            if key in self.places:
                raise UnpackError(f"'{name}' is there twice")
            self.places.add(key)
        return place

    def grow(self, number: int) -> None:
        self.bytes += number
        most = min(self.limits.total, self.limits.spare + self.limits.ratio * self.packed)
        if self.bytes > most:
            raise UnpackError(
                f"{self.name}: {size_text(self.packed)} would grow beyond {size_text(most)}; refused as a bomb"
            )

    def copy(self, source: IO[bytes], target: Path, announced: int) -> None:
        """Write a member, counted; one that is longer than it said is refused."""
        target.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with open(target, "xb") as out:
            while block := source.read(BLOCK):
                written += len(block)
                self.grow(len(block))
                if written > announced:
                    raise UnpackError(f"{self.name}: '{target.name}' is longer than the archive says; refused")
                out.write(block)
        if written != announced:
            raise UnpackError(f"{self.name}: '{target.name}' is shorter than the archive says; fetch it again")


def _unpack_zip(archive: Path, folder: Path, limits: Limits) -> int:
    with zipfile.ZipFile(archive) as opened:
        infos, problems, places = opened.infolist(), [], {}
        announced = Growth(archive, limits)
        for info in infos:
            try:
                place = announced.member(info.filename, not info.is_dir())
                if why := _unfit(info):
                    problems.append(f"'{info.filename}' {why}")
            except UnpackError as error:
                if announced.members > limits.members:
                    raise
                problems.append(str(error))
                continue
            if not info.is_dir() and place.parts[0] != "__MACOSX":  # what a Mac adds about every file
                places[info] = place
                announced.grow(info.file_size)
        if problems:
            more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
            raise UnpackError(f"{archive.name}: refused: {'; '.join(problems[:SHOWN])}{more}")
        free = shutil.disk_usage(folder).free
        if announced.bytes > free:
            raise UnpackError(f"{archive.name}: {size_text(announced.bytes)} to unpack, and {size_text(free)} free")
        growth = Growth(archive, limits)
        for info, place in places.items():
            with opened.open(info) as source:
                growth.copy(source, folder / place, info.file_size)
    return len(places)


def _unfit(info: zipfile.ZipInfo) -> str:
    """Why a member is not unpacked; "" for a plain file or folder."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is no plain file"
    return "is encrypted; unpack it by hand with its password" if info.flag_bits & 0x1 else ""


def _unpack_tar(archive: Path, folder: Path, limits: Limits) -> int:
    growth, files = Growth(archive, limits), 0
    with tarfile.open(archive, "r:*") as opened:
        for member in opened:
            try:
                place = growth.member(member.name, member.isreg())
            except UnpackError as error:
                text = str(error)
                raise UnpackError(
                    text if text.startswith(archive.name) else f"{archive.name}: refused: {text}"
                ) from None
            if member.isdir():
                continue
            if not member.isreg():
                kind = "a link" if member.issym() or member.islnk() else "no plain file"
                raise UnpackError(f"{archive.name}: refused: '{member.name}' is {kind}")
            growth.copy(opened.extractfile(member), folder / place, member.size)
            files += 1
    return files
