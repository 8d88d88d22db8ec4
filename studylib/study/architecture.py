"""A network as it is built: its layers, its counts, and whether its map adds up to its logit."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from studylib.models.registry import build
from studylib.models.weights import count_parameters
from studylib.study.fits import Trained
from studylib.study.mapping import Pictures, class_maps


def layer_table(name: str, image_size: int, **options) -> pd.DataFrame:
    """Every layer that runs, in order: shape of its output and how many numbers training may change."""
    model = build(name, image_size=image_size, **options).eval()
    if hasattr(model, "begin_epoch"):
        model.begin_epoch(1, 0)
    rows, handles = [], []
    for layer, module in model.named_children():

        def note(module, _, output, layer=layer):
            rows.append((layer, type(module).__name__, tuple(output.shape[1:]), count_parameters(module)))

        handles.append(module.register_forward_hook(note))
    with torch.inference_mode():
        model(torch.zeros(1, 3, image_size, image_size))
    for handle in handles:
        handle.remove()
    return pd.DataFrame(rows, columns=["layer", "kind", "output", "parameters"]).set_index("layer")


def completeness_error(trained: Trained, pictures: Pictures) -> float:
    """Largest |sum of CAM + bias - logit| over pictures, relative to the largest logit; 0 where the CAM is exact."""
    model = trained.fit.model()
    raw, _, logits = class_maps(model, pictures.pixels)
    places = raw[0].size if _pools(model) else 1
    total = raw.sum((1, 2)) / places + float(model.fc.bias.detach()[-1])
    return float(np.abs(total - logits).max() / np.abs(logits).max())


def _pools(model: torch.nn.Module) -> bool:
    """Whether the head averages over places, so that a CAM's mean, not its sum, is the logit."""
    return any(isinstance(module, torch.nn.AdaptiveAvgPool2d) for module in model.modules())


def show_source(*functions: Callable) -> None:
    """Print functions as they stand in the package, so that a reader sees what was computed."""
    print("\n".join(inspect.getsource(function) for function in functions))
