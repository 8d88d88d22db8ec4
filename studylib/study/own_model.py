"""A user's own classifier: built by a function that she names, its weights checked key by key, one call for images."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from studylib.study.mapping import as_images

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which torchvision's weights expect
BATCH = 16
SHOWN = 6  # so many keys of each kind in an error
SHORT = {"torchvision": "torchvision.models"}
CONVERT = (
    "python -c \"import torch, safetensors.torch as s; d = torch.load('{name}', map_location='cpu', "
    "weights_only=True); s.save_file(d.get('state_dict', d), '{stem}.safetensors')\""
)


class ModelError(ValueError):
    """A model or its weights that cannot be used; the message says what was found, what was expected, what to do."""


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A classifier with what it expects of images. classes: in the order of its outputs; mean, std: by colour."""

    model: nn.Module
    classes: tuple[str, ...]
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    named: str
    digest: str = ""  # of the weights, 16 hexadecimal digits; "" where none were given

    def images(self, pixels: np.ndarray) -> torch.Tensor:
        """uint8 (N, S, S, 3) -> what the model takes, float32 (N, 3, S, S)."""
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (as_images(pixels) - mean) / std

    @torch.inference_mode()
    def probabilities(self, images: torch.Tensor, model: nn.Module | None = None) -> torch.Tensor:
        """Of every class, (N, K) double; a single logit is that of the second of two classes. model: in its place."""
        logits = (model or self.model)(images).double()
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        return logits.softmax(1)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities of uint8 images, in batches, (N, K)."""
        parts = [self.probabilities(self.images(pixels[i : i + BATCH])) for i in range(0, len(pixels), BATCH)]
        return torch.cat(parts).numpy()


def load_model(
    named: str, weights: str | Path | None, classes: tuple[str, ...], size: int, mean=MEAN, std=STD
) -> OwnModel:
    """Build the model that `named` says ("module:function", "file.py:function" or "torchvision:resnet18"), load its
    weights, and try it on one grey image. Raises ModelError.

    The function is called with `num_classes` where it takes that; a module in place of a function is used as it is.
    """
    model = _built(_found(named), named, len(classes))
    digest = _load(model, Path(weights)) if weights else ""
    own = OwnModel(model.eval(), classes, size, tuple(mean), tuple(std), named, digest)
    _tried(own)
    return own


def _found(named: str):
    place, _, name = named.rpartition(":")
    if not place or not name:
        raise ModelError(f"model '{named}': expected MODULE:FUNCTION, FILE.py:FUNCTION or torchvision:NAME")
    place = SHORT.get(place, place)
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (ImportError, OSError) as error:
        raise ModelError(f"model '{named}': {error}; is the folder of the module in PYTHONPATH?") from error
    if not hasattr(module, name):
        from difflib import get_close_matches

        near = get_close_matches(name, dir(module), n=1)
        raise ModelError(f"model '{named}': {place} has no '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    return getattr(module, name)


def _from_file(path: Path):
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path.name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _built(found, named: str, outputs: int) -> nn.Module:
    if isinstance(found, nn.Module):
        return found
    if not isinstance(found, Callable):
        raise ModelError(
            f"model '{named}' is a {type(found).__name__}; expected a function or class that makes a model"
        )
    known = inspect.signature(found).parameters
    takes = "num_classes" in known or any(p.kind is p.VAR_KEYWORD for p in known.values())
    try:
        model = found(num_classes=outputs) if takes else found()
    except TypeError as error:
        raise ModelError(f"model '{named}': {error}; give a function that needs no argument but num_classes") from error
    if not isinstance(model, nn.Module):
        raise ModelError(f"model '{named}' made a {type(model).__name__}; expected a torch.nn.Module")
    return model


def _load(model: nn.Module, path: Path) -> str:
    """Load a safetensors file into the model, every key of both. -> digest of the file"""
    if not path.is_file():
        raise ModelError(f"weights {path.name}: there is no such file")
    if path.suffix != ".safetensors":
        raise ModelError(
            f"weights {path.name}: only safetensors is read, since a pickle can run anything; convert it once:\n  "
            + CONVERT.format(name=path.name, stem=path.stem)
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        given = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"weights {path.name}: {error}; is the file whole?") from error
    expected = model.state_dict()
    for prefix in ("model.", "module.", "net."):  # what trainers put before every key
        if given and all(key.startswith(prefix) for key in given) and not any(k.startswith(prefix) for k in expected):
            given = {key.removeprefix(prefix): value for key, value in given.items()}
    optional = {key for key in expected if key.endswith("num_batches_tracked")}
    problems = {
        "missing in the file": sorted(expected.keys() - given.keys() - optional),
        "not known to the model": sorted(given.keys() - expected.keys()),
        "of another shape": [
            f"{key} {tuple(given[key].shape)}, the model has {tuple(expected[key].shape)}"
            for key in sorted(expected.keys() & given.keys())
            if expected[key].shape != given[key].shape
        ],
    }
    said = [
        f"  {len(keys)} {words}: {', '.join(keys[:SHOWN])}{', …' if len(keys) > SHOWN else ''}"
        for words, keys in problems.items()
        if keys
    ]
    if said:
        raise ModelError(f"weights {path.name} do not fit the model:\n" + "\n".join(said))
    model.load_state_dict(given, strict=False)  # all keys were compared; counters of batches may be absent
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _tried(own: OwnModel) -> None:
    """One grey image through the model. Raises ModelError where no logits of these classes come out."""
    grey = np.full((1, own.size, own.size, 3), 128, np.uint8)
    try:
        with torch.inference_mode():
            out = own.model(own.images(grey))
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(f"model '{own.named}' stopped at an image of {own.size} x {own.size}: {error}") from error
    if not isinstance(out, torch.Tensor) or out.ndim != 2:
        shape = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        raise ModelError(f"model '{own.named}' gives {shape}; expected logits, one row an image, one column a class")
    many = len(own.classes)
    if out.shape[1] not in ({many} | ({1} if many == 2 else set())):
        raise ModelError(
            f"model '{own.named}' has {out.shape[1]} outputs, the data {many} classes ({', '.join(own.classes)}); "
            "name the classes in the order of the outputs with --classes"
        )
