"""What the release's counts say, against the source's numbers and by enumeration on small classes."""

from __future__ import annotations

import itertools

import pytest

from studylib.study import release_05


def test_the_source_counts():
    found = {name: e.value for name, e in release_05.counts().items()}
    assert found["release.rows"] == 25_331 and found["release.columns"] == 14  # source: (25331, 14)
    assert found["release.classes"] == 8  # source: nine
    assert found["release.majority"] == pytest.approx(0.5083, abs=5e-5)
    assert (found["release.rank.mel"], found["release.rank.bkl"], found["release.rank.scc"]) == (2, 4, 6)
    # ledger, 5.38: "anything in .38 to .96"
    assert round(found["release.balanced.low"], 2) == 0.38 and round(found["release.balanced.high"], 2) == 0.96
    assert list(release_05.table()["images"])[:2] == [12_875, 4_522]


def test_range_of_balanced_accuracy_by_enumeration():
    sizes, accuracy = [6, 3, 2], 8 / 11
    every = [
        sum((n - w) / n for n, w in zip(sizes, wrong, strict=True)) / 3
        for wrong in itertools.product(*(range(n + 1) for n in sizes))
        if sum(wrong) == 3
    ]
    assert release_05.balanced_range(accuracy, sizes) == pytest.approx((min(every), max(every)))
