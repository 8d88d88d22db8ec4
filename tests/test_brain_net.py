"""Study 2's network and its gates: parameter counts of table 3.2, and every gate against its formula in float64."""

import pytest
import torch
import torch.nn.functional as F

from studylib.models.attention import GATES, min_max, position_cam
from studylib.models.brain import brain_net, plain_net
from studylib.models.registry import build, module_of
from studylib.models.weights import count_parameters


@pytest.fixture
def net():
    def make(gate, on=True, size=64):
        torch.manual_seed(3)
        model = brain_net(size, gate=gate).double().eval()
        model.bn.running_mean.uniform_(-0.2, 0.2)
        model.bn.running_var.uniform_(0.5, 2)
        model.begin_epoch(2 if on else 1, 2)
        return model

    return make


@pytest.fixture
def images():
    return torch.rand(5, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_table_3_2_has_9697_parameters_and_its_shapes():
    model = brain_net(240)
    assert count_parameters(model) == 9697
    assert count_parameters(model.conv) + count_parameters(model.bn) == 2432 + 64
    x = torch.zeros(1, 3, 240, 240)
    pooled = model.pool1(model.bn(model.conv(x)))
    assert tuple(pooled.shape[1:]) == (32, 60, 60)
    assert tuple(model.pool2(pooled).shape[1:]) == (32, 15, 15)
    assert model.fc.in_features == 7200


def test_plain_net_is_the_public_code():
    model = plain_net(240)  # zero padding 2, 7 x 7: 240 -> 238 -> 59 -> 14, so 32 * 14 * 14 = 6272 inputs
    assert model.fc.in_features == 6272
    assert count_parameters(model) == 32 * (3 * 49 + 1) + 64 + 6273


def test_relu_behind_the_pool_gives_the_printed_order_exactly(net, images):
    model = net("none")
    printed = model.fc(model.pool2(model.pool1(F.relu(model.bn(model.conv(images))))).flatten(1))
    assert torch.equal(model(images), printed)


@pytest.mark.parametrize("gate", GATES[1:])
def test_gate_off_is_no_gate(gate, net, images):
    model, plain = net(gate, on=False), net("none")
    plain.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(model(images), plain(images))


def features_of(model, images):
    return F.relu(model.pool1(model.bn(model.conv(images))))


def mlp(gate, pooled):
    return (
        gate.mlp.expand.weight @ F.relu(gate.mlp.reduce.weight @ pooled + gate.mlp.reduce.bias) + gate.mlp.expand.bias
    )


def test_reading_a_is_cbam_channel_attention(net, images):
    model = net("channel")
    f = features_of(model, images)[0]
    by_hand = torch.sigmoid(mlp(model.gate, f.mean((1, 2))) + mlp(model.gate, f.amax((1, 2))))
    got = model.gate.gate(f[None], model.fc.weight)[0]
    torch.testing.assert_close(got, by_hand, rtol=0, atol=1e-14)


def test_reading_b_is_two_passes(net, images):
    """First pass with the gate off gives logits and CAM; second pass pools the features by that CAM."""
    model, off = net("cam"), net("cam", on=False)
    f = features_of(model, images)
    pooled = F.max_pool2d(f, 4)
    cam = torch.stack([sum(off.fc.weight.view(32, 4, 4)[k] * pooled[n, k] for k in range(32)) for n in range(5)])
    torch.testing.assert_close(cam.sum((1, 2)) + off.fc.bias, off(images)[:, 0], rtol=0, atol=1e-12)
    m = (cam - cam.amin((1, 2), keepdim=True)) / (cam.amax((1, 2), keepdim=True) - cam.amin((1, 2), keepdim=True))
    m = F.interpolate(m[:, None], size=(16, 16), mode="bilinear", align_corners=False)[:, 0]
    for n in range(5):
        by_cam = torch.stack([(m[n] * f[n, k]).sum() / m[n].sum() for k in range(32)])
        logits = mlp(model.gate, f[n].mean((1, 2))) + mlp(model.gate, f[n].amax((1, 2))) + mlp(model.gate, by_cam)
        want = model.fc((torch.sigmoid(logits)[:, None, None] * pooled[n]).flatten())
        torch.testing.assert_close(model(images[n : n + 1])[0], want, rtol=0, atol=1e-6)  # the map is made in float32


def test_reading_c_adds_standardised_weights(net, images):
    model = net("weights")
    with torch.no_grad():
        model.gate.alpha.fill_(0.7)
    f = features_of(model, images)[:1]
    u = model.fc.weight.view(32, -1).abs().mean(1)
    logits = mlp(model.gate, f[0].mean((1, 2))) + mlp(model.gate, f[0].amax((1, 2))) + 0.7 * (u - u.mean()) / u.std()
    torch.testing.assert_close(model.gate.gate(f, model.fc.weight)[0], torch.sigmoid(logits), rtol=0, atol=1e-12)


def test_controls_undo_the_gate_in_their_own_way(net, images):
    reading_b = net("cam")
    f = features_of(reading_b, images)
    g = reading_b.gate.gate(f, reading_b.fc.weight)
    controls = {}
    for kind in ("frozen", "shuffled_channels", "shuffled_images"):
        model = net(kind)
        model.load_state_dict(reading_b.state_dict())
        assert count_parameters(model) == count_parameters(reading_b)
        controls[kind] = model.gate.gate(f, model.fc.weight)
    assert torch.equal(controls["frozen"], torch.ones_like(g))
    assert not torch.equal(controls["shuffled_channels"], g)
    torch.testing.assert_close(controls["shuffled_channels"].sort(1).values, g.sort(1).values)
    assert torch.equal(controls["shuffled_images"], g.roll(1, 0))


def test_spatial_part_follows_the_channel_part(net, images):
    model = net("channel_spatial")
    f = features_of(model, images)
    channel = model.gate.gate(f, model.fc.weight)[:, :, None, None] * f
    both = torch.cat([channel.mean(1, keepdim=True), channel.amax(1, keepdim=True)], 1)
    want = torch.sigmoid(F.conv2d(both, model.gate.spatial.conv.weight, padding=3)) * channel
    torch.testing.assert_close(model.gate(f, model.fc.weight), want, rtol=0, atol=1e-14)


def test_the_map_inside_the_gate_carries_no_gradient(net, images):
    model = net("cam")
    model(images).sum().backward()
    with torch.no_grad():
        f, g = features_of(model, images), model.gate
        constant = F.max_pool2d(f, 4)
        gate = g.gate(f, model.fc.weight)
    want = (
        (gate[:, :, None, None] * constant).flatten(1).sum(0)
    )  # d sum(logits) / d fc.weight with the gate held constant
    torch.testing.assert_close(model.fc.weight.grad[0], want, rtol=0, atol=1e-9)


def test_a_flat_map_pools_like_the_average():
    flat = torch.full((1, 2, 2), 3.0)
    assert torch.equal(min_max(flat), torch.ones(1, 2, 2))
    w, f = torch.arange(8.0).view(1, 8), torch.ones(1, 2, 2, 2)
    assert position_cam(f, w)[0].tolist() == [[0 + 4, 1 + 5], [2 + 6, 3 + 7]]


def test_unknown_names_say_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'channel'"):
        brain_net(64, gate="chanel")
    with pytest.raises(ValueError, match="did you mean 'brain'"):
        build("brian")
    assert module_of("brain") == "studylib.models.brain"
