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
from studylib.data.phantoms.head.curves import both, ellipse, opened, read_outlines, swell

SHAPES = read_outlines("""
vault half 0 -.76, .23 -.715, .42 -.54, .535 -.24, .575 .10, .53 .42, .35 .66, 0 .755
body closed .018 -.15, .026 -.26, .07 -.345, .12 -.335, .105 -.25, .075 -.12, .08 0, .115 .12, .175 .21, .225 .33,
  .215 .41, .17 .40, .125 .30, .07 .18, .03 .05, .02 -.06
front closed .012 -.14, .02 -.24, .06 -.325, .12 -.355, .145 -.33, .115 -.27, .085 -.20, .05 -.12
back closed .13 .205, .165 .165, .215 .19, .245 .27, .255 .36, .225 .445, .20 .42, .185 .33, .155 .265
lentiform closed .175 -.01, .25 -.155, .315 -.10, .325 .02, .275 .11
sylvian open .62 -.20, .52 -.185, .43 -.15, .375 -.10
insula open .345 -.20, .372 -.11, .365 0, .39 .09
around_callosum points -.20 -.37, .20 -.37, .20 .42, -.20 .42
around_ganglia points -.25 -.36, .25 -.36, .25 .40, -.25 .40
low_sylvian open .60 -.18, .51 -.24, .40 -.285, .26 -.265, .16 -.20, .08 -.15
medial open .10 -.12, .17 -.03, .20 .09, .17 .20, .11 .27
star half 0 -.22, .07 -.14, .14 -.10, .09 -.04, 0 -.02
tent open .62 .34, .44 .33, .26 .25, .09 .16
dentate closed .08 .36, .22 .33, .36 .40, .30 .50, .13 .47
peduncles half 0 -.005, .06 -.035, .135 0, .145 .08, .10 .16, .05 .185, 0 .175
""")


def draw_axial(canvas: Canvas, level: float) -> None:
    """Draw an axial slice on an empty canvas."""
    head = canvas.head
    size = 1.0 - 0.17 * max(0.0, level - 0.5) / 0.5 - 0.05 * max(0.0, 0.2 - level) / 0.2
    vault = SHAPES["vault"] * size
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
    # The superior sagittal sinus, cut across in front and behind.
    ends = [ellipse(line[-2, 0], 0.735 * size, 0.032, 0.030), ellipse(line[1, 0], -0.745 * size, 0.016, 0.018)]
    canvas.tissue[canvas.region(*ends) & inside] = SINUS


def _crown(canvas: Canvas, brain: np.ndarray, vault: np.ndarray, line: np.ndarray, level: float, size: float) -> None:
    """Paint levels above the basal ganglia: bodies of the ventricles, then white matter alone."""
    head, tissue = canvas.head, canvas.tissue
    callosum = level < 0.70
    clefts = [line[line[:, 1] < -0.34], line[line[:, 1] > 0.38]] if callosum else [line]
    heights = [y for y in np.linspace(-0.64, 0.66, 9) * size if not callosum or y < -0.40 or y > 0.44]
    paths = sulcus_paths(vault, head, [(0.02, 0.48), (0.52, 0.98)], 34) + midline_paths(head, heights)
    fluid = fold(canvas, paths) | canvas.lines(clefts, 0.016 * head.atrophy)
    paint_cortex(canvas, brain, fluid & brain, canvas.region(SHAPES["around_callosum"]) if callosum else None)
    tissue[brain & canvas.lines(clefts, 0.006)] = DURA
    if level < 0.55:
        tissue[canvas.region(*both(ellipse(0.145, -0.16, 0.040, 0.13, 10))) & brain] = DEEP
    if level < 0.74:
        fade = float(np.clip((0.78 - level) / 0.20, 0.35, 1))
        body = swell(SHAPES["body"], (0.75 + 0.25 * fade) * head.ventricles, 0.45 + 0.55 * fade) * (1, size)
        tissue[canvas.region(*both(body)) & brain] = VENTRICLE
        if level < 0.60:  # the choroid plexus in the widest part
            tissue[canvas.region(*both(ellipse(0.185, 0.30, 0.018, 0.035, -25))) & brain] = SINUS


