"""The paragraph that may be quoted holds the run's own numbers and says on which side of the floor the map lies."""

from types import SimpleNamespace

import pytest

from studylib.metrics.intervals import Estimate
from studylib.study.quote_04 import quotable, told

CLASSES = ("meningioma", "glioma", "pituitary")


def of(value, low, high, n=100, groups=40) -> Estimate:
    return Estimate(value, low, high, n, groups, "person", "made")


def study(data="real", gap=(-0.05, -0.08, -0.02)) -> SimpleNamespace:
    metrics = {
        "counts.images": of(3064, 3064, 3064),
        "iou.group.cam.p95": of(0.1234, 0.11, 0.14, 2500, 208), "attainable.mean.all": of(0.3267, 0.31, 0.34),
        "primary.cam_minus_floor.iou": of(*gap), "accuracy.group.main.test": of(0.876, 0.85, 0.9),
        "unet.group.iou": of(0.61, 0.58, 0.64), "occlusion.class_survives": of(0.8, 0.75, 0.85),
        "occlusion.class_survives_control": of(0.95, 0.93, 0.97),
    } | {f"share_below_001.{name}": of(0.1 * i, 0.05 * i, 0.2 * i) for i, name in enumerate(CLASSES, 1)}  # fmt: skip
    return SimpleNamespace(metrics=metrics, data=data, unit="person")


def test_every_number_is_from_the_records():
    text = quotable(study(), CLASSES)
    expected = (
        "On 3,064 contrast-enhanced T1 slices",
        "88 % [85, 90]",
        "0.123 [0.110, 0.140]",
        "2500 slices named right, 208 people",
        "0.327 [0.310, 0.340]",
        "-0.050 [-0.080, -0.020] in IoU (map minus floor): the map does worse",
        "10 % [5, 20] of meningiomas",
        "30 % [15, 60] of pituitary tumours",
        "reaches 0.610 [0.580, 0.640]",
        "80 % [75, 85] of slices keep",
    )
    for part in expected:
        assert part in text, part


def test_phantoms_are_called_phantoms():
    assert quotable(study("phantom"), CLASSES).startswith("On phantoms, whose numbers are no clinic's,")


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.01, 0.05, "better"), (-0.05, -0.01, "worse"), (-1, 1, "no diff")]
)
def test_the_interval_decides_the_words(low, high, words):
    assert words in told(of(0.0, low, high))
