"""The three planes of a brain phantom: which outlines, ventricles and deep structures an axial, coronal or sagittal slice shows."""

from __future__ import annotations

import numpy as np

from studylib.data.phantoms.anatomy import (
    AIR,
    BONE,
    CSF,
    DEEP,
    DURA,
    FAT,
    FOLIA,
    GREY,
    MUSCLE,
    STEM,
    VENTRICLE,
    WHITE,
    Canvas,
    Head,
    ellipse,
    mirrored,
    paint_cortex,
    smooth_closed,
    smooth_open,
    sulcus_paths,
    wrap_skull,
)

SULCUS = 0.014  # width of a narrow sulcus, half image widths


def draw_tissue(head: Head, level: float, pixels: int) -> np.ndarray:
    """Draw the tissue map of one slice, uint8 (pixels, pixels); level from 0 to 1 runs through the plane's slices."""
    canvas = Canvas(head, pixels)
    {"axial": _axial, "coronal": _coronal, "sagittal": _sagittal}[head.plane](canvas, float(np.clip(level, 0, 1)))
    return canvas.tissue


def both(outline) -> list[np.ndarray]:
    """Return an outline and its mirror image."""
    outline = np.asarray(outline, dtype=np.float64)
    return [outline, outline * (-1, 1)]


def blend(low, high, share: float) -> np.ndarray:
    """Mix two lists of points."""
    return (1 - share) * np.asarray(low, dtype=np.float64) + share * np.asarray(high, dtype=np.float64)


def swell(outline, factor: float) -> np.ndarray:
    """Scale an outline about its mean."""
    outline = np.asarray(outline, dtype=np.float64)
    middle = outline.mean(0)
    return middle + (outline - middle) * factor


