"""The first code cell of every notebook on Colab, and its badge: written by code, the same everywhere.

Colab's kernel is older than the one that we ask for, and its PyTorch is built for its machines: an ordinary install
would replace both and break the running session. So the project comes without its dependencies, and only what Colab
lacks and a notebook imports comes with it.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

LACKS = ("captum", "lightning", "optuna")  # of what a notebook imports
TAG = "colab"
SITE = "https://colab.research.google.com/github/"
GITHUB = "https://github.com/"
IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
CELL = """\
# Colab only, elsewhere this does nothing: installs the project, and leaves Colab's own PyTorch and kernel as they are.
import glob
import sys

if "google.colab" in sys.modules:
    # where this notebook was opened from; or leave it empty and upload studylib-….whl beside the notebook
    repository = "{repository}"  # @param {{type: "string"}}
    source = f"git+{{repository}}" if repository else max(glob.glob("studylib-*.whl"), default="")
    if not source:
        raise SystemExit("Say in `repository` where this notebook is from, such as https://github.com/OWNER/NAME")
    %pip install -q --no-deps {{source}}
    %pip install -q {lacks}"""


def repository_of(root: Path) -> str:
    """The project's address as pyproject.toml states it under [project.urls] Repository; "" while it has none."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").rstrip("/")


def install_cell(repository: str) -> str:
    """The source of the cell."""
    return CELL.format(repository=repository, lacks=" ".join(LACKS))


def badge(repository: str, name: str) -> str:
    """The link that opens a notebook on Colab; "" for a project that GitHub does not hold."""
    if not repository.startswith(GITHUB):
        return ""
    return f"[![Open in Colab]({IMAGE})]({SITE}{repository.removeprefix(GITHUB)}/blob/main/notebooks/{name}.ipynb)"


def with_install_cell(notebook: dict, repository: str, name: str) -> dict:
    """A notebook with the cell before its parameters and the badge under its title, in place of older ones; cells are
    numbered anew. The notebook that is given stays as it is.
    """
    cells = [dict(cell) for cell in notebook["cells"] if TAG not in cell["metadata"].get("tags", [])]
    lines = [line for line in _text(cells[0]).split("\n") if SITE not in line]
    title, rest = lines[0], "\n".join(lines[1:]).lstrip("\n")
    first = "\n\n".join(part for part in (title, badge(repository, name), rest) if part)
    if first != _text(cells[0]):  # else it stays as it is written, in lines or in one
        cells[0]["source"] = first
    cell = {
        "cell_type": "code", "execution_count": 1, "id": TAG, "metadata": {"tags": [TAG]}, "outputs": [],
        "source": install_cell(repository),
    }  # fmt: skip
    cells.insert(1, cell)
    for number, one in enumerate(cells):
        one["id"] = f"cell-{number:03d}"
    ran = [one for one in cells if one["cell_type"] == "code"]
    for count, one in enumerate(ran, 1):
        one["execution_count"] = count
        one["outputs"] = [o | {"execution_count": count} if "execution_count" in o else o for o in one["outputs"]]
    return notebook | {"cells": cells}


def _text(cell: dict) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def write(root: Path) -> list[str]:
    """Bring cell and badge of every notebook up to date. -> the names of those that changed"""
    repository, changed = repository_of(root), []
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        before = path.read_text(encoding="utf-8")
        made = with_install_cell(json.loads(before), repository, path.stem)
        now = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        if now != before:
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            beside.write_text(now, encoding="utf-8")
            beside.replace(path)
            changed.append(path.name)
    return changed
