"""Sagittal slices, facing left: level 0 in the midline (corpus callosum, stem, cerebellum), 1 through a temporal lobe."""

from __future__ import annotations

import numpy as np

from studylib.data.phantoms.head.anatomy import (
    AIR,
    BONE,
    CSF,
    DEEP,
    DURA,
    EYE,
    FAT,
    FOLIA,
    GREY,
    MARROW,
    MUSCLE,
    SINUS,
    STEM,
    VENTRICLE,
    WHITE,
    Canvas,
    fold,
    paint_cortex,
    sulcus_paths,
    wrap_skull,
)
from studylib.data.phantoms.head.curves import closed, ellipse, opened, swell

VAULT = [(-0.61, -0.12), (-0.60, -0.34), (-0.45, -0.58), (-0.18, -0.71), (0.14, -0.72), (0.42, -0.59), (0.60, -0.34)]
VAULT += [(0.645, -0.05), (0.56, 0.18), (0.42, 0.36), (0.25, 0.42), (0.13, 0.38), (0.03, 0.24), (-0.07, 0.10)]
VAULT += [(-0.22, 0.05), (-0.42, 0.02), (-0.57, -0.01)]
PROFILE = [(-0.69, -0.15), (-0.68, -0.02), (-0.73, 0.10), (-0.84, 0.24), (-0.80, 0.30), (-0.73, 0.32), (-0.77, 0.40)]
PROFILE += [(-0.74, 0.46), (-0.77, 0.54), (-0.72, 0.60), (-0.74, 0.70), (-0.66, 0.80), (-0.42, 0.84), (-0.30, 0.92)]
NECK = [(-0.28, 1.4), (0.46, 1.4), (0.44, 0.80), (0.50, 0.50), (0.66, 0.20), (0.2, -0.1)]
SIDE = [(-0.68, -0.15), (-0.67, 0.0), (-0.69, 0.12), (-0.68, 0.30), (-0.66, 0.48), (-0.62, 0.66), (-0.48, 0.76), (-0.30, 0.86)]
ARCH = [(-0.17, -0.02), (-0.27, -0.07), (-0.29, -0.16), (-0.20, -0.245), (0.0, -0.285), (0.18, -0.235), (0.275, -0.12)]
ARCH += [(0.245, -0.055)]
CINGULATE = [(-0.30, 0.0), (-0.41, -0.09), (-0.415, -0.23), (-0.27, -0.36), (0.0, -0.405), (0.22, -0.365), (0.33, -0.30)]
CINGULATE += [(0.37, -0.44)]
BELOW = [(-0.15, -0.05), (-0.25, -0.10), (-0.24, -0.17), (-0.13, -0.235), (0.02, -0.255), (0.15, -0.21), (0.20, -0.13)]
BELOW += [(0.10, -0.14), (-0.03, -0.15), (-0.13, -0.10)]
STEM_OUTLINE = [(0.02, 0.0), (0.13, 0.0), (0.155, 0.09), (0.165, 0.20), (0.175, 0.32), (0.20, 0.48), (0.25, 0.9), (0.26, 1.4)]
STEM_OUTLINE += [(0.18, 1.4), (0.175, 0.9), (0.13, 0.48), (0.09, 0.34), (0.015, 0.27), (-0.015, 0.18), (0.02, 0.10)]
MIDDLE_LOBE = [(0.21, 0.10), (0.30, 0.065), (0.45, 0.10), (0.54, 0.18), (0.44, 0.32), (0.30, 0.375), (0.215, 0.30), (0.175, 0.20)]
SIDE_LOBE = [(0.15, 0.13), (0.30, 0.10), (0.47, 0.14), (0.55, 0.19), (0.44, 0.34), (0.30, 0.385), (0.17, 0.33), (0.11, 0.22)]
TENT = [(0.13, 0.02), (0.26, 0.04), (0.42, 0.09), (0.62, 0.12)]


