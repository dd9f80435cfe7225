"""Loss functions over voxels that are known.

Independent sigmoids alone learn almost nothing at first, because most voxels belong to no structure. So
training warms up with a softmax over the exclusive structures and the background, whose logit is zero. A
structure wins over the background where its logit is positive, which agrees with the sigmoid.

All losses take logits (N, h, w, d), targets of the same shape, and ``known``, of the same shape: voxels whose
truth is not known for a structure contribute nothing to its loss.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_IMPOSSIBLE = -1e4
_SMOOTH = 1.0
_LEAST_VOXELS = 50


def dice_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Compute 1 - Dice of each structure.

    Args:
        probabilities: (N, …), zero where the truth is not known.
        targets: Masks of the same shape and type.

    Returns:
        (N,); close to 0 for a structure that is neither there nor predicted.
    """
    p, t = probabilities.flatten(1), targets.flatten(1)
    return 1 - (2 * (p * t).sum(1) + _SMOOTH) / (p.sum(1) + t.sum(1) + _SMOOTH)


def exclusive_loss(logits: Tensor, targets: Tensor, known: Tensor, balance: float = 0.0) -> Tensor:
    """Compute softmax cross-entropy and Dice loss over exclusive structures and the background (logit zero).

    Args:
        logits: (N, h, w, d), one channel per structure.
        targets: Masks of the same shape, which do not overlap.
        known: Where the truth is known, of the same shape. Where it is unknown for one structure only, the
            others are told apart from the background without it.
        balance: Exponent b of the class weights, (number of voxels)^-b: 0 weights all voxels equally, 1 all
            classes.
    """
    somewhere = known.any(0)
    possible = logits.masked_fill(~known, _IMPOSSIBLE)
    log_shares = torch.cat((torch.zeros_like(logits[:1]), possible)).log_softmax(dim=0)
    numbers = torch.arange(1, len(logits) + 1, device=logits.device).view(-1, 1, 1, 1)
    labels = (targets * numbers).sum(0).masked_fill(~somewhere, -1)
    counts = torch.bincount(labels[labels >= 0], minlength=len(log_shares))
    weight = counts.clamp(min=_LEAST_VOXELS).to(logits.dtype) ** -balance
    cross_entropy = F.nll_loss(log_shares[None], labels[None], weight, ignore_index=-1)
    shares = log_shares[1:].exp() * known
    return cross_entropy + dice_loss(shares, (targets & known).to(logits.dtype)).mean()


def independent_loss(logits: Tensor, targets: Tensor, known: Tensor, *, cross_entropy: float = 4.0) -> Tensor:
    """Compute sigmoid cross-entropy and Dice loss of each structure independently, so they may overlap.

    Args:
        logits: (N, h, w, d).
        targets: Masks of the same shape.
        known: Where the truth is known, of the same shape.
        cross_entropy: Weight of the cross-entropy.
    """
    truth, weight = targets.to(logits.dtype), known.to(logits.dtype)
    bce = F.binary_cross_entropy_with_logits(logits, truth, weight, reduction="sum") / weight.sum().clamp(
        min=1
    )
    dice = dice_loss(logits.sigmoid() * weight, truth * weight).mean()
    return dice + cross_entropy * bce
