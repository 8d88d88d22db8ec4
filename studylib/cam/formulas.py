"""The maps as formulas: pure functions of activations, gradients and head weights, and the table that names them.

A formula names what it needs by its parameters, and `explain` hands it those quantities for one layer and one target:

    activations  A    (N, K, h, w), the layer's output
    gradients    g    (N, K, h, w), dS/dA of the explained score S (a logit; minus it for side 0 of one-logit heads)
    features     f    (N, K, h, w), what the head sees: A, or relu(A) where the model has a ReLU without a module
    weights      w    (N, K, 1, 1), or (N, K, h, w) for flatten heads, the head's weights for the target
    class_weights, logits, wanted    what CRM needs of all classes (see `crm`)
    masked, masked_lowres, masked_aligned    (N, K), S of the image times channel k as a mask (see `scorecam`)

and it returns (N, h, w), signed, before ReLU and scaling. A new map is one function here and one line in METHODS.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from studylib.cam.crm import crm, crm_mse, crm_mse_softmax, crm_softmax

MASKED = {"masked": "paper", "masked_lowres": "lowres", "masked_aligned": "aligned"}  # quantity -> how masks are made
QUANTITIES = frozenset(
    {"activations", "gradients", "features", "weights", "class_weights", "logits", "wanted", *MASKED}
)
SIGNED = -1e-6  # of the largest |A|: what lies below is no rounding error


def cam(features: Tensor, weights: Tensor) -> Tensor:
    """Class activation map, `sum_k w_k f_k(x, y)`, flatten heads with `w_k(x, y)` (Zhou 2016, eq. 2). -> (N, h, w)."""
    return weighted(weights, features) if weights.shape[2:] == (1, 1) else (weights * features).sum(1)


def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM before its ReLU, `sum_k a_k A_k`, `a_k = mean_xy g_k` (Selvaraju 2017, eq. 1 and 2). -> (N, h, w)."""
    return weighted(gradients.mean((2, 3)), activations)


def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """HiResCAM, `sum_k g_k(x, y) A_k(x, y)` (Draelos and Carin 2020, eq. 4). -> (N, h, w)."""
    return (gradients * activations).sum(1)


