"""Maps of one network over layers as the page shows them, and what layers do to Grad-CAM's formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from studylib.cam import explain
from studylib.metrics import floors
from studylib.metrics.intervals import Estimate, exact
from studylib.metrics.sanity import similarity
from studylib.study.figures_01 import TITLES
from studylib.study.mapping import BATCH, as_images, random_network
from studylib.study.maps_05 import METHODS
from studylib.study.segmenting import LAYER, Seen, explained, large


class Shown(NamedTuple):
    """What a panel shows: pixels uint8 (N, S, S, 3), masks bool (N, S, S), maps by title (N, S, S), signed."""

    pixels: np.ndarray
    masks: np.ndarray
    maps: dict[str, np.ndarray]


def shown_maps(seen: Seen, layers: Mapping[str, str], rows: Sequence[int]) -> Shown:
    """Every method at every layer for some images, beside random weights and darkness; layers: name -> place."""
    keep = np.zeros(len(seen.pixels), bool)
    keep[list(rows)] = True
    some = seen.where(keep)
    e = explained(some, METHODS, tuple(layers.values()))
    maps = {
        f"{TITLES[method]} {name}": large(e, method, some.side, place)
        for name, place in layers.items()
        for method in METHODS
    }
    random = explain(random_network(seen.trained), as_images(some.pixels), "cam", e.target, LAYER, batch_size=BATCH)
    maps["random weights"] = large(random, "cam", some.side)
    maps["darkest"] = floors.darkest(some.pictures.pixels)
    order = np.argsort(np.argsort(list(rows)))  # back to the order that was asked for
    return Shown(some.pictures.pixels[order], some.pictures.masks[order], {k: m[order] for k, m in maps.items()})


def of_layers(seen: Seen, layers: Mapping[str, str]) -> dict[str, Estimate]:
    """By layer: Spearman of Grad-CAM, which averages the gradient, with HiResCAM, which multiplies place by place; and
    how many pixels of the picture one place of the map stands for, a side.
    """
    e, found = explained(seen, ("gradcam", "hirescam"), tuple(layers.values())), {}
    for name, place in layers.items():
        alike = similarity(e["gradcam", place].numpy(), e["hirescam", place].numpy()).spearman
        found[f"identity.gradcam_is_hirescam.{name}.spearman"] = exact(
            float(np.nanmean(alike)), n=int(np.isfinite(alike).sum()), how=f"Spearman of Grad-CAM and HiResCAM, {name}"
        )
        side = seen.pixels.shape[1] / e["gradcam", place].shape[-1]
        found[f"resolution.{name}.pixels"] = exact(side, n=1, how=f"pixels a side that one place of {name} stands for")
    return found
