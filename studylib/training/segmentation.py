"""Training on masks instead of labels: loss, the curve's figure, and what is kept of the outlines that were found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studylib.training.examples import Examples
from studylib.training.module import Classifier, as_input


class Segmenter(Classifier):
    """A network that segments under training; the curve's "accuracy" is the mean Dice of images at probability 1/2."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return outline_loss(logits, targets)

    def right(self, logits: Tensor, targets: Tensor) -> float:
        return float(dice(logits[:, 0] > 0, targets > 0).sum())


def outline_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross entropy plus one minus the soft Dice of each image (Milletari 2016, eq. 3, without squares): the
    first has a gradient everywhere, the second does not drown a small object in the background. logits: (N, 1, S, S);
    masks: (N, S, S) of 0 and 1 -> scalar.
    """
    logits, masks = logits[:, 0].float(), masks.to(torch.float32)
    p = torch.sigmoid(logits)
    overlap, total = (p * masks).sum((1, 2)), p.sum((1, 2)) + masks.sum((1, 2))
    return F.binary_cross_entropy_with_logits(logits, masks) + (1 - (2 * overlap + 1) / (total + 1)).mean()


def dice(found: Tensor, masks: Tensor) -> Tensor:
    """Twice the intersection over the sum of areas, (N,); 1 where both are empty. found, masks: (N, S, S) bool."""
    overlap, total = (found & masks).sum((1, 2)), found.sum((1, 2)) + masks.sum((1, 2))
    return torch.where(total == 0, 1.0, 2 * overlap / total.clamp_min(1))


@torch.inference_mode()
def found_outlines(network: nn.Module, examples: Examples, inputs: np.ndarray, batch_size: int = 64) -> pd.DataFrame:
    """How every image that has a part was outlined: image, group, part, label, target, `dice` and the found `area` as a
    share of the image, both at probability 1/2.
    """
    rows, kept = examples.parted(), {"dice": [], "area": []}
    for i in range(0, len(rows), batch_size):
        some = rows[i : i + batch_size]
        found = network(as_input(inputs[some]))[:, 0] > 0
        kept["dice"].append(dice(found, torch.as_tensor(np.asarray(examples.masks[some])) > 0))
        kept["area"].append(found.float().mean((1, 2)))
    return pd.DataFrame(examples.columns(rows) | {name: torch.cat(parts).numpy() for name, parts in kept.items()})
