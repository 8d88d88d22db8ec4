"""A trained network ready to be shown pictures: loaded once, with its random twin, its layers, and what is familiar to
it. Nothing in it depends on a picture that someone hands in.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from studylib.app.choices import Collection
from studylib.app.novelty import Familiarity, appearance, fit_familiarity, pooled_features
from studylib.cam import METHODS, explain
from studylib.cam.layers import PASSIVE
from studylib.data.dataset import Dataset
from studylib.data.transforms import prepare_image, prepare_masks
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import as_images, random_network
from studylib.study.one_image import SPOKEN, Explained, explain_image
from studylib.study.segmenting import LAYER
from studylib.study.sharpness import Gate, fit_gate, laplacian_variance
from studylib.study.train import Workshop

OFFERED = ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "scorecam", "crm")
USUAL = ("cam", "gradcam", "gradcam++")
PLACES = 3  # a side: a coarser layer is no map
MOST = {
    "train": 400,
    "validation": 300,
    "test": 300,
}  # pictures that familiarity rests on; a limit for networks that take long
BLURRED = 0.01  # of training pictures that are less sharp than what is called blurred


@dataclass(frozen=True)
class Layer:
    """A layer that maps can be taken at, and how many places it has."""

    name: str
    height: int
    width: int

    @property
    def title(self) -> str:
        return f"{self.name} ({self.height} x {self.width} places)"


class Network:
    """One network of a collection. fits: the finished networks of the collection, itself among them."""

    def __init__(self, collection: Collection, workshop: Workshop, fits: Fits, trained: Trained) -> None:
        self.collection, self.workshop, self.fits, self.trained = collection, workshop, fits, trained
        self.model = trained.fit.model()
        self._turn = threading.Lock()  # two browser tabs must not hook one network at once

    @property
    def spec(self):
        return self.trained.fit.spec

    @cached_property
    def dataset(self) -> Dataset:
        """The images that it was trained and tested on."""
        return self.workshop.dataset(self.trained.run.arm.variant)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return self.workshop.labels(self.dataset)[1]

    @cached_property
    def parts(self) -> np.ndarray:
        """Which part of its split every image belongs to, (N,) str."""
        return self.workshop.split(self.trained.run).part

    @cached_property
    def twin(self) -> torch.nn.Module:
        """The same network with random weights: what its maps show is the architecture and the picture alone."""
        return random_network(self.trained)

    @property
    def twin_is(self) -> str:
        """How random the twin is, in words."""
        return "random head, trunk as trained" if self.spec.model == "frozen_trunk" else "random weights"

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Of every size of map the last layer, the coarsest last; found by one pass over a blank picture."""
        return spatial_layers(self.model, self.spec.image_size)

    @property
    def layer(self) -> str:
        """The layer that the studies judge: the last."""
        names = [layer.name for layer in self.layers]
        return LAYER if LAYER in names else names[-1]

    @property
    def spoken(self) -> str:
        """The map that words are about where nobody chose one: the study's."""
        return SPOKEN if self.workshop.settings.in_words else "cam"

    # ---- pictures
    def prepared(self, image: np.ndarray) -> np.ndarray:
        """A picture as the network takes it, uint8 (S, S[, 3])."""
        channels = 3 if self.workshop.settings.colour else 1
        return np.array(prepare_image(image, self.spec.image_size, self.spec.crop, channels))

    def examples(self) -> pd.DataFrame:
        """The test images of its split: row (of the data set), image (name), label; by name."""
        rows = np.flatnonzero(self.parts == "test")
        table = self.dataset.table.iloc[rows]
        found = pd.DataFrame({"row": rows, "image": table["image"].to_numpy(), "label": table["label"].to_numpy()})
        return found.sort_values("image", kind="stable", ignore_index=True)

    def mask(self, row: int) -> np.ndarray | None:
        """The true outline of an example as the network's picture is cut and sized, bool (S, S); None without one."""
        if not self.dataset.table["mask_file"].iat[row]:
            return None
        values = prepare_masks(self.dataset.select([row]), self.spec.image_size, self.spec.crop)[0]
        inside = values == self.dataset.first_region
        return inside if inside.any() else None

    # ---- what it says
    def explained(
        self, image: np.ndarray, name: str, methods: Sequence[str], layer: str, spoken: str, failed: Sequence[str]
    ) -> tuple[Explained, dict[str, str]]:
        """What it says of a picture, with the maps that exist at the layer, and why others do not, by method."""
        allowed, refused = self.allowed(methods, layer)
        if not allowed:
            raise ValueError(f"no map that was asked for exists at {layer}: {'; '.join(refused.values())}")
        with self._turn:
            found = explain_image(
                self.workshop, self.trained, image, name, methods=allowed, layer=layer, model=self.model,
                spoken=spoken if spoken in allowed else allowed[0], failed=failed,
            )  # fmt: skip
        return found, refused

    def random_maps(self, image: np.ndarray, methods: Sequence[str], layer: str, target: int) -> dict[str, np.ndarray]:
        """The same maps for the same class, by the twin: method -> (S, S) signed."""
        with self._turn:
            e = explain(self.twin, as_images(self.prepared(image)[None]), tuple(methods), target, layer)
        return {m: e.upsampled(m, relu=False, scale=None)[0].numpy() for m, _ in e.maps}

    def allowed(self, methods: Sequence[str], layer: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """Which methods have a map at a layer, in the house's order, and why the others have none."""
        heads = [m for m in OFFERED if m in methods and METHODS[m].needs_head]
        refused = {m: why for m in heads if (why := self._refusal(layer))}
        return tuple(m for m in OFFERED if m in methods and m not in refused), refused

    def _refusal(self, layer: str) -> str:
        """Why maps that read the head do not exist at a layer; "" where they do."""
        if layer not in self._refusals:
            blank = as_images(np.zeros((1, *self._shape), np.uint8))
            with self._turn:
                try:
                    e = explain(self.model, blank, ("cam", "hirescam"), None, layer)
                    self._refusals[layer] = e.refused.get(("cam", layer), "")
                except ValueError as error:
                    self._refusals[layer] = str(error)
        return self._refusals[layer]

    @cached_property
    def _refusals(self) -> dict[str, str]:
        return {}

    @property
    def _shape(self) -> tuple[int, ...]:
        side = self.spec.image_size
        return (side, side, 3) if self.workshop.settings.colour else (side, side)

    # ---- what is familiar to it
    def _pixels(self, part: str, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Images of a part and their rows, at most so many, drawn by lot."""
        rows = np.flatnonzero(self.parts == part)
        if most is not None and len(rows) > most:
            rows = np.sort(np.random.default_rng(0).permutation(rows)[:most])
        pixels, _ = self.workshop.pixels(self.dataset, self.spec.image_size, self.spec.crop)
        return np.asarray(pixels[rows]), rows

    @cached_property
    def familiar(self) -> dict[str, Familiarity]:
        """What training pictures look like ("appearance") and what the head sees of them ("features")."""
        pixels = {part: self._pixels(part, MOST[part])[0] for part in ("train", "validation")}
        with self._turn:
            seen = {part: pooled_features(self.model, self.layer, some) for part, some in pixels.items()}
        looks = {part: appearance(some) for part, some in pixels.items()}
        described = {"appearance": looks, "features": seen}
        return {name: fit_familiarity(by["train"], by["validation"]) for name, by in described.items()}

    def strangeness(self, image: np.ndarray) -> dict[str, float]:
        """Distance of a picture to the nearest training pictures over its limit, by description; above 1 is unlike."""
        return {name: float(ratio[0]) for name, ratio in self._strangeness(self.prepared(image)[None]).items()}

    def _strangeness(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        familiar = self.familiar
        with self._turn:
            rows = {"appearance": appearance(pixels), "features": pooled_features(self.model, self.layer, pixels)}
        return {name: familiar[name].distances(row) / familiar[name].limit for name, row in rows.items()}

    @cached_property
    def alarms(self) -> dict[str, tuple[int, int]]:
        """How many of its own test images, which are of the very kind that it was trained on, are called unlike and
        blurred, and of how many: what such a warning is worth.
        """
        pixels, _ = self._pixels("test", MOST["test"])
        unlike = np.max(list(self._strangeness(pixels).values()), axis=0) > 1
        blurred = laplacian_variance(pixels) < self.sharp.threshold
        return {"unlike": (int(unlike.sum()), len(pixels)), "blurred": (int(blurred.sum()), len(pixels))}

    @cached_property
    def sharp(self) -> Gate:
        """What is called blurred: less sharp than all but 1 % of the training pictures, at the network's size."""
        pixels, rows = self._pixels("train")
        table = pd.DataFrame({
            "image": self.dataset.table["image"].to_numpy()[rows], "part": "train", "kernel": 1,
            "group": self.workshop.group_of(self.dataset)[rows], "laplacian": laplacian_variance(pixels),
        })  # fmt: skip
        return fit_gate(table, reject=BLURRED)

    def sharpness(self, image: np.ndarray) -> float:
        """Variance of the Laplacian of a picture as the network takes it."""
        return float(laplacian_variance(self.prepared(image)[None])[0])


def spatial_layers(model: torch.nn.Module, side: int) -> tuple[Layer, ...]:
    """Of every size of map that a network makes the last layer that makes it, in the order in which they run; layers
    that run twice or have fewer than 3 x 3 places are passed over.
    """
    seen: list[tuple[str, tuple[int, int]]] = []

    def watch(name: str):
        def hook(_module, _given, out) -> None:
            if isinstance(out, torch.Tensor) and out.ndim == 4 and min(out.shape[-2:]) >= PLACES:
                seen.append((name, tuple(out.shape[-2:])))

        return hook

    watched = [(name, module) for name, module in model.named_modules() if name and not isinstance(module, PASSIVE)]
    hooks = [module.register_forward_hook(watch(name)) for name, module in watched]
    try:
        with torch.inference_mode():
            model(torch.zeros(1, 3, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    names = [name for name, _ in seen]
    once = [(name, size) for name, size in seen if names.count(name) == 1]
    last = {size: name for name, size in once}  # the last of a size wins
    kept = [Layer(name, *size) for name, size in once if last[size] == name]
    smaller = [layer for layer in kept if (layer.height, layer.width) != (side, side)]
    return tuple(smaller or kept)  # at the picture's own size stand edges and colours
