"""Does the network need what the map marks: deletion, insertion, average drop and increase, each with its control.

`score(images, rows)` gives the probability (n,) of the class that the maps explain, for images (n, C, H, W) that are
`images[rows]` changed, rows (n,) int64: `lambda x, rows: model(x).softmax(1).gather(1, target[rows, None])[:, 0]`.
Logits are refused, since areas and drops of logits have no meaning. NaN for images whose map is NaN or flat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studylib.metrics.maps import as_array, as_maps, defined, where_defined

if TYPE_CHECKING:
    from torch import Tensor

BLUR = 10 / 224  # standard deviation of the blurred baseline, as a share of the side
Score = Callable[["Tensor", "Tensor"], Any]


@dataclass(frozen=True)
class Curve:
    """Probabilities while an image is taken apart or put together.

    shares (S + 1,): share of the places that were changed, 0 to 1; scores (N, S + 1); intact (N,): of the whole image.
    """

    shares: np.ndarray
    scores: np.ndarray
    intact: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """Area under each curve by trapezoids, (N,) in [0, 1]."""
        return np.trapezoid(self.scores, self.shares, axis=1)

    @property
    def relative_area(self) -> np.ndarray:
        """Area as a share of the intact image's score (N,), NaN where that is 0."""
        return np.divide(self.area, self.intact, out=np.full(len(self.intact), np.nan), where=self.intact > 0)


