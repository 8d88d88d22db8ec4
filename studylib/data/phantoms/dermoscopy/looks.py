"""How dermoscopic pictures look: skin in six tones, pigments that absorb, veils that scatter, lamp and focus."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from studylib.data.phantoms.dermoscopy.scene import Layout, Patch
from studylib.data.phantoms.dermoscopy.structures import stamp

# Fitzpatrick's skin types: red, green, blue under a dermatoscope, and how often
TONES = {
    "I": ((0.93, 0.76, 0.73), 0.22),
    "II": ((0.90, 0.70, 0.65), 0.33),
    "III": ((0.83, 0.62, 0.54), 0.22),
    "IV": ((0.70, 0.50, 0.40), 0.12),
    "V": ((0.54, 0.36, 0.27), 0.07),
    "VI": ((0.38, 0.25, 0.19), 0.04),
}
MELANIN = np.array([0.62, 1.00, 1.18], np.float32)  # what a unit absorbs of red, green, blue (natural logarithm)
BLOOD = np.array([0.20, 1.00, 0.72], np.float32)
SCATTER = {"blue": (0.40, 0.45, 0.56), "white": (0.95, 0.90, 0.89), "keratin": (0.93, 0.82, 0.56)}
LIGHT, DARK, BLACK = 0.25, 1.00, 1.90  # melanin from which on a pixel is light brown, dark brown, black
COLOURS = ("light brown", "dark brown", "black", "pink", "red", "blue-grey", "white", "yellow")
PINK, RED = 0.15, 0.60  # blood from which on it is pink, red
SEEN = 0.05  # share of a lesion from which on a colour counts as one of its colours


@dataclass(frozen=True)
class Skin:
    """What all pictures of a lesion share around it: tone, shift of its colour, how strong its texture is, seed."""

    tone: str
    shift: tuple[float, float, float]
    texture: float
    freckles: float
    seed: int


@dataclass(frozen=True)
class Look:
    """One picture: lamp's colour, how fast its light falls off, focus (sigma in pixels of a picture of 128), noise."""

    lamp: tuple[float, float, float]
    fall: float
    focus: float
    noise: float


def draw_skin(tone: str, rng: np.random.Generator) -> Skin:
    """Draw the skin around a lesion."""
    pale, pink = rng.normal(0, 0.02), rng.normal(0, 0.03)
    return Skin(
        tone=tone,
        shift=(float(pale), float(pale - pink), float(pale - 0.7 * pink)),
        texture=float(rng.uniform(0.6, 1.4)),
        freckles=float(max(rng.normal(0, 0.12), 0)),
        seed=int(rng.integers(2**32)),
    )


def draw_look(rng: np.random.Generator) -> Look:
    """Draw a picture's light and focus; white balance wanders between warm and violet."""
    gain, violet, warm = rng.uniform(0.86, 1.06), rng.normal(0, 0.05), rng.normal(0, 0.03)
    return Look(
        lamp=(float(gain * (1 + warm)), float(gain * (1 - 0.4 * abs(violet))), float(gain * (1 - warm + violet))),
        fall=float(rng.uniform(0.05, 0.35)),
        focus=float(rng.uniform(0.35, 0.80)),
        noise=float(rng.uniform(0.006, 0.016)),
    )


@dataclass(eq=False)
class Layers:
    """What lies in the skin, float32 (H, W) each: melanin and blood in units of absorption, the rest a cover 0..1."""

    melanin: np.ndarray
    blood: np.ndarray
    blue: np.ndarray
    white: np.ndarray
    keratin: np.ndarray


def layers_of(layout: Layout) -> Layers:
    """Lay the pigments and veils of all lesions into a picture; nothing lies outside of them."""
    shape = layout.skin[0].shape
    layers = Layers(*(np.zeros(shape, np.float32) for _ in range(5)))
    for patch in layout.patches:
        _body(layers, patch)
    return layers


