"""The paragraph that may be quoted holds the run's own numbers."""

from types import SimpleNamespace

from studylib.metrics.intervals import Estimate
from studylib.study.quote_01 import quotable


def of(value, low, high, n=100, groups=34) -> Estimate:
    return Estimate(value, low, high, n, groups, "session", "made")


def study(data="real", **more) -> SimpleNamespace:
    metrics = {
        "counts.images": of(917, 917, 917), "primary.cam_minus_floor.auprc": of(-0.1, -0.2, -0.05),
        "balanced_accuracy.group.main.test": of(0.5123, 0.45, 0.58),
        "balanced_accuracy.group.size.test": of(0.311, 0.25, 0.36),
        "share_of_gain.size_and_background": of(0.62, 0.4, 0.9),
        "loc.gradcampp_minus_gradcam.iou_matched": of(0.002, -0.01, 0.014),
    }  # fmt: skip
    return SimpleNamespace(metrics=metrics | more, data=data, unit="session")


def test_every_number_is_from_the_records():
    text = quotable(study())
    for part in ("On the 917 single cells", "0.512 [0.450, 0.580] (34 sessions)", "alone reaches 0.311 [0.250, 0.360]",
                 "62 % [40, 90] of the network's gain", "-0.100 [-0.200, -0.050] in pixel AUPRC", "the map does worse",
                 "0.002 [-0.010, 0.014]"):  # fmt: skip
        assert part in text, part
    assert "planted" not in text and "reveals" not in text


def test_planted_cues_are_told_where_they_were_measured():
    planted = {f"{k}.{c}.cam.rate": of(0.9 if k == "reveal" else 0.05, 0.0, 1.0) for k in ("reveal", "hide")
               for c in ("marker", "either", "outside")}  # fmt: skip
    text = quotable(study("phantom", **planted, **{"told_apart.stain.auroc": of(0.55, 0.4, 0.7)}))
    assert text.startswith("On phantoms, whose numbers are no clinic's,")
    assert "marker 90 % [0, 100] (hidden in 5 % [0, 100])" in text and "AUROC of 0.550 [0.400, 0.700]" in text
