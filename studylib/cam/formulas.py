"""The maps as formulas: pure functions of activations, gradients and head weights, and the table that names them.

A formula names what it needs by its parameters, and `explain` hands it those quantities for one layer and one target:

    activations  A    (N, K, h, w), the layer's output
    gradients    g    (N, K, h, w), dS/dA of the explained score S (a logit; minus it for side 0 of one-logit heads)
    features     f    (N, K, h, w), what the head sees: A, or relu(A) where the model has a ReLU without a module
    weights      w    (N, K, 1, 1), or (N, K, h, w) for flatten heads, the head's weights for the target

and it returns (N, h, w), signed, before ReLU and scaling. A new map is one function here and one line in METHODS.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

QUANTITIES = frozenset({"activations", "gradients", "features", "weights"})


def cam(features: Tensor, weights: Tensor) -> Tensor:
    """Class activation map, `sum_k w_k f_k(x, y)`, flatten heads with `w_k(x, y)` (Zhou 2016, eq. 2). -> (N, h, w)."""
    return (weights * features).sum(1)


def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM before its ReLU, `sum_k a_k A_k`, `a_k = mean_xy g_k` (Selvaraju 2017, eq. 1 and 2). -> (N, h, w)."""
    return (gradients.mean((2, 3), keepdim=True) * activations).sum(1)


def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """HiResCAM, `sum_k g_k(x, y) A_k(x, y)` (Draelos and Carin 2020, eq. 4). -> (N, h, w)."""
    return (gradients * activations).sum(1)


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
        return not {"features", "weights"}.isdisjoint(self.needs)

    @property
    def needs_gradients(self) -> bool:
        """True where the map needs the backward pass."""
        return "gradients" in self.needs


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("cam", cam, "CAM"),
        Method("gradcam", gradcam, "Grad-CAM"),
        Method("hirescam", hirescam, "HiResCAM"),
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
