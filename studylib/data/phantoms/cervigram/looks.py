"""How a cervigram looks: colours of tissues and metal, relief, wet highlights, the lamp, focus and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from studylib.data.phantoms.cervigram.anatomy import Anatomy
from studylib.data.phantoms.cervigram.scene import CERVIX, POLYP, Layout

# Red, green, blue, 0 to 1, as a camera with a flash sees them
COLOURS = {
    "wall": (0.80, 0.45, 0.43),
    "squamous": (0.90, 0.66, 0.62),
    "metaplastic": (0.84, 0.47, 0.43),
    "columnar": (0.72, 0.23, 0.21),
    "canal": (0.86, 0.55, 0.52),
    "lumen": (0.13, 0.03, 0.03),
    "white": (0.97, 0.92, 0.87),
    "ulcer": (0.42, 0.09, 0.08),
    "necrosis": (0.74, 0.63, 0.36),
    "polyp": (0.76, 0.19, 0.20),
    "cyst": (0.95, 0.86, 0.66),
    "metal": (0.60, 0.62, 0.65),
    "dark": (0.035, 0.025, 0.025),
}


@dataclass(frozen=True)
class Tissue:
    """What a woman's photographs share: shifts of mucosa's colour (red, green, blue), how strong its texture is."""

    shift: tuple[float, float, float]
    texture: float


@dataclass(frozen=True)
class Look:
    """One photograph: lamp's colour and place, how fast its light falls off, focus (sigma in pixels where the longer
    side has 160), noise, number of highlights and their seed.
    """

    lamp: tuple[float, float, float]
    lamp_at: tuple[float, float]
    fall: float
    focus: float
    noise: float
    glints: int
    seed: int


def draw_tissue(rng: np.random.Generator) -> Tissue:
    """Draw a woman's mucosa."""
    pale, warm = rng.normal(0, 0.035), rng.normal(0, 0.02)
    return Tissue((float(0.4 * pale), float(pale), float(pale - warm)), float(rng.uniform(0.7, 1.3)))


def draw_look(rng: np.random.Generator) -> Look:
    """Draw a photograph's light and focus."""
    gain, warm = rng.uniform(0.88, 1.05), rng.normal(0, 0.025)
    return Look(
        lamp=(float(gain * (1 + warm)), float(gain), float(gain * (1 - warm))),
        lamp_at=tuple(float(v) for v in rng.normal(0, 0.08, 2)),
        fall=float(rng.uniform(0.35, 0.75)),
        focus=float(rng.uniform(0.35, 0.75)),
        noise=float(rng.uniform(0.006, 0.016)),
        glints=int(rng.integers(4, 10)),
        seed=int(rng.integers(2**32)),
    )


def paint(layout: Layout, anatomy: Anatomy, tissue: Tissue, look: Look) -> np.ndarray:
    """Paint a photograph in sharp focus, float32 (3, H, W), about 0 to 1."""
    coarse, medium, fine = (np.float32(tissue.texture) * g for g in layout.grain)
    image = _wall(layout, tissue, coarse, medium, fine)
    _cervix(image, layout, anatomy, tissue, (coarse, medium, fine))
    _os(image, layout, anatomy, tissue)
    _lesion(image, layout, anatomy, (coarse, medium, fine))
    _cysts(image, layout, anatomy)
    _polyp(image, layout, anatomy, medium)
    _folds(image, layout, tissue, (coarse, medium, fine))
    image *= _light(layout, look) * _planes(look.lamp)
    _glints(image, layout, look)
    _blades(image, layout, coarse, look)
    _lay(image, COLOURS["dark"], cv2.GaussianBlur((~layout.lit).astype(np.float32), (0, 0), 0.012 * len(layout.y)))
    return image


