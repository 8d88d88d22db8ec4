"""Training under a penalty on the map: the class's evidence is to lie on what a person would look at."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from studylib.training.module import Classifier
from studylib.training.spec import FitSpec

EPSILON = 1e-6


class GuidedClassifier(Classifier):
    """A pooled classifier with a linear head, whose loss has `guide` times the mean share of the true class's positive
    CAM outside a mask. The third of a training batch: masks, (N, S, S) of 0 and 1; validation sees the loss alone.

    Raises ValueError for a network without such a head, and where pictures are moved and their masks are not. Source:
    Ross, Hughes, Doshi-Velez (2017), eq. 1: right for the right reasons, their input gradient replaced by CAM, which
    such a head makes exact.
    """

    def __init__(self, network: nn.Module, spec: FitSpec) -> None:
        super().__init__(network, spec)
        if not isinstance(self._parts()[2], nn.Linear):
            raise ValueError(
                f"{spec.title}: guide = {spec.guide:g} needs global pooling and one linear layer behind it"
            )
        if spec.augment:
            raise ValueError(f"{spec.title}: guide and augment exclude each other, masks are not moved with pictures")

    def _parts(self) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], nn.Module]:
        """What makes the maps, what makes logits of them, and the head: of a whole network, or of its trained part."""
        whole = self.network
        if isinstance(whole, nn.Sequential):
            return whole[0], whole[1:], whole[-1]
        return (
            lambda images: whole.upper(whole.features(images)),
            lambda maps: whole.fc(whole.flatten(whole.pool(maps))),
            whole.fc,
        )

    def judged(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        maps_of, logits_of, head = self._parts()
        maps = maps_of(batch[0])
        logits = logits_of(maps)
        loss = self.loss(logits, batch[1])
        if len(batch) == 3:
            loss = loss + self.spec.guide * outside(maps, head.weight, batch[1], batch[2]).mean()
        return logits, loss


def outside(features: Tensor, weight: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """Return the share of each image's positive CAM of its class that lies outside its mask, (N,); 0 where nothing is
    positive. features: (N, C, h, w); weight: (classes or 1, C), one row standing for the second of two classes;
    targets: (N,); masks: (N, S, S) of 0 and 1, whose share of every place of the map counts as inside.
    """
    rows = weight[targets.long()] if len(weight) > 1 else weight * (2 * targets - 1)[:, None]
    cam = F.relu((rows[:, :, None, None] * features).sum(1))  # not einsum, which autocast would round to bf16
    inside = F.adaptive_avg_pool2d(masks[:, None].to(cam.dtype), cam.shape[1:])[:, 0]
    return (cam * (1 - inside)).sum((1, 2)) / (cam.sum((1, 2)) + EPSILON)
