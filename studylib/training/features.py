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
    """Features of `pixels` behind the frozen trunk of `network`, cached. pixels: uint8 (N, S, S[, 3]) -> float32
    (N, C), or (N, C, h, w) float16, in which a large set fits on disk and in memory.

    Equal to training through the trunk, up to the rounding of float16, since it has no gradient and stays in evaluation
    mode. The cache is keyed by the pixels, the trunk's weights and its code.
    """
    weights = hashlib.sha256()
    for name, value in network.trunk.state_dict().items():
        weights.update(name.encode() + value.numpy().tobytes())
    recipe = [spec.pixels, weights.hexdigest(), code_digest((type(network).__module__,)), torch.__version__]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    path = runs / ".cache" / f"features-{key}.npy"
    with lock(path.with_suffix(".lock")):
        if not path.exists():
            network.eval().to(memory_format=torch.channels_last)
            first = network.features(as_input(pixels[:1]))
            beside = path.with_suffix(f".{os.getpid()}.npy")
            kind = np.float16 if first.ndim == 4 else np.float32
            made = np.lib.format.open_memmap(beside, "w+", kind, (len(pixels), *first.shape[1:]))
            for i in range(0, len(pixels), 32):
                made[i : i + 32] = network.features(as_input(pixels[i : i + 32])).numpy()
            made.flush()
            beside.replace(path)
    return np.load(path, mmap_mode="r")
