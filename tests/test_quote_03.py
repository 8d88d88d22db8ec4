"""The paragraph of study 3 holds the run's own numbers, and says what the images stand in for."""

from types import SimpleNamespace

from studylib.metrics.intervals import Estimate
from studylib.study.quote_03 import quotable


def of(value, low, high, groups=40) -> Estimate:
    return Estimate(value, low, high, 100, groups, "woman", "made")


def study(data: str, **more) -> SimpleNamespace:
    metrics = {
        "accuracy.group.p3p6p7.test": of(0.771, 0.72, 0.81),
        "heads.p3p6p7_minus_majority.accuracy": of(0.066, 0.02, 0.11),
        "loc.crm_minus_cam.iou_matched": of(-0.01, -0.02, -0.002), "area.crm.reduction": of(0.25, 0.2, 0.3),
        "subsets.p3p6p7.rank": of(4.0, 4.0, 4.0),
    }  # fmt: skip
    return SimpleNamespace(metrics=metrics | more, data=data, unit="woman")


def test_every_number_is_from_the_records():
    text = quotable(study("phantom"))
    expected = (
        "On phantoms of the cervix, whose numbers are no clinic's", "77 % [72, 81] of the images (40 women)",
        "0.066 [0.020, 0.110] more than always naming", "31 choices of levels it ranks 4", "smaller by 25 % [20, 30]",
        "-0.010 [-0.020, -0.002] in IoU with what it should find (CRM minus CAM): the map does worse",
    )  # fmt: skip
    assert all(words in text for words in expected) and "blur" not in text


def test_real_photographs_are_called_a_stand_in_and_blur_is_told():
    more = {"blur.k49.accuracy_drop": of(0.1, 0.05, 0.15), "remedy.k49.share_regained": of(0.6, 0.3, 0.9)}
    text = quotable(study("real", **more))
    assert "On a stand-in" in text and "nobody knows whether they were treatable" in text
    assert "takes 0.100 [0.050, 0.150] of the accuracy away" in text and "regains 60 % [30, 90] of that" in text
