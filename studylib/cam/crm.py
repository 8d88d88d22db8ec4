"""CRM, the class-selective relevance map: what the outputs lose when one element of the feature maps is removed.

    features       f  (N, K, h, w), what the head sees
    class_weights  W  (C, K, 1, 1), or (C, K, h, w) for flatten heads: of all classes, since all outputs count
    logits         s  (N, C)
    wanted         t  (N, C), 1 for the explained class, else 0

Removing all channels at one place takes `d_c(x, y) = w_c . f(x, y) / (h w)` from logit c behind a pooled head, and
`w_c(x, y) . f(x, y)` behind a flatten head, so that nothing has to be removed one by one. A head of one logit z counts
as the two classes (0, z). Each function returns (N, h, w).
"""

from __future__ import annotations

import torch
from torch import Tensor

AT_ONCE = 2**24  # numbers of (image, class, place) held at a time


def crm(features: Tensor, class_weights: Tensor) -> Tensor:
    """CRM as printed, `sum_c (s_c - s_c^-)^2 = sum_c d_c^2` (Kim 2019; Guo 2021, eq. 3): never negative, and the same
    for every class.
    """
    pooled = class_weights.shape[2:] == (1, 1)
    if pooled and class_weights.shape[0] > class_weights.shape[1]:  # |W f| = |R f| with W = QR: K rows instead of C
        triangle = torch.linalg.qr(class_weights.flatten(1), mode="r").R
        class_weights = triangle[:, :, None, None]
    return torch.cat([_losses(part, class_weights).square().sum(1) for part in _parts(features, class_weights)])


def crm_mse(features: Tensor, class_weights: Tensor, logits: Tensor, wanted: Tensor) -> Tensor:
    """CRM as described, the rise of the squared error, `sum_c (t_c - s_c^-)^2 - sum_c (t_c - s_c)^2` (Guo 2021, text):
    signed; equals `crm` + `2 sum_c (t_c - s_c) d_c`.
    """
    towards = torch.einsum("nc,ckxy->nkxy", wanted - logits, class_weights)
    return crm(features, class_weights) + 2 * (towards * features).sum(1) / _places(features, class_weights)


def crm_softmax(features: Tensor, class_weights: Tensor, logits: Tensor) -> Tensor:
    """`crm` with the outputs of softmax, `sum_c (p_c - p_c^-)^2`, `p^- = softmax(s - d)`."""

    def change(without: Tensor, p: Tensor, _: Tensor) -> Tensor:
        return (p - without).square().sum(1)

    return _over_softmax(change, features, class_weights, logits, logits)


def crm_mse_softmax(features: Tensor, class_weights: Tensor, logits: Tensor, wanted: Tensor) -> Tensor:
    """`crm_mse` with the outputs of softmax, `sum_c (t_c - p_c^-)^2 - sum_c (t_c - p_c)^2`: signed."""

    def change(without: Tensor, p: Tensor, t: Tensor) -> Tensor:
        return (t - without).square().sum(1) - (t - p).square().sum(1)

    return _over_softmax(change, features, class_weights, logits, wanted)


def _over_softmax(change, features: Tensor, class_weights: Tensor, logits: Tensor, wanted: Tensor) -> Tensor:
    made, at = [], 0
    for part in _parts(features, class_weights):
        s, t = (x[at : at + len(part), :, None, None] for x in (logits, wanted))
        at += len(part)
        made.append(change((s - _losses(part, class_weights)).softmax(1), s.softmax(1), t))
    return torch.cat(made)


def _losses(features: Tensor, class_weights: Tensor) -> Tensor:
    """What each logit loses at each place, d: (N, C, h, w)."""
    if class_weights.shape[2:] == (1, 1):
        lost = torch.einsum("ck,nkxy->ncxy", class_weights.flatten(1), features)
    else:
        lost = torch.einsum("ckxy,nkxy->ncxy", class_weights, features)
    return lost / _places(features, class_weights)


def _places(features: Tensor, class_weights: Tensor) -> int:
    """Places that a pooled head averages over; 1 for a flatten head. A pooled head on one place is both."""
    return features.shape[2] * features.shape[3] if class_weights.shape[2:] == (1, 1) else 1


def _parts(features: Tensor, class_weights: Tensor) -> tuple[Tensor, ...]:
    """Images in parts, so that memory stays bounded with a thousand classes on a fine grid."""
    return features.split(max(1, AT_ONCE // (class_weights.shape[0] * features.shape[2] * features.shape[3])))
