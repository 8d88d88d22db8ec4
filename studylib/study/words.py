"""A map in words: each word from a number by a named threshold, a text in study 5's format, and warnings.

Thresholds are shares or indices without unit. Those of size, shape and boundary are the ledger's (5.32), which fills in
what the source leaves out; the others are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from studylib.cam.explanation import resize
from studylib.study.region_attributes import FILLS, attributes, attributes_of_maps
from studylib.study.wording import Wording, load_wording

ATTRIBUTES = ("size", "place", "shape", "colour", "intensity", "boundary")
SMALL, LARGE = 0.10, 0.30  # share of the image: small below, large above, either value itself is medium (5.32)
THIRDS = (1 / 3, 2 / 3)  # of height and width: upper or left below the first, lower or right above the second (5.32)
ELONGATED = 0.8  # eccentricity above it, which is an axis ratio under 0.6; the value itself is round (5.32)
IRREGULAR = 0.9  # solidity below it; the value itself is smooth (5.32)
DARK, PALE = 0.60, 0.75  # mean V: dark below, pale above; about the quarters of 400 true masks of isic_multi (.59, .74)
OFF_LESION = 0.5  # share of the region on the lesion; below it most of what is shown is something else
# Centroids are sums of floats: an exact third stays in the middle
ROUNDING = 9
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


def words_of(numbers: pd.DataFrame) -> pd.DataFrame:
    """The words of regions, a column for each of ATTRIBUTES, keys of the wording; None where undefined.

    numbers: rows of `attributes`. A region that fills the image has size, colour and intensity only.
    """
    found = {
        "size": _by_edges(numbers["area"], SMALL, LARGE, ("small", "medium", "large")),
        "place": _places(numbers),
        "shape": np.where(numbers["eccentricity"].round(ROUNDING) > ELONGATED, "elongated", "round"),
        "colour": numbers["colour"].to_numpy(object),
        "intensity": _by_edges(numbers["value"], DARK, PALE, ("dark", "medium", "pale")),
        "boundary": np.where(numbers["solidity"].round(ROUNDING) < IRREGULAR, "irregular", "smooth"),
    }
    there = {"size": "area", "place": "area", "shape": "eccentricity", "intensity": "value", "boundary": "solidity"}
    known = {name: numbers[there.get(name, "area")].notna().to_numpy() for name in ATTRIBUTES}
    known["place"] = (numbers["area"] <= FILLS).to_numpy()  # False where undefined too
    words = {name: np.where(known[name], np.asarray(found[name], object), None) for name in ATTRIBUTES}
    return pd.DataFrame(words, index=numbers.index, dtype=object)


def word_columns(numbers: pd.DataFrame, kind: str) -> pd.DataFrame:
    """`words_of` under the names that `word_agreement` reads: word_<attribute>_<kind>."""
    return words_of(numbers).rename(columns=lambda name: f"word_{name}_{kind}")


@dataclass(frozen=True)
class Description:
    """A text about a map: its lines, and the words (None where nothing can be said) and warnings (keys) behind them."""

    words: dict[str, str | None]
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]
    warned: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text: sentences in one line, each warning in its own."""
        return "\n".join((" ".join(self.sentences), *self.warned))


def describe(
    numbers: Mapping, *, predicted: str, confidence: float, doubt: float | None = None, failed: Sequence[str] = (),
    wording: Wording | None = None,
) -> Description:  # fmt: skip
    """Describe one region in the format of study 5's source.

    numbers: one row of `attributes`; predicted: the class, whose knowledge is added where the wording has it;
    confidence: its calibrated probability; doubt: below it confidence is called low (chosen on validation images);
    failed: the gates that its network fails. A map without a region gets no word about it. Raises ValueError for a
    confidence or doubt outside [0, 1].
    """
    for name, value in (("confidence", confidence), ("doubt", doubt)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} is {value!r}; expected a probability from 0 to 1, not per cent")
    wording = wording or load_wording()
    row = pd.Series(dict(numbers))
    words = words_of(row.to_frame().T.astype({c: float for c in _NUMBERS})).iloc[0].to_dict()
    sentences = [_say(wording, "prediction", predicted=predicted.replace("_", " "), confidence=100 * confidence)]
    sentences += _region(row, words, wording)
    if knowledge := wording.known.get(predicted):
        sentences.append(_say(wording, "insight", sentence=knowledge["sentence"], reference=knowledge["reference"]))
        sentences.append(wording.say("sentence", "insight_is_general"))
    told = _warnings(row, confidence, doubt, failed)
    warned = tuple(_say(wording, "warning", text=wording.say("warning", key, **more)) for key, more in told.items())
    return Description(words, tuple(told), tuple(sentences), warned)


