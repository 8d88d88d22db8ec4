"""pyproject.toml, environment.yml and requirements.lock say the same thing; the lock holds hashes and no address."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from studylib.study import environment

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
LOCKED = [
    *PYPROJECT["project"]["dependencies"],
    *(name for extra in ("test", "app", "cluster") for name in EXTRAS[extra]),
]
IMPORT_NAMES = {"cv2": "opencv-python-headless", "PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}
RUN_AS_COMMANDS = {"ipykernel", "jupyterlab", "nbconvert", "snakemake"}  # started, not imported


def lock_entries() -> dict[str, list[tuple[str, str]]]:
    """name -> [(version, everything that follows up to the next entry)]; a name may be pinned once for each Python."""
    entries: dict[str, list[tuple[str, str]]] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", "\n" + LOCK):
        if found := re.match(r"\s*([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)(.*)", block, re.S):
            entries.setdefault(canonicalize_name(found[1]), []).append((found[2], found[3]))
    return entries


def test_environment_is_made_from_pyproject():
    committed = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert committed == environment.render(ROOT / "pyproject.toml"), "stale: run `python -m studylib environment`"


def test_environment_by_hand(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nrequires-python = ">=3.11"\n'
        'dependencies = ["Torch>=2.6", "numpy>=2.0", "odd[extra]>=1,<2 ; python_version < \'4\'"]\n'
    )
    text = environment.write(tmp_path).read_text()
    expected = [
        "name: demo",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        "  - python>=3.11",
        "  - pip",
        "  - pip:",
        "      - numpy>=2.0",
        "      - \"odd[extra]>=1,<2 ; python_version < '4'\"",
        "      - Torch>=2.6",
        "      - -e .",
    ]
    assert [line for line in text.splitlines() if not line.startswith("#")] == expected


def test_environment_names_what_is_missing(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"\n')
    with pytest.raises(KeyError, match="lacks requires-python, dependencies"):
        environment.render(tmp_path / "pyproject.toml")


@pytest.mark.parametrize("text", LOCKED)
def test_lock_satisfies(text):
    requirement = Requirement(text)
    pinned = [version for version, _ in lock_entries().get(canonicalize_name(requirement.name), [])]
    assert pinned, f"{requirement.name} is in pyproject.toml but not in requirements.lock: compile the lock again"
    outside = [version for version in pinned if not requirement.specifier.contains(version, prereleases=True)]
    assert not outside, (
        f"requirements.lock pins {requirement.name} {outside}, pyproject.toml asks for {requirement.specifier}"
    )


def test_lock_entries_are_exact_and_hashed():
    entries = lock_entries()
    starts = re.findall(r"^[A-Za-z0-9].*$", LOCK, re.M)
    assert len(starts) == sum(map(len, entries.values())), "a line of requirements.lock is not `name==version`"
    bare = [name for name, pins in entries.items() for _, rest in pins if "--hash=sha256:" not in rest]
    assert not bare, f"no hash in requirements.lock for {bare}"


def test_lock_holds_no_address_or_path():
    strange = [line for line in LOCK.splitlines() if re.search(r"://|--(extra-)?index|find-links| @ |(^|\s)/", line)]
    assert not strange, f"addresses or paths in requirements.lock: {strange[:5]}"


def test_bounds_are_lower_bounds():
    extras = EXTRAS.values()
    for text in [*PYPROJECT["project"]["dependencies"], *(text for extra in extras for text in extra)]:
        operators = {specifier.operator for specifier in Requirement(text).specifier}
        assert operators == {">="}, f"{text}: give a lower bound and nothing else, so that a user's own torch can stay"


def imported_packages(folder: str) -> dict[str, str]:
    """Distribution -> a file under `folder` that imports it; the standard library and what is ours are left out."""
    found: dict[str, str] = {}
    paths = sorted((ROOT / folder).rglob("*.py"))
    ours = {"studylib", *(path.stem for path in (*paths, *(ROOT / "bench").glob("*.py")))}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - ours:
                found.setdefault(canonicalize_name(IMPORT_NAMES.get(top, top)), str(path.relative_to(ROOT)))
    return found


def names_of(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@pytest.mark.parametrize(
    ("folder", "declared"), [("studylib", [*PYPROJECT["project"]["dependencies"], *EXTRAS["app"]]), ("tests", LOCKED)]
)
def test_every_import_is_declared(folder, declared):
    undeclared = {name: path for name, path in imported_packages(folder).items() if name not in names_of(declared)}
    assert not undeclared, f"imported but not in pyproject.toml's dependencies: {undeclared}"


def test_every_dependency_is_used():
    unused = names_of(PYPROJECT["project"]["dependencies"]) - set(imported_packages("studylib")) - RUN_AS_COMMANDS
    assert not unused, f"in pyproject.toml's dependencies, but nothing in studylib imports them: {sorted(unused)}"
