"""Drawn outlines become regions: discs whose area is known, and lines that must not be filled."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from studylib.data.importers.closing import (
    BRIDGE,
    GAP,
    along_sides,
    close_outlines,
    distance_to,
    enclosed,
    join_ends,
    thickness,
)

WIDE, HIGH = 192, 128  # a gap of 6 pixels is GAP, free ends 28 pixels apart are BRIDGE
THICK = 3


def arc(centre=(96, 64), radius=40, start=0.0, end=360.0) -> np.ndarray:
    """The pixels within THICK / 2 of an arc from one angle to another in degrees, clockwise from the right."""
    y, x = np.mgrid[:HIGH, :WIDE]
    turn = np.degrees(np.arctan2(y - centre[1], x - centre[0])) % 360
    return (np.abs(np.hypot(x - centre[0], y - centre[1]) - radius) <= THICK / 2) & (turn >= start) & (turn <= end)


def disc(centre=(96, 64), radius=40.0) -> np.ndarray:
    y, x = np.mgrid[:HIGH, :WIDE]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def overlap(a, b) -> float:
    """Intersection over union."""
    return (a & b).sum() / (a | b).sum()


def mouth(pixels, radius=40) -> float:
    """The angle in degrees whose chord is so many pixels."""
    return 2 * np.degrees(np.arcsin(pixels / 2 / radius))


@pytest.mark.parametrize("gap", [0, 4, 12, 26])  # closed as drawn; by the disc; by a straight line (two)
def test_a_circle_with_a_gap_is_filled(gap):
    found = close_outlines(arc(start=mouth(gap)))
    expected = disc(radius=40 + THICK / 2)  # with the line itself
    assert found.state == "closed" and not found.open.any() and (found.bridged > 0) == (gap > 6)
    # A straight line over a gap of 26 cuts off a segment 40 - sqrt(40^2 - 13^2) = 2.2 pixels high and the line's outer
    # half, 1.5 high: 80 of 5,411 pixels, 1.5 %.
    assert overlap(found.inside, expected) > (1 - 1e-9 if gap == 0 else 0.985)
    if gap > 6:  # between the middles of the line's ends
        assert found.bridged * WIDE == pytest.approx(gap, abs=3)


def test_gaps_wider_than_a_bridge_stay_open():
    line = arc(start=mouth(BRIDGE * WIDE + 8))
    found = close_outlines(line)
    assert found.state == "open" and not found.inside.any() and found.bridged == 0
    np.testing.assert_array_equal(found.open, line)


def test_an_open_arc_is_not_filled():
    for line in (arc(start=0, end=150), arc(radius=10, start=0, end=100)):  # the second has ends 15 pixels apart
        found = close_outlines(line)
        assert found.state == "open" and not found.inside.any()


@pytest.mark.parametrize(("centre", "side"), [((96, 0), 0), ((191, 64), 1), ((96, 127), 2), ((0, 64), 3)])
def test_an_arc_that_leaves_through_one_side_is_closed_along_it(centre, side):
    found = close_outlines(arc(centre))
    expected = disc(centre, 41.5)
    assert found.state == "closed" and overlap(found.inside, expected) > 0.95
    edge = np.rot90(found.inside, side)[0]  # the side itself, over the arc's whole width and not beyond
    assert np.flatnonzero(edge)[[0, -1]] == pytest.approx(np.flatnonzero(np.rot90(expected, side)[0])[[0, -1]], abs=1)
    assert edge.sum() == pytest.approx(83, abs=2) and found.bridged == 0


def test_an_arc_that_nearly_reaches_a_side_leaves_through_it():
    found = close_outlines(arc((96, 0), start=3, end=177))  # ends 2 pixels from the first row: GAP / 2 is 3
    assert found.state == "closed" and overlap(found.inside, disc((96, 0), 41.5)) > 0.94


def test_an_arc_that_leaves_through_two_sides_stays_open():
    found = close_outlines(arc((0, 0)))  # which side of it is meant cannot be known
    assert found.state == "open" and not found.inside.any()


def test_two_lines_that_leave_through_the_same_two_sides_bound_a_band():
    line = np.zeros((HIGH, WIDE), bool)
    line[:, 50:53] = line[:, 120:123] = True
    found = close_outlines(line)
    expected = np.zeros((HIGH, WIDE), bool)
    expected[:, 50:123] = True
    assert found.state == "closed" and found.bridged == 0
    np.testing.assert_array_equal(found.inside, expected)
    line[:, 160:163] = True  # three lines: which two belong together is not known
    assert close_outlines(line).state == "open"


def test_a_winding_line_is_not_filled_in_its_nooks():
    y, x = np.mgrid[:HIGH, :WIDE]
    line = np.hypot(x - 60, y - 60) < 0  # nothing yet
    for place, centre in enumerate(range(40, 150, 13)):  # half rings up and down by turns, with mouths of 7 pixels
        ring = np.abs(np.hypot(x - centre, y - 64) - 6.5) <= 1.5
        line |= ring & ((y <= 64) if place % 2 else (y >= 64))
    ring = np.abs(np.hypot(x - 100, y - 25) - 5) <= 1.5  # one ring that nearly closes, at the end of a long line
    line |= ring & (np.abs(x - 100) + y > 23)
    line[29:32, 20:100] = True
    assert enclosed(line, line, GAP / 2 * WIDE, THICK, 0).any()  # were it not for HALF
    found = close_outlines(line)
    assert found.state == "open" and not found.inside.any()


def test_of_two_outlines_one_is_open():
    line = arc((50, 64), 30) | arc((140, 64), 30, 0, 180)
    found = close_outlines(line)
    assert found.state == "partly" and overlap(found.inside, disc((50, 64), 31.5)) > 0.95
    np.testing.assert_array_equal(found.open, arc((140, 64), 30, 0, 180))


def test_two_halves_drawn_apart_are_one_outline():
    line = arc(start=10, end=170) | arc(start=190, end=350)  # 14 pixels apart at both ends, 80 across
    found = close_outlines(line)
    assert found.state == "closed" and overlap(found.inside, disc(radius=41.5)) > 0.95
    assert found.bridged * WIDE == pytest.approx(2 * 80 * np.sin(np.radians(10)), abs=4)


def test_a_broken_line_along_a_circle_and_a_straight_one():
    dashes = np.logical_or.reduce([arc(start=turn, end=turn + 25) for turn in range(0, 360, 36)])  # gaps of 5 pixels
    assert close_outlines(dashes).state == "closed"
    straight = np.zeros((HIGH, WIDE), bool)
    straight[60:63, 40:150] = True
    straight[:, 60:150:30] = straight[:, 61:151:30] = False
    assert close_outlines(straight).state == "open"


def test_a_tail_and_a_curl_do_not_count():
    tail = arc()
    tail[63:66, 136:146] = True  # 10 of some 250 pixels of line
    assert close_outlines(tail).state == "closed"
    long = arc()
    long[63:66, 136:186] = True
    found = close_outlines(long)
    assert found.state == "partly" and not found.inside[63:66, 160:186].any()
    curl = np.zeros((HIGH, WIDE), bool)
    curl[60:63, 20:170] = True
    curl[62:65, 80:84] = True
    curl[63, 81] = False  # a hole of one pixel, narrower than THIN of the width
    assert close_outlines(curl).state == "open"


def test_a_ring_within_a_ring_and_nothing_at_all():
    found = close_outlines(arc() | arc(radius=15, start=0, end=180))
    assert found.state == "closed" and found.inside.sum() == pytest.approx(np.pi * 41.5**2, rel=0.04)
    nothing = close_outlines(np.zeros((HIGH, WIDE), bool))
    assert nothing.state == "none" and not nothing.inside.any() and not nothing.open.any() and nothing.bridged == 0


def test_the_same_drawing_at_two_sizes_gives_the_same_region():
    line = arc(start=mouth(20))
    large = cv2.resize(line.astype(np.uint8), (2 * WIDE, 2 * HIGH), interpolation=cv2.INTER_NEAREST).astype(bool)
    small, big = close_outlines(line), close_outlines(large)
    assert small.state == big.state == "closed"
    assert small.inside.mean() == pytest.approx(big.inside.mean(), rel=0.02)
    assert small.bridged == pytest.approx(big.bridged, abs=0.02)


def test_thickness_and_distance_by_hand():
    line = np.zeros((40, 60), bool)
    line[18:23] = True  # 5 rows: depths 1 2 3 2 1, from the pixel's middle 0.5 1.5 2.5 1.5 0.5, mean 1.3
    assert thickness(line) == pytest.approx(5.2) and thickness(np.zeros((4, 4), bool)) == 0
    spot = np.zeros((9, 9), bool)
    spot[4, 4] = True
    assert distance_to(spot)[0, 1] == pytest.approx(5) and distance_to(spot)[4, 4] == 0  # 3, 4, 5


def test_enclosed_takes_the_line_around_a_hole_and_not_a_tail():
    line = np.zeros((40, 60), bool)
    line[10:31, 10:31] = True
    line[11:30, 11:30] = False
    line[20, 30:55] = True
    found = enclosed(line, line, 0, 0)
    expected = np.zeros((40, 60), bool)
    expected[10:31, 10:31] = True
    expected[20, 31] = True  # within 2 pixels of the hole
    np.testing.assert_array_equal(found, expected)
    line[10, 18:23] = False  # a gap of 5 pixels, between lines 6 apart
    assert not enclosed(line, line, 2.9, 0).any()
    gap = enclosed(line, line, 3, 0)
    y, x = np.mgrid[:40, :60]  # a disc that rests on (10, 17) and (10, 23), its middle between them
    assert not (gap & ~expected & (np.hypot(y - 10, x - 20) > 3)).any() and gap[8:11, 20].all() and not gap[6, 20]
    assert (expected & ~gap).sum() <= 8  # of 441: the tips of the corners, which no disc reaches
    nowhere = np.zeros_like(line)
    nowhere[0, 59] = True
    assert not enclosed(line, nowhere, 3, 0).any()  # does not border on what is left


def test_along_sides_joins_the_outermost_places_of_one_line_only():
    line = np.zeros((20, 30), bool)
    line[1:9, [5, 12]] = line[8, 5:13] = True  # leaves twice through the first row, one pixel from it
    line[1:5, 25] = True  # another line leaves once
    added = along_sides(line, 2, False)
    expected = np.zeros((20, 30), bool)
    expected[0, 5:13] = expected[1, [5, 12, 25]] = expected[0, 25] = True
    np.testing.assert_array_equal(added | line, expected | line)
    assert not along_sides(line, 0.9, True).any()  # the first row alone is near enough, and no line is there


def test_ends_are_joined_nearest_first_and_once():
    line = np.zeros((60, 90), bool)
    line[20, 20:40] = line[20, 46:66] = line[26, 10:41] = True
    nothing = np.zeros_like(line)
    found = [ends for _, ends in join_ends(line, nothing, 3, 0)]
    # Six ends: (20, 20) and (20, 39), (20, 46) and (20, 65), (26, 10) and (26, 40). Nearest: 6.1 between (20, 39) and
    # (26, 40), 7 to (20, 46), which is taken; then 11.7 between (20, 20) and (26, 10); a straight line's own never.
    assert [sorted(pair) for pair in found] == [[(20, 39), (26, 40)], [(20, 20), (26, 10)]]
    assert join_ends(line, nothing, 3, 0)[0][0] == pytest.approx(np.sqrt(37))
    assert join_ends(line[:, :45], nothing[:, :45], 3, 0)[1:] == []  # BRIDGE of 45 columns is 6.6 pixels
    assert join_ends(line, nothing, 12, 0) == []  # the only line longer than 24 has one end away from the sides
    near = nothing.copy()
    near[20, 41:45] = True  # what is filled already takes the ends beside it
    assert all((20, 39) not in ends for _, ends in join_ends(line, near, 3, 0))


def test_shares_of_the_width_are_those_of_the_public_reduced_copy():
    assert GAP * 384 == 12 and BRIDGE * 384 == 56
