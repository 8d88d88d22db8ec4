"""Axial slices: level 0 at midbrain and cerebellum, 0.3 at the basal ganglia, 0.55 above them, 1 near the vertex."""

from __future__ import annotations

import numpy as np

from studylib.data.phantoms.head.anatomy import (
    CSF,
    DEEP,
    DURA,
    FOLIA,
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

VAULT = [(0, -0.76), (0.23, -0.715), (0.42, -0.54), (0.535, -0.24), (0.575, 0.10), (0.53, 0.42), (0.35, 0.66), (0, 0.755)]
BODY = [(0.018, -0.15), (0.026, -0.26), (0.07, -0.345), (0.12, -0.335), (0.105, -0.25), (0.075, -0.12), (0.08, 0.0)]
BODY += [(0.115, 0.12), (0.175, 0.21), (0.225, 0.33), (0.215, 0.41), (0.17, 0.40), (0.125, 0.30), (0.07, 0.18)]
BODY += [(0.03, 0.05), (0.02, -0.06)]
FRONT = [(0.012, -0.14), (0.020, -0.24), (0.06, -0.325), (0.12, -0.355), (0.145, -0.33), (0.115, -0.27), (0.085, -0.20)]
FRONT += [(0.05, -0.12)]
BACK = [(0.13, 0.205), (0.165, 0.165), (0.215, 0.19), (0.245, 0.27), (0.255, 0.36), (0.225, 0.445), (0.20, 0.42)]
BACK += [(0.185, 0.33), (0.155, 0.265)]
LENTIFORM = [(0.175, -0.01), (0.25, -0.155), (0.315, -0.10), (0.325, 0.02), (0.275, 0.11)]


def draw_axial(canvas: Canvas, level: float) -> None:
    """Draw an axial slice on an empty canvas."""
    head = canvas.head
    size = 1.0 - 0.17 * max(0.0, level - 0.5) / 0.5 - 0.05 * max(0.0, 0.2 - level) / 0.2
    vault = closed(mirrored(VAULT) * size)
    inside = canvas.region(vault)
    wrap_skull(canvas, inside)
    brain = inside & (canvas.depth(inside) > head.gap)
    rows = np.linspace(-0.80, 0.80, 13)
    line = np.column_stack([0.010 * np.sin(head.phases[6] + 4 * rows), rows * size])
    if level < 0.15:
        _base(canvas, brain, vault, line)
    elif level < 0.42:
        _ganglia(canvas, brain, vault, line, level)
    else:
        _crown(canvas, brain, vault, line, level, size)
    tissue = canvas.tissue  # the superior sagittal sinus, cut across in front and behind
    ends = [ellipse(line[-2, 0], 0.735 * size, 0.032, 0.030, 0), ellipse(line[1, 0], -0.745 * size, 0.016, 0.018)]
    tissue[canvas.region(*ends) & inside] = SINUS


def _crown(canvas: Canvas, brain, vault, line, level: float, size: float) -> None:
    """Paint levels above the basal ganglia: bodies of the ventricles, then white matter alone."""
    head, tissue = canvas.head, canvas.tissue
    callosum = level < 0.70
    clefts = [line[line[:, 1] < -0.34], line[line[:, 1] > 0.38]] if callosum else [line]
    heights = [y for y in np.linspace(-0.64, 0.66, 9) * size if not callosum or y < -0.40 or y > 0.44]
    paths = sulcus_paths(vault, head, [(0.02, 0.48), (0.52, 0.98)], 34) + midline_paths(head, heights)
    fluid = fold(canvas, paths) | canvas.lines(clefts, 0.016 * head.atrophy)
    bare = canvas.region(np.array([(-0.2, -0.37), (0.2, -0.37), (0.2, 0.42), (-0.2, 0.42)])) if callosum else None
    paint_cortex(canvas, brain, fluid & brain, bare)
    tissue[brain & canvas.lines(clefts, 0.006)] = DURA
    if level < 0.55:
        tissue[canvas.region(*both(ellipse(0.145, -0.16, 0.040, 0.13, 10))) & brain] = DEEP
    if level < 0.74:
        fade = float(np.clip((0.78 - level) / 0.20, 0.35, 1))
        body = swell(BODY, (0.75 + 0.25 * fade) * head.ventricles, 0.45 + 0.55 * fade) * (1, size)
        tissue[canvas.region(*both(closed(body))) & brain] = VENTRICLE
        if level < 0.60:  # the choroid plexus in the widest part
            tissue[canvas.region(*both(ellipse(0.185, 0.30, 0.018, 0.035, -25))) & brain] = SINUS


def _ganglia(canvas: Canvas, brain, vault, line, level: float) -> None:
    """Paint the level of the basal ganglia: frontal horns, third ventricle, thalami, insula."""
    head, tissue = canvas.head, canvas.tissue
    clefts = [line[line[:, 1] < -0.33], line[line[:, 1] > 0.36]]
    paths = sulcus_paths(vault, head, [(0.02, 0.19), (0.235, 0.48), (0.52, 0.765), (0.81, 0.98)], 32)
    paths += midline_paths(head, [-0.62, -0.52, -0.42, 0.46, 0.55, 0.64])
    sylvian = opened([(0.62, -0.20), (0.52, -0.185), (0.43, -0.15), (0.375, -0.10)])
    insula = opened([(0.345, -0.20), (0.372, -0.11), (0.365, 0.0), (0.39, 0.09)])
    fluid = fold(canvas, paths) | canvas.lines(clefts, 0.016 * head.atrophy)
    fluid |= canvas.lines(both(sylvian), 0.024 * head.atrophy) | canvas.lines(both(insula), 0.015 * head.atrophy)
    bare = canvas.region(np.array([(-0.25, -0.36), (0.25, -0.36), (0.25, 0.40), (-0.25, 0.40)]))
    paint_cortex(canvas, brain, fluid & brain, bare)
    tissue[brain & canvas.lines(clefts, 0.006)] = DURA
    deep = both(ellipse(0.145, -0.235, 0.048, 0.085, 14)) + both(closed(swell(LENTIFORM, 1.15 - 0.3 * level)))
    deep += both(ellipse(0.100, 0.085, 0.080, 0.120, -22))
    tissue[canvas.region(*deep) & brain] = DEEP
    wide = head.ventricles
    tissue[canvas.region(ellipse(0, 0.235, 0.075, 0.040)) & brain] = CSF  # cistern behind the pineal gland
    horns = both(closed(swell(FRONT, wide, wide**0.5))) + both(closed(swell(BACK, wide, wide**0.5)))
    tissue[canvas.region(*horns, ellipse(0, 0.03, 0.014 * wide, 0.11)) & brain] = VENTRICLE
    plexus = both(ellipse(0.19, 0.24, 0.022, 0.030, -20))
    tissue[canvas.region(*plexus, ellipse(0, 0.20, 0.020, 0.016)) & brain] = SINUS


def _base(canvas: Canvas, brain, vault, line) -> None:
    """Paint the lowest level: temporal lobes, midbrain in its cisterns, cerebellum behind the tentorium."""
    head, tissue = canvas.head, canvas.tissue
    front = line[line[:, 1] < -0.22]
    paths = sulcus_paths(vault, head, [(0.03, 0.15), (0.27, 0.42), (0.58, 0.73), (0.85, 0.97)], 22)
    paths += midline_paths(head, [-0.60, -0.48, -0.36])
    sylvian = opened([(0.60, -0.18), (0.51, -0.24), (0.40, -0.285), (0.26, -0.265), (0.16, -0.20), (0.08, -0.15)])
    medial = opened([(0.10, -0.12), (0.17, -0.03), (0.20, 0.09), (0.17, 0.20), (0.11, 0.27)])
    fluid = fold(canvas, paths) | canvas.lines([front], 0.016 * head.atrophy)
    fluid |= canvas.lines(both(sylvian), 0.028) | canvas.lines(both(medial), 0.026)
    star = closed(mirrored([(0, -0.22), (0.07, -0.14), (0.14, -0.10), (0.09, -0.04), (0, -0.02)]))
    fluid |= canvas.region(star)
    tent = opened([(0.62, 0.34), (0.44, 0.33), (0.26, 0.25), (0.09, 0.16)])
    fluid |= canvas.lines(both(tent), 0.020)
    paint_cortex(canvas, brain, fluid & brain)
    tissue[brain & canvas.lines([front], 0.006)] = DURA
    behind = np.vstack([tent, tent[::-1] * (-1, 1), [(-0.7, 0.9), (0.7, 0.9)]])
    lobes = canvas.region(behind) & brain
    tissue[lobes] = FOLIA
    rows = [opened([(-0.6, y - 0.20), (-0.25, y), (0, y - 0.05), (0.25, y), (0.6, y - 0.20)]) for y in np.arange(0.30, 0.95, 0.062)]
    tissue[canvas.lines(rows, 0.007) & lobes] = CSF
    tissue[canvas.region(*both(closed([(0.08, 0.36), (0.22, 0.33), (0.36, 0.40), (0.30, 0.50), (0.13, 0.47)]))) & lobes] = WHITE
    tissue[brain & canvas.lines(both(tent), 0.010)] = DURA
    peduncles = closed(mirrored([(0, -0.005), (0.06, -0.035), (0.135, 0.0), (0.145, 0.08), (0.10, 0.16), (0.05, 0.185), (0, 0.175)]))
    tissue[canvas.region(swell(peduncles, 1.13)) & brain] = CSF
    tissue[canvas.region(peduncles) & brain] = STEM
    tissue[canvas.region(ellipse(0, 0.125, 0.012, 0.016)) & brain] = VENTRICLE
    tissue[canvas.region(*both(ellipse(0.055, 0.05, 0.03, 0.022))) & brain] = DEEP
    tissue[canvas.region(ellipse(0, 0.36, 0.028 * head.ventricles, 0.030)) & brain] = VENTRICLE
    horns = both(ellipse(0.30, 0.02, 0.014 * head.ventricles, 0.05, 20))
    tissue[canvas.region(*horns) & brain] = VENTRICLE
    tissue[canvas.region(*both(ellipse(0.075, -0.135, 0.014, 0.014)), ellipse(0, -0.06, 0.013, 0.013)) & brain] = SINUS
