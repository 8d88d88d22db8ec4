"""Coronal slices: level 0 through the frontal horns, 0.5 the third ventricle and stem, 1 the cerebellum."""

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
from studylib.data.phantoms.head.curves import both, ellipse, read_outlines, swell

SHAPES = read_outlines("""
front half 0 -.74, .25 -.695, .45 -.51, .56 -.23, .57 .03, .50 .20, .38 .30, .24 .27, .12 .17, 0 .16
stem half 0 -.74, .25 -.695, .45 -.51, .56 -.23, .57 .03, .51 .22, .40 .32, .25 .29, .13 .34, 0 .40
back half 0 -.74, .25 -.695, .45 -.51, .56 -.23, .57 .03, .53 .22, .45 .38, .28 .49, .12 .52, 0 .52
cheek points .60 -.10, .615 .25, .55 .52, .46 .72, .42 1.4
pons half 0 .05, .075 .06, .105 .12, .135 .20, .115 .28, .065 .34, .055 .46, .055 .62, 0 .63
tent open -.62 .20, -.40 .14, -.18 .09, 0 .03, .18 .09, .40 .14, .62 .20
sylvian open .62 .03, .49 0, .40 -.02, .35 -.07, .345 -.14, .37 -.20
under_insula open .36 -.05, .335 .01, .345 .05
uncus open .15 .34, .145 .22, .16 .12, .215 .075, .25 .085
collateral open .26 .34, .255 .25, .285 .20
temporal open .55 .14, .45 .12, .40 .14
around_ganglia points -.21 -.27, .21 -.27, .21 .06, -.21 .06
lentiform closed .17 -.01, .245 -.135, .305 -.09, .305 .01, .24 .055
horn closed .01 -.185, .05 -.245, .125 -.275, .145 -.245, .105 -.19, .065 -.135, .018 -.105
atrium closed .145 -.10, .19 -.15, .255 -.10, .285 -.01, .265 .035, .21 -.015
dentate closed .07 .24, .19 .19, .33 .25, .25 .32, .12 .31
folium open -.55 .09, -.28 -.03, 0 .02, .28 -.03, .55 .09
disc half 0 -.05, .10 -.045, .13 0, .10 .045, 0 .05
neck_muscle open .14 .62, .24 .78, .25 1.2
jaw open .47 .34, .45 .60, .36 .86
maxilla closed .15 .42, .30 .42, .33 .52, .25 .64, .15 .60
nose closed .02 .36, .08 .38, .10 .52, .08 .63, .02 .63
shell open .05 .46, .07 .50, .05 .55
""")


def draw_coronal(canvas: Canvas, level: float) -> None:
    """Draw a coronal slice on an empty canvas."""
    head, tissue = canvas.head, canvas.tissue
    part = "front" if level < 0.30 else "stem" if level < 0.66 else "back"
    inside = canvas.region(SHAPES[part])
    cheek = SHAPES["cheek"] * (0.76 if part == "back" else 1.0, 1)
    wrap_skull(canvas, inside, canvas.region(np.vstack([cheek, cheek[::-1] * (-1, 1)])))
    (_neck if part == "back" else _face)(canvas, ~inside & (tissue != AIR), part)
    brain = inside & (canvas.depth(inside) > head.gap)
    rows = np.linspace(-0.80, -0.25, 8)
    line = np.column_stack([0.010 * np.sin(head.phases[6] + 5 * rows), rows])
    spans = [(0.02, 0.24), (0.29, 0.42), (0.58, 0.71), (0.76, 0.98)]
    paths = sulcus_paths(SHAPES[part], head, [(0.02, 0.36), (0.64, 0.98)] if part == "back" else spans, 32)
    paths += midline_paths(head, [-0.62, -0.53, -0.44, -0.35])
    fluid = fold(canvas, paths) | canvas.lines([line], 0.016 * head.atrophy)
    if part == "back":
        fluid |= canvas.lines([SHAPES["tent"]], 0.022)
    else:
        fluid |= canvas.lines(both(SHAPES["sylvian"]) + both(SHAPES["under_insula"]), 0.020 * head.atrophy)
        fluid |= canvas.lines(both(SHAPES["uncus"]), 0.022) | canvas.region(ellipse(0, 0.12, 0.14, 0.045))
        fluid |= canvas.lines(both(SHAPES["collateral"]) + both(SHAPES["temporal"]), 0.010)
    paint_cortex(canvas, brain, fluid & brain, canvas.region(SHAPES["around_ganglia"]))
    tissue[brain & canvas.lines([line], 0.006)] = DURA
    if part == "back":
        _cerebellum(canvas, brain)
    else:
        _ganglia(canvas, brain, part)
    tissue[canvas.region(ellipse(line[1, 0], -0.725, 0.036, 0.024)) & inside] = SINUS


