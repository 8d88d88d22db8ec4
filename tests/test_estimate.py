"""An estimate in words and in a file."""

from __future__ import annotations

import json
import math

import pytest

from studylib.metrics.estimate import Estimate, exact


def test_text_of_an_estimate():
    assert str(Estimate(0.31, 0.26, 0.36, 470, 47, "patient", "")) == "0.31 [0.26, 0.36], n = 470 images, 47 patients"
    assert str(Estimate(0.31234, 0.26, 0.3649, 470, 1, "patient", "", 0.01234)).endswith("1 patient, p = 0.0123")
    assert "[0.26, 0.365]" in str(Estimate(0.31, 0.26, 0.3649, 470, 4, "woman", ""))
    assert str(Estimate(0.3, 0.2, 0.4, 12, 4, "woman", "")).endswith("n = 12 images, 4 women")
    assert str(Estimate(0.3, 0.2, 0.4, 12, 12, "image", "")) == "0.3 [0.2, 0.4], n = 12 images"
    assert str(Estimate(math.nan, math.nan, math.nan, 0, 0, "patient", "")).startswith(
        "undefined [no interval], n = 0 images"
    )
    assert str(Estimate(2065.4, 999.6, 1e6, 3, 3, "seed", "")) == "2,065 [1,000, 1,000,000], n = 3 seeds"


def test_exact_has_no_interval_to_show():
    assert str(exact(9697, how="parameters without the gate")) == "9,697"
    assert str(exact(0.5, n=310, unit="image")) == "0.5, n = 310 images"
    assert exact(3).low == exact(3).high == 3.0


@pytest.mark.parametrize("p", [None, 0.03])
def test_round_trip_through_json(p):
    estimate = Estimate(0.5, math.nan, math.inf, 5, 1, "patient", "how", p)
    row = estimate.to_dict()
    assert list(row) == ["value", "low", "high", "n", "groups", "unit", "how"] + ["p"] * (p is not None)
    back = Estimate.from_dict(json.loads(json.dumps(row, allow_nan=False)))
    assert back.high == math.inf and math.isnan(back.low) and (back.value, back.p, back.how) == (0.5, p, "how")