def _axial(canvas: Canvas, level: float) -> None:
    """Axial: level 0 at the third ventricle and basal ganglia, 0.5 at the bodies of the ventricles, 1 near the vertex."""
    head = canvas.head
    size = 1.0 - 0.16 * max(0.0, level - 0.45) / 0.55
    vault = smooth_closed(
        mirrored(
            [
                (0, -0.76),
                (0.24, -0.71),
                (0.43, -0.52),
                (0.55, -0.20),
                (0.58, 0.12),
                (0.52, 0.44),
                (0.33, 0.68),
                (0, 0.755),
            ]
        )
        * size
    )
    inside = canvas.region(vault)
    wrap_skull(canvas, inside)
    brain = inside & (canvas.depth(inside) > head.gap)
    # The cleft between the hemispheres: whole above the corpus callosum, front and back below it.
    callosum = float(np.clip((0.80 - level) / 0.15, 0, 1))
    bend = 0.012 * np.sin(head.phases[6] + np.linspace(0, 5, 9))
    line = np.column_stack([bend, np.linspace(-0.80, 0.80, 9) * size])
    clefts = [line] if callosum == 0 else [line[line[:, 1] < -0.27 * callosum], line[line[:, 1] > 0.33 * callosum]]
    cleft = canvas.lines(clefts, 0.020)
    narrow, wide = sulcus_paths(vault, head, [(0.02, 0.48), (0.52, 0.98)], 26, (0.08, 0.25))
    medial = []
    for i in range(14):
        place, deep, turn, _, _, _ = head.sulci[40 + i]
        y = (-0.66 + 1.3 * (i // 2 + 0.2 + 0.6 * place) / 7) * size
        if callosum and -0.33 * callosum < y < 0.39 * callosum:
            continue
        side = 1 if i % 2 else -1
        x = np.linspace(0, 0.06 + 0.11 * deep, 4)
        medial.append(np.column_stack([side * x, y + 0.25 * (turn - 0.5) * x + 0.03 * np.sin(9 * x + turn * 6)]))
    fluid = canvas.lines(narrow + medial, SULCUS) | canvas.lines(wide, 2.0 * SULCUS) | cleft
    low = level < 0.42
    if low:  # the Sylvian fissure with the insula
        sylvian = [(0.60, -0.20), (0.50, -0.16), (0.41, -0.11), (0.385, 0.0), (0.40, 0.10)]
        fluid |= canvas.lines([smooth_open(side) for side in both(sylvian)], 0.030)
    midline = (
        canvas.region(np.array([(-0.24, -0.24), (0.24, -0.24), (0.24, 0.30), (-0.24, 0.30)])) if callosum else None
    )
    paint_cortex(canvas, brain, fluid & brain, None if midline is None else midline & ~canvas.lines(clefts, 0.1))
    tissue = canvas.tissue
    if callosum:
        tissue[brain & canvas.lines([line], 0.012) & (tissue == CSF)] = DURA
    else:
        tissue[brain & canvas.lines([line], 0.010)] = DURA
    # Deep grey matter fades out above level 0.45.
    deep = float(np.clip(1.25 - 2.2 * level, 0, 1))
    if deep > 0.15:
        caudate = both(ellipse(0.150, -0.205, 0.050 * deep, 0.085 * deep, 12))
        shapes = list(caudate)
        if level < 0.40:
            lentiform = smooth_closed([(0.20, -0.03), (0.27, -0.15), (0.335, -0.08), (0.335, 0.05), (0.28, 0.11)])
            shapes += both(swell(lentiform, deep)) + both(swell(ellipse(0.105, 0.085, 0.080, 0.115, -24), deep))
        tissue[canvas.region(*shapes) & brain] = DEEP
    if level < 0.72:
        body = min(1.0, max(0.0, (level - 0.15) / 0.35))
        fade = float(np.clip((0.74 - level) / 0.10, 0.25, 1))
        grow = head.ventricles * fade
        front = blend(
            [(0.030, -0.125), (0.045, -0.22), (0.085, -0.315), (0.125, -0.315), (0.105, -0.22), (0.06, -0.12)],
            [(0.035, 0.10), (0.040, -0.12), (0.075, -0.30), (0.115, -0.29), (0.105, -0.10), (0.105, 0.12)],
            body,
        )
        back = blend(
            [(0.15, 0.215), (0.20, 0.20), (0.24, 0.30), (0.225, 0.42), (0.19, 0.43), (0.17, 0.32)],
            [(0.04, 0.08), (0.115, 0.06), (0.165, 0.20), (0.20, 0.36), (0.155, 0.37), (0.09, 0.22)],
            body,
        )
        shapes = []
        for points in (front, back):
            middle = points.mean(0)
            points = middle + (points - middle) * (grow, grow**0.5)
            shapes += both(smooth_closed(points))
        if level < 0.38:
            third = ellipse(0, 0.02, 0.016 * head.ventricles, 0.115)
            shapes.append(third)
            tissue[canvas.region(ellipse(0, 0.235, 0.085, 0.055)) & brain] = CSF  # quadrigeminal cistern
        tissue[canvas.region(*shapes) & brain] = VENTRICLE


def _coronal(canvas: Canvas, level: float) -> None:
    """Coronal: level 0 through the frontal horns and temporal poles, 0.5 the third ventricle and stem, 1 the cerebellum."""
    head = canvas.head
    back = float(np.clip((level - 0.62) / 0.12, 0, 1))
    base = blend(
        [(0.50, 0.20), (0.36, 0.31), (0.20, 0.25), (0.09, 0.16), (0, 0.15)],
        [(0.52, 0.22), (0.43, 0.36), (0.27, 0.47), (0.12, 0.50), (0, 0.50)],
        back,
    )
    vault = smooth_closed(mirrored([(0, -0.74), (0.26, -0.69), (0.46, -0.50), (0.57, -0.22), (0.575, 0.04), *base]))
    inside = canvas.region(vault)
    narrower = 1 - 0.22 * back
    neck = np.array([(0.60, -0.05), (0.60, 0.30), (0.53, 0.55), (0.44, 0.75), (0.40, 1.3)]) * (narrower, 1)
    face = canvas.region(np.vstack([neck, neck[::-1] * (-1, 1)]))
    wrap_skull(canvas, inside, face)
    tissue = canvas.tissue
    if back < 0.5:
        tissue[
            canvas.region(*both(ellipse(0.24, 0.56, 0.10, 0.11, 8)), ellipse(0, 0.53, 0.05, 0.12)) & (tissue != CSF)
        ] = AIR
        tissue[canvas.region(*both(ellipse(0.37, 0.74, 0.035, 0.16, -6)))] = BONE
        tissue[canvas.region(ellipse(0, 0.84, 0.20, 0.10))] = MUSCLE
        tissue[canvas.lines([[(-0.22, 0.70), (0, 0.68), (0.22, 0.70)]], 0.03)] = BONE
    else:
        for y in (0.66, 0.82, 0.98):
            tissue[canvas.region(ellipse(0, y, 0.12, 0.055))] = FAT
        tissue[canvas.lines(both([(0.10, 0.58), (0.22, 0.75), (0.26, 1.1)]), 0.02)] = FAT
    brain = inside & (canvas.depth(inside) > head.gap)
    line = np.column_stack([0.012 * np.sin(head.phases[6] + np.linspace(0, 3, 6)), np.linspace(-0.78, -0.24, 6)])
    cleft = canvas.lines([line], 0.020)
    narrow, wide = sulcus_paths(vault, head, [(0.02, 0.36), (0.64, 0.98)], 24, (0.08, 0.24))
    sylvian = smooth_open([(0.60, 0.02), (0.48, 0.0), (0.385, -0.04), (0.345, -0.12), (0.36, -0.20)])
    medial = []
    for i in range(8):
        place, deep, turn, _, _, _ = head.sulci[40 + i]
        y = -0.66 + 0.40 * (i // 2 + 0.2 + 0.6 * place) / 4
        x = np.linspace(0, 0.06 + 0.12 * deep, 4)
        medial.append(np.column_stack([(1 if i % 2 else -1) * x, y + 0.3 * (turn - 0.5) * x]))
    fluid = canvas.lines(narrow + medial, SULCUS) | canvas.lines(wide, 2.0 * SULCUS) | cleft
    if level < 0.72:
        fluid |= canvas.lines(both(sylvian), 0.028)
    if back < 0.5:  # between temporal lobe and stem
        fluid |= canvas.lines(
            [smooth_open(s) for s in both([(0.16, 0.30), (0.14, 0.18), (0.17, 0.08), (0.22, 0.06)])], 0.026
        )
        fluid |= canvas.region(ellipse(0, 0.13, 0.13, 0.05))
    tent = smooth_open(
        [(-0.60, 0.20), (-0.40, 0.13), (-0.18, 0.08), (0, 0.02), (0.18, 0.08), (0.40, 0.13), (0.60, 0.20)]
    )
    if back >= 0.5:
        fluid |= canvas.lines([tent], 0.028)
    midline = canvas.region(np.array([(-0.22, -0.27), (0.22, -0.27), (0.22, 0.04), (-0.22, 0.04)]))
    paint_cortex(canvas, brain, fluid & brain, midline)
    tissue[brain & canvas.lines([line], 0.011)] = DURA
    if back >= 0.5:
        below = np.vstack([tent, [(0.62, 0.6), (-0.62, 0.6)]])
        lobes = canvas.region(below) & brain & ~(fluid & brain)
        tissue[lobes] = FOLIA
        rows = [
            smooth_open([(-0.5, y + 0.10), (-0.25, y - 0.02), (0, y + 0.03), (0.25, y - 0.02), (0.5, y + 0.10)])
            for y in np.arange(0.14, 0.50, 0.055)
        ]
        tissue[canvas.lines(rows, 0.010) & lobes] = CSF
        tissue[
            canvas.region(*both(smooth_closed([(0.07, 0.20), (0.20, 0.17), (0.30, 0.26), (0.20, 0.31), (0.10, 0.28)])))
            & lobes
        ] = WHITE
        tissue[brain & canvas.lines([tent], 0.012)] = DURA
    else:
        stem = smooth_closed(
            mirrored([(0, 0.06), (0.085, 0.08), (0.11, 0.17), (0.10, 0.28), (0.075, 0.40), (0.07, 0.62), (0, 0.66)])
        )
        if level > 0.30:
            tissue[canvas.region(swell(stem, 1.18))] = CSF
            tissue[canvas.region(stem)] = STEM
    if level < 0.66:
        shapes = both(ellipse(0.135, -0.155, 0.040, 0.075, 20))
        if level < 0.55:
            shapes += both(smooth_closed([(0.18, -0.02), (0.26, -0.13), (0.315, -0.07), (0.30, 0.03), (0.22, 0.05)]))
        if level > 0.22:
            shapes += both(ellipse(0.075, -0.02, 0.062, 0.070))
        tissue[canvas.region(*shapes) & brain] = DEEP
    v = head.ventricles
    if level < 0.66:
        horn = np.array(
            [(0.015, -0.17), (0.05, -0.235), (0.125, -0.265), (0.135, -0.235), (0.085, -0.175), (0.04, -0.115)]
        )
    else:
        horn = np.array([(0.13, -0.12), (0.19, -0.17), (0.27, -0.10), (0.27, 0.0), (0.22, 0.03), (0.17, -0.03)])
    shapes = both(smooth_closed(swell(horn, v)))
    if 0.2 < level < 0.66:
        shapes += [ellipse(0, -0.01, 0.014 * v, 0.075), *both(ellipse(0.285, 0.145, 0.026 * v, 0.012, 20))]
    tissue[canvas.region(*shapes) & brain] = VENTRICLE


def _sagittal(canvas: Canvas, level: float) -> None:
    """Sagittal, facing left: level 0 in the midline (corpus callosum, stem, cerebellum), 1 through a temporal lobe."""
    head = canvas.head
    vault = smooth_closed(
        [(-0.61, -0.12), (-0.60, -0.34), (-0.45, -0.58), (-0.18, -0.71), (0.14, -0.72), (0.42, -0.59), (0.60, -0.34)]
        + [(0.645, -0.05), (0.56, 0.18), (0.42, 0.36), (0.25, 0.42), (0.13, 0.38), (0.03, 0.24), (-0.07, 0.10)]
        + [(-0.22, 0.05), (-0.42, 0.02), (-0.57, -0.01)]
    )
    inside = canvas.region(vault)
    profile = [
        (-0.69, -0.15),
        (-0.68, -0.02),
        (-0.73, 0.10),
        (-0.84, 0.24),
        (-0.80, 0.30),
        (-0.73, 0.32),
        (-0.77, 0.40),
        (-0.74, 0.46),
    ]
    profile += [(-0.77, 0.54), (-0.72, 0.60), (-0.74, 0.70), (-0.66, 0.80), (-0.42, 0.84), (-0.30, 0.92), (-0.28, 1.4)]
    profile += [(0.46, 1.4), (0.44, 0.80), (0.50, 0.50), (0.66, 0.20), (0.2, -0.1)]
    face = canvas.region(smooth_closed(profile, 4))
    wrap_skull(canvas, inside, face)
    tissue = canvas.tissue
    middle = level < 0.45
    outer = face & ~inside & (tissue != BONE)
    if middle:
        air = [smooth_closed([(-0.30, 0.14), (-0.16, 0.12), (-0.08, 0.20), (-0.14, 0.27), (-0.28, 0.24)])]
        air += [
            smooth_closed(
                [
                    (-0.72, 0.30),
                    (-0.50, 0.32),
                    (-0.20, 0.33),
                    (-0.10, 0.42),
                    (-0.06, 0.75),
                    (-0.10, 0.75),
                    (-0.16, 0.46),
                    (-0.30, 0.38),
                ]
            )
        ]
        air += [smooth_closed([(-0.62, -0.08), (-0.66, 0.00), (-0.62, 0.06), (-0.58, 0.0)])]
        tissue[canvas.region(*air) & outer] = AIR
        tissue[
            canvas.region(
                smooth_closed(
                    [(-0.66, 0.50), (-0.50, 0.41), (-0.28, 0.45), (-0.20, 0.62), (-0.34, 0.72), (-0.60, 0.66)]
                )
            )
            & outer
        ] = MUSCLE
        tissue[canvas.lines([smooth_open([(-0.70, 0.38), (-0.45, 0.36), (-0.20, 0.42)])], 0.02) & outer] = BONE
        tissue[canvas.lines([smooth_open([(0.02, 0.44), (0.05, 0.7), (0.10, 1.1)])], 0.09) & outer] = FAT
        for y in (0.56, 0.70, 0.84, 0.98):
            tissue[
                canvas.lines([[(-0.02 + (y - 0.5) * 0.1, y), (0.10 + (y - 0.5) * 0.1, y + 0.01)]], 0.016) & outer
            ] = BONE
    else:
        tissue[canvas.region(ellipse(-0.56, 0.10, 0.115, 0.10)) & outer] = CSF
        tissue[canvas.region(ellipse(-0.63, 0.10, 0.030, 0.045)) & outer] = MUSCLE
        tissue[
            canvas.region(smooth_closed([(-0.66, 0.28), (-0.45, 0.24), (-0.32, 0.34), (-0.42, 0.50), (-0.60, 0.46)]))
            & outer
        ] = AIR
    brain = inside & (canvas.depth(inside) > head.gap)
    spans = [(0.0, 0.50), (0.86, 0.99)] if middle else [(0.0, 0.50), (0.88, 0.99)]
    narrow, wide = sulcus_paths(vault, head, spans, 22, (0.10, 0.27))
    fluid = canvas.lines(narrow, SULCUS) | canvas.lines(wide, 2.0 * SULCUS)
    tent = smooth_open([(0.13, 0.02), (0.26, 0.04), (0.42, 0.09), (0.62, 0.12)])
    fluid |= canvas.lines([tent], 0.026)
    if middle:
        _sagittal_middle(canvas, brain, fluid, tent)
    else:
        _sagittal_side(canvas, brain, fluid, tent, level)


def _cerebellum(canvas: Canvas, brain: np.ndarray, outline: np.ndarray, hub: tuple[float, float]) -> None:
    """Paint a cerebellum: folia as arcs about a hub, and the branching white matter."""
    lobe = canvas.region(outline) & brain
    canvas.tissue[canvas.region(swell(outline, 1.08)) & brain] = CSF
    canvas.tissue[lobe] = FOLIA
    hub = np.asarray(hub)
    arcs, tree = [], []
    for angle in np.deg2rad(np.arange(-75, 110, 23)):
        tip = hub + 0.30 * np.array([np.cos(angle), np.sin(angle)])
        tree.append(np.linspace(hub, tip, 3)[:2])
        rim = angle + np.deg2rad(11.5)
        arcs.append(np.array([hub + r * np.array([np.cos(rim), np.sin(rim)]) for r in (0.08, 0.17, 0.30)]))
    canvas.tissue[canvas.lines(arcs, 0.011) & lobe] = CSF
    canvas.tissue[canvas.lines(tree, 0.022) & lobe] = WHITE
    canvas.tissue[canvas.region(ellipse(*hub, 0.055, 0.05)) & lobe] = WHITE


def _sagittal_middle(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, tent: np.ndarray) -> None:
    """Paint the midline slice."""
    head, tissue = canvas.head, canvas.tissue
    arch = smooth_open(
        [
            (-0.17, -0.02),
            (-0.27, -0.07),
            (-0.29, -0.16),
            (-0.20, -0.245),
            (0.0, -0.285),
            (0.18, -0.235),
            (0.275, -0.12),
            (0.24, -0.05),
        ]
    )
    cingulate = smooth_open(
        [
            (-0.30, 0.0),
            (-0.42, -0.10),
            (-0.41, -0.24),
            (-0.26, -0.37),
            (0.0, -0.41),
            (0.22, -0.37),
            (0.34, -0.27),
            (0.38, -0.42),
        ]
    )
    fluid = fluid | canvas.lines([cingulate], 0.018)
    paint_cortex(canvas, brain, fluid & brain)
    v = head.ventricles
    below = smooth_closed(
        [
            (-0.15, -0.05),
            (-0.25, -0.10),
            (-0.24, -0.17),
            (-0.13, -0.235),
            (0.02, -0.255),
            (0.15, -0.21),
            (0.20, -0.13),
            (0.10, -0.14),
            (-0.03, -0.15 + 0.03 * (v - 1)),
            (-0.13, -0.10),
        ]
    )
    tissue[canvas.region(below)] = VENTRICLE
    tissue[canvas.lines([arch], 0.060)] = WHITE
    tissue[canvas.lines([arch + (0, -0.036)], 0.012) & (tissue == GREY)] = CSF
    space = smooth_closed(
        [
            (-0.16, 0.10),
            (-0.10, 0.0),
            (0.06, -0.10),
            (0.22, -0.08),
            (0.24, 0.02),
            (0.24, 0.30),
            (0.20, 0.45),
            (0.02, 0.40),
            (-0.08, 0.2),
        ]
    )
    tissue[canvas.region(space) & brain] = CSF
    tissue[canvas.region(ellipse(0.035, -0.07, 0.125, 0.075, -8))] = DEEP
    outline = smooth_closed(
        [
            (0.21, 0.10),
            (0.30, 0.065),
            (0.45, 0.10),
            (0.54, 0.18),
            (0.44, 0.32),
            (0.30, 0.375),
            (0.215, 0.30),
            (0.175, 0.20),
        ]
    )
    _cerebellum(canvas, brain, outline, (0.235, 0.205))
    channel = smooth_open([(0.10, 0.25), (0.155, 0.45), (0.19, 0.65), (0.22, 0.95), (0.22, 1.3)])
    tissue[
        canvas.lines([channel], 0.135) & (canvas.region(np.array([(-0.2, 0.3), (0.5, 0.3), (0.5, 1.4), (-0.2, 1.4)])))
    ] = CSF
    stem = smooth_closed(
        [
            (0.02, 0.0),
            (0.13, 0.0),
            (0.155, 0.09),
            (0.165, 0.20),
            (0.175, 0.32),
            (0.20, 0.48),
            (0.25, 0.9),
            (0.26, 1.4),
            (0.17, 1.4),
            (0.165, 0.9),
            (0.12, 0.48),
            (0.09, 0.34),
            (0.015, 0.27),
            (-0.015, 0.18),
            (0.02, 0.10),
        ]
    )
    tissue[canvas.region(stem)] = STEM
    tissue[canvas.region(smooth_closed([(0.155, 0.12), (0.205, 0.20), (0.165, 0.29), (0.15, 0.20)]))] = VENTRICLE
    tissue[canvas.lines([[(0.13, 0.0), (0.158, 0.12)]], 0.012)] = VENTRICLE
    tissue[canvas.region(ellipse(-0.13, 0.105, 0.035, 0.025))] = DEEP  # pituitary gland
    tissue[brain & canvas.lines([tent], 0.010)] = DURA


def _sagittal_side(canvas: Canvas, brain: np.ndarray, fluid: np.ndarray, tent: np.ndarray, level: float) -> None:
    """Paint a slice beside the midline: temporal lobe, Sylvian fissure, C-shaped ventricle, cerebellar hemisphere."""
    head, tissue = canvas.head, canvas.tissue
    sylvian = smooth_open([(-0.40, 0.08), (-0.26, -0.03), (-0.05, -0.08), (0.14, -0.16), (0.25, -0.24)])
    temporal = [
        smooth_open([(-0.22, 0.12), (0.0, 0.04), (0.20, -0.02), (0.34, -0.10)]),
        smooth_open([(-0.05, 0.17), (0.12, 0.10), (0.30, 0.04)]),
    ]
    inner = [
        smooth_open([(-0.38, -0.22), (-0.20, -0.26), (0.02, -0.33)]),
        smooth_open([(0.18, -0.42), (0.36, -0.30), (0.48, -0.16)]),
    ]
    fluid = fluid | canvas.lines([sylvian], 0.030) | canvas.lines(temporal + inner, 0.015)
    paint_cortex(canvas, brain, fluid & brain)
    tissue[canvas.region(ellipse(-0.06, -0.17, 0.11, 0.06, -10)) & brain] = DEEP
    outline = smooth_closed(
        [
            (0.15, 0.12),
            (0.30, 0.085),
            (0.47, 0.13),
            (0.55, 0.19),
            (0.44, 0.34),
            (0.30, 0.385),
            (0.17, 0.33),
            (0.11, 0.22),
        ]
    )
    _cerebellum(canvas, brain, outline, (0.22, 0.23))
    if level < 0.85:
        v = head.ventricles
        path = smooth_open([(-0.20, -0.21), (0.0, -0.245), (0.17, -0.20), (0.25, -0.10), (0.20, -0.01), (0.06, 0.06)])
        tissue[canvas.lines([path], 0.045 * v) & brain] = VENTRICLE
        tissue[canvas.region(ellipse(0.27, -0.08, 0.07 * v, 0.04 * v, 30)) & brain] = VENTRICLE
    tissue[brain & canvas.lines([tent], 0.010)] = DURA
