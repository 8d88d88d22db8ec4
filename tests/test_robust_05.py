"""Changes of pictures by hand; turned maps turned back; what is recorded of tables made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studylib.study import robust_05


def test_darker_and_turned_by_hand():
    pixels = np.full((1, 9, 9, 3), 200, np.uint8)
    assert (robust_05.darker(pixels, 2) == 140).all()
    pixels[0, 4, 8] = 0  # the middle of the right border
    side = np.argwhere(robust_05._turn(pixels, 90, 0)[0, :, :, 0] < 100)
    assert side.tolist() == [[0, 4]]  # counter-clockwise: to the middle of the upper border
    np.testing.assert_array_equal(robust_05.turned(pixels[:, :, :, :] * 0 + 7, 1), 7)  # borders are mirrored, not black


def test_hairs_are_dark_and_grow_with_severity():
    pixels = np.full((2, 64, 64, 3), 180, np.uint8)
    covered = [(robust_05.hairy(pixels, s) < 150).all(-1) for s in (1, 2, 3)]
    shares = [c.mean() for c in covered]
    assert 0 < shares[0] < shares[1] < shares[2] < 0.5
    assert (covered[0] <= covered[1]).mean() > 0.999  # the same hairs and more
    assert (covered[0][0] != covered[0][1]).any() and (pixels == 180).all()


def test_a_turned_map_is_turned_back():
    class Maps:
        def __init__(self, grids):
            self.grids = grids

        def upsampled(self, *_, **__):
            import torch

            return torch.as_tensor(self.grids)

    rng = np.random.default_rng(0)
    from scipy.ndimage import gaussian_filter

    before = gaussian_filter(rng.random((2, 64, 64)), (0, 4, 4)).astype(np.float32)
    after = robust_05._turn(before, robust_05.ANGLE * 2, 0)

    class Seen:
        pixels = np.zeros((2, 64, 64, 3), np.uint8)

    alike = robust_05._alike(Maps(before), Maps(after), "gradcam", Seen, "rotation", 2)
    assert (alike.spearman > 0.99).all() and (alike.ssim > 0.95).all()
    wrong = robust_05._alike(Maps(before), Maps(before), "gradcam", Seen, "rotation", 2)
    assert (wrong.spearman < 0.9).all()


def test_records_by_hand():
    row = {"image": list("abcd"), "group": list("aabb"), "change": "blur", "severity": 1,
           "before": [1.0, 1, 0, 1], "correct": [1.0, 0, 0, 0], "flipped": [0.0, 1, 0, 1],
           "gradcam": [0.9, 0.1, 0.7, 0.3], "gradcam++": 0.5, "p_before": [0.9, 0.8, 0.6, 0.7],
           "p_after": [0.9, 0.4, 0.6, 0.5], "ssim": [1.0, 0.6, 1.0, 0.8]}  # fmt: skip
    table = pd.DataFrame(row)
    found = robust_05.records(table, resamples=100)
    assert found["robust.blur_1.accuracy_change"].value == -0.5 and found["robust.blur_1.flipped"].value == 0.5
    assert found["robust.blur_1.gradcam.spearman"].value == pytest.approx(0.5)
    assert found["robust.blur.stayed.spearman"].value == pytest.approx(0.8)
    # the map changes by 1 - SSIM = 0, .4, 0, .2 as the probability by 0, .4, 0, .2
    assert robust_05.with_prediction(table)["robust.prediction_saliency_correlation"].value == pytest.approx(1)
    assert robust_05.tidy(table).loc["blur", "another class"] == 0.5
