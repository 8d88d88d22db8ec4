"""One file that holds a run: networks, reports, ledgers, settings, code and lock, each with its SHA-256. Unpacked, its
figures are drawn again without training.

FILE.tar.gz    NAME/archive.json (what it is of, versions, what was left out), NAME/… the project with runs/ and
               reports/, and last NAME/MANIFEST.sha256, as `sha256sum -c` reads it. Same project, same bytes.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO

from studylib.data.transfers import size_text
from studylib.data.unpacking import unpack as unpack_folder
from studylib.study.record import ReportError, commit
from studylib.study.root import find_clone, reports_folder, runs_folder
from studylib.study.settings import check_parameters, load_settings, notebook_name, overviews, studies
from studylib.training.locks import lock
from studylib.training.spec import LIBRARIES

FORMAT = 1
ABOUT, MANIFEST = "archive.json", "MANIFEST.sha256"
# what a run is made from; figures of other runs, tests and what git ignores stay out
PROJECT = (
    "Makefile", "Snakefile", "pyproject.toml", "setup.py", "MANIFEST.in", "environment.yml", "requirements*.lock",
    "README.md", "CONTRIBUTING.md", "LICENSE", "CITATION.cff", "studylib/**/*", "notebooks/*.ipynb", "notebooks/*.toml",
    "notebooks/README.md", "data/*.toml", "data/README.md", "data/claims/*", "reports/README.md", "reports/bench/*.csv",
)  # fmt: skip
PASSING = ("__pycache__", "_home")
FIT = ("spec.json", "weights.safetensors", "history.csv", "predictions.csv", "seconds.json")
PATIENTS = "may show patients"
EVERY = 5.0  # seconds between lines of progress


class ArchiveError(ReportError):
    """An archive that was not made or not unpacked; the message says why and what to do."""


@dataclass
class Packing:
    """What an archive holds: member name -> file; `left_out`: why -> how many files; `networks` counts fits."""

    files: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    networks: int = 0

    def leave_out(self, why: str) -> None:
        self.left_out[why] = self.left_out.get(why, 0) + 1


def archive_name(data: str, profile: str, asked: Sequence[str], every: bool) -> str:
    """What an archive is called without its ending: studylib-phantom-quick, or studylib-phantom-quick-01-02."""
    return "-".join(["studylib", data, profile, *([] if every else sorted(asked))])


def pack(
    asked: Sequence[str], data: str, profile: str, seed: int, target: Path | None = None, say: Callable = print
) -> Path:
    """Write the archive of a run of some studies (none asked: all of them). -> its path.

    It appears under its name when it is whole. Raises ArchiveError where a network or a report is not there yet.
    """
    check_parameters(data, profile, seed)
    root = find_clone()
    every = sorted([*studies(root), *overviews(root)])
    asked = sorted(set(asked or every))
    name = archive_name(data, profile, asked, asked == every)
    target = Path(target) if target else Path(f"{name}.tar.gz")
    packing = collect(root, asked, data, profile, seed, say)
    made, clean = commit(root)
    about = {
        "format": FORMAT, "studies": asked, "data": data, "profile": profile, "seed": seed, "commit": made,
        "clean": clean, "networks": packing.networks, "libraries": {name: version(name) for name in LIBRARIES},
        "left_out": packing.left_out,
    }  # fmt: skip
    top = target.name.removesuffix(".gz").removesuffix(".tar")
    with lock(runs_folder(root) / ".locks" / f"archive-{target.name}"):
        write(target, top, about, packing.files, say)
    say(
        f"archive {target.name}: studies {', '.join(asked)}, {packing.networks} networks, {len(packing.files)} files, "
        f"{size_text(target.stat().st_size)}"
    )
    for why, number in packing.left_out.items():
        say(f"  left out: {number} files that {why}")
    if data == "real":
        say("  predictions of networks name images and groups of the real sets, as metadata.csv does")
    return target


def collect(root: Path, asked: Sequence[str], data: str, profile: str, seed: int, say: Callable) -> Packing:
    """Find the files of a run. Raises ArchiveError listing every network and report that is missing."""
    packing, lacking = Packing(), []
    for pattern in PROJECT:
        for path in sorted(root.glob(pattern)):
            if path.is_file() and not set(path.relative_to(root).parts) & set(PASSING):
                packing.files[path.relative_to(root).as_posix()] = path
    for study in asked:
        if study not in overviews(root):
            found, missing = fits_of(root, study, data, profile, seed, say)
            packing.networks += len(found)
            lacking += [f"study {study}: {missing} of {missing + len(found)} networks"] if missing else []
            for folder in found:
                packing.files |= {f"runs/{study}/{folder.name}/{name}": folder / name for name in FIT}
        name = notebook_name(study, root)
        report = reports_folder(root) / f"{data}-{profile}" / name
        if not (report / "metrics.json").is_file():
            lacking.append(f"study {study}: the report reports/{data}-{profile}/{name}/")
        for path in sorted(path for path in report.rglob("*") if path.is_file()):
            inside = path.relative_to(report)
            if any(part.startswith(".") for part in inside.parts):
                continue
            if shows_patients(inside, data):
                packing.leave_out(PATIENTS)
            else:
                packing.files[f"reports/{data}-{profile}/{name}/{inside.as_posix()}"] = path
    if lacking:
        given = f"STUDY={','.join(asked)} DATA={data} PROFILE={profile} SEED={seed}"
        raise ArchiveError("\n".join([*lacking, f"not there yet; make them first: make reproduce {given}"]))
    return packing


def fits_of(root: Path, study: str, data: str, profile: str, seed: int, say: Callable) -> tuple[list[Path], int]:
    """The folders of a study's finished networks in a run, and how many are missing. Nothing is trained."""
    from studylib.study.train import Workshop

    say(f"study {study}: which networks its settings ask for")
    workshop = Workshop(load_settings(study, root), data, profile, seed, runs_folder(root))
    keys = dict.fromkeys(workshop.examples(run)[0].key for run in workshop.runs())
    folders = [workshop.folder / study / key for key in keys]
    whole = [folder for folder in folders if all((folder / name).is_file() for name in FIT)]
    return whole, len(folders) - len(whole)


