"""What a report keeps: metrics.json, provenance.json, tables and figures, whole or not at all.

metrics.json    {study, data, profile, seed, settings, dataset: {name, fingerprint}, metrics: {name: {value, low,
high, n, groups,
                unit, how[, p]}}}: the same bytes for the same run. Costs (names that begin with `cost.`) stand in
                costs.json instead.
provenance.json {commit, clean, packages, cores, accelerator, seconds: {section: s}, weights: {arm: where from},
                trained_in: {precision: how many networks}, inputs}: no host, path, user or date.
verdicts.csv    one row a statement, columns of `claims.COLUMNS`.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from studylib.metrics.intervals import Estimate

PACKAGES = ("torch", "torchvision", "lightning", "numpy", "pandas", "scipy", "scikit-image", "scikit-learn", "studylib")


class ReportError(RuntimeError):
    """A report that could not be written; the message says where and what to do."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn a full disk or a read-only folder into one clear error."""
    try:
        yield
    except OSError as error:
        said = {
            errno.ENOSPC: "the disk is full; make room and run again",
            errno.EDQUOT: "the quota is used up; make room and run again",
            errno.EROFS: "the file system is read-only; set STUDYLIB_REPORTS to a folder that can be written",
            errno.EACCES: "it may not be written; change its rights or set STUDYLIB_REPORTS to another folder",
            errno.EPERM: "it may not be written; change its rights or set STUDYLIB_REPORTS to another folder",
        }.get(error.errno)
        if said is None:
            raise
        raise ReportError(f"no report in '{folder.name}': {said}; nothing that stood there was changed") from error


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """A new folder beside `final` that takes its place when the block ends well, and goes away when it does not."""
    with explained(final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        clear_remains(final)
        beside = final.with_name(f".{final.name}.{os.getpid()}")
        try:
            beside.mkdir()
            yield beside
            replace_folder(beside, final)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def replace_folder(new: Path, final: Path) -> None:
    """Put `new` where `final` is, in two renames; what stood there before goes away last."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def clear_remains(final: Path) -> None:
    """Remove what a killed run left beside `final`; bring back the old report if the kill came between two renames."""
    old = final.with_name(f".{final.name}.old")
    if old.exists() and not final.exists():
        old.rename(final)
    for path in final.parent.glob(f".{final.name}.*"):
        owner = path.suffix[1:]
        if not (owner.isdigit() and _alive(int(owner))):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_json(path: Path, content: Mapping) -> None:
    """JSON with sorted keys, so that the same content is the same bytes; NaN is refused by name."""
    try:
        text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False, default=str)
    except ValueError as error:
        raise ReportError(f"{path.name}: {error}; undefined values are written as null by Estimate.to_dict") from error
    path.write_text(text + "\n", encoding="utf-8")


def metrics_json(head: Mapping, metrics: Mapping[str, Estimate]) -> dict:
    """The content of metrics.json or costs.json."""
    return dict(head) | {"metrics": {name: rounded(estimate.to_dict()) for name, estimate in metrics.items()}}


def rounded(row: dict) -> dict:
    """Ten significant digits: what lies behind them is the order of a sum."""
    return {k: float(f"{v:.10g}") if isinstance(v, float) else v for k, v in row.items()}


def commit(root: Path) -> tuple[str, bool | None]:
    """The commit and whether the tree was clean; ("unknown", None) without git. A wheel and an archive say
    of what they were made.
    """
    for name in ("commit.json", "archive.json"):  # unpacked, nobody knows what was changed since
        if (root / name).is_file():
            told = json.loads((root / name).read_text(encoding="utf-8"))
            return told["commit"], told["clean"] if name == "commit.json" else None
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", ".", ":!reports"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown", None
    return found.stdout.strip(), not changed.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of the packages that decide results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
