"""A network that one can hold in the head, set by hand instead of trained: what its map says, and what it does not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from studylib.cam import explain
from studylib.data.dataset import load_dataset, read_image
from studylib.data.phantoms.brain import make_brain
from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate, difference_by, mean_by
from studylib.study.mapping import Pictures, as_images, floor_maps

SIZE, SPAN, BRIGHT = 96, 7, 0.45  # pixels; of the local mean; share of full white above which it answers
SHOWN = {"cam": "CAM", "brightest": "floor: brightest pixels", "centre": "floor: centred blob",
         "random_weights": "CAM of random weights"}  # fmt: skip


class BrightnessReader(nn.Module):
    """Says "yes" where a picture has a bright patch: local mean, minus a threshold, ReLU, average over the picture, one
    weight. images (N, 3, H, W) in [0, 1] -> logits (N, 2).
    """

    def __init__(self, random: torch.Generator | None = None) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, SPAN, padding=SPAN // 2), nn.ReLU())
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 2)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=random) * 0.1 if random else torch.zeros_like(weight))
            if random is None:
                self.trunk[0].weight[0] = 1 / (3 * SPAN**2)
                self.trunk[0].bias[0] = -BRIGHT
                self.fc.weight[1, 0] = 1.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.pool(self.trunk(images)).flatten(1))


def pictures(seed: int = 0, patients: int = 40) -> Pictures:
    """Drawn brain slices with a bright lesion and its outline, two a patient."""
    with tempfile.TemporaryDirectory() as folder:
        make_brain(Path(folder) / "set", patients=patients, slices=2, size=SIZE, seed=seed, lesion_share=1.0,
                   copies={"yes": 0, "no": 0})  # fmt: skip
        dataset = load_dataset(Path(folder) / "set")
        pixels = np.stack([read_image(path) for path in dataset.table["file"]])
        masks = np.stack([read_image(path) == dataset.first_region for path in dataset.table["mask_file"]])
    names, groups = dataset.table["image"].to_numpy(str), dataset.groups()
    return Pictures(names, groups, dataset.labels(), pixels, masks)


def maps(seen: Pictures, seed: int = 0) -> dict[str, np.ndarray]:
    """The maps that the example sets side by side: name -> (N, S, S) signed."""
    reader, lot = BrightnessReader(), BrightnessReader(torch.Generator().manual_seed(seed))
    floors = floor_maps(seen, seed=seed)
    made = {"cam": of_network(reader, seen), "random_weights": of_network(lot, seen)}
    return {name: (made | floors)[name] for name in SHOWN}


def of_network(model: nn.Module, seen: Pictures) -> np.ndarray:
    """Raw class activation maps of "yes" at the pictures' size, (N, S, S)."""
    e = explain(model.eval(), as_images(seen.pixels), "cam", target=1, layers="trunk")
    return e.upsampled("cam", relu=False, scale=None).numpy()


def sum_error(seen: Pictures) -> float:
    """Largest difference between the mean of a map plus the bias and the logit that it explains: the map is the logit,
    place by place.
    """
    model = BrightnessReader().eval()
    e = explain(model, as_images(seen.pixels), "cam", target=1, layers="trunk")
    return float((e["cam"].mean((1, 2)) + model.fc.bias[1].detach() - e.logits[:, 1]).abs().max())


def scores(seen: Pictures, shown: dict[str, np.ndarray]) -> pd.DataFrame:
    """Pixel AUPRC of every map, one row a picture."""
    found = {name: localisation.pixel_auprc(grid, seen.masks) for name, grid in shown.items()}
    return pd.DataFrame(found).assign(group=seen.groups, image=seen.names)


def estimates(table: pd.DataFrame) -> dict[str, Estimate]:
    """Mean pixel AUPRC of every map, and the map minus each floor, by patient."""
    found = {f"example.{name}.auprc": mean_by(table, name, unit="patient") for name in SHOWN}
    others = [name for name in SHOWN if name != "cam"]
    gaps = {f"example.cam_minus_{n}.auprc": difference_by(table, "cam", n, unit="patient") for n in others}
    return found | gaps
