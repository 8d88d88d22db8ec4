"""Does a map stay when the image hardly changes: small noise, small shifts, and whether it changes when the prediction
does. For other seeds and other backbones compare two maps of an image by `sanity.similarity`, beside `random_pairs`.

`maps_of` is a callable from images (N, C, H, W) to maps (N, H, W) of the same size, for instance
`lambda x: explain(model, x, target=1).upsampled("gradcam")`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from studylib.metrics.maps import as_array, as_maps
from studylib.metrics.sanity import Similarity, similarity

if TYPE_CHECKING:
    from torch import Tensor

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def after_noise(
    maps_of: Callable[[Tensor], Any],
    images: Tensor,
    *,
    share: float = 0.02,
    draws: int = 4,
    rng: int | np.random.Generator = 0,
) -> Similarity:
    """Return how alike maps stay under Gaussian noise, mean over `draws`: each field (N,), NaN where a map has none.

    share: standard deviation of the noise as a share of each image's range from lowest to highest value.
    """
    rng = np.random.default_rng(rng)
    before = as_maps(maps_of(images))
    return _mean([similarity(before, as_maps(maps_of(noisy(images, share, rng)))) for _ in range(draws)])


def after_shift(maps_of: Callable[[Tensor], Any], images: Tensor, *, pixels: int) -> Similarity:
    """Return how alike maps stay when the image moves by `pixels` to each of four sides, mean over the four: (N,) each.

    The map of the moved image is moved back, and only places that both images show are compared.
    """
    before, found = as_maps(maps_of(images)), []
    for down, right in DIRECTIONS:
        after = as_maps(maps_of(shifted(images, down * pixels, right * pixels)))
        rows, columns = (_both(n, step * pixels) for n, step in zip(before.shape[1:], (down, right), strict=True))
        found.append(similarity(before[:, rows[0]][:, :, columns[0]], after[:, rows[1]][:, :, columns[1]]))
    return _mean(found)


def noisy(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Return images (N, C, H, W) with Gaussian noise of `share` of each image's range; not clipped."""
    import torch

    spread = images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True)
    noise = torch.from_numpy(rng.standard_normal(tuple(images.shape))).to(images)
    return images + share * spread * noise


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Return images (N, C, H, W) moved by whole pixels, the border continued by its outermost row or column."""
    import torch

    height, width = images.shape[2:]
    if abs(down) >= height or abs(right) >= width:
        raise ValueError(f"a shift of {down} and {right} pixels leaves nothing of images of {height} x {width}")
    rows = torch.arange(height, device=images.device).sub(down).clamp(0, height - 1)
    columns = torch.arange(width, device=images.device).sub(right).clamp(0, width - 1)
    return images[:, :, rows][:, :, :, columns]


def prediction_saliency_correlation(prediction_change: Any, map_likeness: Any) -> np.ndarray:
    """Return, for each image, the correlation over its changes between how much the prediction moved and how much the
    map did, |p' - p| against 1 - SSIM (Zhang 2024): 1 if the map changes when, and only when, the prediction does.

    prediction_change, map_likeness: (N, k), k changes of each image -> (N,) in [-1, 1]; NaN with fewer than three
    changes that have both, or where either is the same for all.
    """
    moved, unlike = np.abs(as_array(prediction_change).astype(float)), 1 - as_array(map_likeness).astype(float)
    if moved.ndim != 2 or moved.shape != unlike.shape:
        raise ValueError(f"changes of predictions {moved.shape} and of maps {unlike.shape}: both must be (N, k)")
    found = np.full(len(moved), np.nan)
    for i, (x, y) in enumerate(zip(moved, unlike, strict=True)):
        keep = np.isfinite(x) & np.isfinite(y)
        x, y = x[keep], y[keep]
        if keep.sum() >= 3 and np.ptp(x) > 0 and np.ptp(y) > 0:
            found[i] = np.corrcoef(x, y)[0, 1]
    return found


def _both(side: int, step: int) -> tuple[slice, slice]:
    """Return where the places that both show lie in the image, and in the image moved by `step`."""
    return slice(max(0, -step), side - max(0, step)), slice(max(0, step), side - max(0, -step))


def _mean(found: list[Similarity]) -> Similarity:
    return Similarity(*(np.mean(values, axis=0) for values in zip(*found, strict=True)))
