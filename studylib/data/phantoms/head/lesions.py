"""A lesion of known outline: where it lies in a patient, what kind it is, and its painting on a noise-free slice."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from studylib.data.phantoms.outlines import draw_waves, relative_distance

KINDS = ("ring", "solid", "irregular")
ROUGH = {"ring": 0.45, "solid": 0.45, "irregular": 0.55, "smooth": 0.14}  # texture, as a share of the brightness


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
    """Draw a lesion; area: median share of the image, sigma of its logarithm; contrast: least and greatest, 0 to 1."""
    kind = KINDS[int(rng.choice(3, p=(0.3, 0.45, 0.25)))]
    waves = draw_waves(rng, {"ring": 0.07, "solid": 0.05, "irregular": 0.13}[kind])
    return Lesion(
        kind=kind,
        area=float(np.clip(area[0] * np.exp(area[1] * rng.normal()), 0.003, 0.08)),
        place=float(rng.random()),
        stretch=float(rng.uniform(1.0, 1.45)),
        turn=float(rng.uniform(0, np.pi)),
        waves=waves,
        contrast=float(rng.uniform(*contrast)),
        rim=float(rng.uniform(0.32, 0.55)),
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


def paint_lesion(
    clean: np.ndarray,
    brain: np.ndarray,
    lesion: Lesion,
    centre: tuple[float, float],
    levels: dict[str, float],
    white: np.ndarray,
    share: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint a lesion and its halo into a noise-free slice; return (slice, mask of the lesion without its halo).

    clean: float32 (H, W), about 0..1; brain: bool (H, W), where a lesion may be seen; centre: x, y in pixels; levels:
    brightness of `rim`, `core`, `solid` and `oedema` at full contrast; white: bool (H, W), where oedema spreads most;
    share: the radius in this slice over that in the lesion's middle. The input is not changed.
    """
    height, width = clean.shape
    full = float(np.sqrt(lesion.area * height * width / np.pi))
    reach = int(np.ceil(full * np.sqrt(lesion.stretch) * lesion.halo * 1.7))
    left, top = (int(np.floor(c)) - reach for c in centre)
    y, x = np.mgrid[top : top + 2 * reach + 1, left : left + 2 * reach + 1].astype(np.float32)
    distance = relative_distance(lesion, x - np.float32(centre[0]), y - np.float32(centre[1]), full * share)
    noise = np.random.default_rng(lesion.grain).standard_normal(distance.shape, dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), max(1.0, height / 110))
    noise /= max(float(noise.std()), 1e-6)
    # Cut the window to the image.
    rows = slice(max(top, 0), min(top + 2 * reach + 1, height))
    columns = slice(max(left, 0), min(left + 2 * reach + 1, width))
    inner = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    distance, noise, window = distance[inner], noise[inner], (rows, columns)
    before, solid = clean[window], brain[window]
    edge = np.clip((1 - distance) * 9, 0, 1) * solid
    if lesion.kind == "ring":
        rim = np.clip((distance - (1 - lesion.rim + 0.06 * noise)) * 8, 0, 1)
        target = levels["core"] + (levels["rim"] - levels["core"]) * rim
    else:
        target = np.full_like(before, levels["solid"])
    target = np.clip(target * (1 + np.float32(ROUGH[lesion.kind]) * noise), 0.05, 1.0)
    far = lesion.halo * (1 + 0.12 * noise)
    swelling = np.clip((far - distance) / np.maximum(far - 1, 0.1) * 1.6, 0, 1) * (distance >= 0.9)
    swelling = (swelling * np.where(white[window], 0.85, 0.35) * solid).astype(np.float32)
    swelling = cv2.GaussianBlur(swelling, (0, 0), height / 180) * solid
    after = before + lesion.contrast * swelling * (levels["oedema"] - before)
    after = after + lesion.contrast * edge * (target - after)
    out, inside = clean.copy(), np.zeros(clean.shape, dtype=bool)
    out[window], inside[window] = after, (distance < 1) & solid
    return out, inside
