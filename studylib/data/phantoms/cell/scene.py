"""Around a cell: how large its picture is, a neighbour that covers it to a known degree, a clump beside it."""

from __future__ import annotations

import numpy as np

from studylib.data.phantoms.cell.kinds import KINDS, Cell, draw_cell, draw_plain
from studylib.data.phantoms.cell.stain import add_debris, inside
from studylib.data.phantoms.outlines import extent

COARSE = 3  # every third pixel is enough to measure how far a neighbour covers a cell


def frame(cell: Cell, rng: np.random.Generator, scale: float) -> tuple[tuple[int, int], tuple[float, float]]:
    """Height and width of a tight picture, and where the cell's middle lies (x, y)."""
    nucleus = extent(cell.nucleus, cell.nucleus.radius)
    parts = [extent(cell.body, cell.body.radius)]
    parts += [tuple(v + (x if i < 2 else y) for i, v in enumerate(nucleus)) for x, y in cell.offsets]
    low_x, high_x, low_y, high_y = (f(p[i] for p in parts) for i, f in enumerate((min, max, min, max)))
    left, right, top, bottom = (int(v) for v in rng.integers(round(3 * scale), round(9 * scale) + 1, 4))
    shape = (int(np.ceil(high_y - low_y)) + 1 + top + bottom, int(np.ceil(high_x - low_x)) + 1 + left + right)
    return shape, (left - low_x, top - low_y)


def neighbour(cell: Cell, trait: str, rng: np.random.Generator, scale: float) -> Cell:
    """A cell of any kind, about as large as the cell that it covers, so that neither its kind nor its size tells."""
    if trait != "kind":
        return draw_plain(bool(rng.integers(2)), "none", rng, scale)
    kind, state = list(KINDS)[int(rng.integers(len(KINDS)))], rng.integers(2**32)
    other = draw_cell(kind, np.random.default_rng(state), scale)
    alike = rng.uniform(0.9, 1.2) * cell.body.radius / other.body.radius
    return draw_cell(kind, np.random.default_rng(state), scale * float(alike))


def beside(body: np.ndarray, cell: Cell, other: Cell, centre, share: float, angle: float) -> tuple[float, float]:
    """Where the other cell's middle must lie in a direction so that it covers this share of the body, by bisection."""
    near, far = 0.0, 1.6 * (cell.body.radius + other.body.radius)
    some = body[::COARSE, ::COARSE]
    for _ in range(9):
        away = (near + far) / 2
        at = (centre[0] + away * np.cos(angle), centre[1] + away * np.sin(angle))
        covered = (inside(body.shape, other.body, at, COARSE) & some).sum() / some.sum()
        near, far = (away, far) if covered > share else (near, away)
    return at


def clump(density: np.ndarray, body: np.ndarray, rng: np.random.Generator, scale: float) -> np.ndarray:
    """Lay a clump of specks over the light where the cell is not -> its pixels."""
    free = np.flatnonzero(~body)
    y, x = divmod(int(rng.choice(free)), body.shape[1])
    found = np.zeros(body.shape, bool)
    for _ in range(4):
        dx, dy = rng.normal(0, 3.5 * scale, 2)
        found |= add_debris(density, (x + dx, y + dy), 3.5 * scale, rng)
    return found & ~body