def shows_patients(inside: Path, data: str) -> bool:
    """Whether a file of a report may show images of people: of real images everything but numbers and charts."""
    return data == "real" and (
        bool({"patients", "review"} & set(inside.parts[:-1]))
        or inside.suffix in (".html", ".ipynb", ".npz", ".npy", ".jpg", ".jpeg")
        or (inside.suffix in (".png", ".svg") and inside.parts[0] != "figures")
    )


class Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sha = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self.file.read(size)
        self.sha.update(block)
        return block


def write(target: Path, top: str, about: dict, files: dict[str, Path], say: Callable = print) -> None:
    """Write members `top`/NAME in order of their names, the manifest last; same content, same bytes; whole or not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.part")
    try:
        with open(beside, "wb") as raw:
            with (
                gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
            ):
                _fill(tar, top, about, files, say)
            raw.flush()
            os.fsync(raw.fileno())
        beside.replace(target)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        why = os.strerror(error.errno).lower()
        raise ArchiveError(
            f"{target.name} was not written: {why}; make room, or name another place with --to"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def _fill(tar: tarfile.TarFile, top: str, about: dict, files: dict[str, Path], say: Callable) -> None:
    described = json.dumps(about, indent=1, sort_keys=True).encode() + b"\n"
    tar.addfile(_member(f"{top}/{ABOUT}", len(described)), io.BytesIO(described))
    sums, done, shown = [(hashlib.sha256(described).hexdigest(), ABOUT)], 0, time.monotonic()
    total = sum(path.stat().st_size for path in files.values())
    for name in sorted(files):
        with open(files[name], "rb") as file:
            size, read = os.fstat(file.fileno()).st_size, Hashed(file)
            try:
                tar.addfile(_member(f"{top}/{name}", size), read)
            except OSError as error:
                if error.errno is not None:
                    raise
                raise ArchiveError(f"{name} was changed while it was packed; run again") from error  # it became shorter
        sums.append((read.sha.hexdigest(), name))
        done += size
        if time.monotonic() - shown > EVERY:
            say(f"  {size_text(done)} of {size_text(total)}")
            shown = time.monotonic()
    manifest = "".join(f"{sha}  {name}\n" for sha, name in sums).encode()
    tar.addfile(_member(f"{top}/{MANIFEST}", len(manifest)), io.BytesIO(manifest))


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A plain file of nobody's, of no time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def unpack(archive: Path, folder: Path, say: Callable = print) -> dict:
    """Unpack an archive as `folder`, every checksum compared before it is there. -> what archive.json says.

    Raises UnpackError for an archive that is damaged or climbs out, ArchiveError for one that is none, or whose files
    are not those of its manifest; then nothing was unpacked.
    """
    if not archive.is_file():
        raise ArchiveError(f"there is no archive {archive.name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArchiveError(f"{folder.name} is there and not empty: name a new folder with --to")
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        unpack_folder(archive, beside)
        about, number = verified(beside, archive.name)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    say(f"{folder.name}/: {number} files, every checksum right; {about['networks']} networks of {about['commit'][:12]}")
    for name, wanted in about["libraries"].items():
        if (here := version(name)) != wanted:
            say(f"  made with {name} {wanted}, here is {here}: use {folder.name}/requirements.lock, as make does")
    given = f"STUDY={','.join(about['studies'])} DATA={about['data']} PROFILE={about['profile']} SEED={about['seed']}"
    say(f"figures are drawn again, without training, by: cd {folder.name} && make reproduce {given}")
    return about


def verified(folder: Path, name: str) -> tuple[dict, int]:
    """Compare a folder with its manifest. -> what archive.json says, how many files. Raises ArchiveError."""
    manifest = folder / MANIFEST
    if not manifest.is_file() or not (folder / ABOUT).is_file():
        raise ArchiveError(f"{name} is no archive of this project: it holds no {MANIFEST} beside {ABOUT}")
    rows = [line.partition("  ") for line in manifest.read_text(encoding="utf-8").splitlines()]
    listed = {path: sha for sha, _, path in rows}
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() and p != manifest}
    wrong = [f"{path}: listed, not there" for path in sorted(listed.keys() - there.keys())]
    wrong += [f"{path}: there, not listed" for path in sorted(there.keys() - listed.keys())]
    for path in sorted(listed.keys() & there.keys()):
        with open(there[path], "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != listed[path]:
                wrong.append(f"{path}: other bytes than its checksum says")
    if wrong:
        more = [f"and {len(wrong) - 5} more"] if len(wrong) > 5 else []
        raise ArchiveError("\n".join([f"{name} is not what its {MANIFEST} says:", *wrong[:5], *more]))
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if about.get("format") != FORMAT:
        raise ArchiveError(
            f"{name} is of format {about.get('format')}, expected {FORMAT}: use the studylib that made it"
        )
    return about, len(listed)
