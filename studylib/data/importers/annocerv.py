"""Study 3's set as its owners release it: dataset/Case N/CNAceto (i).jpg, a photograph after acetic acid, with lines in
colours on transparent in CNAceto (i).png, and swede_scores.csv. https://github.com/iclx/AnnoCerv
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from studylib.data.dataset import DataError
from studylib.data.duplicates import clusters, signature
from studylib.data.folder import FolderWriter, write_png
from studylib.data.images import read_bytes
from studylib.data.importers.annotation import COLOURS, read_annotation
from studylib.data.importers.cases import Photograph, cases_of, find_cases, find_photographs, read_scores
from studylib.data.importers.closing import BRIDGE, GAP, Filled, close_outlines
from studylib.data.importers.photographs import KEPT, reduced, same_pictures, write_jpeg
from studylib.data.importers.problems import noted, read_picture, told

LABELS = ("swede_0_4", "swede_5_10")
HIGH = 5  # the Swede score from which a woman counts as high
STATES = ("closed", "partly", "open", "none")
REGIONS = {
    "0": "not outlined as acetowhite",
    "1": "acetowhite area: inside (and line) of an outline that closes",
    "2": "line of an acetowhite outline that does not close; which side is acetowhite is not determined",
} | {str(value): f"line: {what}" for value, (what, _) in COLOURS.items() if value > 1}


def import_annocerv(
    source: Path, target: Path, *, allow_missing: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Read the release in `source`, the clone or its folder dataset, and write it to `target`, whole or not. -> target.

    `label` is the woman's Swede score, below HIGH or from there; `group` joins cases that hold the same photographs.
    Raises DataError with every problem: cases and scores that do not fit, names that are not the owners', photographs
    or annotations without the other and cases without any (unless allowed), damaged files, two sizes, unknown colours.
    """
    folder = find_cases(source)
    photographs, unused, problems, left_out = find_photographs(folder, allow_missing)
    scores = {}
    with noted(problems):
        scores = read_scores(folder / "swede_scores.csv", cases_of(folder), allow_missing)
    if target.exists():
        raise DataError(f"{target.name} exists already under the target folder: remove it, or name another with --to")
    with FolderWriter(target) as writer:
        rows, found, digests = [], [], []
        for place, photograph in enumerate(photographs, 1):
            with noted(problems):
                image, values = read_photograph(photograph)
                if not problems:  # with a problem nothing will be kept: only look for more of them
                    rows.append(_write(writer, photograph, image, values, scores[photograph.case]))
                    found.append(signature(reduced(image)))
                    digests.append(hashlib.sha256(read_bytes(photograph.picture)).hexdigest())
            if place % 50 == 0:
                say(f"{place} of {len(photographs)} photographs")
        if problems:
            raise DataError(told(problems, source))
        _join_women(rows, found, digests)
        writer.tabulate(rows)
        writer.describe(_about(rows, left_out))
    for line in _summary(rows, unused, left_out):
        say(line)
    say(f"written to {target}")
    return target


def read_photograph(photograph: Photograph) -> tuple[np.ndarray, np.ndarray]:
    """Read a photograph, uint8 (H, W, 3), and the values of its annotation (`read_annotation`), uint8 (H, W).

    Raises DataError with what is wrong with either, and where they are of two sizes.
    """
    problems: list[str] = []
    read = []
    drawn = f"{photograph.annotation.parent.name}/{photograph.annotation.name}"
    with noted(problems):
        read.append(read_picture(photograph.picture, photograph.shown))
    with noted(problems):
        read.append(read_annotation(photograph.annotation, drawn))
    if problems:
        raise DataError(problems)
    image, values = read
    (height, width), (high, wide) = values.shape, image.shape[:2]
    if (height, width) != (high, wide):
        raise DataError(
            f"{drawn}: is {width} x {height} pixels, expected {wide} x {high} as its photograph "
            f"{photograph.picture.name}; take both from one clone"
        )
    return image, values


def regions_of(values: np.ndarray) -> tuple[np.ndarray, Filled]:
    """The mask of REGIONS at the size in which photographs are kept, uint8 (h, w), and the acetowhite outlines.

    values: of COLOURS, uint8 (H, W). A pixel holds a line where any of the owners' pixels in it does, as lines would
    tear if every second pixel were taken. Lines of other findings lie over acetowhite.
    """
    lines = {value: reduced((values == value).astype(np.uint8) * 255) > 0 for value in COLOURS}
    outlines = close_outlines(lines.pop(1))
    mask = np.where(outlines.inside, 1, np.where(outlines.open, 2, 0)).astype(np.uint8)
    for value, line in lines.items():
        mask[line] = value
    return mask, outlines


