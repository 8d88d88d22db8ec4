"""The cell that installs the project on Colab: the same in every notebook, right, and nothing anywhere else."""

from __future__ import annotations

import ast
import json
import re
import sys
import types
from pathlib import Path

import pytest

from studylib.study import colab
from studylib.training.spec import imported, source_file

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
ADDRESS = "https://github.com/someone/studylib"
# what Colab brings, of what we import: googlecolab/backend-info, pip-freeze.txt, August 2026
COLAB_HAS = {"IPython", "PIL", "cv2", "h5py", "matplotlib", "nbconvert", "numpy", "pandas", "pooch", "requests",
             "safetensors", "scipy", "skimage", "sklearn", "torch", "torchvision", "urllib3"}  # fmt: skip
RUNNER = {"studylib.study.run", "studylib.__main__"}  # starts kernels; no notebook does


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def text(cell: dict) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_the_cell_as_it_is_written_here(path):
    repository = colab.repository_of(ROOT)
    assert colab.with_install_cell(read(path), repository, path.stem) == read(path), "run `python -m studylib colab`"
    cells = read(path)["cells"]
    assert text(cells[1]) == colab.install_cell(repository) and cells[1]["metadata"] == {"tags": ["colab"]}
    assert "parameters" in cells[2]["metadata"]["tags"]


def test_every_link_to_colab_names_a_file_that_is_there():
    pages = [*NOTEBOOKS, ROOT / "README.md", ROOT / "notebooks" / "README.md"]
    found = [
        link for page in pages for link in re.findall(rf"{colab.SITE}[^)\s\"\\]+", page.read_text(encoding="utf-8"))
    ]
    found += [colab.badge(ADDRESS, path.stem).split("](")[-1].rstrip(")") for path in NOTEBOOKS]
    assert len(found) >= len(NOTEBOOKS) == 7
    for link in found:
        assert (ROOT / link.split("/blob/main/")[1]).is_file(), link


def test_a_repository_gives_every_notebook_its_badge(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n[project.urls]\nRepository = "{ADDRESS}/"\n')
    for path in NOTEBOOKS:
        (tmp_path / "notebooks" / path.name).write_bytes(path.read_bytes())
    assert colab.write(tmp_path) == [path.name for path in NOTEBOOKS] and colab.write(tmp_path) == []
    for path in NOTEBOOKS:
        made, was = read(tmp_path / "notebooks" / path.name), read(path)
        link = f"{colab.SITE}someone/studylib/blob/main/notebooks/{path.name}"
        title, badge, rest = text(made["cells"][0]).split("\n\n", 2)
        assert link in badge and "\n\n".join([title, rest]) == text(was["cells"][0])
        assert f'repository = "{ADDRESS}"' in text(made["cells"][1])
        assert [text(c) for c in made["cells"][2:]] == [text(c) for c in was["cells"][2:]]
    assert colab.badge("https://example.org/x", "01") == "" == colab.badge("", "01")


def test_cells_are_numbered_anew_and_outputs_kept():
    output = {"output_type": "execute_result", "execution_count": 1, "data": {"text/plain": ["4"]}, "metadata": {}}
    code = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "outputs": [output],
        "source": "2 + 2",
        "id": "x",
    }
    title = {"cell_type": "markdown", "metadata": {}, "source": ["# 01 · Title\n", "\n", "> Limits"], "id": "y"}
    given = {"cells": [title, code], "nbformat": 4}
    before = json.dumps(given)
    made = colab.with_install_cell(given, "", "01_x")
    assert json.dumps(given) == before and made["cells"][0]["source"] == title["source"]
    assert [cell["id"] for cell in made["cells"]] == ["cell-000", "cell-001", "cell-002"]
    assert [cell.get("execution_count") for cell in made["cells"]] == [None, 1, 2]
    assert made["cells"][2]["outputs"] == [output | {"execution_count": 2}]


def run_cell(monkeypatch, folder: Path, on_colab: bool, repository: str) -> tuple[list[str], object]:
    """Run the cell as IPython does, with %pip written down instead of run. -> (what %pip was asked, the error)"""
    from IPython.core.interactiveshell import InteractiveShell

    asked: list[str] = []
    shell = InteractiveShell()
    shell.showtraceback = lambda *_, **__: None
    shell.register_magic_function(asked.append, "line", "pip")
    monkeypatch.chdir(folder)
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    result = shell.run_cell(colab.install_cell(repository))
    return asked, result.error_in_exec or result.error_before_exec


def test_elsewhere_the_cell_does_nothing(monkeypatch, tmp_path):
    assert run_cell(monkeypatch, tmp_path, False, ADDRESS) == ([], None)


def test_on_colab_it_installs_the_repository_without_its_dependencies(monkeypatch, tmp_path):
    asked, error = run_cell(monkeypatch, tmp_path, True, ADDRESS)
    assert error is None
    assert asked == [f"install -q --no-deps git+{ADDRESS}", f"install -q {' '.join(colab.LACKS)}"]


@pytest.mark.filterwarnings("ignore:To exit")
def test_on_colab_without_an_address_it_takes_the_wheel_or_says_what_is_needed(monkeypatch, tmp_path):
    asked, error = run_cell(monkeypatch, tmp_path, True, "")
    assert (
        asked == []
        and isinstance(error, SystemExit)
        and "Say in `repository` where this notebook is from" in str(error)
    )
    (tmp_path / "studylib-0.1.0-py3-none-any.whl").touch()
    asked, error = run_cell(monkeypatch, tmp_path, True, "")
    assert error is None and asked[0] == "install -q --no-deps studylib-0.1.0-py3-none-any.whl"


def modules_of_notebooks() -> set[str]:
    """Every module of ours that a notebook may import, through any function."""
    queue, seen = set(), set()
    for path in NOTEBOOKS:
        for cell in read(path)["cells"]:
            if "imports" in cell["metadata"].get("tags", []):
                queue |= imported(ast.parse(text(cell)))
    while queue:
        module = queue.pop()
        if module in seen or module in RUNNER or (file := source_file(module)) is None:
            continue
        seen.add(module)
        queue |= imported(ast.parse(file.read_text(encoding="utf-8")))
    return seen


def test_what_it_installs_is_what_colab_lacks():
    needed: dict[str, str] = {}
    for module in sorted(modules_of_notebooks()):
        for node in ast.walk(ast.parse(source_file(module).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"studylib"}:
                needed.setdefault(top, module)
    lacking = {name: module for name, module in needed.items() if name not in COLAB_HAS}
    assert set(lacking) == set(colab.LACKS), lacking
