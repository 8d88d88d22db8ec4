"""Calibration of study 3's heads against the same in one go."""

import numpy as np
from test_heads_03 import frozen

from studylib.metrics import calibration
from studylib.study.heads_03 import BEST, Head, converged, everywhere
from studylib.study.scrutiny_03 import calibrated


def test_calibration_before_and_after_one_temperature_of_validation_images():
    of = frozen(240)
    plain = converged(of, BEST)
    sure = Head(BEST, plain.weight * 6, plain.bias * 6)  # six times too sure
    found, tables = calibrated([of], [{BEST: sure}], resamples=200)
    table = everywhere([of], [{BEST: sure}], BEST)
    both = np.column_stack([1 - table["p"], table["p"]])
    right, top = calibration.top_label(table["label"], both)
    assert f"{calibration.ece(right, top):.3g} less its bias" in found["calibration.ece"].how
    assert found["calibration.ece_scaled"].value < found["calibration.ece"].value
    held = of.rows("validation")
    t = calibration.temperature(sure.logits(of.means[held]), of.labels[held])
    expected = calibration.probabilities_at(sure.logits(of.means[of.rows("test")]), t)
    right, top = calibration.top_label(of.labels[of.rows("test")], expected)
    assert f"{calibration.ece(right, top):.3g} less its bias" in found["calibration.ece_scaled"].how and t > 2
    assert set(tables) == {"as fitted", "with temperature"}
