"""Skin lesion phantoms: dermoscopic pictures of eight classes, or of two of which one look, one structure or one cue
tells; masks of lesion and artefacts, known attributes, planted cues.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from studylib.data.folder import write_png
from studylib.data.phantoms import cues
from studylib.data.phantoms.arguments import count as whole
from studylib.data.phantoms.arguments import known_name, shares_of, spread
from studylib.data.phantoms.dermoscopy import artefacts, kinds, looks
from studylib.data.phantoms.dermoscopy.kinds import KINDS, Lesion
from studylib.data.phantoms.dermoscopy.measure import attributes
from studylib.data.phantoms.dermoscopy.scene import draw_view, lay_out, place
from studylib.data.phantoms.family import write_family

CLASSES = tuple(KINDS)
NEGATIVE = "NV"
TRAITS = ("kind", "plain", "local", "none")
# The source's class counts over 25,331, as it names them
SHARES = {"MEL": 0.179, "NV": 0.508, "BCC": 0.131, "AK": 0.034, "BKL": 0.104, "DF": 0.009, "VASC": 0.010, "SCC": 0.025}
LEAST = 7  # lesions of a class: one for each fold of a split by group
REGIONS = {
    "1": "lesion", "2": "hair", "3": "ruler", "4": "ink",
    "5": "disc", "6": "vignette", "7": "bubbles", "8": "structure",
}  # fmt: skip
OVER = ("disc", "vignette")  # what hides a lesion; the lesion is complete below everything else
# What each cue is, and what else tells the class unless the caller says: "none" leaves the look free of it
CUES = {None: "kind", "ruler": "none", "ink": "none", "size": "none", "either": "plain"}


@dataclass(frozen=True)
class Case:
    """What was decided about one lesion (or several, side by side, of one class) before it is drawn. kind: whose look
    it has; trait: of two classes, whether what tells them apart is there.
    """

    number: int
    label: str
    kind: str
    trait: bool
    cue: bool
    pictures: int
    lesions: int
    tone: str


@dataclass(frozen=True)
class Recipe:
    """What all lesions of a family share; classes: "kind" has several, every other trait the positive one first."""

    seed: int
    size: int
    trait: str
    cue: str | None
    classes: tuple[str, ...]


def make_skin(
    root: str | os.PathLike,
    *,
    lesions: int,
    images: int = 2,
    size: int = 128,
    seed: int = 0,
    trait: str = "kind",
    cue: str | None = None,
    strength: float = 1.0,
    mode: str = "planted",
    shares: Mapping[str, float] | None = None,
    count: Sequence[int] = (1,),
    positive: str = "MEL",
    processes: int = 1,
) -> Path:
    """Write a family of dermoscopic phantoms as a dataset folder (data/README.md) and return its path.

    lesions: the groups; images: the most pictures of one, 1 to so many are drawn, whatever its class; they differ in
    view, lamp, focus, noise and artefacts, not in anatomy. size: side of the square picture. count: lesions in one
    picture, 1 to 4, each as often; of one class, apart, each its own component of the mask.

    trait: "kind" for eight classes in `shares` (the source's imbalance; a class of a share above 0 has 7 lesions at
    least); else two classes, `positive` and "NV", half of each unless `shares` says: the whole look ("plain", area
    apart), one structure, a blue-white veil ("local"; nothing else), or nothing ("none") tells them. cue: None,
    "ruler", "ink" (of a pen), "size" (of the lesion) or "either" (the look, a ruler, or both, a third each); tied to
    `positive` in `strength` of the lesions, 1 always. mode: "planted", or the same lesions with the cue "dissociated"
    from the class or "reversed". A cue needs two classes: with trait "kind", the look is free of the class ("none"),
    or for "either" "plain". All other artefacts come by chance, the same for every class.

    The same arguments give the same bytes, whatever `processes` is. Raises ValueError for an argument that makes no
    sense and FileExistsError where `root` exists; nothing is left behind when it fails.
    """
    known_name("cue", cue, tuple(CUES))
    known_name("trait", trait, TRAITS)
    known_name("positive", positive, [name for name in CLASSES if name != NEGATIVE])
    trait = CUES[cue] if cue and trait == "kind" else trait
    if cue is None and trait == "none":
        raise ValueError("trait 'none' without a cue: nothing in the pictures would tell the classes apart")
    if cue == "either" and trait == "none":
        raise ValueError("trait 'none' with cue 'either': one of its two cues is the look; leave trait out")
    if not count or not all(c in (1, 2, 3, 4) for c in count):
        raise ValueError(f"count {tuple(count)}: one or more whole numbers from 1 to 4 are expected")
    known = CLASSES if trait == "kind" else (positive, NEGATIVE)
    asked = SHARES if shares is None and trait == "kind" else dict.fromkeys(known, 1.0) if shares is None else shares
    asked = shares_of("shares", asked, known)
    recipe = Recipe(int(seed), whole("size", size, 48), trait, cue, tuple(n for n in known if asked.get(n, 0) > 0))
    cases = plan_cases(
        whole("lesions", lesions, 1), recipe, images=whole("images", images, 1), shares=asked, count=count,
        strength=strength, mode=mode,
    )  # fmt: skip
    describe = partial(_describe, recipe=recipe, lesions=len(cases), strength=strength, mode=mode)
    draw, folders = partial(_write_lesion, recipe=recipe), ("cue_masks",) if cue else ()
    return write_family(root, cases, draw, describe, folders=folders, processes=processes)


def class_counts(lesions: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many lesions each class has: its share, at least LEAST, the largest class giving what that takes."""
    there = {name: share for name, share in shares.items() if share > 0}
    if len(there) < 2:
        raise ValueError(f"shares {dict(shares)}: two classes at least need a share")
    if lesions < LEAST * len(there):
        raise ValueError(f"lesions {lesions}: at least {LEAST * len(there)} are expected, {LEAST} of each class")
    counts = {name: max(LEAST, round(lesions * share / sum(there.values()))) for name, share in there.items()}
    while sum(counts.values()) != lesions:
        counts[max(counts, key=counts.get)] += 1 if sum(counts.values()) < lesions else -1
    return counts


