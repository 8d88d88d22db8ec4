"""Where the project lies: found by walking up, named in STUDYLIB_HOME, or carried in a wheel; where its results go."""

from __future__ import annotations

import os
from pathlib import Path

INSTALLED = Path(__file__).resolve().parents[1] / "_home"  # what a wheel carries of the project; a clone has none


class RootError(RuntimeError):
    """No project folder was found."""


def find_root(start: Path | None = None) -> Path:
    """The folder that holds `notebooks/` and `data/claims/`: the one named, one above, the clone that this code is of,
    or what a wheel carries. Raises RootError saying what to set.
    """
    named = os.environ.get("STUDYLIB_HOME")
    if named:
        if is_root(Path(named)):
            return Path(named).resolve()
        raise RootError(
            f"STUDYLIB_HOME names '{named}', which holds no notebooks/ and data/claims/; name the project's folder"
        )
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2], INSTALLED):
        if is_root(folder):
            return folder
    raise RootError(
        "no folder above this one holds notebooks/ and data/claims/; go into the project, or set STUDYLIB_HOME to it"
    )


def is_root(folder: Path) -> bool:
    return (folder / "notebooks").is_dir() and (folder / "data" / "claims").is_dir()


def find_clone() -> Path:
    """The project's own folder, for what is written there. Raises RootError where it came in a wheel."""
    root = find_root()
    if root == INSTALLED:
        raise RootError("this writes to the project's own files, and here they come from a wheel: run it in a clone")
    return root


def work_folder(root: Path) -> Path:
    """Where results go: the project's folder; the working folder where the project came in a wheel."""
    return Path.cwd() if root == INSTALLED else root


def runs_folder(root: Path) -> Path:
    """Where fits, phantoms and caches lie: `runs/`, or what STUDYLIB_RUNS names."""
    return Path(os.environ.get("STUDYLIB_RUNS") or work_folder(root) / "runs").resolve()


def reports_folder(root: Path) -> Path:
    """Where reports are written: `reports/`, or what STUDYLIB_REPORTS names."""
    return Path(os.environ.get("STUDYLIB_REPORTS") or work_folder(root) / "reports").resolve()


def find_report(root: Path, run: str, name: str) -> Path:
    """The folder of a report, such as ("real-standard", "02_brain_mri_cbam"): the one that was written here, else the
    one that came with the project; where neither is, the place where it would be written.
    """
    places = [folder / run / name for folder in (reports_folder(root), root / "reports")]
    return next((place for place in places if (place / "metrics.json").is_file()), places[0])
