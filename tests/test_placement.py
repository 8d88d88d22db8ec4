"""The rule in place of the expert: verdicts by hand, against the pointing game, and the chance level."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from studylib.metrics.floors import centred_gaussian
from studylib.metrics.localisation import pointing_game
from studylib.study.misplacement import counted
from studylib.study.placement import choices, constant, judged, placed

DIAGONAL = math.hypot(10, 10)  # of 11 x 11, from centre to centre of the corner pixels


def grid(*places, value=1.0, dtype=float):
    """11 x 11 of zeros with `value` at places, (row, column) or slices."""
    out = np.zeros((11, 11), dtype)
    for place in places:
        out[place] = value
    return out


ROI = grid((slice(4, 7), slice(4, 7)), dtype=bool)  # nine pixels in the middle


def one(peaks, region, roi=ROI, cervix=None, **options):
    maps = grid(*peaks) if isinstance(peaks, list) else peaks
    found = placed(maps[None], region[None], roi[None], None if cervix is None else cervix[None])
    return found, found.verdicts(**options)[0]


@pytest.mark.parametrize(
    ("covered", "verdict"),
    [(9, "meaningful"), (5, "meaningful"), (4, "insufficient_coverage"), (0, "insufficient_coverage")],
)
def test_coverage_by_hand(covered, verdict):
    region = grid((0, 0), dtype=bool)  # a region elsewhere neither helps nor harms
    region.ravel()[np.flatnonzero(ROI)[:covered]] = True
    found, said = one([(5, 5)], region)
    assert found.coverage[0] == covered / 9 and found.distance[0] == 0 and said == verdict


def test_half_of_the_region_is_enough():
    roi = grid((5, slice(4, 8)), dtype=bool)
    found, said = one([(5, 5)], grid((5, slice(4, 6)), dtype=bool), roi)
    assert found.coverage[0] == 0.5 and said == "meaningful"
    assert one([(5, 5)], grid((5, slice(4, 6)), dtype=bool), roi, least=0.51)[1] == "insufficient_coverage"


def test_distance_by_hand():
    found, said = one([(5, 9)], ROI)  # three pixels right of the border at column 6
    assert found.distance[0] == pytest.approx(3 / DIAGONAL) and said == "out_of_region"
    assert one([(5, 9)], ROI, tolerance=3 / DIAGONAL)[1] == "meaningful"  # on the border of the tolerance is within
    assert one([(5, 9)], ROI, tolerance=2.9 / DIAGONAL)[1] == "out_of_region"
    assert one([(2, 2)], ROI)[0].distance[0] == pytest.approx(math.hypot(2, 2) / DIAGONAL)


def test_out_of_region_comes_before_coverage():
    assert one([(0, 0)], grid((0, 0), dtype=bool))[1] == "out_of_region"


def test_of_several_peaks_the_median_counts():
    assert one([(5, 5), (0, 0)], ROI)[1] == "meaningful"  # one of two
    assert one([(5, 5), (0, 0), (10, 10)], ROI)[1] == "out_of_region"  # one of three


def test_a_peak_off_the_cervix_is_off_at_any_tolerance():
    cervix = grid((slice(3, 8), slice(3, 8)), dtype=bool)
    assert one([(5, 8)], ROI, tolerance=0.5)[1] == "meaningful"
    found, said = one([(5, 8)], ROI, cervix=cervix, tolerance=0.5)
    assert found.distance[0] == math.inf and said == "out_of_region"
    assert one([(5, 7)], ROI, cervix=cervix, tolerance=0.5)[1] == "meaningful"
    wall = grid((0, slice(0, 11)), dtype=bool)  # what decides may lie beside the cervix
    assert one([(0, 3)], wall, wall, cervix=cervix)[1] == "meaningful"


@pytest.mark.parametrize(
    ("maps", "region", "roi", "why"),
    [
        (np.zeros((11, 11)), ROI, ROI, "flat map"),
        (np.ones((11, 11)), ROI, ROI, "flat map"),
        (np.full((11, 11), np.nan), ROI, ROI, "NaN map"),
        (grid((5, 5)) - 2, ROI, ROI, "all-negative map"),
        (grid((5, 5)), np.zeros_like(ROI), ROI, "empty region"),
        (grid((5, 5)), ROI, np.zeros_like(ROI), "empty mask"),
    ],
)
def test_undefined_is_named_and_never_meaningful(maps, region, roi, why):
    found, said = one(maps, region, roi)
    assert found.undefined == [why] and said == "undefined"
    assert one(maps, region, roi, tolerance=9, least=0)[1] == "undefined"
    table = judged({"m": (maps[None], region[None])}, roi[None], image=["a"])
    assert table["why"].tolist() == [why] and counted(table).loc[
        "m", ["meaningful", "judged", "undefined"]
    ].tolist() == [
        0,
        0,
        1,
    ]


def test_a_roi_that_fills_the_photograph_is_met_anywhere():
    full = np.ones_like(ROI)
    found, said = one([(0, 0)], ROI, full)
    assert (found.distance[0], found.coverage[0], said) == (0, 9 / 121, "insufficient_coverage")


def test_the_peak_is_judged_as_by_the_pointing_game():
    rng = np.random.default_rng(0)
    maps, roi = rng.random((200, 40, 30)), rng.random((200, 40, 30)) < 0.005
    diagonal = math.hypot(39, 29)
    keep = roi.any((1, 2))
    for pixels in (0, 2, 5):
        out = placed(maps, maps > 0.2, roi).verdicts(pixels / diagonal, 0) == "out_of_region"
        assert out[keep].tolist() == (pointing_game(maps, roi, pixels)[keep] == 0).tolist() and 20 < out.sum() < 200


def test_hundreds_of_images_in_well_under_a_second_and_nothing_is_changed():
    rng = np.random.default_rng(0)
    maps, roi = rng.random((400, 120, 160)), np.zeros((400, 120, 160), bool)
    roi[:, 40:80, 50:110] = True
    before = maps.copy(), roi.copy()
    began = time.perf_counter()
    placed(maps, maps > 0.2, roi, roi)
    assert time.perf_counter() - began < 2  # 0.2 s on an idle core; a busy one is slower
    assert (maps == before[0]).all() and (roi == before[1]).all()


def test_shapes_and_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 5, 5\)"):
        placed(ROI[None], np.zeros((1, 5, 5), bool), ROI[None])
    found = placed(grid((5, 5))[None], ROI[None], ROI[None])
    with pytest.raises(ValueError, match="tolerance -0.1"):
        found.verdicts(-0.1)
    with pytest.raises(ValueError, match="least 50 "):
        found.verdicts(least=50)


def test_table_of_two_methods_by_hand():
    maps = np.stack([grid((5, 5)), grid((0, 0)), grid((5, 5))])
    regions = np.stack([ROI, ROI, grid((5, 5), dtype=bool)])
    roi = np.repeat(ROI[None], 3, 0)
    table = judged({"cam": (maps, regions), "crm": (maps[[0, 0, 0]], roi)}, roi, image=list("abc"), group=list("xxy"))
    cam = table[table["method"] == "cam"]
    assert cam["verdict"].tolist() == ["meaningful", "out_of_region", "insufficient_coverage"]
    assert cam["coverage"].tolist() == [1, 1, 1 / 9] and cam["group"].tolist() == ["x", "x", "y"]
    numbers = counted(table)[["meaningful", "misplaced", "judged"]]
    assert numbers.loc["cam"].tolist() == [1, 2, 3] and numbers.loc["crm"].tolist() == [3, 0, 3]


def test_a_bump_in_the_middle_sets_the_chance_level():
    blob = centred_gaussian((1, 41, 41), 0.1)[0]
    roi = np.zeros((3, 41, 41), bool)
    roi[0, 18:23, 18:23] = True  # in the middle: covered, though the map knows no image
    roi[1, 5:36, 5:36] = True  # larger than its region
    roi[2, :5, :5] = True  # in a corner
    maps, regions = constant(blob, 3)
    assert (maps == blob).all() and (regions == (blob > 0.2 * blob.max())).all()
    said = placed(maps, regions, roi).verdicts().tolist()
    assert said == ["meaningful", "insufficient_coverage", "out_of_region"]
    _, matched = constant(blob, 3, areas=np.array([5, 700, 40]))
    assert matched.sum((1, 2)).tolist() == [5, 700, 40] and matched[0, 20, 20]
    assert placed(maps, matched, roi).verdicts().tolist() == ["insufficient_coverage", "meaningful", "out_of_region"]


def test_choices_of_the_rule_by_hand():
    maps = np.stack([grid((5, 5)), grid((5, 9))])
    regions = np.stack([ROI, grid((5, slice(4, 7)), dtype=bool)])  # coverage 1 and 1/3
    table = choices(placed(maps, regions, np.stack([ROI, ROI])), (0.1, 0.3), (0.25, 0.5))
    # the second peak is 0.21 diagonals off
    assert table.loc[0.1].tolist() == [0.5, 0.5] and table.loc[0.3].tolist() == [0.0, 0.5]
    nothing = placed(np.ones((1, 11, 11)), ROI[None], ROI[None])
    assert np.isnan(choices(nothing, (0.1,), (0.5,)).to_numpy()).all()
