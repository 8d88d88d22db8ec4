"""What a study's quick run is expected to find: each metric with a tolerance from the spread over seeds.

tests/expected/NN.json {study, seeds, trained_in, metrics: {name: {value, tolerance}}}. Numbers are compared where
networks were trained in the precision that was measured, "bf16" or "float32"; elsewhere the names alone. Bit equality
between processors is not promised by torch; the spread over seeds (other phantoms, other networks) is what a number may
move without meaning anything. A metric that is the same for every seed has tolerance 0 and must stay as it is.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path

from studylib.study.record import ReportError, write_json
from studylib.study.root import find_clone, find_root, reports_folder
from studylib.study.settings import load_settings

SEEDS = (0, 1, 2, 3, 4)
ROUNDING = 1e-6  # relative: the order of a sum on another processor


def expected_file(study: str) -> Path:
    return find_root() / "tests" / "expected" / f"{study}.json"


def values_of(report: Path) -> dict[str, float]:
    """Metric -> value of a report, NaN where undefined. Raises ReportError where there is none."""
    path = report / "metrics.json"
    if not path.is_file():
        raise ReportError(f"no report in {report.parent.name}/{report.name}/; make it with `make reproduce`")
    rows = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    return {name: math.nan if row["value"] is None else row["value"] for name, row in rows.items()}


def precision_of(report: Path) -> str:
    """What a report's networks were trained in: "bf16" where any was, else "float32"."""
    told = json.loads((report / "provenance.json").read_text(encoding="utf-8"))
    told = told.get("trained_in", ("bf16",))  # what reports were that do not say it
    return "bf16" if "bf16" in told else "float32"


def spread(runs: list[dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Value of the first run with the range over all runs as tolerance; null where a run has no such value.

    The range of five draws from one distribution is 2.3 of its standard deviations in the mean.
    """
    found = {}
    for name, value in runs[0].items():
        values = [run.get(name, math.nan) for run in runs]
        sound = all(math.isfinite(v) for v in values)
        found[name] = {
            "value": None if math.isnan(value) else value,
            "tolerance": float(f"{max(values) - min(values):.6g}") if sound else None,
        }
    return found


def compare(expected: dict[str, dict[str, float | None]], found: dict[str, float]) -> list[str]:
    """Return a sentence for each metric that is missing, new, or outside its tolerance."""
    said = [f"{name}: expected, not found" for name in sorted(expected.keys() - found.keys())]
    said += [f"{name}: found, not expected" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        value, tolerance = expected[name]["value"], expected[name]["tolerance"]
        if tolerance is None:  # undefined for some seed: any value may come
            continue
        allowed = tolerance + ROUNDING * max(1.0, abs(value))
        if not abs(found[name] - value) <= allowed:
            said.append(f"{name}: {found[name]:.6g}, expected {value:.6g} within {tolerance:.3g}")
    return said


def check(study: str) -> list[str]:
    """Compare the quick phantom report under the reports folder with what is expected of it."""
    path = expected_file(study)
    if not path.is_file():
        raise ReportError(f"tests/expected/{study}.json is not there; `make expected STUDY={study}` measures it")
    report = reports_folder(find_root()) / "phantom-quick" / load_settings(study, find_root()).name
    return outside(json.loads(path.read_text(encoding="utf-8")), report)


def outside(kept: dict, report: Path) -> list[str]:
    """What a report finds that is not as the file of its study expects, a sentence each; in networks of another
    precision names alone are compared, and that is printed.
    """
    metrics, here = kept["metrics"], precision_of(report)
    if here != kept["trained_in"]:
        told = f"trained in {here}, tolerances are of {kept['trained_in']}: names alone are compared"
        print(f"study {report.name[:2]}: {told}")
        metrics = {name: {"value": None, "tolerance": None} for name in metrics}
    return compare(metrics, values_of(report))


def measure(study: str) -> Path:
    """Run the quick phantom report for five seeds, apart from the reports that are there, and write the tolerances."""
    from studylib.study.run import report

    runs, before = [], os.environ.get("STUDYLIB_REPORTS")
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            os.environ["STUDYLIB_REPORTS"] = str(Path(folder) / str(seed))
            try:
                made = report(study, "phantom", "quick", seed, force=True)
                runs.append(values_of(made))
                trained_in = precision_of(made)
            finally:
                os.environ.pop("STUDYLIB_REPORTS")
                if before is not None:
                    os.environ["STUDYLIB_REPORTS"] = before
            print(f"seed {seed}: {len(runs[-1])} metrics", flush=True)
    path = find_clone() / "tests" / "expected" / f"{study}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"study": study, "seeds": list(SEEDS), "trained_in": trained_in, "metrics": spread(runs)})
    return path
