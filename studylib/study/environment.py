"""environment.yml for conda, mamba and Binder, written from pyproject.toml so that the two cannot disagree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

HEADER = """\
# Made from pyproject.toml by `python -m studylib environment`: change that file, then run the command again.
# conda brings Python and pip; the packages come from PyPI under the names and bounds of pyproject.toml, because several
# of them have other names, or are split otherwise, in conda's channels. Exact, tested versions: requirements.lock.
"""


def _quoted(requirement: str) -> str:
    """A requirement as a YAML scalar: in quotation marks where a bare one would read as something else."""
    return (
        requirement
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*([<>=!~]=?[0-9][A-Za-z0-9.*]*)?", requirement)
        else f'"{requirement}"'
    )


def render(pyproject: Path) -> str:
    """environment.yml as text from the file `pyproject`.

    Raises KeyError, naming the file, where `[project]` lacks name, requires-python or dependencies.
    """
    project = tomllib.loads(Path(pyproject).read_text(encoding="utf-8")).get("project", {})
    missing = [key for key in ("name", "requires-python", "dependencies") if key not in project]
    if missing:
        raise KeyError(f"{pyproject}: [project] lacks {', '.join(missing)}")
    lines = [f"name: {project['name']}", "channels:", "  - conda-forge", "  - nodefaults", "dependencies:"]
    lines += [f"  - python{project['requires-python'].replace(' ', '')}", "  - pip", "  - pip:"]
    lines += [f"      - {_quoted(requirement)}" for requirement in sorted(project["dependencies"], key=str.lower)]
    lines += ["      - -e ."]  # the package itself, from this folder
    return HEADER + "\n".join(lines) + "\n"


def write(root: Path) -> Path:
    """Write `root/environment.yml` from `root/pyproject.toml` and return its path."""
    target = Path(root) / "environment.yml"
    target.write_text(render(Path(root) / "pyproject.toml"), encoding="utf-8")
    return target