def draw_sagittal(canvas: Canvas, level: float) -> None:
    """Draw a sagittal slice on an empty canvas."""
    head = canvas.head
    middle = level < 0.45
    vault = closed(VAULT)
    inside = canvas.region(vault)
    wrap_skull(canvas, inside, canvas.region(closed([*(PROFILE if middle else SIDE), *NECK], 4)))
    outer = ~inside & (canvas.tissue != AIR) & (canvas.depth(~inside) > head.skull * 0.8)
    (_face if middle else _orbit)(canvas, outer)
    brain = inside & (canvas.depth(inside) > head.gap)
    paths = sulcus_paths(vault, head, [(0.0, 0.505), (0.87, 0.99)], 30, (0.06, 0.25))
    fluid = fold(canvas, paths) | canvas.lines([opened(TENT)], 0.020)
    (_middle if middle else _side)(canvas, brain, fluid, level)


def _face(canvas: Canvas, outer: np.ndarray) -> None:
    """Paint nose, mouth, tongue, throat and the front of the spine."""
    tissue = canvas.tissue
    tongue = closed([(-0.66, 0.52), (-0.50, 0.42), (-0.28, 0.45), (-0.19, 0.60), (-0.32, 0.72), (-0.60, 0.66)])
    tissue[canvas.region(tongue) & outer] = MUSCLE
    palate = opened([(-0.72, 0.38), (-0.50, 0.355), (-0.26, 0.37), (-0.17, 0.46)])
    tissue[canvas.lines([palate], 0.045) & outer] = FAT
    tissue[canvas.lines([palate], 0.020) & outer] = BONE
    shells = [opened([(-0.62, y), (-0.45, y - 0.02), (-0.28, y + 0.02)]) for y in (0.20, 0.285)]
    air = [closed([(-0.70, 0.28), (-0.66, 0.12), (-0.48, 0.09), (-0.26, 0.14), (-0.13, 0.27), (-0.24, 0.34), (-0.50, 0.325)])]
    air += [closed([(-0.19, 0.32), (-0.11, 0.34), (-0.06, 0.50), (-0.05, 0.76), (-0.09, 0.95), (-0.13, 0.76), (-0.13, 0.52)])]
    air += [opened([(-0.70, 0.49), (-0.50, 0.395), (-0.28, 0.41), (-0.16, 0.52), (-0.28, 0.44), (-0.5, 0.42)])]
    air += [closed([(-0.655, -0.10), (-0.665, -0.02), (-0.635, 0.03), (-0.615, -0.03)])]
    tissue[canvas.region(*air) & outer] = AIR
    tissue[canvas.lines(shells, 0.045) & outer] = MUSCLE
    tissue[canvas.region(closed([(-0.25, 0.11), (-0.13, 0.11), (-0.09, 0.19), (-0.15, 0.24), (-0.25, 0.20)])) & outer] = AIR
    clivus = closed([(-0.07, 0.15), (-0.03, 0.19), (0.07, 0.36), (0.05, 0.40), (-0.03, 0.33), (-0.10, 0.24)])
    tissue[canvas.region(clivus) & outer] = MARROW
    for i, y in enumerate((0.50, 0.635, 0.77, 0.905, 1.04)):
        body = closed([(0.00, y - 0.055), (0.10, y - 0.05), (0.105, y + 0.05), (0.00, y + 0.055)]) + (0.035 * i - 0.005, 0)
        tissue[canvas.region(swell(body, 1.22, 1.1)) & outer] = BONE
        tissue[canvas.region(body) & outer] = MARROW
        spine = opened([(0.30 + 0.02 * i, y), (0.38, y + 0.04), (0.42, y + 0.07)])
        tissue[canvas.lines([spine], 0.05) & outer] = FAT


