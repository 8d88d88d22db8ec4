"""One forward pass that keeps the layers' outputs and leaves nothing behind: the cut and its restoration.

Below the first target layer the model runs without a graph. That layer's output becomes a leaf, gradient mode goes
on, and the model is handed a clone, so that an in-place successor cannot overwrite what was kept. Layers further up
are kept as they come. Everything that was switched is switched back, whatever happens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from studylib.cam.grid import Grid
from studylib.cam.layers import LayerError, Ran, grid_of, is_spatial, last_spatial, likely_last

TOKEN_LAYERS = 4  # norms of a transformer, from the last down, that are tried for the last one that the logits read


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Run with the model in eval mode and without a graph; on leaving, put back what the caller had.

    Put back: each module's mode, the random number generators (CPU and the model's GPUs), grad and inference mode.
    """
    modes = [(module, module.training) for module in model.modules()]
    devices = {t.device.index for t in [*model.parameters(), *model.buffers()] if t.is_cuda}
    try:
        for module, _ in modes:
            module.training = False  # the flag alone: a train() of the model's own may do more than that
        with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(sorted(devices)), _eager(model):
            yield
    finally:
        for module, training in modes:
            module.training = training
        # Whether autocast remembers weights that it cast without a graph differs between versions of torch; a training
        # step in the same autocast must not find them.
        torch.clear_autocast_cache()


def _eager(model: nn.Module) -> AbstractContextManager:
    """Run compiled modules as they were written: compiled code would pass the hooks by."""
    compiled = any(m._compiled_call_impl is not None or hasattr(m, "_orig_mod") for m in model.modules())
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


@dataclass
class Run:
    """What one forward pass gave: the model's `output`, and the layers' outputs `kept` as they came, in the order in
    which they ran, each with its `grids`.
    """

    output: object
    kept: dict[str, Tensor]
    grids: dict[str, Grid]

    @property
    def activations(self) -> dict[str, Tensor]:
        """(N, K, h, w) by layer, without a graph."""
        return {name: self.grids[name].fold(kept.detach()) for name, kept in self.kept.items()}

    def gradients(self, score: Tensor, again: bool = False) -> dict[str, Tensor]:
        """Gradient of the scalar `score` with respect to each layer; `again` keeps the graph for another score."""
        names = ", ".join(map(repr, self.kept))
        if not score.requires_grad:
            raise LayerError(
                f"the logits have no gradient with respect to {names}: the model's forward turns gradients off above "
                "the layer (no_grad, detach) or does not use it; name another layer"
            )
        found = torch.autograd.grad(score, list(self.kept.values()), retain_graph=again, allow_unused=True)
        for name, gradient in zip(self.kept, found, strict=True):
            if gradient is None:
                raise LayerError(f"the logits do not depend on the layer {name!r} by a gradient; name another layer")
        return {name: self.grids[name].fold(g) for name, g in zip(self.kept, found, strict=True)}


class Handed(NamedTuple):
    """A tensor handed on to the model, its version then, and the layer that it stands for."""

    tensor: Tensor
    version: int
    name: str