def _body(layers: Layers, patch: Patch) -> None:
    """Add one lesion: its body, then its structures in their order."""
    lesion, (coarse, medium, fine) = patch.lesion, patch.noise
    fade = np.clip((1 - patch.way) / np.float32(lesion.soft), 0, 1)
    side = patch.u * np.float32(np.cos(lesion.heavy)) + patch.v * np.float32(np.sin(lesion.heavy))
    uneven = np.exp(np.float32(lesion.patches) * (coarse + np.float32(0.5) * medium) + np.float32(0.10) * fine)
    uneven *= 1 + np.float32(0.8 * lesion.asymmetry) * np.clip(side, -1, 1)
    uneven_blood = np.float32(0.25) * coarse + np.float32(0.22) * medium + np.float32(0.08) * fine
    own = Layers(
        melanin=np.float32(lesion.melanin) * uneven * fade,
        blood=np.float32(lesion.blood) * (1 + uneven_blood) * fade,
        blue=np.zeros_like(fade),
        white=np.zeros_like(fade),
        keratin=np.float32(lesion.keratin) * np.clip(0.6 + medium, 0, 1.2) * fade,
    )
    for name, marks in lesion.structures.items():
        blur = patch.scale * BLURS.get(name, 0.012)
        cover = stamp(marks.ellipses, marks.lines, patch.to_pixels, patch.scale, fade.shape, blur)
        _absorb(own, name, cover * np.float32(marks.strength), patch, fade, marks)
    edge = np.clip((1 - patch.way) * np.float32(patch.scale / 1.5), 0, 1)  # marks end where the lesion does
    for name, value in vars(own).items():
        total = getattr(layers, name)
        total += np.clip(value, 0, None if name in ("melanin", "blood") else 1) * edge


# How far the marks of a structure spread, in radii
BLURS = {"veil": 0.12, "regression": 0.10, "scar": 0.14, "keratin": 0.06, "ulcer": 0.04, "scale": 0.03}
BLURS |= {"lacunae": 0.025, "nests": 0.025, "follicles": 0.02, "leaves": 0.02}


def _absorb(own: Layers, name: str, cover: np.ndarray, patch: Patch, fade: np.ndarray, marks) -> None:
    """Add one structure to its lesion's layers, in place. cover: of its marks, float32 (H, W)."""
    f = np.float32
    coarse, medium, fine = patch.noise
    if name == "network":
        mesh = _mesh(patch, marks.amount) * f(marks.strength) * fade * np.clip(f(0.8) + f(0.5) * medium, 0, 1.4)
        own.melanin += mesh * (f(0.30) + f(0.50) * own.melanin)
    elif name in ("globules", "openings"):
        own.melanin += cover * (f(0.55) + f(0.45) * own.melanin) * (1 if name == "globules" else f(1.5))
    elif name == "streaks":
        own.melanin += cover * (f(0.5) + f(0.4 * patch.lesion.melanin))
    elif name in ("leaves", "nests"):
        own.melanin += cover * f(0.75)
        own.blue += cover * f(0.45)
    elif name == "lacunae":
        # round lakes of blood, some dark, with pale septa between them
        own.blood = own.blood * (f(0.55) + f(0.65) * cover) + cover * f(0.6)
        own.melanin += cover * np.clip(coarse, 0, 1) * f(0.4)
        own.white += f(0.22) * (1 - np.clip(cover, 0, 1)) * fade
    elif name == "veil":
        own.melanin *= 1 - f(0.35) * cover
        own.blue += cover * f(0.75) * np.clip(1 + f(0.15) * medium, 0, 1.2)
    elif name == "regression":
        own.melanin *= 1 - f(0.7) * cover
        own.white += cover * f(0.30)
        own.blue += cover * f(0.20) * np.clip(medium, 0, 1)
    elif name in ("vessels", "dots"):
        own.blood += cover * f(1.3)
    elif name == "ulcer":
        own.blood += cover * f(1.5)
        own.melanin += cover * f(0.7) * np.clip(f(0.6) + medium, 0, 1.5)
    elif name in ("scar", "cysts"):
        for layer in (own.melanin, own.blood):
            layer *= 1 - f(0.75) * np.clip(cover, 0, 1)
        own.white += cover * f(0.60 if name == "scar" else 0.75)
    else:  # follicles, keratin, scale: what does not absorb, white or yellow, and flakes
        cover = cover * np.clip(f(0.75) + f(0.35) * medium + f(0.25) * fine, 0, 1.1)
        own.melanin *= 1 - f(0.6) * np.clip(cover, 0, 1)
        own.keratin += cover * f(0.65 if name != "follicles" else 0.35)
        own.white += cover * f(0.10 if name != "follicles" else 0.35)


