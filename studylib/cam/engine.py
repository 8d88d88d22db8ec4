"""`explain`: maps by all methods, at all layers, for all images of a batch, from one forward and one backward pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from studylib.cam.capture import Run, passed, run, undisturbed
from studylib.cam.explanation import Explanation, joined
from studylib.cam.formulas import MASKED, METHODS, Method, find_methods, signed
from studylib.cam.heads import Head, HeadError, find_head, wide
from studylib.cam.layers import find_layers
from studylib.cam.scorecam import masked_logits

Heads = dict[str, Head | HeadError]
Maps = dict[tuple[str, str], Tensor]


def explain(
    model: nn.Module,
    images: Tensor,
    methods: str | Sequence[str] = ("gradcam",),
    target: int | str | Sequence[int] | Tensor | None = None,
    layers: str | nn.Module | Sequence[str | nn.Module] | None = None,
    *,
    batch_size: int | None = None,
) -> Explanation:
    """Maps of a classifier for a batch of images: one forward pass and, for maps of gradients, one backward.

    model: images (N, C, H, W) -> logits (N, classes), or (N, 1) or (N,) for one logit; it runs in eval mode, and
    nothing of it is changed. methods: names in METHODS. layers: names or modules; None finds the last spatial one.
    target: None (the predicted class), a class, one for each image, or "all" (maps get a class axis; a backward pass
    for each class). One logit has two sides: 1 explains the logit, 0 minus the logit; predicted is 1 where it is above
    0. batch_size: images in one pass, so that memory does not grow with N (None: all at once; Score-CAM, which makes a
    forward pass for each channel, then takes 32 masked images at a time). Maps have the layer's own size, tokens of
    transformers folded back to their grid, float32 (float64 where the layer has it). Raises ValueError for what has no
    answer: an unknown method, layer or class, a layer that runs twice, `cam` where no layer's head is linear in it.
    """
    asked = find_methods(methods)
    model = _plain_model(model)
    images = _plain_images(images)
    named = None if layers is None else find_layers(model, layers)
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise ValueError(f"batch_size is {batch_size!r}; it must be a whole number of images, 1 or more, or None")
    if batch_size is None or batch_size >= len(images):
        return _explain(model, images, asked, target, named, batch_size)
    targets = _targets_in_parts(target, len(images), batch_size)
    parts = []
    for part, wanted in zip(images.split(batch_size), targets, strict=True):
        parts.append(_explain(model, part, asked, wanted, named, batch_size))
        named = named or find_layers(model, parts[0].layers)
    return joined(parts)


def _explain(
    model: nn.Module, images: Tensor, asked: list[Method], target, named: dict | None, at_once: int | None
) -> Explanation:
    with undisturbed(model):
        images = images.clone() if images.is_inference() else images.detach()
        seen = run(model, images, named, graph=any(m.needs_gradients for m in asked))
        # The caller's autocast is meant for the model; backward and maps have the precision that their inputs have.
        with torch.autocast(images.device.type, enabled=False):
            logits = _logits(seen.output, len(images))
            chosen = _targets(target, logits.detach())
            heads = _heads(model, seen, logits.detach(), asked)
        masked = _masked(model, images, seen, asked, chosen, logits.shape[1], at_once)
        with torch.autocast(images.device.type, enabled=False):
            maps = _maps(asked, seen, logits, chosen, heads, masked)
    return Explanation(
        maps=maps,
        logits=logits.detach(),
        target=chosen,
        layers=tuple(seen.kept),
        methods=tuple(m.name for m in asked),
        size=tuple(images.shape[2:]),
        refused={(m.name, x): str(heads[x]) for m in asked for x in heads if (m.name, x) not in maps},
        signed={layer: signed(a).tolist() for layer, a in seen.activations.items()},
    )


def _targets_in_parts(target, n: int, batch_size: int) -> list:
    """The target of each part: what was given, or its share of one for each image."""
    starts = range(0, n, batch_size)
    if target is None or isinstance(target, str) or torch.as_tensor(target).ndim == 0:
        return [target for _ in starts]
    if len(target) != n:
        raise ValueError(f"target has {len(target)} classes for {n} images: give one class, or one for each image")
    return [target[i : i + batch_size] for i in starts]


@torch.no_grad()
def _masked(
    model: nn.Module, images: Tensor, seen: Run, asked: list[Method], target: Tensor, outputs: int, at_once: int | None
) -> dict[tuple[str, str], Tensor]:
    """Scores under the masks that the methods ask for, (quantity, layer) -> (N, K, c), c of them explained."""
    classes = target[:, None] if target.ndim == 1 else target
    sign = 2 * classes[:, None] - 1 if outputs == 1 else 1
    classes = torch.zeros_like(classes) if outputs == 1 else classes

    def forward(part: Tensor) -> Tensor:
        return _logits(passed(model, part), len(part))

    scores = {}
    for layer, a in seen.activations.items():
        for quantity in dict.fromkeys(q for m in asked for q in m.needs_masked):
            made = masked_logits(forward, images, wide(a), classes, MASKED[quantity], at_once)
            scores[quantity, layer] = torch.where(made.isneginf(), made, sign * made)
    return scores


def _maps(asked: list[Method], seen: Run, logits: Tensor, target: Tensor, heads: Heads, masked: Maps) -> Maps:
    """Every map that exists: (N, h, w), or (N, classes, h, w) for a target of (N, classes)."""
    sides = [target] if target.ndim == 1 else list(target.unbind(1))
    parts: dict[tuple[str, str], list[Tensor]] = {}
    gradients: dict[str, Tensor] = {}
    for i, side in enumerate(sides):
        if logits.shape[1] == 1:  # one logit: side 1 is the logit, side 0 minus the logit
            column, sign = torch.zeros_like(side), 2 * side - 1
        else:
            column, sign = side, torch.ones_like(side)
        if any(m.needs_gradients for m in asked):
            if i > 0 and logits.shape[1] == 1:
                gradients = {layer: -g for layer, g in gradients.items()}
            else:
                score = sign * logits.gather(1, column[:, None])[:, 0]
                gradients = _gradients(seen, score, again=i + 1 < len(sides) and logits.shape[1] > 1)
        for layer, kept in seen.activations.items():
            a = wide(kept)
            quantities = {"activations": a, "gradients": gradients.get(layer)}
            quantities |= {quantity: scores[:, :, i] for (quantity, x), scores in masked.items() if x == layer}
            head = heads.get(layer)
            if isinstance(head, Head):
                quantities["features"] = head.features(a)
                quantities["weights"] = head.weights[column] * sign.to(a.dtype)[:, None, None, None]
                quantities |= _of_all_classes(head, wide(logits.detach()), side)
            for method in asked:
                if not method.needs_head or isinstance(head, Head):
                    made = method.formula(**{name: quantities[name] for name in method.needs})
                    parts.setdefault((method.name, layer), []).append(made)
    return {key: made[0] if target.ndim == 1 else torch.stack(made, 1) for key, made in parts.items()}


def _of_all_classes(head: Head, logits: Tensor, side: Tensor) -> dict[str, Tensor]:
    """What CRM needs of all classes; a head of one logit z counts as the classes (0, z)."""
    weights = head.weights
    if logits.shape[1] == 1:
        weights, logits = torch.cat([torch.zeros_like(weights), weights]), torch.cat([0 * logits, logits], 1)
    wanted = torch.nn.functional.one_hot(side, logits.shape[1]).to(weights.dtype)
    return {"class_weights": weights, "logits": logits.to(weights.dtype), "wanted": wanted}


def _gradients(seen: Run, score: Tensor, again: bool) -> dict[str, Tensor]:
    """Gradients of each image's score, (N,), in one backward pass; (N, K, h, w) by layer."""
    half = any(a.dtype == torch.float16 for a in seen.activations.values())
    boost = 2.0**10 if half else 1.0  # float16 gradients would underflow; a power of two rounds nothing
    return {layer: wide(g) / boost for layer, g in seen.gradients((wide(score) * boost).sum(), again).items()}


