"""Curves through a few points: smooth outlines, ellipses, mirror images, and paths that walk inward from an outline."""

from __future__ import annotations

import numpy as np


def _spline(p0, p1, p2, p3, steps: int) -> np.ndarray:
    """Evaluate Catmull-Rom pieces, (n, 2) each -> (n * steps, 2)."""
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return (0.5 * curve).reshape(-1, 2)


def closed(points, steps: int = 6) -> np.ndarray:
    """Put a closed Catmull-Rom curve through points (n, 2) -> (n * steps, 2)."""
    points = np.asarray(points, dtype=np.float64)
    return _spline(np.roll(points, 1, 0), points, np.roll(points, -1, 0), np.roll(points, -2, 0), steps)


def opened(points, steps: int = 6) -> np.ndarray:
    """Put an open Catmull-Rom curve through points (n, 2) -> ((n - 1) * steps + 1, 2)."""
    points = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    curve = _spline(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], steps)
    return np.vstack([curve, points[-1:]])


def mirrored(points) -> np.ndarray:
    """Complete the right half of an outline, listed from the top to the bottom of the midline, with its mirror."""
    points = np.asarray(points, dtype=np.float64)
    left = points[::-1] * (-1, 1)
    return np.vstack([points, left[np.abs(left[:, 0]) > 1e-9]])


def read_outlines(text: str) -> dict[str, np.ndarray]:
    """Read a table of outlines: `name kind x y, x y, ...` a line, indented lines going on with the one before.

    kind: `points` (as they are), `open` or `closed` (a smooth curve through them), `half` (the right half of a closed
    curve, from the top to the bottom of the midline).
    """
    curves = {"points": np.asarray, "open": opened, "closed": closed, "half": lambda half: closed(mirrored(half))}
    lines = text.strip("\n").replace("\n ", " ").split("\n")
    found = {}
    for line in lines:
        name, kind, numbers = line.split(maxsplit=2)
        found[name] = curves[kind](np.array([pair.split() for pair in numbers.split(",")], dtype=np.float64))
    return found


def both(outline) -> list[np.ndarray]:
    """Return an outline and its mirror image."""
    outline = np.asarray(outline, dtype=np.float64)
    return [outline, outline * (-1, 1)]


def blend(first, second, share: float) -> np.ndarray:
    """Mix two lists of points: 0 gives the first, 1 the second."""
    return (1 - share) * np.asarray(first, dtype=np.float64) + share * np.asarray(second, dtype=np.float64)


def swell(outline, width: float, height: float | None = None) -> np.ndarray:
    """Scale an outline about the mean of its points, by `width` across and by `height` (the same unless given) down."""
    outline = np.asarray(outline, dtype=np.float64)
    middle = outline.mean(0)
    return middle + (outline - middle) * (width, width if height is None else height)


def ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0, n: int = 24) -> np.ndarray:
    """Return n points of an ellipse with half axes a and b, turned by `turn` degrees, clockwise as seen."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    across, down = a * np.cos(angle), b * np.sin(angle)
    return np.column_stack([x + across * c - down * s, y + across * s + down * c])


def inward_normals(outline: np.ndarray) -> np.ndarray:
    """Return unit normals of a closed outline (m, 2) that point inward, (m, 2)."""
    tangent = np.roll(outline, -1, 0) - np.roll(outline, 1, 0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    x, y = outline.T
    turning = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    return normal if turning > 0 else -normal


def walk(start: np.ndarray, heading: np.ndarray, length: float, turn: float, steps: int = 8) -> np.ndarray:
    """Walk `length` from a point, swerving by `turn` radians one way and back, (steps + 1, 2)."""
    angle = np.arctan2(heading[1], heading[0]) + turn * np.sin(np.linspace(0, 1.7 * np.pi, steps))
    moves = np.column_stack([np.cos(angle), np.sin(angle)]) * (length / steps)
    return np.vstack([start, start + np.cumsum(moves, 0)])
