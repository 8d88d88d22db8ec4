"""The detector against torchvision's RetinaNet with the same weights: losses, scores, boxes; and its size."""

import pytest
import torch
from torchvision.models.detection import RetinaNet, retinanet_resnet50_fpn_v2
from torchvision.ops import box_iou

from studylib.models.detector import detector

SIDE = 128


class Alone(torch.nn.Module):
    """Our pyramid as torchvision's RetinaNet takes a backbone."""

    def __init__(self, model):
        super().__init__()
        self.model, self.out_channels = model, model.upper.channels

    def forward(self, images):
        return self.model.upper.pyramid((images - self.model.mean) / self.model.std)


@pytest.fixture
def pair():
    torch.manual_seed(0)
    ours = detector(image_size=SIDE).eval()
    with torch.no_grad():  # a head that says something: fresh weights score every box alike
        for p in ours.head.parameters():
            p.add_(0.05 * torch.randn_like(p))
    theirs = RetinaNet(
        Alone(ours), 2, SIDE, SIDE, [0, 0, 0], [1, 1, 1], anchor_generator=ours.anchors, head=ours.head,
        score_thresh=0.0,
    ).eval()  # fmt: skip
    return ours, theirs


def test_losses_are_torchvisions(pair):
    ours, theirs = pair
    images = torch.rand(3, 3, SIDE, SIDE)
    boxes = torch.tensor([[20.0, 20, 100, 90], [5, 30, 60, 120], [64, 64, 128, 128]])
    labels = torch.tensor([0, 1, 1])
    _, loss = ours.judged(images, labels, boxes)
    theirs.train()
    ours.eval()  # batch norm as in evaluation on both sides
    told = [{"boxes": b[None], "labels": label[None]} for b, label in zip(boxes, labels, strict=True)]
    expected = theirs(list(images), told)
    torch.testing.assert_close(loss, sum(expected.values()), rtol=1e-4, atol=1e-5)


def test_the_best_box_is_the_first_that_torchvision_keeps(pair):
    ours, theirs = pair
    images = torch.rand(4, 3, SIDE, SIDE)
    best = ours.best(images)
    with torch.inference_mode():
        kept = theirs(list(images))
    for i, found in enumerate(kept):
        top = found["scores"].argmax()
        torch.testing.assert_close(best.score[i], found["scores"][top], rtol=1e-4, atol=1e-6)
        assert best.label[i] == found["labels"][top]
        torch.testing.assert_close(best.box[i], found["boxes"][top], rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(ours(images).amax(1).sigmoid(), best.score)
    assert (ours(images).argmax(1) == best.label).all()


def test_with_resnet50_and_256_channels_it_is_the_v2_recipe_but_for_its_norms():
    theirs = retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=2)
    ours = detector("resnet50", image_size=SIDE, channels=256)
    count = [sum(p.numel() for p in model.parameters()) for model in (ours, theirs)]
    assert count[1] - count[0] == 8 * (2 * 256 - 256) and count[0] > 30e6  # eight norms; eight biases in their place


def test_it_learns_to_find_a_disc_and_its_class():
    torch.manual_seed(1)
    model, generator = detector(image_size=SIDE), torch.Generator().manual_seed(2)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")

    def batch(n):
        at, radius = 40 + 48 * torch.rand(n, 2, generator=generator), 20 + 16 * torch.rand(n, generator=generator)
        labels = torch.randint(0, 2, (n,), generator=generator)
        inside = (x - at[:, :1, None]) ** 2 + (y - at[:, 1:, None]) ** 2 < radius[:, None, None] ** 2
        shade = torch.where(labels == 1, 0.9, 0.6)[:, None, None]
        images = torch.where(inside, shade, 0.2)[:, None].expand(-1, 3, -1, -1).contiguous()
        return images, labels, torch.cat([at - radius[:, None], at + radius[:, None]], 1).clamp(0, SIDE)

    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(45):
        _, loss = model.judged(*batch(16))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    images, labels, boxes = batch(32)
    best = model.eval().best(images)
    assert (best.label == labels).float().mean() > 0.9
    assert box_iou(best.box, boxes).diagonal().mean() > 0.5


def test_pretrained_stages_are_refused():
    with pytest.raises(ValueError, match="a detector is trained whole"):
        detector(pretrained=True)
