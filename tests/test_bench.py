"""The arithmetic of `make bench`: brackets, intervals, resuming, the checklist; nothing here measures a time."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from bounds import checklist  # noqa: E402
from picture import draw, write_table  # noqa: E402
from plan import COLUMNS, Group, finished, groups, images_of, keep, rows_of, with_peaks  # noqa: E402
from timing import bracketed, summed_up  # noqa: E402

BASE = {"model": "resnet18", "batch": 16, "size": 224, "layers": 1, "rounds": 7, "peak_mib": 90.0, "peak_ratio": 1.0}


class Clock:
    """Time that passes only inside of calls."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def lasting(self, seconds):
        def call() -> None:
            self.now += next(seconds)

        return call


def test_each_candidate_is_divided_by_the_passes_around_it():
    clock = Clock()
    plain = clock.lasting(iter([9, 9, 9, 1, 3, 5, 2, 4, 4]))  # first three: the round to warm up
    fast, slow = clock.lasting(iter([9, 1, 3])), clock.lasting(iter([9, 8, 8]))
    found = bracketed({"fast": fast, "slow": slow}, plain, 2, clock)
    assert found == {"fast": [1 / 2, 3 / 3], "slow": [8 / 4, 8 / 4]}


@pytest.mark.parametrize(
    ("rounds", "low", "high"), [(7, 0, 6), (6, 0, 5), (5, 0, 4), (9, 1, 7), (15, 3, 11), (1, 0, 0)]
)
def test_the_interval_is_the_narrowest_pair_of_order_statistics_that_holds_95_percent(rounds, low, high):
    found = summed_up([float(x) for x in reversed(range(rounds))])
    assert (found.value, found.low, found.high, found.rounds) == ((rounds - 1) / 2, low, high, rounds)


def peak_of_a_call(first: str) -> float:
    """MiB in a process of its own, after `first`, of a call that holds 25 at once and has had 45 in all."""
    program = f"""
from memory import keep_nothing, peak_above
take = lambda n: bytes([1]) * (n * 2**20)
def call():
    early, stays = take(20), take(1)
    del early
    return stays, take(24)
{first}
take(30)  # freed: from here on glibc by itself keeps buffers up to this size
print(peak_above(call))
"""
    command = [sys.executable, "-c", program]
    return float(subprocess.run(command, cwd=ROOT / "bench", capture_output=True, text=True, check=True).stdout)


def test_a_peak_is_what_is_alive_at_once_whatever_was_freed_before():
    peak = peak_of_a_call("keep_nothing()")
    if peak != peak:
        pytest.skip("this system does not tell a peak")
    assert peak == pytest.approx(25, abs=1)  # 1: the interpreter's own small buffers
    if platform.libc_ver()[0] == "glibc":
        assert peak_of_a_call("") > 40  # what it is without: the freed 20 MiB count too


def test_new_peaks_take_the_place_of_old_ones_and_leave_times_and_other_rows():
    time = {"ratio": 1.5, "low": 1.4, "high": 1.6}
    plain, peer = {"candidate": "plain", "methods": "forward"}, {"candidate": "captum", "methods": "gradcam"}
    other = {"candidate": "studylib", "methods": "crm", "peak_mib": None, "peak_ratio": None}
    old = table_of(*(time | row for row in (plain, peer, other)))
    new = with_peaks(old, Group("resnet18", 16), {("plain", "forward"): 98.04, ("captum", "gradcam"): 343.14})
    assert new["peak_mib"].tolist()[:2] == [98.0, 343.1] and new["peak_ratio"].tolist()[:2] == [1.0, 3.5]
    assert new[["peak_mib", "peak_ratio"]].iloc[2].isna().all() and (new["ratio"] == 1.5).all()
    assert (old["peak_mib"].iloc[:2] == 90).all()


