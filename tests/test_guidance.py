"""The penalty on evidence outside a mask: by hand, by finite differences, and what it does to a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_fit import SIZE, spec_of, toy

from studylib.training.fit import fit
from studylib.training.guidance import GuidedClassifier, outside


def test_share_outside_by_hand():
    features = torch.tensor([[[[1.0, 2.0], [0.0, 4.0]], [[0.0, 1.0], [2.0, 0.0]]]])  # (1, 2, 2, 2)
    weight = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    mask = torch.zeros(1, 4, 4)
    mask[0, :2] = 1  # the upper two of the four places
    mask[0, 2, 2] = 1  # a quarter of the lower right
    # class 0: CAM [[1, 1], [-2, 4]], positive part 1, 1, 0, 4; outside: three quarters of the last
    assert outside(features, weight, torch.tensor([0]), mask).item() == pytest.approx(3 / 6, abs=1e-5)
    # class 1: CAM [[-1, -1], [2, -4]], positive part 2 at the lower left, wholly outside
    assert outside(features, weight, torch.tensor([1]), mask).item() == pytest.approx(1, abs=1e-5)
    # one logit: its row stands for the second class, its negative for the first
    one = outside(features.expand(2, -1, -1, -1), weight[1:], torch.tensor([1, 0]), mask.expand(2, -1, -1))
    np.testing.assert_allclose(one, [1, 3 / 6], atol=1e-5)
    assert outside(features * 0, weight, torch.tensor([0]), mask).item() == 0


def test_its_gradient_agrees_with_finite_differences():
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(3, 4, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    masks = torch.rand(3, 6, 6, generator=generator) > 0.5

    assert torch.autograd.gradcheck(lambda f, w: outside(f, w, torch.tensor([0, 1, 1]), masks), (features, weight))


def guided(weight):
    """A fit on pictures where a square tells the class and a stripe at the edge tells it as well; the mask holds the
    square alone.
    """
    examples = toy()
    pixels = examples.pixels.copy()
    pixels[examples.labels == 1, :, 26:] = 210
    masks = np.zeros_like(pixels)
    masks[:, 6:22, 6:22] = 1
    examples = replace(examples, pixels=pixels, masks=masks)
    options = (("architecture", "small"), ("image_size", SIZE), ("outputs", 1))
    return examples, spec_of(examples, model="staged", options=options, guide=weight, precision="float32", epochs=6)


def test_a_guided_network_puts_its_evidence_inside(tmp_path):
    shares = {}
    for weight in (0.0, 3.0):
        examples, spec = guided(weight)
        made = fit(spec, examples, tmp_path)
        model, rows = made.model(), examples.rows("test")
        with torch.no_grad():
            images = torch.as_tensor(examples.pixels[rows]).float().div(255)[:, None].expand(-1, 3, -1, -1)
            maps = model.upper(model.features(images))
        labels, masks = torch.as_tensor(examples.labels[rows]), torch.as_tensor(examples.masks[rows])
        keep = labels == 1
        shares[weight] = outside(maps, model.fc.weight.detach(), labels, masks)[keep].mean().item()
        assert made.predictions.query("part == 'test'").eval("(p_yes > 0.5) == (label == 1)").mean() > 0.9
    assert shares[3.0] < shares[0.0] - 0.1


def test_what_cannot_be_guided_is_refused():
    examples, spec = guided(1.0)
    flat = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Sequential(torch.nn.Linear(4, 1)))
    with pytest.raises(ValueError, match="one linear layer"):
        GuidedClassifier(flat, spec)
    from studylib.models.registry import build

    with pytest.raises(ValueError, match="masks are not moved"):
        GuidedClassifier(build("staged", **dict(spec.options)), replace(spec, augment=True))


def test_augmented_training_ends_with_the_same_bytes_and_learns(tmp_path):
    examples = toy()
    options = (("architecture", "small"), ("image_size", SIZE), ("outputs", 1))
    spec = spec_of(examples, model="staged", options=options, augment=True, epochs=8, learning_rate=5e-3)
    first, again = (fit(spec, examples, tmp_path / name) for name in ("a", "b"))
    assert (first.folder / "weights.safetensors").read_bytes() == (again.folder / "weights.safetensors").read_bytes()
    plain = fit(replace(spec, augment=False), examples, tmp_path / "a")
    assert plain.spec.key != first.spec.key
    test = first.predictions.query("part == 'test'")
    assert test.eval("(p_yes > 0.5) == (label == 1)").mean() > 0.9
    assert first.trained_in in ("bf16", "float32")
