"""One look at one picture: what the network says, its maps, what they must beat, and all that makes one doubt them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from studylib.app.card import Card
from studylib.app.network import USUAL, Network
from studylib.cam import METHODS
from studylib.cam.regions import find_regions
from studylib.metrics import floors, localisation
from studylib.study.one_image import Explained, words

FLOORS = {
    "centre": "centred blob",
    "darkest": "darkest pixels",
    "brightest": "brightest pixels",
    "sobel": "edges",
}
THRESHOLD = 0.5  # of the maximum, at first: the share that study 5 puts into words
RESEARCH = "Research and teaching only. Not for diagnosis."
KINDS = {  # of a warning -> how it is headed
    "confidence": "Low confidence",
    "unlike": "Unlike the training pictures",
    "blurred": "Blurred",
    "gate": "The maps fail a check",
    "flat": "The map marks no place",
    "network": "This network",
    "region": "About the region",
}


@dataclass(frozen=True)
class Doubt:
    """One thing that a reader must know before believing a look: a kind (of KINDS) and a sentence."""

    kind: str
    text: str

    @property
    def title(self) -> str:
        return KINDS[self.kind]


@dataclass(frozen=True, eq=False)
class Shown:
    """A map as it is shown: grid (S, S) signed; undefined: why it has no meaning, "" where it has; by: "network",
    "random" or "floor".
    """

    name: str
    grid: np.ndarray
    by: str
    unit: str
    undefined: str = ""


@dataclass(frozen=True, eq=False)
class Look:
    """found: what the network says; random: its twin's maps by method; refused: method -> why there is none; truth: the
    true class of an example, "" where unknown; mask: its true outline, (S, S) bool, or None.
    """

    found: Explained
    random: dict[str, np.ndarray]
    refused: dict[str, str]
    doubts: tuple[Doubt, ...]
    truth: str = ""
    mask: np.ndarray | None = None
    twin: str = "random weights"

    @property
    def pixels(self) -> np.ndarray:
        """The picture as the network saw it, uint8 (S, S, 3)."""
        return self.found.pixels

    def floor(self, name: str = "centre") -> np.ndarray:
        """A map that knows nothing of the network, (S, S)."""
        shape = (1, *self.pixels.shape[:2])
        made = {
            "centre": lambda: floors.centred_gaussian(shape),
            "darkest": lambda: floors.darkest(self.pixels[None]),
            "brightest": lambda: floors.brightest(self.pixels[None]),
            "sobel": lambda: floors.sobel(self.pixels[None]),
        }
        return made[name]()[0]

    def shown(self, floor: str = "centre") -> list[Shown]:
        """The maps in the order in which they stand: the network's, the twin's of the spoken one, the floor."""
        found = self.found
        maps = [
            Shown(METHODS[m].title, grid, "network", unit_of(m), found.undefined.get(m, ""))
            for m, grid in found.maps.items()
        ]
        random = self.random.get(found.spoken)
        if random is not None:
            title = f"{METHODS[found.spoken].title}, {self.twin}"
            why = "" if np.isfinite(random).all() else "NaN"
            maps.append(Shown(title, random, "random", unit_of(found.spoken), why))
        return [*maps, Shown(f"Floor: {FLOORS[floor]}", self.floor(floor), "floor", "")]


def unit_of(method: str) -> str:
    """What a map's values are counted in."""
    return "logit squared" if method.startswith("crm") else "logit"


def region(grid: np.ndarray, threshold: float) -> tuple[np.ndarray, str]:
    """What lies above a fraction of a map's maximum, bool (S, S), and why there is nothing ("" where there is)."""
    found = find_regions(grid[None], "fraction", threshold)
    return found.masks[0], found.undefined[0] or ""


