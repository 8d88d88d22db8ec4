"""How bright each tissue is on T1, contrast-enhanced T1, T2 and FLAIR; texture, bias field and Rician noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from studylib.data.phantoms.head import anatomy

# Brightness, 0 to 1, in the order of the tissue map:
#         air   fat   muscle bone marrow csf  grey  white deep  dura  ventr. folia stem  sinus eye
BRIGHTNESS = {
    "t1": (0.01, 0.70, 0.28, 0.04, 0.38, 0.10, 0.34, 0.49, 0.40, 0.24, 0.08, 0.38, 0.45, 0.16, 0.12),
    "t1c": (0.01, 0.66, 0.25, 0.03, 0.28, 0.08, 0.27, 0.34, 0.29, 0.40, 0.06, 0.28, 0.32, 0.80, 0.09),
    "t2": (0.01, 0.50, 0.16, 0.03, 0.24, 0.54, 0.36, 0.25, 0.31, 0.24, 0.58, 0.34, 0.26, 0.08, 0.58),
    "flair": (0.01, 0.60, 0.22, 0.03, 0.22, 0.07, 0.37, 0.29, 0.35, 0.20, 0.05, 0.35, 0.30, 0.12, 0.08),
}
# Brightness of a lesion at full contrast. An unenhanced lesion is dark on T1, its rim hardly differs from the brain.
LESIONS = {
    "t1": {"rim": 0.32, "core": 0.14, "solid": 0.23, "oedema": 0.33},
    "t1c": {"rim": 0.75, "core": 0.25, "solid": 0.62, "oedema": 0.22},
    "t2": {"rim": 0.72, "core": 0.60, "solid": 0.65, "oedema": 0.45},
    "flair": {"rim": 0.75, "core": 0.40, "solid": 0.62, "oedema": 0.42},
}
LOOKS = tuple(BRIGHTNESS)


@dataclass(frozen=True, eq=False)
class Look:
    """One patient's scanner settings."""

    name: str
    brightness: np.ndarray  # (15,) by tissue
    lesion: dict[str, float]
    gain: float
    gamma: float
    bias: np.ndarray  # (5,): coefficients of x, y, x^2, xy, y^2
    texture: float
    noise: float  # of the Rician noise, in units of full brightness
    blur: float  # in pixels of the finished image


def draw_look(name: str, rng: np.random.Generator) -> Look:
    """Draw one patient's variant of a look (t1, t1c, t2, flair)."""
    if name not in BRIGHTNESS:
        raise ValueError(f"look '{name}' is unknown (known: {', '.join(LOOKS)})")
    base = np.array(BRIGHTNESS[name]) * rng.normal(1, 0.05, len(anatomy.TISSUES)).clip(0.85, 1.15)
    base[anatomy.FAT] *= rng.uniform(0.55, 1.25)  # fat suppression and coil loading differ most between scanners
    base[anatomy.STEM] = 0.7 * base[anatomy.WHITE] + 0.3 * base[anatomy.GREY]
    return Look(
        name=name,
        brightness=base.astype(np.float32),
        lesion=dict(LESIONS[name]),
        gain=float(rng.uniform(0.88, 1.06)),
        gamma=float(rng.uniform(0.93, 1.08)),
        bias=rng.normal(0, 0.05, 5),
        texture=float(rng.uniform(0.03, 0.07)),
        noise=float(rng.uniform(0.006, 0.020)),
        blur=float(rng.uniform(0.35, 0.60)),
    )


def colour(tissue: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Give a tissue map (2 s, 2 s) its brightness and texture, without noise: float32 (2 s, 2 s), about 0..1."""
    n = tissue.shape[0]
    grain = cv2.resize(rng.normal(0, 1, (n // 3, n // 3)).astype(np.float32), (n, n), interpolation=cv2.INTER_CUBIC)
    clean = look.brightness[tissue] * (1 + np.float32(look.texture) * grain)
    return clean.astype(np.float32)


def shrink(clean: np.ndarray, look: Look) -> np.ndarray:
    """Blur like a scanner's point spread and halve the size, float32 (s, s)."""
    n = clean.shape[0] // 2
    return cv2.resize(cv2.GaussianBlur(clean, (0, 0), 2 * look.blur), (n, n), interpolation=cv2.INTER_AREA)


def expose(clean: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Apply gamma, bias field and gain, add Rician noise, store as uint8 (s, s); the noise is that of `rng` alone."""
    n = clean.shape[0]
    line = np.linspace(-1, 1, n, dtype=np.float32)
    x, y = line[None, :], line[:, None]
    b = look.bias.astype(np.float32)
    field = np.exp(b[0] * x + b[1] * y + b[2] * (x * x - 0.33) + b[3] * x * y + b[4] * (y * y - 0.33))
    signal = np.clip(clean, 0, None) ** np.float32(look.gamma) * field * np.float32(look.gain)
    real, imaginary = rng.standard_normal((2, n, n), dtype=np.float32) * np.float32(look.noise)
    return np.rint(np.clip(np.hypot(signal + real, imaginary), 0, 1) * 255).astype(np.uint8)