def _heads(model: nn.Module, seen: Run, logits: Tensor, asked: list[Method]) -> Heads:
    """The head above each layer or the error that says why there is none, raised where no layer has one."""
    if not any(m.needs_head for m in asked):
        return {}
    others = ", ".join(m.name for m in METHODS.values() if not m.needs_head)
    heads: Heads = {}
    for layer, kept in seen.activations.items():
        try:
            heads[layer] = find_head(model, layer, kept, logits, others)
        except HeadError as error:
            heads[layer] = error
    if not any(isinstance(h, Head) for h in heads.values()):
        raise heads[layer]
    return heads


def _targets(target, logits: Tensor) -> Tensor:
    """Classes to explain, (N,), or (N, classes) for "all"; raises ValueError with what was given and what there is."""
    n, classes = len(logits), max(logits.shape[1], 2)
    known = f"a class from 0 to {classes - 1}"
    if target is None:
        return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
    if isinstance(target, str):
        if target != "all":
            raise ValueError(f"target {target!r} is not known: None, {known}, one for each image, or 'all'")
        return torch.arange(classes, device=logits.device).expand(n, classes)
    given = torch.as_tensor(target, device=logits.device)
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        raise ValueError(f"target holds {given.dtype}; it needs whole numbers, {known}")
    if given.ndim > 1 or (given.ndim == 1 and len(given) != n):
        raise ValueError(f"target has shape {tuple(given.shape)} for {n} images: give one class, or one for each image")
    given = given.long().expand(n).clone()
    wrong = given[(given < 0) | (given >= classes)].tolist()
    if wrong:
        raise ValueError(f"target holds {wrong[0]}, but the model has {known}")
    return given


def _logits(output: object, n: int) -> Tensor:
    if not isinstance(output, Tensor):
        raise ValueError(f"the model returns a {type(output).__name__}; wrap it so that it returns logits (N, classes)")
    logits = output[:, None] if output.ndim == 1 else output
    if logits.ndim != 2 or len(logits) != n or not logits.is_floating_point():
        shape = f"{tuple(output.shape)} of {output.dtype}"
        raise ValueError(
            f"the model returns {shape} for {n} images; it must return logits (N, classes), (N, 1) or (N,)"
        )
    return logits


def _plain_model(model: nn.Module) -> nn.Module:
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps: hooks need the module inside
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; it must be a torch.nn.Module")
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        raise ValueError(f"the model is wrapped in {type(model).__name__}; explain model.module")
    if any(isinstance(m, torch.jit.ScriptModule) for m in model.modules()):
        raise ValueError(
            "the model holds scripted or traced modules, whose layers cannot be kept; explain the original"
        )
    return model


def _plain_images(images: Tensor) -> Tensor:
    if not isinstance(images, Tensor):
        raise TypeError(f"images is a {type(images).__name__}; it must be a tensor (N, C, H, W)")
    if images.ndim != 4 or len(images) == 0:
        hint = "; add the batch axis with images[None]" if images.ndim == 3 else ""
        raise ValueError(f"images has the shape {tuple(images.shape)}; it must be (N, C, H, W) with N > 0{hint}")
    if not images.is_floating_point():
        raise ValueError(f"images holds {images.dtype}; scale it to floating point numbers as the model was trained on")
    return images
