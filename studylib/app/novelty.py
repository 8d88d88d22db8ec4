"""Whether a picture is unlike those that a network was trained on, by its distance to the nearest of them.

A network names a class for anything: a cat on the beach is a kind of cell to it. Two descriptions of a picture are
measured, since each is blind where the other sees: how it looks (brightness, colour, detail, coarse layout), whatever
the network; and what the network's head sees of it (its pooled features).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from studylib.study.mapping import as_images
from studylib.study.sharpness import laplacian_variance

NEIGHBOURS = 5  # so that one odd training picture vouches for nobody
QUANTILE = 0.99  # of validation pictures that are called like the training pictures
GRID = 4  # places a side of the coarse layout
TINY = 1e-6  # of a column's own size: a column that training pictures share is scaled by no less


@dataclass(frozen=True, eq=False)
class Familiarity:
    """Training pictures as points (n, d), each column in its own standard deviations, and the limit of the distance.

    limit: the 99 % quantile of what validation pictures have: of a hundred pictures of the same kind about one is
    called unlike. n, held: how many pictures of training and validation it rests on.
    """

    points: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    limit: float
    held: int

    @property
    def n(self) -> int:
        return len(self.points)

    def distances(self, rows: np.ndarray) -> np.ndarray:
        """Mean distance to the five nearest training pictures, in standard deviations a column, (m,). rows: (m, d)"""
        x = (np.asarray(rows, float) - self.centre) / self.scale
        squares = (x**2).sum(1)[:, None] + (self.points**2).sum(1)[None] - 2 * x @ self.points.T
        nearest = np.sort(np.sqrt(np.clip(squares, 0, None)), axis=1)[:, : min(NEIGHBOURS, self.n)]
        return nearest.mean(1) / np.sqrt(x.shape[1])

    def unlike(self, row: np.ndarray) -> bool:
        """Whether one picture (d,) is farther from the training pictures than nearly all validation pictures are."""
        return bool(self.distances(row[None])[0] > self.limit)


def fit_familiarity(train: np.ndarray, validation: np.ndarray) -> Familiarity:
    """Measure what is familiar: distances to the nearest training pictures (Ramaswamy 2000; of features, Sun 2022).

    train (n, d), validation (m, d): a description of every picture, validation pictures of groups that training has
    none of. Raises ValueError where one of them is empty or columns disagree.
    """
    train, validation = np.asarray(train, float), np.asarray(validation, float)
    if not len(train) or not len(validation) or train.shape[1] != validation.shape[1]:
        raise ValueError(
            f"training pictures are {train.shape}, validation pictures {validation.shape}; expected (n, d) and (m, d), "
            "one or more of each"
        )
    centre, scale = train.mean(0), train.std(0)
    scale = np.maximum(scale, TINY * np.maximum(np.abs(centre), 1))
    made = Familiarity((train - centre) / scale, centre, scale, np.inf, len(validation))
    limit = float(np.quantile(made.distances(validation), QUANTILE))
    return Familiarity(made.points, centre, scale, limit, len(validation))


def appearance(pixels: np.ndarray) -> np.ndarray:
    """How pictures look, (N, d): by channel mean, spread and the 5th, 50th and 95th percentile; mean difference of
    channels (colourfulness); logarithm of the Laplacian's variance (detail); brightness on 4 x 4 places (layout).
    pixels: uint8 (N, S, S) or (N, S, S, 3)
    """
    colour = pixels.ndim == 4
    values = pixels.reshape(len(pixels), -1, 3 if colour else 1) / 255.0
    shares = np.percentile(values, (5, 50, 95), axis=1).transpose(1, 0, 2).reshape(len(pixels), -1)
    spread = (values.max(2) - values.min(2)).mean(1, keepdims=True)
    detail = np.log10(laplacian_variance(pixels) + 1e-8)[:, None]
    grey = pixels.mean(-1) if colour else pixels
    layout = [cv2.resize(np.float32(g), (GRID, GRID), interpolation=cv2.INTER_AREA).ravel() / 255 for g in grey]
    return np.column_stack([values.mean(1), values.std(1), shares, spread, detail, np.stack(layout)])


@torch.inference_mode()
def pooled_features(model: torch.nn.Module, layer: str, pixels: np.ndarray, batch: int = 64) -> np.ndarray:
    """Mean over places of what a layer gives, each picture's to length 1, (N, K): only its direction counts, as
    Sun 2022 finds best. pixels: uint8 (N, S, S[, 3])
    """
    kept: list[torch.Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _, __, out: kept.append(out.mean((2, 3))))
    try:
        for i in range(0, len(pixels), batch):
            model(as_images(pixels[i : i + batch]))
    finally:
        hook.remove()
    return torch.nn.functional.normalize(torch.cat(kept).float(), dim=1).numpy()
