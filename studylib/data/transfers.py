"""One file over HTTP, as it comes: continued where a connection broke, refused where it is not the file."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from studylib.data.dataset import DataError

if TYPE_CHECKING:
    import requests

try:
    import fcntl
except ImportError:  # Windows: one process is assumed
    fcntl = None

Say = Callable[[str], None]
BLOCK = 1 << 18
AGENT = "studylib"


class FetchError(DataError):
    """A release that could not be fetched or unpacked; the message says why, what is kept and what to do."""


class Refused(FetchError):
    """An address that will give the same answer again: not there, forbidden, or a page in place of the file."""


class Broken(Exception):
    """A connection that ended early; what came is kept, and another attempt goes on from there."""


@dataclass(frozen=True)
class Patience:
    """How long an address is tried. Attempts count anew whenever bytes came; waits double up to `longest`."""

    attempts: int = 5
    wait: float = 1.0  # seconds before the second attempt
    longest: float = 30.0
    stall: float = 60.0  # seconds without a byte after which a connection counts as lost
    every: float = 10.0  # seconds between lines of progress
    most: int = 100 << 30  # bytes: no release that we know comes near it


def size_text(number: float) -> str:
    """Bytes as a reader says them: 812 bytes, 3.4 MB, 9.8 GB."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= one:
            return f"{number / one:.1f} {unit}"
    return f"{int(number)} bytes"


def host(address: str) -> str:
    """The site of an address, as a message names it."""
    return re.sub(r"^\w+://([^/]*).*$", r"\1", address)


