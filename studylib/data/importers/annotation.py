"""The annotation layer of a photograph: lines in the owners' colours on transparent."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from studylib.data.images import DataError, decode_image, read_bytes

# Value in a mask -> what it is, its colour. Purple and blue are the owners' numbers (their notebook); red, brown,
# yellow and black are their words, brown and yellow with the numbers that others read off the layers.
COLOURS = {
    1: ("acetowhite area", (255, 0, 255)),
    3: ("squamocolumnar junction", (0, 0, 255)),
    4: ("atypical vessels, punctation", (255, 0, 0)),
    5: ("mosaic", (103, 2, 16)),
    6: ("Naboth cyst", (255, 240, 0)),
    7: ("cuffed gland opening", (0, 0, 0)),
}
NEAR = 48.0  # of RGB, less than half of the least distance between two colours (104): what smooth edges make of one
MIXED = 0.02  # share of drawn pixels that may lie between two known colours: smooth crossings of two lines
SOLID = 128  # opacity from which a pixel is drawn: paler ones are the smooth edge of a line


def read_annotation(path: Path, name: str) -> np.ndarray:
    """Read a layer's colours as values of COLOURS, uint8 (H, W), 0 where nothing is drawn.

    Raises DataError, which calls the file `name`, where it is damaged, opaque, or holds a colour farther than NEAR
    from all that are known, unless it lies between two of them in at most MIXED of what is drawn.
    """
    try:
        data = read_bytes(path)
        decode_image(data)  # with the limits and checks of any image
    except DataError as error:
        raise DataError(f"{name}: {error}, expected a whole annotation layer; download it again") from None
    with Image.open(io.BytesIO(data)) as picture:
        layer = np.asarray(picture.convert("RGBA"))
    drawn = layer[..., 3] >= SOLID
    if drawn.all():
        raise DataError(
            f"{name}: has no transparent pixel, expected lines on transparent; take the owners' "
            "file, not one saved anew"
        )
    values = np.zeros(drawn.shape, np.uint8)
    values[drawn] = values_of(layer[drawn][:, :3], name)
    return values


def values_of(colours: np.ndarray, name: str) -> np.ndarray:
    """The value of the known colour that is nearest to each drawn pixel's, uint8 (P, 3) -> uint8 (P,).

    Raises DataError naming unknown colours, in how many pixels each is, and the nearest known.
    """
    packed = colours.astype(np.uint32) @ np.array([65_536, 256, 1], np.uint32)
    held, which, counts = np.unique(packed, return_inverse=True, return_counts=True)
    seen = np.stack([held >> 16, (held >> 8) & 255, held & 255], axis=1).astype(float)
    known = np.array([colour for _, colour in COLOURS.values()], float)
    distance = np.linalg.norm(seen[:, None] - known, axis=2)
    nearest = distance.argmin(axis=1)
    far = (distance > NEAR).all(axis=1)
    away, ends = _from_mixtures(seen, known)
    mixed = far & (away <= NEAR)
    strange = np.flatnonzero(far if counts[mixed].sum() > MIXED * counts.sum() else far & ~mixed)
    if len(strange):
        raise DataError(_strange(name, seen, counts, strange, nearest, distance))
    return np.array(list(COLOURS), np.uint8)[np.where(mixed, ends, nearest)][which]


def _from_mixtures(seen: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of colours, (n, 3), from the nearest mixture of two known ones, (k, 3), and which of the two it has more
    of; float64 (n,) and int (n,).
    """
    away, more = [], []
    for first, second in combinations(range(len(known)), 2):
        step = known[second] - known[first]
        share = np.clip((seen - known[first]) @ step / (step @ step), 0, 1)
        away.append(np.linalg.norm(seen - known[first] - share[:, None] * step, axis=1))
        more.append(np.where(share > 0.5, second, first))
    best = np.argmin(away, axis=0)[None]
    return np.take_along_axis(np.array(away), best, 0)[0], np.take_along_axis(np.array(more), best, 0)[0]


def _strange(name, seen, counts, strange, nearest, distance) -> str:
    """Say which colours are unknown: the three most frequent, and how many more."""
    names, shown = list(COLOURS.values()), []
    for place in strange[np.argsort(-counts[strange], kind="stable")][:3]:
        what, colour = names[nearest[place]]
        shown.append(
            f"({_text(seen[place])}) in {counts[place]} pixels (nearest: {what} ({_text(colour)}), "
            f"{distance[place].min():.0f} away)"
        )
    more = f" and {len(strange) - 3} more colours" if len(strange) > 3 else ""
    return (
        f"{name}: holds the colour {', '.join(shown)}{more}, expected within {NEAR:.0f} of one of "
        f"{', '.join(f'{what} ({_text(colour)})' for what, colour in names)}; take the owners' file, neither resized "
        "nor saved anew"
    )


def _text(colour) -> str:
    """A colour as numbers joined by commas."""
    return ",".join(str(int(channel)) for channel in colour)
