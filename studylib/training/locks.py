"""One process at a time: a lock that the kernel gives back when its holder dies, by kill -9 too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: one process is assumed
    fcntl = None


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold `path` alone while the block runs; waits for another holder. The empty file stays behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # closing releases the lock


def is_free(path: Path) -> bool:
    """Whether nobody holds `path` at this moment; the answer may be old when it arrives."""
    if fcntl is None or not path.exists():
        return True
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
