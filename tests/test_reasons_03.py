"""Why a phantom is not treatable: rates by reason by hand, rare against common reasons."""

import numpy as np
import pandas as pd
import pytest

from studylib.study import reasons_03


def table() -> pd.DataFrame:
    """Twelve images of two reasons: the rare one is named half of the time and never touched by CRM."""
    n = 12
    reason = np.array(["vaginal_wall_close"] * 6 + ["type_3_out_of_sight"] * 6)
    row = pd.DataFrame({
        "image": [f"{i}" for i in range(n)], "group": [f"w{i // 2}" for i in range(n)], "label": 1, "repeat": 0,
        "reason": reason, "correct": [1.0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1], "energy": 0.2, "area": 0.1, "covered": 0.5,
    })  # fmt: skip
    touches = np.where(reason == "vaginal_wall_close", 0.0, np.arange(n) % 3 != 0)
    return pd.concat([row.assign(method=m, touches=t) for m, t in (("crm", touches), ("cam", 1.0))], ignore_index=True)


def test_rates_by_reason():
    found = reasons_03.by_reason(table(), resamples=200)
    assert found["reasons.vaginal_wall_close.accuracy"].value == 0.5
    never = found["reasons.vaginal_wall_close.crm.touches"]
    assert never.value == 0 and never.low == 0 and never.high == pytest.approx(1 - 0.025 ** (1 / 3))  # three women
    assert found["reasons.type_3_out_of_sight.crm.touches"].value == pytest.approx(4 / 6)
    assert found["reasons.type_3_out_of_sight.cam.touches"].value == 1.0
    shown = reasons_03.reason_summary(found)
    assert list(shown.columns) == ["images", "named not treatable", "CAM on it", "CRM on it"]
    assert shown.loc["vaginal wall close", "images"] == "6"


def test_rare_reasons_are_compared_where_the_name_was_right():
    found = reasons_03.rare_against_common(table(), resamples=200)["reasons.rare_minus_common.out_of_region"]
    assert found.value == pytest.approx(1.0 - 2 / 6)  # rare and right: never touched; common: two of six are missed