def _orbit(canvas: Canvas, outer: np.ndarray) -> None:
    """Paint an eye in its fat, a maxillary sinus, the jaw and the ear's cells."""
    tissue = canvas.tissue
    tissue[canvas.region(closed([(-0.68, 0.04), (-0.56, 0.045), (-0.30, 0.10), (-0.36, 0.18), (-0.55, 0.24), (-0.68, 0.22)])) & outer] = FAT
    tissue[canvas.lines([opened([(-0.52, 0.14), (-0.42, 0.13), (-0.32, 0.12)])], 0.020) & outer] = MUSCLE
    tissue[canvas.region(ellipse(-0.605, 0.135, 0.088, 0.085)) & outer] = MUSCLE
    tissue[canvas.region(ellipse(-0.605, 0.135, 0.076, 0.073)) & outer] = EYE
    tissue[canvas.region(ellipse(-0.655, 0.135, 0.018, 0.036)) & outer] = MUSCLE
    tissue[canvas.region(closed([(-0.62, 0.29), (-0.45, 0.26), (-0.35, 0.33), (-0.42, 0.46), (-0.58, 0.45)])) & outer] = AIR
    jaw = closed([(-0.18, 0.26), (-0.10, 0.28), (-0.14, 0.55), (-0.30, 0.70), (-0.58, 0.66), (-0.56, 0.58), (-0.33, 0.58), (-0.22, 0.48)])
    tissue[canvas.region(jaw) & outer] = BONE
    tissue[canvas.region(swell(jaw, 0.93, 0.93)) & canvas.region(jaw - (0.01, 0.01)) & outer] = MARROW
    tissue[canvas.region(*[ellipse(x, y, 0.020, 0.018) for x, y in ((0.02, 0.36), (0.07, 0.41), (0.11, 0.46), (0.03, 0.42))]) & outer] = AIR


def _cerebellum(canvas: Canvas, brain: np.ndarray, outline, hub: tuple[float, float]) -> None:
    """Paint a cerebellum: folia between arcs of fluid, and the branching white matter."""
    outline = closed(outline)
    lobe = canvas.region(outline) & brain
    canvas.tissue[canvas.region(swell(outline, 1.08)) & brain] = CSF
    canvas.tissue[lobe] = FOLIA
    centre, arcs, tree = np.asarray(hub), [], []
    for i, angle in enumerate(np.deg2rad(np.arange(-78, 118, 19.5))):
        out = np.array([np.cos(angle), np.sin(angle)])
        side = np.array([-out[1], out[0]])
        arcs.append(opened([centre + r * out + 0.016 * np.sin(14 * r + i) * side for r in (0.10, 0.17, 0.24, 0.34)]))
        rim = angle + np.deg2rad(9.7)
        out = np.array([np.cos(rim), np.sin(rim)])
        tree.append(np.array([centre, centre + 0.13 * out]))
    canvas.tissue[canvas.lines(tree, 0.018) & lobe] = WHITE
    canvas.tissue[canvas.lines(arcs, 0.008) & lobe] = CSF
    canvas.tissue[canvas.region(ellipse(*hub, 0.055, 0.05)) & lobe] = WHITE


