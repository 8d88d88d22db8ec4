"""Sagittal slices, facing left: level 0 in the midline (callosum, stem, cerebellum), 1 through a temporal lobe."""

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
from studylib.data.phantoms.head.curves import ellipse, opened, read_outlines, swell

SHAPES = read_outlines("""
vault closed -.61 -.12, -.60 -.34, -.45 -.58, -.18 -.71, .14 -.72, .42 -.59, .60 -.34, .645 -.05, .56 .18, .42 .36,
  .25 .42, .13 .38, .03 .24, -.07 .10, -.22 .05, -.42 .02, -.57 -.01
profile closed -.69 -.15, -.68 -.02, -.73 .10, -.84 .24, -.80 .30, -.73 .32, -.77 .40, -.74 .46, -.77 .54, -.72 .60,
  -.74 .70, -.66 .80, -.42 .84, -.30 .92, -.28 1.4, .46 1.4, .44 .80, .50 .50, .66 .20, .2 -.1
side_profile closed -.68 -.15, -.67 0, -.69 .12, -.68 .30, -.66 .48, -.62 .66, -.48 .76, -.30 .86, -.28 1.4, .46 1.4,
  .44 .80, .50 .50, .66 .20, .2 -.1
tongue closed -.66 .52, -.50 .42, -.28 .45, -.19 .60, -.32 .72, -.60 .66
palate open -.72 .38, -.50 .355, -.26 .37, -.17 .46
shell open -.62 0, -.45 -.02, -.28 .02
nose closed -.70 .28, -.66 .12, -.48 .09, -.26 .14, -.13 .27, -.24 .34, -.50 .325
throat closed -.19 .32, -.11 .34, -.06 .50, -.05 .76, -.09 .95, -.13 .76, -.13 .52
mouth open -.70 .49, -.50 .395, -.28 .41, -.16 .52, -.28 .44, -.50 .42
forehead closed -.655 -.10, -.665 -.02, -.635 .03, -.615 -.03
sphenoid closed -.25 .11, -.13 .11, -.09 .19, -.15 .24, -.25 .20
clivus closed -.07 .15, -.03 .19, .07 .36, .05 .40, -.03 .33, -.10 .24
vertebra closed 0 -.055, .10 -.05, .105 .05, 0 .055
spine open .30 0, .38 .04, .42 .07
orbit closed -.68 .04, -.56 .045, -.30 .10, -.36 .18, -.55 .24, -.68 .22
nerve open -.52 .14, -.42 .13, -.32 .12
maxilla closed -.62 .29, -.45 .26, -.35 .33, -.42 .46, -.58 .45
jaw closed -.18 .26, -.10 .28, -.14 .55, -.30 .70, -.58 .66, -.56 .58, -.33 .58, -.22 .48
tent open .13 .02, .26 .04, .42 .09, .62 .12
vein open .23 -.02, .30 .02, .45 .08, .62 .13
arch open -.17 -.02, -.27 -.07, -.29 -.16, -.20 -.245, 0 -.285, .18 -.235, .275 -.12, .245 -.055
cingulate open -.30 0, -.41 -.09, -.415 -.23, -.27 -.36, 0 -.405, .22 -.365, .33 -.30, .37 -.44
parietal open .36 -.46, .33 -.30, .30 -.16, .27 -.06
calcarine open .30 -.10, .42 -.08, .53 -.12, .64 -.08
cuneus open .38 -.44, .44 -.30, .55 -.25
lingual open .24 .01, .36 .01, .50 .04, .60 .02
below_arch closed -.15 -.05, -.25 -.10, -.24 -.17, -.13 -.235, .02 -.255, .15 -.21, .20 -.13, .10 -.14, -.03 -.15,
  -.13 -.10
fornix open .20 -.15, .05 -.165, -.07 -.13, -.12 -.03
cisterns closed -.16 .08, -.09 0, .06 -.08, .21 -.06, .235 .02, .235 .30, .20 .45, .02 .40, -.08 .20
canal open .10 .30, .155 .47, .20 .70, .235 1, .235 1.4
below_skull points -.20 .36, .60 .36, .60 1.5, -.20 1.5
stem closed .02 0, .13 0, .155 .09, .165 .20, .175 .32, .20 .48, .25 .90, .26 1.4, .18 1.4, .175 .90, .13 .48, .09 .34,
  .015 .27, -.015 .18, .02 .10
fourth closed .155 .12, .205 .20, .165 .29, .15 .20
aqueduct points .13 0, .158 .12
vermis closed .21 .10, .30 .065, .45 .10, .54 .18, .44 .32, .30 .375, .215 .30, .175 .20
hemisphere closed .15 .13, .30 .10, .47 .14, .55 .19, .44 .34, .30 .385, .17 .33, .11 .22
ventricle open -.20 -.245, 0 -.275, .17 -.225, .25 -.14, .215 -.06, .14 -.02
""")
# Fissures beside the midline; the first is the Sylvian.
FISSURES = read_outlines("""
sylvian points -.36 .09, -.24 0, -.08 -.06, .10 -.12, .22 -.22
temporal points -.20 .13, -.02 .06, .16 0, .30 -.06, .38 -.16
occipital points .10 .09, .24 .03, .36 .05
frontal points -.47 -.10, -.36 -.15, -.27 -.12
upper points -.42 -.26, -.30 -.28, -.20 -.36, -.08 -.34
central points .02 -.50, .06 -.40, .14 -.33
parietal points .26 -.46, .33 -.33, .46 -.25
posterior points .42 -.05, .50 -.10, .60 -.08
""")


