"""A head in numbers, and what all three planes share: outlines, skull and scalp, sulci, the cortical ribbon."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# Values of the tissue map.
AIR, FAT, MUSCLE, BONE, MARROW, CSF, GREY, WHITE, DEEP, DURA, VENTRICLE, FOLIA, STEM = range(13)
BRAIN = (CSF, GREY, WHITE, DEEP, DURA, VENTRICLE, FOLIA, STEM)
PARENCHYMA = (GREY, WHITE, DEEP, FOLIA, STEM)
PLANES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True, eq=False)
class Head:
    """One patient's head; lengths are in half image widths, x to the right, y down, the head's centre at (0, 0)."""

    plane: str
    scale: float
    aspect: float  # width over its mean
    tilt: float  # degrees
    shift: tuple[float, float]
    warp: np.ndarray  # (6, 5): x and y amplitude, two frequencies, phase
    skull: float
    scalp: float
    gap: float  # CSF between skull and brain
    ribbon: float  # thickness of the cortex
    ventricles: float  # 1 is usual
    sulci: np.ndarray  # (n, 6): place, depth, bend, width, fork, side of the fork; all in [0, 1]
    phases: np.ndarray  # (8,) in [0, 2 pi)
    level: float  # of the middle slice, 0 to 1


def draw_head(plane: str, rng: np.random.Generator) -> Head:
    """Draw one patient's head for a plane (axial, coronal, sagittal)."""
    if plane not in PLANES:
        raise ValueError(f"plane '{plane}' is unknown (known: {', '.join(PLANES)})")
    warp = np.column_stack(
        [
            rng.normal(0, 0.016, (6, 2)),
            rng.uniform(1.0, 3.2, (6, 2)) * rng.choice([-1, 1], (6, 2)),
            rng.uniform(0, 7, 6),
        ]
    )
    return Head(
        plane=plane,
        scale=float(rng.uniform(0.90, 1.08)),
        aspect=float(np.clip(rng.normal(1.0, 0.045), 0.9, 1.1)),
        tilt=float(rng.normal(0, 4.5)),
        shift=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))),
        warp=warp,
        skull=float(rng.uniform(0.040, 0.075)),
        scalp=float(rng.uniform(0.035, 0.075)),
        gap=float(rng.uniform(0.012, 0.035)),
        ribbon=float(rng.uniform(0.034, 0.050)),
        ventricles=float(rng.lognormal(0, 0.16)),
        sulci=rng.random((64, 6)),
        phases=rng.uniform(0, 2 * np.pi, 8),
        level=float(rng.uniform(0.0, 1.0)),
    )


def smooth_closed(points, steps: int = 6) -> np.ndarray:
    """Put a closed Catmull-Rom curve through points (n, 2) -> (n * steps, 2)."""
    p1 = np.asarray(points, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, 0), np.roll(p1, -1, 0), np.roll(p1, -2, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return (0.5 * curve).reshape(-1, 2)


def smooth_open(points, steps: int = 6) -> np.ndarray:
    """Put an open Catmull-Rom curve through points (n, 2) -> ((n - 1) * steps + 1, 2)."""
    points = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    curve = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return np.vstack([(0.5 * curve).reshape(-1, 2), points[-1:]])


def mirrored(points) -> np.ndarray:
    """Complete the right half of an outline, listed from top to bottom, with its mirror image."""
    points = np.asarray(points, dtype=np.float64)
    left = points[::-1] * (-1, 1)
    return np.vstack([points, left[np.abs(left[:, 0]) > 1e-9]])


def ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0, n: int = 24) -> np.ndarray:
    """Return n points of an ellipse with half axes a and b, turned by `turn` degrees."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    return np.column_stack(
        [x + a * np.cos(angle) * c - b * np.sin(angle) * s, y + a * np.cos(angle) * s + b * np.sin(angle) * c]
    )


class Canvas:
    """A tissue map (pixels, pixels) that is drawn in a head's own coordinates."""

    def __init__(self, head: Head, pixels: int):
        self.head, self.pixels, self.half = head, pixels, pixels / 2
        self.tissue = np.full((pixels, pixels), AIR, np.uint8)
        c, s = np.cos(np.deg2rad(head.tilt)), np.sin(np.deg2rad(head.tilt))
        self._matrix = np.array([[c, -s], [s, c]]) @ np.diag([head.scale * head.aspect, head.scale])

    def place(self, points) -> np.ndarray:
        """Carry points (n, 2) of the head to pixels of the canvas, in 1/16 pixel, int32 (n, 2)."""
        points = np.asarray(points, dtype=np.float64)
        wave = np.sin(points @ self.head.warp[:, 2:4].T * 2.2 + self.head.warp[:, 4])  # (n, 6)
        moved = (points + wave @ self.head.warp[:, :2]) @ self._matrix.T + self.head.shift
        return np.rint(((moved + 1) * self.half - 0.5) * 16).astype(np.int32)

    def region(self, *outlines) -> np.ndarray:
        """Return what lies inside any of the closed outlines, bool (pixels, pixels)."""
        mask = np.zeros((self.pixels, self.pixels), np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [self.place(outline)], 1, cv2.LINE_8, 4)
        return mask.view(bool)

    def lines(self, paths, width: float) -> np.ndarray:
        """Return open paths drawn with a width (half image widths), bool (pixels, pixels)."""
        mask = np.zeros((self.pixels, self.pixels), np.uint8)
        thick = max(1, round(width * self.half * self.head.scale))
        cv2.polylines(mask, [self.place(path) for path in paths], False, 1, thick, cv2.LINE_8, 4)
        return mask.view(bool)

    def depth(self, mask: np.ndarray) -> np.ndarray:
        """Return each pixel's distance to the nearest pixel outside the mask, in half image widths of this head."""
        return cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3) / (self.half * self.head.scale)

    def angle_wave(self, k: int, amplitude: float) -> np.ndarray:
        """Return a slow wave around the centre, 1 +- amplitude, float32 (pixels, pixels): nothing is equally thick all round."""
        y, x = np.mgrid[: self.pixels, : self.pixels].astype(np.float32)
        angle = cv2.phase(x - self.half, y - self.half)
        p = self.head.phases
        return 1 + amplitude * (0.6 * np.sin(2 * angle + p[k]) + 0.4 * np.sin(3 * angle + p[k + 1]))


