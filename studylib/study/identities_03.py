"""What follows from the formulas of CAM and CRM on a pooled linear head, each identity as one number; and what the
closed form costs against removing elements one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from studylib.cam.crm import crm, crm_mse, crm_mse_softmax, crm_softmax
from studylib.cam.regions import find_regions
from studylib.metrics.intervals import Estimate, exact, mean_by
from studylib.models.pyramid import LEVELS
from studylib.study.cost import ratio
from studylib.study.heads_03 import BEST, Head, features_of
from studylib.study.maps_03 import CUT, ROOT, Looked, averaged, explained, said

FEW, TIMED = 4, 16  # images where elements are removed one by one, to compare values and to compare times


@torch.inference_mode()
def joined(looked: Looked, head: Head) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the head sees in float64: joined levels (N, K, h, w), weights (2, K), biases (2,)."""
    network = head.network(looked.of)
    features = network.upper(features_of(network, looked.images)).double()
    return features, network.fc.weight.double(), network.fc.bias.double()


def removed(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Logits with all channels at one place set to zero, each place in turn, as the source describes it: (N, C, h, w).
    features: (N, K, h, w)
    """
    n, _, h, w = features.shape
    found = torch.empty(n, len(bias), h, w, dtype=features.dtype)
    for y in range(h):
        for x in range(w):
            kept = features[:, :, y, x].clone()
            features[:, :, y, x] = 0
            found[:, :, y, x] = features.mean((2, 3)) @ weight.T + bias
            features[:, :, y, x] = kept
    return found


def by_removal(looked: Looked, head: Head) -> dict[str, Estimate]:
    """Largest difference between each closed form of CRM and removal one by one, as a share of the largest value."""
    features, weight, bias = (x.clone() for x in joined(looked.where(_first(looked, FEW)), head))
    logits = features.mean((2, 3)) @ weight.T + bias
    without = removed(features, weight, bias)
    wanted = torch.nn.functional.one_hot(logits.argmax(1), 2).to(logits.dtype)
    s, t = logits[:, :, None, None], wanted[:, :, None, None]
    p, q = s.softmax(1), without.softmax(1)
    heads = weight[:, :, None, None]
    pairs = {
        "crm": (crm(features, heads), (s - without).square().sum(1)),
        "crm_mse": (crm_mse(features, heads, logits, wanted), ((t - without) ** 2 - (t - s) ** 2).sum(1)),
        "crm_softmax": (crm_softmax(features, heads, logits), (p - q).square().sum(1)),
        "crm_mse_softmax": (crm_mse_softmax(features, heads, logits, wanted), ((t - q) ** 2 - (t - p) ** 2).sum(1)),
    }
    return {
        f"identity.{name}_by_removal.max_difference": exact(
            float((ours - theirs).abs().max() / theirs.abs().max()), n=len(features), how="closed form against removal"
        )
        for name, (ours, theirs) in pairs.items()
    }


def _first(looked: Looked, most: int) -> np.ndarray:
    return np.arange(len(looked.rows)) < most


def of_formulas(looked: Looked, head: Head) -> dict[str, Estimate]:
    """CRM as printed is the sum of squared CAMs over the squared number of places, the same for both classes; CAM plus
    bias adds up to the logit; a head on joined levels is one on the levels' own means.
    """
    features, weight, bias = joined(looked, head)
    cams = torch.einsum("ck,nkxy->ncxy", weight, features)
    places = cams.shape[2] * cams.shape[3]
    printed = crm(features, weight[:, :, None, None])
    squared = cams.square().sum(1) / places**2
    logits = features.mean((2, 3)) @ weight.T + bias
    asked = [explained(looked, head, ("crm",), c)["crm"] for c in (0, 1)]
    pooled = torch.as_tensor(head.logits(looked.of.means[looked.rows].astype(float)))
    n = len(looked.rows)

    def gap(a: torch.Tensor, b: torch.Tensor, text: str) -> Estimate:
        return exact(
            float((a - b).abs().max() / b.abs().max()), n=n, how=f"{text}, largest difference over largest value"
        )

    return {
        "identity.crm_is_squared_cam.max_difference": gap(printed, squared, "CRM against squared CAMs"),
        "identity.crm_of_two_classes.max_difference": gap(asked[0], asked[1], "CRM of one class against the other's"),
        "identity.completeness.max_difference": gap(cams.mean((2, 3)) + bias, logits, "mean of CAM plus bias, logit"),
        "heads.joined_minus_pooled.max_difference": gap(logits, pooled, "head on joined levels, on their own means"),
    }


def of_heads(
    made: Sequence[Mapping[tuple[str, ...], Head]], printed: Sequence[Mapping], levels=BEST
) -> dict[str, Estimate]:
    """How nearly the two rows of weights are opposites, cosine, converged and as printed, networks averaged."""
    found = {}
    for name, heads in (("converged", [h[levels] for h in made]), ("printed", [h[levels][0] for h in printed])):
        values = [h.cosine for h in heads]
        text = f"cosine of w0 and -w1, {name}, mean of {len(values)} networks"
        found[f"head.{name}.cosine"] = exact(float(np.mean(values)), n=len(values), how=text)
    return found


def against_class(looked: Sequence[Looked], heads: Sequence[Mapping], levels=BEST, **how) -> dict[str, Estimate]:
    """Share of CRM's region in which removal raises the score of the class that was said: the printed square hides that
    sign. And the share of such places that incremental MSE calls relevant.
    """
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        e = explained(seen, made[levels], ("cam", "crm", "crm_mse_softmax"))
        against, row = e["cam"].numpy() < 0, seen.table() | said(e, seen.of.labels[seen.rows])
        for method in ("crm", "crm_mse_softmax"):
            regions = find_regions(e[method], "fraction", CUT)
            share = np.divide(
                (regions.masks & against).sum((1, 2)), regions.masks.sum((1, 2)),
                out=np.full(len(against), np.nan), where=regions.defined,
            )  # fmt: skip
            row[method] = share
        tables.append(pd.DataFrame(row))
    table = pd.concat(tables, ignore_index=True)
    return {
        f"region.{method}.against_class": mean_by(
            averaged(table, [method]),
            method,
            how=f"share of the region of {method} that speaks against the class",
            **how,
        )
        for method in ("crm", "crm_mse_softmax")
    }


def coincide(looked: Sequence[Looked], heads: Sequence[Mapping], levels=BEST, **how) -> dict[str, Estimate]:
    """IoU of CRM's region at CUT with that of |CAM| at ROOT, at the layer's own size and after upsampling: 1 where two
    rows of weights are each other's opposite and nothing is upsampled.
    """
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        e = explained(seen, made[levels], ("cam", "crm"))
        row = seen.table()
        for name, size in (("native", None), ("upsampled", seen.side)):
            a = find_regions(e["cam"].abs(), "fraction", ROOT, size=size)
            b = find_regions(e["crm"], "fraction", CUT, size=size)
            union = (a.masks | b.masks).sum((1, 2))
            row[name] = np.divide((a.masks & b.masks).sum((1, 2)), union, out=np.full(len(union), np.nan),
                                  where=a.defined & b.defined)  # fmt: skip
        tables.append(pd.DataFrame(row))
    table = averaged(pd.concat(tables, ignore_index=True), ["native", "upsampled"])
    return {
        f"coincide.{name}.iou": mean_by(
            table, name, how=f"IoU of CRM at {CUT:g} and |CAM| at {ROOT:.3f}, {name}", **how
        )
        for name in ("native", "upsampled")
    }


def cost(looked: Looked, head: Head, repeats: int = 5) -> dict[str, Estimate]:
    """Time of removing elements one by one, an image after the other and a place of all images at once, over that of
    the closed form for the same images, same values.
    """
    features, weight, bias = (x.float() for x in joined(looked.where(_first(looked, TIMED)), head))
    heads = weight[:, :, None, None]

    def loop(parts: tuple[torch.Tensor, ...]) -> None:
        for part in parts:
            s = part.mean((2, 3)) @ weight.T + bias
            (s[:, :, None, None] - removed(part, weight, bias)).square().sum(1)

    found = {}
    with torch.inference_mode():
        for name, parts in (("loop", features.split(1)), ("batched_loop", (features,))):
            text = f"removal one by one ({name.replace('_', ' ')}) over the closed form of CRM, {len(features)} images"
            found[f"cost.crm_{name}_over_closed"] = ratio(
                lambda parts=parts: loop(parts), lambda: crm(features, heads), text, repeats
            )
    return found


def parameters(fits, detector: str, heads: Mapping[tuple[str, ...], Head]) -> pd.DataFrame:
    """Numbers that are trained: the detector's two subnets, and each head that takes their place."""
    network = fits.select(detector)[0].fit.model()
    rows = {"RetinaNet's two subnets": sum(p.numel() for p in network.head.parameters())}
    rows |= {f"head on {'+'.join(levels)}": h.weight.size + h.bias.size for levels, h in heads.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["parameters"]).rename_axis("part")


def head_share(table: pd.DataFrame, levels: Sequence[str] = LEVELS) -> Estimate:
    """Parameters of the largest head over those of the detector's subnets. table: `parameters`"""
    share = table["parameters"].iloc[-1] / table["parameters"].iloc[0]
    return exact(float(share), n=1, how=f"parameters of the head on {'+'.join(levels)} over those of the two subnets")