def draw_sagittal(canvas: Canvas, level: float) -> None:
    """Draw a sagittal slice on an empty canvas."""
    head, tissue = canvas.head, canvas.tissue
    middle = level < 0.45
    inside = canvas.region(SHAPES["vault"])
    wrap_skull(canvas, inside, canvas.region(SHAPES["profile" if middle else "side_profile"]))
    (_face if middle else _orbit)(canvas, ~inside & (tissue != AIR) & (canvas.depth(~inside) > head.skull * 0.8))
    brain = inside & (canvas.depth(inside) > head.gap)
    paths = sulcus_paths(SHAPES["vault"], head, [(0.0, 0.505), (0.87, 0.99)], 30, (0.06, 0.25))
    fluid = fold(canvas, paths) | canvas.lines([SHAPES["tent"]], 0.020)
    (_middle if middle else _side)(canvas, brain, fluid, level)
    tissue[brain & canvas.lines([SHAPES["tent"]], 0.008)] = DURA
    if middle:
        tissue[canvas.lines([SHAPES["vein"]], 0.014) & brain] = SINUS


def _face(canvas: Canvas, outer: np.ndarray) -> None:
    """Paint nose, mouth, tongue, throat and the front of the spine."""
    tissue = canvas.tissue
    tissue[canvas.region(SHAPES["tongue"]) & outer] = MUSCLE
    tissue[canvas.lines([SHAPES["palate"]], 0.045) & outer] = FAT
    tissue[canvas.lines([SHAPES["palate"]], 0.020) & outer] = BONE
    tissue[canvas.region(*(SHAPES[name] for name in ("nose", "throat", "mouth", "forehead"))) & outer] = AIR
    tissue[canvas.lines([SHAPES["shell"] + (0, y) for y in (0.20, 0.285)], 0.045) & outer] = MUSCLE
    tissue[canvas.region(SHAPES["sphenoid"]) & outer] = AIR
    tissue[canvas.region(SHAPES["clivus"]) & outer] = MARROW
    for i, y in enumerate((0.50, 0.635, 0.77, 0.905, 1.04)):
        body = SHAPES["vertebra"] + (0.035 * i - 0.005, y)
        tissue[canvas.region(swell(body, 1.22, 1.1)) & outer] = BONE
        tissue[canvas.region(body) & outer] = MARROW
        tissue[canvas.lines([SHAPES["spine"] + (0.02 * i, y)], 0.05) & outer] = FAT


def _orbit(canvas: Canvas, outer: np.ndarray) -> None:
    """Paint an eye in its fat, a maxillary sinus, the jaw and the air cells behind the ear."""
    tissue = canvas.tissue
    tissue[canvas.region(SHAPES["orbit"]) & outer] = FAT
    tissue[canvas.lines([SHAPES["nerve"]], 0.020) & outer] = MUSCLE
    tissue[canvas.region(ellipse(-0.605, 0.135, 0.088, 0.085)) & outer] = MUSCLE
    tissue[canvas.region(ellipse(-0.605, 0.135, 0.076, 0.073)) & outer] = EYE
    tissue[canvas.region(ellipse(-0.655, 0.135, 0.018, 0.036)) & outer] = MUSCLE  # the lens
    tissue[canvas.region(SHAPES["maxilla"]) & outer] = AIR
    jaw = canvas.region(SHAPES["jaw"]) & outer
    tissue[jaw] = BONE
    tissue[canvas.region(swell(SHAPES["jaw"], 0.93)) & canvas.region(SHAPES["jaw"] - (0.01, 0.01)) & jaw] = MARROW
    cells = [ellipse(x, y, 0.020, 0.018) for x, y in ((0.02, 0.36), (0.07, 0.41), (0.11, 0.46), (0.03, 0.42))]
    tissue[canvas.region(*cells) & outer] = AIR