def plan_cases(
    lesions: int,
    recipe: Recipe,
    *,
    shares: Mapping[str, float],
    images: int = 2,
    count: Sequence[int] = (1,),
    strength: float = 1.0,
    mode: str = "planted",
) -> list[Case]:
    """Decide each lesion's class, look, cue, tone and number of pictures; `make_skin` says what the arguments mean.

    All but the cue depend on seed, counts, shares and trait alone: another strength or mode keeps them.
    """
    agreement = cues.agreement(strength, mode)
    streams = [np.random.default_rng([recipe.seed, lesions, stream, 41]) for stream in range(7)]
    names = [name for name, number in class_counts(lesions, shares).items() for _ in range(number)]
    label = streams[0].permutation(np.array(names, dtype=object))
    positive = label == recipe.classes[0]
    trait, cue = positive.copy(), np.zeros(lesions, bool)
    if recipe.cue == "either":
        trait, sign = cues.allot_either(positive, streams[1])
        cue = sign if mode == "planted" else cues.allot(sign, agreement, streams[2])
    elif recipe.cue:
        cue = cues.allot(positive, agreement, streams[2])
    kind = label.copy()
    if recipe.trait != "kind":
        if recipe.trait == "none":  # as often in both classes
            trait = np.array(spread({"there": 0.5, "not": 0.5}, positive, streams[3])) == "there"
        look = trait if recipe.trait != "local" else np.zeros(lesions, bool)
        kind = np.where(look, recipe.classes[0], NEGATIVE)
    tone = spread({name: share for name, (_, share) in looks.TONES.items()}, positive, streams[4])
    pictures = streams[5].integers(1, images + 1, lesions)
    several = streams[6].permutation(np.resize(np.asarray(count, int), lesions))
    return [
        Case(i, label[i], kind[i], bool(trait[i]), bool(cue[i]), int(pictures[i]), int(several[i]), tone[i])
        for i in range(lesions)
    ]


def draw_anatomy(case: Case, recipe: Recipe) -> tuple[list[tuple[Lesion, tuple[float, float]]], looks.Skin]:
    """Draw what all pictures of a case share: lesions with their places, and the skin around them."""
    streams = [np.random.default_rng([recipe.seed, case.number, stream, 43]) for stream in range(4)]
    area = None if recipe.trait == "kind" else kinds.SIZES[case.cue] if recipe.cue == "size" else kinds.PLAIN_AREA
    found = [kinds.draw_lesion(case.kind, streams[0], area) for _ in range(case.lesions)]
    if recipe.trait == "local":
        found = [kinds.with_veil(x, streams[1]) if case.trait else kinds.without_veil(x) for x in found]
    return place(found, streams[2]), looks.draw_skin(case.tone, streams[3])


@dataclass(frozen=True, eq=False)
class Drawn:
    """One picture: image uint8 (H, W, 3); regions uint8 (H, W), values of REGIONS; cue bool (H, W); artefacts: name ->
    the pixels that it changes; row: the attributes of its table row.
    """

    image: np.ndarray
    regions: np.ndarray
    cue: np.ndarray
    artefacts: dict[str, np.ndarray]
    row: dict[str, str]


