"""Networks with pooling and a linear head: CAM is exact, the trained part on cached features is the whole network."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from studylib.cam import explain
from studylib.models.staged import ARCHITECTURES, HEADS, staged
from studylib.models.weights import HALF, IMAGENET, identity

SIDE = 64


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    monkeypatch.setenv("STUDYLIB_OFFLINE", "1")
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder of weights: MobileNetV2 whole, ResNet-18 to its third stage."""
    from torchvision.models import mobilenet_v2, resnet18

    torch.manual_seed(7)
    whole = {"mobilenet_v2": mobilenet_v2(weights=None), "resnet18_to_layer3": resnet18(weights=None)}
    index = {}
    for name, model in whole.items():
        state = {k: v for k, v in model.state_dict().items() if not (name.startswith("resnet") and "layer4" in k)}
        save_file(state, tmp_path / f"{name}.safetensors")
        size = (tmp_path / f"{name}.safetensors").stat().st_size
        index[name] = {
            "file": f"{name}.safetensors",
            "bytes": size,
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
        }
    (tmp_path / "index.json").write_text(json.dumps(index))
    monkeypatch.setenv("STUDYLIB_WEIGHTS", str(tmp_path))
    return whole


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cam_of_every_architecture_sums_to_the_logits(architecture):
    torch.manual_seed(0)
    model = staged(architecture, outputs=3).eval()
    images = torch.rand(2, 3, SIDE, SIDE)
    e = explain(model, images, "cam", "all", "upper")
    summed = e["cam"].mean((2, 3)) + model.fc.bias
    torch.testing.assert_close(summed, e.logits, rtol=1e-4, atol=1e-5)
    assert model.weights_from in ("none", "scratch") and not hasattr(model, "trunk")


def test_without_its_last_pooling_vgg_at_half_the_size_has_as_many_places_as_torchvisions_at_full_size():
    from torchvision.models import vgg16

    full = vgg16(weights=None).features.eval()
    with torch.inference_mode():
        assert full(torch.rand(1, 3, 224, 224)).shape[2:] == (7, 7)
        assert staged("vgg16").eval().upper(torch.rand(1, 3, 112, 112)).shape[2:] == (7, 7)


def test_three_layers_behind_the_pooling_have_no_cam():
    model = staged("small", head="three_layers").eval()
    with pytest.raises(ValueError, match="cam"):
        explain(model, torch.rand(1, 3, SIDE, SIDE), "cam", 0, "upper")
    assert explain(model, torch.rand(1, 3, SIDE, SIDE), "gradcam", 0, "upper")["gradcam"].shape == (1, 8, 8)


def test_dense_layers_on_every_place_have_no_cam_and_no_pooling():
    model = staged("small", head="flattened", image_size=SIDE).eval()
    assert model.fc[0].in_features == 96 * (SIDE // 8) ** 2 and model.fc[-1].out_features == 3
    images = torch.rand(2, 3, SIDE, SIDE)
    features = model.upper(model.features(images))
    torch.testing.assert_close(model(images), model.fc(features.flatten(1)))
    with pytest.raises(ValueError, match="cam"):
        explain(model, images, "cam", 0, "upper")
    with pytest.raises(ValueError, match="flattened"):
        staged("small", head="flatten")


def test_pretrained_layers_are_the_files_and_a_stage_is_taken_whole_or_not_at_all(weights):
    model = staged("mobilenet_v2")
    assert model.weights_from == "file"
    source = weights["mobilenet_v2"].features
    for i in range(14):
        for ours, theirs in zip(model.trunk[i].state_dict().values(), source[i].state_dict().values(), strict=True):
            torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(model.upper[0].state_dict().values(), source[14].state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs)  # the upper part begins from it
    assert not any(p.requires_grad for p in model.trunk.parameters())
    assert all(p.requires_grad for p in model.upper.parameters())
    assert torch.equal(model.mean.flatten(), torch.tensor(HALF[0]))

    partly = staged("resnet18")
    torch.testing.assert_close(partly.trunk.layer3.state_dict(), weights["resnet18_to_layer3"].layer3.state_dict())
    assert not torch.equal(partly.upper.layer4[0].conv1.weight, weights["resnet18_to_layer3"].layer4[0].conv1.weight)
    assert torch.equal(partly.mean.flatten(), torch.tensor(IMAGENET[0]))
    assert identity("resnet18_to_layer3") != identity("mobilenet_v2") and identity("vgg19") == ""


def test_norms_that_were_folded_away_at_the_source_become_part_of_their_convolution(weights, tmp_path):
    whole = weights["mobilenet_v2"].eval()
    with torch.no_grad():
        for norm in (m for m in whole.features[14].modules() if isinstance(m, nn.BatchNorm2d)):
            norm.weight.uniform_(1e-3, 2e-3)
            norm.bias.normal_()
    save_file(whole.state_dict(), tmp_path / "mobilenet_v2.safetensors")
    model = staged("mobilenet_v2").eval()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.upper[0].modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.upper[1].modules())  # as fresh as torchvision made them
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        expected = whole.features((images - 0.5) / 0.5)
        torch.testing.assert_close(model.upper(model.features(images)), expected, rtol=1e-4, atol=1e-5)


def test_scratch_on_request_leaves_nothing_frozen(weights):
    model = staged("mobilenet_v2", pretrained=False)
    assert model.weights_from == "none" and not hasattr(model, "trunk")
    assert not torch.equal(model.upper[0][0].weight, weights["mobilenet_v2"].features[0][0].weight)


def test_a_head_alone_leaves_every_layer_as_the_file_has_it(weights):
    model = staged("mobilenet_v2", head_alone=True)
    assert len(model.upper) == 0 and {p.requires_grad for p in model.trunk.parameters()} == {False}
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        source = weights["mobilenet_v2"].eval().features((images - 0.5) / 0.5)
        torch.testing.assert_close(model.eval().features(images), source)
        seen = explain(model, images, "cam", 1, "upper")
        expected = (source * model.fc.weight[1, :, None, None]).sum(1)
    torch.testing.assert_close(seen["cam"], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="resnet18_to_layer3.* lacks"):
        staged("resnet18", head_alone=True)


def test_training_on_features_is_training_through_the_frozen_trunk(weights):
    torch.manual_seed(1)
    model, images, labels = staged("resnet18").train(), torch.rand(6, 3, SIDE, SIDE), torch.arange(6) % 3
    assert not model.trunk.training and not model.trunk.layer3.training

    def gradients(call) -> list[torch.Tensor]:
        model.zero_grad()
        for norm in (m for m in model.upper.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.reset_running_stats()
        nn.functional.cross_entropy(call(), labels).backward()
        return [p.grad.clone() for p in model.parameters() if p.requires_grad]

    through, cached = gradients(lambda: model(images)), gradients(lambda: model.trained()(model.features(images)))
    assert len(through) == len(list(model.upper.parameters())) + 2
    for a, b in zip(through, cached, strict=True):
        torch.testing.assert_close(a, b)
    assert all(p.grad is None for p in model.trunk.parameters())


def test_unknown_names_get_the_nearest():
    with pytest.raises(ValueError, match="no architecture is called 'resnet8'.*did you mean 'resnet18'"):
        staged("resnet8")
    with pytest.raises(ValueError, match=f"no head is called 'three'.*{HEADS[1]}"):
        staged("small", head="three")