def _middle(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, level: float) -> None:
    """Paint the midline: callosum, fornix and thalamus, stem, fourth ventricle, vermis."""
    head, tissue = canvas.head, canvas.tissue
    cuneus = [opened([(0.36, -0.46), (0.33, -0.30), (0.30, -0.16), (0.27, -0.06)])]
    cuneus += [opened([(0.30, -0.10), (0.42, -0.08), (0.53, -0.12), (0.64, -0.08)])]
    cuneus += [opened([(0.38, -0.44), (0.44, -0.30), (0.55, -0.25)]), opened([(0.24, 0.01), (0.36, 0.01), (0.50, 0.04), (0.60, 0.02)])]
    fluid = fluid | canvas.lines([opened(CINGULATE)], 0.013 * head.atrophy) | canvas.lines(cuneus, 0.011 * head.atrophy)
    fluid |= canvas.lines([opened(ARCH) + (0, -0.045)], 0.010)
    paint_cortex(canvas, brain, fluid & brain)
    tissue[canvas.region(closed(swell(BELOW, 1.0, head.ventricles))) & brain] = VENTRICLE
    tissue[canvas.lines([opened(ARCH)], 0.052) & brain] = WHITE
    fornix = opened([(0.20, -0.15), (0.05, -0.165), (-0.07, -0.13), (-0.12, -0.03)])
    tissue[canvas.lines([fornix], 0.018) & brain] = WHITE
    space = closed([(-0.16, 0.08), (-0.09, 0.0), (0.06, -0.08), (0.21, -0.06), (0.235, 0.02), (0.235, 0.30), (0.20, 0.45), (0.02, 0.40), (-0.08, 0.2)])
    tissue[canvas.region(space) & brain] = CSF
    tissue[canvas.region(ellipse(0.035, -0.065, 0.125, 0.070, -8)) & brain] = DEEP
    _cerebellum(canvas, brain, MIDDLE_LOBE, (0.235, 0.205))
    canal = opened([(0.10, 0.30), (0.155, 0.47), (0.20, 0.70), (0.235, 1.0), (0.235, 1.4)])
    tissue[canvas.lines([canal], 0.125) & canvas.region(np.array([(-0.2, 0.36), (0.6, 0.36), (0.6, 1.5), (-0.2, 1.5)]))] = EYE
    stem = canvas.region(closed(STEM_OUTLINE))
    tissue[stem] = STEM
    tissue[canvas.region(closed([(0.155, 0.12), (0.205, 0.20), (0.165, 0.29), (0.15, 0.20)])) & brain] = VENTRICLE
    tissue[canvas.lines([[(0.13, 0.0), (0.158, 0.12)]], 0.010) & brain] = VENTRICLE
    tissue[canvas.region(ellipse(0.165, 0.015, 0.022, 0.020)) & brain] = DEEP
    tissue[canvas.region(ellipse(-0.125, 0.10, 0.034, 0.024))] = SINUS  # the pituitary gland takes up contrast
    tissue[brain & canvas.lines([opened(TENT)], 0.008)] = DURA
    tissue[canvas.lines([opened([(0.23, -0.02), (0.30, 0.02), (0.45, 0.08), (0.62, 0.13)])], 0.014) & brain] = SINUS


def _side(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, level: float) -> None:
    """Paint a slice beside the midline: Sylvian fissure, temporal lobe, C-shaped ventricle, cerebellar hemisphere."""
    head, tissue = canvas.head, canvas.tissue
    bend = 0.03 * np.sin(head.phases)
    deep = [
        [(-0.36, 0.09), (-0.24, 0.0), (-0.08, -0.06 + bend[0]), (0.10, -0.12), (0.22, -0.22 + bend[1])],
        [(-0.20, 0.13), (-0.02, 0.06 + bend[2]), (0.16, 0.0), (0.30, -0.06 + bend[3]), (0.38, -0.16)],
        [(0.10, 0.09 + bend[4]), (0.24, 0.03), (0.36, 0.05)],
        [(-0.47, -0.10), (-0.36, -0.15 + bend[5]), (-0.27, -0.12)],
        [(-0.42, -0.26), (-0.30, -0.28), (-0.20, -0.36 + bend[6]), (-0.08, -0.34)],
        [(0.02, -0.50), (0.06, -0.40 + bend[7]), (0.14, -0.33)],
        [(0.26, -0.46 + bend[0]), (0.33, -0.33), (0.46, -0.25 + bend[1])],
        [(0.42, -0.05), (0.50, -0.10 + bend[2]), (0.60, -0.08)],
    ]
    wide, thin = [opened(deep[0])], [opened(path) for path in deep[1:]]
    fluid = fluid | canvas.lines(wide, 0.020 * head.atrophy) | canvas.lines(thin, 0.010 * head.atrophy)
    paint_cortex(canvas, brain, fluid & brain)
    tissue[canvas.region(ellipse(-0.05, -0.20, 0.10, 0.045, -8)) & brain] = DEEP
    _cerebellum(canvas, brain, SIDE_LOBE, (0.24, 0.235))
    if level < 0.80:
        path = opened([(-0.20, -0.245), (0.0, -0.275), (0.17, -0.225), (0.25, -0.14), (0.215, -0.06), (0.14, -0.02)])
        tissue[canvas.lines([path], 0.034 * head.ventricles) & brain] = VENTRICLE
        tissue[canvas.region(ellipse(0.255, -0.12, 0.06, 0.030 * head.ventricles, 35)) & brain] = VENTRICLE
        tissue[canvas.region(ellipse(0.235, -0.12, 0.020, 0.014)) & brain] = SINUS
    tissue[brain & canvas.lines([opened(TENT)], 0.008)] = DURA
