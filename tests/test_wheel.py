"""The wheel alone is enough: from an empty folder every study opens and every notebook begins; nothing is read from a
clone, and nothing is written but under the working folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from studylib.study.marks import spoken

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("setuptools", "77")
SOURCES = (
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "studylib",
    "notebooks",
    "data",
    "reports",
)
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
# In front of everything that runs from the wheel: remember what is opened, and say at the end what of it is the clone's
WATCH = """
import os, sys
clone, site, opened = {clone!r} + os.sep, {site!r} + os.sep, []
def seen(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        opened.append(os.path.realpath(os.fsdecode(arguments[0])))
sys.addaudithook(seen)
import atexit
def tell():
    ours = [p for p in opened if p.startswith(clone) and not p.startswith((clone + ".venv", clone + ".git"))]
    ours += [p for p in opened if "/studylib/" in p and p.endswith(".py") and not p.startswith(site)]
    print("FROM THE CLONE:", sorted(set(ours)))
atexit.register(tell)
"""
OPEN_ALL = """
import studylib
print(studylib.__file__)
from studylib.study.root import find_root, reports_folder, runs_folder
from studylib.study.settings import overviews, studies
from studylib.study.claims import load_claims
root = find_root()
print(root); print(runs_folder(root)); print(reports_folder(root))
from studylib.study.study import Study
for number in studies(root):
    study = Study.open(number)
    print(number, study.name, len(load_claims(number, root).claims), sorted(study.settings.profiles))
from studylib.data import catalogue
print(len(catalogue.names()))
"""
RUN_CELLS = """
import json, sys
import matplotlib
matplotlib.use("agg")
from studylib.study.root import find_root
for word in sys.argv[1:]:  # NAME=4: its first four cells; NAME=0: all
    name, how_many = word.split("=")
    notebook = json.loads((find_root() / "notebooks" / (name + ".ipynb")).read_text(encoding="utf-8"))
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code" and "colab" not in c["metadata"].get("tags", [])]
    print("NOTEBOOK", name)
    space = {"__name__": "__main__"}
    for cell in cells[:int(how_many) or None]:
        exec("".join(cell["source"]), space)
    print("CELLS", len(cells[:int(how_many) or None]), "OF", len(cells))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """What git keeps of the files that a wheel is built from, in a folder without git."""
    found = subprocess.run(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard", *SOURCES], cwd=ROOT,
                           capture_output=True, text=True, check=False)  # fmt: skip
    if found.returncode:
        pytest.skip("not a git checkout: what belongs to the project is not known")
    folder = tmp_path_factory.mktemp("source")
    for name in found.stdout.split("\0"):
        if name and (ROOT / name).is_file() and not name.endswith((".png", ".svg", ".html")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(what: str, source: Path, target: Path) -> Path:
    """Call setuptools' build hook, offline. -> the file that it made"""
    target.mkdir(exist_ok=True)
    made = subprocess.run([sys.executable, "-c", BUILD, what, str(target)], cwd=source, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return target / made.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    return build("build_wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """The wheel as pip installs it, alone in a folder."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile", "--target"]
    if subprocess.run(
        [*command, str(folder), str(wheel)], capture_output=True
    ).returncode:  # no pip in this environment
        zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run(site: Path, folder: Path, script: str, *words: str) -> str:
    """Run a script in `folder` with the wheel before everything else. -> what it printed, none of it from the clone."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STUDYLIB_")} | {"PYTHONPATH": str(site)}
    text = WATCH.format(clone=str(ROOT), site=str(site)) + script
    done = subprocess.run(
        [sys.executable, "-c", text, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "FROM THE CLONE: []" in done.stdout, done.stdout.split("FROM THE CLONE:")[-1][:2000]
    return done.stdout


def files_below(folder: Path) -> dict[str, float]:
    return {p.relative_to(folder).as_posix(): p.stat().st_mtime for p in folder.rglob("*") if p.suffix != ".pyc"}


def test_a_wheel_holds_what_notebooks_read_and_no_picture(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    home = {name.removeprefix("studylib/_home/") for name in names if name.startswith("studylib/_home/")}
    for pattern in ("notebooks/*.ipynb", "notebooks/*.toml", "data/claims/*.toml", "data/datasets.toml",
                    "reports/*-*/*/metrics.json", "reports/*-*/*/verdicts.csv", "reports/bench/cpu.csv"):  # fmt: skip
        wanted = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
        assert wanted and wanted <= home, sorted(wanted - home)
    assert not [name for name in names if name.endswith((".png", ".svg", ".html", ".jpg")) and "_home" in name]
    assert not [name for name in names if name.startswith(("tests/", "setup.py", "notebooks/"))]
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "studylib").rglob("*.py")}
    assert code <= set(names)
    notebooks = [json.loads(zipfile.ZipFile(wheel).read(n)) for n in names if n.endswith(".ipynb")]
    assert not any(cell.get("outputs") for notebook in notebooks for cell in notebook["cells"])
    assert wheel.stat().st_size < 3_000_000


def test_a_wheel_from_a_source_distribution_is_the_same(source, wheel, tmp_path):
    archive = build("build_sdist", source, tmp_path / "sdist")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    again = build("build_wheel", tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "again")
    ours, theirs = (
        {i.filename: i.CRC for i in zipfile.ZipFile(path).infolist() if not i.filename.endswith("RECORD")}
        for path in (wheel, again)
    )
    assert ours == theirs


def test_an_editable_install_gets_no_copies(source, tmp_path):
    build("build_editable", source, tmp_path)
    assert not (source / "studylib" / "_home").exists()


def test_a_wheel_says_of_which_commit_it_is(tmp_path, monkeypatch):
    from studylib.study import record

    (tmp_path / "commit.json").write_text('{"commit": "abc", "clean": true}')
    assert record.commit(tmp_path) == ("abc", True)


def test_from_an_empty_folder_every_study_opens(site, tmp_path):
    before = files_below(site)
    told = run(site, tmp_path, OPEN_ALL).splitlines()
    assert told[0] == str(site / "studylib" / "__init__.py") and told[1] == str(site / "studylib" / "_home")
    assert told[2:4] == [str(tmp_path / "runs"), str(tmp_path / "reports")]
    assert [line[:2] for line in told[4:9]] == ["01", "02", "03", "04", "05"]
    claims = {path.stem: path.read_text().count("[[claim]]") for path in (ROOT / "data" / "claims").glob("*.toml")}
    assert all(int(line.split()[2]) == claims[line[:2]] > 10 for line in told[4:9])
    assert {path.name for path in tmp_path.iterdir()} == {"reports"}  # the folder beside the final report
    assert files_below(site) == before  # nothing is written where it is installed


def test_the_first_cells_of_each_notebook_run(site, tmp_path):
    """Parameters, imports, the first screen and the table of statements."""
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("0[1-5]_*.ipynb"))
    told = run(site, tmp_path, RUN_CELLS, *(f"{name}=4" for name in names)).split("NOTEBOOK ")[1:]
    assert [text.split("\n")[0] for text in told] == names and len(names) == 5
    for name, text in zip(names, told, strict=True):
        assert "CELLS 4 OF" in text and "data phantom, profile quick, seed 0" in text and "Claimed:" in text
        for of in (("phantom", "quick"), ("real", "standard")):
            if (ROOT / "reports" / "-".join(of) / name / "metrics.json").is_file():  # it came with the project
                assert f"**{spoken(*of).capitalize()}:**" in text, text


def test_a_notebook_over_all_studies_runs_whole(site, tmp_path):
    told = run(site, tmp_path, RUN_CELLS, "06_synthesis=0")
    done, of = told.split("CELLS ")[1].split("\n")[0].split(" OF ")
    assert done == of and int(of) > 10
    report = tmp_path / "reports" / "phantom-quick" / "06_synthesis"
    ours, kept = (
        json.loads((folder / "metrics.json").read_text())
        for folder in (report, ROOT / "reports/phantom-quick/06_synthesis")
    )
    assert ours["metrics"].keys() == kept["metrics"].keys() and ours["metrics"]


def test_the_command_line_from_the_wheel(site, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STUDYLIB_")} | {"PYTHONPATH": str(site)}

    def typed(*words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "studylib", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    plan = typed("plan", "02")
    assert plan.returncode == 0 and plan.stdout.startswith("study 02 phantom-quick:")
    assert "isic2017" in typed("data", "list").stdout
    for words in (["environment"], ["refresh", "02"]):
        refused = typed(*words)
        assert refused.returncode == 1 and "run it in a clone" in refused.stderr, refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_report_from_the_wheel(site, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STUDYLIB_")} | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "studylib", "report", "06"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "reports" / "phantom-quick" / "06_synthesis"
    assert (report / "06_synthesis.html").is_file() and (report / "metrics.json").is_file()
    assert json.loads((report / "provenance.json").read_text())["commit"] == "unknown"  # built without git
    assert {path.name for path in tmp_path.iterdir()} <= {"reports", "runs", "logs"}
