"""Which precision a fit is trained in: as asked where the machine computes in it, float32 where it only emulates."""

from __future__ import annotations

import pytest
import torch

from studylib.training import precision

CPUINFO = "processor : 0\nflags\t\t: fpu sse2 avx512f {flag}\nprocessor : 1\n"


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        (CPUINFO.format(flag="avx512_bf16"), "avx512_bf16"),
        (CPUINFO.format(flag="amx_bf16 avx512_bf16"), "amx_bf16"),
        ("processor : 0\nFeatures : fp asimd bf16 i8mm\n", "bf16"),  # how an ARM processor says it
        (CPUINFO.format(flag="avx2"), None),
        ("model name : a bf16 processor\n", None),  # a name is not a flag
        ("", None),
    ],
)
def test_fast_bf16_reads_flags(text, flag):
    assert precision.fast_bf16(text) == flag


@pytest.mark.parametrize(
    ("flag", "accelerator", "asked", "used"),
    [
        ("avx512_bf16", False, "bf16", "bf16"),
        ("avx2", False, "bf16", "float32"),
        ("avx2", True, "bf16", "bf16"),
        ("avx512_bf16", False, "float32", "float32"),
        ("avx2", True, "float32", "float32"),
    ],
)
def test_half_precision_only_where_the_machine_has_it(monkeypatch, tmp_path, flag, accelerator, asked, used):
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(flag=flag))
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: accelerator)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert precision.on_this_machine(asked) == used


def test_a_system_that_does_not_list_its_flags_is_trusted_with_float32_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "absent")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert precision.on_this_machine("bf16") == "float32"