def table_of(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame([BASE | row for row in rows])[COLUMNS]


def test_a_group_is_measured_again_only_where_a_row_is_missing(tmp_path):
    group = Group("resnet18", 16, peers=(("torchcam", "all"), ("captum", "gradcam")))
    rows = [{"candidate": c, "methods": m, "ratio": 1.0, "low": 1.0, "high": 1.0} for c, m in rows_of(group)]
    whole = table_of(*rows)
    assert finished(whole, group) and not finished(whole.iloc[1:], group)
    assert not finished(whole, Group("resnet18", 64)) and not finished(whole, Group("resnet50", 16))
    keep(whole, tmp_path / "cpu.csv")
    assert finished(pd.read_csv(tmp_path / "cpu.csv"), group) and [p.name for p in tmp_path.iterdir()] == ["cpu.csv"]


def test_the_plan_covers_every_network_size_and_method():
    plan = groups()
    maps = {(g.network, g.batch, g.layers) for g in plan if g.kind == "maps"}
    for name in ("resnet18", "resnet50", "vgg19", "densenet121", "mobilenet_v2", "vit_b_16"):
        assert (name, 16, 1) in maps
    resnets = ("resnet18", "resnet50")  # which alone have bounds for three layers
    assert {(name, batch, 1) for name in resnets for batch in (1, 64)} | {(name, 16, 3) for name in resnets} <= maps
    assert len({(g.network, images_of(g), g.layers, row) for g in plan for row in rows_of(g)}) == sum(
        len(list(rows_of(g))) for g in plan
    )
    methods = {methods for g in plan for _, methods in rows_of(g)}
    assert {"all", "gradcam", "crm", "scorecam", "deletion+insertion"} <= methods


def line(table: pd.DataFrame, start: str) -> str:
    (found,) = [text for text in checklist(table) if start in text]
    return found


def test_a_bound_is_met_by_the_end_of_the_interval_that_is_nearest_to_it():
    ours = {"candidate": "studylib", "methods": "all", "ratio": 1.2, "low": 1.09, "high": 1.3, "peak_ratio": 1.06}
    peer = {"candidate": "torchcam", "methods": "all", "ratio": 5.4, "low": 5.0, "high": 6.0}
    table = table_of(ours, peer)
    assert line(table, "resnet18: seven maps, last layer").startswith("met ")
    assert line(table_of(ours | {"low": 1.11}), "resnet18: seven maps, last layer").startswith("NOT MET")
    assert "1.06 (at most 1.05)" in line(table, "resnet18: peak memory") and "NOT MET" in line(table, "resnet18: peak")
    quotient = line(table, "resnet18: torchcam's five maps over the seven of studylib:")
    assert quotient.startswith("met ") and "4.5 [4.17, 5] (at least 5)" in quotient
    assert line(table, "resnet50: seven maps, last layer").startswith("not measured")
    assert line(table, "resnet18: the same, prepared").startswith("not measured")


def test_the_table_and_the_picture_hold_what_was_measured(tmp_path):
    table = table_of(
        {"candidate": "studylib", "methods": "all", "ratio": 1.2345, "low": 1.1, "high": 1.3},
        {
            "candidate": "loop",
            "methods": "crm",
            "ratio": 0.5,
            "low": 0.4,
            "high": 0.6,
            "peak_mib": None,
            "peak_ratio": None,
        },
    )
    write_table(table, tmp_path / "cpu.md")
    text = (tmp_path / "cpu.md").read_text()
    assert "| resnet18 | 16 | 1 | studylib | all | 1.23 | 1.1 to 1.3 | 90 | 1.00 |" in text
    assert "| resnet18 | 16 | 1 | loop | crm | 0.5 | 0.4 to 0.6 |  |  |" in text
    draw(table, tmp_path / "cpu")
    assert (tmp_path / "cpu.png").stat().st_size > 5_000 and "resnet18, last layer" in (
        tmp_path / "cpu.svg"
    ).read_text()


def test_the_committed_table_keeps_to_its_columns():
    file = ROOT / "reports" / "bench" / "cpu.csv"
    if not file.exists():
        pytest.skip("nothing was measured yet")
    table = pd.read_csv(file)
    assert list(table.columns) == COLUMNS
    assert (table["low"] <= table["ratio"]).all() and (table["ratio"] <= table["high"]).all()
    assert (table["rounds"] >= 6).all() and not table.duplicated(COLUMNS[:6]).any()
