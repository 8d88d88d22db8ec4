"""The paragraph that may be quoted holds the run's own numbers."""

from types import SimpleNamespace

from studylib.metrics.intervals import Estimate
from studylib.study.quote_05 import quotable


def of(value, low, high, n=100, groups=80) -> Estimate:
    return Estimate(value, low, high, n, groups, "lesion", "made")


def study(data="real", **more) -> SimpleNamespace:
    metrics = {
        "counts.images": of(4610, 4610, 4610), "balanced_accuracy.group.main.test": of(0.61, 0.58, 0.64),
        "accuracy.main_minus_majority": of(0.35, 0.3, 0.4), "calibration.group.ece": of(0.11, 0.09, 0.13),
        "calibration.group.ece_scaled": of(0.03, 0.01, 0.05),
        "loc.gradcampp_minus_gradcam.iou_matched": of(0.02, 0.01, 0.03),
        "loc.gradcampp_minus_chosen_floor.iou_matched": of(-0.2, -0.22, -0.18),
        "words.all.map_vs_mask.rate": of(0.72, 0.7, 0.74),
    }  # fmt: skip
    for name in ("place", "size"):
        metrics |= {
            f"words.{name}.{k}_vs_mask.rate": of(v, v - 0.05, v + 0.05) for k, v in (("disc", 0.9), ("map", 0.6))
        }
    return SimpleNamespace(metrics=metrics | more, data=data, unit="lesion")


def test_every_number_is_from_the_records():
    text = quotable(study())
    for part in ("On 4,610 dermoscopic images of HAM10000", "0.610 [0.580, 0.640] (80 lesions)",
                 "0.350 [0.300, 0.400] in accuracy above", "0.110 [0.090, 0.130] as trained",
                 "0.020 [0.010, 0.030]: the map does better", "-0.200 [-0.220, -0.180]: the map does worse",
                 "72 % [70, 74] are those", "the true place in 90 % [85, 95]", "the map in 60 % [55, 65]"):  # fmt: skip
        assert part in text, part
    assert "ruler" not in text


def test_a_ruler_is_told_where_it_was_planted():
    planted = {"peak.ruler.gradcampp.rate": of(0.95, 0.9, 1.0), "words.ruler.warned.rate": of(0.17, 0.0, 0.4)}
    text = quotable(study("phantom", **planted))
    assert text.startswith("On phantoms, whose numbers are no clinic's,")
    assert "peaks on it in 95 % [90, 100]; the text warns in 17 % [0, 40]" in text
