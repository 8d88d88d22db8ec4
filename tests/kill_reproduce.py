"""kill -9 at random moments of `make reproduce`, each followed by a plain rerun: the same metrics.json every time?

    python tests/kill_reproduce.py --study 02 --times 10        (or: make kills STUDY=02)

Every other trial begins without any trained network. What is killed is the process group that a terminal would kill:
make, Snakemake, its jobs; a notebook's kernel, which has a group of its own, is left behind, as after a real kill.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def command(study: str) -> list[str]:
    return ["make", "--no-print-directory", "reproduce", f"STUDY={study}"]


def whole_run(study: str) -> tuple[float, bytes]:
    """Run to the end. -> (seconds, metrics.json); SystemExit with the output where it does not come to its end."""
    began = time.monotonic()
    done = subprocess.run(command(study), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"make reproduce STUDY={study} ended with status {done.returncode}:\n{done.stdout[-3000:]}")
    return time.monotonic() - began, metrics_of(study)


def metrics_of(study: str) -> bytes:
    """What the study's quick phantom report found."""
    (path,) = (ROOT / "reports" / "phantom-quick").glob(f"{study}_*/metrics.json")
    return path.read_bytes()


def prepare(study: str, empty: bool) -> None:
    """Forget the report, and the trained networks too where a trial begins with none."""
    shutil.rmtree(ROOT / "runs" / ".done", ignore_errors=True)
    if empty:
        shutil.rmtree(ROOT / "runs" / study, ignore_errors=True)


def killed_run(study: str, moment: float) -> str:
    """Start a run and kill its group after so many seconds. -> its last line until then"""
    log = ROOT / "logs" / "killed.txt"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as file:
        process = subprocess.Popen(
            command(study), cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:60] if lines else "nothing said yet"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--study", default="02", help="two digits (default 02)")
    parser.add_argument("--times", type=int, default=10, help="how many kills (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    lasts, expected = {}, b""
    for empty in (True, False):  # how long a run takes from either beginning
        prepare(asked.study, empty)
        lasts[empty], found = whole_run(asked.study)
        expected = expected or found
        print(f"a whole run {'without' if empty else 'with'} networks: {lasts[empty]:.0f} s", flush=True)
        if found != expected:
            sys.exit("two whole runs differ: nothing that follows would mean anything")
    failed = 0
    for number in range(asked.times):
        empty = number % 2 == 0
        moment = draw.uniform(0.02, 0.98) * lasts[empty]
        prepare(asked.study, empty)
        last = killed_run(asked.study, moment)
        seconds, found = whole_run(asked.study)
        same = found == expected
        failed += not same
        told = f"killed after {moment:5.1f} s ({'no networks' if empty else 'networks there'}), at: {last}"
        print(
            f"[{number + 1}/{asked.times}] {told}; rerun {seconds:.0f} s, {'same bytes' if same else 'DIFFERENT'}",
            flush=True,
        )
    print(f"{asked.times - failed} of {asked.times} reruns gave the same metrics.json")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
