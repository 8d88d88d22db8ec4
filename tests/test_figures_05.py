"""What study 5 draws: values at their places, every class, layer, change and word once."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt

from studylib.metrics.intervals import exact
from studylib.study import figures_05
from studylib.study.maps_05 import LAYERS, METHODS, short


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def dots(ax):
    return [(line.get_xdata(), line.get_ydata()) for line in ax.lines if line.get_marker() == "o"]


def of(value):
    return exact(value, n=3, how="made")


def test_classes_stand_at_their_share():
    named = {"recall.nv.test": of(0.9), "recall.mel.test": of(0.4)}
    ax = figures_05.by_size(named, {"NV": 0.5, "MEL": 0.2}, "recall", "t").axes[0]
    assert [(x[0], y[0]) for x, y in dots(ax)] == [(0.5, 0.9), (0.2, 0.4)]
    assert [text.get_text() for text in ax.texts] == ["NV", "MEL"] and ax.get_xscale() == "log"


def test_every_method_is_a_line_over_layers():
    means = {f"map.{short(m)}.{layer}.iou_50": of(0.1 * i + 0.01 * k)
             for i, m in enumerate(METHODS) for k, layer in enumerate(LAYERS)}  # fmt: skip
    means |= {name.replace("iou_50", "entropy"): e for name, e in means.items()}
    fig = figures_05.across_layers(means, {"iou_50": "overlap", "entropy": "evenness"}, "t")
    lines = dots(fig.axes[0])
    assert len(fig.axes) == 2 and len(lines) == 3
    assert lines[1][1].tolist() == pytest.approx([0.1, 0.11, 0.12])


def test_changes_grow_with_severity():
    found = {f"robust.{c}_{s}.{k}": of(0.1 * s) for c in ("blur", "hair") for s in (1, 2, 3)
             for k in ("flipped", "gradcam.spearman")}  # fmt: skip
    for ax in figures_05.robustness(found, ["blur", "hair"], "t").axes:
        assert [y.tolist() for _, y in dots(ax)] == [pytest.approx([0.1, 0.2, 0.3])] * 2


def test_words_stand_beside_picture_and_map():
    grids = np.zeros((2, 20, 20))
    grids[:, 5:9, 5:9] = 1.0
    masks, pixels = grids > 0, np.zeros((2, 20, 20, 3), np.uint8)
    fig = figures_05.in_words(pixels, masks, grids, masks, ["Prediction: NV.\nWarning: x", "y"], [0, 1], "t")
    texts = [text.get_text() for ax in fig.axes for text in ax.texts]
    assert texts == ["Prediction: NV.\nWarning: x", "y"]


def test_agreement_of_every_word_and_source():
    found = {f"words.{a}.{s}.rate": of(v) for a in ("size", "place") for s, v in (("map_vs_mask", 0.7), ("disc", 0.9))}
    ax = figures_05.agreement(found, ("size", "place"), {"map_vs_mask": "map", "disc": "disc"}, "t").axes[0]
    assert sorted(float(x[0]) for x, _ in dots(ax)) == pytest.approx([0.7, 0.7, 0.9, 0.9])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["size", "place"]


def test_pictures_are_shown_raw_cropped_and_normalised(tmp_path):
    from studylib.data.dataset import load_dataset
    from studylib.data.phantoms.skin import make_skin
    from studylib.models.weights import IMAGENET

    dataset = load_dataset(make_skin(tmp_path / "made", lesions=56, images=1, size=64))
    fig = figures_05.prepared(dataset, [0, 3], 64, "t")
    raw, cropped, normalised = (ax.images[0].get_array() for ax in fig.axes[:3])
    np.testing.assert_array_equal(raw, dataset.image(0))
    # the middle seven eighths of the frame, brought to 64 pixels
    assert np.abs(cropped[32, 32].astype(int) - raw[32, 32].astype(int)).max() < 40 and not np.array_equal(cropped, raw)
    mean, deviation = (np.array(each) for each in IMAGENET)
    np.testing.assert_allclose(5 * normalised - 2.5, (cropped / 255 - mean) / deviation, atol=1e-6)
    assert [ax.get_title(loc="center") for ax in fig.axes[:6]] == ["raw", "cropped", "normalised", "", "", ""]
