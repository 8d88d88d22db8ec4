"""An archive: the same bytes twice, every checksum compared, nothing that shows patients. That its figures are drawn
again without training is tested where `make` is.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from studylib.data.unpacking import UnpackError
from studylib.study import archive
from studylib.study.archive import ABOUT, MANIFEST, ArchiveError, shows_patients, unpack, write

ROOT = Path(__file__).resolve().parents[1]
HEAD = {
    "format": 1, "studies": ["02"], "data": "phantom", "profile": "quick", "seed": 0, "commit": "abc", "clean": True,
    "networks": 1, "libraries": {}, "left_out": {},
}  # fmt: skip


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """Members of an archive: names, and files that hold their names."""
    found = {}
    for name in ("Makefile", "runs/02/abc/spec.json", "reports/phantom-quick/02_x/metrics.json"):
        found[name] = tmp_path / "from" / name
        found[name].parent.mkdir(parents=True, exist_ok=True)
        found[name].write_text(name * 50)
    return found


def packed(tmp_path, files, head=None) -> Path:
    target = tmp_path / "a.tar.gz"
    write(target, "a", head or HEAD, files, lambda _: None)
    return target


def rewritten(path: Path, change) -> Path:
    """The archive with its members (name -> bytes) changed by hand."""
    with tarfile.open(path) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar}
    members = change(members)
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_there_and_back(tmp_path, files):
    said = []
    about = unpack(packed(tmp_path, files), tmp_path / "to" / "new", said.append)
    found = below(tmp_path / "to" / "new")
    assert about == HEAD and json.loads(found.pop(ABOUT)) == HEAD
    manifest = found.pop(MANIFEST).decode()
    assert found == {name: (name * 50).encode() for name in files}
    assert said[0] == "new/: 4 files, every checksum right; 1 networks of abc"
    assert said[-1].endswith("cd new && make reproduce STUDY=02 DATA=phantom PROFILE=quick SEED=0")
    if shutil.which("sha256sum"):  # the manifest is one that the usual tool reads
        command = ["sha256sum", "-c", "--quiet", "-"]
        subprocess.run(command, cwd=tmp_path / "to/new", input=manifest, text=True, check=True)


def test_the_same_files_give_the_same_bytes(tmp_path, files):
    first = packed(tmp_path, files).read_bytes()
    for path in files.values():
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert packed(tmp_path, dict(reversed(files.items()))).read_bytes() == first
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        names = [m.name for m in tar]
        assert {(m.mtime, m.uid, m.uname, m.mode) for m in tar} == {(0, 0, "", 0o644)}
    assert names == ["a/archive.json", *(f"a/{name}" for name in sorted(files)), f"a/{MANIFEST}"]
    next(iter(files.values())).write_text("other")
    assert packed(tmp_path, files).read_bytes() != first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m | {"a/Makefile": b"evil"}, "Makefile: other bytes than its checksum says"),
        (lambda m: m | {"a/more.py": b"x"}, "more.py: there, not listed"),
        (lambda m: {k: v for k, v in m.items() if k != "a/Makefile"}, "Makefile: listed, not there"),
        (lambda m: {k: v for k, v in m.items() if k != f"a/{MANIFEST}"}, f"it holds no {MANIFEST} beside archive.json"),
        (lambda m: m | {"a/../../up.py": b"x"}, "leaves the folder"),
        (lambda m: m | {"/tmp/up.py": b"x"}, "leaves the folder"),
    ],
    ids=["changed", "added", "removed", "no manifest", "climbs", "absolute"],
)
def test_what_is_not_as_its_manifest_says_is_not_unpacked(tmp_path, files, change, said):
    path = rewritten(packed(tmp_path, files), change)
    before = set(tmp_path.rglob("*"))
    with pytest.raises((ArchiveError, UnpackError), match=said):
        unpack(path, tmp_path / "new", lambda _: None)
    assert set(tmp_path.rglob("*")) == before


def test_links_are_refused(tmp_path, files):
    path = packed(tmp_path, files)
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("a/runs")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        tar.addfile(link)
    with pytest.raises(UnpackError, match="'a/runs' is a link"):
        unpack(path, tmp_path / "new", lambda _: None)


def test_damage_and_what_is_in_the_way(tmp_path, files):
    path = packed(tmp_path, files)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ArchiveError, match="full is there and not empty"):
        unpack(path, tmp_path / "full", lambda _: None)
    with pytest.raises(ArchiveError, match="there is no archive b.tar.gz"):
        unpack(tmp_path / "b.tar.gz", tmp_path / "new", lambda _: None)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UnpackError, match="damaged or ends early"):
        unpack(path, tmp_path / "new", lambda _: None)
    newer = packed(tmp_path, files, HEAD | {"format": 2})
    with pytest.raises(ArchiveError, match="of format 2, expected 1"):
        unpack(newer, tmp_path / "new", lambda _: None)
    assert not (tmp_path / "new").exists() and below(tmp_path / "full") == {"mine.txt": b"mine"}


def test_other_libraries_are_said(tmp_path, files):
    said = []
    unpack(packed(tmp_path, files, HEAD | {"libraries": {"torch": "0.1"}}), tmp_path / "new", said.append)
    assert re.match(r"  made with torch 0.1, here is \d.*: use new/requirements.lock", said[1])


def test_a_full_disk_leaves_the_old_archive(tmp_path, files, monkeypatch):
    path = packed(tmp_path, files)
    old = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_fill", full)
    with pytest.raises(ArchiveError, match="a.tar.gz was not written: no space left on device; make room"):
        packed(tmp_path, files)
    assert path.read_bytes() == old and {p.name for p in tmp_path.iterdir()} == {"a.tar.gz", "from"}


@pytest.mark.fault
def test_a_killed_archive_leaves_no_half_file(tmp_path, files):
    slow = """
