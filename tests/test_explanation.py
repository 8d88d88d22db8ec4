"""Pictures from maps by hand values; maps without a meaning are NaN there, with a reason that is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studylib.cam.explanation import Explanation, joined, resize, why_undefined


def explanation(maps: torch.Tensor, **more) -> Explanation:
    n = len(maps)
    given = {"logits": torch.zeros(n, 2), "target": torch.zeros(n), "layers": ("a",), "methods": ("gradcam",)}
    return Explanation(maps={("gradcam", "a"): maps}, size=(4, 4), **{**given, **more})


SIGNED = torch.tensor([[[1.0, -1.0], [2.0, 4.0]]])


def numpy_bilinear(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear interpolation with pixel centres at half coordinates, clamped at the edges: a second implementation."""
    h, w = grid.shape
    out = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            y = min(max((i + 0.5) * h / height - 0.5, 0), h - 1)
            x = min(max((j + 0.5) * w / width - 0.5, 0), w - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
            top = grid[y0, x0] * (1 - (x - x0)) + grid[y0, x1] * (x - x0)
            bottom = grid[y1, x0] * (1 - (x - x0)) + grid[y1, x1] * (x - x0)
            out[i, j] = top * (1 - (y - y0)) + bottom * (y - y0)
    return out


def test_upsampling_is_bilinear_with_aligned_edges():
    grid = np.random.default_rng(0).normal(size=(3, 5))
    ours = resize(torch.from_numpy(grid)[None], (7, 16))[0].numpy()
    np.testing.assert_allclose(ours, numpy_bilinear(grid, 7, 16), atol=1e-12)


def test_the_order_is_relu_then_upsampling_then_scaling():
    out = explanation(SIGNED).upsampled("gradcam")[0].numpy()
    expected = numpy_bilinear(
        np.array([[1.0, 0.0], [2.0, 4.0]]), 4, 4
    )  # the -1 is cut before it can pull its neighbours
    np.testing.assert_allclose(out, expected / expected.max(), atol=1e-6)
    assert out.max() == 1


def test_scales_and_signs():
    e = explanation(SIGNED)
    raw = numpy_bilinear(SIGNED[0].numpy(), 4, 4)
    np.testing.assert_allclose(e.upsampled("gradcam", relu=False, scale=None)[0], raw, atol=1e-6)
    np.testing.assert_allclose(e.upsampled("gradcam", relu=False, scale="max")[0], raw / 4, atol=1e-6)
    np.testing.assert_allclose(e.upsampled("gradcam", relu=False, scale="minmax")[0], (raw + 1) / 5, atol=1e-6)
    negative = explanation(torch.tensor([[[-8.0, -2.0], [-2.0, 2.0]]]))
    assert negative.upsampled("gradcam", relu=False).abs().max() == 1  # by the largest absolute value: within [-1, 1]


def test_sizes():
    e = explanation(SIGNED)
    assert e.upsampled("gradcam").shape == (1, 4, 4)
    assert torch.equal(e.upsampled("gradcam", size=6), e.upsampled("gradcam", size=(6, 6)))
    assert torch.equal(e.upsampled("gradcam", size=2, scale=None, relu=False), SIGNED)


def test_said_states_order_interpolation_scaling_and_what_was_lost():
    e = explanation(torch.cat([SIGNED, -SIGNED.abs(), torch.ones(1, 2, 2)]))
    e.upsampled("gradcam")
    assert e.said == (
        "Grad-CAM at a: ReLU, then bilinear upsampling 2 x 2 to 4 x 4 (align_corners=False), then divided by its "
        "maximum; 2 of 3 undefined (1 all-negative, 1 flat)"
    )
    e.upsampled("gradcam", relu=False, scale=None, size=8)
    assert e.said == (
        "Grad-CAM at a: signed, then bilinear upsampling 2 x 2 to 8 x 8 (align_corners=False), then not scaled; "
        "1 of 3 undefined (1 flat)"
    )


def test_maps_without_a_meaning_are_named_and_nan_in_pictures():
    nan, inf = SIGNED.clone(), SIGNED.clone()
    nan[0, 0, 0], inf[0, 1, 1] = torch.nan, torch.inf
    maps = torch.cat([SIGNED, nan, inf, torch.zeros(1, 2, 2), 3 * torch.ones(1, 2, 2), -SIGNED.abs()])
    e = explanation(maps)
    assert e.undefined["gradcam", "a"] == [None, "NaN", "infinite", "flat", "flat", "all-negative"]
    lost = e.upsampled("gradcam").isnan()
    assert lost.all(2).all(1).tolist() == [False, True, True, True, True, True] and not lost[0].any()
    assert e.upsampled("gradcam", relu=False).isnan().all(2).all(1).tolist() == [False, True, True, True, True, False]
    assert torch.equal(e["gradcam"][5], -SIGNED.abs()[0])  # the signed map itself stays


def test_flat_means_flat_within_rounding():
    noise = 1e-7 * torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert why_undefined(torch.ones(1, 2, 2) + noise) == ["flat"]
    assert why_undefined(torch.ones(1, 2, 2) + 100 * noise) == [None]
    assert why_undefined(torch.ones(1, 2, 2, dtype=torch.float64) + noise.double()) == [None]
    assert why_undefined(1e-30 * SIGNED) == [None]  # small is not flat


def test_a_class_axis_is_carried_through():
    maps = torch.stack([SIGNED[0], -SIGNED[0].abs()])[None]  # one image, two classes
    e = explanation(maps)
    assert e.undefined["gradcam", "a"] == [[None, "all-negative"]]
    out = e.upsampled("gradcam")
    assert out.shape == (1, 2, 4, 4) and out[0, 1].isnan().all()
    assert torch.equal(out[:, 0], explanation(SIGNED).upsampled("gradcam"))
    assert "1 of 2 undefined (1 all-negative)" in e.said


def test_the_default_layer_is_the_last_and_errors_name_the_nearest():
    maps = {("gradcam", "layer3"): SIGNED, ("gradcam", "layer4"): 2 * SIGNED, ("cam", "layer4"): 3 * SIGNED}
    e = explanation(
        SIGNED, layers=("layer3", "layer4"), methods=("gradcam", "cam"), refused={("cam", "layer3"): "no head"}
    )
    e.maps = maps
    assert torch.equal(e["gradcam"], 2 * SIGNED) and torch.equal(e["gradcam", "layer3"], SIGNED)
    assert "cam" in e and ("cam", "layer3") not in e and "hirescam" not in e
    for key, message in (
        (("cam", "layer3"), "no head"),
        ("grad-cam", "'grad-cam' was not asked for .asked: gradcam, cam.; did you mean 'gradcam'"),
        (("gradcam", "layer5"), "the layer 'layer5' was not asked for"),
    ):
        with pytest.raises(KeyError, match=message):
            e[key]


def test_it_shows_itself_in_one_line():
    e = explanation(torch.cat([SIGNED, -SIGNED.abs()]))
    assert repr(e) == "Explanation(2 images of 4 x 4: gradcam at a (2, 2, 2), 1 undefined)"


def test_unknown_scale_names_the_nearest():
    with pytest.raises(ValueError, match="scale 'min-max' is not known.*did you mean 'minmax'"):
        explanation(SIGNED).upsampled("gradcam", scale="min-max")


def test_maps_are_not_changed():
    maps = torch.cat([SIGNED, -SIGNED.abs()])
    e = explanation(maps)
    e.upsampled("gradcam")
    assert torch.equal(e["gradcam"], torch.cat([SIGNED, -SIGNED.abs()]))


def test_parts_join_in_order_and_a_map_that_one_part_lacks_is_refused_for_all():
    flat = torch.ones(1, 2, 2)
    first = explanation(SIGNED, layers=("a", "b"), methods=("gradcam", "cam"), signed={"a": [True], "b": [False]})
    first.maps["cam", "b"] = SIGNED
    second = explanation(
        flat,
        layers=("a", "b"),
        methods=("gradcam", "cam"),
        signed={"a": [False], "b": [True]},
        refused={("cam", "b"): "no such head"},
        target=torch.ones(1),
    )
    whole = joined([first, second])
    assert torch.equal(whole["gradcam", "a"], torch.cat([SIGNED, flat])) and whole.target.tolist() == [0, 1]
    assert whole.undefined == {("gradcam", "a"): [None, "flat"]}
    assert whole.signed == {"a": [True, False], "b": [False, True]}
    with pytest.raises(KeyError, match="no such head"):
        whole["cam", "b"]
