"""Smear cell phantoms: tight pictures of single cells on many slides, nucleus and cytoplasm outlined, neighbours that
cover them to a known degree, and planted cues.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from studylib.data.folder import write_png
from studylib.data.phantoms import cues
from studylib.data.phantoms.arguments import count, known_name
from studylib.data.phantoms.cell.kinds import KINDS, TRAITS, Cell, draw_cell, draw_plain
from studylib.data.phantoms.cell.scene import beside, clump, frame, neighbour
from studylib.data.phantoms.cell.stain import Slide, add_cell, add_debris, draw_slide, expose
from studylib.data.phantoms.family import write_family

CLASSES = tuple(KINDS)
PLAIN_CLASSES = ("abnormal", "normal")
REGIONS = {"1": "nucleus", "2": "cytoplasm", "3": "neighbour", "4": "debris"}
# What each cue is, and what else tells the class: "none" leaves the nucleus free of it, so that only the cue tells
CUES = {None: "", "marker": "none", "either": "nucleus", "outside": "none", "stain": "none"}
INK = 0.12  # brightness of the marker
TINT = (0.00, 0.07, 0.13)  # optical density that the tint adds: yellowish


@dataclass(frozen=True)
class One:
    """What was decided about one cell before it is drawn."""

    label: str
    abnormal: bool  # of plain cells: whether the trait is
    cue: bool
    overlap: float
    amplitude: float


@dataclass(frozen=True)
class Case:
    """One slide and its cells."""

    number: int
    cells: tuple[One, ...]


@dataclass(frozen=True)
class Recipe:
    """What all slides of a family share."""

    seed: int
    trait: str  # "kind": the five classes; else which trait of plain cells is abnormal
    cue: str | None
    scale: float


def make_cells(
    root: str | os.PathLike,
    *,
    slides: int,
    cells: int,
    seed: int = 0,
    trait: str = "kind",
    cue: str | None = None,
    strength: float = 1.0,
    mode: str = "planted",
    overlaps: Sequence[float] = (0.0, 0.2, 0.4, 0.6),
    amplitudes: Sequence[float] = (1.0,),
    scale: float = 1.0,
    processes: int = 1,
) -> Path:
    """Write a family of smear cell phantoms as a dataset folder (data/README.md) and return its path.

    slides, cells: cells a slide, as many of each class as counts allow; the slide is the group, with one stain, lamp
    and focus. Pictures are tight: their size is the cell's, as in the real sets. trait: "kind" for five classes, or
    what tells plain cells "abnormal" from "normal": "nucleus" (all of it), its "size", "chromatin" or "membrane"
    alone, the "ratio" of nucleus to cell, or "none". overlaps: shares of the cell that a neighbour covers, each as
    often; amplitudes: of the trait, each as often. scale: of lengths.

    cue: None, "marker" (ink in a corner), "either" (the nucleus, ink, or both, a third each, make it abnormal),
    "outside" (a clump beside the cell) or "stain" (a tint of the whole picture); tied to "abnormal" in `strength` of
    the cells, 1 always. mode: "planted", or the same cells with the cue "dissociated" from the class or "reversed". A
    cue needs plain cells: without a trait of their own, the nucleus is free of the class (half of each is abnormal).

    The same arguments give the same bytes, whatever `processes` is. Raises ValueError for an argument that makes no
    sense and FileExistsError where `root` exists; nothing is left behind when it fails.
    """
    known_name("cue", cue, tuple(CUES))
    known_name("trait", trait, ("kind", *TRAITS))
    if cue and trait == "kind":
        trait = CUES[cue]
    if cue is None and trait == "none":
        raise ValueError("trait 'none' without a cue: nothing in the pictures would tell the classes apart")
    if not 0.3 <= scale <= 4:
        raise ValueError(f"scale {scale} is outside 0.3 to 4")
    if not overlaps or not all(0 <= o <= 0.8 for o in overlaps):
        raise ValueError(f"overlaps {tuple(overlaps)}: one or more shares from 0 to 0.8 are expected")
    if not amplitudes or not all(0 <= a <= 2 for a in amplitudes):
        raise ValueError(f"amplitudes {tuple(amplitudes)}: one or more numbers from 0 to 2 are expected")
    recipe = Recipe(int(seed), trait, cue, float(scale))
    counts, agreement = (count("slides", slides, 3), count("cells", cells, 2)), cues.agreement(strength, mode)
    cases = plan_cases(*counts, recipe, agreement, overlaps, amplitudes, planted=mode == "planted")
    draw = partial(_write_slide, recipe=recipe)
    describe = partial(_describe, recipe=recipe, slides=len(cases), strength=strength, mode=mode)
    folders = ("cue_masks",) if cue else ()
    return write_family(root, cases, draw, describe, folders=folders, processes=processes)


def plan_cases(
    slides: int,
    cells: int,
    recipe: Recipe,
    agreement: float,
    overlaps: Sequence[float],
    amplitudes: Sequence[float],
    planted: bool = True,
) -> list[Case]:
    """Decide each cell's class, trait, cue, overlap and amplitude; `make_cells` says what the arguments mean.

    Classes, overlaps and amplitudes depend on seed and counts alone: another cue, strength or mode keeps them.
    """
    n = slides * cells
    streams = [np.random.default_rng([recipe.seed, n, stream, 17]) for stream in range(6)]
    names = CLASSES if recipe.trait == "kind" else PLAIN_CLASSES
    label = np.concatenate([streams[0].permutation(np.resize(np.arange(len(names)), cells)) for _ in range(slides)])
    positive = label == 0  # of plain cells: abnormal
    trait, cue = positive.copy(), np.zeros(n, bool)
    if recipe.cue == "either":
        trait, sign = cues.allot_either(positive, streams[1])
        cue = sign if planted else cues.allot(sign, agreement, streams[2])
    elif recipe.cue:
        cue = cues.allot(positive, agreement, streams[2])
    if recipe.trait == "none":
        trait = streams[3].permutation(np.resize([True, False], n))
    overlap = streams[4].permutation(np.resize(np.asarray(overlaps, float), n))
    amplitude = streams[5].permutation(np.resize(np.asarray(amplitudes, float), n))
    ones = [
        One(names[label[i]], bool(trait[i]), bool(cue[i]), float(overlap[i]), float(amplitude[i])) for i in range(n)
    ]
    return [Case(s, tuple(ones[s * cells : (s + 1) * cells])) for s in range(slides)]


@dataclass(frozen=True, eq=False)
class Drawn:
    """One picture: image uint8 (H, W, 3); regions uint8 (H, W), values of REGIONS; cue bool (H, W); overlap: the share
    of the cell that its neighbour covers.
    """

    image: np.ndarray
    regions: np.ndarray
    cue: np.ndarray
    overlap: float
    cell: Cell


def draw_picture(one: One, slide: Slide, recipe: Recipe, number: tuple[int, int]) -> Drawn:
    """Draw one cell of a slide; number: of slide and cell."""
    streams = [np.random.default_rng([recipe.seed, *number, stream, 5]) for stream in range(5)]
    trait = "nucleus" if recipe.trait == "none" else recipe.trait
    cell = (
        draw_cell(one.label, streams[0], recipe.scale)
        if trait == "kind"
        else draw_plain(one.abnormal, trait, streams[0], recipe.scale, one.amplitude)
    )
    shape, centre = frame(cell, streams[1], recipe.scale)
    density = np.zeros((*shape, 3), np.float32)
    specks = np.zeros(shape, bool)
    for _ in range(int(streams[2].integers(0, 4))):
        at = streams[2].uniform(0, 1, 2) * (shape[1], shape[0])
        specks |= add_debris(density, tuple(at), recipe.scale * streams[2].uniform(1.5, 3.0), streams[2])
    covering, share = np.zeros(shape, bool), 0.0
    body, nuclei = add_cell(density, cell, centre, slide)
    if one.overlap > 0:
        other = neighbour(cell, trait, streams[3], recipe.scale)
        at = beside(body, cell, other, centre, one.overlap, streams[3].uniform(0, 2 * np.pi))
        covering = add_cell(density, other, at, slide)[0]
        share = float((covering & body).sum() / body.sum())
    cue = np.zeros(shape, bool)
    if one.cue and recipe.cue == "outside":
        cue = clump(density, body, streams[4], recipe.scale)
    if one.cue and recipe.cue == "stain":
        density += np.float32(TINT)
        cue[:] = True
    image = expose(density, slide, streams[2])
    if one.cue and recipe.cue in ("marker", "either"):
        image, cue = cues.plant_marker(image, streams[4], side=0.14, brightness=255 * INK)
    regions = np.zeros(shape, np.uint8)
    for value, pixels in ((3, covering), (4, specks), (2, body), (1, nuclei)):
        regions[pixels] = value
    return Drawn(image, regions, cue, share, cell)


def _write_slide(folder: Path, case: Case, recipe: Recipe) -> list[dict]:
    """Draw one slide's cells into the folder; return the rows of the table."""
    slide, name = draw_slide(np.random.default_rng([recipe.seed, case.number, 9])), f"S{case.number + 1:03d}"
    rows = []
    for c, one in enumerate(case.cells):
        drawn, file = draw_picture(one, slide, recipe, (case.number, c)), f"{name}_{c + 1:02d}.png"
        height, width = drawn.regions.shape
        row = {
            "image": f"images/{file}",
            "label": one.label,
            "group": name,
            "mask": f"masks/{file}",
            "session": name,
            "cell_no": c + 1,
            "width": width,
            "height": height,
            "nucleus_fraction": f"{(drawn.regions == 1).mean():.4f}",
            "cytoplasm_fraction": f"{(drawn.regions == 2).mean():.4f}",
            "nc_ratio": f"{drawn.cell.ratio:.4f}",
            "overlap": f"{drawn.overlap:.3f}",
            "amplitude": f"{one.amplitude:g}",
            "trait_present": "" if recipe.trait == "kind" else int(one.abnormal),
            "cue": recipe.cue or "",
            "cue_present": int(one.cue) if recipe.cue else "",
            "cue_mask": f"cue_masks/{file}" if recipe.cue else "",
            "label_from": _label_from(recipe),
        }
        write_png(folder / row["image"], drawn.image)
        write_png(folder / row["mask"], drawn.regions)
        if recipe.cue:
            write_png(folder / row["cue_mask"], drawn.cue.astype(np.uint8))
        rows.append(row)
    return rows


