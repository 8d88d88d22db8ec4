"""Counts of misplaced maps as study 3's source has them, rates by group, and two methods on the same photographs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from studylib.study.misplacement import (
    FLAGS,
    MAP_FAULTS,
    VERDICTS,
    compared,
    counted,
    difference,
    flagged,
    one_sided,
    pairs,
    rates,
)  # fmt: skip


def table(**verdicts) -> pd.DataFrame:
    """One row an image and method: images 0, 1, …, two of a woman."""
    parts = [
        pd.DataFrame({"image": np.arange(len(v)), "group": np.arange(len(v)) // 2, "method": name, "verdict": v})
        for name, v in verdicts.items()
    ]
    return pd.concat(parts, ignore_index=True)


SMALL = table(
    cam=["meaningful", "out_of_region", "insufficient_coverage", "wrong_label", "bad_image", "undefined"],
    crm=["meaningful", "meaningful", "insufficient_coverage", "wrong_label", "bad_image", ""],
)


def test_counts_by_hand():
    found = counted(SMALL)
    assert list(found.index) == ["cam", "crm"]
    expected = {"maps": 6, "meaningful": 1, "out_of_region": 1, "insufficient_coverage": 1, "wrong_label": 1,
                "bad_image": 1, "undefined": 1, "misplaced": 4, "map_fault": 2, "judged": 5}  # fmt: skip
    assert found.loc["cam", list(expected)].to_dict() == expected
    assert found.loc["crm", ["meaningful", "misplaced", "map_fault", "judged"]].tolist() == [2, 3, 1, 5]
    assert found["misplaced_share"].tolist() == [0.8, 0.6] and found["meaningful_share"].tolist() == [0.2, 0.4]


def test_no_verdict_is_nan_and_an_unknown_one_an_error():
    rows = flagged(SMALL)
    assert rows.loc[SMALL["verdict"].isin(["undefined", ""]), list(FLAGS)].isna().all().all()
    assert rows[list(VERDICTS)].sum(axis=1).tolist() == [1, 1, 1, 1, 1, 0] * 2
    assert math.isnan(counted(table(cam=["undefined"])).loc["cam", "misplaced_share"])
    with pytest.raises(ValueError, match="no such verdict: perfect; known: meaningful"):
        flagged(table(cam=["perfect"]))


def of_the_source(shared: int) -> pd.DataFrame:
    """897 photographs of which CRM has 74 and CAM 83 misplaced, `shared` of them by both."""
    crm, cam = np.zeros(897, bool), np.zeros(897, bool)
    crm[:74] = True
    cam[74 - shared : 74 - shared + 83] = True
    return table(**{n: np.where(v, "out_of_region", "meaningful").tolist() for n, v in (("cam", cam), ("crm", crm))})


@pytest.mark.parametrize(("shared", "only", "p"), [(74, (9, 0), 2 / 2**9), (0, (83, 74), 0.52)])
def test_the_sources_numbers_decide_nothing_without_what_is_shared(shared, only, p):
    rows = of_the_source(shared)
    assert counted(rows)["misplaced"].tolist() == [83, 74]
    assert counted(rows)["meaningful_share"].tolist() == pytest.approx([0.9075, 0.9175], abs=5e-5)
    result = compared(rows, "cam", "crm")
    assert (result.only_a, result.only_b) == only and result.p == pytest.approx(p, abs=0.005)
    assert difference(rows, "cam", "crm").value == pytest.approx(9 / 897)


def test_pairs_leave_out_what_either_has_not_judged():
    rows = pairs(SMALL, "cam", "crm")
    assert rows["image"].tolist() == [0, 1, 2, 3, 4] and rows["a"].tolist() == [0, 1, 1, 1, 1]
    assert rows["b"].tolist() == [0, 0, 1, 1, 1]
    assert compared(SMALL, "cam", "crm")[:2] == (1, 0) and compared(SMALL, "cam", "crm", "insufficient_coverage")[
        :2
    ] == (0, 0)


def test_networks_are_paired_with_themselves_and_averaged():
    first = table(cam=["out_of_region", "meaningful"], crm=["meaningful", "meaningful"]).assign(repeat=0)
    second = table(cam=["meaningful", "meaningful"], crm=["out_of_region", "meaningful"]).assign(repeat=1)
    both = pd.concat([first, second], ignore_index=True)
    assert compared(both, "cam", "crm")[:2] == (1, 1)
    estimate = difference(both, "cam", "crm")
    assert estimate.value == 0 and estimate.n == 2
    with pytest.raises(ValueError, match="'cam' has two verdicts on 0"):
        compared(both.drop(columns="repeat"), "cam", "crm")
    with pytest.raises(ValueError, match="no verdict on the method 'scam'; the table has cam, crm"):
        compared(both, "scam", "crm")


def test_rates_by_woman():
    rows = table(cam=["meaningful", "out_of_region", "meaningful", "undefined"], crm=["meaningful"] * 4)
    found = rates(rows, unit="woman")
    assert set(found) == {
        f"placement.{m}.{f}" for m in ("cam", "crm") for f in ("meaningful", "misplaced", *MAP_FAULTS)
    }
    cam = found["placement.cam.misplaced"]
    assert cam.value == pytest.approx(1 / 3) and (cam.n, cam.groups, cam.unit) == (3, 2, "woman")
    assert "1 undefined rows left out" in cam.how and cam.how.startswith("share misplaced, cam")
    # nothing misplaced by two women: 0.025 ** (1 / 2) from the edge, not an interval without width
    assert found["placement.crm.misplaced"].high == pytest.approx(1 - 0.025**0.5)


def test_women_are_resampled_not_photographs():
    rng = np.random.default_rng(0)
    said = np.repeat(np.where(rng.random(60) < 0.5, "out_of_region", "meaningful"), 2)
    rows = table(cam=said.tolist(), crm=["meaningful"] * 120)
    by_woman, by_image = (difference(rows.assign(group=g), "cam", "crm") for g in (rows["group"], rows["image"]))
    # two photographs of a woman say the same: half as many independent ones
    assert (by_woman.high - by_woman.low) / (by_image.high - by_image.low) == pytest.approx(math.sqrt(2), rel=0.1)


def test_a_fault_of_the_photograph_belongs_to_both_of_its_maps():
    rows = table(cam=["wrong_label", "bad_image", "meaningful"], crm=["wrong_label", "meaningful", "out_of_region"])
    assert one_sided(rows)["image"].tolist() == [1, 1]
    assert one_sided(rows)["method"].tolist() == ["cam", "crm"]
