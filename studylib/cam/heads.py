"""What kind of head stands above a layer: the heads for which CAM is exact, found by structure and proved by numbers.

    pooled   mean over places and linear, or 1x1 convolution and mean    s = W mean_xy f + b
    flat     flatten and linear, a weight for every place                s = sum_kxy W_k(x, y) f_k(x, y) + b
    maps     the channels are the class maps themselves, and mean        s_c = mean_xy f_c

f is the layer's output A, or relu(A) where the model applies a ReLU without a module (DenseNet).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class HeadError(ValueError):
    """The head above a layer is not one for which the map is exact; the message names the methods that work."""


@dataclass(frozen=True)
class Head:
    """A head that is linear in the layer. weights: (C, K, 1, 1), or (C, K, h, w) for a flat head; bias: (C,)."""

    kind: str
    name: str
    weights: Tensor
    bias: Tensor
    rectified: bool = False

    def features(self, activations: Tensor) -> Tensor:
        """What the head sees of the layer's output, (N, K, h, w)."""
        return activations.relu() if self.rectified else activations

    def logits(self, activations: Tensor) -> Tensor:
        """The logits by the head's formula, (N, C)."""
        return self._pooled(self.features(activations)) @ self.weights.flatten(1).T + self.bias

    def spread(self, activations: Tensor) -> Tensor:
        """Size of the logits' terms, `sqrt(sum (w f)^2 + b^2)`, (N, C): what rounding errors are measured against."""
        squares = self._pooled(self.features(activations)).square() @ self.weights.flatten(1).square().T
        return (squares + self.bias.square()).sqrt()

    def _pooled(self, features: Tensor) -> Tensor:
        return features.flatten(1) if self.weights.shape[2:] == features.shape[2:] else features.mean((2, 3))


def find_head(
    model: nn.Module, layer: str, activations: Tensor, logits: Tensor, others: str = "gradcam, hirescam"
) -> Head:
    """Find the head whose formula gives the model's logits from a layer's output.

    activations: (N, K, h, w); logits: (N, C), both of one forward pass in eval mode, in the dtype of that pass.
    Every linear layer or convolution with C outputs that fits is tried; one counts only if its formula gives the logits
    of all images within `tolerance` of the size of their terms. Raises HeadError, naming the methods `others`.
    """
    tolerance = _tolerance(activations, logits)
    a, s = wide(activations), wide(logits)
    candidates = list(_candidates(model, a, s.shape[1]))
    if candidates:  # a layer that no head fits is not looked at
        finite = s.isfinite().all(1) & a.amin((1, 2, 3)).isfinite() & a.amax((1, 2, 3)).isfinite()
    for head in candidates:
        if not finite.any():
            return head  # nothing to prove it by, and every map is undefined anyway
        error = (head.logits(a) - s).abs()
        if (error <= tolerance * (head.spread(a) + s.abs()))[finite].all():
            return head
    raise HeadError(_why_not(model, layer, activations, s.shape[1], others))


def _candidates(model: nn.Module, activations: Tensor, outputs: int):
    """Yield heads that fit by their sizes, the last registered first, then the same behind a ReLU."""
    k, h, w = activations.shape[1:]
    found = []
    for name, module in reversed(list(model.named_modules())):
        if not (isinstance(module, nn.Linear) or _is_conv(module)) or module.weight.shape[0] != outputs:
            continue
        flat = module.weight.detach().to(activations).flatten(1)
        bias = torch.zeros_like(flat[:, 0]) if module.bias is None else module.bias.detach().to(flat)
        if flat.shape[1] == k:
            found.append(Head("pooled", name, flat.view(outputs, k, 1, 1), bias))
        elif flat.shape[1] == k * h * w:
            found.append(Head("flat", name, flat.view(outputs, k, h, w), bias))
    if k == outputs:
        eye = torch.eye(k, dtype=activations.dtype, device=activations.device)
        found.append(Head("maps", "", eye.view(k, k, 1, 1), torch.zeros_like(eye[0])))
    yield from found
    if found and activations.amin() < 0:
        yield from (Head(head.kind, head.name, head.weights, head.bias, rectified=True) for head in found)


def _why_not(model: nn.Module, layer: str, activations: Tensor, outputs: int, others: str) -> str:
    weighted = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear) or _is_conv(m)}
    last = ", ".join(f"'{name}' {_sizes(module)}" for name, module in list(weighted.items())[-2:]) or "none"
    maps = [n for n, m in weighted.items() if _is_conv(m) and m.kernel_size == (1, 1) and m.out_channels == outputs]
    hint = f", or the layer behind the class maps of {maps[-1]!r}" if maps else ""
    return (
        "CAM is exact only with global average pooling + linear, flatten + linear, or 1x1 convolution + pooling right "
        f"above the layer; at {layer!r} {tuple(activations.shape)} no such head gives the model's {outputs} logits "
        f"(its last weights: {last}). Methods that work with any head: {others}. For CAM, name the layer right below "
        f"such a head{hint}"
    )


def _is_conv(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == 1


def wide(tensor: Tensor) -> Tensor:
    """Return float32, or float64 where it is that already: what maps are computed in."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _tolerance(activations: Tensor, logits: Tensor) -> float:
    """Relative error allowed: rounding of float32; more where the model rounds more (half precision, TF32 on GPUs)."""
    if min(torch.finfo(t.dtype).bits for t in (activations, logits)) < 32:
        return 2e-2
    return 2e-3 if logits.is_cuda and logits.dtype == torch.float32 else 1e-4


def _sizes(module: nn.Module) -> str:
    weight = module.weight
    return f"{type(module).__name__}({weight[0].numel()} -> {weight.shape[0]})"
