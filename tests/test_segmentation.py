"""Training on masks: the loss and Dice by hand, and what a fit keeps."""

import numpy as np
import pytest
import torch
from test_fit import spec_of
from test_unet import discs

from studylib.training.examples import Examples
from studylib.training.fit import fit
from studylib.training.segmentation import dice, outline_loss


def test_loss_by_hand():
    logits = torch.tensor([[[[0.0, 2.0], [-1.0, 0.5]]]])
    masks = torch.tensor([[[0, 1], [0, 1]]])
    p = torch.sigmoid(logits[0, 0])
    bce = -(torch.log(1 - p[0, 0]) + torch.log(p[0, 1]) + torch.log(1 - p[1, 0]) + torch.log(p[1, 1])) / 4
    soft = (2 * (p[0, 1] + p[1, 1]) + 1) / (p.sum() + 2 + 1)
    torch.testing.assert_close(outline_loss(logits, masks), bce + 1 - soft)


def test_loss_of_a_batch_gives_every_image_the_same_weight_however_small_its_object():
    logits = torch.zeros(2, 1, 8, 8)
    masks = torch.zeros(2, 8, 8)
    masks[0, 0, 0], masks[1] = 1, 1
    each = [outline_loss(logits[i : i + 1], masks[i : i + 1]) for i in (0, 1)]
    torch.testing.assert_close(outline_loss(logits, masks), (each[0] + each[1]) / 2)


def test_dice_by_hand():
    found = torch.tensor([[[1, 1, 0]], [[0, 0, 0]], [[1, 0, 0]]], dtype=torch.bool)
    masks = torch.tensor([[[0, 1, 1]], [[0, 0, 0]], [[0, 1, 0]]], dtype=torch.bool)
    torch.testing.assert_close(dice(found, masks), torch.tensor([0.5, 1.0, 0.0]))


def test_a_fit_on_masks_keeps_dice_and_area_and_its_key_follows_the_masks(tmp_path):
    images, masks = discs(48, 32)
    pixels = (images[:, 0].clamp(0, 1) * 255).numpy().astype(np.uint8)
    parts = np.array(["train"] * 32 + ["validation"] * 8 + ["test"] * 8)
    names, labels = np.array([f"{i}.png" for i in range(48)]), np.arange(48) % 3
    examples = Examples(pixels, names, names, parts, labels, labels, ("a", "b", "c"), masks.numpy().astype(np.uint8))
    options = (("image_size", 32), ("levels", 3), ("width", 8))
    spec = spec_of(examples, model="unet", options=options, epochs=12, learning_rate=1e-2, precision="float32")
    made = fit(spec, examples, tmp_path)
    table = made.predictions
    assert set(table) == {"image", "group", "part", "label", "target", "dice", "area"}
    with torch.inference_mode():
        found = made.model()(torch.as_tensor(pixels[40:, None] / 255.0).float().expand(-1, 3, -1, -1))[:, 0] > 0
    kept = table[table["part"] == "test"]
    np.testing.assert_allclose(kept["dice"], dice(found, masks[40:]), atol=1e-5)
    np.testing.assert_allclose(kept["area"], found.float().mean((1, 2)), atol=1e-5)
    assert made.history["validation_accuracy"].iloc[made.best_epoch - 1] == pytest.approx(
        table.loc[table["part"] == "validation", "dice"].mean(), abs=1e-5
    )
    other = Examples(*(getattr(examples, f) for f in ("pixels", "names", "groups", "parts", "labels", "targets")),
                     examples.classes, 1 - examples.masks)  # fmt: skip
    assert examples.digest() != other.digest()
