"""Coronal slices: level 0 through frontal horns and temporal poles, 0.5 the third ventricle and stem, 1 the cerebellum."""

from __future__ import annotations

import numpy as np

from studylib.data.phantoms.head.anatomy import (
    AIR,
    BONE,
    CSF,
    DEEP,
    DURA,
    FAT,
    FOLIA,
    MARROW,
    MUSCLE,
    SINUS,
    STEM,
    VENTRICLE,
    WHITE,
    Canvas,
    fold,
    midline_paths,
    paint_cortex,
    sulcus_paths,
    wrap_skull,
)
from studylib.data.phantoms.head.curves import both, closed, ellipse, mirrored, opened, swell

DOME = [(0, -0.74), (0.25, -0.695), (0.45, -0.51), (0.56, -0.23), (0.57, 0.03)]
BASES = {
    "front": [(0.50, 0.20), (0.38, 0.30), (0.24, 0.27), (0.12, 0.17), (0, 0.16)],
    "stem": [(0.51, 0.22), (0.40, 0.32), (0.25, 0.29), (0.13, 0.34), (0, 0.40)],
    "back": [(0.53, 0.22), (0.45, 0.38), (0.28, 0.49), (0.12, 0.52), (0, 0.52)],
}
PONS = [(0, 0.05), (0.075, 0.06), (0.105, 0.12), (0.135, 0.20), (0.115, 0.28), (0.065, 0.34), (0.055, 0.46), (0.055, 0.62), (0, 0.63)]
TENT = [(-0.62, 0.20), (-0.40, 0.14), (-0.18, 0.09), (0, 0.03), (0.18, 0.09), (0.40, 0.14), (0.62, 0.20)]


def draw_coronal(canvas: Canvas, level: float) -> None:
    """Draw a coronal slice on an empty canvas."""
    head = canvas.head
    part = "front" if level < 0.30 else "stem" if level < 0.66 else "back"
    vault = closed(mirrored([*DOME, *BASES[part]]))
    inside = canvas.region(vault)
    narrow = 0.76 if part == "back" else 1.0
    cheek = np.array([(0.60, -0.10), (0.615, 0.25), (0.55, 0.52), (0.46, 0.72), (0.42, 1.4)]) * (narrow, 1)
    wrap_skull(canvas, inside, canvas.region(np.vstack([cheek, cheek[::-1] * (-1, 1)])))
    _below(canvas, inside, part)
    brain = inside & (canvas.depth(inside) > head.gap)
    rows = np.linspace(-0.80, -0.25, 8)
    line = np.column_stack([0.010 * np.sin(head.phases[6] + 5 * rows), rows])
    paths = sulcus_paths(vault, head, [(0.02, 0.36), (0.64, 0.98)] if part == "back" else [(0.02, 0.24), (0.29, 0.42), (0.58, 0.71), (0.76, 0.98)], 32)
    paths += midline_paths(head, [-0.62, -0.53, -0.44, -0.35])
    fluid = fold(canvas, paths) | canvas.lines([line], 0.016 * head.atrophy)
    if part == "back":
        fluid |= canvas.lines([opened(TENT)], 0.022)
    else:
        sylvian = opened([(0.62, 0.03), (0.49, 0.0), (0.40, -0.02), (0.35, -0.07), (0.345, -0.14), (0.37, -0.20)])
        lower = opened([(0.36, -0.05), (0.335, 0.01), (0.345, 0.05)])
        fluid |= canvas.lines([*both(sylvian), *both(lower)], 0.020 * head.atrophy)
        uncus = opened([(0.15, 0.34), (0.145, 0.22), (0.16, 0.12), (0.215, 0.075), (0.25, 0.085)])
        fluid |= canvas.lines(both(uncus), 0.022) | canvas.region(ellipse(0, 0.12, 0.14, 0.045))
        collateral = [opened([(0.26, 0.34), (0.255, 0.25), (0.285, 0.20)]), opened([(0.55, 0.14), (0.45, 0.12), (0.40, 0.14)])]
        fluid |= canvas.lines([side for path in collateral for side in both(path)], 0.010)
    bare = canvas.region(np.array([(-0.21, -0.27), (0.21, -0.27), (0.21, 0.06), (-0.21, 0.06)]))
    paint_cortex(canvas, brain, fluid & brain, bare)
    tissue = canvas.tissue
    tissue[brain & canvas.lines([line], 0.006)] = DURA
    if part == "back":
        _cerebellum(canvas, brain)
    else:
        _ganglia(canvas, brain, part, level)
    tissue[canvas.region(ellipse(line[1, 0], -0.725, 0.036, 0.024)) & inside] = SINUS