def _ganglia(canvas: Canvas, brain: np.ndarray, vault: np.ndarray, line: np.ndarray, level: float) -> None:
    """Paint the level of the basal ganglia: frontal horns, third ventricle, thalami, insula."""
    head, tissue = canvas.head, canvas.tissue
    clefts = [line[line[:, 1] < -0.33], line[line[:, 1] > 0.36]]
    paths = sulcus_paths(vault, head, [(0.02, 0.19), (0.235, 0.48), (0.52, 0.765), (0.81, 0.98)], 32)
    paths += midline_paths(head, [-0.62, -0.52, -0.42, 0.46, 0.55, 0.64])
    fluid = fold(canvas, paths) | canvas.lines(clefts, 0.016 * head.atrophy)
    fluid |= canvas.lines(both(SHAPES["sylvian"]), 0.024 * head.atrophy)
    fluid |= canvas.lines(both(SHAPES["insula"]), 0.015 * head.atrophy)
    paint_cortex(canvas, brain, fluid & brain, canvas.region(SHAPES["around_ganglia"]))
    tissue[brain & canvas.lines(clefts, 0.006)] = DURA
    deep = both(ellipse(0.145, -0.235, 0.048, 0.085, 14)) + both(swell(SHAPES["lentiform"], 1.15 - 0.3 * level))
    deep += both(ellipse(0.100, 0.085, 0.080, 0.120, -22))
    tissue[canvas.region(*deep) & brain] = DEEP
    wide = head.ventricles
    tissue[canvas.region(ellipse(0, 0.235, 0.075, 0.040)) & brain] = CSF  # cistern behind the pineal gland
    horns = [side for name in ("front", "back") for side in both(swell(SHAPES[name], wide, wide**0.5))]
    tissue[canvas.region(*horns, ellipse(0, 0.03, 0.014 * wide, 0.11)) & brain] = VENTRICLE
    plexus = both(ellipse(0.19, 0.24, 0.022, 0.030, -20))
    tissue[canvas.region(*plexus, ellipse(0, 0.20, 0.020, 0.016)) & brain] = SINUS


def _base(canvas: Canvas, brain: np.ndarray, vault: np.ndarray, line: np.ndarray) -> None:
    """Paint the lowest level: temporal lobes, midbrain in its cisterns, cerebellum behind the tentorium."""
    head, tissue = canvas.head, canvas.tissue
    front, tent = line[line[:, 1] < -0.22], SHAPES["tent"]
    paths = sulcus_paths(vault, head, [(0.03, 0.15), (0.27, 0.42), (0.58, 0.73), (0.85, 0.97)], 22)
    paths += midline_paths(head, [-0.60, -0.48, -0.36])
    fluid = fold(canvas, paths) | canvas.lines([front], 0.016 * head.atrophy)
    fluid |= canvas.lines(both(SHAPES["low_sylvian"]), 0.026) | canvas.lines(both(SHAPES["medial"]), 0.026)
    fluid |= canvas.region(SHAPES["star"]) | canvas.lines(both(tent), 0.020)
    paint_cortex(canvas, brain, fluid & brain)
    tissue[brain & canvas.lines([front], 0.006)] = DURA
    lobes = canvas.region(np.vstack([tent, tent[::-1] * (-1, 1), [(-0.7, 0.9), (0.7, 0.9)]])) & brain
    tissue[lobes] = FOLIA
    arc = np.array([(-0.6, -0.20), (-0.25, 0), (0, -0.05), (0.25, 0), (0.6, -0.20)])
    rows = [opened(arc + (0, y)) for y in np.arange(0.30, 0.95, 0.062)]
    tissue[canvas.lines(rows, 0.007) & lobes] = CSF
    tissue[canvas.region(*both(SHAPES["dentate"])) & lobes] = WHITE
    tissue[brain & canvas.lines(both(tent), 0.010)] = DURA
    tissue[canvas.region(swell(SHAPES["peduncles"], 1.13)) & brain] = CSF
    tissue[canvas.region(SHAPES["peduncles"]) & brain] = STEM
    tissue[canvas.region(*both(ellipse(0.055, 0.05, 0.03, 0.022))) & brain] = DEEP
    wide = head.ventricles
    spaces = [ellipse(0, 0.125, 0.012, 0.016), ellipse(0, 0.36, 0.028 * wide, 0.030)]
    tissue[canvas.region(*spaces, *both(ellipse(0.30, 0.02, 0.014 * wide, 0.05, 20))) & brain] = VENTRICLE
    vessels = [*both(ellipse(0.075, -0.135, 0.014, 0.014)), ellipse(0, -0.06, 0.013, 0.013)]
    tissue[canvas.region(*vessels) & brain] = SINUS