def measures(look: Look, threshold: float, floor: str = "centre") -> pd.DataFrame:
    """How well each map finds the true outline beside floor and random weights; a row a map. Empty without an outline.

    IoU of the region above the threshold, share of the map's positive part inside, pixel AUPRC (chance: the outline's
    share of the picture); NaN where undefined.
    """
    if look.mask is None:
        return pd.DataFrame()
    truth, rows = look.mask[None], {}
    for shown in look.shown(floor):
        maps = shown.grid[None]
        inside, why = region(shown.grid, threshold)
        rows[shown.name] = {
            "region: IoU with the outline": np.nan if why else float(localisation.iou(inside[None], truth)[0]),
            "map: share inside the outline": float(localisation.energy_inside(maps, truth)[0]),
            "map: pixel AUPRC": float(localisation.pixel_auprc(maps, truth)[0]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("map")


def look_at(
    network: Network, image: np.ndarray, name: str, card: Card, *, methods: Sequence[str] = USUAL, layer: str = "",
    spoken: str = "", truth: str = "", mask: np.ndarray | None = None,
) -> Look:  # fmt: skip
    """Show a network one picture, uint8 (H, W) or (H, W, 3). Raises ValueError where no method has a map at the layer.

    spoken: the map that words, warnings and the twin's map are about; by default the one that the study speaks of.
    """
    layer = layer or network.layer
    wanted = spoken or network.spoken
    found, refused = network.explained(image, name, methods, layer, wanted, card.failed)
    random = network.random_maps(image, (found.spoken,), layer, found.said)
    doubts = tuple(doubts_of(network, image, found, card))
    return Look(replace(found, warnings=[]), random, refused, doubts, truth, mask, network.twin_is)


def doubts_of(network: Network, image: np.ndarray, found: Explained, card: Card) -> list[Doubt]:
    """Every reason to doubt, the gravest first; what the words of a study already warn of is said once."""
    doubts = [Doubt("network", text) for text in card.notes]
    told = [text for text in found.warnings if not text.startswith("research and teaching")]
    low = "low confidence: "
    doubts += [Doubt("confidence", text.removeprefix(low)) for text in told if text.startswith(low)]
    doubts += strange(network.strangeness(image))
    sizes = [text for text in told if "training set" in text]
    doubts += [Doubt("unlike", ", and ".join(sizes))] if sizes else []
    sharp, limit = network.sharpness(image), network.sharp.threshold
    if sharp < limit:
        text = f"less sharp than 99 % of the training pictures ({100 * sharp / limit:.0f} % of the limit)"
        doubts.append(Doubt("blurred", text))
    if card.failed:
        doubts.append(Doubt("gate", f"{gates_text(card)}. The maps may be shown, not relied on."))
    for method, why in found.undefined.items():
        doubts.append(Doubt("flat", f"{METHODS[method].title} has no meaning here: {why_text(why)}"))
    rest = [
        t
        for t in told
        if not t.startswith(("low confidence", "the network behind this fails")) and "training set" not in t
    ]
    if found.spoken in found.undefined:  # said above, by name
        rest = [t for t in rest if not t.startswith(("the map is flat", "the map marks no place"))]
    return doubts + [Doubt("flat" if "no place" in text else "region", text) for text in rest]


def strange(strangeness: dict[str, float]) -> list[Doubt]:
    """Doubts about a picture that is farther from the training pictures than 99 % of validation pictures."""
    said = {
        "appearance": "in brightness, colour, detail and layout",
        "features": "in what the network's head sees of it",
    }
    return [
        Doubt("unlike", f"{said[name]} it is {ratio:.1f} times as far from the training pictures as the limit allows")
        for name, ratio in strangeness.items()
        if ratio > 1
    ]


def gates_text(card: Card) -> str:
    """Which gates fail, in words."""
    return f"In the study's report {card.counted}; at least one fails of: {', '.join(card.failed)}"


def why_text(why: str) -> str:
    """Why a map has no meaning, in words."""
    known = {
        "flat": "it is flat",
        "NaN": "it holds values that are not numbers",
        "infinite": "it holds infinite values",
        "all-negative": "no place speaks for this class",
        "signed activations": "its formula needs activations that are never negative, and this layer's are signed",
    }
    return known.get(why, why)


def headline(look: Look) -> str:
    """The prediction in one line."""
    found = look.found
    return f"{words(found.classes[found.said])}, {100 * found.p[found.said]:.0f} %"


def table_of(look: Look) -> pd.DataFrame:
    """Probability of every class, the likeliest first: calibrated and as trained, in per cent."""
    found = look.found
    order = np.argsort(-found.p, kind="stable")
    rows = [(words(found.classes[i]), 100 * found.p[i], 100 * found.raw[i]) for i in order]
    return pd.DataFrame(rows, columns=["class", "calibrated, %", "as trained, %"])
