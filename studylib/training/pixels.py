"""The array that networks see: decoded, cropped and resized once a data set, shared by all fits and processes."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np

from studylib.data.dataset import Dataset
from studylib.data.transforms import prepare
from studylib.training.locks import lock
from studylib.training.spec import code_digest

LIBRARIES = ("numpy", "opencv-python-headless", "pillow")


def load_pixels(dataset: Dataset, size: int, crop: str, cache: Path, channels: int = 1) -> tuple[np.ndarray, str]:
    """Images of `dataset` as networks see them, and a digest of them. -> uint8 (N, size, size), of three channels
    (N, size, size, 3), memory-mapped; 16 hex digits.

    Made once under a lock, in a file beside and renamed when whole, so a kill leaves nothing half-written.
    """
    code = code_digest(("studylib.data.transforms",))
    recipe = [dataset.fingerprint, size, crop, channels, code, {name: version(name) for name in LIBRARIES}]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    path, digest = cache / f"pixels-{key}.npy", cache / f"pixels-{key}.txt"
    with lock(cache / f"pixels-{key}.lock"):
        if not digest.exists():
            array = prepare(dataset, size, crop, channels)
            cache.mkdir(parents=True, exist_ok=True)
            beside = cache / f"pixels-{key}.{os.getpid()}.npy"
            np.save(beside, array)
            beside.replace(path)
            partial = digest.with_suffix(f".{os.getpid()}")
            partial.write_text(hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16])
            partial.replace(digest)
    return np.load(path, mmap_mode="r"), digest.read_text()