def _ganglia(canvas: Canvas, brain: np.ndarray, part: str, level: float) -> None:
    """Paint ventricles and deep grey matter, and the stem where it is cut."""
    tissue, wide = canvas.tissue, canvas.head.ventricles
    deep = both(ellipse(0.135, -0.165, 0.038, 0.070, 18))
    deep += both(closed([(0.17, -0.01), (0.245, -0.135), (0.305, -0.09), (0.305, 0.01), (0.24, 0.055)]))
    if part == "stem":
        deep += both(ellipse(0.080, -0.025, 0.062, 0.072))
        deep += both(ellipse(0.265, 0.175, 0.05, 0.026, 15))  # hippocampus
        tissue[canvas.region(swell(closed(mirrored(PONS)), 1.2)) & (tissue != AIR)] = CSF
        tissue[canvas.region(closed(mirrored(PONS)))] = STEM
    tissue[canvas.region(*deep) & brain] = DEEP
    horn = [(0.010, -0.185), (0.05, -0.245), (0.125, -0.275), (0.145, -0.245), (0.105, -0.19), (0.065, -0.135), (0.018, -0.105)]
    shapes = both(closed(swell(horn, wide)))
    if part == "stem":
        shapes += [ellipse(0, -0.015, 0.013 * wide, 0.070), *both(ellipse(0.295, 0.145, 0.030 * wide, 0.011, 15))]
    tissue[canvas.region(*shapes) & brain] = VENTRICLE
    if part == "stem":
        tissue[canvas.region(ellipse(0, -0.115, 0.03, 0.012)) & brain] = SINUS
    else:
        tissue[canvas.region(*both(ellipse(0.095, 0.135, 0.018, 0.016)), ellipse(0, 0.09, 0.03, 0.012)) & brain] = SINUS


def _cerebellum(canvas: Canvas, brain: np.ndarray) -> None:
    """Paint the cerebellum below the tentorium, and the atria of the ventricles above it."""
    tissue, wide = canvas.tissue, canvas.head.ventricles
    tent = opened(TENT)
    lobes = canvas.region(np.vstack([tent, [(0.7, 0.7), (-0.7, 0.7)]])) & brain
    tissue[lobes] = FOLIA
    rows = [opened([(-0.55, y + 0.09), (-0.28, y - 0.03), (0, y + 0.02), (0.28, y - 0.03), (0.55, y + 0.09)]) for y in np.arange(0.13, 0.56, 0.048)]
    tissue[canvas.lines(rows, 0.007) & lobes] = CSF
    tissue[canvas.region(*both(closed([(0.07, 0.24), (0.19, 0.19), (0.33, 0.25), (0.25, 0.32), (0.12, 0.31)]))) & lobes] = WHITE
    tissue[canvas.region(ellipse(0, 0.27, 0.035 * wide, 0.022)) & lobes] = VENTRICLE
    tissue[canvas.lines([[(0, 0.36), (0, 0.54)]], 0.016) & lobes] = CSF
    tissue[brain & canvas.lines([tent], 0.009)] = DURA
    horn = [(0.145, -0.10), (0.19, -0.15), (0.255, -0.10), (0.285, -0.01), (0.265, 0.035), (0.21, -0.015)]
    tissue[canvas.region(*both(closed(swell(horn, wide)))) & brain] = VENTRICLE
    tissue[canvas.region(*both(ellipse(0.225, -0.03, 0.020, 0.035, -25))) & brain] = SINUS


def _below(canvas: Canvas, inside: np.ndarray, part: str) -> None:
    """Paint what lies under the skull: sinuses, nose, jaw and tongue in front, the spine and neck muscles behind."""
    tissue = canvas.tissue
    outer = ~inside & (tissue != AIR)
    if part == "back":
        discs = [closed(mirrored([(0, y - 0.05), (0.10, y - 0.045), (0.13, y), (0.10, y + 0.045), (0, y + 0.05)])) for y in (0.68, 0.83, 0.98)]
        tissue[canvas.region(*[swell(disc, 1.15) for disc in discs]) & outer] = BONE
        tissue[canvas.region(*discs) & outer] = MARROW
        tissue[canvas.lines(both(opened([(0.14, 0.62), (0.24, 0.78), (0.25, 1.2)])), 0.016) & outer] = FAT
        return
    tissue[canvas.lines(both(opened([(0.47, 0.34), (0.45, 0.60), (0.36, 0.86)])), 0.05) & outer] = BONE
    tissue[canvas.lines(both(opened([(0.47, 0.36), (0.45, 0.60), (0.365, 0.84)])), 0.022) & outer] = MARROW
    tissue[canvas.region(ellipse(0, 0.80, 0.21, 0.13)) & outer] = MUSCLE
    if part == "front":
        sinuses = both(closed([(0.15, 0.42), (0.30, 0.42), (0.33, 0.52), (0.25, 0.64), (0.15, 0.60)]))
        nose = both(closed([(0.02, 0.36), (0.08, 0.38), (0.10, 0.52), (0.08, 0.63), (0.02, 0.63)]))
        tissue[canvas.region(ellipse(0, 0.275, 0.13, 0.06)) & outer] = AIR
        tissue[canvas.lines(both(opened([(0.05, 0.46), (0.07, 0.50), (0.05, 0.55)])), 0.02) & outer] = MUSCLE
    else:
        sinuses, nose = both(ellipse(0.36, 0.47, 0.035, 0.028)), [ellipse(0, 0.68, 0.09, 0.035)]
    tissue[canvas.region(*sinuses, *nose) & outer] = AIR
