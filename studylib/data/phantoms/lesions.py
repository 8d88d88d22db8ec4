"""A lesion of known outline: where it lies in a patient, what kind it is, and its painting on a noise-free slice."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

KINDS = ("ring", "solid", "irregular")


@dataclass(frozen=True, eq=False)
class Lesion:
    """One patient's lesion; its place is chosen on the slice, among the pixels of the brain."""

    kind: str
    area: float  # share of the image, in the slice through its middle
    place: float  # 0 to 1: which of the allowed pixels is its centre
    stretch: float  # long axis over short
    turn: float  # radians
    waves: np.ndarray  # (5, 2): amplitude and phase of the outline's harmonics 2 to 6
    contrast: float  # 0 to 1 of the range between brain and the look's brightest lesion
    rim: float  # thickness of an enhancing rim, share of the radius
    halo: float  # radius of the oedema over that of the lesion
    grain: int  # seed of its texture


def draw_lesion(rng: np.random.Generator, area: tuple[float, float], contrast: tuple[float, float]) -> Lesion:
    """Draw a lesion; area: median share of the image and sigma of its logarithm; contrast: least and greatest, 0 to 1."""
    kind = KINDS[int(rng.choice(3, p=(0.4, 0.35, 0.25)))]
    rough = {"ring": 0.07, "solid": 0.05, "irregular": 0.16}[kind]
    waves = np.column_stack([rng.normal(0, rough, 5) / np.sqrt(np.arange(1, 6)), rng.uniform(0, 2 * np.pi, 5)])
    return Lesion(
        kind=kind,
        area=float(np.clip(area[0] * np.exp(area[1] * rng.normal()), 0.003, 0.08)),
        place=float(rng.random()),
        stretch=float(rng.uniform(1.0, 1.45)),
        turn=float(rng.uniform(0, np.pi)),
        waves=waves,
        contrast=float(rng.uniform(*contrast)),
        rim=float(rng.uniform(0.22, 0.40)),
        halo=float(rng.uniform(1.35, 2.1)),
        grain=int(rng.integers(2**32)),
    )


def lesion_centre(allowed: np.ndarray, place: float) -> tuple[int, int]:
    """Pick the pixel (x, y) that stands at `place` (0 to 1) among the True ones of `allowed`, counted row by row."""
    flat = np.flatnonzero(allowed)
    if not len(flat):
        raise ValueError("no pixel is allowed as the centre of a lesion")
    y, x = divmod(int(flat[min(int(place * len(flat)), len(flat) - 1)]), allowed.shape[1])
    return x, y


def lesion_distance(lesion: Lesion, centre: tuple[float, float], shape: tuple[int, int], share: float = 1.0) -> np.ndarray:
    """Return each pixel's distance from the centre over the outline's radius in its direction, float32 (H, W): 1 is the edge.

    share: radius in this slice over that in the slice through the lesion's middle.
    """
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - centre[0], y - centre[1]
    c, s = np.cos(lesion.turn), np.sin(lesion.turn)
    root = np.sqrt(lesion.stretch)
    along, across = (x * c + y * s) / root, (y * c - x * s) * root
    angle = np.arctan2(across, along)
    outline = np.ones_like(angle)
    for k, (amplitude, phase) in enumerate(lesion.waves, start=2):
        outline += np.float32(amplitude) * np.cos(k * angle + np.float32(phase))
    radius = share * np.sqrt(lesion.area * height * width / np.pi)
    return np.hypot(along, across) / (radius * np.maximum(outline, 0.35))


def paint_lesion(
    clean: np.ndarray,
    brain: np.ndarray,
    lesion: Lesion,
    centre: tuple[float, float],
    levels: dict[str, float],
    white: np.ndarray,
    share: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint a lesion and its halo into a noise-free slice; return (slice, lesion mask, lesion and halo mask).

    clean: float32 (H, W) in 0..1; brain: bool (H, W), where a lesion may be seen; levels: brightness of `rim`, `core`, `solid`
    and `oedema` at full contrast; white: bool (H, W), where oedema spreads. The input is not changed.
    """
    distance = lesion_distance(lesion, centre, clean.shape, share)
    rng = np.random.default_rng(lesion.grain)
    noise = cv2.GaussianBlur(rng.normal(0, 1, clean.shape).astype(np.float32), (0, 0), clean.shape[0] / 48)
    noise /= max(float(noise.std()), 1e-6)
    inside = (distance < 1) & brain
    solid = brain.astype(np.float32)
    edge = np.clip((1 - distance) * 9, 0, 1) * solid
    if lesion.kind == "ring":
        rim = np.clip((distance - (1 - lesion.rim + 0.06 * noise)) * 8, 0, 1)
        target = levels["core"] + (levels["rim"] - levels["core"]) * rim
    else:
        target = np.full_like(clean, levels["solid"])
    rough = {"ring": 0.06, "solid": 0.04, "irregular": 0.17}[lesion.kind]
    target = target * (1 + rough * noise)
    reach = lesion.halo * (1 + 0.12 * noise)
    swelling = np.clip((reach - distance) / np.maximum(reach - 1, 0.1) * 1.6, 0, 1) * (distance >= 0.9)
    swelling *= np.where(white, 0.85, 0.35) * solid
    swelling = cv2.GaussianBlur(swelling.astype(np.float32), (0, 0), clean.shape[0] / 180) * solid
    out = clean + lesion.contrast * swelling * (levels["oedema"] - clean)
    out = out + lesion.contrast * edge * (target - out)
    return out.astype(np.float32), inside, inside | (np.abs(out - clean) > 0.5 / 255)
