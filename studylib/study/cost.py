"""What a network costs on this machine, as ratios of paired, interleaved repeats; never compared between machines."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from studylib.data.transforms import crop_to_brain
from studylib.metrics.intervals import Estimate, mean_by
from studylib.models.registry import build
from studylib.training.precision import on_this_machine


def interleaved(a: Callable[[], None], b: Callable[[], None], repeats: int) -> pd.DataFrame:
    """Seconds of a and b in turn, after one warm-up of each. -> columns a, b, ratio, repeat"""
    rows = []
    for repeat in range(-1, repeats):
        row = {"repeat": str(repeat)}
        for name, call in (("a", a), ("b", b)):
            began = time.perf_counter()
            call()
            row[name] = time.perf_counter() - began
        rows.append(row)
    table = pd.DataFrame(rows[1:])
    return table.assign(ratio=table["a"] / table["b"])


def ratio(a: Callable[[], None], b: Callable[[], None], how: str, repeats: int = 12) -> Estimate:
    """Time of a over time of b, with an interval from paired repeats."""
    return mean_by(interleaved(a, b, repeats), "ratio", group="repeat", unit="repeat", how=f"{how}, this machine")


def training_step(
    name: str, size: int, precision: str = "bf16", frozen: bool = False, batch: int = 32, **options
) -> Callable[[], None]:
    """One training step on random pictures, gate on: forward, backward, Adam, in the precision that fits have here."""
    half = on_this_machine(precision) == "bf16"
    model = build(name, image_size=size, **options).to(memory_format=torch.channels_last).train()
    if hasattr(model, "begin_epoch"):
        model.begin_epoch(2, 2)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, 3, size, size, generator=generator).contiguous(memory_format=torch.channels_last)
    labels = (torch.arange(batch) % 2).float()
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = model(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0].float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def inference(model: torch.nn.Module, size: int) -> Callable[[], None]:
    """One image through the network."""
    image = torch.rand(1, 3, size, size)

    @torch.inference_mode()
    def once() -> None:
        model(image)

    return once


def latency(model: torch.nn.Module, pictures: list[np.ndarray], size: int, explain: Callable) -> Estimate:
    """Milliseconds for crop, network and map of one picture as it comes, 95th percentile over pictures; `low`,
    `high`: a bootstrap's.
    """
    from PIL import Image

    spent = []
    for picture in [pictures[0], *pictures]:
        began = time.perf_counter()
        cropped = crop_to_brain(picture)[0]
        small = np.asarray(Image.fromarray(cropped).convert("L").resize((size, size), Image.Resampling.BICUBIC))
        image = torch.as_tensor(small.copy()).float().div(255).expand(1, 3, -1, -1)
        explain(model, image, ("cam",), target=1)
        spent.append(1000 * (time.perf_counter() - began))
    spent = np.array(spent[1:])
    draws = np.random.default_rng(0).choice(spent, (2000, len(spent)))
    low, high = np.quantile(np.quantile(draws, 0.95, axis=1), (0.025, 0.975))
    text = "95th percentile of milliseconds for crop, network and map of one image, this machine"
    return Estimate(float(np.quantile(spent, 0.95)), float(low), float(high), len(spent), len(spent), "image", text)