def _write(folder: FolderWriter, photograph: Photograph, image: np.ndarray, values: np.ndarray, score: int) -> dict:
    """Write a photograph and its mask; return its row, whose woman is not known yet."""
    name = f"C{photograph.case:03d}_aceto{photograph.number}"
    mask, outlines = regions_of(values)
    write_jpeg(folder.path / "images" / f"{name}.jpg", reduced(image))
    write_png(folder.path / "masks" / f"{name}.png", mask)
    return {
        "image": f"images/{name}.jpg",
        "label": LABELS[score >= HIGH],
        "group": "",
        "mask": f"masks/{name}.png",
        "case": f"case_{photograph.case:03d}",
        "swede_score": score,
        "acetowhite_annotated": int((values == 1).any()),
        "outline_state": outlines.state,
        "acetowhite_fraction": f"{outlines.inside.mean():.6f}",
        "bridged_fraction": f"{outlines.bridged:.4f}",
        "any_annotation": int(values.any()),
        "width": image.shape[1],
        "height": image.shape[0],
        "source_file": photograph.shown,
        "duplicate_of": "",
        "conflicting_score": 0,
    }


def _join_women(rows: list[dict], found: list[tuple[int, bytes]], digests: list[str]) -> None:
    """Fill in group, duplicate_of and conflicting_score: cases that share a photograph are one woman."""
    pairs = same_pictures(found, digests)
    cases = [row["case"] for row in rows]
    order = {case: place for place, case in enumerate(dict.fromkeys(cases))}
    links = pairs.map(lambda row: order[cases[row]])
    women = clusters(len(order), links)
    scores: dict[int, set[int]] = {}
    for row in rows:
        scores.setdefault(women[order[row["case"]]], set()).add(row["swede_score"])
    named: dict[int, str] = {}
    for row in rows:
        woman = women[order[row["case"]]]
        row["group"] = named.setdefault(woman, row["case"].replace("case", "woman"))
        row["conflicting_score"] = int(len(scores[woman]) > 1)
    for first, second in pairs.drop_duplicates("row_b").itertuples(index=False):
        rows[second]["duplicate_of"] = rows[first]["image"]


def _summary(rows: list[dict], unused: Counter, left_out: int) -> list[str]:
    """What is said at the end: what was not used, what was left out, and what there is."""
    labels, states = (Counter(row[column] for row in rows) for column in ("label", "outline_state"))
    cases, women = (len({row[column] for row in rows}) for column in ("case", "group"))
    unlike = len({row["group"] for row in rows if row["conflicting_score"]})
    lines = [f"{number} {kind} pictures are not used: they have no annotation" for kind, number in unused.items()]
    if left_out:
        lines.append(f"{left_out} photographs or annotations were left out: the other half is missing")
    return [
        *lines,
        f"{len(rows)} photographs ({', '.join(f'{name} {labels[name]}' for name in LABELS)}), {cases} cases, {women} "
        f"women ({unlike} of them with two scores)",
        "acetowhite outlines: " + ", ".join(f"{state} {states[state]}" for state in STATES),
    ]


def _about(rows: list[dict], left_out: int) -> dict:
    """Return dataset.json."""
    labels = Counter(row["label"] for row in rows)
    cases, women = (len({row[column] for row in rows}) for column in ("case", "group"))
    return {
        "name": "annocerv",
        "title": f"AnnoCerv: {len(rows):,} colposcopy photographs after acetic acid, {cases} cases ({women} distinct "
        "women), Swede scores, outlined acetowhite areas",
        "homepage": "https://github.com/iclx/AnnoCerv",
        "licence": "CC BY 4.0 (stated in the README of iclx/AnnoCerv)",
        "citation": "Minciuna D. A., Iclanzan D. et al. AnnoCerv: a new dataset for feature-driven and image-based "
        "automated colposcopy analysis. Acta Universitatis Sapientiae, Informatica 15(2), 2023 (citation from memory)",
        "classes": {name: labels[name] for name in LABELS},
        "regions": REGIONS,
        "one_label_per_group": False,
        "prepared": f"Read from a clone of the owners' repository: photographs after acetic acid {KEPT}; iodine and "
        "green-filter pictures are not read. The annotation is thin OUTLINES, not filled areas: gaps up to about "
        f"{GAP:.1%} of the width are closed, an outline that leaves the photograph twice through one side is continued "
        f"along it, free ends up to {BRIDGE:.1%} of the width apart are joined by a straight line (bridged_fraction: "
        "length of these lines over the width), and the inside is filled (value 1); lines that still do not close are "
        "kept (value 2, outline_state). Lines of the other findings (3 to 7) lie over the acetowhite area, and "
        "acetowhite_fraction counts what they cover. label: Swede total 0-4 or 5-10 of the case; case n has line n of "
        "swede_scores.csv (plausible, not confirmed by the owners). group: cases that hold the same photographs "
        "(identical or near-identical, duplicate_of) are one woman; conflicting_score: her cases have different scores."
        + (f" {left_out} photographs or annotations without the other half were left out." if left_out else ""),
    }
