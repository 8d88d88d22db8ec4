"""Which layer: by name, by module, or the last spatial one as found from what ran; and what a layer must give."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from torch import Tensor, nn

from studylib.cam.formulas import nearest
from studylib.cam.grid import Grid, grid_of_tokens

# No layers of their own: pooling to a fixed size belongs to the head, the others change nothing at inference.
PASSIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.Identity)
SPATIAL = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, nn.MaxPool2d, nn.AvgPool2d)


class LayerError(ValueError):
    """A layer that cannot be explained, with its name and what to do."""


class Ran(NamedTuple):
    """One module's turn in a forward pass: its name, the module, its output's shape, and if that is floating point."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    floating: bool


def find_layers(model: nn.Module, layers) -> dict[str, nn.Module]:
    """Look layers up by name or by module, name -> module; raises LayerError naming the nearest known one."""
    known = dict(model.named_modules(remove_duplicate=False))
    known.pop("")
    found = {}
    for layer in [layers] if isinstance(layers, (str, nn.Module)) else list(layers):
        if isinstance(layer, nn.Module):
            names = [name for name, module in known.items() if module is layer]
            if not names:
                kind = type(layer).__name__
                raise LayerError(
                    f"the {kind} given as a layer is not a module inside the model (it has {_some(known)})"
                )
            found[names[0]] = layer
        elif layer in known:
            found[layer] = known[layer]
        else:
            raise LayerError(f"the model has no layer {layer!r} (it has {_some(known)}){nearest(str(layer), known)}")
    if not found:
        raise LayerError("no layer was asked for: leave out `layers` for the last spatial one")
    return found


def grid_of(name: str, module: nn.Module, output: object, images: Tensor) -> Grid:
    """How the output of the layer `name` lies on the images (N, C, H, W): (N, K, h, w), (N, h, w, K) or tokens
    (N, T, K). Raises LayerError for anything else.
    """
    layer = f"the layer {name!r} ({type(module).__name__})"
    if not isinstance(output, Tensor):
        raise LayerError(f"{layer} returns a {type(output).__name__}; name one that returns one tensor (N, K, h, w)")
    shape = tuple(output.shape)
    if not output.is_floating_point():
        raise LayerError(f"{layer} returns {output.dtype}; name one that returns floating point numbers")
    if len(shape) not in (3, 4):
        raise LayerError(f"{layer} returns {shape}, not (N, K, h, w); name a layer before the flattening")
    if len(shape) == 4:
        return (
            Grid("channels last", *shape[1:3]) if channels_last(module, shape) else Grid("channels first", *shape[2:])
        )
    size = tuple(images.shape[2:])
    grid = grid_of_tokens(shape[1], size) if shape[0] == len(images) else None
    if grid is None:
        raise LayerError(
            f"{layer} returns {shape}; as tokens (N, T, K) of {len(images)} images of {size[0]} x {size[1]} they form "
            "no grid of that aspect; name another layer, or fold them to (N, K, h, w) in a module of the model"
        )
    return grid


def is_spatial(module: nn.Module, shape: tuple[int, ...], floating: bool) -> bool:
    """True for an output (N, K, h, w) of more than one place."""
    return floating and len(shape) == 4 and shape[2] * shape[3] > 1 and not channels_last(module, shape)


def channels_last(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """True for (N, h, w, K), which window transformers use: a Linear or a LayerNorm over the last axis tells."""
    if isinstance(module, nn.Linear):
        return True
    norms = (m for m in module.modules() if type(m) is nn.LayerNorm)
    return shape[1] != shape[-1] and any(tuple(m.normalized_shape) == shape[-1:] for m in norms)


def last_spatial(order: list[Ran], runs: Counter, outputs: int) -> list[str]:
    """Name the last spatial layer before the head of `outputs` logits that ran once; of a model that works on tokens
    above it, the norms of tokens instead (without norms: the linear layers), the last first.

    Skipped: pooling to a fixed size, dropout, and a 1x1 convolution with one channel a class and all that follows it
    (the head). Raises LayerError where there is no such layer.
    """
    weighted = [i for i, ran in enumerate(order) if isinstance(ran.module, (nn.Conv2d, nn.Linear))]
    if weighted and _is_head_conv(order[weighted[-1]].module, outputs):
        order = order[: weighted[-1]]
    good = [
        i
        for i, ran in enumerate(order)
        if is_spatial(*ran[1:]) and not isinstance(ran.module, PASSIVE) and runs[ran.name] == 1
    ]
    tokens = [
        i
        for i, r in enumerate(order)
        if len(r.shape) == 3 and r.shape[1] > 1 and isinstance(r.module, nn.Linear | nn.LayerNorm) and runs[r.name] == 1
    ]
    if tokens and (not good or tokens[-1] > good[-1]):
        norms = [i for i in tokens if isinstance(order[i].module, nn.LayerNorm)]
        return [order[i].name for i in reversed(norms or tokens)]
    if not good:
        raise LayerError(
            "no module of the model runs once and gives (N, K, h, w) with more than one place: use larger images, or "
            "name a layer"
        )
    return [order[good[-1]].name]


def likely_last(model: nn.Module) -> set[nn.Module]:
    """The last convolution, norm or pooling as registered, and the module before it: a guess at the last layer."""
    leaves = [m for m in model.modules() if not any(True for _ in m.children()) and not isinstance(m, PASSIVE)]
    spatial = [i for i, m in enumerate(leaves) if isinstance(m, SPATIAL) or type(m) is nn.LayerNorm]
    return set(leaves[max(spatial[-1] - 1, 0) : spatial[-1] + 1]) if spatial else set()


def _is_head_conv(module: nn.Module, outputs: int) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.out_channels == outputs


def _some(names, n: int = 6) -> str:
    names = list(names)
    return ", ".join(names) if len(names) <= n else "…, " + ", ".join(names[-n:])
