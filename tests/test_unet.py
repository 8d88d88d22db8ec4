"""The U-Net: it outlines what it was told to, and says which sizes it can take."""

import pytest
import torch

from studylib.models.unet import unet
from studylib.training.segmentation import dice, outline_loss


def discs(n: int, side: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Bright discs on noise among bright squares, and the masks of the discs alone."""
    rng = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    at = torch.randint(8, side - 8, (n, 4), generator=rng)
    masks = ((y - at[:, :1, None]) ** 2 + (x - at[:, 1:2, None]) ** 2) <= 25
    squares = torch.maximum((y - at[:, 2:3, None]).abs(), (x - at[:, 3:4, None]).abs()) <= 4
    images = 0.2 * torch.rand(n, side, side, generator=rng) + 0.7 * (masks | squares)
    return images[:, None].expand(-1, 3, -1, -1), masks & ~squares


def test_it_learns_to_tell_discs_from_squares():
    torch.manual_seed(0)
    model = unet(32, width=8, levels=3).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    images, masks = discs(64, 32)
    for _ in range(60):
        optimiser.zero_grad()
        outline_loss(model(images), masks).backward()
        optimiser.step()
    new, truth = discs(64, 32, seed=1)
    with torch.inference_mode():
        found = model.eval()(new)[:, 0] > 0
    either = (new[:, 0] > 0.5) & (new[:, 0] <= 1)  # discs and squares: what brightness alone would outline
    assert dice(found, truth).mean() > 0.8
    assert dice(either, truth).mean() < 0.7


def test_a_size_that_does_not_halve_often_enough_is_refused():
    with pytest.raises(ValueError, match=r"images of \(36, 36\) pixels; the U-Net needs multiples of 8"):
        unet(36, width=4, levels=4)(torch.rand(1, 3, 36, 36))
    assert unet(40, width=4, levels=4)(torch.rand(1, 3, 40, 40)).shape == (1, 1, 40, 40)
