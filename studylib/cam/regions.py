"""From maps to regions: thresholds, matched area, largest component, box; no region is undefined, with a reason.

The order is upsample, then scale, then threshold; it and the interpolation are arguments with one default, and
`convention` states them in a sentence to print under a figure. Pixels are kept strictly above a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from studylib.cam.explanation import resize, why_undefined
from studylib.cam.formulas import nearest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RULES = {
    "fraction": "above {value:g} of {unit}",
    "mean": "above the map's mean",
    "median": "above the map's median",
    "percentile": "above the map's percentile {value:g} (linear interpolation)",
    "otsu": "above Otsu's threshold (256 bins)",
    "local": "above the Gaussian-weighted mean of a window of {value:g} pixels",
}
DEFAULTS = {"fraction": 0.2, "percentile": 95.0, "local": 51.0}
ORDERS = ("upsample, scale, threshold", "scale, upsample, threshold", "scale, threshold, upsample")
SCALES = ("max", "minmax", None)


@dataclass(frozen=True)
class Regions:
    """Regions of a batch of maps.

    masks: (N, H, W) bool, all False where undefined; levels: (N,) thresholds on the scaled map (NaN where undefined, or
    where the rule has a level for each pixel); undefined: for each image why it has no region ("NaN", "infinite",
    "flat", "all-negative", "empty") or None; said: the convention, a sentence.
    """

    masks: np.ndarray
    levels: np.ndarray
    undefined: list[str | None]
    said: str

    @property
    def defined(self) -> np.ndarray:
        """(N,) bool: the images that have a region; leave the others out and count them."""
        return np.array([reason is None for reason in self.undefined], dtype=bool)

    @property
    def areas(self) -> np.ndarray:
        """(N,) area of each region as a share of the image, NaN where undefined."""
        return np.where(self.defined, self.masks.mean((1, 2)), np.nan)


def find_regions(
    maps: ArrayLike | torch.Tensor,
    rule: str = "fraction",
    value: float | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    relu: bool = True,
    scale: str | None = "max",
    interpolation: str = "bilinear",
    order: str = ORDERS[0],
    largest: bool = False,
) -> Regions:
    """Threshold maps (N, h, w) into regions (N, H, W) at `size` (None: their own).

    rule, value: "fraction" of the maximum (0.2), "percentile" (95), "local" window in pixels (51), "mean", "median",
    "otsu". relu comes first; largest keeps the largest component. Raises ValueError for an unknown rule, order, scale
    or a value out of range.
    """
    value = _check(rule, value, order, scale)
    native, undefined = _read(maps)
    size = tuple(native.shape[1:]) if size is None else (size, size) if isinstance(size, int) else tuple(size)
    if not relu and scale != "max" and (rule, scale) != ("fraction", None):  # no positive maximum is needed
        undefined = [None if r == "all-negative" else r for r in undefined]
    ready = native.relu() if relu else native
    for step in order.split(", ")[: 2 if order != ORDERS[2] else 1]:
        ready = _scaled(ready, scale) if step == "scale" else resize(ready, size, interpolation)
    grid = ready.numpy()
    masks, levels = np.zeros(grid.shape, dtype=bool), np.full(len(grid), np.nan)
    for i, reason in enumerate(undefined):
        if reason is None:
            level = value if rule == "fraction" and scale else level_of(grid[i], rule, value)  # a scaled map ends at 1
            masks[i] = grid[i] > level
            levels[i] = level if np.ndim(level) == 0 else np.nan
            if not masks[i].any():
                undefined[i] = "empty"
    if order == ORDERS[2]:
        masks = resize(torch.from_numpy(masks).double(), size, "nearest-exact").numpy() > 0.5
    if largest:
        masks = largest_component(masks)
    levels[[reason is not None for reason in undefined]] = np.nan
    said = convention(rule, value, relu=relu, scale=scale, interpolation=interpolation, order=order, largest=largest)
    return Regions(masks, levels, undefined, said)


def matched_area(maps: ArrayLike | torch.Tensor, areas: ArrayLike, *, seed: int = 0) -> Regions:
    """The `areas` highest pixels of each map, whatever the values: for comparing maps at one area.

    maps: (N, H, W); areas: pixels, one number or (N,). Pixels tied at the cut are taken in one random order of places,
    drawn from `seed` and the same for every map, so that no side of the image is preferred. An area of 0 is undefined
    ("empty"). Raises ValueError for an area that is not a whole number of the map's pixels.
    """
    ready, undefined = _read(maps)
    grid = ready.numpy()
    wanted = np.broadcast_to(np.asarray(areas), (len(grid),))
    pixels = grid[0].size if len(grid) else 0
    if not np.issubdtype(wanted.dtype, np.integer) or (wanted < 0).any() or (wanted > pixels).any():
        raise ValueError(
            f"areas must be whole numbers of pixels from 0 to {pixels}, one or one for each map; got {areas}"
        )
    undefined = [r if r != "all-negative" else None for r in undefined]  # the ranking of such a map has a meaning
    lottery = np.random.default_rng(seed).permutation(pixels)
    masks, levels = np.zeros(grid.shape, dtype=bool), np.full(len(grid), np.nan)
    for i, area in enumerate(wanted):
        if undefined[i] is None and area == 0:
            undefined[i] = "empty"
        if undefined[i] is None:
            flat = grid[i].ravel()
            taken = np.lexsort((lottery, -flat))[:area]
            masks[i].ravel()[taken] = True
            levels[i] = flat[taken].min()
    said = f"the map's highest pixels at a given area; ties in one random order of places (seed {seed})"
    return Regions(masks, levels, undefined, said)


def largest_component(masks: ArrayLike) -> np.ndarray:
    """Keep each region's largest component, neighbours by side or corner, of equals the upper. -> (N, H, W) bool."""
    from skimage.measure import label

    masks = np.asarray(masks, dtype=bool)
    out = np.zeros_like(masks)
    for i, mask in enumerate(masks):
        components = label(mask, connectivity=2)
        if mask.any():
            out[i] = components == 1 + np.bincount(components.ravel())[1:].argmax()
    return out


