"""Loss functions over voxels that are known.

All losses take logits (N, h, w, d), targets of the same shape, and ``known``, of the same shape: voxels whose
truth is not known for a structure contribute nothing to its loss.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_IMPOSSIBLE = -1e4
_LEAST_VOXELS = 50
_PUBLISHED_SMOOTH = 1e-7


def dice_loss(probabilities: Tensor, targets: Tensor, *, power: int = 1, smooth: float = 1.0) -> Tensor:
    """Compute 1 - Dice of each structure, 1 - (2 Σ p·t + s) / (Σ p^power + Σ t^power + s).

    Args:
        probabilities: (N, …), zero where the truth is not known.
        targets: Masks of the same shape and type.
        power: Exponent in the denominator.
        smooth: s above.

    Returns:
        (N,).
    """
    p, t = probabilities.flatten(1), targets.flatten(1)
    return 1 - (2 * (p * t).sum(1) + smooth) / (p.pow(power).sum(1) + t.pow(power).sum(1) + smooth)


def published_loss(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Compute SAT's loss: Dice with squares in the denominator plus cross-entropy, as means over prompts."""
    truth, weight = targets.to(logits.dtype), known.to(logits.dtype)
    voxels = weight.flatten(1).sum(1).clamp(min=1)
    bce = F.binary_cross_entropy_with_logits(logits, truth, weight, reduction="none").flatten(1).sum(1)
    dice = dice_loss(logits.sigmoid() * weight, truth * weight, power=2, smooth=_PUBLISHED_SMOOTH)
    return (dice + bce / voxels).mean()


def independent_loss(logits: Tensor, targets: Tensor, known: Tensor, *, cross_entropy: float = 4.0) -> Tensor:
    """Compute cross-entropy and Dice loss of each structure by itself, for small networks.

    The cross-entropy is a mean over all voxels and structures and counts ``cross_entropy`` times.
    """
    truth, weight = targets.to(logits.dtype), known.to(logits.dtype)
    bce = F.binary_cross_entropy_with_logits(logits, truth, weight, reduction="sum")
    dice = dice_loss(logits.sigmoid() * weight, truth * weight).mean()
    return dice + cross_entropy * bce / weight.sum().clamp(min=1)


def exclusive_loss(logits: Tensor, targets: Tensor, known: Tensor, balance: float = 0.0) -> Tensor:
    """Compute softmax cross-entropy and Dice loss over exclusive structures and the background (logit zero).

    Independent sigmoids alone learn almost nothing at first, because most voxels belong to no structure. A
    structure wins over the background where its logit is positive, which agrees with the sigmoid.

    Args:
        logits: (N, h, w, d), one channel per structure.
        targets: Masks of the same shape, which do not overlap.
        known: Where the truth is known, of the same shape. Where it is unknown for one structure only, the
            others are told apart from the background without it.
        balance: Exponent b of the class weights, (number of voxels)^-b: 0 weights all voxels equally, 1 all
            classes.
    """
    possible = logits.masked_fill(~known, _IMPOSSIBLE)
    log_shares = torch.cat((torch.zeros_like(logits[:1]), possible)).log_softmax(dim=0)
    numbers = torch.arange(1, len(logits) + 1, device=logits.device).view(-1, 1, 1, 1)
    labels = (targets * numbers).sum(0).masked_fill(~known.any(0), -1)
    counts = torch.bincount(labels[labels >= 0], minlength=len(log_shares))
    weight = counts.clamp(min=_LEAST_VOXELS).to(logits.dtype) ** -balance
    inside = labels >= 0
    picked = log_shares.gather(0, labels.clamp(min=0)[None])[0]
    weights = weight[labels.clamp(min=0)] * inside
    cross_entropy = -(picked * weights).sum() / weights.sum().clamp(min=1e-12)
    shares = log_shares[1:].exp() * known
    return cross_entropy + dice_loss(shares, (targets & known).to(logits.dtype)).mean()
