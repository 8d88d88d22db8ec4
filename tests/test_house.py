"""The house is in order: READMEs name what lies beside them, links lead somewhere, nothing large or private is kept."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

import pytest

from studylib.__main__ import VERBS
from studylib.study.marks import EVIDENCE, VERDICT_MARKS

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES, MAX_LINES = 2_000_000, 300
EMPTY_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py", "tools.py"}
ROOMS_WITH_README = [
    "notebooks",
    "tests",
    "reports",
    "data",
    "data/claims",
    "studylib",
    "studylib/cam",
    "studylib/metrics",
]
ROOMS_WITH_README += [
    "studylib/data",
    "studylib/data/phantoms",
    "studylib/models",
    "studylib/training",
    "studylib/study",
    "studylib/app",
]
# Paths of one person's machine. Written so that this line does not find itself.
PRIVATE = re.compile(r"(?<![\w.*/:-])/(?:home|root|work|Users|mnt|media)/[A-Za-z]")
INDEX = re.compile(r"index-url|find-links|https?://\S*(?:/simple\b|/packages/[0-9a-f]{2}/)")


def listed_files() -> list[str]:
    """What git keeps, or would keep if it were added now: everything that is there and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("not a git checkout: what belongs to the project is not known", allow_module_level=True)
    return sorted(path for path in set(found.stdout.split("\0")) if path and (ROOT / path).is_file())


def texts(patterns: Iterable[str]) -> dict[str, str]:
    """Path -> content of the listed files whose path fits one of the patterns."""
    fitting = [path for path in listed_files() if any(fnmatch(path, pattern) for pattern in patterns)]
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in fitting}


def unnamed(readme: str, names: Iterable[str]) -> list[str]:
    """Names that a README does not give as code or as a link: `splits.py`, `splits`, `models/`, `test_site*.py`."""
    said = set(re.findall(r"`([^`\s]+)`", readme)) | set(re.findall(r"\]\(([^)#\s]+)\)", readme))
    said = {name.rstrip("/") for name in said if name.strip("*./")}
    said |= {name.split("/")[0] for name in said if not name.startswith(".")}  # `claims/NN.toml` names claims
    stems = {name: {name, name.removesuffix(".py")} for name in names}
    return [name for name in names if not any(fnmatch(stem, word) for word in said for stem in stems[name])]


def test_unnamed_by_hand():
    readme = "| `splits.py` | … | [`models/`](models/) `regions`, `test_s*.py`, `in/a.py`, `*` name; plain words.py |"
    names = ["splits.py", "models", "regions.py", "test_site.py", "in", "words.py", "name"]
    assert unnamed(readme, names) == ["words.py", "name"]


@pytest.mark.parametrize("folder", ROOMS_WITH_README)
def test_readme_names_every_file_beside_it(folder):
    files = listed_files()
    readme = ROOT / folder / "README.md"
    assert readme.is_file(), f"{folder}/README.md is missing: it says what each file beside it is"
    below = {path.removeprefix(f"{folder}/").split("/")[0] for path in files if path.startswith(f"{folder}/")}
    if folder == "tests":  # test_NAME.py tests the module NAME, which the README of its room names
        below -= {f"test_{Path(path).name}" for path in files if fnmatch(path, "studylib/*.py")}
    missing = unnamed(readme.read_text(encoding="utf-8"), sorted(below - {"README.md", "__init__.py", ".gitkeep"}))
    assert not missing, f"{folder}/README.md does not name {', '.join(missing)}"


def test_every_link_leads_somewhere():
    broken = []
    for path, text in texts(["*.md"]).items():
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            if re.match(r"[a-z]+:|#", link):
                continue
            if not (ROOT / path).parent.joinpath(link.split("#")[0]).exists():
                broken.append(f"{path}: {link}")
    assert not broken, "links to what is not there:\n" + "\n".join(broken)


def test_nothing_large():
    large = {path: size for path in listed_files() if (size := (ROOT / path).stat().st_size) > MAX_BYTES}
    assert not large, f"files over {MAX_BYTES:,} bytes: {large}"


def test_no_private_paths():
    found = []
    for path in listed_files():
        if path.endswith((".png", ".jpg", ".lock", ".npz")):
            continue
        try:
            lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{number} {m.group()}…" for number, line in enumerate(lines, 1) if (m := PRIVATE.search(line))
        ]
    assert not found, "paths of one machine:\n" + "\n".join(found[:20])


def test_private_paths_by_hand():
    yes = ["see " + "/".join(["", "home", "me"]), '"' + "/".join(["", "Users", "x", "y"]) + '"']
    no = ["https://x.org/home/me", "../work/shared", "a/root/b", "/usr/bin/env", "reports/home/x", "make /work"]
    assert [bool(PRIVATE.search(text)) for text in yes + no] == [True] * len(yes) + [False] * len(no)


def test_no_package_index_addresses():
    # pyproject-like files and scripts; prose and Python may speak of an index
    found = texts(
        ["*.lock", "*.toml", "*.txt", "*.yml", "*.yaml", "*.cfg", "Makefile", "Snakefile", ".ci/*", ".github/*"]
    )
    bad = [f"{path}: {m.group()}" for path, text in found.items() if (m := INDEX.search(text))]
    assert not bad, f"package index addresses: {bad}"


