"""`prepare`: a copy of a model for many forward passes: batch norm folded into convolutions, channels last, bf16."""

from __future__ import annotations

import copy
from collections import Counter
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def prepare(model: nn.Module, *, dtype: torch.dtype | None = None) -> nn.Module:
    """Return a copy for inference that gives the same logits in less time; the model itself is not changed.

    The copy is in eval mode, asks for no gradients of its weights, is laid out channels last, and each batch norm that
    alone follows a convolution is folded into it: logits within 1e-5 of the largest in float32. Modules keep their
    names (a folded batch norm becomes an Identity), so `explain` finds the same layers. Hooks stay with the model.

    dtype: torch.bfloat16 computes in that precision (logits then differ in the third digit; a processor without such
    instructions emulates them, many times slower than float32: `make doctor` says); images may stay float32, and
    logits come back as float32. Which batch norms follow which convolution is read by torch.fx; what it cannot
    trace (control flow on values) is left unfolded. Raises TypeError for what is no module, ValueError for a
    dtype that is not floating point.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; it must be a torch.nn.Module")
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype is {dtype}; it must be floating point, for instance torch.bfloat16")
    ready = copy.deepcopy(model).eval().requires_grad_(False)
    for module in ready.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    for convolution, norm in foldable(ready):
        ready.set_submodule(convolution, fuse_conv_bn_eval(*map(ready.get_submodule, (convolution, norm))))
        ready.set_submodule(norm, nn.Identity())
    ready = ready.to(memory_format=torch.channels_last)
    if dtype is not None:
        ready = ready.to(dtype)
        ready.register_forward_pre_hook(partial(_images_to, dtype))
        ready.register_forward_hook(_logits_to_float32)
    return ready


def foldable(model: nn.Module) -> list[tuple[str, str]]:
    """Names of (convolution, batch norm): the second alone reads the first, each runs once; none if not traceable.

    Where a part of the model cannot be traced, the model's own forward is, its parts taken as they are.
    """
    graph = _traced(model)
    if graph is None:
        return []
    modules = dict(model.named_modules())
    names = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    runs = Counter(node.target for node in graph.nodes if node.op == "call_module")
    found = []
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.BatchNorm2d):
            continue
        before = node.args[0]
        if (
            isinstance(before, torch.fx.Node)
            and before.op == "call_module"
            and type(modules[before.target]) is nn.Conv2d
            and len(before.users) == 1
            and runs[before.target] == runs[node.target] == 1
            and names[id(modules[before.target])] == names[id(modules[node.target])] == 1  # no part uses them unseen
            and modules[node.target].running_mean is not None  # without, each batch has statistics of its own
        ):
            found.append((before.target, node.target))
    return found


class _Parts(torch.fx.Tracer):
    """Traces the model's own forward and its Sequentials; every other module is taken as it is."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, nn.Sequential)


def _traced(model: nn.Module) -> torch.fx.Graph | None:
    for tracer in (torch.fx.Tracer(), _Parts()):
        try:
            return tracer.trace(model)
        except Exception:  # tracing runs the model's own code on stand-ins: whatever it raises means "not traceable"
            continue
    return None


def _images_to(dtype: torch.dtype, _module: nn.Module, inputs: tuple) -> tuple:
    return tuple(x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs)


def _logits_to_float32(_module: nn.Module, _inputs: tuple, output):
    return output.float() if isinstance(output, Tensor) else output
