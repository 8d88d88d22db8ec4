"""Layers by name, by module and by search; errors say which layer, what it gave, and what to do."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from studylib.cam.grid import Grid
from studylib.cam.layers import LayerError, Ran, find_layers, grid_of, last_spatial, likely_last

IMAGES = torch.zeros(2, 3, 16, 16)


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
    (name,) = last_spatial(*order(model, torch.randn(2, 3, size, size)), outputs)
    return name


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
        (nn.LayerNorm(8), torch.zeros(2, 120, 8), r"\(2, 120, 8\); as tokens .* 2 images of 16 x 16 they form no grid"),
        (nn.LayerNorm(8), torch.zeros(9, 2, 8), r"\(9, 2, 8\); as tokens .* 2 images of 16 x 16 they form no grid"),
        (nn.Linear(8, 3), torch.zeros(2, 3), r"returns \(2, 3\), not \(N, K, h, w\); name a layer before"),
        (nn.ReLU(), torch.zeros(2, 3, 4, 4, dtype=torch.long), "returns torch.int64"),
    ],
)
def test_outputs_without_a_grid_of_places_are_refused(module, output, message):
    with pytest.raises(LayerError, match=message):
        grid_of("x", module, output, IMAGES)


@pytest.mark.parametrize(
    ("module", "output", "grid"),
    [
        (nn.Conv2d(3, 4, 1), torch.zeros(2, 4, 1, 2), Grid("channels first", 1, 2)),
        (nn.Sequential(nn.LayerNorm(6)), torch.zeros(2, 6, 4, 5), Grid("channels first", 4, 5)),  # a norm inside
        (nn.Linear(8, 6), torch.zeros(2, 4, 5, 6), Grid("channels last", 4, 5)),
        (nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6)), torch.zeros(2, 4, 4, 6), Grid("channels last", 4, 4)),
        (nn.LayerNorm(8), torch.zeros(2, 17, 8), Grid("tokens", 4, 4, 1)),
    ],
)
def test_how_an_output_lies_on_the_image(module, output, grid):
    assert grid_of("x", module, output, IMAGES) == grid


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


def tokens_of(norm: nn.Module) -> nn.Module:
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.first, self.norm, self.fc = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), norm, nn.Linear(8, 2)

        def forward(self, x):
            return self.fc(self.norm(self.first(self.patches(x).flatten(2).transpose(1, 2))).mean(1))

    return Tokens()


def test_models_on_tokens_offer_their_norms_the_last_first():
    assert last_spatial(*order(tokens_of(nn.LayerNorm(8)), IMAGES), 2) == ["norm", "first"]
    model = tokens_of(nn.Linear(8, 8))
    model.first = nn.Linear(8, 8)
    assert last_spatial(*order(model, IMAGES), 2) == ["norm", "first"]


def test_no_spatial_layer_is_an_error():
    with pytest.raises(LayerError, match="use larger images"):
        search(nn.Sequential(nn.Flatten(), nn.Linear(768, 2)), 2)


def test_the_guess_leaves_out_the_head():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 4), nn.ReLU())
    assert likely_last(model) == {model[0], model[1]}
    assert likely_last(nn.Linear(1, 1)) == set()