def test_no_patients_are_kept():
    """Under real images only figures/ may hold pictures, and those are charts; no notebook, no HTML, no patients/."""
    kept = [path for path in listed_files() if path.startswith("reports/real-")]
    wrong = [path for path in kept if path.endswith((".html", ".ipynb", ".jpg", ".npz")) or "/patients/" in path]
    wrong += [path for path in kept if path.endswith((".png", ".svg")) and "/figures/" not in path]
    wrong += [path for path in listed_files() if re.match(r"data/\w+/(images|masks)/", path)]
    assert not wrong, f"may show patients: {wrong}"


def modules() -> dict[str, str]:
    return texts(["studylib/*.py"])


def test_modules_are_short_nouns():
    long = {path: n for path, text in modules().items() if (n := len(text.splitlines())) > MAX_LINES}
    assert not long, f"modules over {MAX_LINES} lines, make two concepts of them: {long}"
    vague = [path for path in listed_files() if path.startswith("studylib/") and Path(path).name in EMPTY_NAMES]
    assert not vague, f"names that say nothing: {vague}"


def test_modules_begin_with_what_they_are():
    silent = [path for path, text in modules().items() if not ast.get_docstring(ast.parse(text))]
    assert not silent, f"no docstring at the top of {silent}"


def imported(source: str) -> set[str]:
    """Every dotted name that an import could mean: `from a.b import c` is a.b and a.b.c."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_every_module_is_tested():
    """A test imports it, or imports a module of the same room that uses it."""
    direct = set().union(*(imported(text) for text in texts(["tests/*.py"]).values()))
    names = {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): text for path, text in modules().items()
    }
    tested = {name for name in names if name in direct}
    for name in sorted(tested):  # one step further, inside the room
        tested |= {other for other in imported(names[name]) & set(names) if other.split(".")[:2] == name.split(".")[:2]}
    untested = sorted(set(names) - tested - {path for path, text in names.items() if len(text.splitlines()) < 20})
    assert not untested, f"no test reaches {untested}"


def targets() -> list[str]:
    """Targets of the Makefile that a person types: `.PHONY`."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return " ".join(re.findall(r"^\.PHONY:(.*)$", makefile, re.M)).split()


def test_help_lists_every_target():
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    missing = [target for target in targets() if not re.search(rf"\bmake {target}\s+\w", shown)]
    assert not missing, f"`make help` does not explain {missing}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    silent = set(re.findall(r"^([a-z][\w-]*):", makefile, re.M)) - set(targets())
    assert not silent, f"targets that .PHONY does not name: {silent}"


def test_commands_in_the_text_exist():
    wrong = []
    for path, text in texts(["*.md", ".github/*", ".ci/run"]).items():
        typed = (
            "\n".join(re.findall(r"`[^`]+`|```.*?```", text, re.S))
            if path.endswith(".md")
            else re.sub(r"#.*", "", text)
        )
        for target in re.findall(r"\bmake ((?!it\b)[a-z]+)\b", typed):
            wrong += [f"{path}: make {target}"] if target not in targets() else []
        for verb in re.findall(r"python -m studylib ([a-z]+)\b", typed):
            wrong += [f"{path}: python -m studylib {verb}"] if verb not in VERBS else []
    assert not wrong, f"commands that do not exist: {wrong}"


def test_integration_runs_what_a_person_runs():
    script, workflow = ROOT / ".ci" / "run", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert os.access(script, os.X_OK) and re.search(r"^make test$", script.read_text(encoding="utf-8"), re.M)
    assert re.search(r"run: \.ci/run$", workflow, re.M) and re.search(r"run: make reproduce$", workflow, re.M)


def test_readme_lists_every_study():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    there = {path.name for path in (ROOT / "notebooks").glob("0[1-5]_*.ipynb")}
    linked = set(re.findall(r"\]\(notebooks/(0[1-5]_\w+\.ipynb)\)", readme))
    assert linked == there, f"README links {sorted(linked)}, notebooks/ holds {sorted(there)}"
    rows = re.findall(r"^\| (0[1-5]) \|", readme, re.M)
    assert rows == ["01", "02", "03", "04", "05"]


def test_readme_explains_verdicts_as_the_reports_do():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## How to read a verdict")[1].split("\n## ")[0]
    table = dict(re.findall(r"^\| (?:\S )?`([a-z-]+(?: [a-z]+)?)` \| (.+) \|$", section, re.M))
    expected = {word: meaning for word, (_, meaning) in VERDICT_MARKS.items()} | EVIDENCE
    assert table == expected


def test_citation_names_five_sources():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["license"] == "MIT"
    references = citation["references"]
    assert [reference["notes"][:9] for reference in references] == [f"Source 0{n}" for n in range(1, 6)]
    assert all(reference["title"] and reference["authors"] and reference["type"] for reference in references)
    from importlib.metadata import version

    assert citation["version"] == version("studylib")
