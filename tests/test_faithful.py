"""Areas of curves where the map is known: a network that sees brightness, and the order that takes it away fastest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_segmenting import Brightness, make_workshop, trained

from studylib.study import faithful
from studylib.study.segmenting import seen_by


def test_the_map_of_a_network_takes_its_class_away_faster_than_chance(tmp_path):
    workshop = make_workshop(tmp_path / "made")
    table = faithful.curves(seen_by(workshop, trained(Brightness())), ("cam",), steps=16)
    rows = table[(table["curve"] == "deletion") & (table["predicted"] == 0)]
    assert len(rows) and (rows["cam"] <= rows["random"] + 1e-6).all()
    assert set(table["curve"]) == set(faithful.CURVES)


def test_differences_and_means_by_hand():
    row = {"image": ["a", "b"], "group": ["g", "h"], "cam": [0.2, 0.4], "random": [0.5, 0.5], "centre": 0.3,
           "sobel": 0.1, "darkest": 0.3}  # fmt: skip
    table = pd.concat([pd.DataFrame(row | {"curve": kind}) for kind in faithful.CURVES])
    found = faithful.against_floors(table, ("cam",))
    assert found["faith.cam_minus_random.deletion"].value == pytest.approx(-0.2)
    assert found["faith.cam_minus_sobel.insertion"].value == pytest.approx(0.2)
    means = faithful.means(table, ("cam",))
    assert means.loc["cam"].tolist() == pytest.approx([0.3, 0.3, 0.0]) and np.isfinite(means.to_numpy()).all()
