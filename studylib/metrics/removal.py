"""Taking an image apart by the order of its map: places, the baseline behind them, and what a network says on the way.

A place is a pixel or a block of pixels. Deletion, insertion and their correlations are all read off the same mixtures
of image and baseline.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from studylib.metrics.maps import as_array, as_maps, defined

if TYPE_CHECKING:
    from torch import Tensor

BLUR = 10 / 224  # standard deviation of the blurred baseline, as a share of the side
Score = Callable[..., Any]


class Mixture(NamedTuple):
    """Image or baseline at each place: ranks `first` up to, not including, `last` are the baseline's, others the
    image's; with `inserted` the other way round.
    """

    first: int
    last: int
    inserted: bool = False


@dataclass(frozen=True)
class Parts:
    """Images (N, C, H, W) and baseline behind them, rank (N, 1, H, W) of each pixel's place, 0 the highest; saliency
    (N, places) in falling order; keep (N,): whether the map says anything.
    """

    images: Tensor
    baseline: Tensor
    ranks: Tensor
    saliency: np.ndarray
    keep: np.ndarray

    @property
    def places(self) -> int:
        return self.saliency.shape[1]


def parts(images: Any, maps: Any, baseline: Any, blocks: int | None, rng: int | np.random.Generator) -> Parts:
    """Return what mixtures are made of; maps (N, H, W) of which NaN and flat ones are not kept.

    baseline: "blur", "mean" (of each image and channel), "zero", or images; blocks: as many along each side (None:
    places are pixels); tied places come in one random order, the same for every image.
    """
    import torch

    images, array = as_floats(images), as_maps(maps)
    if images.ndim != 4 or (len(images), *images.shape[-2:]) != array.shape:
        raise ValueError(
            f"images have shape {tuple(images.shape)}, maps {array.shape}; expected (N, C, H, W) and (N, H, W)"
        )
    keep = defined(array, ranks=True)
    ranks, saliency = _ranks(np.where(keep[:, None, None], array, 0), blocks, np.random.default_rng(rng))
    rank = torch.from_numpy(ranks).to(images.device)[:, None]
    return Parts(images, _baseline(images, baseline), rank, saliency, keep)


def counts(places: int, steps: int) -> np.ndarray:
    """Return how many places are changed after each step, (steps + 1,): exactly round(t places / steps)."""
    return np.rint(np.arange(steps + 1) * places / steps).astype(int)


def scores(score: Score, of: Parts, mixtures: Sequence[Mixture], batch_size: int | None = None) -> np.ndarray:
    """Return the probability (N, M) of every image in each of M mixtures; no graph is kept.

    batch_size: images in one forward (None: the N of one mixture). A score with a parameter named `rows` is told which
    image (n,) each of a batch comes from: needed with batch_size where images have classes of their own.
    """
    import torch

    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it counts images, 1 or more (None: all of one step)")
    tells_rows = takes_rows(score)
    n = len(of.images)
    found = np.empty((len(mixtures), n))
    with torch.no_grad():
        for steps, rows in _batches(len(mixtures), n, batch_size):
            indices = np.tile(np.arange(n)[rows], len(steps))
            batch = of.images.new_empty(len(indices), *of.images.shape[1:])  # new: a score may keep what it is given
            for step, part in zip(steps, batch.chunk(len(steps)), strict=True):
                _mix(of, mixtures[step], rows, part)
            said = score(batch, rows=torch.from_numpy(indices).to(batch.device)) if tells_rows else score(batch)
            found[steps.start : steps.stop, rows] = as_probabilities(said, "score", len(batch)).reshape(len(steps), -1)
    return found.T


def takes_rows(score: Score) -> bool:
    """Return whether a score has a parameter named `rows`."""
    try:
        return "rows" in inspect.signature(score).parameters
    except (TypeError, ValueError):  # some compiled functions have no signature
        return False


def blurred(images: Tensor, share: float = BLUR) -> Tensor:
    """Return images (N, C, H, W) under a Gaussian of standard deviation `share` of each side, borders continued."""
    import torch
    from torch.nn import functional

    channels = images.shape[1]
    for axis in (2, 3):
        sigma = share * images.shape[axis]
        radius = int(4 * sigma + 0.5)
        kernel = torch.exp(
            -((torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype) / sigma) ** 2) / 2
        )
        kernel = (kernel / kernel.sum()).view(1, 1, *((-1, 1) if axis == 2 else (1, -1))).repeat(channels, 1, 1, 1)
        padding = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
        images = functional.conv2d(functional.pad(images, padding, mode="replicate"), kernel, groups=channels)
    return images


def as_tensor(values: Any) -> Tensor:
    """Return values as a tensor without a graph."""
    import torch

    return values.detach() if isinstance(values, torch.Tensor) else torch.tensor(np.asarray(values))


def as_floats(images: Any) -> Tensor:
    """Return images as a tensor; ValueError where they are not what a network takes."""
    images = as_tensor(images)
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}; pass what the network takes, scaled floats (N, C, H, W)")
    return images


def as_probabilities(values: Any, name: str, n: int | None = None) -> np.ndarray:
    """Return probabilities (n,) as float64; ValueError for another shape, or where they leave [0, 1]."""
    p = as_array(values).astype(float)
    if p.ndim != 1 or (n is not None and len(p) != n):
        raise ValueError(f"{name} has shape {p.shape}; expected one probability an image, ({'N' if n is None else n},)")
    if (p < 0).any() or (p > 1).any():
        raise ValueError(f"{name} lies in {np.nanmin(p):g} to {np.nanmax(p):g}; expected probabilities, not logits")
    return p


def _batches(mixtures: int, n: int, batch_size: int | None) -> Iterator[tuple[range, slice]]:
    """Yield which mixtures and which images go into one forward: several whole mixtures, or a part of one."""
    size = min(n, batch_size or n)
    together = max(1, (batch_size or 1) // max(n, 1))
    for first in range(0, mixtures, together):
        for start in range(0, n, size or 1):
            yield range(first, min(first + together, mixtures)), slice(start, min(start + size, n))


def _mix(of: Parts, mixture: Mixture, rows: slice, out: Tensor) -> None:
    """Write the mixture of some images to `out`."""
    import torch

    rank = of.ranks[rows]
    gone = rank < mixture.last
    if mixture.first:
        gone &= rank >= mixture.first
    image, base = of.images[rows], of.baseline[rows]
    # torch.where, so that nothing of an image that holds NaN or is shared with the caller is written to
    torch.where(gone, *((image, base) if mixture.inserted else (base, image)), out=out)


def _ranks(maps: np.ndarray, blocks: int | None, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the rank (N, H, W) of each pixel's place, 0 the highest, and the places' values (N, places), falling."""
    n, height, width = maps.shape
    rows = np.arange(height) * min(blocks or height, height) // height
    columns = np.arange(width) * min(blocks or width, width) // width
    if blocks:
        starts = [np.flatnonzero(np.diff(x, prepend=-1)) for x in (rows, columns)]
        sums = np.add.reduceat(np.add.reduceat(maps, starts[0], axis=1), starts[1], axis=2)
        maps = sums / np.outer(np.bincount(rows), np.bincount(columns))
    places = maps.reshape(n, maps.shape[1] * maps.shape[2])
    ties = np.broadcast_to(rng.permutation(places.shape[1]), places.shape)
    order = np.lexsort((ties, -places), axis=-1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(places.shape[1])[None], axis=1)
    return ranks.reshape(maps.shape)[:, rows[:, None], columns[None]], np.take_along_axis(places, order, axis=1)


def _baseline(images: Tensor, baseline: Any) -> Tensor:
    import torch

    if not isinstance(baseline, str):
        return as_tensor(baseline).to(images).expand_as(images)
    if baseline == "zero":
        return torch.zeros_like(images)
    if baseline == "mean":
        return images.mean((2, 3), keepdim=True).expand_as(images)
    if baseline == "blur":
        return blurred(images)
    raise ValueError(f"baseline is '{baseline}'; it is 'blur', 'mean', 'zero', or images")
