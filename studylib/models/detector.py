"""A one-stage detector: RetinaNet (Lin 2017) on a feature pyramid, from torchvision's parts, one box an image."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import box_iou, clip_boxes_to_image, generalized_box_iou_loss, sigmoid_focal_loss

from studylib.models.pyramid import Backbone, backbone

SIZES = tuple(tuple(int(side * 2 ** (k / 3)) for k in range(3)) for side in (32, 64, 128, 256, 512))
RATIOS = ((0.5, 1.0, 2.0),) * len(SIZES)
FOUND = 0.05  # torchvision's RetinaNet keeps no box of a lower score
OBJECT, BACKGROUND = 0.5, 0.4  # IoU of an anchor with the box, from which it is the object, below which it is not


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

    def _read(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """What the head says of every anchor, and the anchors, (A, 4), the same for every image."""
        levels = list(self.upper.pyramid((images - self.mean) / self.std).values())
        return self.head(levels), self.anchors(ImageList(images, [tuple(images.shape[-2:])]), levels)[0]

    def forward(self, images: Tensor) -> Tensor:
        return self._read(images)[0]["cls_logits"].amax(1)

    def judged(self, images: Tensor, labels: Tensor, boxes: Tensor) -> tuple[Best, Tensor]:
        """Best boxes and the loss: focal loss of classes and generalised IoU of boxes, as torchvision's RetinaNet has
        it, which goes through images one by one; with one box each a batch takes one go. labels: (N,); boxes: (N, 4).
        """
        said, anchors = self._read(images)
        near = box_iou(boxes, anchors)
        front = (near >= OBJECT) | (near == near.amax(1, keepdim=True))  # the best anchor counts however far it is
        unsure = (near >= BACKGROUND) & ~front
        count = front.sum(1)
        logits, moved = (said[name].float() for name in ("cls_logits", "bbox_regression"))
        wanted = front[:, :, None] * torch.nn.functional.one_hot(labels, logits.shape[2])[:, None]
        focal = sigmoid_focal_loss(logits, wanted.to(logits.dtype)).sum(2) * ~unsure
        row, anchor = front.nonzero(as_tuple=True)
        found = self.head.regression_head.box_coder.decode_single(moved[row, anchor], anchors[anchor])
        apart = generalized_box_iou_loss(found, boxes[row]) / count[row]
        loss = (focal.sum(1) / count).mean() + apart.sum() / len(images)
        return self._best(said, anchors, images.shape[-2:]), loss

    @torch.no_grad()
    def best(self, images: Tensor) -> Best:
        """The box with the highest score in each image, whatever its score; below FOUND a detector shows none."""
        return self._best(*self._read(images), images.shape[-2:])

    @torch.no_grad()
    def _best(self, said: dict[str, Tensor], anchors: Tensor, size: torch.Size) -> Best:
        logits = said["cls_logits"].float()
        score, at = logits.flatten(1).max(1)
        anchor, label = at // logits.shape[2], at % logits.shape[2]
        rows = torch.arange(len(anchor), device=anchor.device)
        moved = said["bbox_regression"].float()[rows, anchor]
        box = self.head.regression_head.box_coder.decode_single(moved, anchors[anchor])
        return Best(score.sigmoid(), label, clip_boxes_to_image(box, tuple(size)))


def detector(
    architecture: str = "small", image_size: int = 192, channels: int = 32, classes: int = 2, pretrained: bool = False
) -> PyramidDetector:
    """A detector of one object an image, trained whole, in one of so many classes. ValueError as `pyramid`'s."""
    if pretrained:
        raise ValueError("a detector is trained whole: no stage is frozen, so pretrained must be false")
    return PyramidDetector(backbone(architecture, channels, image_size, pretrained=False), classes)