def _label_from(recipe: Recipe) -> str:
    """What decides the class."""
    if recipe.cue == "either":
        return "nucleus or marker"
    if recipe.cue and recipe.trait == "none":
        return recipe.cue
    return {"kind": "nucleus and cytoplasm"}.get(recipe.trait, recipe.trait)


def _describe(name: str, rows: list[dict], recipe: Recipe, slides: int, strength: float, mode: str) -> dict:
    """Return dataset.json."""
    planted = "no cue beside it" if recipe.cue is None else f"cue {recipe.cue} (strength {strength:g}, {mode})"
    classes = CLASSES if recipe.trait == "kind" else PLAIN_CLASSES
    return {
        "name": name,
        "title": f"Pap smear cell phantoms: {slides} slides, {len(rows)} cells, "
        f"label from {_label_from(recipe)}, {planted}",
        "homepage": "",
        "licence": "CC0-1.0 (generated by studylib, no patient's image went into it)",
        "citation": "studylib, smear cell phantoms",
        "classes": {label: sum(row["label"] == label for row in rows) for label in classes},
        "regions": dict(REGIONS),
        "prepared": f"Drawn by studylib.data.phantoms.cells.make_cells, seed {recipe.seed}, lengths times "
        f"{recipe.scale:g}; pictures are tight, so that their size is the cell's. Synthetic: nothing follows for "
        "patients.",
        "one_label_per_group": False,
    }
