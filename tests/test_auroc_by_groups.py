"""AUROC over resampled groups: pairs by hand, and the same numbers as the general bootstrap gives."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from studylib.metrics.auroc_by_groups import auroc_by, pairs_won
from studylib.metrics.classification import auroc, macro_auroc
from studylib.metrics.intervals import of_columns, statistic_by


def rows(n=90, classes=2, seed=0, ties=True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    scores = rng.normal(0, 1, (n, classes)) + 0.8 * (label[:, None] == np.arange(classes))
    scores = np.round(scores, 1) if ties else scores
    made = {f"p_{c}": scores[:, c] for c in range(classes)}
    return pd.DataFrame({"label": label, "group": rng.integers(0, 12, n).astype(str), "score": scores[:, -1]} | made)


def test_pairs_by_hand():
    positive = np.array([True, True, False, False, False])
    won, p, q = pairs_won(positive, np.array([2.0, 5, 1, 2, 9]), np.array([0, 1, 0, 1, 1]), 2)
    # the positive 2 of group 0 beats 1 (group 0), ties with 2 and loses to 9 (group 1); 5 of group 1 beats 1 and 2
    np.testing.assert_array_equal(won, [[1, 0.5], [1, 1]])
    assert p.tolist() == [1, 1] and q.tolist() == [1, 2]


@pytest.mark.parametrize("seed", range(4))
def test_two_classes_as_the_general_bootstrap(seed):
    table = rows(seed=seed)
    ours = auroc_by(table, "label", "score", how="x", seed=seed, resamples=400)
    theirs = statistic_by(table, of_columns(auroc, "label", "score"), how="x", seed=seed, resamples=400)
    for name in ("value", "low", "high"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-12)
    assert (ours.n, ours.groups, ours.unit, ours.how) == (theirs.n, theirs.groups, theirs.unit, theirs.how)


@pytest.mark.parametrize("seed", range(4))
def test_several_classes_as_the_general_bootstrap_also_where_resamples_lose_one(seed):
    table = rows(40, 4, seed)
    table.loc[table["label"] == 3, "group"] = "0"  # a third of the resamples are without it
    columns = [f"p_{c}" for c in range(4)]

    def measure(frame, weights=None):
        return macro_auroc(frame["label"], frame[columns].to_numpy(), weights)

    ours = auroc_by(table, "label", columns, seed=seed, resamples=400)
    theirs = statistic_by(table, measure, seed=seed, resamples=400)
    for name in ("value", "low", "high"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-12)


def test_what_is_undefined_is_nan_and_rows_without_a_score_are_counted():
    table = rows()
    one = auroc_by(table[table["label"] == 1], "label", "score")
    assert math.isnan(one.value) and math.isnan(one.low)
    table.loc[[3, 5], "score"] = np.nan
    found = auroc_by(table, "label", "score")
    assert "2 undefined rows left out" in found.how and math.isfinite(found.value)
    single = auroc_by(table.assign(group="a"), "label", "score")
    assert math.isfinite(single.value) and math.isnan(single.low)
    assert math.isnan(auroc_by(table.iloc[:0], "label", "score").value)
