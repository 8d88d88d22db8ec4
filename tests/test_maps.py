"""One policy for maps and masks without meaning, and what arrays and tensors become."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studylib.metrics.maps import as_maps, as_masks, defined, reasons


def cases() -> tuple[np.ndarray, np.ndarray]:
    """Return one map and mask for each reason, and a sound pair last."""
    maps = np.random.default_rng(0).random((9, 4, 4))
    maps[0] = 0
    maps[1] = 3.5
    maps[2, 1, 1] = np.nan
    maps[3, 1, 1] = np.inf
    maps[4] -= 5
    maps[5] = -2
    masks = np.zeros((9, 4, 4), bool)
    masks[:, 1:3, 1:3] = True
    masks[6] = False
    masks[7] = True
    return maps, masks


def test_reasons_name_each_case():
    maps, masks = cases()
    names = [
        "flat map",
        "flat map",
        "NaN map",
        "NaN map",
        "all-negative map",
        "flat map",
        "empty mask",
        "full mask",
        None,
    ]
    assert reasons(maps, masks) == names
    assert reasons(maps) == names[:6] + [None] * 3
    assert defined(maps, masks).tolist() == [False] * 8 + [True]


def test_a_signed_all_negative_map_still_ranks_until_relu_makes_it_flat():
    maps = cases()[0][4:5]
    assert reasons(maps, ranks=True) == [None]
    assert reasons(np.maximum(maps, 0), ranks=True) == ["flat map"]


def test_tensors_of_any_precision_become_float64():
    values = torch.tensor([[[1.5, -2.0]]], requires_grad=True)
    for tensor in (values, values.bfloat16(), values.half()):
        assert as_maps(tensor).dtype == np.float64 and as_maps(tensor).tolist() == [[[1.5, -2.0]]]
    assert as_masks(torch.tensor([[[0, 1]]], dtype=torch.uint8)).tolist() == [[[False, True]]]


def test_wrong_shapes_and_values_say_what_to_do():
    with pytest.raises(ValueError, match=r"shape \(4, 4\); expected \(N, H, W\).*maps\[None\]"):
        as_maps(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"found \[2, 3\].*mask == 2"):
        as_masks(np.array([[[0, 1, 2, 3]]]))
    with pytest.raises(ValueError, match="bring both to one size"):
        reasons(np.ones((1, 4, 4)), np.ones((1, 2, 2), bool))
