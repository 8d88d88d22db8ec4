"""Pictures of a look: the image and each map in colours on its own signed scale, with outlines that one can see on any
ground. Arrays in, arrays out; a page and a sheet draw the same.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image

from studylib.app.look import Look, Shown, region, why_text

SIDE = 384  # pixels of a panel on the page: sharp at twice the width of a narrow column
COLOURS = "PuOr_r"  # the house's colours of signed maps: orange speaks for, violet against, white is zero
REGION, TRUTH = (0, 190, 230), (255, 255, 255)  # cyan and white, as in every figure of the house
SMOOTH = 0.6  # pixels of the network by which an outline is rounded, so that it shows no stairs
OVERLAY = 0.75  # how much a map's strongest place hides of the picture below it


@dataclass(frozen=True, eq=False)
class Panel:
    """rgb: uint8 (SIDE, SIDE, 3); top: what the ends of the colour bar stand for, 0 for a picture without one; unit: of
    it; text: what someone who cannot see it is told; note: why there is no map, "" where there is one.
    """

    title: str
    rgb: np.ndarray
    text: str
    top: float = 0.0
    unit: str = ""
    note: str = ""

    @property
    def png(self) -> bytes:
        """The picture as PNG, in memory."""
        stream = io.BytesIO()
        Image.fromarray(self.rgb).save(stream, "PNG")
        return stream.getvalue()


@cache
def palette() -> np.ndarray:
    """The colours of -1 to 1 in 256 steps, uint8 (256, 3)."""
    from matplotlib import colormaps

    return np.rint(255 * colormaps[COLOURS](np.linspace(0, 1, 256))[:, :3]).astype(np.uint8)


def coloured(grid: np.ndarray) -> tuple[np.ndarray, float]:
    """A signed map in colours, zero in their middle, (H, W, 3) uint8, and its largest absolute value."""
    top = float(np.abs(grid).max())
    places = np.rint(127.5 + 127.5 * grid / (top or 1.0)).astype(int)
    return palette()[places], top


def enlarged(array: np.ndarray, side: int = SIDE) -> np.ndarray:
    """An array (S, S[, 3]) at a panel's size, smooth; of a mask what is more inside than outside."""
    if array.dtype == bool:
        large = cv2.resize(array.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        return cv2.GaussianBlur(large, (0, 0), max(0.1, SMOOTH * side / len(array))) > 0.5
    if array.dtype == np.uint8:
        return cv2.resize(array, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(np.asarray(array, np.float64), (side, side), interpolation=cv2.INTER_LINEAR)


def outlined(rgb: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """A copy with the outline of a mask, in a dark casing so that it shows on any ground. rgb, mask: one size."""
    drawn = rgb.copy()
    found = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[-2]
    for ink, width in (((20, 20, 20), 6), (colour, 3)):
        cv2.drawContours(drawn, found, -1, ink, width, cv2.LINE_AA)
    return drawn


def over(rgb: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """A map laid over a picture: the stronger a place, for or against, the more of the picture it hides."""
    colours, top = coloured(grid)
    share = OVERLAY * (np.abs(grid) / (top or 1.0))[..., None]
    return np.rint((1 - share) * rgb + share * colours).astype(np.uint8)


def panels_of(look: Look, threshold: float, floor: str = "centre", overlay: bool = False) -> list[Panel]:
    """The picture and every map of a look, each with the region above the threshold, and the true outline if known."""
    base = enlarged(look.pixels)
    truth = None if look.mask is None else enlarged(look.mask)
    spoken, why = region(look.found.maps[look.found.spoken], threshold)
    plain = _with_outlines(base, None if why else enlarged(spoken), truth)
    text = "the picture as the network saw it" + (", with the true outline" if truth is not None else "")
    drawn = [Panel("Picture", plain, text)]
    return drawn + [_map_panel(shown, threshold, base, truth, overlay) for shown in look.shown(floor)]


def _map_panel(shown: Shown, threshold: float, base: np.ndarray, truth: np.ndarray | None, overlay: bool) -> Panel:
    if shown.undefined and not np.isfinite(shown.grid).all():
        grey = np.full_like(base, 128)
        note = f"no map: {why_text(shown.undefined)}"
        return Panel(shown.name, _with_outlines(grey, None, truth), f"{shown.name}: {note}", note=note)
    grid = enlarged(shown.grid)
    found, why = region(shown.grid, threshold)
    colours, top = coloured(grid)
    rgb = over(base, grid) if overlay else colours
    said = (
        f"no place above {100 * threshold:.0f} % of its maximum"
        if why
        else f"{100 * found.mean():.0f} % of the picture lies above"
    )
    note = f"no region: {why_text(why)}" if why else ""
    text = f"{shown.name}: {said}" + ("" if why else f" {100 * threshold:.0f} % of its maximum, {place(found)}")
    return Panel(shown.name, _with_outlines(rgb, None if why else enlarged(found), truth), text, top, shown.unit, note)


def place(mask: np.ndarray) -> str:
    """Where the middle of a region lies, in words for those who do not see it."""
    row, column = (axis.mean() / side for axis, side in zip(np.nonzero(mask), mask.shape, strict=True))
    high = ("in the upper part", "half way down", "in the lower part")[min(2, int(3 * row))]
    return f"{high}, {('left', 'centre', 'right')[min(2, int(3 * column))]}"


def _with_outlines(rgb: np.ndarray, found: np.ndarray | None, truth: np.ndarray | None) -> np.ndarray:
    for mask, colour in ((truth, TRUTH), (found, REGION)):
        rgb = rgb if mask is None else outlined(rgb, mask, colour)
    return rgb


def scale_of(panel: Panel) -> Mapping[str, str]:
    """What stands under a colour bar: its two ends with sign, and what they are counted in."""
    if not panel.top:
        return {}
    high = f"{panel.top:.2g}" if panel.top >= 0.01 else f"{panel.top:.0e}"
    return {"low": f"\u2212{high}", "middle": "0", "high": f"+{high}", "unit": panel.unit or "no unit"}
