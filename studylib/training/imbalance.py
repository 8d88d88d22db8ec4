"""Training on classes of unequal size: a loss that weighs or shifts them, or batches that hold them alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studylib.training.module import Classifier, EpochOrder, predicted
from studylib.training.spec import FitSpec

GAMMA = 2.0  # of the focal loss, Lin (2017), table 1b


class BalancedOrder(EpochOrder):
    """As many draws as images, with replacement, every class as likely; from the epoch alone, as its base."""

    def __init__(self, targets: np.ndarray, seed: int) -> None:
        super().__init__(len(targets), seed)
        self.chances = torch.as_tensor(1 / np.bincount(targets)[targets])

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        return iter(torch.multinomial(self.chances, self.n, replacement=True, generator=generator).tolist())


class BalancedClassifier(Classifier):
    """A classifier whose loss is `balanced_loss` of the kind that the spec names, and whose epoch is chosen by balanced
    accuracy: by accuracy the one would be kept that ignores rare classes. counts: training images a class.
    """

    def __init__(self, network: nn.Module, spec: FitSpec, counts: Sequence[int]) -> None:
        super().__init__(network, spec)
        self.counts = torch.as_tensor(counts, dtype=torch.float32)
        self._said: list[tuple[Tensor, Tensor]] = []  # of validation images: what they are, whether that was said

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return balanced_loss(self.spec.balance, logits, targets, self.counts.to(logits.device))

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self._said = []

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        logits = self._step(batch, "validation")[1]
        self._said.append((batch[1].long().cpu(), (predicted(logits) == batch[1]).float().cpu()))

    def kept_by(self, row: dict[str, float]) -> float:
        targets, right = (torch.cat(each) for each in zip(*self._said, strict=True))
        of_each = torch.bincount(targets)
        recalls = torch.bincount(targets, right)[of_each > 0] / of_each[of_each > 0]
        row["validation_balanced_accuracy"] = float(recalls.mean())
        return row["validation_balanced_accuracy"]


def balanced_loss(kind: str, logits: Tensor, targets: Tensor, counts: Tensor) -> Tensor:
    """Cross entropy for classes of unequal size. logits: (N, C), or (N, 1) of the second of two classes; targets: (N,);
    counts: (C,) training images of each -> scalar.

    kind: "weighted", each image by n / (C n_c), mean over the weights; "focal", each by (1 - p)^2 of its own class
    (Lin 2017, eq. 4, without alpha); "adjusted", logits plus the logarithm of each class's share while training
    (Menon 2021, eq. 10, tau = 1), where a class without images is left as it is; "sampler", plain: the batches are
    what differs.
    """
    z = logits.float()
    z = torch.cat([torch.zeros_like(z), z], 1) if z.shape[1] == 1 else z
    targets = targets.long()
    if len(counts) < z.shape[1]:  # an output that no image has
        counts = F.pad(counts, (0, z.shape[1] - len(counts)))
    if kind == "weighted":
        weight = torch.where(counts > 0, counts.sum() / ((counts > 0).sum() * counts.clamp_min(1)), 0.0)
        return F.cross_entropy(z, targets, weight=weight)
    if kind == "focal":
        each = F.cross_entropy(z, targets, reduction="none")
        return ((1 - torch.exp(-each)) ** GAMMA * each).mean()
    if kind == "adjusted":
        prior = (counts / counts.sum()).clamp_min(1e-12).log()
        return F.cross_entropy(z + torch.where(counts > 0, prior, 0.0), targets)
    return F.cross_entropy(z, targets)
