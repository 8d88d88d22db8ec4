"""Reveal and hide rates on tables made by hand, and on networks whose map is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studylib.study import planted_01


def table() -> pd.DataFrame:
    """Four pictures of two slides: density on the cue 4, 2, 1.5 and 0.5; one more has no map."""
    density = np.array([4.0, 2.0, 1.5, 0.5, np.nan])
    row = {"image": list("abcde"), "group": ["s1", "s1", "s2", "s2", "s2"], "density": density, "area": 0.1,
           "energy": density * 0.1, "peak": [1.0, 1.0, 0.0, 0.0, np.nan], "repeat": 0}  # fmt: skip
    return pd.concat(
        [pd.DataFrame(row | {"method": "cam"}), pd.DataFrame(row | {"method": "gradcam++", "density": 0.5})]
    )


def test_rates_by_hand():
    found = planted_01.rates(table(), "marker")
    assert found["reveal.marker.cam.rate"].value == 0.5 and found["hide.marker.cam.rate"].value == 0.25
    assert found["reveal.marker.cam.rate"].n == 4  # the picture without a map is left out
    assert found["reveal.marker.gradcampp.rate"].value == 0 and found["hide.marker.gradcampp.rate"].value == 1
    # two slides that agree: 0.025 ** (1 / 2) = 0.158
    assert found["reveal.marker.gradcampp.rate"].high == pytest.approx(1 - 0.025**0.5)
    assert found["hide.marker.gradcampp.rate"].low == pytest.approx(0.025**0.5)
    shown = planted_01.rate_table(found)
    assert shown.loc["cam", "marker: reveals"].startswith("0.50 [") and "gradcam++" in shown.index


def test_a_cue_that_no_picture_shows_is_undefined_and_says_why():
    none = table().iloc[:0]
    found = planted_01.rates(none, "outside")
    assert set(found) == {
        f"{k}.outside.{m.replace('++', 'pp')}.rate" for k in ("reveal", "hide") for m in planted_01.METHODS
    }
    assert all(np.isnan(e.value) and "no picture" in e.how for e in found.values())
    assert np.isnan(planted_01.energy_minus_area(none).value)


def test_peaks_by_hand():
    found = planted_01.peaks(table(), "ruler", ("cam", "crm"))
    assert found["peak.ruler.cam.rate"].value == 0.5 and found["peak.ruler.cam.rate"].n == 4
    assert np.isnan(found["peak.ruler.crm.rate"].value) and "no picture" in found["peak.ruler.crm.rate"].how


def test_energy_on_a_cue_minus_its_area_by_hand():
    e = planted_01.energy_minus_area(table())
    assert e.value == pytest.approx(np.mean([0.4, 0.2, 0.15, 0.05]) - 0.1)


def test_networks_that_saw_a_picture_count_once():
    twice = pd.concat([table(), table().assign(repeat=1, density=5.0)], ignore_index=True)
    e = planted_01.rates(twice, "marker")["reveal.marker.cam.rate"]
    assert e.n == 5 and e.value == pytest.approx((1 + 1 + 0.5 + 0.5 + 1) / 5)


def test_fine_chromatin_has_the_same_names_whether_or_not_it_was_learned():
    rows = pd.DataFrame(
        {"image": list("abcd"), "group": list("aabb"), "amplitude": [1.0, 1, 2, 2], "correct": [1.0, 0, 1, 1]}
    )
    shown = rows.iloc[2:].assign(method="cam", hidden=[0.0, 1.0])
    found = planted_01.by_amplitude(rows, shown, ("cam", "gradcam++"), resamples=100)
    assert found["hide.fine.cam"].value == 0.5 == found["fine.cam.hides.amplitude_2"].value
    assert np.isnan(found["fine.cam.hides.amplitude_1"].value) and np.isnan(found["hide.fine.gradcampp"].value)
    never = planted_01.by_amplitude(rows.assign(correct=0.0), shown, ("cam", "gradcam++"), resamples=100)
    assert never.keys() == found.keys() and np.isnan(never["hide.fine.cam"].value)
    assert "right in 90 %" in never["hide.fine.cam"].how
