"""From cells to a picture: each adds optical density, so that what overlaps is seen through (Beer-Lambert).

Papanicolaou's stains: haematoxylin in nuclei, light green or eosin in cytoplasm. Densities are decadic, red green blue.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from studylib.data.phantoms.cell.kinds import Cell, Shape
from studylib.data.phantoms.outlines import relative_distance

HAEMATOXYLIN = np.array([0.66, 0.72, 0.42], np.float32)
GREEN = np.array([0.34, 0.12, 0.11], np.float32)
EOSIN = np.array([0.07, 0.30, 0.22], np.float32)


@dataclass(frozen=True)
class Slide:
    """What all pictures of a slide share: strength of each stain, colour of the lamp, focus (pixels), noise."""

    stain: tuple[float, float, float]  # haematoxylin, green, eosin
    lamp: tuple[float, float, float]
    blur: float
    noise: float


def draw_slide(rng: np.random.Generator) -> Slide:
    """Draw one slide's stain and light."""
    return Slide(
        stain=tuple(float(v) for v in rng.uniform(0.8, 1.2, 3)),
        lamp=tuple(float(v) for v in rng.uniform(0.90, 1.0, 3)),
        blur=float(rng.uniform(0.5, 1.3)),
        noise=float(rng.uniform(0.006, 0.016)),
    )


def grid(shape: tuple[int, int], centre: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (x, y) of every pixel's middle from a point, float32 (H, W) each."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return x - np.float32(centre[0]), y - np.float32(centre[1])


def inside(shape: tuple[int, int], outline: Shape, centre: tuple[float, float], step: int = 1) -> np.ndarray:
    """The pixels of an outline around a point, of every so many, bool (H, W) or fewer."""
    x, y = (offsets[::step, ::step] for offsets in grid(shape, centre))
    return relative_distance(outline, x, y, outline.radius) < 1


def add_cell(
    density: np.ndarray, cell: Cell, centre: tuple[float, float], slide: Slide
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a cell over the light, in place. density: float32 (H, W, 3) -> its body and its nuclei, bool (H, W) each."""
    shape = density.shape[:2]
    rng = np.random.default_rng(cell.grain)
    folds, grain = (
        _texture(shape, sigma, rng) for sigma in (0.22 * cell.body.radius, max(0.8, 0.10 * cell.nucleus.radius))
    )
    distance = relative_distance(cell.body, *grid(shape, centre), cell.body.radius)
    edge = np.clip((1 - distance) * cell.body.radius / 1.5, 0, 1)
    rim = 1 + 0.25 * np.clip(1 - np.abs(distance - 0.95) / 0.06, 0, 1)  # the border of a cell lies double
    depth = cell.density * edge * rim * np.clip(1 + 0.16 * folds, 0.3, 2)
    body, nuclei = distance < 1, np.zeros(shape, bool)
    for x, y in cell.offsets:
        away = relative_distance(cell.nucleus, *grid(shape, (centre[0] + x, centre[1] + y)), cell.nucleus.radius)
        if cell.halo:
            zone = np.clip((2.6 - away) / 0.5, 0, 1) * np.clip((away - 0.9) / 0.2, 0, 1)
            depth = depth * (1 - 0.8 * cell.halo * zone)
        solid = np.clip((1 - away) * cell.nucleus.radius / 1.2, 0, 1)
        membrane = 1 + 0.25 * np.clip(1 - np.abs(away - 0.92) / 0.10, 0, 1)
        chromatin = cell.chromatin[0] * membrane * np.clip(1 + cell.chromatin[1] * grain, 0.25, 2.2)
        density += (solid * chromatin)[..., None] * (slide.stain[0] * HAEMATOXYLIN)
        nuclei |= away < 1
    mix = (1 - cell.eosin) * slide.stain[1] * GREEN + cell.eosin * slide.stain[2] * EOSIN
    density += depth[..., None].astype(np.float32) * mix
    return body, nuclei


def add_debris(density: np.ndarray, at: tuple[float, float], radius: float, rng: np.random.Generator) -> np.ndarray:
    """Lay a lobed speck (a leucocyte's nucleus, a clump) over the light, in place -> its pixels, bool (H, W)."""
    found = np.zeros(density.shape[:2], bool)
    for _ in range(int(rng.integers(2, 5))):
        x, y = rng.normal(0, 0.7 * radius, 2)
        away = np.hypot(*grid(density.shape[:2], (at[0] + x, at[1] + y))) / radius
        density += (np.clip((1 - away) * radius / 1.2, 0, 1) * 0.75)[..., None] * HAEMATOXYLIN
        found |= away < 1
    return found


def expose(density: np.ndarray, slide: Slide, rng: np.random.Generator) -> np.ndarray:
    """Light through the densities, out of focus by the slide's blur, with noise: uint8 (H, W, 3)."""
    height, width = density.shape[:2]
    few = rng.standard_normal((4, 4), dtype=np.float32)
    uneven = cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    light = np.float32(slide.lamp) * 10 ** -(density + 0.02) * (1 + 0.01 * uneven)
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), slide.blur)
    light = light + rng.normal(0, slide.noise, light.shape).astype(np.float32)
    return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)


def _texture(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of deviation 1, float32 (H, W)."""
    step = max(1, int(sigma / 2))  # a smooth field needs no fine grid
    few = rng.standard_normal((shape[0] // step + 2, shape[1] // step + 2), dtype=np.float32)
    noise = cv2.GaussianBlur(few, (0, 0), max(sigma / step, 0.5))
    noise = cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / max(float(noise.std()), 1e-6)
