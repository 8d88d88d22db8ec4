"""A review sheet for a real expert: photographs with two maps each, A and B in random order, blinded, as pages that
need no network; the key to what A and B are lies beside the folder, not in it.

What is hidden is the name. A reader who knows how a method's maps look may still guess.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from studylib.data.folder import write_png
from studylib.metrics.maps import map_reasons
from studylib.study.placement import CUT
from studylib.study.record import whole_folder
from studylib.study.review_files import COLUMNS, KEY_COLUMNS, SIDES, ReviewError, read_key, read_rows, write_rows
from studylib.study.review_pages import Sheet, image_page, index_page

SIDE = 640  # pixels of the longer side of a picture on the sheet
WEIGHT = 0.55  # of the colour over the photograph
OUTLINE = (0, 255, 255)  # the region's colour in every figure


@dataclass(frozen=True, eq=False)
class Item:
    """One photograph to be judged. name, group: what the key and no page says; photograph: uint8 (H, W) or (H, W, 3);
    maps: the same two methods for every item, each (H, W), signed or not; facts: what the reader is told,
    name -> words.
    """

    name: str
    photograph: np.ndarray
    maps: Mapping[str, np.ndarray]
    group: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def write_review(
    folder: str | Path, items: Sequence[Item], *, seed: int, title: str, question: str, reasons: Sequence[str] = (),
    key: str | Path | None = None, cut: float = CUT, side: int = SIDE,
) -> Path:  # fmt: skip
    """Write a sheet into `folder` and its key beside it (FOLDER_key.csv); the same bytes for the same seed.

    reasons: what the field "reason" offers. Each method stands at A in half of the photographs. -> index.html
    Raises ReviewError for items that cannot be shown, words that give a method away, a key inside the folder, and where
    something would be lost: verdicts, other files, or the key of another sheet. Nothing is written then.
    """
    folder = Path(folder)
    key = folder.with_name(f"{folder.name}_key.csv") if key is None else Path(key)
    problems = _faults(items) or _given_away(items, title, question, reasons)
    if key.resolve().is_relative_to(folder.resolve()):
        problems.append(
            f"the key {key.name} would lie in {folder.name}/, which the reader gets; name a place beside it"
        )
    if problems := problems + _would_be_lost(folder):
        raise ReviewError(problems)
    rng = np.random.default_rng(seed)
    shown = [items[place] for place in rng.permutation(len(items))]
    swapped = rng.permutation(np.arange(len(items)) % 2)
    with whole_folder(folder) as new:
        (new / "images").mkdir()
        digest = hashlib.sha256(repr((title, question, tuple(reasons), cut)).encode())
        opened, sizes = [], []
        for number, (item, swap) in enumerate(zip(shown, swapped, strict=True), 1):
            image, methods = f"image{number:03d}", sorted(item.maps, reverse=bool(swap))
            pictures = {image: fitted(item.photograph, side)}
            for letter, method in zip(SIDES, methods, strict=True):
                pictures[f"{image}_{letter.lower()}"] = overlay(item.photograph, item.maps[method], cut, side)
                opened.append(
                    {"image": image, "side": letter, "method": method, "name": item.name, "group": item.group}
                )
            for name, picture in pictures.items():
                write_png(new / "images" / f"{name}.png", picture)
                digest.update(picture.tobytes())
            digest.update(repr((sorted(item.facts.items()), opened[-2:])).encode())
            sizes.append(pictures[image].shape[1::-1])
        # a letter first: a spreadsheet takes 12e5 for a number
        sheet = Sheet(f"s{digest.hexdigest()[:11]}", title, question, tuple(reasons), cut, len(items))
        _refuse_other_key(key, sheet.name)
        for number, (item, size) in enumerate(zip(shown, sizes, strict=True), 1):
            page = image_page(sheet, number, item.facts, size)
            (new / f"{sheet.images[number - 1]}.html").write_text(page, encoding="utf-8")
        (new / "index.html").write_text(index_page(sheet), encoding="utf-8")
        empty = {"verdict": "", "reason": "", "comment": "", "sheet": sheet.name}
        write_rows(new / "verdicts.csv", COLUMNS, [{k: row[k] for k in ("image", "side")} | empty for row in opened])
        beside = key.with_name(f".{key.name}.{os.getpid()}")
        try:
            write_rows(beside, KEY_COLUMNS, [{"sheet": sheet.name} | row for row in opened])
            beside.replace(key)
        finally:
            beside.unlink(missing_ok=True)
    return folder / "index.html"


def fitted(photograph: np.ndarray, side: int) -> np.ndarray:
    """A photograph as colour, uint8 (h, w, 3), its longer side `side` pixels."""
    if photograph.ndim == 2:
        photograph = np.repeat(photograph[:, :, None], 3, axis=2)
    return _resized(np.ascontiguousarray(photograph), side, cv2.INTER_CUBIC)


def overlay(photograph: np.ndarray, found: np.ndarray, cut: float = CUT, side: int = SIDE) -> np.ndarray:
    """A map over its photograph, uint8 (h, w, 3): colours (magma, 0 to its maximum) above `cut` of its maximum, as the
    source draws them, and the region's outline.
    """
    picture = fitted(photograph, side)
    share = np.maximum(np.asarray(found, np.float64), 0)
    share = _resized((share / share.max()).astype(np.float32), side, cv2.INTER_LINEAR)
    share /= share.max()
    region = share > cut
    colours = cv2.applyColorMap((share * 255).round().astype(np.uint8), cv2.COLORMAP_MAGMA)[:, :, ::-1]
    blended = (1 - WEIGHT) * picture + WEIGHT * colours
    picture = np.where(region[:, :, None], blended, picture).round().astype(np.uint8)
    edges, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for colour, width in (((0, 0, 0), 4), (OUTLINE, 2)):  # a dark rim: cyan alone is lost on highlights
        picture = cv2.drawContours(picture, edges, -1, colour, width, cv2.LINE_AA)
    return picture


def _resized(array: np.ndarray, side: int, enlarging: int) -> np.ndarray:
    height, width = array.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA if scale < 1 else enlarging)


def _faults(items: Sequence[Item]) -> list[str]:
    """What cannot be shown, one sentence an item."""
    if not items:
        return ["no photograph to be judged; a sheet needs one or more"]
    methods, seen, problems = sorted(items[0].maps), set(), []
    if len(methods) != 2:
        problems.append(f"{items[0].name} has maps of {', '.join(methods) or 'nothing'}; a sheet compares two methods")
    for item in items:
        shape = item.photograph.shape
        if item.name in seen:
            problems.append(f"{item.name} stands on the sheet twice; give each photograph once")
        seen.add(item.name)
        if item.photograph.dtype != np.uint8 or len(shape) not in (2, 3) or shape[2:] not in ((), (3,)):
            kind = f"{item.photograph.dtype} {shape}"
            problems.append(f"{item.name}: the photograph is {kind}; expected uint8 (H, W) or (H, W, 3)")
        if sorted(item.maps) != methods:
            problems.append(
                f"{item.name} has maps of {', '.join(sorted(item.maps))}, the first of {', '.join(methods)}"
            )
        for method, found in item.maps.items():
            found = np.asarray(found)
            if found.shape != shape[:2]:
                problems.append(
                    f"{item.name}: the map by {method} is {found.shape}, its photograph {shape[:2]}; resize it"
                )
            elif why := map_reasons(found[None])[0]:
                problems.append(f"{item.name}, {method}: {why}; leave the photograph out and count it")
    return problems


def _given_away(items: Sequence[Item], title: str, question: str, reasons: Sequence[str]) -> list[str]:
    """Words for the reader that name a method."""
    said = {"the title": title, "the question": question, "a reason": " | ".join(reasons)}
    for item in items:
        told = " | ".join(f"{name}: {text}" for name, text in item.facts.items())
        said |= {f"a fact of {item.name}": told} if told else {}
    return [
        f"{where} names the method '{method}', which the reader must not see; word it differently"
        for where, text in said.items()
        for method in items[0].maps
        if re.search(rf"(?<![a-z0-9]){re.escape(method.lower())}(?![a-z0-9])", text.lower())
    ]


def _would_be_lost(folder: Path) -> list[str]:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    verdicts = folder / "verdicts.csv"
    if not verdicts.is_file() or not (folder / "index.html").is_file():
        return [f"{folder.name} is there and is no review sheet; choose another folder"]
    try:
        filled = any(fields["verdict"] for _, fields in read_rows(verdicts, COLUMNS))
    except ReviewError:
        filled = True  # of a file that cannot be read nobody knows
    return [f"{folder.name}/verdicts.csv holds verdicts; move it away, or choose another folder"] if filled else []


def _refuse_other_key(key: Path, sheet: str) -> None:
    if key.exists() and (other := read_key(key)["sheet"].iloc[0]) != sheet:
        raise ReviewError(
            f"{key.name} opens the sheet '{other}', which a reader may hold; move it away, or name another key"
        )
