"""From a layer's output to maps on a grid: (N, K, h, w) as it is, channels last, or the tokens of a transformer.

Tokens come as (N, T, K): first those that stand for no place (the class token, registers), then the patches row by row.
The grid has the aspect of the image, which tells how many of T are patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, isqrt

from torch import Tensor

EXTRA = 16  # tokens without a place, at most: a class token and up to fifteen registers


@dataclass(frozen=True)
class Grid:
    """How one layer's output lies on the image: kind "channels first", "channels last" or "tokens"; height and width;
    `extra` tokens before the patches.
    """

    kind: str
    height: int
    width: int
    extra: int = 0

    def fold(self, output: Tensor) -> Tensor:
        """A view of the layer's output, or of its gradient, as (N, K, h, w)."""
        if self.kind == "tokens":
            return output[:, self.extra :].transpose(1, 2).unflatten(2, (self.height, self.width))
        return output.permute(0, 3, 1, 2) if self.kind == "channels last" else output


def grid_of_tokens(count: int, size: tuple[int, int]) -> Grid | None:
    """The grid of `count` tokens over an image of `size` (H, W), or None where no grid has the image's aspect."""
    step = gcd(*size)
    unit = (size[0] // step) * (size[1] // step)
    for extra in range(min(EXTRA, count - 1) + 1):
        times = isqrt((count - extra) // unit)
        if times and times**2 * unit == count - extra:
            return Grid("tokens", times * size[0] // step, times * size[1] // step, extra)
    return None
