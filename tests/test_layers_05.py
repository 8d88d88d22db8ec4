"""Maps of one network over layers: in the order asked for, and where two formulas are one."""

from __future__ import annotations

import numpy as np
import pytest
from test_segmenting import make_workshop, trained

from studylib.models.staged import staged
from studylib.study import layers_05, maps_05
from studylib.study.segmenting import first, seen_by


def test_what_is_shown_stands_in_the_order_asked_for(tmp_path):
    workshop = make_workshop(tmp_path / "made")
    network = trained(staged("small", 3, pretrained=False).eval())
    looked = first(seen_by(workshop, network), 10)
    layers = maps_05.layers_of(network)
    shown = layers_05.shown_maps(looked, layers, [7, 2, 5])
    np.testing.assert_array_equal(shown.masks, looked.pictures.masks[[7, 2, 5]])
    alone = layers_05.shown_maps(looked, layers, [2])
    np.testing.assert_allclose(shown.maps["Grad-CAM layer4"][1], alone.maps["Grad-CAM layer4"][0], atol=1e-5)
    assert len(shown.maps) == 9 + 2


def test_gradcam_is_hirescam_behind_pooling_alone(tmp_path):
    workshop = make_workshop(tmp_path / "made")
    network = trained(staged("small", 3, pretrained=False).eval())
    found = layers_05.of_layers(seen_by(workshop, network), maps_05.layers_of(network))
    assert found["identity.gradcam_is_hirescam.layer4.spearman"].value == pytest.approx(1, abs=1e-4)
    assert found["identity.gradcam_is_hirescam.layer1.spearman"].value < 0.9
    assert found["resolution.layer4.pixels"].value == 8 and found["resolution.layer1.pixels"].value == 1
