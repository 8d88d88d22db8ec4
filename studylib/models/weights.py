"""Where pretrained weights come from: $STUDYLIB_WEIGHTS, else torchvision's download, else none; which one is always
said.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from torch import nn

# what each file holds: (torchvision model, where its trunk ends, mean, standard deviation of its preprocessing on [0,
# 1])
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CAFFE = (IMAGENET[0], (1 / 255, 1 / 255, 1 / 255))  # the mean taken off, in units of 0 to 255
NORMALISATION = {
    "resnet18_to_layer3": IMAGENET,
    "squeezenet1_1": IMAGENET,
    "mobilenet_v2": HALF,
    "vgg16_to_relu3_3": CAFFE,
}


def normalisation(name: str, where: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the images that the weights called `name` were made for; `where` they came from
    decides, since a file need not hold torchvision's own.
    """
    return NORMALISATION.get(name, IMAGENET) if where == "file" else IMAGENET


def identity(name: str) -> str:
    """Twelve digits that name the file of weights called `name` under $STUDYLIB_WEIGHTS; "" where there is none, so
    that a network trained without weights is not taken for one trained with them.
    """
    path = local_file(name)
    return "" if path is None else json.loads((path.parent / "index.json").read_text())[name]["sha256"][:12]


def local_file(name: str) -> Path | None:
    """The file NAME.safetensors under $STUDYLIB_WEIGHTS, or None; raises ValueError where the folder's index names a
    file that is missing.
    """
    folder = os.environ.get("STUDYLIB_WEIGHTS")
    if not folder:
        return None
    index = Path(folder) / "index.json"
    if not index.is_file():
        raise ValueError(
            f"STUDYLIB_WEIGHTS names '{folder}', which holds no index.json; unset it or name a folder with one"
        )
    entry = json.loads(index.read_text()).get(name)
    if entry is None:
        return None
    path = Path(folder) / entry["file"]
    if not path.is_file() or path.stat().st_size != entry["bytes"]:
        raise ValueError(f"{path.name} is missing or not {entry['bytes']} bytes as index.json says; fetch it again")
    return path


def load_weights(model: nn.Module, name: str, download: bool = True, optional: tuple[str, ...] = ()) -> str:
    """Fill `model` with the weights called `name`; returns where they came from, one of 'file', 'torchvision',
    'scratch'.

    A file may lack the layers behind the trunk it was made for: of `model` those named in `optional`. Every layer that
    it does hold must fit. 'scratch' leaves the random weights that `model` was built with.
    """
    path = local_file(name)
    if path is not None:
        from safetensors.torch import load_file

        state = {key: value.float() for key, value in load_file(path).items()}
        known = model.state_dict()
        partly = [part for part in optional if not _whole(part, known, state)]  # a stage is taken whole or not at all
        spare = tuple(f"{part}." for part in partly)
        fitting = {k: v for k, v in state.items() if k in known and not k.startswith(spare)}
        result = model.load_state_dict(fitting, strict=False)
        missing = [k for k in result.missing_keys if "num_batches_tracked" not in k and not k.startswith(spare)]
        if missing:
            raise ValueError(
                f"{path.name} lacks {missing[0]} and {len(missing) - 1} more layers of {type(model).__name__}"
            )
        return "file"
    if download and not os.environ.get("STUDYLIB_OFFLINE"):
        try:
            return _torchvision(model, name)
        except (OSError, RuntimeError):  # no network: say 'scratch' in every record rather than fail
            return "scratch"
    return "scratch"


def _whole(part: str, known: dict, state: dict) -> bool:
    """Whether a file holds every number of a layer but the counters."""
    return all(k in state for k in known if k.startswith(f"{part}.") and "num_batches_tracked" not in k)


def _torchvision(model: nn.Module, name: str) -> str:
    from torchvision.models import get_model_weights

    architecture = name.split("_to_")[0]
    state = get_model_weights(architecture).IMAGENET1K_V1.get_state_dict(progress=False)
    model.load_state_dict({k: v for k, v in state.items() if k in model.state_dict()}, strict=False)
    return "torchvision"


@torch.no_grad()
def count_parameters(model: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
