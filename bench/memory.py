"""Peak memory of one call over that of model and images, in a process of its own.

A server imports every library once and forks for each row, so that a row costs no import. It computes nothing itself:
a process that has started threads must not be forked.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


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
            raise RuntimeError(f"the memory of {candidate}, {methods} was not measured; see the lines above")
        return float(answer.split()[1])


def measure(row: dict) -> float:
    """Build what a row needs, call it once, return its peak in MiB."""
    import gc

    from calls import candidates
    from plan import Group

    peers = tuple(tuple(pair) for pair in row["group"].pop("peers"))
    plain, calls = candidates(Group(**row["group"], peers=peers))
    call = plain if row["candidate"] == "plain" else calls[row["candidate"], row["methods"]]
    gc.collect()
    return peak_above(call)


def peak_above(call: Callable[[], object]) -> float:
    """MiB that this process takes at most during a call, above what it holds before; NaN where Linux is not."""
    if not Path("/proc/self/clear_refs").exists():
        call()
        return float("nan")
    ctypes.CDLL(None).malloc_trim(0)  # freed memory that the process keeps would hide what the call takes
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    call()
    return (_status("VmHWM") - before) / 1024


def _status(field: str) -> int:
    """A figure of /proc/self/status in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def serve() -> None:
    """Answer "peak MiB" to every row on stdin, each from a child."""
    import warnings

    import calls  # noqa: F401  (imported before the fork)

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            warnings.filterwarnings("ignore")
            print("peak", measure(json.loads(line)), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            print("failed", flush=True)


if __name__ == "__main__":
    serve()
