"""What is there: machine, packages, weights, data, and what each profile would take. Imports nothing heavy."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from studylib.training.precision import CPUINFO, fast_bf16

OK, ABSENT, LOOK = "ok", "-", "!"  # there; not there and not needed; wants a person's attention
GB = 1e9
PATIENCE = 3.0  # seconds for a driver's answer
NEEDED_DISK = 8.0  # GB: the environment with a GPU build of torch, and room for runs


@dataclass(frozen=True)
class Row:
    """One line of the report: a state (OK, ABSENT or LOOK), what was looked at, and what was found."""

    state: str
    name: str
    found: str


def memory_gb(meminfo: str) -> tuple[float, float]:
    """(total, available) in GB (1e9 bytes) from the text of `/proc/meminfo`."""
    kib = {found[1]: int(found[2]) for found in re.finditer(r"^(\w+):\s+(\d+) kB", meminfo, re.M)}
    return kib["MemTotal"] * 1024 / GB, kib.get("MemAvailable", kib["MemTotal"]) * 1024 / GB


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux, or not allowed: the line then says "unknown"
        return ""


def _machine(root: Path) -> list[Row]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    known = OK if sys.version_info >= (3, 11) else LOOK
    rows = [Row(known, "Python", f"{platform.python_version()} (3.11 or later is needed)")]
    rows.append(
        Row(OK, "cores", f"{cores}; JOBS={cores} keeps {'it' if cores == 1 else 'them'} busy, one thread a job")
    )
    if meminfo := _text("/proc/meminfo"):
        total, free = memory_gb(meminfo)
        rows.append(Row(OK if free > 4 else LOOK, "memory", f"{total:.0f} GB, {free:.0f} GB free"))
    else:
        rows.append(Row(ABSENT, "memory", "unknown on this system"))
    free = shutil.disk_usage(root).free / GB
    small = "" if free > NEEDED_DISK else f"; a fresh environment and its runs want {NEEDED_DISK:.0f} GB"
    rows.append(Row(LOOK if small else OK, "disk", f"{free:.0f} GB free here{small}"))
    missing = [tool for tool in ("make", "git") if not shutil.which(tool)]
    rows.append(Row(LOOK if missing else OK, "tools", f"missing: {', '.join(missing)}" if missing else "make, git"))
    return rows


def _packages(root: Path) -> list[Row]:
    listed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = [re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in listed]
    missing = []
    for name in names:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        rows = [Row(LOOK, "packages", f"not installed: {', '.join(missing)}; `make` installs them into .venv")]
    else:
        rows = [Row(OK, "packages", f"all {len(names)} of pyproject.toml")]
    return rows + ([] if "torch" in missing else [_torch()]) + [accelerator("torch" not in missing)]


def _torch() -> Row:
    flag = fast_bf16(_text(str(CPUINFO)))
    speed = f"bf16 is fast on this processor ({flag})" if flag else "no bf16 in this processor: float32 is used"
    return Row(OK, "torch", f"{metadata.version('torch')}; {speed}")


def torch_cuda() -> str | None:
    """The CUDA version that the installed torch was built for, or None; read from its files, without an import."""
    version_file = Path(str(metadata.distribution("torch").locate_file("torch/version.py")))
    found = re.search(r"^cuda[^=\n]*=\s*['\"]([\d.]+)", _text(str(version_file)), re.M)
    return found[1] if found else None


def accelerator(with_torch: bool) -> Row:
    """The GPUs of this machine and whether the installed torch can use them."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Row(OK, "accelerator", "Apple GPU (mps)")
    cards = _nvidia_cards()
    if not cards:
        return Row(ABSENT, "accelerator", "none; every study runs on the processor")
    built_for = torch_cuda() if with_torch else None
    if built_for:
        return Row(OK, "accelerator", f"{', '.join(cards)}; torch is built for CUDA {built_for}")
    return Row(LOOK, "accelerator", f"{', '.join(cards)}, but torch is a CPU build: install without TORCH=cpu")


def _nvidia_cards() -> list[str]:
    """Names and memory of NVIDIA cards, asked in a process of its own: a broken driver cannot take this one down."""
    if not (tool := shutil.which("nvidia-smi")):
        return []
    try:
        command = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (subprocess.SubprocessError, OSError):
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()]


def weights(folder: str | None, deep: bool = False) -> list[Row]:
    """One row for each file that `index.json` in `folder` lists: its size (`deep`: its sha256) against the index."""
    if not folder:
        return [Row(ABSENT, "STUDYLIB_WEIGHTS", "not set: torchvision's download is used, else a start from scratch")]
    index_file = Path(folder) / "index.json"
    if not index_file.is_file():
        return [Row(LOOK, "STUDYLIB_WEIGHTS", f"{folder}: no index.json there")]
    try:
        index = json.loads(index_file.read_text(encoding="utf-8"))
    except ValueError as error:
        return [Row(LOOK, "index.json", f"{index_file} is not JSON: {error}")]
    return [_weight(index_file.parent, name, entry, deep) for name, entry in sorted(index.items())]