def boxes(masks: ArrayLike) -> np.ndarray:
    """Box around each region: top, left, bottom, right in pixels, the last two exclusive; NaN if empty. -> (N, 4)."""
    masks = np.asarray(masks, dtype=bool)
    out = np.full((len(masks), 4), np.nan)
    for i, mask in enumerate(masks):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            out[i] = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    return out


def convention(
    rule: str = "fraction",
    value: float | None = None,
    *,
    relu: bool = True,
    scale: str | None = "max",
    interpolation: str = "bilinear",
    order: str = ORDERS[0],
    largest: bool = False,
) -> str:
    """State how regions are made, a sentence to print under a figure; arguments and defaults of `find_regions`."""
    value = _check(rule, value, order, scale)
    unit = "the range from minimum to maximum" if scale == "minmax" else "the maximum"
    unit += " before upsampling" if scale and order == ORDERS[1] else ""
    scaling = {"max": "scale by the maximum", "minmax": "scale minimum to maximum", None: "no scaling"}[scale]
    words = {
        "upsample": f"upsample ({interpolation}, align_corners=False)",
        "scale": scaling,
        "threshold": "keep pixels " + RULES[rule].format(value=value, unit=unit),
    }
    if order == ORDERS[2]:
        words["upsample"] = "upsample the region (nearest)"
    steps = (["ReLU"] if relu else []) + [words[step] for step in order.split(", ")]
    return ", then ".join(steps + (["keep the largest component"] if largest else []))


def _check(rule: str, value: float | None, order: str, scale: str | None) -> float | None:
    for name, given, known in (("rule", rule, RULES), ("order", order, ORDERS), ("scale", scale, SCALES)):
        if given not in known:
            choices = ", ".join(repr(k) for k in known)
            raise ValueError(f"the {name} {given!r} is not known ({choices}){nearest(str(given), known)}")
    if rule not in DEFAULTS:
        if value is not None:
            raise ValueError(f"the rule {rule!r} takes no value, but {value!r} was given")
        return None
    value = DEFAULTS[rule] if value is None else float(value)
    if rule == "local" and (value < 3 or value % 2 != 1):
        raise ValueError(f"the window of the rule 'local' is an odd number of pixels, 3 or more, not {value:g}")
    top = {"fraction": 1, "percentile": 100}.get(rule, np.inf)
    if not 0 <= value < top:
        raise ValueError(f"the value {value:g} of the rule {rule!r} must be at least 0 and below {top:g}")
    return value


def level_of(grid: np.ndarray, rule: str, value: float | None = None) -> np.ndarray | float:
    """The threshold of one map (H, W) by a rule of `find_regions`: a number, or (H, W) for the local rule."""
    if rule == "fraction":
        return value * grid.max()
    if rule in ("mean", "median"):
        return float(getattr(np, rule)(grid))
    if rule == "percentile":
        return float(np.percentile(grid, value))
    from skimage.filters import threshold_local, threshold_otsu

    return threshold_local(grid, int(value), method="gaussian") if rule == "local" else float(threshold_otsu(grid))


def _scaled(maps: torch.Tensor, scale: str | None) -> torch.Tensor:
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    if scale == "max":
        return maps / high
    return (maps - low) / (high - low) if scale == "minmax" else maps


def _read(maps: ArrayLike | torch.Tensor) -> tuple[torch.Tensor, list[str | None]]:
    """A copy in float64 on the CPU, (N, h, w), and why maps are undefined, by the precision in which they came."""
    given = torch.as_tensor(maps if isinstance(maps, torch.Tensor) else np.array(maps)).detach().cpu()
    if given.ndim != 3:
        raise ValueError(f"maps has the shape {tuple(given.shape)}; it must be (N, h, w)")
    given = given if given.is_floating_point() else given.double()
    return given.double(), why_undefined(given)
