"""A head in numbers, and what all three planes share: the canvas, skull and scalp, and the folded cortex.

Lengths are in half image widths, x to the right, y down, from the middle of the head; the image reaches from -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from studylib.data.phantoms.head.curves import inward_normals, walk

# Values of the tissue map. FOLIA is the cortex of the cerebellum, STEM the brain stem, SINUS veins and choroid plexus.
TISSUES = "air fat muscle bone marrow csf grey white deep dura ventricle folia stem sinus eye".split()
AIR, FAT, MUSCLE, BONE, MARROW, CSF, GREY, WHITE, DEEP, DURA, VENTRICLE, FOLIA, STEM, SINUS, EYE = range(15)
PARENCHYMA = (GREY, WHITE, DEEP, FOLIA, STEM)
BRAIN = (*PARENCHYMA, CSF, DURA, VENTRICLE, SINUS)
IS_BRAIN = np.isin(np.arange(len(TISSUES)), BRAIN)  # indexed by a tissue map
PLANES = ("axial", "coronal", "sagittal")
SULCUS = 0.0085  # width of a sulcus in its depth; twice as wide at the surface


@dataclass(frozen=True, eq=False)
class Head:
    """One patient's head."""

    plane: str
    level: float  # of the middle slice, 0 to 1 through the plane's slices
    scale: float
    aspect: float  # width over the usual
    tilt: float  # degrees
    shift: tuple[float, float]
    warp: np.ndarray  # (6, 5): x and y amplitude, two frequencies, phase of a slow displacement
    skull: float
    scalp: float
    gap: float  # fluid between skull and brain
    ribbon: float  # thickness of the cortex
    ventricles: float  # width; 1 is usual
    atrophy: float  # width of the sulci; 1 is usual
    sulci: np.ndarray  # (96, 6) in [0, 1): place, depth, bend, width, fork, side
    phases: np.ndarray  # (8,) in [0, 2 pi)
    grain: int  # seed of the fine displacement and of the fat planes


def draw_head(plane: str, rng: np.random.Generator) -> Head:
    """Draw one patient's head for a plane (axial, coronal, sagittal)."""
    if plane not in PLANES:
        raise ValueError(f"plane '{plane}' is unknown (known: {', '.join(PLANES)})")
    frequencies = rng.uniform(0.8, 4.4, (6, 2)) * rng.choice([-1, 1], (6, 2))
    return Head(
        plane=plane,
        level=float(rng.uniform(0, 1)),
        scale=float(rng.uniform(0.93, 1.09)),
        aspect=float(np.clip(rng.normal(1.0, 0.045), 0.9, 1.1)),
        tilt=float(rng.normal(0, 4.0)),
        shift=(float(rng.normal(0, 0.025)), float(rng.normal(0, 0.025))),
        warp=np.column_stack([rng.normal(0, 0.0085, (6, 2)), frequencies, rng.uniform(0, 2 * np.pi, 6)]),
        skull=float(rng.uniform(0.038, 0.062)),
        scalp=float(rng.uniform(0.022, 0.042)),
        gap=float(rng.uniform(0.008, 0.030)),
        ribbon=float(rng.uniform(0.040, 0.052)),
        ventricles=float(np.clip(rng.lognormal(0, 0.15), 0.7, 1.35)),
        atrophy=float(rng.uniform(0.7, 1.5)),
        sulci=rng.random((96, 6)),
        phases=rng.uniform(0, 2 * np.pi, 8),
        grain=int(rng.integers(2**32)),
    )


@lru_cache(maxsize=4)
def _grid(pixels: int) -> tuple[np.ndarray, ...]:
    """Return x, y, and sine and cosine of two and three times the angle about the middle, float32 (pixels, pixels)."""
    y, x = np.mgrid[:pixels, :pixels].astype(np.float32)
    angle = np.arctan2(y - pixels / 2, x - pixels / 2)
    found = (x, y, np.sin(2 * angle), np.cos(2 * angle), np.sin(3 * angle), np.cos(3 * angle))
    for array in found:
        array.flags.writeable = False
    return found


