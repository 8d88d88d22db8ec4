"""Does the network need what the map marks: deletion, insertion, their correlations with the map, average drop.

`score` is a callable from images (n, C, H, W) to the probability (n,) of the class that the maps explain, for instance
`lambda x, rows: model(x).softmax(1)[range(len(x)), target[rows]]` (`rows`, where it has such a parameter: which images
they are); logits are refused, since areas and drops of logits have no meaning. NaN for images whose map is NaN or flat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studylib.metrics.maps import as_maps, defined, where_defined
from studylib.metrics.removal import (
    Mixture,
    Parts,
    Score,
    as_floats,
    as_probabilities,
    as_tensor,
    counts,
    parts,
    scores,
)

if TYPE_CHECKING:
    from torch import Tensor


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


def deletion_and_insertion(
    score: Score, images: Any, maps: Any, *, baseline: Any = "blur", steps: int = 32, blocks: int | None = 14,
    rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> tuple[Curve, Curve]:  # fmt: skip
    """Return both curves of Petsiuk 2018 at the cost of 2 S forwards: their two ends are the same pictures.

    Deletion: the highest places give way to the baseline first, low areas are better. Insertion: the baseline gets the
    image's highest places first, high areas are better. images: (N, C, H, W); maps: (N, H, W), of which the order alone
    matters; baseline: "blur", "mean" (of each image and channel), "zero", or images; blocks: places are blocks, as many
    along each side (None: pixels). Step t of `steps` changes exactly round(t n / steps) of n places; tied places come
    in one random order, the same for every image. batch_size: images in one forward (None: N), which bounds memory.
    """
    out, back = _curves(score, parts(images, maps, baseline, blocks, rng), (False, True), steps, batch_size)
    return out, back


def deletion(
    score: Score, images: Any, maps: Any, *, baseline: Any = "blur", steps: int = 32, blocks: int | None = 14,
    rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> Curve:  # fmt: skip
    """Return the curve as the highest places go, by S + 1 forwards; arguments as in `deletion_and_insertion`."""
    return _curves(score, parts(images, maps, baseline, blocks, rng), (False,), steps, batch_size)[0]


def insertion(
    score: Score, images: Any, maps: Any, *, baseline: Any = "blur", steps: int = 32, blocks: int | None = 14,
    rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> Curve:  # fmt: skip
    """Return the curve as the highest places appear, by S + 1 forwards; arguments as in `deletion_and_insertion`."""
    return _curves(score, parts(images, maps, baseline, blocks, rng), (True,), steps, batch_size)[0]


def deletion_correlation(
    score: Score, images: Any, maps: Any, *, steps: int | None = None, cumulative: bool = True, ranked: bool = False,
    baseline: Any = "blur", blocks: int | None = 14, rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Return how the saliency of what is removed goes with the drop in probability (Gomez 2022, DC): (N,) in [-1, 1].

    Pearson's correlation over steps (None: one a place) of the mean saliency of the places removed, highest first, with
    the drop since the step before. cumulative False: each step removes its places alone, and the drop is from the whole
    image; ranked: Spearman's instead, which no monotone scaling of the map changes. Unlike the area under the curve it
    judges the map's values, not its order alone. NaN where fewer than three steps differ in saliency or where all drops
    are equal (to the precision of the images' type). Other arguments as in `deletion_and_insertion`.
    """
    of = parts(images, maps, baseline, blocks, rng)
    return _correlation(score, of, False, steps, cumulative, ranked, batch_size)


