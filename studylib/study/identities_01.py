"""What follows from the formulas: where the three maps are one map, where Grad-CAM++ has no weight for a place, which
networks need a change for CAM, what each map costs, and whether Captum agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain
from studylib.cam.heads import HeadError
from studylib.metrics.intervals import Estimate, difference_by, exact
from studylib.metrics.sanity import similarity
from studylib.study.cost import ratio
from studylib.study.mapping import as_images
from studylib.study.maps_04 import identity
from studylib.study.segmenting import LAYER, Seen, explained, told

# torchvision's classifiers as they come, and the layer below their heads
FAMILIES = ("alexnet", "vgg11", "resnet18", "densenet121", "mobilenet_v2", "efficientnet_b0", "squeezenet1_1")
NAMED = ("CAM", "Grad-CAM", "Grad-CAM++")
CAPTUM = {"Grad-CAM": "LayerGradCam"}  # of the three maps, what Captum has


def completeness(seen: Seen) -> Estimate:
    """Largest difference between the mean of a class's CAM plus its bias and its logit, as a share of the largest
    logit: 0 where the map adds up to what the network says.
    """
    e = explain(seen.trained.fit.model(), as_images(seen.pixels), "cam", "all", LAYER)
    bias = next(m for m in seen.trained.fit.model().fc.modules() if isinstance(m, torch.nn.Linear)).bias.detach()
    error = (e["cam"].double().mean((2, 3)) + bias.double() - e.logits.double()).abs().max()
    return exact(float(error / e.logits.abs().max()), n=len(seen.pixels), how="mean of CAM plus bias against the logit")


def spread_of_alpha(seen: Seen) -> Estimate:
    """How much Grad-CAM++'s weight of a channel varies over places: the deviation of its alpha over the places of a
    channel where the gradient is positive, over its mean, averaged; 0: no place weighs more than another.
    """
    activations, gradients = _layer(seen)
    alpha = 1 / (2 + gradients * activations.sum((2, 3), keepdim=True))
    keep = gradients > 0
    count = keep.sum((2, 3))
    mean = (alpha * keep).sum((2, 3)) / count.clamp_min(1)
    deviation = (((alpha - mean[..., None, None]) ** 2 * keep).sum((2, 3)) / count.clamp_min(1)).sqrt()
    found = (deviation / mean)[count > 1]
    return exact(float(found.mean()), n=len(seen.pixels), how="deviation of alpha over places over its mean")


def gradients_vary(seen: Seen) -> Estimate:
    """How much Grad-CAM's weights, mean gradients of the named class, vary over cells of one class said: deviation over
    their size, averaged over channels; 0 where they are the head's own weights.
    """
    _, gradients = _layer(seen)
    said, weights, found = told(seen, explained(seen, ("gradcam",)))["predicted"], gradients.mean((2, 3)), []
    for label in np.unique(said):
        some = weights[torch.as_tensor(said == label)]
        if len(some) > 1:
            found.append(float(some.std(0).mean() / some.abs().mean()))
    return exact(float(np.mean(found)) if found else float("nan"), n=len(said), how="deviation over cells over size")


def gradcampp_like_cam(seen: Seen) -> Estimate:
    """Mean Spearman correlation of Grad-CAM++ with CAM of the same cells, the class that was said."""
    e = explained(seen, ("cam", "gradcam++"))
    alike = similarity(e["gradcam++"].numpy(), e["cam"].numpy()).spearman
    return exact(float(np.nanmean(alike)), n=int(np.isfinite(alike).sum()), how="Spearman of Grad-CAM++ and CAM")


def of_pooled(pooled: Seen) -> dict[str, Estimate]:
    """Every identity of a network with pooling and one linear layer."""
    return {
        "identity.completeness.max_difference": completeness(pooled),
        "identity.gradcam_is_cam.max_difference": identity(pooled),
        "methods.gradcampp_is_cam.spearman": gradcampp_like_cam(pooled),
        "hooks.pooled.logit_change": unchanged(pooled),
        "captum.gradcam.max_difference": captum_gap(pooled),
        "alpha.pooled.spread": spread_of_alpha(pooled),
        "gradient.pooled.varies": gradients_vary(pooled),
    }


def of_formulas(pooled: Seen, flattened: Seen) -> dict[str, Estimate]:
    """`of_pooled`, and the same of a network with dense layers on every place."""
    return of_pooled(pooled) | {
        "hooks.flattened.logit_change": unchanged(flattened),
        "captum.flattened.gradcam.max_difference": captum_gap(flattened),
        "alpha.flattened.spread": spread_of_alpha(flattened),
        "gradient.flattened.varies": gradients_vary(flattened),
    }


def _layer(seen: Seen) -> tuple[torch.Tensor, torch.Tensor]:
    """Activations of the last layer and the gradient of the named class's score, float64 (N, K, h, w) each."""
    model = seen.trained.fit.model()
    with torch.no_grad():
        activations = model.upper(model.features(as_images(seen.pixels))).double()
    head = torch.nn.Sequential(model.pool, model.flatten, model.fc).double().eval()
    activations.requires_grad_(True)
    logits = head(activations)
    said = logits.argmax(1) if logits.shape[1] > 1 else torch.zeros(len(logits), dtype=torch.long)
    (gradients,) = torch.autograd.grad(logits.gather(1, said[:, None]).sum(), activations)
    return activations.detach(), gradients


