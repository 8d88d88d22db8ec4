"""Cervigram phantoms: photographs of cervices that one of ten criteria makes untreatable by ablation, or none; masks of
what is seen and of what decides; planted cues.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from studylib.data.folder import write_png
from studylib.data.phantoms import cues
from studylib.data.phantoms.arguments import count, known_name, shares_of, spread
from studylib.data.phantoms.cervigram import looks
from studylib.data.phantoms.cervigram.anatomy import PAROUS, Anatomy, draw_anatomy
from studylib.data.phantoms.cervigram.reasons import CRITERIA, SHARES, draw_finding
from studylib.data.phantoms.cervigram.scene import (
    LESION,
    POLYP,
    REGIONS,
    SPECULUM,
    ZONE,
    Layout,
    box,
    draw_view,
    lay_out,
)
from studylib.data.phantoms.family import write_family

CLASSES = ("not_treatable", "treatable")
TRAITS = (None, "reasons", "none")
# What each cue is, and what else tells the class unless the caller says: "none" leaves the anatomy free of it
CUES = {None: "reasons", "marker": "none", "frame": "none", "reflection": "none", "either": "reasons"}
FRAME = (38, 128, 140)  # colour of a clinic's frame


@dataclass(frozen=True)
class Case:
    """What was decided about one woman before anything is drawn. criterion: the one that her anatomy meets, if `met`;
    ambiguous: whether it is near its limit.
    """

    number: int
    label: str
    criterion: str
    met: bool
    ambiguous: bool
    cue: bool

    @property
    def reason(self) -> str:
        return self.criterion if self.met else ""


@dataclass(frozen=True)
class Recipe:
    """What all women of a family share."""

    seed: int
    photographs: int
    size: int
    trait: str
    cue: str | None


def make_cervix(
    root: str | os.PathLike,
    *,
    women: int,
    photographs: int = 2,
    positive: float = 0.294,
    reasons: Mapping[str, float] | None = None,
    size: int = 160,
    seed: int = 0,
    trait: str | None = None,
    cue: str | None = None,
    strength: float = 1.0,
    mode: str = "planted",
    ambiguous: float = 0.0,
    processes: int = 1,
) -> Path:
    """Write a family of cervigram phantoms as a dataset folder (data/README.md) and return its path.

    women, photographs: of each; the woman is the group, and her photographs share anatomy, label and cue. positive:
    share of the women who are "not_treatable" (the source's 304 of 1,033 images). reasons: shares among them of the ten
    criteria of the source's table 3 (CRITERIA); each such woman meets one, the others none, and all keep clear of every
    limit but for the share `ambiguous` of both classes, who lie near one. size: pixels of the longer side, 4 to 3.

    trait: "reasons" (anatomy decides) or "none" (which anatomy is drawn has nothing to do with the class). cue: None,
    "marker" (a letter in a corner), "frame" (a clinic's coloured frame), "reflection" (of the lamp, on a blade of the
    speculum), each tied to "not_treatable" in `strength` of the women, 1 always; or "either" (a reason, a marker, or
    both, a third each). A cue goes with trait "none" unless "reasons" is asked for; without one, and for "either", the
    reasons decide. mode: "planted", or the same women with the cue "dissociated" from the class or "reversed".

    The same arguments give the same bytes, whatever `processes` is. Raises ValueError for an argument that makes no
    sense and FileExistsError where `root` exists; nothing is left behind when it fails.
    """
    known_name("cue", cue, tuple(CUES))
    trait = known_name("trait", trait, TRAITS) or CUES[cue]
    if trait == "none" and cue is None:
        raise ValueError("trait 'none' without a cue: nothing in the pictures would tell the classes apart")
    if trait == "none" and cue == "either":
        raise ValueError("trait 'none' with cue 'either': one of its two cues is the reason; leave trait out")
    if not 0 <= ambiguous <= 1:
        raise ValueError(f"ambiguous {ambiguous} is outside 0..1, a share of the women")
    recipe = Recipe(int(seed), count("photographs", photographs, 1), count("size", size, 64), trait, cue)
    cases = plan_cases(
        count("women", women, 4),
        recipe,
        positive=positive,
        reasons=SHARES if reasons is None else reasons,
        strength=strength,
        mode=mode,
        ambiguous=ambiguous,
    )
    draw = partial(_write_woman, recipe=recipe)
    describe = partial(_describe, recipe=recipe, women=len(cases), strength=strength, mode=mode)
    folders = ("cue_masks", "reason_masks") if cue else ("reason_masks",)
    return write_family(root, cases, draw, describe, folders=folders, processes=processes)


def plan_cases(
    women: int,
    recipe: Recipe,
    *,
    positive: float = 0.294,
    reasons: Mapping[str, float] = SHARES,
    strength: float = 1.0,
    mode: str = "planted",
    ambiguous: float = 0.0,
) -> list[Case]:
    """Decide each woman's class, criterion and cue; `make_cervix` says what the arguments mean.

    Classes depend on women, seed and share alone, anatomy on trait, reasons and ambiguous as well: another strength or
    mode keeps both, and so does another cue with the same trait; of "either" a third of the women lose their reason.
    """
    number = round(women * positive)
    if not 0 < number < women:
        raise ValueError(f"positive {positive} of {women} women: both classes need one at least")
    agreement, shares = cues.agreement(strength, mode), shares_of("reasons", reasons, CRITERIA)
    streams = [np.random.default_rng([recipe.seed, women, stream, 23]) for stream in range(6)]
    label = np.zeros(women, bool)
    label[streams[0].permutation(women)[:number]] = True
    met, cue = label.copy(), np.zeros(women, bool)
    if recipe.cue == "either":
        met, sign = cues.allot_either(label, streams[1])
        cue = sign if mode == "planted" else cues.allot(sign, agreement, streams[2])
    elif recipe.cue:
        cue = cues.allot(label, agreement, streams[2])
    if recipe.trait == "none":
        met = streams[3].permutation(label)
    criterion = spread(shares, met, streams[4])
    near = np.array(spread({"near": ambiguous, "clear": 1 - ambiguous}, met, streams[5])) == "near"
    return [
        Case(w, CLASSES[0 if label[w] else 1], criterion[w], bool(met[w]), bool(near[w]), bool(cue[w]))
        for w in range(women)
    ]


@dataclass(frozen=True, eq=False)
class Woman:
    """All that a woman's photographs share; radius: of her cervix, in heights of the picture."""

    anatomy: Anatomy
    tissue: looks.Tissue
    radius: float


@dataclass(frozen=True, eq=False)
class Drawn:
    """One photograph: image uint8 (H, W, 3); layout: where all lies; cue bool (H, W)."""

    image: np.ndarray
    layout: Layout
    cue: np.ndarray


def draw_woman(case: Case, recipe: Recipe) -> Woman:
    """Draw what a woman's anatomy is."""
    streams = [np.random.default_rng([recipe.seed, case.number, stream, 25]) for stream in range(3)]
    finding = draw_finding(case.reason, case.criterion if case.ambiguous else "", streams[0])
    tissue, radius = looks.draw_tissue(streams[2]), float(streams[2].uniform(0.335, 0.385))
    return Woman(draw_anatomy(finding, streams[1]), tissue, radius)


def draw_photograph(woman: Woman, case: Case, recipe: Recipe, number: int) -> Drawn:
    """Draw one photograph of a woman; number: which, for view, light and noise."""
    streams = [np.random.default_rng([recipe.seed, case.number, number, stream, 29]) for stream in range(4)]
    view = draw_view(woman.anatomy, woman.radius, streams[0])
    layout = lay_out(woman.anatomy, view, (round(recipe.size * 3 / 4), recipe.size))
    look = looks.draw_look(streams[1])
    image = looks.expose(looks.paint(layout, woman.anatomy, woman.tissue, look), look, streams[2])
    planted = np.zeros(layout.regions.shape, bool)
    if case.cue and recipe.cue == "frame":
        image, planted = cues.plant_frame(image, FRAME)
    elif case.cue and recipe.cue == "reflection":
        image, planted = looks.plant_reflection(image, layout.regions == SPECULUM, streams[3])
    elif case.cue:
        image, planted = cues.plant_marker(image, streams[3], side=0.12)
    return Drawn(image, layout, planted)


def _write_woman(folder: Path, case: Case, recipe: Recipe) -> list[dict]:
    """Draw one woman's photographs into the folder; return the rows of the table."""
    woman, name, rows = draw_woman(case, recipe), f"W{case.number + 1:04d}", []
    anatomy, finding = woman.anatomy, woman.anatomy.finding
    for p in range(recipe.photographs):
        drawn, file = draw_photograph(woman, case, recipe, p), f"{name}_{p + 1:02d}.png"
        regions = drawn.layout.regions
        height, width = regions.shape
        left, top, right, bottom = box(regions)
        seen = np.bincount(regions.ravel(), minlength=8)
        cervix = seen[1 : POLYP + 1].sum()
        row = {
            "image": f"images/{file}",
            "label": case.label,
            "group": name,
            "mask": f"masks/{file}",
            "photograph": p + 1,
            "width": width,
            "height": height,
            "reason": finding.reason,
            "severity": f"{finding.severity:.4f}",
            "ambiguous": int(case.ambiguous),
            "zone_type": finding.zone_type,
            "os_shape": anatomy.os_shape,
            "parous": int(anatomy.os_shape in PAROUS),
            "lesion_fraction": f"{seen[LESION] / cervix:.4f}",
            "zone_fraction": f"{seen[ZONE] / cervix:.4f}",
            "cervix_fraction": f"{cervix / regions.size:.4f}",
            "box_left": left,
            "box_top": top,
            "box_right": right,
            "box_bottom": bottom,
            "trait_present": int(case.met),
            "cue": recipe.cue or "",
            "cue_present": int(case.cue) if recipe.cue else "",
            "cue_mask": f"cue_masks/{file}" if recipe.cue else "",
            "reason_mask": f"reason_masks/{file}" if case.met else "",
            "label_from": _label_from(recipe),
        }
        write_png(folder / row["image"], drawn.image)
        write_png(folder / row["mask"], regions)
        if recipe.cue:
            write_png(folder / row["cue_mask"], drawn.cue.astype(np.uint8))
        if case.met:
            write_png(folder / row["reason_mask"], drawn.layout.reason.astype(np.uint8))
        rows.append(row)
    return rows


def _label_from(recipe: Recipe) -> str:
    """What decides the class."""
    if recipe.cue == "either":
        return "reason or marker"
    return "reason" if recipe.trait == "reasons" else recipe.cue


def _describe(name: str, rows: list[dict], recipe: Recipe, women: int, strength: float, mode: str) -> dict:
    """Return dataset.json."""
    planted = "no cue beside it" if recipe.cue is None else f"cue {recipe.cue} (strength {strength:g}, {mode})"
    return {
        "name": name,
        "title": f"Cervigram phantoms: {women} women, {len(rows)} photographs, "
        f"label from {_label_from(recipe)}, {planted}",
        "homepage": "",
        "licence": "CC0-1.0 (generated by studylib, no patient's image went into it)",
        "citation": "studylib, cervigram phantoms",
        "classes": {label: sum(row["label"] == label for row in rows) for label in CLASSES},
        "regions": dict(REGIONS),
        "prepared": f"Drawn by studylib.data.phantoms.cervix.make_cervix, seed {recipe.seed}, {recipe.size} pixels on "
        "the longer side. A zone is what is seen of the transformation zone and of the columnar epithelium inside it. "
        "Synthetic: nothing follows for patients.",
        "one_label_per_group": True,
    }
