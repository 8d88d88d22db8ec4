"""Do maps follow the network: weights randomised layer by layer, and how alike maps then are (Adebayo 2018).

A map that stays when the weights go does not show what the network learned. Never rank methods by this (Binder 2023).
"""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from studylib.metrics.maps import as_maps, defined, where_defined

if TYPE_CHECKING:
    from torch import nn


class Similarity(NamedTuple):
    """How alike two maps are, per image (N,): rank correlation, structural similarity, share of high pixels shared."""

    spearman: np.ndarray
    ssim: np.ndarray
    overlap: np.ndarray


def randomised(
    model: nn.Module, cascade: bool = True, rng: int | np.random.Generator = 0, layers: Sequence[str] | None = None
) -> Iterator[tuple[str, nn.Module]]:
    """Yield (layer name, copy of the model) with that layer's weights drawn anew, from the head to the stem.

    cascade: layers drawn before stay drawn (the last copy has no learned weight left); else one layer at a time. The
    model itself is neither changed nor yielded. layers: names to go through, head first, each with all that it holds;
    None: every module that owns parameters, last registered first. Each layer has a generator of its own: it gets the
    same values in both ways, and no two layers share theirs.

    Kernels and matrices, attention's too, are drawn from N(0, 2 / fan-in); biases become 0, normalisation layers are
    reset with their running statistics, parameters outside of layers are drawn with their own standard deviation.
    """
    order = _layers(model, layers)
    seeds = np.random.default_rng(rng).integers(2**63, size=len(order))
    current = copy.deepcopy(model)
    for name, seed in zip(order, seeds.tolist(), strict=True):
        current = current if cascade else copy.deepcopy(model)
        layer = current.get_submodule(name)
        _redraw([layer] if layers is None else list(layer.modules()), seed)
        yield name or "(root)", copy.deepcopy(current)  # a copy: what its reader does to it must not reach the next


def similarity(maps_a: Any, maps_b: Any, *, top: float = 0.1) -> Similarity:
    """Return how alike maps (N, H, W) of the same images are; NaN where one of the two is NaN or flat.

    spearman: over pixels, ties by mean rank; ssim: in two dimensions on maps scaled to [0, 1] each (data range 1),
    window 7 or the side of smaller maps (Wang 2004); overlap: share of the `top` highest pixels that both have, pixels
    tied at the threshold counting in part.
    """
    a, b = as_maps(maps_a), as_maps(maps_b)
    if a.shape != b.shape:
        raise ValueError(f"maps have shapes {a.shape} and {b.shape}; they must be of the same images at one size")
    keep = defined(a, ranks=True) & defined(b, ranks=True)
    n, height, width = a.shape
    # an undefined map becomes a ramp, so that no line below divides by zero; its value is NaN in the end
    ramp = np.arange(float(height * width)).reshape(height, width)
    a, b = (np.where(keep[:, None, None], x, ramp) for x in (a, b))
    both = np.minimum(_membership(a, top), _membership(b, top)).sum(1) / _top_count(height * width, top)
    ssim = np.array([_ssim(x, y) for x, y in zip(a, b, strict=True)], float)
    return Similarity(where_defined(_spearman(a, b), keep), where_defined(ssim, keep), where_defined(both, keep))


def random_pairs(maps: Any, rng: int | np.random.Generator, n: int = 50, *, top: float = 0.1) -> Similarity:
    """Return the similarity (n,) of maps of n random pairs of different images: what unrelated maps reach (Arun 2021).

    Undefined maps are never drawn, and no pair is drawn twice while others are left; NaN with fewer than two maps.
    """
    array = as_maps(maps)
    array = array[defined(array, ranks=True)]
    if len(array) < 2:
        return Similarity(*np.full((3, n), np.nan))
    pairs = len(array) * (len(array) - 1) // 2
    rounds, rest = divmod(n, pairs)
    rest = np.random.default_rng(rng).choice(pairs, rest, replace=False)
    drawn = np.concatenate([np.tile(np.arange(pairs), rounds), rest]).astype(int)
    second = np.floor((1 + np.sqrt(1 + 8 * drawn)) / 2).astype(int)  # pair k is (k - j (j - 1) / 2, j), counted by j
    first = drawn - second * (second - 1) // 2
    return similarity(array[first], array[second], top=top)


def _layers(model: nn.Module, layers: Sequence[str] | None) -> list[str]:
    owners = [name for name, module in model.named_modules() if _parameters(module) or _statistics(module) is not None]
    if layers is None:
        return owners[::-1]
    names = dict(model.named_modules())
    for name in layers:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"the model has no layer '{name}' (layers with weights: {', '.join(owners)}){hint}")
    return list(layers)


def _parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return what the module itself owns, without its children."""
    return {name: p for name, p in module._parameters.items() if p is not None}


def _statistics(module: nn.Module) -> Any:
    return getattr(module, "running_mean", None)


def _redraw(modules: Sequence[nn.Module], seed: int) -> None:
    """Give each module's own parameters and running statistics values that nothing was learned in; in place."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in modules:
            own, resets = _parameters(module), hasattr(module, "reset_parameters")
            is_layer = resets or hasattr(module, "_reset_parameters")
            if own and resets and all(p.ndim < 2 for p in own.values()):
                with torch.random.fork_rng(devices=[]):
                    torch.default_generator.manual_seed(seed)
                    module.reset_parameters()  # normalisation, PReLU: back to the constants that they start from
                continue
            for name, p in own.items():
                if is_layer and p.ndim >= 2:
                    spread = math.sqrt(2 / max(p[0].numel(), 1))
                elif is_layer and "bias" in name:
                    spread = 0.0
                else:  # a free parameter: class token, position embedding, layer scale
                    spread = float(p.float().std()) if p.numel() > 1 and p.float().std() > 0 else 0.02
                p.copy_(torch.randn(p.shape, generator=generator) * spread)
            if _statistics(module) is not None:
                module.reset_running_stats()


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    x, y = (rankdata(m.reshape(len(m), -1), axis=1) for m in (a, b))
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    return (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    from skimage.metrics import structural_similarity

    window = min(7, *a.shape)
    window -= 1 - window % 2  # odd
    if window < 3:
        return math.nan
    a, b = ((m - m.min()) / (m.max() - m.min()) for m in (a, b))
    return float(structural_similarity(a, b, data_range=1.0, win_size=window))


def _top_count(pixels: int, top: float) -> int:
    if not 0 < top < 1:
        raise ValueError(f"top is a share of the pixels between 0 and 1; found {top}")
    return max(1, round(top * pixels))


def _membership(maps: np.ndarray, top: float) -> np.ndarray:
    """Return how far each pixel (N, H * W) is of the highest: 1, 0, or, where tied at the threshold, a part."""
    flat = maps.reshape(len(maps), -1)
    k = _top_count(flat.shape[1], top)
    edge = np.partition(flat, -k, axis=1)[:, -k, None]
    above, tied = flat > edge, flat == edge
    return above + tied * (k - above.sum(1, keepdims=True)) / tied.sum(1, keepdims=True)