def unchanged(seen: Seen) -> Estimate:
    """Largest change of a logit by asking for the maps: 0 exactly."""
    model, images = seen.trained.fit.model(), as_images(seen.pixels)
    with torch.inference_mode():
        before = model(images)
        explain(model, images, ("gradcam", "gradcam++"), None, LAYER)
        after = model(images)
    return exact(float((after - before).abs().max()), n=len(images), how="change of logits by hooking")


def captum_gap(seen: Seen) -> Estimate:
    """Largest difference of our Grad-CAM (after ReLU) from Captum's LayerGradCam, class said, as a share of the largest
    value.
    """
    from captum.attr import LayerGradCam

    model, images = seen.trained.fit.model(), as_images(seen.pixels)
    e = explain(model, images, "gradcam", None, LAYER)
    for parameter in model.parameters():  # Captum needs a gradient that reaches the layer
        parameter.requires_grad_(True)
    target = e.target if e.logits.shape[1] > 1 else None
    theirs = LayerGradCam(model, model.upper).attribute(images, target=target, relu_attributions=True)[:, 0].detach()
    ours = e["gradcam"].relu()
    return exact(float((ours - theirs).abs().max() / ours.abs().max()), n=len(images), how="Grad-CAM against Captum's")


def named_tools() -> tuple[Estimate, pd.DataFrame]:
    """How many of the three maps Captum has under any name. -> count, table"""
    import captum.attr

    known = [name for name in dir(captum.attr) if "cam" in name.lower()]
    rows = {name: {"in Captum": CAPTUM.get(name, "no") if CAPTUM.get(name) in known else "no"} for name in NAMED}
    count = sum(row["in Captum"] != "no" for row in rows.values())
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("map")
    return exact(float(count), n=3, how=f"of three maps; Captum's classes: {', '.join(known)}"), table


def families(side: int = 64) -> tuple[Estimate, pd.DataFrame]:
    """On how many of torchvision's families CAM is defined as they come, random weights. -> count, table"""
    import torchvision

    rows, images = {}, torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    for name in FAMILIES:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = getattr(torchvision.models, name)(weights=None).eval()
        asked = {"CAM": "cam", "Grad-CAM": "gradcam"}
        rows[name] = {title: _defined(model, images, method) for title, method in asked.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("network as it comes")
    count = int((table["CAM"] == "defined").sum())
    return exact(float(count), n=len(FAMILIES), how=f"families of {len(FAMILIES)} on which CAM needs no change"), table


def _defined(model: torch.nn.Module, images: torch.Tensor, method: str) -> str:
    try:
        explain(model, images, method, 0)
    except (HeadError, ValueError):
        return "needs another head"
    return "defined"


def costs(seen: Seen, methods: Sequence[str] = ("cam", "gradcam", "gradcam++"), most: int = 16) -> dict[str, Estimate]:
    """Time of each map over that of a plain forward pass of the same cells, paired repeats, this machine."""
    model, images = seen.trained.fit.model(), as_images(seen.pixels[:most])

    @torch.inference_mode()
    def forward() -> None:
        model(images)

    def of(method: str) -> Callable[[], None]:
        return lambda: explain(model, images, method, None, LAYER)

    return {
        f"cost.{method.replace('++', 'pp')}_over_forward": ratio(of(method), forward, f"{method} over a forward pass")
        for method in methods
    }


def mosaics(seen: Seen, **how) -> Estimate:
    """Whether a map tells classes apart: of two cells of different classes side by side, energy of a class's CAM on its
    own half minus on the other's; two rows a pair, by the group of the class's own cell, one network, cells named
    right alone.
    """
    said, pixels = told(seen, explained(seen)), seen.pixels
    right = np.flatnonzero(said["correct"] == 1)
    rng, rows = np.random.default_rng(0), []
    order = rng.permutation(right)
    pairs = [(a, b) for a, b in zip(order[::2], order[1::2], strict=False) if said["label"][a] != said["label"][b]]
    if not pairs:
        return exact(float("nan"), n=0, how="no two cells of different classes were named right")
    both = np.stack([np.concatenate([pixels[a], pixels[b]], axis=1) for a, b in pairs])
    half = both.shape[2] // 2
    for side in (0, 1):
        labels = torch.as_tensor([said["label"][pair[side]] for pair in pairs])
        maps = explain(seen.trained.fit.model(), as_images(both), "cam", labels, LAYER).upsampled("cam", scale=None)
        mass = maps.numpy()
        total = mass.sum((1, 2))
        own = mass[:, :, half * side : half * (side + 1)].sum((1, 2))
        share = np.divide(own, total, out=np.full(len(own), np.nan), where=total > 0)
        groups = [seen.pictures.groups[pair[side]] for pair in pairs]
        rows.append(pd.DataFrame({"image": np.arange(len(pairs)), "group": groups, "own": share, "other": 1 - share}))
    table = pd.concat(rows, ignore_index=True)
    return difference_by(table, "own", "other", how="CAM energy on the class's own cell minus on the other's", **how)
