"""Feature pyramids: levels as RetinaNet makes them, pooling that repeated pixels leave alone, heads on some levels."""

import pytest
import torch
from test_staged import weights  # noqa: F401
from torch.nn import functional as F

from studylib.cam import explain
from studylib.models.pyramid import LEVELS, STAGES, known_levels, on_levels, pyramid

SIDE = 128


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    monkeypatch.setenv("STUDYLIB_OFFLINE", "1")
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)


def test_levels_are_retinanets():
    """Against torchvision's own `_resnet_fpn_extractor`, which its RetinaNet stands on, with the same weights."""
    from torchvision.models import resnet18
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    torch.manual_seed(0)
    body = resnet18(weights=None)
    theirs = _resnet_fpn_extractor(body, 5, [2, 3, 4], LastLevelP6P7(512, 256)).eval()
    ours = pyramid("resnet18", channels=256, image_size=SIDE, pretrained=False).eval()
    wanted = {}
    for name, value in theirs.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "fpn":
            wanted[f"upper.fpn.{rest}"] = value
            continue
        stage = {"layer3": 1, "layer4": 2}.get(rest.split(".")[0], 0)
        wanted[f"upper.stages.{stage}.{rest}"] = value
    missing = ours.load_state_dict(wanted, strict=False)
    assert set(missing.missing_keys) == {"fc.weight", "fc.bias"} and not missing.unexpected_keys
    images = torch.rand(2, 3, SIDE, SIDE)
    shifted = (images - ours.mean) / ours.std
    for (name, level), (_, expected) in zip(ours.upper.pyramid(shifted).items(), theirs(shifted).items(), strict=True):
        torch.testing.assert_close(level, expected, rtol=1e-4, atol=1e-5, msg=name)
        assert level.shape[-1] == SIDE // {"P3": 8, "P4": 16, "P5": 32, "P6": 64, "P7": 128}[name]


def test_joined_levels_are_the_finest_ones_size_and_their_mean_is_the_levels_own():
    torch.manual_seed(1)
    model = pyramid(image_size=192, levels=("P7", "P3", "P6")).eval()  # any order is brought to that of LEVELS
    images = torch.rand(2, 3, 192, 192)
    with torch.inference_mode():
        seen = model.features(images)
        joined, pooled = model.upper(seen), model.upper.pooled(seen)
        levels = model.upper.pyramid(seen)
    assert model.upper.levels == ("P3", "P6", "P7") and joined.shape == (2, 96, 24, 24)
    torch.testing.assert_close(joined[:, 32:64], F.interpolate(levels["P6"], (24, 24), mode="nearest"))
    torch.testing.assert_close(joined.mean((2, 3)), pooled[:, [0, 3, 4]].flatten(1), rtol=1e-5, atol=1e-6)


def test_p6_is_made_of_c5_and_p7_of_p6_behind_a_relu():
    torch.manual_seed(2)
    model = pyramid(image_size=SIDE).eval()
    with torch.inference_mode():
        x = model.features(torch.rand(1, 3, SIDE, SIDE))
        c5 = x
        for stage in model.upper.stages:
            c5 = stage(c5)
        levels, extra = model.upper.pyramid(x), model.upper.fpn.extra_blocks
        torch.testing.assert_close(levels["P6"], extra.p6(c5))
        torch.testing.assert_close(levels["P7"], extra.p7(levels["P6"].relu()))


def test_a_head_on_chosen_levels_is_its_matrix_on_their_means_and_cam_adds_up():
    torch.manual_seed(3)
    model = pyramid(image_size=SIDE).eval()
    weight, bias = torch.randn(2, 64), torch.randn(2)
    head = on_levels(model, ("P4", "P6"), weight, bias)
    images = torch.rand(3, 3, SIDE, SIDE)
    with torch.inference_mode():
        means = model.upper.pooled(model.features(images))[:, [1, 3]].flatten(1)
    e = explain(head, images, ("cam", "crm"), "all", "upper")
    torch.testing.assert_close(e.logits, means @ weight.T + bias, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(e["cam"].mean((2, 3)) + bias, e.logits, rtol=1e-4, atol=1e-5)
    assert e["cam"].shape[-2:] == (8, 8)
    ours, theirs = (next(m.upper.stages.parameters()) for m in (head, model))
    assert ours is theirs  # weights are shared, not copied


def test_frozen_stages_are_computed_once_and_equal_the_whole(weights):  # noqa: F811
    for name in ("mobilenet_v2", "resnet18"):
        model = pyramid(name, image_size=SIDE, channels=16).eval()
        assert model.weights_from == "file" and len(model.trunk[0].stages) == STAGES[name].frozen
        images = torch.rand(2, 3, SIDE, SIDE)
        features = model.features(images)
        assert features.shape == (2, sum(c * h * w for c, h, w in model.upper.shapes))
        torch.testing.assert_close(model.trained()(features), model(images))
        assert not any(p.requires_grad for p in model.trunk.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"architecture": "resnet19"}, "no pyramid stands on 'resnet19' .*; did you mean 'resnet1"),
        ({"image_size": 96}, "images of 96 pixels: P7 has one place every 128 pixels"),
        ({"channels": 96}, "C5 of small has 96 channels as well"),
        ({"levels": ("P8",)}, "no level is called .P8. .known: P3, P4, P5, P6, P7"),
        ({"levels": ("P3", "P3")}, r"levels \['P3', 'P3'\]"),
        ({"levels": ()}, "one or more of P3, P4, P5, P6, P7"),
    ],
)
def test_what_makes_no_sense_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        pyramid(**options)


def test_a_head_that_does_not_fit_its_levels_is_refused():
    model = pyramid(image_size=SIDE)
    with pytest.raises(ValueError, match=r"a head of \(2, 32\) for 2 classes and 2 levels of 32"):
        on_levels(model, ("P3", "P4"), torch.zeros(2, 32), torch.zeros(2))


def test_levels_come_in_one_order():
    assert known_levels(("P7", "P3")) == ("P3", "P7") and known_levels(LEVELS[::-1]) == LEVELS
