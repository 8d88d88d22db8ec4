"""A committed notebook: executed and clean, one parameters cell, short cells, a sentence above each, its sections."""

from __future__ import annotations

import ast
import copy
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
STUDIES = [
    path for path in NOTEBOOKS if path.name[:2] in ("01", "02", "03", "04", "05")
]  # 00 and 06 tell other stories
SECTIONS = [
    "1 What was claimed",
    "2 The images",
    "3 The networks",
    "4 The source's experiment",
    "5 What it did not check",
    "6 Verdict",
    "7 What this does not show",
]
PARAMETERS = {"data": "phantom", "profile": "quick", "seed": 0}  # what is committed ran on quick phantoms
MAX_LINES, MAX_DEF = 15, 6
ABSOLUTE = re.compile(r"(?<![\w.:/<])(?:/(?:home|root|work|tmp|usr|opt|mnt|var|content|Users)/|[A-Z]:\\\\?\w)")
STRAY = {
    "an address in memory": re.compile(r"\b0x[0-9a-fA-F]{6,}"),
    "a progress bar": re.compile(r"\d+%\|| ?\d+(?:\.\d+)?(?:it/s|s/it)\b|\r(?!\n)"),
    "an absolute path": ABSOLUTE,
}


def text_of(part: str | list[str]) -> str:
    return part if isinstance(part, str) else "".join(part)


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def tree_of(cell: dict) -> ast.Module:
    """The cell's syntax; a line of IPython magic counts as `pass`."""
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", text_of(cell["source"]), flags=re.M))


def code_cells(notebook: dict) -> list[tuple[int, dict]]:
    return [(i, cell) for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]


def execution_problems(notebook: dict) -> list[str]:
    """Executed once from top to bottom, without an error or anything on stderr."""
    cells = [cell for _, cell in code_cells(notebook) if text_of(cell["source"]).strip()]
    counts = [cell["execution_count"] for cell in cells]
    problems = (
        []
        if counts == list(range(1, len(cells) + 1))
        else [f"cells were executed as {counts}, expected 1 to {len(cells)}"]
    )
    for i, cell in code_cells(notebook):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                problems.append(f"cell {i} ends in {output.get('ename')}: {output.get('evalue')}")
            if output.get("name") == "stderr":
                problems.append(f"cell {i} writes to stderr: {text_of(output['text'])[:80]!r}")
    return problems


def parameter_problems(notebook: dict) -> list[str]:
    """One cell tagged `parameters`, the first code cell but for `colab`: data, profile and seed as literals."""
    found = [(i, cell) for i, cell in enumerate(notebook["cells"]) if "parameters" in tags(cell)]
    if len(found) != 1:
        return [f"{len(found)} cells are tagged parameters, expected 1"]
    ((place, cell),) = found
    problems = []
    earlier = [i for i, c in code_cells(notebook) if i < place and "colab" not in tags(c)]
    if earlier:
        problems.append(f"cell {earlier[0]} runs before the parameters cell {place}")
    values = {}
    for node in tree_of(cell).body:
        name = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        try:
            values[name.id] = ast.literal_eval(node.value)
        except (AttributeError, ValueError):
            problems.append(f"parameters cell: `{ast.unparse(node)}` is not a name and a literal")
    if values != PARAMETERS:
        problems.append(f"parameters cell holds {values}, expected {PARAMETERS}")
    return problems


def import_problems(notebook: dict) -> list[str]:
    """Imports stand in one cell (`colab` is exempt), the first code cell after the parameters."""
    cells = [(i, cell) for i, cell in code_cells(notebook) if "colab" not in tags(cell)]
    kinds = (ast.Import, ast.ImportFrom)
    importing = [i for i, cell in cells if any(isinstance(node, kinds) for node in ast.walk(tree_of(cell)))]
    if len(importing) != 1:
        return [f"imports stand in cells {importing}, expected one cell"]
    after = [i for i, cell in cells if "parameters" not in tags(cell)]
    return [] if importing[0] == after[0] else [f"imports stand in cell {importing[0]}, expected cell {after[0]}"]


