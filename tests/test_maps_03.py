"""Maps of study 3's heads on small pyramids: regions by hand, pairs, floors, what targets are."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_heads_03 import SIDE
from test_identities_03 import looked

from studylib.study import heads_03, maps_03
from studylib.study.heads_03 import BEST, SEVEN


def test_region_columns_by_hand():
    maps = np.zeros((3, 10, 10))
    maps[0, :4, :5], maps[1] = 1.0, -1.0  # 20 pixels; nothing positive; flat below
    maps[0, 9, 9] = 0.15  # below the cut
    masks = np.zeros((3, 10, 10), bool)
    masks[:, 2:6, :5] = True  # 20 pixels, 10 shared
    found = maps_03.region_columns(maps, masks)
    assert found["area"][0] == 0.2 and found["coverage"][0] == 0.5 and found["precision"][0] == 0.5
    assert found["iou"][0] == pytest.approx(10 / 30)
    assert all(np.isnan(found[name][1]) and np.isnan(found[name][2]) for name in found)
    alone = maps_03.region_columns(maps[:1], np.zeros((1, 10, 10), bool))
    assert alone["area"][0] == 0.2 and np.isnan(alone["iou"][0])  # no outline: the area is known, the overlap is not


def test_a_table_has_every_head_and_method_and_pairs_by_image():
    seen, head = looked(n=8)
    other = {BEST: head, ("P3",): type(head)(("P3",), head.weight[:, :8], head.bias)}
    table = maps_03.map_table([seen], [other], [BEST, ("P3",)], ("cam", "crm"))
    assert len(table) == 8 * 2 * 2 and set(table["head"]) == {"p3p6p7", "p3"}
    cam, crm = (maps_03.of(table, m, correct=False) for m in ("cam", "crm"))
    rows = maps_03.beside(crm, cam, "area")
    both = cam.merge(crm, on="image")[["area_x", "area_y"]].dropna()
    assert len(rows) == len(both) and rows["b"].mean() == pytest.approx(both["area_x"].mean())
    e = maps_03.explained(seen, head, ("cam",))
    np.testing.assert_array_equal(cam["predicted"], e.logits.argmax(1).numpy())


def test_crm_at_one_area_is_cam_by_size():
    """Opposite rows: the same ranking of |CAM|, so at one area CRM of a map without negative places is CAM."""
    seen, head = looked(n=6)
    table = maps_03.map_table([seen], [{BEST: head}], [BEST], ("cam", "crm", "crm_mse_softmax"))
    found = maps_03.crm_against_cam(table.assign(correct=1.0))
    areas = [maps_03.of(table, method, correct=False)["area"].mean() for method in ("crm", "cam")]
    assert found["area.crm.reduction"].value == pytest.approx(1 - areas[0] / areas[1])
    assert abs(found["area.root_minus_crm"].value) < 0.1  # they part only by upsampling, on maps of noise much
    assert "loc.crm_minus_cam.iou_matched" in found


def test_floors_are_the_same_images_and_means_are_of_images_named_right():
    table = pd.DataFrame({
        "image": list("abcd") * 2, "group": list("abcd") * 2, "label": 0, "repeat": 0, "head": "p3p6p7",
        "method": ["cam"] * 4 + ["crm"] * 4, "correct": [1.0, 1, 1, 0] * 2,
        "auprc": [0.5, 0.4, 0.3, 9.0, 0.6, 0.5, 0.4, 9.0], "pointing": [1.0] * 8,
    })  # fmt: skip
    floors = pd.DataFrame({"image": list("abcd"), "group": list("abcd"), "label": 0, "repeat": 0, "map": "centre",
                           "correct": [1.0, 1, 1, 0], "auprc": 0.2, "pointing": 0.0})  # fmt: skip
    found = maps_03.against_floors(table, floors)
    assert found["loc.cam_minus_centre.auprc"].value == pytest.approx(0.2)
    assert found["loc.crm_minus_centre.auprc"].value == pytest.approx(0.3)
    assert maps_03.means(table, floors)["crm"].value == pytest.approx(0.5)


def test_targets_are_os_and_zone_on_phantoms_and_acetowhite_areas_on_the_stand_in():
    phantom, real = (SimpleNamespace(data=data) for data in ("phantom", "real"))
    assert maps_03.target_words(phantom, "whatever") == ("os", "zone")
    assert maps_03.target_words(real, "annocerv") == ("acetowhite",)
    assert maps_03.target_words(real, "cervix_types") == ()


def test_choices_and_shown_maps_are_finite_and_named():
    seen, head = looked(n=4)
    heads = {}
    for levels in SEVEN:
        width = 8 * len(levels)
        heads[levels] = type(head)(levels, np.ones((2, width)) * [[-1], [1]] / width, np.array([5.0, -5.0]))
    labels = np.zeros(4, int)  # the bias names the first class throughout
    object.__setattr__(seen.of, "labels", labels)
    found = maps_03.choices(seen, heads, most=4)
    assert all(0 <= value <= 1 for value in found.values())
    wanted = {
        f"{heads_03.title(x)}, {m}, {how}" for x in SEVEN for m in ("cam", "crm") for how in ("bilinear", "nearest")
    }
    assert {name for name in wanted if not name.startswith("P7")} <= set(found)
    assert "P7, cam, nearest" not in found  # one place: a flat map ranks nothing
    controls = maps_03.controls(seen, heads[BEST])
    assert set(controls) == {"random weights", "middle", "darkest"}
    assert all(m.shape == (4, SIDE, SIDE) for m in controls.values())
    assert np.abs(controls["random weights"] - maps_03.shown(seen, heads[BEST], "cam")).max() > 0
