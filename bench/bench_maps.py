"""Maps against a plain forward pass and against other libraries: `reports/bench/cpu.csv`, a table, a picture, bounds.

Every finished group is kept at once; run again goes on where it stopped. Nothing is passed or failed by this program.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from bounds import checklist
from calls import candidates
from memory import Peaks
from networks import SIDE
from picture import draw, write_table
from plan import COLUMNS, Group, finished, groups, images_of, keep, rows_of, with_peaks
from timing import ROUNDS, bracketed, summed_up

OUT = Path(__file__).resolve().parents[1] / "reports" / "bench"
PLACES = {"ratio": "value", "low": "low", "high": "high"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a part of a network's name, or a kind: maps, scorecam, curves, crm")
    parser.add_argument("--fresh", action="store_true", help="measure everything anew")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each group (default {ROUNDS})")
    parser.add_argument("--memory", action="store_true", help="peaks alone, anew, of the rows that are there")
    asked = parser.parse_args()
    if asked.memory and (asked.fresh or not (OUT / "cpu.csv").exists()):
        parser.error(
            "--memory measures the peaks of rows that are there: run once without it, and without --fresh here"
        )
    warnings.filterwarnings("ignore")
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / "cpu.csv"
    if asked.fresh:
        file.unlink(missing_ok=True)
    chosen = [g for g in groups() if asked.only in g.network or asked.only == g.kind]
    if not chosen:
        known = ", ".join(dict.fromkeys(word for g in groups() for word in (g.network, g.kind)))
        parser.error(f"nothing to measure is called {asked.only!r}; known: {known}")
    with Peaks() as peaks:
        if asked.memory:
            measure_memory(chosen, peaks, file)
        else:
            measure(chosen, asked.rounds, peaks, file)
    table = pd.read_csv(file)
    write_table(table, OUT / "cpu.md")
    draw(table, OUT / "cpu")
    for line in checklist(table):
        print(line)


def measure(chosen: list[Group], rounds: int, peaks: Peaks, file: Path) -> None:
    """Measure the groups that are not in the file yet, each kept as soon as it is whole."""
    for place, group in enumerate(chosen, 1):
        table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=COLUMNS)
        if finished(table, group):
            continue
        began = time.perf_counter()
        rows = measured(group, rounds, peaks)
        table = pd.DataFrame(rows) if table.empty else pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
        keep(table, file)
        print(f"[{place}/{len(chosen)}] {title(group)}  {time.perf_counter() - began:.0f} s", flush=True)


def measure_memory(chosen: list[Group], peaks: Peaks, file: Path) -> None:
    """Put new peaks in the place of those in the file, group by group; times stay as they are."""
    for group in chosen:
        table = pd.read_csv(file)
        if group.kind != "maps" or not finished(table, group):
            continue
        found = {row: peaks.of(asdict(group), *row) for row in (("plain", "forward"), *rows_of(group))}
        keep(with_peaks(table, group, found), file)
        print(f"memory: {title(group)}", flush=True)


def title(group: Group) -> str:
    layers = "last layer" if group.layers == 1 else f"{group.layers} layers"
    classes = f", {group.batch} classes" if group.kind == "crm" else ""
    return f"{group.network}, {group.kind}{classes}, {images_of(group)} x {SIDE}, {layers}"


def measured(group: Group, rounds: int, peaks: Peaks) -> list[dict]:
    """All rows of a group: times in this process, memory in one for each."""
    plain, calls = candidates(group)
    times = bracketed(calls, plain, rounds)
    head = {"model": group.network, "batch": images_of(group), "size": SIDE, "layers": group.layers}
    rows, base = [], None
    if group.kind == "maps":
        base = peaks.of(asdict(group), "plain", "forward")
        same = {"ratio": 1, "low": 1, "high": 1, "rounds": rounds, "peak_mib": round(base, 1), "peak_ratio": 1}
        rows.append(head | {"candidate": "plain", "methods": "forward"} | same)
    for (candidate, methods), ratios in times.items():
        found = summed_up(ratios)
        numbers = {name: float(f"{getattr(found, place):.4g}") for name, place in PLACES.items()}
        row = head | {"candidate": candidate, "methods": methods} | numbers | {"rounds": found.rounds}
        if base is not None:
            peak = peaks.of(asdict(group), candidate, methods)
            row |= {"peak_mib": round(peak, 1), "peak_ratio": round(peak / base, 3)}
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