def insertion_correlation(
    score: Score, images: Any, maps: Any, *, steps: int | None = None, cumulative: bool = True, ranked: bool = False,
    baseline: Any = "blur", blocks: int | None = 14, rng: int | np.random.Generator = 0, batch_size: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Return how the saliency of what the baseline gets back goes with the rise in probability (Gomez 2022, IC): (N,).

    As `deletion_correlation`, from the baseline up; cumulative False: each step's places stand alone in the baseline.
    """
    of = parts(images, maps, baseline, blocks, rng)
    return _correlation(score, of, True, steps, cumulative, ranked, batch_size)


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
    images, array = as_floats(images), as_maps(maps)
    keep = defined(array)
    high = np.where(keep, array.max((1, 2), initial=-np.inf), 1.0)[:, None, None]
    scaled = np.where(keep[:, None, None], np.maximum(array, 0) / high, np.nan)
    return images * as_tensor(scaled[:, None]).to(images)


def average_drop(before: Any, after: Any) -> np.ndarray:
    """Return max(0, before - after) / before (Chattopadhay 2018, section 4.1): (N,) in [0, 1], NaN where before is 0.

    before: probability of the whole image; after: of the image times its map (`multiplied`). Not independent of the
    map's area: a map that is 1 everywhere drops nothing.
    """
    before, after = as_probabilities(before, "before"), as_probabilities(after, "after")
    drop = np.maximum(before - after, 0)
    return np.divide(drop, before, out=np.full(before.shape, np.nan), where=before > 0)


def increase(before: Any, after: Any) -> np.ndarray:
    """Return 1.0 where the probability rose from before to after, 0.0 where it did not (Chattopadhay 2018): (N,)."""
    before, after = as_probabilities(before, "before"), as_probabilities(after, "after")
    return where_defined((after > before).astype(float), np.isfinite(before) & np.isfinite(after))


def _curves(score, of: Parts, ways: tuple[bool, ...], steps: int, batch_size: int | None) -> list[Curve]:
    """Return a curve for each way (False: deletion, True: insertion); what both show is shown to the network once."""
    taken = counts(of.places, steps)
    whole, bare = Mixture(0, 0), Mixture(0, of.places)
    paths = []
    for way in ways:
        middle = [Mixture(0, int(c), way) for c in taken[1:-1]]
        paths.append([bare, *middle, whole] if way else [whole, *middle, bare])
    seen = list(dict.fromkeys(mixture for path in paths for mixture in path))
    said = scores(score, of, seen, batch_size)
    said = dict(zip(seen, np.where(of.keep[:, None], said, np.nan).T, strict=True))
    return [Curve(taken / of.places, np.stack([said[m] for m in path], axis=1), said[whole]) for path in paths]


def _correlation(score, of: Parts, inserted: bool, steps: int | None, cumulative: bool, ranked: bool, batch_size):
    import torch

    steps = of.places if steps is None else steps
    if not 3 <= steps <= of.places:
        raise ValueError(f"steps is {steps}; a correlation needs 3 or more and at most one a place ({of.places})")
    edges = counts(of.places, steps)
    pairs = [(0 if cumulative else int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    said = scores(score, of, [Mixture(a, b, inserted) for a, b in [(0, 0), *pairs]], batch_size)
    change = (np.diff(said, axis=1) if cumulative else said[:, 1:] - said[:, :1]) * (1 if inserted else -1)
    saliency = np.add.reduceat(of.saliency, edges[:-1], axis=1) / np.diff(edges)
    several = np.array([len(np.unique(row)) >= 3 for row in saliency], bool)
    # drops that differ by the rounding of the probabilities alone are equal
    moved = np.ptp(change, axis=1) > 8 * torch.finfo(of.images.dtype).eps
    return where_defined(_pearson(saliency, change, ranked), of.keep & several & moved)


def _pearson(x: np.ndarray, y: np.ndarray, ranked: bool) -> np.ndarray:
    """Return the correlation of each row (N, n) of x with that of y, NaN where one of them does not vary."""
    if ranked:
        from scipy.stats import rankdata

        x, y = rankdata(x, axis=1), rankdata(y, axis=1)
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    length = np.sqrt((x**2).sum(1) * (y**2).sum(1))
    return np.divide((x * y).sum(1), length, out=np.full(len(x), np.nan), where=length > 0)
