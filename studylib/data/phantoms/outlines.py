"""Round outlines that are not quite round: an ellipse whose radius waves, and how far a point lies from its middle."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Outline(Protocol):
    """What an outline is made of; harmonics of the radius begin with the second."""

    stretch: float  # long axis over short
    turn: float  # radians
    waves: np.ndarray  # (n, 2): amplitude and phase of harmonics 2, 3, ...


def draw_waves(rng: np.random.Generator, rough: float, count: int = 5) -> np.ndarray:
    """Draw harmonics of a radius, (count, 2): amplitudes fall with the square root of the order; rough: the first's."""
    amplitudes = rng.normal(0, rough, count) / np.sqrt(np.arange(1, count + 1))
    return np.column_stack([amplitudes, rng.uniform(0, 2 * np.pi, count)])


def extent(outline: Outline, radius: float) -> tuple[float, float, float, float]:
    """Least and greatest x, then y, of an outline around its centre, in pixels."""
    angle = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    far = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    points = far / relative_distance(outline, *far.T, radius)[:, None]
    return (
        *(float(v) for v in (points[:, 0].min(), points[:, 0].max())),
        *(float(v) for v in (points[:, 1].min(), points[:, 1].max())),
    )


def relative_distance(outline: Outline, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Return the distance from the centre over the outline's radius in that direction, float32: 1 is the edge.

    x, y: offsets from the centre in pixels, float32; radius: of the disc that has the same area as a smooth outline.
    """
    c, s, root = np.cos(outline.turn), np.sin(outline.turn), np.sqrt(outline.stretch)
    along, across = (x * c + y * s) / root, (y * c - x * s) * root
    angle = np.arctan2(across, along)
    reach = np.ones_like(angle)
    for k, (amplitude, phase) in enumerate(outline.waves, start=2):
        reach += np.float32(amplitude) * np.cos(k * angle + np.float32(phase))
    return (np.hypot(along, across) / (radius * np.maximum(reach, 0.35))).astype(np.float32)