def _weight(folder: Path, name: str, entry: dict, deep: bool) -> Row:
    path = folder / entry.get("file", f"{name}.safetensors")
    if not path.is_file():
        return Row(LOOK, name, f"{path.name} is in index.json but not in the folder")
    size, expected = path.stat().st_size, entry.get("bytes", 0)
    if size != expected:
        return Row(LOOK, name, f"{path.name} has {size:,} bytes, index.json says {expected:,}: fetch it again")
    if deep and hashlib.sha256(path.read_bytes()).hexdigest() != entry.get("sha256"):
        return Row(LOOK, name, f"sha256 of {path.name} differs from index.json: fetch it again")
    agrees = "sha256" if deep else "size"
    return Row(OK, name, f"{entry.get('architecture', '?')}, {size / 1e6:.1f} MB, {agrees} as in index.json")


def datasets(folder: str | None, deep: bool = False) -> list[Row]:
    """One row for each dataset under `folder` (a sub-folder with dataset.json): images, classes, groups, masks.

    With `deep`, whether every image that metadata.csv names is there.
    """
    if not folder:
        return [Row(ABSENT, "STUDYLIB_DATA", "not set: phantoms are drawn on the spot")]
    if not Path(folder).is_dir():
        return [Row(LOOK, "STUDYLIB_DATA", f"{folder} is not a folder")]
    found = sorted(path.parent for path in Path(folder).glob("*/dataset.json"))
    if not found:
        return [Row(LOOK, "STUDYLIB_DATA", f"no */dataset.json under {folder}")]
    return [_dataset(path, deep) for path in found]


def _dataset(path: Path, deep: bool) -> Row:
    try:
        info = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
        with open(path / "metadata.csv", newline="", encoding="utf-8") as table:
            rows = list(csv.DictReader(table))
    except (OSError, ValueError) as error:
        return Row(LOOK, path.name, str(error))
    if not rows:
        return Row(LOOK, path.name, "metadata.csv has no rows")
    if lacking := [column for column in ("image", "label", "group") if column not in rows[0]]:
        return Row(LOOK, path.name, f"metadata.csv lacks {', '.join(lacking)}")
    gone = [row["image"] for row in rows if not (path / row["image"]).is_file()] if deep else []
    if gone:
        return Row(LOOK, path.name, f"{len(gone):,} of {len(rows):,} images are not there, first {gone[0]}")
    classes, groups = len(info.get("classes", [])), len({row["group"] for row in rows})
    masks = sum(bool(row.get("mask")) for row in rows)
    drawn = f"{masks:,} masks" if masks else "no masks"
    return Row(OK, path.name, f"{len(rows):,} images, {classes} classes, {groups:,} groups, {drawn}")


def plans(root: Path, data_folder: str | None) -> list[Row]:
    """What each profile of the studies with settings in `root/notebooks` would take: networks, minutes on two cores."""
    from studylib.study.settings import DATA, SettingsError, load_settings, studies

    rows = []
    for study in studies(root):
        try:
            settings = load_settings(study, root)
        except SettingsError as error:
            rows.append(Row(LOOK, study, str(error).splitlines()[0]))
            continue
        wanted = {"phantom": (), "real": settings.real}
        for data in DATA:
            absent = [name for name in wanted[data] if not (Path(data_folder or "") / name / "dataset.json").is_file()]
            rows += [_plan(root, study, data, profile, absent) for profile in settings.profiles]
    return rows or [Row(ABSENT, "notebooks", "no settings file (NN_name.toml) found")]


def _plan(root: Path, study: str, data: str, profile: str, absent: list[str]) -> Row:
    from studylib.study.plan import estimate

    cost = estimate(study, data, profile, root)
    wants = f"; wants {', '.join(absent)} under STUDYLIB_DATA" if absent else ""
    found = f"{cost['fits']:>4} fit{'s' if cost['fits'] != 1 else ' '}  about {cost['minutes']:>5,.0f} min{wants}"
    return Row(ABSENT if absent else OK, f"{study} {data} {profile}", found)


def report(root: Path, environ: Mapping[str, str] = os.environ, deep: bool = False) -> str:
    """The whole report as aligned text; `root` holds pyproject.toml; `deep` hashes weights, looks for every image."""
    weight_folder, data_folder = environ.get("STUDYLIB_WEIGHTS"), environ.get("STUDYLIB_DATA")
    sections = {
        "machine": _machine(root),
        "software": _packages(root),
        f"weights{f' in {weight_folder}' if weight_folder else ''}": weights(weight_folder, deep),
        f"data sets{f' in {data_folder}' if data_folder else ''}": datasets(data_folder, deep),
        "what each profile takes on two cores, when nothing is there yet": plans(root, data_folder),
    }
    width = max(len(row.name) for rows in sections.values() for row in rows)
    lines = []
    for title, rows in sections.items():
        lines += [title, *(f"  {row.state:<2} {row.name:<{width}}  {row.found}".rstrip() for row in rows), ""]
    looks = sum(row.state == LOOK for rows in sections.values() for row in rows)
    closing = f"marked {LOOK}, to be looked at: {looks}" if looks else "nothing is missing"
    return "\n".join([*lines, f"{closing}; {ABSENT} means: not there, and not needed"])
