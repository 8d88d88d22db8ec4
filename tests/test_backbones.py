"""Frozen trunks: exact CAM, nothing drifts in training, weights come from where they are said to come from."""

import json

import numpy as np
import pytest
import torch

from studylib.cam import explain
from studylib.models.backbones import frozen_trunk
from studylib.models.weights import count_parameters, load_weights, local_file


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("STUDYLIB_OFFLINE", "1")
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)


def test_only_the_head_learns_and_batch_norm_does_not_drift():
    torch.manual_seed(0)
    model = frozen_trunk("resnet18_to_layer3").train()
    before = {k: v.clone() for k, v in model.trunk.state_dict().items()}
    assert count_parameters(model) == 257 and model.weights_from == "scratch"
    model(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(torch.equal(v, before[k]) for k, v in model.trunk.state_dict().items())


def test_cam_of_the_trunk_averages_to_the_logit():
    torch.manual_seed(0)
    model = frozen_trunk("resnet18_to_layer3").eval()
    e = explain(model, torch.rand(2, 3, 64, 64), ("cam",), target=1)
    np.testing.assert_allclose(e["cam"].mean((1, 2)) + model.fc.bias.detach(), e.logits[:, 0], atol=1e-5)


def test_features_are_what_the_head_sees():
    torch.manual_seed(0)
    model, images = frozen_trunk("resnet18_to_layer3").eval(), torch.rand(2, 3, 64, 64)
    assert torch.equal(model.fc(model.features(images)), model(images))


def test_a_file_fills_the_trunk_and_a_wrong_one_is_named(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    source = torch.nn.Sequential(torch.nn.Linear(2, 3))
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    size = (tmp_path / "w.safetensors").stat().st_size
    (tmp_path / "index.json").write_text(json.dumps({"w": {"file": "w.safetensors", "bytes": size}}))
    monkeypatch.setenv("STUDYLIB_WEIGHTS", str(tmp_path))
    target = torch.nn.Sequential(torch.nn.Linear(2, 3))
    assert load_weights(target, "w") == "file" and torch.equal(target[0].weight, source[0].weight)
    with pytest.raises(ValueError, match="w.safetensors lacks 1.weight and 1 more"):
        load_weights(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)), "w")
    (tmp_path / "w.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match="is missing or not"):
        local_file("w")
    assert local_file("another") is None


def test_a_folder_without_index_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDYLIB_WEIGHTS", str(tmp_path))
    with pytest.raises(ValueError, match="no index.json"):
        local_file("w")


def test_an_unknown_trunk_is_named():
    with pytest.raises(ValueError, match="resnet18_to_layer3"):
        frozen_trunk("resnet19")