def length_problems(notebook: dict) -> list[str]:
    problems = []
    for i, cell in code_cells(notebook):
        lines = len(text_of(cell["source"]).splitlines())
        if lines > MAX_LINES:
            problems.append(
                f"cell {i} has {lines} lines, at most {MAX_LINES}: split it, or move the algorithm to studylib"
            )
        for node in ast.walk(tree_of(cell)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                size = node.end_lineno - node.lineno + 1
                if size > MAX_DEF:
                    problems.append(
                        f"cell {i}: `{node.name}` has {size} lines, at most {MAX_DEF}: it belongs to studylib"
                    )
        if text_of(cell["source"]).rstrip().endswith(";"):
            problems.append(f"cell {i} ends in ';', which nbval does not compare; end it with a call that returns None")
    return problems


def prose_problems(notebook: dict) -> list[str]:
    """A sentence, not only a heading, stands right above every code cell; the cells of set-up follow each other."""
    problems, set_up = [], {"parameters", "colab"}
    for i, cell in code_cells(notebook):
        above = notebook["cells"][i - 1] if i else {"cell_type": "none", "metadata": {}}
        if above["cell_type"] == "code" and set_up & set(tags(above)):
            continue
        lines = text_of(above["source"]).splitlines() if above["cell_type"] == "markdown" else []
        if not any(re.search(r"\w", line) and not line.startswith("#") for line in lines):
            problems.append(f"no sentence above cell {i}: `{text_of(cell['source']).splitlines()[0][:60]}`")
    return problems


def section_problems(notebook: dict, number: str) -> list[str]:
    """The title, and the seven sections of every study in their order."""
    markdown = [text_of(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    headings = [line for text in markdown for line in re.sub(r"```.*?```", "", text, flags=re.S).splitlines()]
    titles = [line for line in headings if re.match(r"# \S", line)]
    problems = []
    if len(titles) != 1 or not titles[0].startswith(f"# {number} · ") or not markdown[0].lstrip().startswith("# "):
        problems.append(f"titles {titles}: expected one, `# {number} · …`, at the top of the first cell")
    sections = [line[3:].strip() for line in headings if re.match(r"## \S", line)]
    if sections != SECTIONS:
        problems.append(f"sections {sections}, expected {SECTIONS}")
    if "diagnosis" not in markdown[0]:
        problems.append("the first cell does not say the limits (research and teaching only, not for diagnosis)")
    return problems


def stray_problems(notebook: dict) -> list[str]:
    """Nothing in code or outputs that belongs to one machine or one moment; embedded pictures are not searched."""
    problems = []
    for i, cell in enumerate(notebook["cells"]):
        parts = {"source": text_of(cell["source"])}
        for output in cell.get("outputs", []):
            shown = output.get("data", {})
            parts["output"] = text_of(output.get("text", "")) + "\n".join(
                text_of(value) for kind, value in shown.items() if kind.startswith("text/")
            )
            text = re.sub(r"data:image/[^\"')]+", "", parts["output"])
            problems += [
                f"cell {i} output: {what} {m.group()!r}" for what, found in STRAY.items() if (m := found.search(text))
            ]
        if match := ABSOLUTE.search(parts["source"]):
            problems.append(f"cell {i} source: an absolute path {match.group()!r}")
    extra = set(notebook["metadata"]) - {"kernelspec", "language_info"}
    problems += [f"notebook metadata holds {sorted(extra)}"] if extra else []
    running = [i for i, cell in enumerate(notebook["cells"]) if set(cell["metadata"]) - {"tags"}]
    return problems + ([f"metadata other than tags in cells {running}"] if running else [])


def badge_problems(notebook: dict, name: str) -> list[str]:
    """Links to this repository's notebooks (`blob/BRANCH/notebooks/…`) name the notebook that they stand in."""
    links = re.findall(r"blob/[\w.-]+/(notebooks/[\w./-]+)", text_of(notebook["cells"][0]["source"]))
    return [f"the badge leads to {link}, expected notebooks/{name}" for link in links if link != f"notebooks/{name}"]


def problems_of(notebook: dict) -> list[str]:
    """What holds for every notebook, study or not."""
    checks = (execution_problems, parameter_problems, import_problems, length_problems, prose_problems, stray_problems)
    return [problem for check in checks for problem in check(notebook)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    problems = [*problems_of(notebook), *badge_problems(notebook, path.name)]
    assert not problems, f"{path.name}:\n" + "\n".join(problems)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_study_notebook(path):
    problems = section_problems(json.loads(path.read_text(encoding="utf-8")), path.name[:2])
    if not path.with_suffix(".toml").is_file():
        problems.append(f"no {path.stem}.toml beside it")
    assert not problems, f"{path.name}:\n" + "\n".join(problems)


# ---- the checks themselves: a good notebook passes, each fault is found


def code(source: str, count: int, *outputs: dict, tag: str = "") -> dict:
    metadata = {"tags": [tag]} if tag else {}
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": count,
        "outputs": list(outputs),
        "metadata": metadata,
    }


def markdown(source: str) -> dict:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


GOOD = {
    "metadata": {"kernelspec": {}, "language_info": {}},
    "cells": [
        markdown("# 07 · Title\n\nResearch only, not for diagnosis. [Colab](x/blob/main/notebooks/07_demo.ipynb)"),
        code('data = "phantom"  # or "real"\nprofile = "quick"\nseed = 0', 1, tag="parameters"),
        code("from studylib.study import Study\nstudy = Study()", 2),
        *[cell for name in SECTIONS for cell in (markdown(f"## {name}\n\nWhy the next cell is here."),)],
        code(
            "def twice(x):\n    return 2 * x\n\nprint(twice(2))",
            3,
            {"output_type": "stream", "name": "stdout", "text": ["4\n"]},
        ),
    ],
}


def changed(**places) -> dict:
    """GOOD with cells replaced: cell_9=..., or further cells put at the end: more=[...]."""
    notebook = copy.deepcopy(GOOD)
    for key, value in places.items():
        if key == "more":
            notebook["cells"] += value
        else:
            notebook["cells"][int(key.removeprefix("cell_"))] = value
    return notebook


def said(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_a_good_notebook_has_no_problems():
    assert (
        problems_of(GOOD) == [] and section_problems(GOOD, "07") == [] and badge_problems(GOOD, "07_demo.ipynb") == []
    )


WHY = markdown("Why.")
PARAMETERS_CELL = GOOD["cells"][1]


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        (changed(cell_10=code("1", 5)), "cells were executed as [1, 2, 5], expected 1 to 3"),
        (changed(cell_10=code("1", None)), "cells were executed as [1, 2, None]"),
        (
            changed(cell_10=code("1", 3, {"output_type": "error", "ename": "KeyError", "evalue": "x"})),
            "ends in KeyError: x",
        ),
        (changed(cell_10=code("1", 3, {"output_type": "stream", "name": "stderr", "text": "w"})), "writes to stderr"),
        (changed(cell_1=code("data = 1", 1)), "0 cells are tagged parameters"),
        (changed(more=[WHY, {**PARAMETERS_CELL, "execution_count": 4}]), "2 cells are tagged parameters"),
        (changed(cell_0=code("1", 1)), "cell 0 runs before the parameters cell 1"),
        (
            changed(cell_1=code('data = "phantom"\nprofile = "quick"\nseed = int(0)', 1, tag="parameters")),
            "seed = int(0)` is not",
        ),
        (changed(cell_1=code('data = "real"\nprofile = "quick"\nseed = 0', 1, tag="parameters")), "{'data': 'real',"),
        (changed(cell_10=code("import os", 3)), "imports stand in cells [2, 10], expected one cell"),
        (changed(cell_2=code("1", 2), cell_10=code("import os", 3)), "imports stand in cell 10, expected cell 2"),
        (changed(cell_10=code("1\n" * 16, 3)), "cell 10 has 16 lines, at most 15"),
        (changed(cell_10=code("def f():\n" + "    1\n" * 6, 3)), "`f` has 7 lines, at most 6"),
        (changed(cell_10=code("ax.plot();", 3)), "ends in ';'"),
        (changed(more=[code("1", 4)]), "no sentence above cell 11: `1`"),
        (changed(cell_9=markdown("## 7 What this does not show")), "no sentence above cell 10"),
        (changed(cell_10=code("1", 3, said("<A object at 0x7f3a12bc4d90>"))), "an address in memory '0x7f3a12bc4d90'"),
        (changed(cell_10=code("1", 3, said("50%|####"))), "a progress bar"),
        (changed(cell_10=code("1", 3, said("3.1it/s"))), "a progress bar"),
        (changed(cell_10=code("1", 3, said("in " + "/".join(["", "home", "me", "x"])))), "an absolute path"),
        (changed(cell_10=code("open('" + "/".join(["", "root", "x"]) + "')", 3)), "source: an absolute path"),
        (GOOD | {"metadata": {"papermill": {}}}, "notebook metadata holds ['papermill']"),
        (changed(cell_10={**code("1", 3), "metadata": {"execution": {}}}), "metadata other than tags in cells [10]"),
    ],
)
def test_each_fault_is_found(notebook, message):
    assert any(message in problem for problem in problems_of(notebook)), problems_of(notebook)


def test_the_colab_cell_is_exempt():
    install = code("import sys\nif 'google.colab' in sys.modules:\n    %pip install -q x", 1, tag="colab")
    later = [
        {**c, "execution_count": c["execution_count"] + 1} if c["cell_type"] == "code" else c for c in GOOD["cells"]
    ]
    notebook = GOOD | {"cells": [later[0], install, *later[1:]]}
    assert problems_of(notebook) == []


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        (changed(cell_0=markdown("# 08 · Title, not for diagnosis")), "expected one, `# 07 · …`"),
        (changed(cell_0=markdown("# 07 · Title")), "does not say the limits"),
        (changed(cell_4=markdown("Why.")), "sections ['1 What was claimed', '3 The networks'"),
        (changed(cell_4=GOOD["cells"][5], cell_5=GOOD["cells"][4]), "expected ['1 What was claimed', '2 The images'"),
    ],
)
def test_each_fault_of_sections_is_found(notebook, message):
    assert any(message in problem for problem in section_problems(notebook, "07")), section_problems(notebook, "07")


def test_a_wrong_badge_is_found():
    assert badge_problems(GOOD, "08_other.ipynb") == [
        "the badge leads to notebooks/07_demo.ipynb, expected notebooks/08_other.ipynb"
    ]