def expose(image: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Take the photograph of a painting (3, H, W), through a lens out of focus, with noise: uint8 (H, W, 3)."""
    image = cv2.GaussianBlur(cv2.merge(list(image)), (0, 0), look.focus * image.shape[2] / 160)
    image += np.float32(look.noise) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)


def plant_reflection(
    image: np.ndarray, blade: np.ndarray, rng: np.random.Generator, size: float = 0.045
) -> tuple[np.ndarray, np.ndarray]:
    """Let the lamp shine back from a blade of the speculum; return (image, mask of the reflection).

    image: uint8 (H, W, 3), not changed; blade: bool (H, W); size: its radius as a share of the height. ValueError where
    no blade is seen.
    """
    if not blade.any():
        raise ValueError("no pixel belongs to a blade, so nothing can reflect the lamp")
    depth = cv2.distanceTransform(np.pad(blade.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    radius = size * len(image)
    deep = np.flatnonzero(depth >= min(radius, 0.8 * float(depth.max())))
    y, x = divmod(int(rng.choice(deep)), image.shape[1])
    down, across = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    away = np.hypot(across - np.float32(x), 1.3 * (down - np.float32(y))) / np.float32(radius)
    weight = np.clip(1.5 * np.exp(-0.5 * (away / 0.55) ** 2) - 0.05, 0, 1) * blade
    mixed = image + weight[..., None] * (np.float32((255, 255, 246)) - image)
    return np.rint(mixed).astype(np.uint8), weight > 0


def _planes(colour) -> np.ndarray:
    """A colour as planes (3, 1, 1); an image (3, H, W) stays as it is."""
    colour = np.asarray(colour, np.float32)
    return colour[:, None, None] if colour.ndim == 1 else colour


def _lay(image: np.ndarray, colour, weight: np.ndarray) -> None:
    """Cover an image (3, H, W) with a colour, or with another image, by weight (H, W), in place."""
    change = _planes(colour) - image
    change *= weight
    image += change


def _soft(depth: np.ndarray, pixel: float, width: float = 1.2) -> np.ndarray:
    """Weight of what is `depth` radii inside its edge, `width` pixels wide or, in a large picture, 0.012 radii."""
    return np.clip(depth / np.float32(max(width * pixel, 0.012)) + np.float32(0.5), 0, 1)


def _mucosa(name: str, tissue: Tissue) -> np.ndarray:
    return _planes(np.array(COLOURS[name]) + tissue.shift)


def _wall(layout: Layout, tissue: Tissue, coarse, medium, fine) -> np.ndarray:
    """Vaginal wall in folds, dark in the fornix around the cervix."""
    far = np.hypot(layout.u, layout.v)
    folds = np.sin(9.5 * far + 1.1 * coarse + 0.25 * medium)
    shade = 0.80 + 0.16 * folds + 0.05 * medium + 0.02 * fine
    shade *= np.clip(0.18 + 1.9 * (far - 1.0), 0.12, 1.0)
    return shade * _mucosa("wall", tissue)


def _cervix(image, layout: Layout, anatomy: Anatomy, tissue: Tissue, grain) -> None:
    """A dome of squamous epithelium, and the zone on it: columnar inside the junction, metaplastic outside."""
    coarse, medium, fine = grain
    r, at, pixel = layout.r, layout.at, layout.pixel
    os, border, zone = anatomy.os[at], anatomy.border[at], anatomy.zone[at]
    shade = 1.03 - 0.36 * np.square(np.square(np.clip(r / border, 0, 1.1))) + 0.03 * coarse + 0.028 * medium
    skin = np.empty_like(image)
    skin[:] = _mucosa("squamous", tissue)
    vessels = np.clip(1 - np.abs(medium + 0.3 * coarse) / 0.10, 0, 1)
    _lay(skin, COLOURS["columnar"], 0.13 * vessels)
    shade += 0.02 * fine
    red = np.clip((zone - r) / 0.05 + 0.5 + 0.25 * medium, 0, 1) * (zone > os)
    _lay(skin, _mucosa("metaplastic", tissue), (0.9 + 0.1 * np.clip(coarse, -1, 1)) * red)
    if anatomy.junction:
        scj = os + np.float32(anatomy.junction) * (zone - os)
        inner = np.clip((scj - r) / 0.03 + 0.5 + 0.3 * medium, 0, 1)
        _lay(skin, COLOURS["columnar"], inner)
        shade += inner * (0.10 * fine + 0.05 * medium)  # villi
        _lay(skin, COLOURS["white"], 0.35 * np.exp(-np.square((r - scj) / 0.025)))
    if anatomy.finding.value("cervix_distorted") > 0:  # a scar runs into the dent
        turn = np.float32(anatomy.dent_at)
        along = layout.u * np.cos(turn) + layout.v * np.sin(turn)
        across = layout.v * np.cos(turn) - layout.u * np.sin(turn) + np.float32(0.04) * coarse
        deep = np.float32(min(2.2 * anatomy.finding.value("cervix_distorted"), 0.6))
        shade *= 1 - deep * np.exp(-np.square(across / 0.05)) * np.clip(along * 4 - 0.6, 0, 1)
    skin *= shade
    _lay(image, skin, _soft(border - r, pixel))


def _os(image, layout: Layout, anatomy: Anatomy, tissue: Tissue) -> None:
    """The opening: the wall of its canal, columnar beyond the junction, getting dark with depth."""
    os = anatomy.os[layout.at]
    depth = np.clip(1 - layout.r / os, 0, 1)
    lip = np.exp(-np.square((layout.r - os) / 0.035))
    image *= 1 - 0.22 * lip
    canal = np.empty_like(image)
    canal[:] = _mucosa("canal", tissue)
    if anatomy.depth < 1:
        _lay(canal, COLOURS["columnar"], np.clip((depth - 0.75 * anatomy.depth) / 0.08 + 0.5, 0, 1))
    dark = np.clip((depth - 0.25) / 0.75, 0, 1) ** np.float32(0.7) * 1.05
    _lay(canal, COLOURS["lumen"], np.clip(dark, 0, 1))
    _lay(image, canal, _soft(os - layout.r, layout.pixel))


def _lesion(image, layout: Layout, anatomy: Anatomy, grain) -> None:
    """Acetowhite epithelium: opaque, with a sharp border; and where it is ulcerated, blood and necrosis."""
    lesion = anatomy.lesion
    if lesion is None or not layout.lesion.any():
        return
    coarse, medium, fine = grain
    sigma = max(0.45, 0.008 / layout.pixel)
    white = cv2.GaussianBlur(layout.lesion.astype(np.float32), (0, 0), sigma)
    tone = 0.97 - 0.16 * np.square(np.clip(layout.way, 0, 1.2)) + 0.02 * fine + 0.02 * medium
    patchy = lesion.density + 0.08 * np.clip(coarse + 0.5 * medium, -2, 1)
    _lay(image, tone * _planes(COLOURS["white"]), white * np.clip(patchy, 0, 1))
    if layout.ulcer.any():
        sore = cv2.GaussianBlur(layout.ulcer.astype(np.float32), (0, 0), sigma)
        _lay(image, COLOURS["ulcer"], 0.9 * sore)
        _lay(image, COLOURS["necrosis"], sore * np.clip(fine * 0.7 + 0.8 * medium - 0.4, 0, 0.9))


def _cysts(image, layout: Layout, anatomy: Anatomy) -> None:
    """Naboth's cysts: small yellowish domes with a spot of light."""
    for x, y, radius in anatomy.cysts:
        away = np.hypot(layout.u - x, layout.v - y) / radius
        _lay(image, COLOURS["cyst"], 0.8 * _soft(radius * (1 - away), layout.pixel))


def _polyp(image, layout: Layout, anatomy: Anatomy, medium) -> None:
    """A smooth red lobe that hangs out of the os and throws a shadow."""
    if not anatomy.polyp:
        return
    inside = layout.polyp / np.float32(anatomy.polyp)  # 1 in its middle
    image *= 1 - 0.45 * np.clip(1 + layout.polyp / 0.06, 0, 1)
    tone = 0.70 + 0.42 * np.clip(inside, 0, 1) + 0.04 * medium
    _lay(image, tone * _planes(COLOURS["polyp"]), _soft(layout.polyp, layout.pixel))


def _folds(image, layout: Layout, tissue: Tissue, grain) -> None:
    """The wall that closes in from the side lies nearer to the lamp and throws a shadow on what it covers."""
    coarse, medium, fine = grain
    image *= 1 - 0.55 * np.clip(1 + layout.folds / 0.10, 0, 1)
    ridges = np.sin(13 * layout.folds + 0.7 * coarse + 0.3 * medium)
    tone = 0.90 + 0.12 * ridges + 0.04 * medium + 0.02 * fine
    tone *= np.clip(0.55 + 4.5 * layout.folds, 0.5, 1.0)
    _lay(image, tone * _mucosa("wall", tissue), _soft(layout.folds, layout.pixel))


def _light(layout: Layout, look: Look) -> np.ndarray:
    """The lamp's spot."""
    x, y = layout.x - np.float32(look.lamp_at[0]), layout.y - np.float32(look.lamp_at[1])
    return np.clip(1.06 - np.float32(look.fall) * (x * x + y * y), 0.2, 1.2)


def _glints(image, layout: Layout, look: Look) -> None:
    """Wet highlights: clusters of small, saturated spots where the dome faces the lamp."""
    rng, wet = np.random.default_rng(look.seed), np.zeros(layout.r.shape, np.float32)
    for _ in range(look.glints):
        turn, far = rng.uniform(0, 2 * np.pi), 0.75 * np.sqrt(rng.random())
        x, y = far * np.cos(turn) + look.lamp_at[0], far * np.sin(turn) + look.lamp_at[1] - 0.1
        a, b = rng.uniform((0.03, 0.012), (0.10, 0.035))
        tilt = np.float32(rng.normal(0, 0.5))
        du, dv = layout.u - np.float32(x), layout.v - np.float32(y)
        along, across = du * np.cos(tilt) + dv * np.sin(tilt), dv * np.cos(tilt) - du * np.sin(tilt)
        wet = np.maximum(wet, 1.3 - np.square(along / np.float32(a)) - np.square(across / np.float32(b)))
    seen = (layout.regions >= CERVIX) & (layout.regions <= POLYP)
    _lay(image, (1.0, 0.99, 0.97), np.clip(1.4 * wet + 0.5 * layout.grain[2] * (wet > 0), 0, 1) * seen)


def _blades(image, layout: Layout, coarse, look: Look) -> None:
    """Metal: grey, a bright edge, bands of reflected wall, and the shadow before it."""
    blade = layout.blade.view(np.uint8)
    height = len(layout.y)
    depth = cv2.distanceTransform(blade, cv2.DIST_L2, 3) / np.float32(height)
    before = cv2.GaussianBlur(layout.blade.astype(np.float32), (0, 0), 0.02 * height)
    image *= 1 - 0.6 * before
    tone = 0.66 + 0.03 * coarse + 0.05 * np.cos(90 * depth + 0.3 * coarse) - 0.5 * depth
    for place, width, bright in ((0.0, max(0.007, 1.2 / height), 0.5), (0.025, 0.010, -0.22), (0.062, 0.016, 0.42)):
        tone += bright * np.exp(-np.square((depth - place) / width))
    metal = tone * _planes(COLOURS["metal"])
    pink = np.clip(0.25 - 4 * depth, 0, 0.25)
    _lay(metal, 0.8 * np.float32(COLOURS["wall"]), pink)
    sigma = max(0.5, 0.0015 * height)
    _lay(image, metal * _planes(look.lamp), cv2.GaussianBlur(layout.blade.astype(np.float32), (0, 0), sigma))
