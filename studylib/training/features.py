"""What a frozen trunk makes of every image, computed once a data set and trunk, then read by every fit."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch

from studylib.training.locks import lock
from studylib.training.module import as_input
from studylib.training.spec import FitSpec, code_digest


@torch.inference_mode()
def frozen_features(network: torch.nn.Module, pixels: np.ndarray, spec: FitSpec, runs: Path) -> np.ndarray:
    """Features of `pixels` behind the frozen trunk of `network`. pixels: uint8 (N, S, S[, 3]) -> float32 (N,
    channels), cached.

    Equal to training through the trunk, since it has no gradient and stays in evaluation mode. The cache is keyed by
    the pixels, the trunk's weights and its code.
    """
    weights = hashlib.sha256()
    for name, value in network.trunk.state_dict().items():
        weights.update(name.encode() + value.numpy().tobytes())
    recipe = [spec.pixels, weights.hexdigest(), code_digest((type(network).__module__,)), torch.__version__]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    path = runs / ".cache" / f"features-{key}.npy"
    with lock(path.with_suffix(".lock")):
        if not path.exists():
            network.eval()
            rows = [network.features(as_input(pixels[i : i + 32])).numpy() for i in range(0, len(pixels), 32)]
            beside = path.with_suffix(f".{os.getpid()}.npy")
            np.save(beside, np.concatenate(rows).astype(np.float32))
            beside.replace(path)
    return np.load(path)
