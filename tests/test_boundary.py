"""Border F1 against values counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.metrics.boundary import border, boundary_f1


def square(top, left, side, size=20):
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_border_of_a_square_and_at_the_edge():
    assert border(square(5, 5, 6)).sum() == 6 * 4 - 4
    whole = np.ones((4, 5), bool)
    assert border(whole).sum() == 2 * 5 + 2 * 2 and not border(whole)[1:3, 1:4].any()


def test_by_hand():
    a, b = square(4, 4, 8), square(4, 6, 8)  # moved by two pixels to the right
    assert boundary_f1(a[None], a[None], 0) == pytest.approx([1])
    # shared border at tolerance 0: rows 4 and 11, columns 6 to 11 of 28 border pixels each
    assert boundary_f1(a[None], b[None], 0) == pytest.approx([12 / 28])
    assert boundary_f1(a[None], b[None], 2) == pytest.approx([1])
    # tolerance 1 adds one pixel at each end of both rows, and of the left side its ends are all that is near
    edge_a = [(y, x) for y, x in np.argwhere(border(a))]
    edge_b = np.argwhere(border(b))
    near = sum(np.hypot(*(edge_b - p).T).min() <= 1 for p in edge_a)
    assert boundary_f1(a[None], b[None], 1) == pytest.approx([near / 28]) and 12 < near < 28


def test_precision_and_recall_differ():
    whole, part = square(4, 4, 8), square(4, 4, 2)
    edge, small = border(whole), border(part)
    precision = (edge & small).sum() / small.sum()
    recall = (edge & small).sum() / edge.sum()
    assert precision == 3 / 4 and boundary_f1(part[None], whole[None], 0) == pytest.approx(
        [2 * precision * recall / (precision + recall)]
    )
    assert boundary_f1(square(0, 0, 2)[None], square(15, 15, 3)[None], 2) == pytest.approx([0])


def test_nothing_to_compare_is_undefined():
    some, none = square(4, 4, 8)[None], np.zeros((1, 20, 20), bool)
    assert np.isnan(boundary_f1(none, some, 1)) and np.isnan(boundary_f1(some, none, 1))
    with pytest.raises(ValueError, match="shape"):
        boundary_f1(some, np.zeros((1, 10, 10), bool), 1)