def deletion(
    score: Score, images: Any, maps: Any, *, baseline: Any = "blur", steps: int = 32, blocks: int | None = 14,
    rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> Curve:  # fmt: skip
    """Return the curve while the highest places give way to the baseline first (Petsiuk 2018): low areas are better.

    images: (N, C, H, W); maps: (N, H, W), of which the order alone matters; baseline: "blur", "mean" (of each image and
    channel), "zero", or images; blocks: places are blocks, as many along each side (None: pixels). Step t of `steps`
    replaces exactly round(t n / steps) of n places; tied places come in one random order, the same for every image.
    batch_size: images in one call of `score` (None: all), so that memory does not grow with N.
    """
    return _ready(score, images, maps, baseline, blocks, rng, batch_size).deletion(steps)


def insertion(
    score: Score, images: Any, maps: Any, *, baseline: Any = "blur", steps: int = 32, blocks: int | None = 14,
    rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> Curve:  # fmt: skip
    """Return the curve while the baseline gets the image's highest places first (Petsiuk 2018); high areas are better.

    Arguments as in `deletion`.
    """
    return _ready(score, images, maps, baseline, blocks, rng, batch_size).insertion(steps)


def deletion_and_insertion(
    score: Score, images: Any, maps: Any, *, baseline: Any = "blur", steps: int = 32, blocks: int | None = 14,
    rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> tuple[Curve, Curve]:  # fmt: skip
    """Return both curves; the whole image and the whole baseline, which they share, are scored once.

    Arguments as in `deletion`; for many forward passes give `score` a model that `cam.prepare` made.
    """
    walk = _ready(score, images, maps, baseline, blocks, rng, batch_size)
    ends = walk.at(0), walk.at(walk.places)
    return walk.deletion(steps, ends), walk.insertion(steps, ends)


def random_order(
    score: Score, images: Any, *, of: Callable[..., Curve] = deletion, draws: int = 5,
    rng: int | np.random.Generator = 0, **options,
) -> np.ndarray:  # fmt: skip
    """Return the control of `of` (deletion or insertion): the mean area (N,) over maps of random values."""
    rng = np.random.default_rng(rng)
    shape = (len(images), *images.shape[-2:])
    return np.mean([of(score, images, rng.random(shape), rng=rng, **options).area for _ in range(draws)], axis=0)


def multiplied(images: Any, maps: Any) -> Tensor:
    """Return images (N, C, H, W) times their maps' positive part over its maximum; NaN where that is undefined."""
    images, array = _floats(images), as_maps(maps)
    keep = defined(array)
    high = np.where(keep, array.max((1, 2), initial=-np.inf), 1.0)[:, None, None]
    scaled = np.where(keep[:, None, None], np.maximum(array, 0) / high, np.nan)
    return images * _tensor(scaled[:, None]).to(images)


def average_drop(before: Any, after: Any) -> np.ndarray:
    """Return max(0, before - after) / before (Chattopadhay 2018, section 4.1): (N,) in [0, 1], NaN where before is 0.

    before: probability of the whole image; after: of the image times its map (`multiplied`). Not independent of the
    map's area: a map that is 1 everywhere drops nothing.
    """
    before, after = _probabilities(before, "before"), _probabilities(after, "after")
    drop = np.maximum(before - after, 0)
    return np.divide(drop, before, out=np.full(before.shape, np.nan), where=before > 0)


def increase(before: Any, after: Any) -> np.ndarray:
    """Return 1.0 where the probability rose from before to after, 0.0 where it did not (Chattopadhay 2018): (N,)."""
    before, after = _probabilities(before, "before"), _probabilities(after, "after")
    return where_defined((after > before).astype(float), np.isfinite(before) & np.isfinite(after))


@dataclass(frozen=True)
class _Walk:
    """Images and baselines, and the order in which places pass from one to the other. ranks: (N, 1, H, W)."""

    score: Score
    images: Tensor
    base: Tensor
    ranks: Tensor
    keep: np.ndarray
    places: int
    batch_size: int

    def at(self, count: int, *, inserted: bool = False) -> np.ndarray:
        """Probabilities (N,) with the first `count` places deleted, or with only these inserted."""
        import torch

        found = []
        with torch.no_grad():
            for rows in torch.arange(len(self.images), device=self.images.device).split(self.batch_size):
                first = self.ranks[rows] < count
                # torch.where, so that nothing of an image that holds NaN or is shared with the caller is written to
                mixed = torch.where(first if inserted else ~first, self.images[rows], self.base[rows])
                found.append(_probabilities(self.score(mixed, rows), "score", len(rows)))
        return np.concatenate(found) if found else np.empty(0)

    def deletion(self, steps: int, ends: tuple[np.ndarray, np.ndarray] | None = None) -> Curve:
        counts = self._counts(steps)
        whole = ends[0] if ends else self.at(0)
        between = [self.at(c) for c in counts[1:-1]]
        return self._curve([whole, *between, ends[1] if ends else self.at(self.places)], counts, whole)

    def insertion(self, steps: int, ends: tuple[np.ndarray, np.ndarray] | None = None) -> Curve:
        counts = self._counts(steps)
        empty = ends[1] if ends else self.at(self.places)
        between = [self.at(c, inserted=True) for c in counts[1:-1]]
        whole = ends[0] if ends else self.at(0)
        return self._curve([empty, *between, whole], counts, whole)

    def _counts(self, steps: int) -> list[int]:
        return np.rint(np.arange(steps + 1) * self.places / steps).astype(int).tolist()

    def _curve(self, scores: list[np.ndarray], counts: list[int], whole: np.ndarray) -> Curve:
        table = np.where(self.keep[:, None], np.stack(scores, axis=1), np.nan)
        return Curve(np.array(counts) / self.places, table, where_defined(whole, self.keep))


def _ready(score, images, maps, baseline, blocks, rng, batch_size) -> _Walk:
    import torch

    images, array = _floats(images), as_maps(maps)
    if images.ndim != 4 or (len(images), *images.shape[-2:]) != array.shape:
        raise ValueError(
            f"images have shape {tuple(images.shape)}, maps {array.shape}; expected (N, C, H, W) and (N, H, W)"
        )
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be 1 image or more, or None for all")
    keep = defined(array, ranks=True)
    ranks = _ranks(np.where(keep[:, None, None], array, 0), blocks, np.random.default_rng(rng))
    order = torch.from_numpy(ranks).to(images.device)[:, None]
    places = int(ranks.max(initial=0)) + 1
    return _Walk(score, images, _baseline(images, baseline), order, keep, places, batch_size or max(len(images), 1))


def _ranks(maps: np.ndarray, blocks: int | None, rng: np.random.Generator) -> np.ndarray:
    """Return the rank (N, H, W) of each pixel's place, 0 the highest."""
    n, height, width = maps.shape
    rows = np.arange(height) * min(blocks or height, height) // height
    columns = np.arange(width) * min(blocks or width, width) // width
    if blocks:
        starts = [np.flatnonzero(np.diff(x, prepend=-1)) for x in (rows, columns)]
        sums = np.add.reduceat(np.add.reduceat(maps, starts[0], axis=1), starts[1], axis=2)
        maps = sums / np.outer(np.bincount(rows), np.bincount(columns))
    places = maps.reshape(n, -1)
    ties = np.broadcast_to(rng.permutation(places.shape[1]), places.shape)
    order = np.lexsort((ties, -places), axis=-1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(places.shape[1])[None], axis=1)
    return ranks.reshape(maps.shape)[:, rows[:, None], columns[None]]


def _baseline(images: Tensor, baseline: Any) -> Tensor:
    import torch

    if not isinstance(baseline, str):
        return _tensor(baseline).to(images).expand_as(images)
    if baseline == "zero":
        return torch.zeros_like(images)
    if baseline == "mean":
        return images.mean((2, 3), keepdim=True).expand_as(images)
    if baseline == "blur":
        return blurred(images)
    raise ValueError(f"baseline is '{baseline}'; it is 'blur', 'mean', 'zero', or images")


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


def _tensor(values: Any) -> Tensor:
    import torch

    return values.detach() if isinstance(values, torch.Tensor) else torch.tensor(np.asarray(values))


def _floats(images: Any) -> Tensor:
    images = _tensor(images)
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}; pass what the network takes, scaled floats (N, C, H, W)")
    return images


def _probabilities(values: Any, name: str, n: int | None = None) -> np.ndarray:
    p = as_array(values).astype(float)
    if p.ndim != 1 or (n is not None and len(p) != n):
        raise ValueError(f"{name} has shape {p.shape}; expected one probability an image, ({'N' if n is None else n},)")
    if (p < 0).any() or (p > 1).any():
        raise ValueError(f"{name} lies in {np.nanmin(p):g} to {np.nanmax(p):g}; expected probabilities, not logits")
    return p