def _cerebellum(canvas: Canvas, brain: np.ndarray, outline: np.ndarray, hub: tuple[float, float]) -> None:
    """Paint a cerebellum: folia between arcs of fluid, and the branching white matter."""
    tissue, centre = canvas.tissue, np.asarray(hub)
    lobe = canvas.region(outline) & brain
    tissue[canvas.region(swell(outline, 1.08)) & brain] = CSF
    tissue[lobe] = FOLIA
    arcs, tree = [], []
    for i, angle in enumerate(np.deg2rad(np.arange(-78, 118, 19.5))):
        out, rim = (np.array([np.cos(a), np.sin(a)]) for a in (angle, angle + np.deg2rad(9.7)))
        side = np.array([-out[1], out[0]])
        arcs.append(opened([centre + r * out + 0.016 * np.sin(14 * r + i) * side for r in (0.10, 0.17, 0.24, 0.34)]))
        tree.append(np.array([centre, centre + 0.13 * rim]))
    tissue[canvas.lines(tree, 0.018) & lobe] = WHITE
    tissue[canvas.lines(arcs, 0.008) & lobe] = CSF
    tissue[canvas.region(ellipse(*hub, 0.055, 0.05)) & lobe] = WHITE


def _middle(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, level: float) -> None:
    """Paint the midline: callosum, fornix and thalamus, stem, fourth ventricle, vermis."""
    head, tissue = canvas.head, canvas.tissue
    fluid = fluid | canvas.lines([SHAPES["cingulate"]], 0.013 * head.atrophy)
    folds = [SHAPES[name] for name in ("parietal", "calcarine", "cuneus", "lingual")]
    fluid |= canvas.lines(folds, 0.011 * head.atrophy) | canvas.lines([SHAPES["arch"] + (0, -0.045)], 0.010)
    paint_cortex(canvas, brain, fluid & brain)
    tissue[canvas.region(SHAPES["cisterns"]) & brain] = CSF
    tissue[canvas.region(ellipse(0.035, -0.065, 0.125, 0.070, -8)) & brain] = DEEP
    wide = head.ventricles  # wide ones reach down over the thalamus
    tissue[canvas.region(swell(SHAPES["below_arch"], 1 + 0.2 * (wide - 1), wide)) & brain] = VENTRICLE
    tissue[canvas.lines([SHAPES["fornix"] + (0, 0.08 * (wide - 1))], 0.014) & brain] = WHITE
    tissue[canvas.lines([SHAPES["arch"]], 0.052) & brain] = WHITE
    _cerebellum(canvas, brain, SHAPES["vermis"], (0.235, 0.205))
    tissue[canvas.lines([SHAPES["canal"]], 0.125) & canvas.region(SHAPES["below_skull"])] = (
        EYE  # fluid outside the skull
    )
    tissue[canvas.region(SHAPES["stem"])] = STEM
    tissue[(canvas.region(SHAPES["fourth"]) | canvas.lines([SHAPES["aqueduct"]], 0.010)) & brain] = VENTRICLE
    tissue[canvas.region(ellipse(0.165, 0.015, 0.022, 0.020)) & brain] = DEEP
    tissue[canvas.region(ellipse(-0.125, 0.10, 0.034, 0.024))] = SINUS  # the pituitary gland takes up contrast


def _side(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, level: float) -> None:
    """Paint a slice beside the midline: Sylvian fissure, temporal lobe, C-shaped ventricle, cerebellar hemisphere."""
    head, tissue = canvas.head, canvas.tissue
    paths = []
    for path, phase in zip(FISSURES.values(), head.phases, strict=True):  # each is bent in its own way
        paths.append(opened(path + np.outer(np.cos(phase + np.arange(len(path))), (0.008, 0.022))))
    fluid = fluid | canvas.lines(paths[:1], 0.020 * head.atrophy) | canvas.lines(paths[1:], 0.010 * head.atrophy)
    paint_cortex(canvas, brain, fluid & brain)
    tissue[canvas.region(ellipse(-0.05, -0.20, 0.10, 0.045, -8)) & brain] = DEEP
    _cerebellum(canvas, brain, SHAPES["hemisphere"], (0.24, 0.235))
    if level < 0.80:
        spaces = canvas.lines([SHAPES["ventricle"]], 0.034 * head.ventricles)
        spaces |= canvas.region(ellipse(0.255, -0.12, 0.06, 0.030 * head.ventricles, 35))
        tissue[spaces & brain] = VENTRICLE
        tissue[canvas.region(ellipse(0.235, -0.12, 0.020, 0.014)) & brain] = SINUS
