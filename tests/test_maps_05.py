"""Study 5's maps over layers: measures of maps drawn by hand, pairs by image, and networks whose layers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from test_segmenting import Fits, make_workshop, trained

from studylib.models.staged import staged
from studylib.study import maps_05
from studylib.study.mapping import Pictures
from studylib.study.segmenting import Seen


def disc(y, x, radius, side=64):
    rows, columns = np.mgrid[:side, :side]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def seen(masks, pixels=None) -> Seen:
    n = len(masks)
    pixels = np.full((*masks.shape, 3), 150, np.uint8) if pixels is None else pixels
    names = np.array([str(i) for i in range(n)])
    return Seen(None, pixels, Pictures(names, names, np.zeros(n, int), pixels, masks))


def test_measures_of_maps_drawn_by_hand():
    lesion = disc(32, 32, 12)
    maps = np.stack([lesion * 1.0, disc(10, 10, 6) * 1.0, np.zeros((64, 64))])
    maps[0] += 0.2 * disc(32, 32, 20)  # a rim around it, below half
    found = maps_05.columns_of(maps, seen(np.stack([lesion] * 3)))
    assert found["iou_50"][:2].tolist() == [1.0, 0.0] and np.isnan(found["iou_50"][2])
    assert found["area_50"][0] == pytest.approx(lesion.mean())
    assert found["iou_matched"][0] == 1.0 and found["boundary_f1"][0] == pytest.approx(1.0)
    assert found["pointing"][:2].tolist() == [1.0, 0.0]
    assert found["outside"][1] == pytest.approx(1.0) and 0.1 < found["outside"][0] < 0.3
    assert found["entropy"][1] < found["entropy"][0]
    for name in (*maps_05.FOUND, "outside", *maps_05.SHARP, "sobel"):
        assert np.isnan(found[name][2]), name


def test_likeness_to_edges_is_a_rank_correlation():
    rng = np.random.default_rng(0)
    maps = rng.random((2, 16, 16))
    assert maps_05.rank_correlation(maps, np.exp(maps)) == pytest.approx([1, 1])
    assert maps_05.rank_correlation(maps, -maps) == pytest.approx([-1, -1])
    assert np.isnan(maps_05.rank_correlation(np.ones((1, 4, 4)), rng.random((1, 4, 4))))


def table() -> pd.DataFrame:
    """Four images: Grad-CAM++ better by 0.1 at every layer, layer 4 by 0.2 than layer 3, Score-CAM on two of them."""
    tables = []
    for method in maps_05.METHODS:
        for depth, layer in enumerate(maps_05.LAYERS):
            n = 2 if method == "scorecam" else 4
            value = 0.1 * np.arange(n) + 0.2 * depth + (0.1 if method == "gradcam++" else 0.0)
            row = {"image": list("abcd")[:n], "group": list("aabb")[:n], "label": 0, "repeat": 0, "method": method,
                   "layer": layer}  # fmt: skip
            names = (*maps_05.FOUND, "outside", *maps_05.SHARP, "sobel")
            tables.append(pd.DataFrame(row | dict.fromkeys(names, value)))
    return pd.concat(tables, ignore_index=True)


def test_methods_and_layers_are_paired_by_image():
    found = maps_05.between_methods(table(), resamples=50)
    assert found["loc.gradcampp_minus_gradcam.iou_matched"].value == pytest.approx(0.1)
    e = found["loc.scorecam_minus_gradcam.area_50"]
    assert e.value == pytest.approx(0.0) and e.n == 2  # the images that both have
    layers = maps_05.between_layers(table(), resamples=50)
    assert layers["layer.gradcam.layer4_minus_layer3.energy_inside"].value == pytest.approx(0.2)
    assert layers["layer.scorecam.layer4_minus_layer1.sobel"].value == pytest.approx(0.4)
    means = maps_05.means(table(), ("iou_50",), resamples=50)
    assert means["map.gradcam.layer1.iou_50"].value == pytest.approx(0.15)


def test_floors_and_the_chosen_one():
    own = maps_05.of(table(), "gradcam").drop(columns=["method", "layer"])
    floors = pd.concat([own.assign(map="centre", iou_matched=own["iou_matched"] - 0.3), own.assign(map="blue")])
    found = maps_05.against_floors(table(), floors, {0: "blue"}, resamples=50)
    assert found["loc.gradcam_minus_centre.iou_matched"].value == pytest.approx(0.3)
    assert found["loc.gradcampp_minus_blue.iou_matched"].value == pytest.approx(0.1)
    assert found["loc.gradcam_minus_chosen_floor.iou_matched"].value == pytest.approx(0.0)
    often = maps_05.mostly(table(), resamples=50)
    assert often["mostly.gradcam.energy"].value == pytest.approx(0.5)  # 0.4, 0.5, 0.6, 0.7: two above a half


def test_the_sources_layers_are_where_their_strides_are():
    def at(architecture, side=64):
        model = staged(architecture, 3, pretrained=False).eval()
        fit = trained(model, architecture=architecture)
        places, sizes = maps_05.layers_of(fit), {}
        for name, place in places.items():
            model.get_submodule(place).register_forward_hook(
                lambda _, __, out, name=name: sizes.update({name: side // out.shape[-1]})
            )
        with torch.inference_mode():
            model(torch.zeros(1, 3, side, side))
        return sizes

    for architecture in ("resnet18", "mobilenet_v2", "efficientnet_b0"):
        assert at(architecture) == {"layer1": 4, "layer3": 16, "layer4": 32}, architecture
    assert at("small") == {"layer1": 1, "layer3": 4, "layer4": 8}


def test_every_method_and_layer_of_a_network_and_what_scorecam_may_take(tmp_path, monkeypatch):
    workshop = make_workshop(tmp_path / "made")
    fits = Fits(main=[trained(staged("small", 3, pretrained=False).eval())])
    monkeypatch.setattr(maps_05, "PASSES", 20)
    assert maps_05.affordable(fits.select("main")[0], "upper", 10) == 2  # 20 x 10 passes, 96 channels
    found = maps_05.map_table(workshop, fits, "main", 10)
    counts = found.groupby(["method", "layer"]).size()
    assert (counts["gradcam"] == 10).all() and (counts["gradcam++"] == 10).all()
    assert counts["scorecam"].to_dict() == {"layer1": 10, "layer3": 3, "layer4": 2}


def test_darkness_in_blue():
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0, 0] = (255, 255, 5)
    made = seen(np.ones((1, 2, 2), bool), pixels)
    assert maps_05.blue(made)["blue"][0, 0, 0] == 250 and maps_05.blue(made)["blue"][0, 1, 1] == 255


def test_fewer_images_are_among_more_of_them():
    made = seen(np.ones((20, 4, 4), bool))
    few, more = (set(maps_05.drawn(made, k).pictures.names) for k in (5, 9))
    assert len(few) == 5 and len(more) == 9 and few < more


def test_a_table_of_estimates_has_a_row_for_each_pair():
    found = maps_05.between_methods(table(), resamples=50)
    shown = maps_05.tidy(found)
    assert shown.loc["gradcampp_minus_gradcam", "iou_50"].startswith("0.100 [0.100,")
    assert len(shown) == 3 and "half_area" in shown.columns
