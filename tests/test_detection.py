"""Training on boxes: what a fit keeps, the fallback where nothing is found, and the key that follows the boxes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_fit import spec_of

from studylib.models.detector import Best
from studylib.training.detection import Detector, found_boxes, overlap
from studylib.training.examples import Examples
from studylib.training.fit import fit

SIDE = 128


def discs(n: int, seed: int = 0) -> Examples:
    """Discs at random places, bright ones of the second class."""
    rng = np.random.default_rng(seed)
    at, radius, labels = rng.uniform(44, 84, (n, 2)), rng.uniform(18, 36, n), np.arange(n) % 2
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = (x - at[:, :1, None]) ** 2 + (y - at[:, 1:, None]) ** 2 < radius[:, None, None] ** 2
    shade = np.where(labels == 1, 230, 140)[:, None, None]
    pixels = np.where(inside, shade, 40).astype(np.uint8)
    parts = np.array(["train", "train", "train", "validation", "test"] * n)[:n]
    names = np.array([f"{i}.png" for i in range(n)])
    boxes = np.concatenate([at - radius[:, None], at + radius[:, None]], 1).clip(0, SIDE).astype(np.float32)
    return Examples(pixels, names, names, parts, labels, labels, ("dim", "bright"), boxes=boxes)


def test_a_fit_on_boxes_keeps_the_best_box_of_every_image(tmp_path):
    examples = discs(60)
    options = (("architecture", "small"), ("channels", 16), ("image_size", SIDE))
    spec = spec_of(examples, model="detector", options=options, epochs=8, learning_rate=3e-3, precision="float32")
    made = fit(spec, examples, tmp_path)
    table = made.predictions
    with torch.inference_mode():
        images = torch.as_tensor(examples.pixels[examples.rows("test"), None] / 255.0).float().expand(-1, 3, -1, -1)
        best = made.model().best(images)
    kept = table[table["part"] == "test"]
    np.testing.assert_allclose(kept[["left", "top", "right", "bottom"]], best.box, atol=0.05)
    np.testing.assert_allclose(kept["score"], best.score, atol=1e-4)
    detected = kept["detected"].to_numpy() == 1
    said = (kept["p_bright"] > 0.5).to_numpy().astype(int)
    assert (said[detected] == best.label.numpy()[detected]).all()
    true = torch.as_tensor(examples.boxes[examples.rows("test")])
    np.testing.assert_allclose(kept["iou"], overlap(best.box, true), atol=0.01)
    assert made.history["training_loss"].iloc[-1] < 0.7 * made.history["training_loss"].iloc[0]
    moved = replace(examples, boxes=examples.boxes + 1)
    assert examples.digest() != moved.digest()


class Blind(torch.nn.Module):
    """Finds nothing: every score is 0.01, the second class's a little higher."""

    def forward(self, images):
        return torch.logit(torch.tensor([[0.009, 0.01]])).expand(len(images), -1)

    def best(self, images):
        n = len(images)
        return Best(torch.full((n,), 0.01), torch.ones(n, dtype=torch.long), torch.zeros(n, 4))


def test_where_nothing_is_found_the_commonest_class_is_said_and_it_is_counted():
    examples = discs(10)
    uneven = replace(examples, targets=np.array([0, 0, 0, 1, 1, 0, 1, 0, 1, 1]))
    table = found_boxes(Blind(), uneven, uneven.pixels)
    assert (table["detected"] == 0).all()
    train = uneven.targets[uneven.rows("train")]
    np.testing.assert_allclose(table["p_dim"], (train == 0).mean())
    assert (train == 0).mean() > 0.5  # so that "dim" is named


def test_right_is_the_class_and_half_of_the_box():
    targets = torch.tensor([[1.0, 0, 0, 10, 10], [1, 0, 0, 10, 10], [0, 0, 0, 10, 10]])
    best = Best(torch.ones(3), torch.tensor([1, 1, 1]),
                torch.tensor([[0.0, 0, 10, 6], [0, 0, 10, 4], [0, 0, 10, 10]]))  # fmt: skip
    assert Detector.right(None, best, targets) == 1  # IoU 0.6; IoU 0.4; another class


def test_boxes_of_another_number_than_the_images_are_refused():
    examples = discs(10)
    with pytest.raises(ValueError, match="rows of a fit disagree in number"):
        replace(examples, boxes=examples.boxes[:-1])