def _mesh(patch: Patch, mesh: float) -> np.ndarray:
    """A honeycomb that is not quite regular, float32 (H, W) in 0..1: dark lines around lighter holes."""
    k = np.float32(2 * np.pi / mesh)
    warp = np.float32(0.30 * mesh)
    u = patch.u + warp * (patch.noise[0] + patch.noise[1])
    v = patch.v + warp * (patch.noise[0] - patch.noise[1])
    waves = sum(np.cos(k * (u * np.float32(np.cos(a)) + v * np.float32(np.sin(a)))) for a in (0, 2.0944, 4.1888))
    return np.clip(np.float32(0.35) - waves / np.float32(1.6), 0, 1)


def colours_of(layers: Layers, lesion: np.ndarray) -> tuple[str, ...]:
    """Those of COLOURS that cover at least SEEN of a lesion, bool (H, W); pink and red where brown hides neither."""
    veiled = (layers.blue > 0.25) | (layers.white > 0.30) | (layers.keratin > 0.30)
    melanin, bloody = np.where(veiled, 0, layers.melanin), ~veiled & (layers.blood > layers.melanin)
    found = (
        (melanin > LIGHT) & (melanin <= DARK),
        (melanin > DARK) & (melanin <= BLACK),
        melanin > BLACK,
        bloody & (layers.blood > PINK) & (layers.blood <= RED),
        bloody & (layers.blood > RED),
        layers.blue > 0.25,
        (layers.white > 0.30) & (layers.white >= layers.keratin),
        (layers.keratin > 0.30) & (layers.keratin > layers.white),
    )
    area = max(int(lesion.sum()), 1)
    return tuple(n for n, where in zip(COLOURS, found, strict=True) if (where & lesion).sum() >= SEEN * area)


def paint(layers: Layers, skin: Skin, noise: tuple[np.ndarray, ...]) -> np.ndarray:
    """Skin and what lies in it, in white light and sharp, float32 (H, W, 3), about 0 to 1."""
    coarse, medium, fine = (np.float32(skin.texture) * n for n in noise)
    rough = np.float32(0.016) * coarse + np.float32(0.016) * medium + np.float32(0.022) * fine
    colour = np.float32(TONES[skin.tone][0]) + np.float32(skin.shift)
    melanin = layers.melanin + np.float32(skin.freckles) * np.clip(medium + np.float32(0.6) * coarse - 0.4, 0, 2)
    blood = layers.blood + np.float32(0.05) * np.clip(coarse, -1, 2)
    bright = np.float32(0.55 + 0.45 * colour.mean() / 0.75)  # dark skin scatters less light back
    veils = [(SCATTER[name], np.clip(getattr(layers, name), 0, 0.9)) for name in SCATTER if getattr(layers, name).any()]
    planes = []
    for c in range(3):
        plane = np.exp(-(MELANIN[c] * melanin + BLOOD[c] * blood)) * (colour[c] + colour[c] * rough)
        for veil, cover in veils:
            plane += cover * (np.float32(veil[c]) * bright - plane)
        planes.append(plane)
    return cv2.merge(planes)


def light(image: np.ndarray, look: Look) -> np.ndarray:
    """Light a painted picture and put it out of focus, float32 (H, W, 3)."""
    size = image.shape[0]
    steps = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size) - 1
    fall = 1 - np.float32(look.fall / 2) * (np.square(steps)[:, None] + np.square(steps)[None, :])
    lit = image * cv2.merge([fall * np.float32(gain) for gain in look.lamp])
    return cv2.GaussianBlur(lit, (0, 0), look.focus * size / 128)


def expose(image: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Add a camera's noise: uint8 (H, W, 3)."""
    noisy = image + np.float32(look.noise) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
