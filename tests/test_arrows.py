"""Which room may import which: arrows point down, study -> training -> (data, models); cam and metrics stand alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "cam": set(),
    "metrics": set(),
    "data": set(),
    "models": set(),
    "training": {"data", "models"},
    "study": {"cam", "metrics", "data", "models", "training"},
    "app": {"study", "training", "data", "models", "cam", "metrics"},
    "__main__": {"command_line", "app", "study", "training", "data", "models", "metrics", "cam"},
    "command_line": {"study", "data"},
    "__init__": set(),
}
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "studylib").rglob("*.py"))


def room(module: str) -> str:
    """The room of a dotted module name: studylib.data.phantoms.brain -> data; studylib itself -> __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(source: str, path: str) -> list[tuple[int, str]]:
    """(line, dotted name) of every import of ours in a module, relative ones resolved, also those inside functions."""
    package = path.removesuffix(".py").split("/")[:-1]  # what a leading dot stands for
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from studylib import data` names the room behind the import
            found += [(node.lineno, f"{stem}.{alias.name}" if stem == "studylib" else stem) for alias in node.names]
    return sorted({(line, name) for line, name in found if name.split(".")[0] == "studylib"})


def upward(source: str, path: str) -> list[str]:
    """Arrows of a module that point up or sideways, one sentence each."""
    here = room(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    if here not in ROOMS:
        return [f"{path}: '{here}' is no room of the house; rooms are {', '.join(ROOMS)}"]
    return [
        f"{path}:{line} imports {name}: {here} may import {', '.join(sorted(ROOMS[here])) or 'nothing else of ours'}"
        for line, name in imports(source, path)
        if room(name) not in {here, *ROOMS[here]}
    ]


def test_every_room_says_what_it_is():
    rooms = [name for name in ROOMS if name[0] != "_" and not (ROOT / "studylib" / f"{name}.py").is_file()]
    missing = [name for name in rooms if not (ROOT / "studylib" / name / "__init__.py").is_file()]
    assert not missing, f"no studylib/NAME/__init__.py, whose docstring says what the room is, for {missing}"


@pytest.mark.parametrize("path", MODULES)
def test_arrows_point_down(path):
    problems = upward((ROOT / path).read_text(encoding="utf-8"), path)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("path", "source", "names"),
    [
        ("studylib/cam/engine.py", "import torch\nfrom studylib.cam.heads import head", []),
        ("studylib/cam/engine.py", "from studylib.metrics.maps import flat", ["studylib.metrics.maps"]),
        ("studylib/cam/engine.py", "def f():\n    import studylib.study.site", ["studylib.study.site"]),
        ("studylib/data/phantoms/brain.py", "from ..splits import by_group\nfrom . import cues", []),
        ("studylib/data/phantoms/brain.py", "from ...models import build", ["studylib.models"]),
        ("studylib/models/brain.py", "from studylib import data", ["studylib.data"]),
        ("studylib/training/fit.py", "from studylib.data import dataset\nfrom studylib.models import build", []),
        ("studylib/training/fit.py", "from studylib.metrics.intervals import Estimate", ["studylib.metrics.intervals"]),
        ("studylib/study/site.py", "import studylib.cam, studylib.training.fit", []),
        ("studylib/study/site.py", "from studylib.app.look import look_at", ["studylib.app.look"]),
        ("studylib/app/look.py", "from studylib.study.one_image import explain_image", []),
        ("studylib/__main__.py", "from studylib.study.site import build", []),
        ("studylib/study/site.py", "from studylib.__main__ import main", ["studylib.__main__"]),
        ("studylib/__init__.py", "from studylib.data import dataset", ["studylib.data"]),
    ],
)
def test_upward_by_hand(path, source, names):
    assert [problem.split(" imports ")[1].split(":")[0] for problem in upward(source, path)] == names


def test_a_new_room_must_be_declared():
    assert "'tools' is no room of the house" in upward("", "studylib/tools/mallet.py")[0]


def test_the_command_line_imports_nothing_heavy():
    heavy = "{'torch', 'lightning', 'pandas', 'numpy', 'matplotlib', 'sklearn', 'skimage', 'cv2', 'snakemake'"
    heavy += ", 'streamlit'}"
    code = f"import sys, studylib, studylib.__main__; studylib.__main__.parser(); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()", f"imported before any verb asks for it: {done.stdout.strip()}"
