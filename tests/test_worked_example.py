"""The network set by hand: its map is its logit, place by place, and its numbers teach what the text says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studylib.study import start_here, worked_example
from studylib.study.mapping import Pictures


@pytest.fixture(scope="module")
def seen():
    return worked_example.pictures(seed=1, patients=4)


def test_the_reader_answers_by_hand():
    """A white square of 20 pixels on black: inside it the local mean is 1, each place gives 1 minus the threshold."""
    images = torch.zeros(2, 3, 40, 40)
    images[1, :, 10:30, 10:30] = 1
    logits = worked_example.BrightnessReader()(images)
    inner = (20 - worked_example.SPAN + 1) ** 2 * (1 - worked_example.BRIGHT)
    assert logits[0].tolist() == [0, 0] and logits[1, 0] == 0
    assert logits[1, 1] * 40**2 >= inner  # the rim, where part of the square is seen, adds to it
    assert logits[1, 1] * 40**2 <= 20**2 * (1 - worked_example.BRIGHT) * 1.2


def test_the_map_is_the_logit(seen):
    assert worked_example.sum_error(seen) < 1e-7


def test_a_dark_picture_has_no_map_and_is_counted(seen):
    dark = Pictures(seen.names, seen.groups, seen.labels, np.zeros_like(seen.pixels), seen.masks)
    scored = worked_example.scores(dark, worked_example.maps(dark))
    assert scored["cam"].isna().all() and scored["centre"].notna().all()


def test_the_lesson_says_what_the_numbers_say(seen):
    shown = worked_example.maps(seen)
    assert list(shown) == list(worked_example.SHOWN) and np.nanmin(shown["cam"]) >= 0
    scored = worked_example.scores(seen, shown)
    found = worked_example.estimates(scored)
    text = start_here.lesson(found, scored)
    assert f"on {int(scored['cam'].isna().sum())} of {len(scored)} pictures" in text
    assert f"{found['example.random_weights.auprc'].value:.2f}" in text
    gap = found["example.cam_minus_random_weights.auprc"]
    expected = "better" if gap.low > 0 else "random weights do better" if gap.high < 0 else "cannot be told apart"
    assert expected in text
