"""Other libraries as their documentation says: extractors are made, used and removed inside of the timing.

So their `with` does it, and hooks left on the network would slow every other candidate down. Captum sets its hooks by
itself in each call, and Quantus holds none: their objects are made before."""

from __future__ import annotations

from collections.abc import Callable

import captum.attr
import numpy as np
import pytorch_grad_cam
import quantus
import torch
import torchcam.methods
from networks import Network
from torch import Tensor, nn
from torchcam.metrics import DeletionInsertionMetric

TORCHCAM = {"gradcam": "GradCAM", "gradcam++": "GradCAMpp", "layercam": "LayerCAM", "xgradcam": "XGradCAM"}
PYTORCH_GRAD_CAM = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "xgradcam": "XGradCAM",
}


def to_grid(tokens: Tensor) -> Tensor:
    """What both libraries ask a user to write for ViT-B/16: tokens without the class token, as a grid."""
    return tokens[:, 1:].transpose(1, 2).unflatten(2, (14, 14))


def torchcam_maps(network: Network, model: nn.Module, x: Tensor, methods: tuple[str, ...], layers) -> Callable:
    """One forward and one backward a method; CAM, where the head allows it, in addition to `all` of them."""
    reshape = {"reshape_transform": to_grid} if network.tokens else {}
    names = [TORCHCAM[m] for m in methods if m in TORCHCAM]
    if network.pooled and len(methods) > 1 and len(layers) == 1:
        names.append("CAM")

    def call() -> None:
        for name in names:
            more = {"fc_layer": _head(model)} if name == "CAM" else reshape
            with getattr(torchcam.methods, name)(model, list(layers), **more) as extractor:
                scores = model(x)
                extractor(scores.argmax(1).tolist(), scores)

    return call


def pytorch_grad_cam_maps(network: Network, model: nn.Module, x: Tensor, methods: tuple[str, ...], layers) -> Callable:
    """One object a method, one call each; of several layers this library returns the mean."""
    modules = [model.get_submodule(layer) for layer in layers]
    reshape = {"reshape_transform": to_grid} if network.tokens else {}
    names = [PYTORCH_GRAD_CAM[m] for m in methods if m in PYTORCH_GRAD_CAM]

    def call() -> None:
        for name in names:
            with getattr(pytorch_grad_cam, name)(model=model, target_layers=modules, **reshape) as extractor:
                extractor(input_tensor=x, targets=None)

    return call


def captum_maps(_network: Network, model: nn.Module, x: Tensor, _methods: tuple[str, ...], layers) -> Callable:
    """Grad-CAM, the one map that Captum has, a pass for each layer; the classes are given to it."""
    classes = model(x).argmax(1)
    extractors = [captum.attr.LayerGradCam(model, model.get_submodule(layer)) for layer in layers]
    return lambda: [extractor.attribute(x, target=classes) for extractor in extractors]


def torchcam_scorecam(model: nn.Module, x: Tensor, layer: str, at_once: int) -> Callable:
    def call() -> None:
        with torchcam.methods.ScoreCAM(model, layer, batch_size=at_once) as extractor, torch.inference_mode():
            extractor(model(x).argmax(1).tolist())

    return call


def pytorch_grad_cam_scorecam(model: nn.Module, x: Tensor, layer: str, at_once: int) -> Callable:
    from functools import partialmethod

    import pytorch_grad_cam.score_cam as module

    module.tqdm.tqdm.__init__ = partialmethod(module.tqdm.tqdm.__init__, disable=True)  # it always draws a bar

    def call() -> None:
        with pytorch_grad_cam.ScoreCAM(model=model, target_layers=[model.get_submodule(layer)]) as extractor:
            extractor.batch_size = at_once
            extractor(input_tensor=x, targets=None)

    return call


def torchcam_curves(model: nn.Module, x: Tensor, layer: str, steps: int, at_once: int) -> Callable:
    def call() -> None:
        with torchcam.methods.GradCAM(model, layer) as extractor:
            softmax = torch.nn.Softmax(dim=-1)
            metric = DeletionInsertionMetric(extractor, softmax, steps=steps, batch_size=at_once)
            metric.update(x)

    return call


def quantus_deletion(model: nn.Module, x: Tensor, maps: Tensor, classes: Tensor, steps: int) -> Callable:
    """Deletion alone, since Quantus has no insertion; `steps` passes."""
    metric = quantus.PixelFlipping(features_in_step=x[0, 0].numel() // steps, disable_warnings=True, normalise=False)
    batch = {"x_batch": x.numpy(), "y_batch": classes.numpy().astype(np.int64), "a_batch": maps[:, None].numpy()}
    return lambda: metric(model=model, **batch, softmax=True)


def _head(model: nn.Module) -> str:
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]
