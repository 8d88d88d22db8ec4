"""What is measured: groups of candidates that share a network and a plain pass, and the rows that each group makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from studylib.training.precision import on_this_machine

CRM_CLASSES = (2, 5, 20)
HALF = on_this_machine("bf16") == "bf16"  # emulated, one round would take longer than all the rest
BF16 = "studylib+prepare bf16"
COLUMNS = [
    "model", "batch", "size", "layers", "candidate", "methods", "ratio", "low", "high", "rounds", "peak_mib",
    "peak_ratio",
]  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Rows that are measured in one go. kind: maps, scorecam, curves or crm; peers: which of them, with which maps;
    brief: of ours only all maps, plain and prepared (large networks and batches, where a round takes long).
    """

    network: str
    batch: int
    layers: int = 1
    kind: str = "maps"
    peers: tuple[tuple[str, str], ...] = ()  # (library, "all" or "gradcam")
    brief: bool = False


def groups() -> list[Group]:
    """Everything, the quick ones first. Other libraries' whole sets of maps stand at the last layer only, large
    networks beside one of them, and three layers are ResNets' alone: what the others cost is shown by then, and each
    would add minutes.
    """
    whole = (("torchcam", "all"), ("pytorch-grad-cam", "all"), ("captum", "gradcam"))
    single = (("torchcam", "gradcam"), ("pytorch-grad-cam", "gradcam"), ("captum", "gradcam"))
    resnets, large = ("resnet18", "resnet50"), ("vit_b_16", "vgg19")
    return [
        *(Group("resnet18", classes, kind="crm") for classes in CRM_CLASSES),
        *(Group(name, 1, peers=whole) for name in resnets),
        *(Group(name, 16, layers, peers=whole if layers == 1 else single) for name in resnets for layers in (1, 3)),
        Group("resnet18", 1, kind="scorecam"),
        Group("resnet18", 2, kind="curves"),
        *(Group(name, 16, peers=single) for name in ("mobilenet_v2", "densenet121")),
        *(Group(name, 64, brief=True) for name in resnets),
        *(Group(name, 16, peers=single[:1], brief=True) for name in large),
    ]


def rows_of(group: Group) -> Iterator[tuple[str, str]]:
    """Candidate and methods of each row that `candidates` measures, without building anything."""
    both = ("studylib", "studylib+prepare")
    every = (*both, BF16) if HALF else both
    if group.kind == "maps":
        yield from ((name, "all") for name in (both if group.brief else every))
        yield from ((name, "gradcam") for name in both if _has_single(group))
        yield from group.peers
    elif group.kind == "crm":
        yield from ((name, crm_of(group.batch)) for name in ("studylib", "loop", "loop over batches"))
    elif group.kind == "scorecam":
        yield from ((name, "scorecam") for name in (*every, "torchcam", "pytorch-grad-cam"))
        yield "studylib+prepare", "scorecam (all classes)"
    else:
        yield from ((name, "deletion+insertion") for name in (*every, "torchcam"))
        yield "quantus", "deletion"


def _has_single(group: Group) -> bool:
    """Whether our Grad-CAM alone stands beside a peer's."""
    return not group.brief and any(which == "gradcam" for _, which in group.peers)


def crm_of(classes: int) -> str:
    """How the table names CRM: of two classes without a word."""
    return "crm" if classes == 2 else f"crm ({classes} classes)"


def images_of(group: Group) -> int:
    """Images in one call; CRM's groups hold the number of classes instead."""
    return 16 if group.kind == "crm" else group.batch


def finished(table: pd.DataFrame, group: Group) -> bool:
    """Whether every row of a group is in the table."""
    same = table[_rows_of_group(table, group)]
    return set(rows_of(group)) <= set(zip(same["candidate"], same["methods"], strict=True))


def with_peaks(table: pd.DataFrame, group: Group, peaks: dict[tuple[str, str], float]) -> pd.DataFrame:
    """The table with the MiB of `peaks` in the rows of a group, and as multiples of its plain pass.

    peaks: (candidate, methods) -> MiB, ("plain", "forward") among them.
    """
    table, base = table.copy(), peaks["plain", "forward"]
    of_group = _rows_of_group(table, group)
    for (candidate, methods), peak in peaks.items():
        row = of_group & (table["candidate"] == candidate) & (table["methods"] == methods)
        table.loc[row, ["peak_mib", "peak_ratio"]] = round(peak, 1), round(peak / base, 3)
    return table


def _rows_of_group(table: pd.DataFrame, group: Group) -> pd.Series:
    """Which rows share the network, images and layers of a group."""
    return (table["model"] == group.network) & (table["batch"] == images_of(group)) & (table["layers"] == group.layers)


def keep(table: pd.DataFrame, file: Path) -> None:
    """Write the whole table or nothing of it."""
    beside = file.with_suffix(".partial")
    table.reindex(columns=COLUMNS).to_csv(beside, index=False)
    beside.rename(file)
