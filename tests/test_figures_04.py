"""What study 4 draws: points at the values, cases at their quantiles, the mask that was measured."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from test_maps_04 import rows
from test_segmenting import CLASSES, Brightness, make_workshop, trained

from studylib.metrics.intervals import exact
from studylib.metrics.localisation import attainable_iou, iou
from studylib.study import figures_04, segmenting, slices_04


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return make_workshop(tmp_path_factory.mktemp("slices") / "made")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def points(ax) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {line.get_label(): line.get_data() for line in ax.lines}


def test_shares_are_drawn_beside_what_the_source_prints():
    metrics = {}
    for kind in ("above_05", "below_001"):
        for i, name in enumerate(CLASSES):
            metrics[f"share_{kind}.{name}"] = exact(0.1 * i, n=9, how="made")
            metrics[f"share_{kind}.random_folds.{name}"] = exact(0.2 * i, n=9, how="made")
            metrics[f"attainable.above_05.{name}"] = exact(0.3 * i, n=9, how="made")
    fig = figures_04.shares_figure(metrics, CLASSES, "title")
    found, missed = (points(ax) for ax in fig.axes)
    assert found["source"][1].tolist() == [0.23, 0.05, 0.0] and missed["source"][1].tolist() == [0.02, 0.33, 0.85]
    np.testing.assert_allclose(missed["unseen people"][1], [0, 0.1, 0.2])
    np.testing.assert_allclose(found["source's split"][1], [0, 0.2, 0.4])
    np.testing.assert_allclose(found["could be found at best"][1], [0, 0.3, 0.6])


def test_size_figure_has_images_named_right_and_the_ceiling():
    table = rows()
    found = points(figures_04.size_figure(table, CLASSES, "title").axes[0])
    drawn = sum(len(found[name][0]) for name in CLASSES)
    assert drawn == int((table["correct"] == 1).sum())
    x, y = found["the most that 5 % can reach"]
    np.testing.assert_allclose(y, attainable_iou(x / 100, 0.05))


def test_areas_are_on_a_logarithmic_scale_with_the_sources_share(workshop):
    fig = figures_04.area_figure(slices_04.areas(workshop, workshop.dataset()), CLASSES, "title")
    (ax,) = fig.axes
    assert ax.get_yscale() == "log" and any(np.allclose(line.get_ydata(), 5) for line in ax.lines)
    assert sum("median" in text.get_text() for text in ax.texts) == 3


def test_cases_stand_at_the_quantiles_of_their_iou_among_those_named_right(workshop):
    seen = segmenting.seen_by(workshop, trained(Brightness()))
    picked, captions, maps = figures_04.cases(seen, (0.0, 0.5, 1.0))
    regions = maps["mask (95th percentile)"] > 0
    values = iou(regions, seen.pictures.masks)
    right = values[seen.pictures.labels == 0]  # this network always says class 0
    assert [seen.pictures.labels[row] for row in picked] == [0, 0, 0]
    assert values[picked[0]] == right.min() and values[picked[-1]] == right.max()
    assert captions == [f"IoU {values[row]:.2f}" for row in picked]
    np.testing.assert_allclose(maps["CAM"], seen.pictures.pixels / 255, atol=1e-6)


def test_pipeline_shows_the_iou_of_the_mask_that_it_shows(workshop):
    seen = segmenting.seen_by(workshop, trained(Brightness(4)))
    fig = figures_04.pipeline(seen, 2, "title")
    mask = fig.axes[3].images[0].get_array() > 0
    expected = iou(np.asarray(mask)[None], seen.pictures.masks[2:3])[0]
    assert fig.axes[4].get_title() == f"IoU {expected:.2f}" and fig.axes[1].get_title() == "map, 12 x 12"


def test_every_choice_is_one_point():
    values = {f"{layer}, bilinear, {order}, {rule}": 0.1 for layer in ("a", "upper") for order in ("x", "y")
              for rule in ("mean", "p95")}  # fmt: skip
    fig = figures_04.choices_figure(values, "title")
    (ax,) = fig.axes
    assert sum(len(line.get_xdata()) for line in ax.lines) == len(values)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["mean", "p95"]


def test_outlines_are_drawn_on_their_slices(workshop):
    chosen, titles = slices_04.examples(workshop.dataset(), CLASSES)
    fig = figures_04.outlined(workshop.dataset(), chosen, titles, "title")
    shown = [ax for ax in fig.axes if ax.images]
    assert [ax.get_title() for ax in shown] == titles
    for ax, row in zip(shown, chosen, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), workshop.dataset().image(row))
        assert ax.collections
