"""Layers by name, by module and by search; errors say which layer, what it gave, and what to do."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from studylib.cam.layers import LayerError, Ran, check_output, find_layers, last_spatial, likely_last


def order(model: nn.Module, images: torch.Tensor) -> tuple[list[Ran], Counter]:
    ran, runs, handles = [], Counter(), []
    for name, module in model.named_modules():
        if name:

            def hook(m, _inputs, out, name=name):
                runs[name] += 1
                ran.append(Ran(name, m, tuple(out.shape), True))

            handles.append(module.register_forward_hook(hook))
    with torch.no_grad():
        model.eval()(images)
    for handle in handles:
        handle.remove()
    return ran, runs


def search(model: nn.Module, outputs: int, size: int = 16) -> str:
    return last_spatial(*order(model, torch.randn(2, 3, size, size)), outputs)


def test_layers_are_found_by_name_and_by_module():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU()))
    assert find_layers(model, "0") == {"0": model[0]}
    assert find_layers(model, model[1]) == {"1": model[1]}
    assert find_layers(model, [model[1][0], "0", "1.0"]) == {"1.0": model[1][0], "0": model[0]}


def test_a_module_with_two_names_is_found_by_both():
    model = nn.Module()
    model.first = model.second = nn.ReLU()
    assert list(find_layers(model, ["second"])) == ["second"]


def test_unknown_layers_name_the_nearest():
    model = nn.ModuleDict({"layer3": nn.ReLU(), "layer4": nn.ReLU()})
    with pytest.raises(LayerError, match="no layer 'layr4' .it has layer3, layer4.; did you mean 'layer4'"):
        find_layers(model, "layr4")
    with pytest.raises(LayerError, match="the Linear given as a layer is not a module inside the model"):
        find_layers(model, nn.Linear(1, 1))
    with pytest.raises(LayerError, match="leave out `layers`"):
        find_layers(model, [])


@pytest.mark.parametrize(
    ("module", "output", "message"),
    [
        (nn.LSTM(1, 1), (torch.zeros(1), None), r"'x' \(LSTM\) returns a tuple; name one that returns one tensor"),
        (nn.LayerNorm(8), torch.zeros(2, 5, 8), r"returns tokens \(2, 5, 8\), not \(N, K, h, w\).*fold them back"),
        (nn.Linear(8, 3), torch.zeros(2, 3), r"returns \(2, 3\), not \(N, K, h, w\); name a layer before"),
        (nn.ReLU(), torch.zeros(2, 3, 4, 4, dtype=torch.long), "returns torch.int64"),
        (nn.Linear(8, 6), torch.zeros(2, 4, 4, 6), "with channels last"),
        (nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6)), torch.zeros(2, 4, 4, 6), "with channels last"),
    ],
)
def test_outputs_without_a_grid_of_places_are_refused(module, output, message):
    with pytest.raises(LayerError, match=message):
        check_output("x", module, output)


def test_norms_inside_that_do_not_make_channels_last_are_accepted():
    check_output("x", nn.Sequential(nn.LayerNorm(6)), torch.zeros(2, 6, 4, 4))
    check_output("x", nn.Conv2d(3, 4, 1), torch.zeros(2, 4, 1, 1))


def test_the_last_spatial_layer_is_the_outermost_that_ends_last():
    block = nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU())
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), block, nn.AdaptiveAvgPool2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(20, 2)
    )
    assert search(model, 2) == "1"  # pooling to a fixed size and dropout are the head's


def test_a_layer_of_one_place_is_not_spatial():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(14), nn.Flatten(), nn.Linear(4, 2))
    assert search(model, 2) == "0"


def test_the_pool_before_a_flatten_head_is_the_last_layer():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 49, 1))
    assert search(model, 1) == "1"


def test_a_convolution_to_the_classes_belongs_to_the_head():
    head = nn.Sequential(nn.Dropout(), nn.Conv2d(4, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), head, nn.Flatten())
    assert search(model, 2) == "1"
    assert search(model, 5) == "2.2"  # with another number of logits it is a layer like any other


def test_a_module_that_runs_twice_is_passed_over():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.relu = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.ReLU()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(self.relu(self.two(self.relu(self.one(x)))).mean((2, 3)))

    assert search(Twice(), 2) == "two"


def test_token_models_are_refused_by_the_layer_that_makes_tokens():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.norm, self.fc = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), nn.Linear(8, 2)

        def forward(self, x):
            return self.fc(self.norm(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

    with pytest.raises(LayerError, match="works on tokens .* up to 'norm'; to explain it, fold them back"):
        search(Tokens(), 2)


def test_no_spatial_layer_is_an_error():
    with pytest.raises(LayerError, match="use larger images"):
        search(nn.Sequential(nn.Flatten(), nn.Linear(768, 2)), 2)


def test_the_guess_leaves_out_the_head():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 4), nn.ReLU())
    assert likely_last(model) == {model[0], model[1]}
    assert likely_last(nn.Linear(1, 1)) == set()
