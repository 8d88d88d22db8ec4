"""A finished fit as it lies on disk; read without Lightning, so that a report starts quickly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from studylib.models.registry import build
from studylib.training.spec import FitSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Fit:
    """A finished fit: `spec`, its folder, and what was kept. `predictions`: one row an image of validation and test."""

    spec: FitSpec
    folder: Path

    @property
    def whole(self) -> bool:
        """Whether the fit is finished: `spec.json` is written last."""
        return (self.folder / "spec.json").exists()

    @cached_property
    def predictions(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "predictions.csv", dtype={"image": str, "group": str})

    @cached_property
    def history(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "history.csv")

    @cached_property
    def seconds(self) -> dict:
        return json.loads((self.folder / "seconds.json").read_text())

    def model(self) -> nn.Module:
        """The trained network in evaluation mode, float32, channels last."""
        import torch
        from safetensors.torch import load_file

        network = build(self.spec.model, **dict(self.spec.options))
        state = load_file(self.folder / "weights.safetensors")
        result = network.load_state_dict(state, strict=False)
        lost = [k for k in result.missing_keys if not k.startswith("trunk.")] + result.unexpected_keys
        if lost:
            raise ValueError(
                f"{self.folder.name}/weights.safetensors does not fit {self.spec.model}: {', '.join(lost[:3])}"
            )
        return network.eval().to(memory_format=torch.channels_last)

    @cached_property
    def _kept(self) -> dict:
        return json.loads((self.folder / "spec.json").read_text())

    @property
    def weights_from(self) -> str:
        """Where pretrained weights came from: 'file', 'torchvision', 'scratch'; 'none' without a trunk."""
        return self._kept["weights_from"]

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, whose weights were kept."""
        return self._kept["best_epoch"]

    @property
    def trained_in(self) -> str:
        """The precision of training, "bf16" or "float32": what was asked for, as far as the machine computes in it."""
        return self._kept["trained_in"]
