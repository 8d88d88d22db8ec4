"""Identities of the three maps on small networks: with pooling and one linear layer, and with dense layers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from studylib.models.staged import staged
from studylib.study import identities_01
from studylib.study.mapping import Pictures
from studylib.study.segmenting import Seen

SIDE, N = 32, 8


def seen(head: str) -> Seen:
    def model():
        torch.manual_seed(3)
        return staged("small", outputs=4, image_size=SIDE, head=head).eval()

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (N, SIDE, SIDE, 3)).astype(np.uint8)
    said = model()(torch.as_tensor(pixels).permute(0, 3, 1, 2) / 255).argmax(1).numpy()
    names, masks = np.array([f"i{i}" for i in range(N)]), np.zeros((N, SIDE, SIDE), bool)
    masks[:, 8:20, 8:20] = True
    trained = SimpleNamespace(fit=SimpleNamespace(model=model), run=SimpleNamespace(seed=0, repeat=0))
    return Seen(trained, pixels, Pictures(names, np.array(list("aabbccdd")), said, pixels, masks))


@pytest.fixture(scope="module")
def found():
    return {name: e.value for name, e in identities_01.of_formulas(seen("linear"), seen("flattened")).items()}


def test_on_a_pooled_linear_head_the_map_adds_up_and_gradcam_is_cam(found):
    assert found["identity.completeness.max_difference"] < 1e-5
    assert found["identity.gradcam_is_cam.max_difference"] < 1e-5


def test_captum_has_the_same_gradcam_and_hooks_change_no_logit(found):
    assert found["captum.gradcam.max_difference"] < 1e-4 and found["captum.flattened.gradcam.max_difference"] < 1e-4
    assert found["hooks.pooled.logit_change"] == 0 and found["hooks.flattened.logit_change"] == 0


def test_gradcampp_weighs_places_only_where_the_head_does(found):
    assert found["alpha.pooled.spread"] < 1e-9 < 0.001 < found["alpha.flattened.spread"]


def test_gradcams_weights_are_the_heads_own_only_behind_pooling(found):
    assert found["gradient.pooled.varies"] < 1e-9 < 0.001 < found["gradient.flattened.varies"]


def test_which_families_have_a_cam_as_they_come():
    count, table = identities_01.families(side=64)
    assert set(table.index[table["CAM"] != "defined"]) == {"alexnet", "vgg11", "squeezenet1_1"}
    assert count.value == len(table) - 3 and (table["Grad-CAM"] == "defined").all()


def test_captum_has_one_of_the_three_maps():
    count, table = identities_01.named_tools()
    assert count.value == 1 and table.loc["Grad-CAM", "in Captum"] == "LayerGradCam"


def test_a_cells_own_class_lights_its_own_half_of_a_mosaic():
    """Class c says how bright channel c is: a red cell beside a green one."""
    from test_segmenting import Brightness

    class Colours(Brightness):
        def __init__(self) -> None:
            super().__init__()
            with torch.no_grad():
                self.fc.weight.copy_(torch.eye(3))
                self.fc.bias.zero_()

    pixels = np.zeros((12, 16, 16, 3), np.uint8)
    labels = np.arange(12) % 3
    pixels[np.arange(12), :, :, labels] = 200
    trained = SimpleNamespace(
        fit=SimpleNamespace(model=lambda: Colours().eval()), run=SimpleNamespace(seed=0, repeat=0)
    )
    groups = np.array([f"g{i // 2}" for i in range(12)])
    pictures = Pictures(np.arange(12).astype(str), groups, labels, pixels, np.zeros((12, 16, 16), bool))
    e = identities_01.mosaics(Seen(trained, pixels, pictures))
    assert e.value == pytest.approx(1.0, abs=1e-6) and e.n >= 4
