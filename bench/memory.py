"""Peak memory of one call over that of model and images, in a process of its own.

A server imports every library once and forks for each row, so that a row costs no import. It computes nothing itself:
a process that has started threads must not be forked. In the child every buffer goes back to the system when it is
freed: the peak is what is alive at once. By default the C library keeps freed buffers for later, and the same call on
the same images then takes 98 or 147 MiB, depending on what was computed while the model was built.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
SMALL = 65536  # bytes; buffers from here on are pages of their own


class Peaks:
    """Asks the server for rows; use as a context."""

    def __enter__(self) -> Peaks:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.server = subprocess.Popen([sys.executable, str(Path(__file__))], text=True, **pipes)
        return self

    def __exit__(self, *_exc) -> None:
        self.server.stdin.close()
        self.server.wait()

    def of(self, group: dict, candidate: str, methods: str) -> float:
        """MiB that one call takes at most over what was there before it; NaN where the system does not tell."""
        print(
            json.dumps({"group": group, "candidate": candidate, "methods": methods}), file=self.server.stdin, flush=True
        )
        answer = self.server.stdout.readline()
        if not answer.startswith("peak "):
            raise RuntimeError(
                f"the memory of {candidate}, {methods} was not measured: {answer.strip() or 'no answer'}"
            )
        return float(answer.split()[1])


def measure(row: dict) -> float:
    """Build what a row needs, run the plain pass once (what is made once in a process is no part of a peak), then call
    it and return its peak in MiB.
    """
    import gc

    from calls import candidates
    from plan import Group

    keep_nothing()
    peers = tuple(tuple(pair) for pair in row["group"].pop("peers"))
    wanted = row["candidate"], row["methods"]
    plain, calls = candidates(Group(**row["group"], peers=peers), [] if wanted[0] == "plain" else [wanted])
    plain()
    gc.collect()
    return peak_above(plain if wanted[0] == "plain" else calls[wanted])


def keep_nothing() -> None:
    """Ask the C library to hand freed buffers back at once; call before they are taken. Only glibc has this."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, SMALL)
        libc.mallopt(M_TRIM_THRESHOLD, SMALL)
    except (OSError, AttributeError):
        pass


def peak_above(call: Callable[[], object]) -> float:
    """MiB that this process takes at most during a call, above what it holds before; NaN where Linux is not."""
    if not Path("/proc/self/clear_refs").exists():
        call()
        return float("nan")
    ctypes.CDLL(None).malloc_trim(0)  # small buffers that were freed would hide what the call takes
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    call()
    return (_status("VmHWM") - before) / 1024


def _status(field: str) -> int:
    """A figure of /proc/self/status in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def serve() -> None:
    """Answer "peak MiB", or how the child ended, to every row on stdin, each from a child; what libraries print goes
    to stderr.
    """
    import warnings

    import calls  # noqa: F401  (imported before the fork)

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            warnings.filterwarnings("ignore")
            print("peak", measure(json.loads(line)), file=answers, flush=True)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            print(f"its process ended with status {status}", file=answers, flush=True)


if __name__ == "__main__":
    serve()
