"""Regions of CAM and CRM: what squaring does to an area, and what a lower cut does."""

import numpy as np
import pandas as pd
import pytest
from test_identities_03 import looked

from studylib.study import areas_03
from studylib.study.heads_03 import BEST


def rows(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    names = [f"{i}" for i in range(n)]
    return pd.DataFrame({"image": names, "group": names, "label": 0, "repeat": 0, "correct": 1.0} | columns)


def test_where_squaring_explains_all_the_correlation_is_one():
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0.3, 0.9, 60)
    contrast = np.full(60, 0.5)
    same = areas_03.explained_by_squaring(rows(predicted=predicted, seen=predicted, contrast=contrast))
    assert same["area.explained_by_squaring"].value == pytest.approx(1.0)
    assert same["crm.contrast_spearman"].value == pytest.approx(0.5)
    mixed = predicted + rng.normal(0, 0.2, 60)
    found = areas_03.explained_by_squaring(rows(predicted=predicted, seen=mixed, contrast=contrast))
    assert found["area.explained_by_squaring"].value == pytest.approx(np.corrcoef(predicted, mixed)[0, 1] ** 2)


def test_for_opposite_rows_the_square_is_all_there_is():
    seen, head = looked()
    object.__setattr__(seen.of, "labels", head.logits(seen.of.means).argmax(1))
    table = areas_03.squaring([seen], [{BEST: head}])
    assert len(table) == 6 and table["contrast"].max() <= 1.0 + 1e-9
    assert np.corrcoef(table["seen"], table["predicted"])[0, 1] > 0.95  # upsampling a map of noise shifts them all


def test_incremental_error_ranks_like_the_contrast_of_both_cams():
    """PROTOCOLS 0.4: for small changes of the logits the two rankings are one."""
    seen, head = looked()
    small = type(head)(BEST, head.weight * 0.02, head.bias)
    np.testing.assert_allclose(areas_03._contrast(seen, small), 1.0, atol=0.01)


def test_a_lower_cut_covers_more():
    seen, head = looked()
    object.__setattr__(seen.of, "labels", (head.logits(seen.of.means).argmax(1)))
    swept = areas_03.cuts([seen], [{BEST: head}], areas_03.SWEEP)
    means = swept.groupby("cut")["area"].mean()
    assert means.is_monotonic_decreasing and len(means) == len(areas_03.SWEEP)
    found = areas_03.lower_cut(swept)
    assert found["cut.p10_minus_p20.coverage"].value >= 0 and found["cut.p10_minus_p20.area"].value > 0
    both = swept[swept["cut"].isin((0.1, 0.2))].pivot(index="image", columns="cut", values="iou").dropna()
    assert found["cut.p10_minus_p20.iou"].value == pytest.approx((both[0.1] - both[0.2]).mean())


def test_five_levels_against_three_as_logarithm():
    a, b = rows(area=np.array([0.4, 0.1])), rows(area=np.array([0.1, 0.1]))
    table = pd.concat([a.assign(method="crm", head="p3p4p5p6p7"), b.assign(method="crm", head="p3p6p7")])
    found = areas_03.five_against_three(table)
    assert found["area.p3p4p5p6p7_minus_p3p6p7.log_ratio"].value == pytest.approx(np.log(4) / 2)
    assert found["area.p3p4p5p6p7_twice_p3p6p7"].value == 0.5


def test_unlikeness_is_nought_for_one_region_and_differs_by_class():
    seen, head = looked()
    table = areas_03.unlikeness([seen], [{BEST: head}])
    assert table["differ"].between(0, 1).all() and (table["differ"] > 0).any()
