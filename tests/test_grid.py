"""From tokens and channels-last outputs to a grid of places, and maps of transformers by a second implementation."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from studylib.cam import explain
from studylib.cam.grid import Grid, grid_of_tokens


@pytest.mark.parametrize(
    ("count", "size", "grid"),
    [
        (196, (224, 224), Grid("tokens", 14, 14, 0)),
        (197, (224, 224), Grid("tokens", 14, 14, 1)),  # a class token
        (201, (224, 224), Grid("tokens", 14, 14, 5)),  # and four registers
        (1370, (518, 518), Grid("tokens", 37, 37, 1)),
        (141, (224, 160), Grid("tokens", 14, 10, 1)),
        (8, (32, 64), Grid("tokens", 2, 4, 0)),
        (30, (16, 16), Grid("tokens", 5, 5, 5)),
        (34, (16, 16), Grid("tokens", 5, 5, 9)),
        (2, (224, 160), None),
        (120, (224, 224), None),  # 100 + 20: more than a model has tokens without a place
    ],
)
def test_tokens_form_the_grid_with_the_aspect_of_the_image(count, size, grid):
    assert grid_of_tokens(count, size) == grid


def test_folding_keeps_rows_and_columns_and_drops_what_has_no_place():
    tokens = torch.arange(7.0).view(1, 7, 1).repeat(1, 1, 2)  # one extra token, then two rows of three
    folded = Grid("tokens", 2, 3, 1).fold(tokens)
    assert folded[0, 1].tolist() == [[1, 2, 3], [4, 5, 6]]
    last = torch.arange(12.0).view(1, 2, 3, 2)
    assert torch.equal(Grid("channels last", 2, 3).fold(last)[0, 1], last[0, :, :, 1])


def transformer(name: str) -> nn.Module:
    torch.manual_seed(0)
    options = {"image_size": 64} if name == "vit_b_16" else {}
    model = getattr(torchvision.models, name)(weights=None, **options).double().eval()
    if name == "vit_b_16":
        nn.init.normal_(model.heads.head.weight, std=0.02)  # torchvision starts it at zero: no logit would depend on x
    return model


def test_vit_against_the_whole_graph_token_by_token():
    """The last norm of tokens (encoder.ln) reads only the class token afterwards; the layer found is the one before the
    last attention, as Grad-CAM on transformers is usually taken.
    """
    model, x = transformer("vit_b_16"), torch.rand(2, 3, 64, 64, dtype=torch.float64)
    e = explain(model, x, ("gradcam", "hirescam", "layercam", "gradcam++"), target=3)
    assert e.layers == ("encoder.layers.encoder_layer_11.ln_1",)
    kept = []
    handle = model.get_submodule(e.layers[0]).register_forward_hook(lambda _m, _i, out: kept.append(out) or out.clone())
    score = model(x)[:, 3].sum()
    handle.remove()
    a, g = kept[0].detach(), torch.autograd.grad(score, kept[0])[0]
    weights = g[:, 1:].mean(1)
    for row in range(4):
        for column in range(4):
            token = 1 + 4 * row + column
            torch.testing.assert_close(e["hirescam"][:, row, column], (a * g)[:, token].sum(1), rtol=1e-9, atol=1e-14)
            torch.testing.assert_close(
                e["gradcam"][:, row, column], (weights * a[:, token]).sum(1), rtol=1e-9, atol=1e-14
            )
    assert e.undefined["gradcam++", e.layers[0]] == ["signed activations"] * 2  # six of seven: tokens are signed


def test_above_the_last_attention_only_the_class_token_counts_so_the_map_is_flat():
    model = transformer("vit_b_16")
    e = explain(model, torch.rand(1, 3, 64, 64).double(), "hirescam", target=3, layers="encoder.ln")
    assert e.undefined["hirescam", "encoder.ln"] == ["flat"]


def test_swin_meets_the_identities_of_a_pooled_head_at_its_last_norm_channels_last():
    model, x = transformer("swin_t"), torch.rand(2, 3, 64, 64, dtype=torch.float64)
    methods = ("cam", "gradcam", "hirescam", "crm", "gradcam++")
    e = explain(model, x, methods, layers=["norm", "permute", "features.3"])
    assert e["gradcam", "features.3"].shape == (2, 8, 8) and e["cam", "norm"].shape == (2, 2, 2)
    for method in ("cam", "gradcam", "hirescam", "crm"):
        torch.testing.assert_close(e[method, "norm"], e[method, "permute"], rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(e["hirescam", "norm"], e["cam", "norm"] / 4, rtol=1e-10, atol=1e-13)
    logit = e.logits.gather(1, e.target[:, None])[:, 0]
    torch.testing.assert_close(e["hirescam", "norm"].sum((1, 2)) + model.head.bias.detach()[e.target], logit)
    assert explain(model, x, "cam").layers == ("permute",)


def test_the_search_leaves_nothing_behind_on_a_transformer():
    model, x = transformer("vit_b_16").train(), torch.rand(1, 3, 64, 64).double()
    explain(model, x, "gradcam")
    assert all(m.training for m in model.modules())
    assert not any(m._forward_hooks for m in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
