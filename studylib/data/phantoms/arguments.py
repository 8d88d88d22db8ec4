"""Arguments of a phantom family: what is wrong is said in one sentence, with the nearest name that is known; shares are
given out evenly.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import numpy as np


def known_name(what: str, name: str | None, known: Iterable[str | None]) -> str | None:
    """Return a name if it is among the known ones (None may be); ValueError names the nearest."""
    known = tuple(known)
    if name in known:
        return name
    near = difflib.get_close_matches(str(name), [k for k in known if k], n=1)
    hint = f"; nearest: '{near[0]}'" if near else ""
    raise ValueError(f"{what} '{name}' is unknown (known: {', '.join(str(k) for k in known)}){hint}")


def count(what: str, value: int, least: int) -> int:
    """Return a whole number of at least `least`."""
    if value != int(value) or value < least:
        raise ValueError(f"{what} {value}: a whole number of at least {least} is expected")
    return int(value)


def shares_of(what: str, shares: Mapping[str, float], known: Iterable[str]) -> dict[str, float]:
    """Check shares by name; they need not sum to 1."""
    for name, share in shares.items():
        known_name(what, name, known)
        if not share >= 0:
            raise ValueError(f"{what}: the share of '{name}' is {share}, at least 0 is expected")
    if not sum(shares.values()) > 0:
        raise ValueError(f"{what}: no kind has a share (known: {', '.join(known)})")
    return dict(shares)


def spread(shares: Mapping[str, float], positive: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Give each patient a kind by its share, as evenly within each class as counts allow: neither tells the other."""
    names, edges = list(shares), np.cumsum(list(shares.values())) / sum(shares.values())
    found = np.empty(len(positive), dtype=object)
    start = rng.random()
    for label in (True, False):
        rows = np.flatnonzero(positive == label)
        places = (rng.permutation(len(rows)) + start) / max(len(rows), 1)
        found[rows] = [names[min(int(np.searchsorted(edges, place, side="right")), len(names) - 1)] for place in places]
    return found.tolist()


def pair_of(what: str, pair: tuple[float, float], least: float, most: float | None) -> tuple[float, float]:
    """Check two numbers."""
    first, second = (float(value) for value in pair)
    if first < least or second < 0 or (most is not None and not first <= second <= most):
        limit = (
            f"from {least:g} to {most:g}, the lesser first"
            if most is not None
            else f"{least:g} or more, then 0 or more"
        )
        raise ValueError(f"{what} {tuple(pair)}: two numbers are expected, {limit}")
    return first, second