def wrap_skull(canvas: Canvas, vault: np.ndarray, face: np.ndarray | None = None) -> None:
    """Paint scalp, muscle, skull and the space of the brain (as CSF) around the vault, bool (pixels, pixels)."""
    head, tissue = canvas.head, canvas.tissue
    outside = canvas.depth(~vault)
    skull = head.skull * canvas.angle_wave(0, 0.30)
    scalp = head.scalp * canvas.angle_wave(2, 0.35)
    whole = outside < skull + scalp
    if face is not None:
        whole |= face
    rim = canvas.depth(whole)
    tissue[whole] = MUSCLE
    tissue[whole & ((rim < scalp * 0.85) | (outside < skull + scalp * 0.8))] = FAT
    tissue[outside < skull] = BONE
    tissue[(outside > skull * 0.33) & (outside < skull * 0.66)] = MARROW
    tissue[vault] = CSF


def sulcus_paths(outline: np.ndarray, head: Head, spans, count: int, depth: tuple[float, float], first: int = 0):
    """Walk sulci inward from a closed outline (m, 2); return (narrow paths, wide paths).

    spans: list of (start, end) in [0, 1) of the outline's length where sulci may begin; depth: least and greatest length.
    """
    step = np.roll(outline, -1, 0) - outline
    along = np.concatenate([[0], np.cumsum(np.hypot(*step.T))])
    total = sum(end - start for start, end in spans)
    inward = _inward(outline)
    narrow, wide = [], []
    for i in range(count):
        place, deep, bend, width, fork, side = head.sulci[(first + i) % len(head.sulci)]
        at = (i + 0.15 + 0.7 * place) / count * total
        for start, end in spans:
            if at <= end - start:
                at += start
                break
            at -= end - start
        k = int(np.searchsorted(along, at * along[-1], side="right") - 1) % len(outline)
        length = depth[0] + (depth[1] - depth[0]) * deep
        turn = (bend - 0.5) * 1.5
        path = _walk(outline[k] - 0.03 * inward[k], inward[k], length + 0.03, turn)
        paths = [path]
        if fork > 0.45:
            heading = path[-1] - path[-2]
            heading = heading / np.hypot(*heading)
            for sign in (1, -1) if fork > 0.8 else ((1,) if side > 0.5 else (-1,)):
                turned = np.array([heading[0] * 0.3 - sign * heading[1], sign * heading[0] + heading[1] * 0.3])
                paths.append(_walk(path[-1], turned / np.hypot(*turned), length * (0.25 + 0.3 * side), sign * -0.6))
        (wide if width > 0.72 else narrow).extend(paths)
    return narrow, wide


def _inward(outline: np.ndarray) -> np.ndarray:
    """Return unit normals of a closed outline that point inward, (m, 2)."""
    tangent = np.roll(outline, -1, 0) - np.roll(outline, 1, 0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    x, y = outline.T
    area = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    return normal if area > 0 else -normal


def _walk(start: np.ndarray, heading: np.ndarray, length: float, turn: float, steps: int = 6) -> np.ndarray:
    """Walk `length` from a point while turning by `turn` radians first one way, then back, (steps + 1, 2)."""
    angle = np.arctan2(heading[1], heading[0]) + turn * np.sin(np.linspace(0, 1.6 * np.pi, steps))
    moves = np.column_stack([np.cos(angle), np.sin(angle)]) * (length / steps)
    return np.vstack([start, start + np.cumsum(moves, 0)])


def paint_cortex(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, inner_white: np.ndarray | None = None) -> None:
    """Paint white matter in the brain with a grey ribbon along its surface and along every sulcus (both in `fluid`)."""
    solid = brain & ~fluid
    depth = canvas.depth(solid)
    ribbon = canvas.head.ribbon * canvas.angle_wave(4, 0.2)
    canvas.tissue[solid] = WHITE
    grey = solid & (depth < ribbon)
    if inner_white is not None:
        grey &= ~inner_white
    canvas.tissue[grey] = GREY
