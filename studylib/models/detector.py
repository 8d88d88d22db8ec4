"""A one-stage detector: RetinaNet (Lin 2017) on a feature pyramid, from torchvision's parts, one box an image."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import box_iou, clip_boxes_to_image

from studylib.models.pyramid import Backbone, backbone

SIZES = tuple(tuple(int(side * 2 ** (k / 3)) for k in range(3)) for side in (32, 64, 128, 256, 512))
RATIOS = ((0.5, 1.0, 2.0),) * len(SIZES)
FOUND = 0.05  # torchvision's RetinaNet keeps no box of a lower score


class Best(NamedTuple):
    """Of each image the box with the highest score: score (N,), label (N,) int, box (N, 4) left, top, right, bottom in
    pixels, inside the image.
    """

    score: Tensor
    label: Tensor
    box: Tensor


class PyramidDetector(nn.Module):
    """RetinaNet's head on P3 to P7. images: (N, 3, S, S) in [0, 1] -> logits (N, classes), of the best box of each
    class: the box of the highest score survives every suppression of overlapping ones, so it needs none.

    As torchvision's `retinanet_resnet50_fpn_v2`, generalised IoU as the loss of boxes, but for the head's convolutions:
    no group norm, which takes away how bright and how coarse an object is as a whole, and weights of He (2015) instead
    of a deviation of 0.01, with which the class is not learned within the few steps of a start from scratch here.
    """

    def __init__(self, made: Backbone, classes: int) -> None:
        super().__init__()
        mean, std = made.shift
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.upper, self.weights_from = made.upper, made.weights_from
        self.anchors = AnchorGenerator(SIZES, RATIOS)
        channels, each = made.upper.channels, self.anchors.num_anchors_per_location()[0]
        self.head = RetinaNetHead(channels, each, classes)
        self.head.regression_head._loss_type = "giou"
        for part in (self.head.classification_head, self.head.regression_head):
            for block in part.conv:
                nn.init.kaiming_normal_(block[0].weight, nonlinearity="relu")
        self.matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)

    def _read(self, images: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        """What the head says of every anchor, and the anchors."""
        levels = list(self.upper.pyramid((images - self.mean) / self.std).values())
        sizes = [tuple(images.shape[-2:])] * len(images)
        return self.head(levels), self.anchors(ImageList(images, sizes), levels)

    def forward(self, images: Tensor) -> Tensor:
        return self._read(images)[0]["cls_logits"].amax(1)

    def judged(self, images: Tensor, labels: Tensor, boxes: Tensor) -> tuple[Best, Tensor]:
        """Best boxes and the loss: focal loss of classes and generalised IoU of boxes. labels: (N,); boxes: (N, 4)."""
        said, anchors = self._read(images)
        told = [{"labels": label[None], "boxes": box[None]} for label, box in zip(labels, boxes, strict=True)]
        matched = [self.matcher(box_iou(each["boxes"], a)) for each, a in zip(told, anchors, strict=True)]
        losses = self.head.compute_loss(told, {k: v.float() for k, v in said.items()}, anchors, matched)
        return self._best(said, anchors, images.shape[-2:]), sum(losses.values())

    @torch.no_grad()
    def best(self, images: Tensor) -> Best:
        """The box with the highest score in each image, whatever its score; below FOUND a detector shows none."""
        return self._best(*self._read(images), images.shape[-2:])

    @torch.no_grad()
    def _best(self, said: dict[str, Tensor], anchors: list[Tensor], size: torch.Size) -> Best:
        logits = said["cls_logits"].float()
        score, at = logits.flatten(1).max(1)
        anchor, label = at // logits.shape[2], at % logits.shape[2]
        rows = torch.arange(len(anchor), device=anchor.device)
        chosen = torch.stack([a[i] for a, i in zip(anchors, anchor, strict=True)])
        moved = said["bbox_regression"].float()[rows, anchor]
        box = self.head.regression_head.box_coder.decode_single(moved, chosen)
        return Best(score.sigmoid(), label, clip_boxes_to_image(box, tuple(size)))


def detector(
    architecture: str = "small", image_size: int = 192, channels: int = 32, classes: int = 2, pretrained: bool = False
) -> PyramidDetector:
    """A detector of one object an image, trained whole, in one of so many classes. ValueError as `pyramid`'s."""
    if pretrained:
        raise ValueError("a detector is trained whole: no stage is frozen, so pretrained must be false")
    return PyramidDetector(backbone(architecture, channels, image_size, pretrained=False), classes)
