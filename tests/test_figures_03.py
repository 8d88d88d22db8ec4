"""Figures of study 3: what is drawn where, by the artists on the axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from studylib.metrics.intervals import Estimate
from studylib.study import figures_03

NAMES = {1: "cervix", 2: "zone", 4: "os"}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def scene(n=3, side=32):
    rng = np.random.default_rng(0)
    regions = np.zeros((n, side, side), np.uint8)
    regions[:, 6:26, 6:26], regions[:, 10:22, 10:22], regions[:, 14:18, 14:18] = 1, 2, 4
    maps = rng.uniform(-1, 0.1, (n, side, side))
    maps[:, 12:20, 12:20] = 1.0
    return rng.integers(0, 255, (n, side, side, 3), dtype=np.uint8), regions, maps


def test_heat_has_a_row_a_map_the_photograph_below_and_outlines():
    pixels, regions, maps = scene()
    fig = figures_03.heat(pixels, regions, NAMES, [0, 2], ["a", "b"], {"CAM": maps, "CRM": maps**2}, "t")
    panels = [ax for ax in fig.axes if ax.images and ax.get_label() != "<colorbar>"]
    assert len(panels) == 6
    assert [len(ax.images) for ax in panels] == [2, 2, 2, 2, 1, 1]  # map over photograph; the photograph alone
    top = panels[0].images[1]
    shown = top.get_array()
    np.testing.assert_allclose(shown, np.maximum(maps[0], 0) / maps[0].max())
    assert (np.asarray(top.get_alpha()) > 0).sum() == (maps[0] > 0.2).sum()  # coloured above the cut only
    assert len(panels[0].collections) == 3  # the region, zone and os


def test_blur_shows_each_level_with_its_interval():
    levels, names = ((1, 0.8), (19, 0.6), (49, 0.3)), ("accuracy", "auroc", "called_positive")
    found = {f"blur.k{k}.{m}": Estimate(v, v - 0.1, v + 0.1, 9, 9, "woman", "") for k, v in levels for m in names}
    fig = figures_03.blur(found, "t")
    assert len(fig.axes) == 3
    line = fig.axes[0].lines[0]
    assert line.get_ydata().tolist() == [0.8, 0.6, 0.3]
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()] == ["1", "19", "49"]


def test_thresholds_are_means_of_images_named_right():
    table = pd.DataFrame({"cut": [0.1, 0.1, 0.2, 0.2], "correct": [1.0, 0, 1, 0], "area": [0.4, 9, 0.2, 9],
                          "coverage": 0.5, "precision": 0.5, "iou": 0.5})  # fmt: skip
    fig = figures_03.thresholds({"crm": table}, "t")
    assert fig.axes[0].lines[0].get_ydata().tolist() == [0.4, 0.2]


def test_rates_and_coverage_and_areas():
    found = {"reveal.marker.cam.rate": Estimate(0.7, 0.5, 0.9, 9, 9, "woman", ""),
             "hide.marker.cam.rate": Estimate(0.1, 0, 0.2, 9, 9, "woman", "")}  # fmt: skip
    ax = figures_03.rates(found, "t").axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["marker: cam"]
    curve = pd.DataFrame({"accuracy": [0.9, 0.7], "low": [0.8, 0.6], "high": [1.0, 0.8]}, index=[0.5, 1.0])
    assert figures_03.coverage(curve, "t").axes[0].lines[0].get_ydata().tolist() == [0.9, 0.7]
    points = figures_03.areas(pd.DataFrame({"predicted": [0.5], "seen": [0.4]}), "t").axes[0].lines[1]
    assert (points.get_xdata()[0], points.get_ydata()[0]) == (0.5, 0.4)
