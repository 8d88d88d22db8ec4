"""Curves through points: they pass through them, close, mirror, and ellipses have the area they should."""

import numpy as np

from studylib.data.phantoms.head import axial, coronal, sagittal
from studylib.data.phantoms.head.curves import closed, ellipse, opened


def area(points):
    x, y = points.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_curves_pass_through_their_points():
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    np.testing.assert_allclose(closed(square, 6)[::6], square, atol=1e-12)
    line = np.array([[0.0, 0], [1, 2], [3, 3]])
    found = opened(line, 6)
    np.testing.assert_allclose(found[[0, 6, -1]], line, atol=1e-12)


def test_an_ellipse_has_its_area():
    assert abs(area(ellipse(0.1, -0.2, 0.4, 0.25, n=400)) - np.pi * 0.4 * 0.25) < 1e-3


def test_every_plane_reads_its_outlines():
    for plane in (axial, coronal, sagittal):
        assert len(plane.SHAPES) > 5
        for name, outline in plane.SHAPES.items():
            points = np.asarray(outline, dtype=float)
            assert np.isfinite(points).all() and np.abs(points).max() < 10, name
