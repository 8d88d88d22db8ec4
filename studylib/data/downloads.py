"""A file of an owner's release: fetched once, checked against its checksum, in place whole or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from studylib.data.dataset import DataError
from studylib.data.transfers import FetchError, Patience, Refused, Resuming, Say, host, size_text


@dataclass(frozen=True)
class Remote:
    """A file to fetch: its name here, addresses that hold the same bytes, and the checksum that they must have, "md5:…"
    or "sha256:…", "" where none is known.
    """

    name: str
    addresses: tuple[str, ...]
    checksum: str = ""


def download(remote: Remote, folder: Path, say: Say, patience: Patience | None = None) -> Path:
    """Fetch a file into `folder` unless it is there and right. -> its path.

    Where no checksum is known, the SHA-256 of what came is said, kept as NAME.sha256, and compared from then
    on. Raises FetchError where every address fails or the bytes are wrong; a part that came is kept as NAME.part.
    """
    import pooch

    pooch.get_logger().setLevel("CRITICAL")  # what it would say is said here, without paths
    folder.mkdir(parents=True, exist_ok=True)
    target, note = folder / remote.name, folder / f"{remote.name}.sha256"
    noted = note.read_text(encoding="utf-8").split()[:1] if note.is_file() else []
    expected = remote.checksum or (f"sha256:{noted[0]}" if noted else None)
    was_here, refusals = target.is_file(), []
    for address in remote.addresses:
        fetcher = Resuming(folder, remote.name, expected, say, patience or Patience())
        try:
            pooch.retrieve(address, known_hash=expected, fname=remote.name, path=folder, downloader=fetcher)
            break
        except Refused as error:  # another address may hold it
            refusals.append(str(error))
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise FetchError(_wrong_bytes(remote, address, expected, error, bool(remote.checksum))) from error
    else:
        raise FetchError("\n".join(refusals))
    _vouch(remote, target, note, say, was_here and not fetcher.asked)
    return target


def _wrong_bytes(remote: Remote, address: str, expected: str, error: ValueError, published: bool) -> str:
    got = re.search(r"but got ([0-9a-f]+)", str(error))
    whose = "expected" if published else f"{remote.name}.sha256 has from the first time"
    after = "" if published else f"; if the owner is known to have changed it, remove {remote.name}.sha256"
    return (
        f"{remote.name}: wrong bytes from {host(address)}: checksum {got[1] if got else 'differs'}, {whose} "
        f"{expected}. The file was not kept; fetch again{after}"
    )


def _vouch(remote: Remote, target: Path, note: Path, say: Say, untouched: bool) -> None:
    """Say what vouches for a file; where nobody does, keep its SHA-256 for the next time."""
    import pooch

    size = size_text(target.stat().st_size)
    there = "is there already, " if untouched else ""
    if remote.checksum:
        say(f"{remote.name}: {there}{size}, checksum right")
    elif note.is_file():
        say(f"{remote.name}: {there}{size}, SHA-256 as the first time")
    else:
        digest = pooch.file_hash(str(target))
        note.write_text(f"{digest}  {remote.name}\n", encoding="utf-8")
        say(f"{remote.name}: {there}{size}; no checksum is known, so nothing vouches for it but the transfer")
        say(f"  SHA-256 {digest}, kept in {note.name} and compared from now on")