@dataclass
class Cut:
    """Hooks that keep outputs: of the `named` layers or, where None, of all spatial ones from the likely last on."""

    model: nn.Module
    images: Tensor
    named: dict[str, nn.Module] | None
    graph: bool
    kept: dict[str, Tensor] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    runs: Counter = field(default_factory=Counter)
    order: list[Ran] = field(default_factory=list)
    grids: dict[str, Grid] = field(default_factory=dict)
    near: bool = False  # a likely last layer has run
    begun: bool = False
    handed: Handed | None = None

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Hold the hooks while the model runs; they are removed on success and on any exception."""
        handles = []
        try:
            if self.named is not None:
                for name, module in self.named.items():
                    handles.append(module.register_forward_hook(self._named_hook(name)))
            else:
                likely = likely_last(self.model)
                for name, module in self.model.named_modules():
                    if name:
                        handles.append(module.register_forward_hook(self._search_hook(name, module in likely)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _named_hook(self, name: str):
        def hook(module: nn.Module, _inputs, output):
            self.runs[name] += 1
            if self.runs[name] > 1:
                raise LayerError(
                    f"the layer {name!r} ({type(module).__name__}) runs more than once in a forward pass, so its map "
                    "would have no one meaning; name the module around it, or give each use a module of its own"
                )
            self.grids[name] = grid_of(name, module, output, self.images)
            return self._keep(name, output)

        return hook

    def _search_hook(self, name: str, likely: bool):
        def hook(module: nn.Module, _inputs, output):
            self.runs[name] += 1
            if not isinstance(output, Tensor):
                return None
            self.order.append(Ran(name, module, tuple(output.shape), output.is_floating_point()))
            self.near |= likely
            if self.near and is_spatial(*self.order[-1][1:]):
                self.grids[name] = grid_of(name, module, output, self.images)
                return self._keep(name, output)
            return None

        return hook

    def _keep(self, name: str, output: Tensor) -> Tensor | None:
        """Keep a layer's output; return what the model goes on with, None for the output itself."""
        self.kept.pop(name, None)
        if not self.graph:
            self.begun = True
            self.kept[name] = output.detach().clone()  # a copy of its own: nothing can write into it
            return None
        last = self.handed
        if last is not None and output is last.tensor and output._version == last.version:
            # A container that hands on what its last module gave.
            self.kept[name], self.versions[name] = self.kept[last.name], self.versions[last.name]
            return None
        kept = self._in_graph(name, output)
        goes_on = kept.clone()
        self.kept[name], self.versions[name] = kept, kept._version
        self.handed = Handed(goes_on, goes_on._version, name)
        return goes_on

    def _in_graph(self, name: str, output: Tensor) -> Tensor:
        if torch.is_inference_mode_enabled():
            raise LayerError(
                f"the model's forward turns on inference mode around {name!r}, so there is no gradient; take that out "
                "(no_grad is enough), or ask for 'cam' alone"
            )
        if self.begun and output.requires_grad:
            return output
        torch.set_grad_enabled(True)  # until `undisturbed` puts it back
        self.begun = True
        return (output.clone() if output.is_inference() else output.detach()).requires_grad_()

    def check_untouched(self) -> None:
        """Raise LayerError where the model wrote into a kept tensor behind the clone."""
        for name, version in self.versions.items():
            if name in self.kept and self.kept[name]._version != version:
                raise LayerError(
                    f"the model changes the output of {name!r} in place by another name for it; name the layer before "
                    "or after it"
                )


def run(model: nn.Module, images: Tensor, layers: dict[str, nn.Module] | None, graph: bool) -> Run:
    """Run the model once, inside `undisturbed`, and keep the layers' outputs, with a graph above them if `graph`.

    layers None: the last spatial one before the head. Which one that is is known only afterwards, so the graph begins
    at a likely place; where the layer lay before it, or the model works on tokens, the forward pass is run again. So it
    is where the model itself turns gradients off around the layer and on above it: then the whole pass runs with
    gradients on.
    """
    cut = Cut(model, images, layers, graph)
    with cut.hooks():
        output = passed(model, images)
    if layers is None:
        logits = isinstance(output, Tensor) and output.ndim == 2
        names = last_spatial(cut.order, cut.runs, output.shape[1] if logits else 1)
        if names[0] not in cut.kept:
            torch.set_grad_enabled(False)
            found = {name: dict(model.named_modules())[name] for name in reversed(names[:TOKEN_LAYERS])}
            return _the_last_that_is_read(run(model, images, found, graph or len(found) > 1))
        cut.kept = {names[0]: cut.kept[names[0]]}
    for name in layers or ():
        if name not in cut.kept:
            raise LayerError(f"the layer {name!r} does not run in eval mode; name one that does")
    cut.check_untouched()
    if graph and isinstance(output, Tensor) and not output.requires_grad and not torch.is_grad_enabled():
        torch.set_grad_enabled(True)  # what the model's own no_grad puts back on leaving
        return run(model, images, layers or {name: dict(model.named_modules())[name] for name in cut.kept}, graph)
    torch.set_grad_enabled(graph)  # for the score
    return Run(output, cut.kept, cut.grids)


def _the_last_that_is_read(seen: Run) -> Run:
    """Keep the last layer whose places the logits depend on: above the last attention only the class token counts."""
    if len(seen.kept) > 1:
        gradients = seen.gradients(seen.output.float().sum(), again=True)
        name = next((name for name in reversed(list(seen.kept)) if gradients[name].any()), list(seen.kept)[-1])
        seen.kept = {name: seen.kept[name]}
    return seen


def passed(model: nn.Module, images: Tensor) -> object:
    """What the model returns for images, weights made in inference mode or not."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    if any(
        t.is_inference() for t in tensors.values()
    ):  # autograd refuses tensors made in inference mode: copies stand in
        return torch.func.functional_call(model, {name: t.clone() for name, t in tensors.items()}, (images,))
    return model(images)
