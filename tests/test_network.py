"""A network ready to be shown pictures: its layers, its twin, outlines, sharpness, and the numbers of the study."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from studylib.app.network import Layer, spatial_layers
from studylib.cam import explain
from studylib.data.blur import blur
from studylib.study.mapping import as_images
from studylib.study.one_image import explain_file


class Twice(nn.Module):
    """A layer that runs twice, a flat one, one of 2 x 2 places and one that changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.again = nn.ReLU()
        self.second = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.same = nn.Identity()
        self.tiny = nn.AvgPool2d(4)
        self.flat = nn.Flatten()
        self.fc = nn.LazyLinear(2)

    def forward(self, x):
        x = self.again(self.first(x))
        return self.fc(self.flat(self.tiny(self.same(self.again(self.second(x))))))


def test_of_every_size_the_last_layer_that_can_be_explained():
    model = Twice()
    model(torch.zeros(1, 3, 32, 32))
    assert spatial_layers(model, 32) == (Layer("first", 16, 16), Layer("second", 8, 8))
    assert not any(module._forward_hooks for module in model.modules())


def test_layers_of_the_study_and_where_the_head_can_be_read(tiny_network):
    assert [layer.name for layer in tiny_network.layers] == ["upper.relu2", "upper.relu3", "upper"]
    assert tiny_network.layers[-1].title == "upper (6 x 6 places)" and tiny_network.layer == "upper"
    allowed, refused = tiny_network.allowed(("crm", "gradcam", "cam"), "upper")
    assert allowed == ("cam", "gradcam", "crm") and not refused  # in the house's order
    allowed, refused = tiny_network.allowed(("cam", "gradcam", "crm"), "upper.relu3")
    assert allowed == ("gradcam",) and set(refused) == {"cam", "crm"} and "upper.relu3" in refused["cam"]


def test_it_says_what_the_command_line_says(tiny_network):
    """`python -m studylib explain` and the viewer are one: the same probabilities, maps and sentence."""
    row = int(tiny_network.examples()["row"][0])
    path = tiny_network.dataset.table["file"].iat[row]
    said = explain_file(tiny_network.workshop, tiny_network.fits, path)
    image = tiny_network.dataset.image(row)
    found, _ = tiny_network.explained(image, said.name, ("cam", "gradcam", "gradcam++"), "upper", "cam", ())
    np.testing.assert_array_equal(found.p, said.p)
    for method, grid in said.maps.items():
        np.testing.assert_array_equal(found.maps[method], grid)
    assert found.sentence == said.sentence and found.warnings == said.warnings


def test_examples_are_the_test_images_by_name_with_their_outlines(tiny_network):
    table = tiny_network.examples()
    assert list(table["image"]) == sorted(table["image"]) and (tiny_network.parts[table["row"]] == "test").all()
    row = int(table["row"][0])
    mask, spec = tiny_network.mask(row), tiny_network.spec
    expected = tiny_network.workshop.masks(tiny_network.dataset, spec.image_size, spec.crop)[row]
    np.testing.assert_array_equal(mask, expected)
    assert mask.any()


def test_the_twin_is_the_same_network_that_saw_nothing(tiny_network):
    image = tiny_network.dataset.image(int(tiny_network.examples()["row"][0]))
    made = tiny_network.random_maps(image, ("cam", "gradcam++"), "upper", 1)
    e = explain(tiny_network.twin, as_images(tiny_network.prepared(image)[None]), "cam", 1, "upper")
    np.testing.assert_allclose(made["cam"], e.upsampled("cam", relu=False, scale=None)[0].numpy(), rtol=1e-6)
    ours, theirs = (dict(m.named_parameters()) for m in (tiny_network.model, tiny_network.twin))
    assert ours.keys() == theirs.keys() and not torch.equal(ours["fc.weight"], theirs["fc.weight"])
    assert tiny_network.twin_is == "random weights"


def test_what_a_warning_is_worth_is_counted_on_its_own_test_images(tiny_network):
    images = [tiny_network.dataset.image(int(row)) for row in tiny_network.examples()["row"]]
    unlike = sum(max(tiny_network.strangeness(image).values()) > 1 for image in images)
    blurred = sum(tiny_network.sharpness(image) < tiny_network.sharp.threshold for image in images)
    assert tiny_network.alarms == {"unlike": (unlike, len(images)), "blurred": (blurred, len(images))}


def test_a_blurred_picture_is_below_what_sharp_training_pictures_have(tiny_network):
    row = int(tiny_network.examples()["row"][0])
    image = tiny_network.dataset.image(row)
    limit = tiny_network.sharp.threshold
    train = [
        tiny_network.sharpness(tiny_network.dataset.image(i)) for i in np.flatnonzero(tiny_network.parts == "train")
    ]
    assert limit == pytest.approx(min(train))  # of 24 pictures the lowest: at most 1 % lie below
    smeared = blur(image[None], 199)[0]
    assert tiny_network.sharpness(smeared) < limit / 3 and tiny_network.sharpness(image) > limit / 3
