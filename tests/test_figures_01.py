"""What study 1 draws: values at their places, every method and cue once."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from test_maps_01 import rows

from studylib.data.dataset import load_dataset
from studylib.data.phantoms.cells import make_cells
from studylib.metrics.intervals import exact
from studylib.study import figures_01, maps_01, sizes_01
from studylib.study.cells_01 import examples


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_cells_stand_at_one_scale_with_both_outlines(tmp_path):
    dataset = load_dataset(make_cells(tmp_path / "made", slides=3, cells=5))
    picked, titles = examples(dataset, dataset.classes, each=2)
    assert [dataset.table["label"].iat[i] for i in picked] == [c for c in dataset.classes for _ in range(2)]
    fig = figures_01.cells(dataset, picked, titles, "title")
    widths = {round(abs(np.diff(ax.get_xlim())[0]), 6) for ax in fig.axes[: len(picked)]}
    assert len(widths) == 1
    assert titles[-1] == "koilocytotic"


def test_regions_and_rates_are_drawn_at_their_values():
    found = {f"region.{m.replace('++', 'pp')}.nucleus.energy_minus_area": exact(0.1 * i, n=3, how="made")
             for i, m in enumerate(maps_01.METHODS)}  # fmt: skip
    points = [line.get_xdata()[0] for line in figures_01.regions(found, "t").axes[0].lines if line.get_marker() == "o"]
    assert points == pytest.approx([0.0, 0.1, 0.2])
    rates = {f"{k}.marker.{m}.rate": exact(v, n=3, how="made") for k, v in (("reveal", 0.9), ("hide", 0.2)) for m in
             ("cam", "gradcampp")}  # fmt: skip
    hidden, shown = figures_01.rates(rates, ("cam", "gradcam++"), "t").axes
    for ax, value in ((hidden, 0.2), (shown, 0.9)):
        assert [x.get_xdata()[0] for x in ax.lines if x.get_marker() == "o"] == pytest.approx([value] * 2)


def test_overlap_is_drawn_as_means_of_four_groups():
    table = rows()
    covered = pd.Series(np.resize([0.0, 0.2, 0.4, 0.6, 0.2], 120), index=np.arange(120).astype(str))
    ax = figures_01.overlap(table, covered, "t").axes[0]
    line = next(x for x in ax.lines if x.get_label() == "CAM")
    assert line.get_xdata() == pytest.approx([0.0, 0.2, 0.4, 0.6])
    some = sizes_01.with_density(maps_01.of(table, "cam"))
    expected = some.loc[some["image"].map(covered) == 0.2, "density"].mean()
    assert line.get_ydata()[1] == pytest.approx(expected)


def test_the_search_shows_every_trial():
    table = pd.DataFrame(
        {"head": ["a", "b", "a"], "inner balanced accuracy": [0.4, 0.6, 0.5], "best so far": [0.4, 0.6, 0.6]}
    )
    ax = figures_01.history(table, "t").axes[0]
    dots = sorted(
        (x, y) for line in ax.lines if line.get_marker() == "o" for x, y in zip(*line.get_data(), strict=True)
    )
    assert dots == [(0, 0.4), (1, 0.6), (2, 0.5)]