class Canvas:
    """A tissue map `tissue`, uint8 (pixels, pixels), on which a head is drawn in its own coordinates."""

    def __init__(self, head: Head, pixels: int):
        self.head, self.pixels, self.half = head, pixels, pixels / 2
        self.tissue = np.full((pixels, pixels), AIR, np.uint8)
        c, s = np.cos(np.deg2rad(head.tilt)), np.sin(np.deg2rad(head.tilt))
        self._matrix = np.array([[c, -s], [s, c]]) @ np.diag([head.scale * head.aspect, head.scale])
        self._rng = np.random.default_rng(head.grain)

    def place(self, points) -> np.ndarray:
        """Carry points (n, 2) of the head to the canvas, in 1/16 pixel, int32 (n, 2)."""
        points = np.asarray(points, dtype=np.float64)
        wave = np.sin(points @ self.head.warp[:, 2:4].T + self.head.warp[:, 4])  # (n, 6)
        moved = (points + wave @ self.head.warp[:, :2]) @ self._matrix.T + self.head.shift
        return np.rint(((moved + 1) * self.half - 0.5) * 16).astype(np.int32)

    def region(self, *outlines) -> np.ndarray:
        """Return what lies inside any of the closed outlines, bool (pixels, pixels)."""
        mask = np.zeros((self.pixels, self.pixels), np.uint8)
        for outline in self._place_all(outlines):
            cv2.fillPoly(mask, [outline], 1, cv2.LINE_8, 4)
        return mask.view(bool)

    def lines(self, paths, width: float) -> np.ndarray:
        """Return open paths drawn with a width, bool (pixels, pixels); never thinner than a pixel of the canvas."""
        mask = np.zeros((self.pixels, self.pixels), np.uint8)
        thick = max(1, round(width * self.half * self.head.scale))
        cv2.polylines(mask, self._place_all([path for path in paths if len(path) > 1]), False, 1, thick, cv2.LINE_8, 4)
        return mask.view(bool)

    def _place_all(self, paths) -> list[np.ndarray]:
        """Carry many paths to the canvas at once."""
        if not len(paths):
            return []
        return np.split(self.place(np.concatenate(paths)), np.cumsum([len(path) for path in paths])[:-1])

    def depth(self, mask: np.ndarray) -> np.ndarray:
        """Return each pixel's distance to the nearest pixel outside the mask, float32 (pixels, pixels)."""
        return cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3) / np.float32(self.half * self.head.scale)

    def uneven(self, k: int, amplitude: float) -> np.ndarray:
        """Return a slow wave around the head, 1 +- amplitude: no layer is equally thick all round."""
        p, q = self.head.phases[k : k + 2].astype(np.float32)
        _, _, sin2, cos2, sin3, cos3 = _grid(self.pixels)
        second = sin2 * np.cos(p) + cos2 * np.sin(p)  # the sine of twice the angle + p
        third = sin3 * np.cos(q) + cos3 * np.sin(q)
        return 1 + np.float32(0.6 * amplitude) * second + np.float32(0.4 * amplitude) * third

    def clouds(self, width: float) -> np.ndarray:
        """Return smooth noise, standard deviation about 1, with features `width` wide; float32 (pixels, pixels)."""
        cells = max(4, round(2 / width))
        coarse = self._rng.standard_normal((cells, cells), dtype=np.float32)
        return cv2.resize(coarse, (self.pixels, self.pixels), interpolation=cv2.INTER_CUBIC) * np.float32(1.4)

    def ripple(self, amplitude: float, width: float) -> None:
        """Displace the finished map a little, so that no border is as smooth as a drawing's."""
        x, y = _grid(self.pixels)[:2]
        size = np.float32(amplitude * self.half)
        x, y = x + size * self.clouds(width), y + size * self.clouds(width)
        self.tissue = cv2.remap(self.tissue, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def wrap_skull(canvas: Canvas, vault: np.ndarray, face: np.ndarray | None = None) -> None:
    """Paint scalp, muscle with fat planes, and skull around the vault (bool); the vault itself is filled with fluid."""
    head, tissue = canvas.head, canvas.tissue
    outside = canvas.depth(~vault)
    skull = head.skull * canvas.uneven(0, 0.30)
    scalp = head.scalp * canvas.uneven(2, 0.35)
    whole = outside < skull + scalp
    if face is not None:
        whole |= face
    tissue[whole] = MUSCLE
    if face is not None:
        planes = np.abs(canvas.clouds(0.16)) < 0.22
        tissue[whole & planes] = FAT
    rim = canvas.depth(whole)
    tissue[whole & ((rim < scalp * 0.7) | (outside < skull + scalp * 0.75))] = FAT
    tissue[outside < skull] = BONE
    tissue[(outside > skull * 0.38) & (outside < skull * 0.66) & (canvas.clouds(0.3) > -0.4)] = MARROW
    tissue[vault] = CSF


def sulcus_paths(outline: np.ndarray, head: Head, spans, count: int, depth=(0.05, 0.26), first: int = 0):
    """Walk sulci inward from a closed outline (m, 2), every other one shallow; return a list of paths.

    spans: (start, end) pairs in [0, 1], the parts of the outline's length where sulci begin; depth: least and greatest
    length; first: which of the head's random numbers are used.
    """
    step = np.roll(outline, -1, 0) - outline
    along = np.concatenate([[0], np.cumsum(np.hypot(*step.T))])
    total = sum(end - start for start, end in spans)
    inward = inward_normals(outline)
    middle = depth[0] + 0.45 * (depth[1] - depth[0])
    paths = []
    for i in range(count):
        place, deep, bend, _, fork, side = head.sulci[(first + i) % len(head.sulci)]
        at = (i + 0.15 + 0.7 * place) / count * total
        for start, end in spans:
            if at <= end - start:
                at += start
                break
            at -= end - start
        k = int(np.searchsorted(along, at * along[-1], side="right") - 1) % len(outline)
        low, high = (middle, depth[1]) if i % 2 else (depth[0], middle)
        length = low + (high - low) * deep
        path = walk(outline[k] - 0.03 * inward[k], inward[k], length + 0.03, (bend - 0.5) * 1.7)
        paths.append(path)
        if i % 2 and fork > 0.35:
            heading = path[-1] - path[-2]
            heading = heading / np.hypot(*heading)
            for sign in (1, -1) if fork > 0.75 else ((1,) if side > 0.5 else (-1,)):
                turned = np.array([heading[0] * 0.4 - sign * heading[1], sign * heading[0] + heading[1] * 0.4])
                paths.append(walk(path[-1], turned / np.hypot(*turned), length * (0.2 + 0.3 * side), sign * -0.5))
    return paths


def midline_paths(head: Head, rows, first: int = 60) -> list[np.ndarray]:
    """Return short sulci that leave the cleft between the hemispheres at heights near `rows`, both ways in turn."""
    paths, gap = [], abs(rows[1] - rows[0]) if len(rows) > 1 else 0.1
    for i, row in enumerate(np.repeat(rows, 2)):
        place, deep, turn, width, _, _ = head.sulci[(first + i) % len(head.sulci)]
        x = np.linspace(0, 0.05 + 0.12 * deep, 5)
        y = row + 0.7 * gap * (place - 0.5) + 0.5 * (turn - 0.5) * x + 0.018 * np.sin(40 * x + 6 * width)
        paths.append(np.column_stack([x if i % 2 else -x, y]))
    return paths


def fold(canvas: Canvas, paths) -> np.ndarray:
    """Return the fluid of sulci, wider near the surface where the paths begin, bool (pixels, pixels)."""
    wide = canvas.head.atrophy
    fluid = canvas.lines(paths, SULCUS * wide)
    return fluid | canvas.lines([path[: len(path) // 2 + 1] for path in paths], 1.9 * SULCUS * wide)


def paint_cortex(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, bare: np.ndarray | None = None) -> None:
    """Paint white matter in the brain, and a ribbon of grey along its surface and the fluid except in `bare` (bool)."""
    solid = brain & ~fluid
    depth = canvas.depth(solid)
    ribbon = canvas.head.ribbon * (canvas.uneven(4, 0.15) + 0.14 * canvas.clouds(0.12))
    canvas.tissue[solid] = WHITE
    grey = solid & (depth < ribbon)
    if bare is not None:
        grey &= ~bare
    canvas.tissue[grey] = GREY
