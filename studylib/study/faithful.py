"""Deletion and insertion of every map and floor, for the class that a network said: areas, a row a cell and network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from studylib.cam import prepare
from studylib.metrics import floors
from studylib.metrics.faithfulness import deletion_and_insertion
from studylib.metrics.intervals import Estimate, difference_by
from studylib.study.fits import Fits
from studylib.study.mapping import BATCH, as_images
from studylib.study.segmenting import Seen, explained, first, firsts, large, seen_by, told
from studylib.study.train import Workshop

FLOORS = ("random", "centre", "sobel", "darkest")
CURVES = ("deletion", "insertion")


def curves(seen: Seen, methods: Sequence[str], steps: int) -> pd.DataFrame:
    """Areas under both curves of a network's images, blurred baseline, blocks of 1/14 of the side: columns curve, and
    one for each method and floor.
    """
    model, images = prepare(seen.trained.fit.model()), as_images(seen.pixels)
    e = explained(seen, methods)
    said, side = e.target, images.shape[-1]
    orders = {method: large(e, method, side) for method in methods}
    orders |= floor_orders(seen.pixels, seen.trained.run.seed)

    @torch.inference_mode()
    def probability(part: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return model(part).softmax(1).gather(1, said[rows, None])[:, 0]

    found = areas(probability, images, orders, steps)
    row = told(seen, e) | {"repeat": seen.trained.run.repeat}
    return pd.concat([pd.DataFrame(row | {"curve": kind} | found[kind]) for kind in CURVES], ignore_index=True)


def floor_orders(pixels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Orders of removal that no network made. pixels: uint8 (N, S, S[, 3]) -> {floor: (N, S, S)}."""
    shape = pixels.shape[:3]
    return {
        "random": floors.uniform_random(shape, seed),
        "centre": floors.centred_gaussian(shape),
        "sobel": floors.sobel(pixels),
        "darkest": floors.darkest(pixels),
    }


def areas(
    probability: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    orders: Mapping[str, np.ndarray],
    steps: int,
) -> dict[str, dict[str, np.ndarray]]:
    """Area under the deletion and the insertion curve for every order: {curve: {name: (N,)}}. Orders that are one map
    up to a factor are measured once.
    """
    made: dict[str, tuple] = {}
    for name, order in orders.items():
        same = next((other for other in made if _one_map(orders[other], order)), None)  # Grad-CAM is often CAM, scaled
        made[name] = made[same] if same else deletion_and_insertion(
            probability, images, order, steps=steps, batch_size=BATCH
        )  # fmt: skip
    return {kind: {name: pair[place].area for name, pair in made.items()} for place, kind in enumerate(CURVES)}


def _one_map(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two sets of maps differ by a positive factor alone, so that their orders are one."""
    scaled = [m / np.abs(m).max((1, 2), keepdims=True).clip(1e-30) for m in (a, b)]
    return bool(np.isfinite(a).all() and np.isfinite(b).all() and np.abs(scaled[0] - scaled[1]).max() < 1e-5)


def curve_table(
    workshop: Workshop, fits: Fits, arm: str, methods: Sequence[str], most: int, steps: int
) -> pd.DataFrame:
    """`curves` of the first network of each fold, at most so many images in all, evenly over networks and names."""
    networks = firsts(fits, arm)
    each = max(2, most // len(networks))
    return pd.concat([curves(first(seen_by(workshop, t), each), methods, steps) for t in networks], ignore_index=True)


def against_floors(table: pd.DataFrame, methods: Sequence[str], **how) -> dict[str, Estimate]:
    """Area of every map minus that of every floor, both curves, paired by image."""
    found = {}
    for kind in CURVES:
        rows = table[table["curve"] == kind]
        for method in methods:
            for floor in FLOORS:
                name = f"faith.{method.replace('++', 'pp')}_minus_{floor}.{kind}"
                text = f"area under {kind}, {method} minus {floor}, class said, paired by image"
                found[name] = difference_by(rows, method, floor, how=text, **how)
    return found


def between(table: pd.DataFrame, pairs: Sequence[tuple[str, str]], **how) -> dict[str, Estimate]:
    """Area of one map minus that of another, both curves, paired by image."""
    found = {}
    for kind in CURVES:
        rows = table[table["curve"] == kind]
        for a, b in pairs:
            name = f"faith.{a.replace('++', 'pp')}_minus_{b.replace('++', 'pp')}.{kind}"
            text = f"area under {kind}, {a} minus {b}, class said, paired by image"
            found[name] = difference_by(rows, a, b, how=text, **how)
    return found


def means(table: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Mean areas, a row a map or floor; deletion low and insertion high are better."""
    columns = [*methods, *FLOORS]
    found = {kind: table.loc[table["curve"] == kind, columns].mean() for kind in CURVES}
    return pd.DataFrame(found).rename_axis("map").assign(difference=lambda t: t["insertion"] - t["deletion"])
