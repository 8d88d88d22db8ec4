"""What a page shows: names of metrics break at their joints, everything else stays as it was."""

from __future__ import annotations

import pandas as pd

from studylib.study.display import breakable, digits


def test_row_names_may_break_behind_dots_and_underscores_only():
    table = pd.DataFrame({"p_value": ["a.b_c"]}, index=["augment.accuracy_gain"]).to_html()
    found = breakable(table)
    assert "<th>augment.<wbr>accuracy_<wbr>gain</th>" in found and "<td>a.b_c</td>" in found
    assert found.replace("<wbr>", "") == table  # nothing but places to break is added
    assert breakable("<th>1.28</th><th>...</th><th>. 5</th>") == "<th>1.<wbr>28</th><th>...</th><th>. 5</th>"


def test_numbers_at_three_digits():
    assert [digits(x) for x in (0.123456, 12.0, float("nan"), None, "text", True)] == [
        "0.123", "12", "undefined", "", "text", "True",
    ]  # fmt: skip
