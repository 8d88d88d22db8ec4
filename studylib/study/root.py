"""Where the project lies: found by walking up, or named in STUDYLIB_HOME; and where its results go."""

from __future__ import annotations

import os
from pathlib import Path


class RootError(RuntimeError):
    """No project folder was found."""


def find_root(start: Path | None = None) -> Path:
    """The folder that holds `notebooks/` and `data/claims/`. Raises RootError saying what to set."""
    named = os.environ.get("STUDYLIB_HOME")
    if named:
        if is_root(Path(named)):
            return Path(named).resolve()
        raise RootError(
            f"STUDYLIB_HOME names '{named}', which holds no notebooks/ and data/claims/; name the project's folder"
        )
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if is_root(folder):
            return folder
    raise RootError(
        "no folder above this one holds notebooks/ and data/claims/; go into the project, or set STUDYLIB_HOME to it"
    )


def is_root(folder: Path) -> bool:
    return (folder / "notebooks").is_dir() and (folder / "data" / "claims").is_dir()


def runs_folder(root: Path) -> Path:
    """Where fits, phantoms and caches lie: `runs/`, or what STUDYLIB_RUNS names."""
    return Path(os.environ.get("STUDYLIB_RUNS") or root / "runs").resolve()


def reports_folder(root: Path) -> Path:
    """Where reports lie: `reports/`, or what STUDYLIB_REPORTS names."""
    return Path(os.environ.get("STUDYLIB_REPORTS") or root / "reports").resolve()