def draw_picture(anatomy, case: Case, recipe: Recipe, number: int) -> Drawn:
    """Draw one picture of what `draw_anatomy` gave; number: which, for view, light, artefacts and noise."""
    streams = [np.random.default_rng([recipe.seed, case.number, number, stream, 47]) for stream in range(5)]
    placed, skin = anatomy
    view = draw_view(placed[0][0].radius if len(placed) == 1 else 0.5, streams[0])
    layout, look = lay_out(placed, skin.seed, view, recipe.size), looks.draw_look(streams[1])
    layers, lesion = looks.layers_of(layout), layout.lesion
    image = looks.light(looks.paint(layers, skin, layout.skin), look)
    sign = "ruler" if recipe.cue == "either" else recipe.cue
    masks = {}
    for name in artefacts.choose(streams[2], sign, case.cue):
        own = np.random.default_rng([recipe.seed, case.number, number, list(artefacts.SHARES).index(name), 53])
        image, masks[name] = artefacts.lay(name, image, lesion, own)
    image = looks.expose(image, look, streams[3])
    hidden = np.logical_or.reduce([masks[name] for name in OVER if name in masks] or [np.zeros_like(lesion)])
    seen, regions = lesion & ~hidden, np.zeros(lesion.shape, np.uint8)
    values = {name: int(value) for value, name in REGIONS.items()}
    for name in ("hair", "bubbles", "ink", "ruler"):
        if name in masks:
            regions[masks[name]] = values[name]
    regions[seen] = values["lesion"]
    if recipe.trait == "local" and case.trait:
        regions[seen & (layers.blue > 0.25)] = values["structure"]
    for name in OVER:
        if name in masks:
            regions[masks[name]] = values[name]
    planted = np.zeros_like(lesion)
    if case.cue and recipe.cue:
        planted = seen if recipe.cue == "size" else masks[sign] & ~masks.get("vignette", planted)
    row = attributes(seen, image, placed[0][0]) | {
        "colours": ";".join(looks.colours_of(layers, seen)),
        "structures": ";".join(sorted({name for one, _ in placed for name in one.structures})),
        "artefacts": ";".join(name for name, mask in masks.items() if mask.any()),
    }
    return Drawn(image, regions, planted, masks, row)


def _write_lesion(folder: Path, case: Case, recipe: Recipe) -> list[dict]:
    """Draw one case's pictures into the folder; return the rows of the table."""
    anatomy, name, rows = draw_anatomy(case, recipe), f"L{case.number + 1:05d}", []
    for p in range(case.pictures):
        drawn, file = draw_picture(anatomy, case, recipe, p), f"{name}_{p + 1:02d}.png"
        row = {
            "image": f"images/{file}",
            "label": case.label,
            "group": name,
            "mask": f"masks/{file}",
            "picture": p + 1,
            "width": recipe.size,
            "height": recipe.size,
            "lesions": case.lesions,
            **drawn.row,
            "tone": case.tone,
            "look": case.kind,
            "trait_present": "" if recipe.trait == "kind" else int(case.trait),
            "cue": recipe.cue or "",
            "cue_present": int(case.cue) if recipe.cue else "",
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
    look = {"kind": "look and area", "plain": "look", "local": "structure", "none": recipe.cue}[recipe.trait]
    return f"{look} or ruler" if recipe.cue == "either" else look


def _describe(name: str, rows: list[dict], recipe: Recipe, lesions: int, strength: float, mode: str) -> dict:
    """Return dataset.json."""
    planted = "no cue beside it" if recipe.cue is None else f"cue {recipe.cue} (strength {strength:g}, {mode})"
    return {
        "name": name,
        "title": f"Dermoscopic phantoms: {lesions} lesions, {len(rows)} pictures, "
        f"label from {_label_from(recipe)}, {planted}",
        "homepage": "",
        "licence": "CC0-1.0 (generated by studylib, no patient's image went into it)",
        "citation": "studylib, skin lesion phantoms",
        "classes": {label: sum(row["label"] == label for row in rows) for label in recipe.classes},
        "regions": dict(REGIONS),
        "prepared": f"Drawn by studylib.data.phantoms.skin.make_skin, seed {recipe.seed}, {recipe.size} pixels a side. "
        "A lesion is complete below hair, bubbles, ink and ruler; a disc and the dark frame hide it. With trait local "
        "the structure is part of the lesion. Synthetic: nothing follows for patients.",
        "one_label_per_group": True,
    }