def _ganglia(canvas: Canvas, brain: np.ndarray, part: str) -> None:
    """Paint ventricles and deep grey matter, and the stem where it is cut."""
    tissue, wide = canvas.tissue, canvas.head.ventricles
    deep = both(ellipse(0.135, -0.165, 0.038, 0.070, 18)) + both(SHAPES["lentiform"])
    spaces = both(swell(SHAPES["horn"], wide))
    bright = [*both(ellipse(0.095, 0.135, 0.018, 0.016)), ellipse(0, 0.09, 0.03, 0.012)]  # carotids, pituitary
    if part == "stem":
        deep += both(ellipse(0.080, -0.025, 0.062, 0.072)) + both(ellipse(0.265, 0.175, 0.05, 0.026, 15))
        spaces += [ellipse(0, -0.015, 0.013 * wide, 0.070), *both(ellipse(0.295, 0.145, 0.030 * wide, 0.011, 15))]
        bright = [ellipse(0, -0.115, 0.03, 0.012)]
        tissue[canvas.region(swell(SHAPES["pons"], 1.2)) & (tissue != AIR)] = CSF
        tissue[canvas.region(SHAPES["pons"])] = STEM
    tissue[canvas.region(*deep) & brain] = DEEP
    tissue[canvas.region(*spaces) & brain] = VENTRICLE
    tissue[canvas.region(*bright) & brain] = SINUS


def _cerebellum(canvas: Canvas, brain: np.ndarray) -> None:
    """Paint the cerebellum below the tentorium, and the atria of the ventricles above it."""
    tissue, wide, tent = canvas.tissue, canvas.head.ventricles, SHAPES["tent"]
    lobes = canvas.region(np.vstack([tent, [(0.7, 0.7), (-0.7, 0.7)]])) & brain
    tissue[lobes] = FOLIA
    tissue[canvas.lines([SHAPES["folium"] + (0, y) for y in np.arange(0.13, 0.56, 0.048)], 0.007) & lobes] = CSF
    tissue[canvas.region(*both(SHAPES["dentate"])) & lobes] = WHITE
    tissue[canvas.lines([[(0, 0.36), (0, 0.54)]], 0.016) & lobes] = CSF
    tissue[brain & canvas.lines([tent], 0.009)] = DURA
    spaces = [*both(swell(SHAPES["atrium"], wide)), ellipse(0, 0.27, 0.035 * wide, 0.022)]
    tissue[canvas.region(*spaces) & brain] = VENTRICLE
    tissue[canvas.region(*both(ellipse(0.225, -0.03, 0.020, 0.035, -25))) & brain] = SINUS


def _neck(canvas: Canvas, outer: np.ndarray, part: str) -> None:
    """Paint the spine and the muscles of the neck."""
    discs = [SHAPES["disc"] + (0, y) for y in (0.68, 0.83, 0.98)]
    canvas.tissue[canvas.region(*[swell(disc, 1.15) for disc in discs]) & outer] = BONE
    canvas.tissue[canvas.region(*discs) & outer] = MARROW
    canvas.tissue[canvas.lines(both(SHAPES["neck_muscle"]), 0.016) & outer] = FAT


def _face(canvas: Canvas, outer: np.ndarray, part: str) -> None:
    """Paint jaw and tongue; in front also the sinuses and the nose, farther back the throat and the ears' canals."""
    tissue = canvas.tissue
    tissue[canvas.lines(both(SHAPES["jaw"]), 0.05) & outer] = BONE
    tissue[canvas.lines(both(SHAPES["jaw"]), 0.022) & outer] = MARROW
    tissue[canvas.region(ellipse(0, 0.80, 0.21, 0.13)) & outer] = MUSCLE
    air = [*both(ellipse(0.36, 0.47, 0.035, 0.028)), ellipse(0, 0.68, 0.09, 0.035)]
    if part == "front":
        air = [*both(SHAPES["maxilla"]), *both(SHAPES["nose"]), ellipse(0, 0.275, 0.13, 0.06)]
    tissue[canvas.region(*air) & outer] = AIR
    if part == "front":
        tissue[canvas.lines(both(SHAPES["shell"]), 0.02) & outer] = MUSCLE