def sentence_for(
    grid: ArrayLike, picture: np.ndarray, predicted: str, confidence: float, *, lesion: np.ndarray | None = None,
    doubt: float | None = None, failed: Sequence[str] = (), wording: Wording | None = None,
) -> Description:  # fmt: skip
    """Describe one map on one picture, as `python -m studylib explain` and a page of one image need it.

    grid: (h, w), signed, brought to the picture's size (bilinear); picture: (H, W, 3) uint8 in its own aspect;
    lesion: (H, W) bool, where known; the rest as `describe`.
    """
    import torch

    maps = torch.as_tensor(np.array(grid))[None]
    if maps.ndim != 3:
        raise ValueError(f"the map has the shape {tuple(maps.shape[1:])}; expected (h, w)")
    if tuple(maps.shape[1:]) != picture.shape[:2]:
        maps = resize(maps, tuple(picture.shape[:2]), "bilinear")
    lesions = None if lesion is None else lesion[None]
    numbers = attributes_of_maps(maps.numpy(), picture[None], lesions=lesions).iloc[0]
    return describe(numbers, predicted=predicted, confidence=confidence, doubt=doubt, failed=failed, wording=wording)


def of_disc(images: np.ndarray, area: float) -> pd.DataFrame:
    """Attributes of a centred disc of a given share of the image, on each image: what words say without any map.

    images: (N, H, W, 3) uint8; area: such as the training lesions' median. Raises ValueError outside (0, 1).
    """
    if not 0 < area < 1:
        raise ValueError(f"the disc's area is {area!r}; expected a share of the image between 0 and 1")
    height, width = images.shape[1:3]
    y, x = np.mgrid[:height, :width]
    distance = (y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2
    disc = distance <= np.partition(distance.ravel(), round(area * distance.size) - 1)[round(area * distance.size) - 1]
    return attributes(np.broadcast_to(disc, images.shape[:3]), images)


_NUMBERS = ("area", "row", "column", "eccentricity", "value", "solidity")


def _by_edges(values: pd.Series, low: float, high: float, names: tuple[str, str, str]) -> np.ndarray:
    x = values.to_numpy(float).round(ROUNDING)
    return np.select([x < low, x <= high], names[:2], names[2])


def _places(numbers: pd.DataFrame) -> list[str]:
    low, high = np.round(THIRDS, ROUNDING)
    rows, columns = (_by_edges(numbers[name], low, high, names) for name, names in (("row", ROWS), ("column", COLUMNS)))
    pairs = [f"{row}_{column}" for row, column in zip(rows, columns, strict=True)]
    return ["centre" if pair == "middle_centre" else pair for pair in pairs]


def _say(wording: Wording, key: str, **values) -> str:
    return wording.say("sentence", key, **values)


def _region(row: pd.Series, words: dict, wording: Wording) -> list[str]:
    """The sentences about the region; of no region only why."""
    if words["size"] is None:
        why = str(row["undefined"] or "empty").lower().replace("-", "_")
        return [_say(wording, "nothing", why=wording.say("why", why))]
    said = {name: wording.say(name, word) for name, word in words.items() if word is not None}
    if "place" not in said:
        found = [_say(wording, "focus_filling", size=said["size"])]
    else:
        key = "focus" if "shape" in said else "focus_without_shape"
        found = [_say(wording, key, **{n: said[n] for n in ("size", "shape", "place") if n in said})]
    if "colour" in said:
        found.append(_say(wording, "colour", colour=said["colour"], intensity=said["intensity"]))
    if "boundary" in said:
        found.append(_say(wording, "boundary", boundary=said["boundary"]))
    return found


def _warnings(row: pd.Series, confidence: float, doubt: float | None, failed: Sequence[str]) -> dict[str, dict]:
    """Key -> values of each warning that applies, in the order in which they are said."""
    there, filling = row["pixels"] > 0, row["area"] > FILLS
    shaped = pd.notna(row["eccentricity"])
    known, share = pd.notna(row["on_lesion"]), row["on_lesion"]
    no_darker = pd.notna(row["contrast"]) and row["contrast"] >= 0
    cases = {
        "low_confidence": (doubt is not None and confidence < doubt, {"confidence": 100 * confidence}),
        "flat_map": (not there, {}),
        "off_lesion": (there and known and share < OFF_LESION, {"share": 100 * share}),
        "perhaps_off_lesion": (there and not known and no_darker, {}),
        "filling": (there and filling, {}),
        "at_border": (there and not filling and bool(row["at_border"]), {}),
        "tiny": (there and not filling and not shaped, {"pixels": int(row["pixels"])}),
        "black": (there and row["colour"] is None, {}),
        "failed_gate": (len(failed) > 0, {"gates": ", ".join(failed)}),
        "research": (True, {}),
    }
    found = {key: values for key, (applies, values) in cases.items() if applies}
    if "low_confidence" in found:
        found["low_confidence"]["doubt"] = 100 * doubt
    return found
