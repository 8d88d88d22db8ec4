"""Puts into a wheel what notebooks read beside the code, as `studylib/_home`: notebooks, settings, ledgers, the table
of sets, and the numbers of committed reports. No figure, no page, no image. A clone and an editable install have no
such folder: they read the project's own. Everything else about the package stands in pyproject.toml.
"""

import json
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
CARRIED = (
    "pyproject.toml",  # what `doctor` compares the environment with
    "notebooks/*.ipynb",
    "notebooks/*.toml",
    "data/*.toml",
    "data/claims/*.toml",
    "reports/*-*/*/*.json",
    "reports/*-*/*/verdicts.csv",
    "reports/*-*/*/headline.md",
    "reports/*-*/*/tables/*.csv",
    "reports/bench/*.csv",
)


def without_outputs(text: str) -> str:
    """A notebook as it is run: what it showed stands in the reports."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def commit() -> dict:
    """Which commit this is, and whether anything but reports was changed since; unknown without git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != HERE:  # some other project's
            return {"commit": "unknown", "clean": None}
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain", "--", ".", ":!reports")}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown", "clean": None}


def fill(home: Path) -> None:
    """Write `home` anew: what an earlier build left there may be of files that are gone."""
    shutil.rmtree(home, ignore_errors=True)
    for pattern in CARRIED:
        for path in sorted(HERE.glob(pattern)):
            target = home / path.relative_to(HERE)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".ipynb":
                target.write_text(without_outputs(path.read_text(encoding="utf-8")), encoding="utf-8")
            else:
                shutil.copyfile(path, target)
    (home / "commit.json").write_text(json.dumps(commit()) + "\n", encoding="utf-8")


class BuildWithHome(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            fill(Path(self.build_lib) / "studylib" / "_home")


setup(cmdclass={"build_py": BuildWithHome})
