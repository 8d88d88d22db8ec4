"""The short training step on grey images against the layers it stands for: moments, outputs, gradients, statistics."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from studylib.models.brain import brain_net, plain_net
from studylib.models.grey import convolved_normalised_pooled, is_grey, patch_moments


def grey(n=3, height=24, width=20, seed=0):
    images = torch.rand(n, 1, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    images[:, :, :7] = 0  # black background: equal windows, so ties in the pool
    return images.expand(-1, 3, -1, -1).contiguous()


@pytest.mark.parametrize(("kernel", "padding"), [(5, 2), (7, 2), (3, 0), (1, 0)])
def test_moments_are_sums_over_unfolded_patches(kernel, padding):
    images = grey()[:, :1]
    patches = F.unfold(images, kernel, padding=padding)  # N, k^2, places
    first, second, places = patch_moments(images[:, 0], kernel, padding)
    assert places == patches.shape[0] * patches.shape[2]
    torch.testing.assert_close(first, patches.sum((0, 2)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(second, torch.einsum("nap,nbp->ab", patches, patches), rtol=1e-12, atol=1e-12)


def test_moments_by_hand():
    first, second, places = patch_moments(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 1, 0)
    assert (first.item(), second.item(), places) == (10, 1 + 4 + 9 + 16, 4)


@pytest.mark.parametrize("kernel", [5, 7])
def test_step_equals_its_three_layers(kernel):
    torch.manual_seed(1)
    conv, norm = nn.Conv2d(3, 6, kernel, padding=2).double(), nn.BatchNorm2d(6).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -0.7, 0.3, -1.2, -0.1, 2.0]))  # three channels fall
        norm.bias.uniform_(-1, 1)
    layers = copy.deepcopy((conv, norm))
    images = grey()
    got = convolved_normalised_pooled(images, conv, norm, 4)
    expected = F.max_pool2d(layers[1](layers[0](images)), 4)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn_like(expected)
    (got * weights).sum().backward()
    (expected * weights).sum().backward()
    pairs = [(conv.weight, layers[0].weight), (norm.weight, layers[1].weight), (norm.bias, layers[1].bias)]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-8, atol=1e-9)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(norm, name), getattr(layers[1], name), rtol=1e-12, atol=1e-12)
    assert layers[0].bias.grad.abs().max() < 1e-9  # batch norm takes the bias away: no gradient is right for ours too


@pytest.mark.parametrize("make", [brain_net, plain_net])
def test_network_trains_by_the_short_way_on_grey_and_by_its_layers_on_colour(make):
    torch.manual_seed(2)
    images = torch.rand(4, 1, 64, 64, dtype=torch.float64).expand(-1, 3, -1, -1)
    network = make(64).double()
    seen = []
    network.bn.register_forward_hook(lambda *_: seen.append("layers"))
    short = network(images)
    assert not seen
    long = network.fc(network.flatten(network.pool2(F.relu(network.pool1(network.bn(network.conv(images)))))))
    torch.testing.assert_close(short, long, rtol=1e-10, atol=1e-10)
    seen.clear()
    network(images + torch.tensor([0.0, 0.1, 0.0], dtype=torch.float64)[:, None, None])
    network(images.clone().requires_grad_())
    network.eval()(images)
    assert seen == ["layers"] * 3


def test_half_precision_stays_close():
    torch.manual_seed(3)
    conv, norm = nn.Conv2d(3, 8, 5, padding=2), nn.BatchNorm2d(8)
    images = grey().float()
    expected = F.max_pool2d(norm(conv(images)), 4)
    with torch.autocast("cpu", torch.bfloat16):
        got = convolved_normalised_pooled(images, conv, norm, 4)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), expected, rtol=0.02, atol=0.05)


def test_grey_means_equal_channels():
    images = torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1).clone()
    assert is_grey(images)
    images[1, 2, 3, 3] += 1e-3
    assert not is_grey(images)
