"""A set from elsewhere: what networks say of melanoma, and whether sets share images."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from studylib.study import elsewhere_05


class Redness(nn.Module):
    """Three classes; the last, melanoma, the redder the surer; the first the bluer."""

    def forward(self, images):
        means = images.mean((2, 3))
        return torch.stack([4 * means[:, 2], torch.zeros(len(images)), 4 * means[:, 0]], 1)


def test_probability_of_the_last_class_by_hand():
    pixels = np.zeros((3, 8, 8, 3), np.uint8)
    pixels[0, :, :, 0], pixels[1, :, :, 2], pixels[2, :, :, 0] = 255, 255, 51
    table = pd.DataFrame({"image": list("abc"), "label": ["MEL", "NV", "SK"]})
    dataset = SimpleNamespace(table=table, groups=lambda _: np.array(["g", "g", "h"]))
    workshop = SimpleNamespace(pixels=lambda *_: (pixels, ""))
    spec = SimpleNamespace(image_size=8, crop="none")
    network = SimpleNamespace(fit=SimpleNamespace(spec=spec, model=lambda: Redness().eval()),
                              run=SimpleNamespace(repeat=2))  # fmt: skip
    fits = SimpleNamespace(select=lambda _: [network])
    found = elsewhere_05.external_table(workshop, fits, "main", dataset)
    assert found["label"].tolist() == [1, 0, 0] and found["said"].tolist() == [1, 0, 1]
    low = np.exp(4 * 0.2)
    assert found["p"].tolist() == pytest.approx(
        [np.exp(4) / (np.exp(4) + 2), 1 / (np.exp(4) + 2), low / (low + 2)], rel=1e-5
    )
    assert (found["repeat"] == 2).all() and found["group"].tolist() == ["g", "g", "h"]


def test_shared_images_are_counted():
    def of(name, ids):
        return SimpleNamespace(name=name, table=pd.DataFrame({"isic_id": ids}))

    e = elsewhere_05.shared(of("a", ["1", "2", "3"]), of("b", ["3", "4"]))
    assert e.value == 1 and e.n == 2 and "images of b that a holds too" in e.how
