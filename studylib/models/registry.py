"""Names of networks and where each is built; a table of strings, so that a new network never changes an old one's
key.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

NETWORKS = {
    "brain": "studylib.models.brain:brain_net",  # study 2's network, with a choice of gates
    "brain_plain": "studylib.models.brain:plain_net",  # study 2, section 7: the initial convolutional network
    "staged": "studylib.models.staged:staged",  # pooling and a linear head: CAM is exact; lower part pretrained, fixed
    "unet": "studylib.models.unet:unet",  # told the outlines: the yardstick of study 4
    "pyramid": "studylib.models.pyramid:pyramid",  # study 3: pooled classifier on joined levels of a feature pyramid
    "detector": "studylib.models.detector:detector",  # study 3: RetinaNet's head on the same pyramid
    "frozen_trunk": "studylib.models.backbones:frozen_trunk",  # pretrained, not trained; pooling; a linear head
}


def module_of(name: str) -> str:
    """Return the module in which the network `name` is built; raises ValueError naming the nearest known one."""
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no network is called '{name}' (known: {', '.join(NETWORKS)}){hint}")
    return NETWORKS[name].split(":")[0]


def learns(name: str) -> str:
    """What the network `name` is trained on: "labels", "masks" of the images, or "boxes" with a label each."""
    return {"unet": "masks", "detector": "boxes"}.get(name, "labels")


def begins_from(name: str, options: dict) -> str:
    """Which file of pretrained weights a network with these options begins from; "" for none."""
    from studylib.models.weights import identity

    if name == "frozen_trunk":
        return identity(options["trunk"])
    if name in ("staged", "pyramid") and options.get("pretrained", True):
        from studylib.models.staged import ARCHITECTURES

        return identity(ARCHITECTURES[options["architecture"]].weights)
    return ""


def build(name: str, **options) -> nn.Module:
    """Build the network `name` with its options; random weights come from torch's current generator."""
    module = importlib.import_module(module_of(name))
    return getattr(module, NETWORKS[name].split(":")[1])(**options)
