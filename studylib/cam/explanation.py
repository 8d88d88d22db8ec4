"""`Explanation`: the maps of one batch, what they explain, which have no meaning and why, and the way to pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from studylib.cam.formulas import METHODS, nearest

SCALES = ("max", "minmax", None)


@dataclass(repr=False)
class Explanation:
    """Maps by method and layer, (N, h, w), or (N, classes, h, w) for target "all"; signed, before ReLU and scaling.

    e[method] is the map at the last layer that ran, e[method, layer] at any. logits: (N, classes); target: (N,), or
    (N, classes) for "all"; layers: in the order in which they ran; size: (H, W) of the images; undefined: (method,
    layer) -> for each image why its map has no meaning ("NaN", "infinite", "flat", "all-negative", for Grad-CAM++ also
    "signed activations") or None; refused: (method, layer) -> why there is no map there; said: what `upsampled` did
    last.
    """

    maps: dict[tuple[str, str], Tensor]
    logits: Tensor
    target: Tensor
    layers: tuple[str, ...]
    methods: tuple[str, ...]
    size: tuple[int, int]
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    signed: dict[str, list[bool]] = field(default_factory=dict)  # layer -> whether an image's activations are
    undefined: dict[tuple[str, str], list] = field(init=False)
    said: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.undefined = {key: why_undefined(m) for key, m in self.maps.items()}
        for (method, layer), reasons in self.undefined.items():
            if method == "gradcam++":
                found = zip(reasons, self.signed.get(layer, [False] * len(reasons)), strict=True)
                self.undefined[method, layer] = [
                    _why_signed(reason) if is_signed else reason for reason, is_signed in found
                ]

    def __getitem__(self, key: str | tuple[str, str]) -> Tensor:
        return self.maps[self._key(*([key] if isinstance(key, str) else key))]

    def __repr__(self) -> str:
        maps = "; ".join(
            f"{m} at {x} {tuple(v.shape)}, {self._lost(m, x)} undefined" for (m, x), v in self.maps.items()
        )
        return f"Explanation({len(self.logits)} images of {self.size[0]} x {self.size[1]}: {maps})"

    def _lost(self, method: str, layer: str) -> int:
        return sum(reason is not None for reason in _each(self.undefined[method, layer]))

    def __contains__(self, key: object) -> bool:
        return key in self.maps or any(key == method for method, _ in self.maps)

    def upsampled(
        self,
        method: str,
        layer: str | None = None,
        size: int | tuple[int, int] | None = None,
        relu: bool = True,
        scale: str | None = "max",
    ) -> Tensor:
        """Maps at the images' size: ReLU, bilinear upsampling (align_corners=False), scaling; `said` states it.

        size: (H, W) or one side; None: the images' own. scale: "max" divides each map by its largest absolute value,
        "minmax" takes it to [0, 1], None keeps its units. Returns (N, H, W) or (N, classes, H, W), NaN for maps without
        a meaning (all-negative ones only with relu). Raises ValueError for an unknown scale, KeyError for a map that is
        not there.
        """
        if scale not in SCALES:
            known = "'max', 'minmax' or None"
            raise ValueError(f"scale {scale!r} is not known: {known}{nearest(str(scale), SCALES[:2])}")
        key = self._key(method, layer)
        native = self.maps[key]
        size = self.size if size is None else (size, size) if isinstance(size, int) else tuple(size)
        out = resize((native.relu() if relu else native).flatten(0, -3), size)
        low, high = out.amin((1, 2), keepdim=True), out.amax((1, 2), keepdim=True)
        if scale == "max":
            out = out / torch.maximum(high, -low)
        elif scale == "minmax":
            out = (out - low) / (high - low)
        lost = [r if relu or r != "all-negative" else None for r in _each(self.undefined[key])]
        gone = torch.tensor([r is not None for r in lost], device=out.device)
        self.said = f"{METHODS[method].title} at {key[1]}: " + self._steps(native.shape[-2:], size, relu, scale, lost)
        return out.masked_fill(gone[:, None, None], torch.nan).unflatten(0, native.shape[:-2])

    def _key(self, method: str, layer: str | None = None) -> tuple[str, str]:
        if method not in self.methods:
            asked = ", ".join(self.methods)
            raise KeyError(f"{method!r} was not asked for (asked: {asked}){nearest(str(method), self.methods)}")
        if layer is None:
            layer = [name for name in self.layers if (method, name) in self.maps][-1]
        if layer not in self.layers:
            asked = ", ".join(self.layers)
            raise KeyError(f"the layer {layer!r} was not asked for (asked: {asked}){nearest(str(layer), self.layers)}")
        if (method, layer) in self.refused:
            raise KeyError(self.refused[method, layer])
        return method, layer

    @staticmethod
    def _steps(grid, size: tuple[int, int], relu: bool, scale: str | None, lost: list) -> str:
        largest = "its maximum" if relu else "its largest absolute value"
        steps = [
            "ReLU" if relu else "signed",
            f"bilinear upsampling {grid[0]} x {grid[1]} to {size[0]} x {size[1]} (align_corners=False)",
            {"max": f"divided by {largest}", "minmax": "minimum to maximum scaled to [0, 1]", None: "not scaled"}[
                scale
            ],
        ]
        reasons = [r for r in lost if r is not None]
        counts = ", ".join(f"{reasons.count(r)} {r}" for r in dict.fromkeys(reasons))
        return ", then ".join(steps) + (f"; {len(reasons)} of {len(lost)} undefined ({counts})" if reasons else "")


def joined(parts: list[Explanation]) -> Explanation:
    """Explanations of parts of a batch as one, images in order; a map that one part has not is refused for all."""
    first = parts[0]
    refused = {key: why for part in reversed(parts) for key, why in part.refused.items()}
    return Explanation(
        maps={key: torch.cat([part.maps[key] for part in parts]) for key in first.maps if key not in refused},
        logits=torch.cat([part.logits for part in parts]),
        target=torch.cat([part.target for part in parts]),
        layers=first.layers,
        methods=first.methods,
        size=first.size,
        refused=refused,
        signed={layer: [s for part in parts for s in part.signed[layer]] for layer in first.layers},
    )


def resize(maps: Tensor, size: tuple[int, int], interpolation: str = "bilinear") -> Tensor:
    """Resize maps with the edges of the outer pixels aligned (align_corners=False). (N, h, w) -> (N, H, W)."""
    corners = None if interpolation.startswith("nearest") else False
    return F.interpolate(maps[:, None], size=size, mode=interpolation, align_corners=corners)[:, 0]


def why_undefined(maps: Tensor) -> list:
    """Say why each map has no meaning: "NaN", "infinite", "flat", "all-negative" (ReLU leaves nothing), or None.

    maps: (N, h, w) -> N reasons; (N, classes, h, w) -> N lists. Flat: a range within rounding of the largest value.
    """
    if maps.ndim > 3:
        return [why_undefined(m) for m in maps]
    flat = maps.flatten(1)
    high, low = flat.amax(1), flat.amin(1)
    level = (high - low) <= 8 * torch.finfo(maps.dtype).eps * torch.maximum(high.abs(), low.abs())
    checks = {"NaN": flat.isnan().any(1), "infinite": flat.isinf().any(1), "flat": level, "all-negative": high <= 0}
    hits = torch.stack(list(checks.values()), 1).tolist()
    return [next((reason for reason, hit in zip(checks, row, strict=True) if hit), None) for row in hits]


def _why_signed(reason):
    """Grad-CAM++ divides by what may vanish where activations are signed; one reason, or one for each class."""
    return [_why_signed(r) for r in reason] if isinstance(reason, list) else "signed activations"


def _each(reasons: list) -> list:
    return [r for row in reasons for r in row] if reasons and isinstance(reasons[0], list) else reasons
