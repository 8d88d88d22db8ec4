"""Do maps stay when nothing that matters changes: small noise, small shifts, another seed, another backbone.

`maps_of` is a callable from images (N, C, H, W) to maps (N, h, w), arrays or tensors, NaN where undefined. A map that
stays may still be wrong, and a smooth map is stable for free: read each value beside that of random pairs (Arun 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from studylib.metrics.maps import as_array, as_maps, defined
from studylib.metrics.removal import as_floats, as_probabilities
from studylib.metrics.sanity import Similarity, random_pairs, similarity

if TYPE_CHECKING:
    from torch import Tensor

MapsOf = Callable[["Tensor"], Any]


def noisy(
    maps_of: MapsOf, images: Any, *, share: float = 0.05, draws: int = 5, rng: int | np.random.Generator = 0,
    top: float = 0.1,
) -> Similarity:  # fmt: skip
    """Return how alike the map of an image and that of its noisy copies are, the mean over draws: (N,) each.

    images: (N, C, H, W) floats; noise: Gaussian, its standard deviation `share` of the image's own range (largest minus
    smallest value over channels and pixels), nothing clipped. The class must stay the same: let maps_of explain a given
    class, not the predicted one. NaN where the map of the image is NaN or flat, or that of every copy; draws that are
    so are left out.
    """
    import torch

    images, rng = as_floats(images), np.random.default_rng(rng)
    if share < 0 or draws < 1:
        raise ValueError(
            f"share is {share} and draws {draws}; expected a share of the range >= 0 and at least one draw"
        )
    spread = (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))[:, None, None, None] * share
    before = _maps(maps_of, images)
    each = []
    for _ in range(draws):
        noise = torch.from_numpy(rng.standard_normal(images.shape)).to(images)
        each.append(similarity(before, _maps(maps_of, images + spread * noise), top=top))
    return _mean(each)


def shifted(
    maps_of: MapsOf, images: Any, *, by: int | Sequence[tuple[int, int]] = 4, top: float = 0.1
) -> Similarity:  # fmt: skip
    """Return how alike the map of an image and that of its shifted copies are, shifted back: mean over shifts, (N,).

    images: (N, C, H, W) floats, their borders continued; by: pixels up, down, left and right in turn, or a list of
    (down, right). Only the window that an image and its shifted copy share is compared. Maps must be as large as the
    images, ValueError otherwise: a shift by pixels has no counterpart in a coarse map. NaN as in `noisy`, and where a
    map is flat inside the window.
    """
    images = as_floats(images)
    height, width = images.shape[-2:]
    steps = [(-by, 0), (by, 0), (0, -by), (0, by)] if isinstance(by, int) else list(by)
    if not steps or any(abs(down) >= height or abs(right) >= width for down, right in steps):
        raise ValueError(f"shifts are {steps}; expected one or more, each smaller than the image of {height} x {width}")
    before, each = _maps(maps_of, images, (height, width)), []
    for down, right in steps:
        after = _maps(maps_of, _moved(images, down, right), (height, width))
        rows, columns = _shared(height, down), _shared(width, right)
        here = before[:, rows[0], columns[0]]
        each.append(similarity(here, after[:, rows[1], columns[1]], top=top))
    return _mean(each)


def between(maps_by_network: Mapping[Any, Any] | Iterable[Any], *, top: float = 0.1) -> Similarity:
    """Return how alike networks' maps of the same image are, the mean over all pairs of networks: (N,) each.

    maps_by_network: maps (N, H, W) of two or more networks at one size, a list or by name. Networks that differ by
    their seed: repeatability; by their backbone: reproducibility (Arun 2021). NaN where no pair is defined; pairs of
    which one map is NaN or flat are left out.
    """
    networks = _networks(maps_by_network)
    if len(networks) < 2:
        raise ValueError(f"{len(networks)} network's maps are given; likeness between networks needs two or more")
    return _mean([similarity(a, b, top=top) for a, b in combinations(networks, 2)])


def above_chance(
    likeness: Similarity, maps: Any, rng: int | np.random.Generator, *, pairs: int = 50, top: float = 0.1
) -> Similarity:
    """Return each image's likeness minus the mean over random pairs of maps of different images: (N,) each.

    maps: (N, H, W), those that `likeness` is about, of which `pairs` random pairs are drawn (Arun 2021); or maps of
    several networks as in `between`: as many pairs in each network, their means averaged. 0: no more alike than maps
    that have nothing to do with each other. NaN where no pair can be drawn.
    """
    rng = np.random.default_rng(rng)
    single = hasattr(maps, "ndim") and maps.ndim == 3
    each = [random_pairs(m, rng, pairs, top=top) for m in ([as_maps(maps)] if single else _networks(maps))]
    chance = zip(*each, strict=True)
    return Similarity(*(mine - _mean_of(theirs, None) for mine, theirs in zip(likeness, chance, strict=True)))


def prediction_saliency_correlation(
    before: Any, after: Any, likeness: Any, weights: np.ndarray | None = None
) -> float:  # fmt: skip
    """Return whether maps change where predictions do (after Zhang 2024): a correlation over images, in [-1, 1].

    Pearson's correlation of |after - before|, probabilities (n,) of the images and of their changed copies, with
    1 - likeness, the SSIM (n,) of both maps. weights: how often each row counts. Rows with NaN are left out; NaN with
    fewer than three rows, or where one of the two does not vary.
    """
    p, q = as_probabilities(before, "before"), as_probabilities(after, "after")
    likeness = np.asarray(as_array(likeness), float)
    w = np.ones(len(p)) if weights is None else np.asarray(weights, float)
    if not p.shape == q.shape == likeness.shape == w.shape:
        found = f"before {p.shape}, after {q.shape}, likeness {likeness.shape}, weights {w.shape}"
        raise ValueError(f"{found}; expected one (n,) of each, a value an image")
    x, y = np.abs(q - p), 1 - likeness
    keep = np.isfinite(x) & np.isfinite(y) & (w > 0)
    x, y, w = x[keep], y[keep], w[keep]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
    return float((w * x * y).sum() / np.sqrt((w * x**2).sum() * (w * y**2).sum()))


def _maps(maps_of: MapsOf, images: Tensor, size: tuple[int, int] | None = None) -> np.ndarray:
    maps = as_maps(maps_of(images))
    if len(maps) != len(images):
        raise ValueError(f"maps_of gave {len(maps)} maps for {len(images)} images; expected one each")
    if size is not None and maps.shape[1:] != size:
        raise ValueError(f"maps are {maps.shape[1:]}, images {size}; upsample the maps in maps_of before they shift")
    # a map that says nothing as a whole must not seem to inside a window
    return np.where(defined(maps, ranks=True)[:, None, None], maps, np.nan)


def _networks(maps: Mapping[Any, Any] | Iterable[Any]) -> list[np.ndarray]:
    return [as_maps(m) for m in (maps.values() if isinstance(maps, Mapping) else maps)]


def _moved(images: Tensor, down: int, right: int) -> Tensor:
    """Return images moved by whole pixels, the border row or column repeated where nothing comes in."""
    import torch

    height, width = images.shape[-2:]
    rows = (torch.arange(height, device=images.device) - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) - right).clamp(0, width - 1)
    return images[:, :, rows[:, None], columns]


def _shared(side: int, step: int) -> tuple[slice, slice]:
    """Return which places of an image are still there after a step, and where they then are."""
    return slice(max(0, -step), side - max(0, step)), slice(max(0, step), side - max(0, -step))


def _mean(each: Sequence[Similarity]) -> Similarity:
    return Similarity(*(_mean_of(values, 0) for values in zip(*each, strict=True)))


def _mean_of(values: Sequence[np.ndarray], axis: int | None) -> np.ndarray:
    """Return the mean over what is defined, NaN (and no warning) where nothing is."""
    values = np.array(values)
    there = np.isfinite(values)
    total, count = np.where(there, values, 0).sum(axis), there.sum(axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
