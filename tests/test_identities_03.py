"""Identities of CAM and CRM on a small pyramid, and places where they would be broken."""

import numpy as np
import pytest
import torch
from test_heads_03 import SIDE, WIDTH, network

from studylib.study import identities_03
from studylib.study.heads_03 import BEST, Frozen, Head, level_means  # noqa: F401
from studylib.study.maps_03 import Looked


def looked(n: int = 6, seed: int = 0, opposite: bool = True) -> tuple[Looked, Head]:
    """Random images of an untrained pyramid with a head on P3+P6+P7 whose rows are opposites, or not."""
    model, trained = network(seed)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8)
    with torch.inference_mode():
        images = torch.as_tensor(pixels / 255).permute(0, 3, 1, 2).float()
        means = model.upper.pooled(model.features(images)).numpy()
    names = np.array([f"{i}.png" for i in range(n)])
    of = Frozen(trained, means, np.arange(n) % 2, np.array(["test"] * n), names, names)
    row = rng.normal(size=3 * WIDTH)
    other = -row if opposite else rng.normal(size=3 * WIDTH)
    head = Head(BEST, np.stack([other, row]) / 2, np.array([0.1, -0.1]))
    masks = np.zeros((n, SIDE, SIDE), bool)
    masks[:, 40:80, 50:90] = True
    return Looked(of, np.arange(n), pixels, masks), head


def test_closed_forms_equal_removal():
    found = identities_03.by_removal(*looked(opposite=False))
    assert len(found) == 4 and all(e.value < 1e-6 for e in found.values())


def test_identities_hold_and_crm_is_one_map_for_both_classes():
    found = identities_03.of_formulas(*looked(opposite=False))
    assert found["identity.crm_is_squared_cam.max_difference"].value < 1e-10
    assert found["identity.crm_of_two_classes.max_difference"].value == 0.0
    assert found["identity.completeness.max_difference"].value < 1e-6
    assert found["heads.joined_minus_pooled.max_difference"].value < 1e-4


def test_the_cuts_coincide_for_opposite_rows_and_not_for_others():
    seen, head = looked()
    same = identities_03.coincide([seen], [{BEST: head}])
    assert same["coincide.native.iou"].value == pytest.approx(1.0)
    assert same["coincide.upsampled.iou"].value < 1.0
    seen, head = looked(opposite=False)
    assert identities_03.coincide([seen], [{BEST: head}])["coincide.native.iou"].value < 0.95


def test_the_region_of_a_square_speaks_against_the_class_where_cam_is_negative():
    seen, head = looked()
    found = identities_03.against_class([seen], [{BEST: head}])
    assert 0 < found["region.crm.against_class"].value < 1
    assert found["region.crm_mse_softmax.against_class"].value < found["region.crm.against_class"].value


def test_cosines_and_parameters():
    _, head = looked()
    _, other = looked(opposite=False)
    found = identities_03.of_heads([{BEST: head}], [{BEST: (other, 0.0)}])
    assert found["head.converged.cosine"].value == pytest.approx(1.0)
    assert found["head.printed.cosine"].value == pytest.approx(other.cosine)