import sys, time
from pathlib import Path
from studylib.study import archive
read = archive.Hashed.read
archive.Hashed.read = lambda self, size=-1: (time.sleep(0.2), read(self, size))[1]
files = {str(i): Path(sys.argv[1]) for i in range(1000)}
print("begun", flush=True)
archive.write(Path(sys.argv[2]), "a", {}, files)
"""
    path = packed(tmp_path, files)
    old = path.read_bytes()
    command = [sys.executable, "-c", slow, str(files["Makefile"]), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    process.stdout.readline()
    while not (tmp_path / ".a.tar.gz.part").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert path.read_bytes() == old
    assert packed(tmp_path, files).read_bytes() == old and not (tmp_path / ".a.tar.gz.part").exists()


def test_a_file_that_shrinks_while_it_is_packed_is_named(tmp_path, files, monkeypatch):
    monkeypatch.setattr(archive.Hashed, "read", lambda self, size=-1: b"")
    with pytest.raises(ArchiveError, match="was changed while it was packed; run again"):
        packed(tmp_path, files)
    assert not (tmp_path / "a.tar.gz").exists()


def test_what_shows_patients_by_hand():
    kept = ["metrics.json", "figures/headline.png", "tables/rates.csv", "figures/maps.svg", "headline.md"]
    left = [
        "patients/a.png",
        "patients/a.txt",
        "x.html",
        "x.ipynb",
        "review/sheet.html",
        "cases.png",
        "patients/b/c.csv",
    ]
    assert [shows_patients(Path(name), "real") for name in kept + left] == [False] * len(kept) + [True] * len(left)
    assert not any(shows_patients(Path(name), "phantom") for name in kept + left)


@pytest.fixture
def reports(tmp_path, monkeypatch) -> Path:
    """A folder of reports apart from the project's own; no network is looked for."""
    monkeypatch.setenv("STUDYLIB_HOME", str(ROOT))
    monkeypatch.setenv("STUDYLIB_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setattr(archive, "fits_of", lambda root, study, *_: ([tmp_path / "runs" / "key"], 0))
    return tmp_path / "reports"


@pytest.mark.parametrize("data", ["real", "phantom"])
def test_of_real_people_only_numbers_and_charts_are_packed(reports, data):
    report = reports / f"{data}-quick" / "02_brain_mri_cbam"
    inside = [
        "metrics.json",
        "figures/a.png",
        "tables/t.csv",
        "patients/b.png",
        "review/sheet.html",
        "c.html",
        ".x/d.png",
    ]
    for name in inside:
        (report / name).parent.mkdir(parents=True, exist_ok=True)
        (report / name).touch()
    packing = archive.collect(ROOT, ["02"], data, "quick", 0, lambda _: None)
    prefix = f"reports/{data}-quick/02_brain_mri_cbam/"
    packed_names = {name.removeprefix(prefix) for name in packing.files if name.startswith(prefix)}
    assert packed_names == set(inside[:3] if data == "real" else inside[:6])
    assert packing.left_out == ({archive.PATIENTS: 3} if data == "real" else {})
    assert packing.networks == 1
    assert {name for name in packing.files if name.startswith("runs/")} == {f"runs/02/key/{n}" for n in archive.FIT}


def test_what_make_needs_is_packed_and_what_others_made_is_not(reports):
    report = reports / "phantom-quick" / "02_brain_mri_cbam"
    report.mkdir(parents=True)
    (report / "metrics.json").touch()
    names = set(archive.collect(ROOT, ["02"], "phantom", "quick", 0, lambda _: None).files)
    wanted = {"Makefile", "Snakefile", "pyproject.toml", "requirements.lock", "setup.py", "data/datasets.toml",
              "data/claims/02.toml", "notebooks/02_brain_mri_cbam.toml", "notebooks/02_brain_mri_cbam.ipynb",
              "studylib/__main__.py", "studylib/study/style.mplstyle", "LICENSE", "reports/bench/cpu.csv"}  # fmt: skip
    assert wanted <= names, wanted - names
    assert not [n for n in names if n.startswith(("tests/", ".")) or "__pycache__" in n or n.endswith(".pyc")]
    assert not [
        n for n in names if n.startswith("reports/") and n.split("/")[1] not in ("phantom-quick", "bench", "README.md")
    ]


def archived(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """`python -m studylib archive …` with a project's own code."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STUDYLIB_")} | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "studylib", "archive", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_words_of_the_verb(tmp_path):
    done = archived(ROOT, "--unpack", "x.tar.gz")
    assert done.returncode == 2 and "say --to FOLDER" in done.stderr
    done = archived(ROOT, "--unpack", "x.tar.gz", "--to", str(tmp_path / "new"))
    assert done.returncode == 1 and done.stderr == "ArchiveError: there is no archive x.tar.gz\n"
    assert archive.archive_name("real", "standard", ["02", "01"], False) == "studylib-real-standard-01-02"
    assert archive.archive_name("phantom", "quick", ["01"], True) == "studylib-phantom-quick"
