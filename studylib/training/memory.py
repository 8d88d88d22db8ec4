"""Keep large buffers between training steps: on a processor this halves the time of study 2's network."""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


def keeping_buffers() -> dict[str, str]:
    """Environment variables that ask the same of a process to be started; glibc alone reads them."""
    return {
        "THP_MEM_ALLOC_ENABLE": "1",
        "GLIBC_TUNABLES": f"glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold={2**31 - 1}",
    }


def keep_buffers() -> None:
    """Ask the C library to keep freed memory, and torch for huge pages; call before torch is imported.

    Each step of a convolution at 128 pixels frees and takes several blocks of 30 MB. By default glibc hands each
    back to the kernel, which then clears every page again. Elsewhere than on glibc this does nothing.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    except (OSError, AttributeError):  # another C library: slower, same results
        pass
