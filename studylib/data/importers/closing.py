"""Drawn outlines to filled regions: gaps are closed, the side of the picture continues a line that leaves through it,
and free ends are joined; lines that still enclose nothing are told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from scipy.ndimage import binary_fill_holes, find_objects, label, maximum

# Shares of the picture's width, so that one drawing at two sizes gives the same regions.
GAP = 12 / 384  # a gap up to here is closed; half of it is how near a side a line counts as leaving
BRIDGE = 56 / 384  # free ends up to here apart are joined by a straight line
THIN = 4 / 384  # a hole narrower than this is a curl of the pen, or lies between two strokes along one outline
BENT = 0.8  # a line's own two ends are joined where their distance is at most this share of the way along it
HALF = 0.5  # share of a line that must lie along what closing gaps made: a nook of a winding line is no region
LEFT = 0.05  # share of the drawn line that may enclose nothing and the outline still counts as closed: tails, corners
EIGHT = np.ones((3, 3), bool)

Ends = tuple[tuple[int, int], tuple[int, int]]  # row and column of either end


@dataclass(frozen=True)
class Filled:
    """inside: bool (H, W), regions and their lines; open: bool (H, W), lines that enclose nothing.

    bridged: length of the straight lines that closed something, as a share of the picture's width.
    state: closed, partly (some lines enclose a region and more than LEFT of them do not), open, none (nothing drawn).
    """

    inside: np.ndarray
    open: np.ndarray
    bridged: float
    state: str


def close_outlines(line: np.ndarray) -> Filled:
    """Fill what drawn lines, bool (H, W), enclose; a surer way of closing comes before a less sure one.

    1. What is closed as drawn. 2. Gaps up to GAP. 3. A line that leaves twice through one side of the picture is
    continued along that side. 4. So are two lines that leave through it once each. 5. Free ends up to BRIDGE apart are
    joined, the nearest first, each once. From 2 on only lines count of which HALF lies along a region. A line that
    leaves through two sides alone stays open: which side of it is meant is not known.
    """
    width, drawn, bridged = line.shape[1], int(line.sum()), 0.0
    reach, thick = GAP / 2 * width, thickness(line)
    inside = enclosed(line, line, 0, thick, 0)
    if (left := line & ~inside).any():
        inside |= enclosed(line, left, reach, thick)
    for pairs in (False, True):
        if (left := line & ~inside).any():
            inside |= _either(line | along_sides(left, reach, pairs), left, reach, thick)
    if (left := line & ~inside).any():
        joints = [(apart, _straight(ends, line.shape)) for apart, ends in join_ends(left, inside, reach, thick)]
        joined = np.logical_or.reduce([left, *(joint for _, joint in joints)])
        inside |= _either(line | joined | along_sides(joined, reach, True), joined, reach, thick)
        bridged = sum(apart for apart, joint in joints if inside[joint].all())
    left = line & ~inside
    enough = left.sum() <= LEFT * drawn
    state = "none" if not drawn else "closed" if enough else "partly" if inside.any() else "open"
    return Filled(inside, left, bridged / width, state)


def _either(base: np.ndarray, left: np.ndarray, reach: float, thick: float) -> np.ndarray:
    """What lines enclose as they are, and where gaps are closed: closing gaps also closes narrow regions."""
    return enclosed(base, left, 0, thick) | enclosed(base, left, reach, thick)


def thickness(line: np.ndarray) -> float:
    """Mean width in pixels of drawn lines, bool (H, W): four times the mean depth, from 0 to half of it across."""
    return 4 * float(distance_to(~line)[line].mean() - 0.5) if line.any() else 0.0


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Distance in pixels of every pixel from the nearest one of a mask, bool (H, W); float32, large where none is."""
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def enclosed(base: np.ndarray, left: np.ndarray, reach: float, thick: float, share: float = HALF) -> np.ndarray:
    """The regions that `base`, bool (H, W), encloses where gaps up to twice `reach` pixels are closed, and their lines.

    Regions count that are not THIN and border on a line of `left` of which at least `share` lies along regions. What
    lies along is nearer than twice the thickness, which reaches into sharp corners. In a gap the region ends as a disc
    of `reach` does that rests on both ends of the line.
    """
    barrier = distance_to(base) <= reach
    holes, count = label(binary_fill_holes(barrier) & ~barrier)
    if not count:
        return np.zeros_like(base)
    depth = maximum(distance_to(holes == 0), holes, np.arange(count + 1))
    wide = 2 * (depth + reach) - 1 >= THIN * base.shape[1]
    wide[0] = False
    near = reach + 2 * thick + 2
    if not wide.any():
        return np.zeros_like(base)
    parts = label(barrier, EIGHT)[0] * left
    held, beside = (
        np.bincount(one.ravel(), minlength=parts.max() + 1) for one in (parts, parts * _near(wide[holes], near))
    )
    lines = beside >= np.maximum(share * held, 1)
    lines[0] = False
    bordered = np.zeros(count + 1, bool)
    bordered[np.unique(holes[distance_to(lines[parts]) <= reach + 2])] = True
    region = (wide & bordered)[holes]
    return binary_fill_holes(_near(region, reach) | (base & _near(region, near)))