def gradcampp(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM++ before its ReLU, `sum_k w_k A_k` with `w_k = sum_xy alpha relu(g)` and, for the score exp(S),
    `alpha = g^2 / (2 g^2 + g^3 sum_ab A_k) = 1 / (2 + g sum_ab A_k)` (Chattopadhay 2018, eq. 19). -> (N, h, w).

    The higher derivatives are powers of g only where S is linear above the layer. Without an epsilon: where g > 0 the
    denominator is at least 2. For signed activations it may vanish, so such an image has NaN.
    """
    rising = gradients.clamp_min(0)
    mass = activations.sum((2, 3), keepdim=True)
    weights = (rising * mass).add_(2).reciprocal_().mul_(rising).sum((2, 3))  # one large tensor, not four
    made = weighted(weights, activations)
    return made.masked_fill(signed(activations)[:, None, None], torch.nan)


def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """LayerCAM before its ReLU, `sum_k relu(g_k(x, y)) A_k(x, y)` (Jiang 2021, eq. 5 and 6). -> (N, h, w)."""
    return gradients.clamp_min(0).mul_(activations).sum(1)


def xgradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """XGrad-CAM before its ReLU, `sum_k a_k A_k`, `a_k = sum_xy g_k A_k / sum_xy A_k` (Fu 2020, eq. 8). -> (N, h, w).

    A channel that sums to 0 has no such average and gets the weight 0: a dead channel adds nothing anyway.
    """
    mass = activations.sum((2, 3))
    weights = (gradients * activations).sum((2, 3)) / torch.where(mass == 0, 1, mass)
    return weighted(torch.where(mass == 0, 0, weights), activations)


def scorecam(activations: Tensor, masked: Tensor) -> Tensor:
    """Score-CAM before its ReLU, `sum_k softmax_k(S(X * H_k) - S(X_0)) A_k` (Wang 2020, eq. 5 and algorithm 1).
    -> (N, h, w).

    S(X_0), the score of a black image, is the same for every channel and leaves softmax as it is, so it is not run.
    Channels that do not vary (masked = -inf) have the weight 0.
    """
    weights = torch.where(masked.isneginf().all(1, keepdim=True), 0, masked.softmax(1))
    return weighted(weights.to(activations.dtype), activations)


def scorecam_lowres(activations: Tensor, masked_lowres: Tensor) -> Tensor:
    """`scorecam` with masks scaled to [0, 1] at the layer's own size, before upsampling. -> (N, h, w)."""
    return scorecam(activations, masked_lowres)


def scorecam_aligned(activations: Tensor, masked_aligned: Tensor) -> Tensor:
    """`scorecam` with masks upsampled with align_corners=True. -> (N, h, w)."""
    return scorecam(activations, masked_aligned)


def weighted(weights: Tensor, activations: Tensor) -> Tensor:
    """`sum_k w_k A_k` without a tensor of all products. weights: (N, K) or (N, K, 1, 1) -> (N, h, w)."""
    products = weights.flatten(1)[:, None] @ activations.flatten(2)
    return products.unflatten(2, activations.shape[2:])[:, 0]


def signed(activations: Tensor) -> Tensor:
    """Whether an image's activations go below zero by more than rounding, (N,) bool."""
    low, high = activations.amin((1, 2, 3)), activations.amax((1, 2, 3))
    return low < SIGNED * torch.maximum(high, -low)


@dataclass(frozen=True)
class Method:
    """A named map: its formula and what it is called in a caption."""

    name: str
    formula: Callable[..., Tensor]
    title: str

    @property
    def needs(self) -> tuple[str, ...]:
        """The quantities that the formula takes, by name."""
        return tuple(inspect.signature(self.formula).parameters)

    @property
    def needs_head(self) -> bool:
        """True where the map exists only for heads that are linear in the layer (see `heads`)."""
        return not {"features", "weights", "class_weights"}.isdisjoint(self.needs)

    @property
    def needs_masked(self) -> list[str]:
        """The quantities that take a forward pass a channel."""
        return [name for name in self.needs if name in MASKED]

    @property
    def needs_gradients(self) -> bool:
        """True where the map needs the backward pass."""
        return "gradients" in self.needs


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("cam", cam, "CAM"),
        Method("gradcam", gradcam, "Grad-CAM"),
        Method("gradcam++", gradcampp, "Grad-CAM++"),
        Method("hirescam", hirescam, "HiResCAM"),
        Method("layercam", layercam, "LayerCAM"),
        Method("xgradcam", xgradcam, "XGrad-CAM"),
        Method("scorecam", scorecam, "Score-CAM"),
        Method("scorecam_lowres", scorecam_lowres, "Score-CAM, masks scaled before upsampling"),
        Method("scorecam_aligned", scorecam_aligned, "Score-CAM, masks with aligned corners"),
        Method("crm", crm, "CRM"),
        Method("crm_mse", crm_mse, "CRM, squared error"),
        Method("crm_softmax", crm_softmax, "CRM of softmax"),
        Method("crm_mse_softmax", crm_mse_softmax, "CRM of softmax, squared error"),
    )
}


def find_methods(names: str | tuple[str, ...] | list[str]) -> list[Method]:
    """Look methods up by name, in the order given, each once; raises ValueError naming the nearest known one."""
    found: dict[str, Method] = {}
    for name in [names] if isinstance(names, str) else list(names):
        if name not in METHODS:
            raise ValueError(f"no method is called {name!r} (known: {', '.join(METHODS)}){nearest(str(name), METHODS)}")
        found[name] = METHODS[name]
    if not found:
        raise ValueError(f"no method was asked for: name at least one of {', '.join(METHODS)}")
    return list(found.values())


def nearest(name: str, known) -> str:
    """Return "; did you mean 'x'?" for the known name most like `name`, else nothing."""
    near = difflib.get_close_matches(name.lower(), [str(k) for k in known], n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""
