"""Heads are told apart by structure and proved by numbers; whatever is not linear in the layer is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studylib.cam.heads import HeadError, find_head


def forward(model: nn.Sequential, cut: int, n: int = 4, size: int = 6, dtype=torch.float64, seed: int = 0):
    """Output of the model's first `cut` modules, (N, K, h, w), and the logits (N, C)."""
    torch.manual_seed(seed)
    for p in model.parameters():
        p.data = torch.randn_like(p) * 0.3
    model = model.to(dtype).eval()
    with torch.no_grad():
        a = model[:cut](torch.randn(n, 3, size, size, dtype=dtype))
        return a, model[cut:](a)


def trunk():
    return [nn.Conv2d(3, 5, 3, padding=1), nn.ReLU()]


def pooled(classes=3):
    return nn.Sequential(*trunk(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(5, classes))


def test_pooled_head_gives_the_linear_layers_own_weights():
    model = pooled()
    a, s = forward(model, 2)
    head = find_head(model, "1", a, s)
    assert (head.kind, head.name) == ("pooled", "5")
    assert torch.equal(head.weights, model[5].weight.detach().view(3, 5, 1, 1))
    assert torch.equal(head.bias, model[5].bias)


def test_flat_head_has_a_weight_for_every_place():
    model = nn.Sequential(*trunk(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5 * 9, 1))
    a, s = forward(model, 3)
    head = find_head(model, "2", a, s)
    assert head.kind == "flat" and head.weights.shape == (1, 5, 3, 3)
    # value: the sum over channels and places, by a loop
    by_hand = torch.stack([(head.weights[0] * image).sum() for image in a]) + model[4].bias
    torch.testing.assert_close(by_hand[:, None], s, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pool_first", [True, False])
def test_one_by_one_convolution_before_or_after_pooling(pool_first):
    conv, pool = nn.Conv2d(5, 4, 1), nn.AdaptiveAvgPool2d(1)
    model = nn.Sequential(*trunk(), *((pool, conv) if pool_first else (conv, pool)), nn.Flatten())
    a, s = forward(model, 2)
    head = find_head(model, "1", a, s)
    assert head.kind == "pooled" and torch.equal(head.weights, conv.weight.detach())


def test_convolution_over_the_whole_grid_is_a_flat_head():
    model = nn.Sequential(*trunk(), nn.Conv2d(5, 4, 6), nn.Flatten())
    a, s = forward(model, 2)
    assert find_head(model, "1", a, s).kind == "flat"


def test_class_maps_then_pooling():
    model = nn.Sequential(*trunk(), nn.Conv2d(5, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    a, s = forward(model, 4)
    head = find_head(model, "3", a, s)
    assert head.kind == "maps" and torch.equal(head.weights[:, :, 0, 0], torch.eye(4, dtype=a.dtype))
    a, s = forward(model, 2)
    with pytest.raises(HeadError, match="or the layer behind the class maps of '2'"):
        find_head(model, "1", a, s)


def test_a_relu_without_a_module_is_seen():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.fc = nn.Conv2d(3, 5, 3), nn.Linear(5, 3)

    model = Dense().double()
    a = model.features(torch.randn(4, 3, 6, 6, dtype=torch.float64)).detach()
    s = model.fc(a.relu().mean((2, 3))).detach()
    head = find_head(model, "features", a, s)
    assert head.kind == "pooled" and head.rectified
    assert torch.equal(head.features(a), a.relu())


def test_the_right_one_of_two_layers_with_equal_sizes_is_found_by_its_numbers():
    model = nn.ModuleDict({"aux": nn.Linear(5, 3), "main": nn.Linear(5, 3), "other": nn.Linear(5, 3)})
    a = torch.rand(4, 5, 6, 6)
    for name in model:
        s = model[name](a.mean((2, 3))).detach()
        assert find_head(model, "layer", a, s).name == name


def others():
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return {
        "mlp": [*tail, nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 3)],
        "two linears": [*tail, nn.Linear(5, 5), nn.Linear(5, 3)],
        "norm": [*tail, nn.LayerNorm(5), nn.Linear(5, 3)],
        "max pooling": [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(5, 3)],
        "softmax": [*tail, nn.Linear(5, 3), nn.Softmax(1)],
        "an earlier layer": [nn.Conv2d(5, 5, 3), nn.ReLU(), *tail, nn.Linear(5, 3)],
        "a scaled output": [*tail, nn.Linear(5, 3), nn.Hardtanh(-0.01, 0.01)],
    }


@pytest.mark.parametrize("kind", others())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_heads_are_refused_by_an_error_that_says_what_works(kind, dtype):
    model = nn.Sequential(*trunk(), *others()[kind])
    a, s = forward(model, 2, dtype=dtype)
    with pytest.raises(HeadError, match=r"at '1' \(4, 5, 6, 6\) no such head.*any head: gradcam, hirescam"):
        find_head(model, "1", a, s)


def test_two_linears_are_refused_though_their_product_is_linear_and_sizes_fit():
    """The last linear layer has as many inputs as there are channels; only the numbers show what feeds it."""
    model = nn.Sequential(*trunk(), *others()["two linears"])
    a, s = forward(model, 2)
    assert model[5].weight.shape == (3, 5)
    with pytest.raises(HeadError):
        find_head(model, "1", a, s)


def test_dropout_in_training_is_refused_and_in_eval_accepted():
    model = pooled()
    a, s = forward(model, 2)
    model.train()
    torch.manual_seed(1)
    with torch.no_grad():
        noisy = model[2:](a)
    assert find_head(model, "1", a, s).kind == "pooled"
    with pytest.raises(HeadError):
        find_head(model, "1", a, noisy)


def test_an_error_of_one_in_a_thousand_is_refused_in_float32():
    model = pooled()
    a, s = forward(model, 2, dtype=torch.float32)
    assert find_head(model, "1", a, s * (1 + 2e-5)).kind == "pooled"
    with pytest.raises(HeadError):
        find_head(model, "1", a, s * 1.001 + 0.001)


def test_float32_rounding_does_not_refuse_logits_that_cancel():
    """2,048 channels of size 100 whose sum is near zero: errors are measured against the terms, not the sum."""
    torch.manual_seed(0)
    fc = nn.Linear(2048, 2)
    a = 100 * torch.rand(2, 2048, 7, 7)
    pooled_features = a.mean((2, 3))
    with torch.no_grad():
        fc.bias.copy_(-(fc.weight @ pooled_features[0]))
    s = fc(pooled_features).detach()
    assert s[0].abs().max() < 1e-2
    assert find_head(nn.Sequential(fc), "layer", a, s).kind == "pooled"


def test_an_image_with_nan_does_not_spoil_the_others():
    model = pooled()
    a, s = forward(model, 2)
    a, s = a.clone(), s.clone()
    a[1, 0, 0, 0], s[1] = torch.nan, torch.nan
    assert find_head(model, "1", a, s).kind == "pooled"
    wrong = s.clone()
    wrong[2] += 1
    with pytest.raises(HeadError):
        find_head(model, "1", a, wrong)


def test_half_precision_is_accepted_within_its_rounding():
    model = pooled()
    a, s = forward(model, 2, dtype=torch.float32)
    assert find_head(model, "1", a.bfloat16(), s.bfloat16()).kind == "pooled"
    with pytest.raises(HeadError):
        find_head(model, "1", a.bfloat16(), (s * 1.2).bfloat16())