def _near(mask: np.ndarray, pixels: float) -> np.ndarray:
    """What lies within so many pixels of a mask, bool (H, W); nothing for an empty one."""
    return distance_to(mask) <= pixels if mask.any() else mask


def along_sides(line: np.ndarray, reach: float, pairs: bool) -> np.ndarray:
    """Continue lines, bool (H, W), along each side of the picture that one comes as near to as `reach` pixels.

    Returns what is added, bool (H, W): the side between the outermost places where one connected line does, and the
    way from these to the side; with `pairs` also the side between two lines where just two come near it.
    """
    added = np.zeros_like(line)
    parts = label(_near(line, reach), EIGHT)[0] * line  # across gaps
    depth = int(reach) + 1
    for turn in range(4):  # views: each side in turn is the first row
        band, side = np.rot90(parts, turn)[:depth], np.rot90(added, turn)[:depth]
        held = [band == number for number in np.unique(band[band > 0])]
        for mine in [held[0] | held[1]] if pairs and len(held) == 2 else held:
            columns = np.flatnonzero(mine.any(axis=0))
            side[0, columns[0] : columns[-1] + 1] = True
            side[:, columns] |= np.arange(len(band))[:, None] <= mine.argmax(axis=0)[columns]
    return added


def join_ends(line: np.ndarray, inside: np.ndarray, reach: float, thick: float) -> list[tuple[float, Ends]]:
    """Pairs of free ends of lines, bool (H, W), up to BRIDGE apart, the nearest first, each end once: pixels, ends.

    Free is what lies farther than `reach` pixels from `inside` and from the picture's sides. A line's own ends are a
    pair where it is BENT; lines shorter than twice `reach` have no ends. Ends lie in the middle of the line, half of
    its thickness before its tip, which is taken from what lies between.
    """
    most = BRIDGE * line.shape[1]
    taken = _near(inside, reach).copy()
    rim = int(reach) + 1
    taken[:rim], taken[-rim:], taken[:, :rim], taken[:, -rim:] = True, True, True, True
    parts, _ = label(line, EIGHT)
    ends = []
    for number, box in enumerate(find_objects(parts), 1):
        if max(part.stop - part.start for part in box) < 2 * reach:
            continue
        first, last, way = _longest_way(parts[box] == number)
        for row, column in (first, last):
            at = row + box[0].start, column + box[1].start
            if not taken[at]:
                ends.append((at, number, way))
    pairs = []
    for (a, its, way), (b, others, _) in combinations(ends, 2):
        apart = max(0.0, float(np.hypot(a[0] - b[0], a[1] - b[1])) - thick)
        if apart <= (min(most, BENT * way) if its == others else most):
            pairs.append((apart, (a, b)))
    joined, used = [], set()
    for apart, both in sorted(pairs):
        if not used & set(both):
            used |= set(both)
            joined.append((apart, both))
    return joined


def _longest_way(part: np.ndarray) -> tuple[tuple[int, int], tuple[int, int], float]:
    """The two ends of a connected line, bool (h, w): those of the longest way along its middle, and its length."""
    from skimage.graph import MCP_Geometric
    from skimage.morphology import skeletonize

    middle = skeletonize(part)
    place, length = tuple(int(i) for i in np.argwhere(middle)[0]), 0.0
    ends = []
    for _ in range(2):  # the farthest place from anywhere is an end, and the farthest from that is the other
        ways = MCP_Geometric(np.where(middle, 1.0, -1.0)).find_costs([place])[0]
        ways = np.where(np.isfinite(ways) & middle, ways, -1)
        place = tuple(int(i) for i in np.unravel_index(ways.argmax(), ways.shape))
        length = float(ways.max())
        ends.append(place)
    return ends[0], ends[1], length


def _straight(ends: Ends, shape: tuple[int, int]) -> np.ndarray:
    """A straight line of one pixel between two ends, bool of a shape (H, W)."""
    (row, column), (other, last) = ends
    return cv2.line(np.zeros(shape, np.uint8), (column, row), (last, other), 1).astype(bool)
