"""Training on boxes with a class: the curve's figure, and what is kept of the boxes that were found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from studylib.models.detector import FOUND, Best
from studylib.training.examples import Examples
from studylib.training.module import Classifier, as_input

OVERLAP = 0.5  # from which a box counts as found, of the curve


class Detector(Classifier):
    """A detector under training. targets: (N, 5), label and box. The curve's "accuracy" is the share of images whose
    best box has the right class and an IoU of OVERLAP or more with the true one.
    """

    def judged(self, batch: tuple[Tensor, ...]) -> tuple[Best, Tensor]:
        labels, boxes = apart(batch[1])
        return self.network.judged(batch[0], labels, boxes)

    def right(self, logits: Best, targets: Tensor) -> float:
        labels, boxes = apart(targets)
        return int(((logits.label == labels) & (overlap(logits.box, boxes) >= OVERLAP)).sum())


def apart(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Labels (N,) int and boxes (N, 4) float of targets (N, 5)."""
    return targets[:, 0].long(), targets[:, 1:].float()


def overlap(found: Tensor, boxes: Tensor) -> Tensor:
    """IoU of boxes in pairs. found, boxes: (N, 4) -> (N,)"""
    return box_iou(found, boxes).diagonal()


@torch.inference_mode()
def found_boxes(network: nn.Module, examples: Examples, inputs: np.ndarray, batch_size: int = 64) -> pd.DataFrame:
    """The best box of every image that has a part: image, group, part, label, target, its `score`, `left`, `top`,
    `right`, `bottom` in pixels, its `iou` with the true box, whether it is `detected` (score of FOUND or more), and
    a column `p_<class>` each.

    p: each class's best score over the sum of all, so that the largest names the class of the best box; where nothing
    is detected the share of the class among training targets, so that the commonest class is named.
    """
    rows, scores, kept = examples.parted(), [], []
    for i in range(0, len(rows), batch_size):
        some = rows[i : i + batch_size]
        images = as_input(inputs[some])
        scores.append(network(images).double().sigmoid())
        best = network.best(images)
        true = torch.as_tensor(examples.boxes[some]).float()
        kept.append(torch.cat([best.score[:, None], best.box, overlap(best.box, true)[:, None]], 1))
    score = torch.cat(scores)
    p = (score / score.sum(1, keepdim=True)).numpy()
    found = torch.cat(kept).double().numpy()
    shares = np.bincount(examples.targets[examples.rows("train")], minlength=len(examples.classes))
    detected = found[:, 0] >= FOUND
    p[~detected] = shares / shares.sum()
    columns = dict(zip(("score", "left", "top", "right", "bottom", "iou"), found.T, strict=True))
    told = {f"p_{name}": p[:, i] for i, name in enumerate(examples.classes)}
    return pd.DataFrame(examples.columns(rows) | columns | {"detected": detected.astype(int)} | told)
