"""In which precision a fit is trained: what was asked for, or float32 where half precision would be far slower."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def fast_bf16(cpuinfo: str) -> str | None:
    """The processor flag of `/proc/cpuinfo` (its text) that makes bf16 faster than float32, or None."""
    flags = {word for line in cpuinfo.splitlines() if line.startswith(("flags", "Features")) for word in line.split()}
    return next((flag for flag in ("amx_bf16", "avx512_bf16", "avx10_2", "bf16") if flag in flags), None)


def on_this_machine(asked: str) -> str:
    """Return "bf16" where it was asked for and an accelerator or the processor computes in it, else "float32".

    A processor without such instructions emulates them: a training step of ResNet-18 then takes twenty times the
    time of float32. The two differ in rounding only, so the fit keeps its key wherever it is trained.
    """
    if asked != "bf16":
        return asked
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return asked
    return asked if CPUINFO.is_file() and fast_bf16(CPUINFO.read_text(errors="replace")) else "float32"