class Resuming:
    """A downloader as pooch calls one: (address, file to write, registry). It keeps NAME.part between attempts and
    between runs, and goes on from its end where the server confirms by Range and If-Range that the file is the same.
    """

    def __init__(self, folder: Path, name: str, checksum: str | None, say: Say, patience: Patience) -> None:
        self.name, self.checksum, self.say, self.patience = name, checksum, say, patience
        self.part, self.state = folder / f"{name}.part", folder / f"{name}.part.json"
        self.asked = False

    def __call__(self, address: str, output_file: str, _registry: object) -> None:
        self.asked = True
        try:
            with open(self.part, "ab") as handle:
                self._alone(handle)
                self._fill(address, handle)
            os.replace(self.part, output_file)
            self.state.unlink(missing_ok=True)
        except Refused:
            if not self.part.stat().st_size:  # nothing to go on from
                self.part.unlink()
                self.state.unlink(missing_ok=True)
            raise
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
                raise
            why = os.strerror(error.errno).lower()
            raise FetchError(f"{self.name}: {why}; make room or choose another folder with --to, and fetch again "
                             "(what came is kept)") from error  # fmt: skip

    def _alone(self, handle: BinaryIO) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchError(f"{self.name}: another process is fetching it into this folder; let it finish") from error

    def _fill(self, address: str, handle: BinaryIO) -> None:
        """Attempt until the part is whole."""
        from requests import exceptions

        attempt, patience = 1, self.patience
        while True:
            before = handle.tell()
            try:
                return self._attempt(address, handle)
            except (exceptions.SSLError, exceptions.TooManyRedirects, exceptions.InvalidURL) as error:
                raise Refused(f"{self.name}: {host(address)} cannot be used: {type(error).__name__}") from error
            except (Broken, exceptions.RequestException) as error:
                attempt = 1 if handle.tell() > before else attempt + 1
                if attempt > patience.attempts:
                    raise Refused(
                        f"{self.name}: {host(address)} gave nothing in {patience.attempts} attempts ("
                        f"{_reason(error)}); {size_text(handle.tell())} are kept, fetch again later"
                    ) from error
                wait = min(patience.wait * 2 ** (attempt - 1), patience.longest)
                came = f" after {size_text(handle.tell())}; going on" if handle.tell() else "; trying again"
                self.say(f"{self.name}: {_reason(error)}{came} in {wait:g} s")
                time.sleep(wait)

    def _attempt(self, address: str, handle: BinaryIO) -> None:
        """Ask for what is missing, and write it as it comes. Raises Broken where it ends early."""
        import requests

        have, known = handle.tell(), self._known(address)
        headers = {"Accept-Encoding": "identity", "User-Agent": AGENT}
        if have and known is not None:
            headers |= {"Range": f"bytes={have}-"} | ({"If-Range": known["tag"]} if known["tag"] else {})
        elif have:
            have = self._anew(handle)
        with requests.get(address, headers=headers, stream=True, timeout=(20, self.patience.stall)) as response:
            if response.status_code == 416:
                if _range(response)[1] != have:
                    self._anew(handle)
                    raise Broken("the file has another size now")
                return
            self._refuse(response, address)
            start, total = _range(response) if response.status_code == 206 else (0, _length(response))
            if start != have or (start and known["total"] not in (None, total)):
                have = self._anew(handle)
                if response.status_code == 206:  # a part of something else
                    raise Broken("the file has changed")
            tag = _tag(response)
            self.state.write_text(json.dumps({"address": address, "tag": tag, "total": total}))
            self._room(total, have)
            self._write(response, handle, total)

    def _known(self, address: str) -> dict | None:
        """What the part is of, if going on from it can be right: the same file by its tag, or checked in the end."""
        try:
            known = json.loads(self.state.read_text())
            same = known["address"] == address and (known["tag"] or known["total"])
            if known["address"] != address:  # another place: the whole must be checked
                known["tag"] = ""
            return known if same or (self.checksum and known["total"]) else None
        except (OSError, ValueError, KeyError):
            return None

    def _anew(self, handle: BinaryIO) -> int:
        handle.truncate(0)
        handle.seek(0)
        return 0

    def _refuse(self, response: requests.Response, address: str) -> None:
        """Raise for an answer that is not the file."""
        code, where = response.status_code, host(address)
        if code in (401, 403, 407):
            raise Refused(
                f"{self.name}: {where} refuses it (HTTP {code}): it wants a log-in, or no longer gives it out"
            )
        if code in (404, 410):
            raise Refused(f"{self.name}: {where} has it no longer at {address} (HTTP {code})")
        if code in (408, 425, 429) or code >= 500:
            raise Broken(f"HTTP {code}")
        if code not in (200, 206):
            raise Refused(f"{self.name}: {where} answers HTTP {code}, expected 200")
        if address.startswith("https:") and response.url.startswith("http:"):
            raise Refused(f"{self.name}: {where} sends on to {host(response.url)} without encryption; not followed")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise Refused(self._page(response, next(_blocks(response), b"")))

    def _page(self, response: requests.Response, begin: bytes) -> str:
        title = re.search(rb"<title[^>]*>\s*(.*?)\s*</title", begin, re.I | re.S)
        named = f" titled '{title[1].decode('utf-8', 'replace')[:60]}'" if title else ""
        where = host(response.url)
        return f"{self.name}: {where} sends a web page{named} in place of the file; it probably wants a log-in"

    def _room(self, total: int | None, have: int) -> None:
        if total and total > self.patience.most:
            raise FetchError(f"{self.name}: {size_text(total)} are announced, more than any known release; not fetched")
        free = shutil.disk_usage(self.part.parent).free
        if total and total - have > free:
            raise FetchError(
                f"{self.name}: {size_text(total - have)} to come, and {size_text(free)} free on that disk; "
                "make room or choose another folder with --to"
            )

    def _write(self, response: requests.Response, handle: BinaryIO, total: int | None) -> None:
        began = shown = time.monotonic()
        start = handle.tell()
        whole = size_text(total) if total else "a file of unknown size"
        self.say(
            f"{self.name}: {f'going on from {size_text(start)} of ' if start else ''}{whole}, {host(response.url)}"
        )
        for block in _blocks(response):
            if not handle.tell() and block[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
                raise Refused(self._page(response, block))
            handle.write(block)
            if handle.tell() > self.patience.most:
                raise FetchError(f"{self.name}: more than {size_text(self.patience.most)} came; stopped")
            now = time.monotonic()
            if now - shown >= self.patience.every:
                self.say(progress_text(self.name, handle.tell(), total, (handle.tell() - start) / (now - began)))
                shown = now
        handle.flush()
        if total is not None and handle.tell() != total:
            if handle.tell() > total:
                self._anew(handle)
            raise Broken("the connection ended early")


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """What comes, as soon as it comes: nothing waits in a buffer that is lost when the connection ends."""
    from urllib3 import exceptions

    read = getattr(response.raw, "read1", response.raw.read)
    try:
        while block := read(BLOCK, decode_content=True):
            yield block
    except exceptions.ReadTimeoutError as error:
        raise Broken("no answer in time") from error
    except exceptions.HTTPError as error:
        raise Broken("the connection ended early") from error


def progress_text(name: str, have: int, total: int | None, speed: float) -> str:
    """A line of progress: have and total in bytes (None where the server does not say), speed in bytes a second."""
    if not total:
        return f"  {name}: {size_text(have)}, {size_text(speed)}/s"
    left = (total - have) / speed if speed else 0
    return (
        f"  {name}: {size_text(have)} of {size_text(total)} ({100 * have // total} %), {size_text(speed)}/s, "
        f"{left / 60:.0f} min left"
    )


def _reason(error: Exception) -> str:
    """An error of the network in a few words."""
    from requests import exceptions

    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, exceptions.ConnectionError):
        text = str(error)
        return "the name of the site was not found" if "resolve" in text else (
            "no answer in time" if "timed out" in text else "no connection"
        )  # fmt: skip
    return str(error) or type(error).__name__


def _length(response: requests.Response) -> int | None:
    """Bytes of the whole file; None where the server does not say, or packs what it sends."""
    text = response.headers.get("Content-Length", "")
    packed = response.headers.get("Content-Encoding", "identity") not in ("", "identity")
    return int(text) if text.isdigit() and not packed else None


def _range(response: requests.Response) -> tuple[int, int | None]:
    """First byte and size of the whole, as Content-Range says (RFC 9110, 14.4)."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not found:
        return -1, None
    return int(found[1] or 0), None if found[2] == "*" else int(found[2])


def _tag(response: requests.Response) -> str:
    """What If-Range may name: a strong ETag, else the date of the last change (RFC 9110, 13.1.5)."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
