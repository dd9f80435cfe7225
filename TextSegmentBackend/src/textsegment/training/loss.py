"""Loss functions of the demonstration model.

Independent sigmoids alone learn almost nothing at first, because most voxels belong to no structure. So
training warms up with a softmax over the exclusive structures and the background, whose logit is zero. A
structure wins over the background where its logit is positive, which agrees with the sigmoid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss, DiceLoss
from torch import Tensor


class ExclusiveLoss(torch.nn.Module):
    """Softmax cross-entropy and Dice loss over exclusive structures; the background has logit zero."""

    def __init__(self) -> None:
        super().__init__()
        self._dice = DiceLoss(smooth_nr=1.0, smooth_dr=1.0)

    def forward(self, logits: Tensor, labels: Tensor, balance: float = 0.0) -> Tensor:
        """Compute the loss.

        Args:
            logits: (N, h, w, d), one channel per structure.
            labels: (h, w, d): 0 for the background, n for channel n - 1, -1 for voxels to be ignored.
            balance: Exponent b of the class weights, (number of voxels)^-b: 0 weights all voxels equally,
                1 all classes.
        """
        log_shares = torch.cat((torch.zeros_like(logits[:1]), logits)).log_softmax(dim=0)
        counts = torch.bincount(labels[labels >= 0], minlength=len(log_shares))
        weight = counts.clamp(min=50).to(logits.dtype) ** -balance
        cross_entropy = F.nll_loss(log_shares[None], labels[None], weight, ignore_index=-1)
        shares = log_shares[1:].exp() * (labels >= 0)
        targets = labels == 1 + torch.arange(len(logits), device=labels.device).view(-1, 1, 1, 1)
        dice: Tensor = self._dice(shares[:, None], targets[:, None].to(logits.dtype))
        return cross_entropy + dice


class IndependentLoss(torch.nn.Module):
    """Sigmoid cross-entropy and Dice loss of each structure independently, so that structures may overlap."""

    def __init__(self) -> None:
        super().__init__()
        self._loss = DiceCELoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, lambda_ce=4.0)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of logits (N, h, w, d) against boolean masks of the same shape."""
        loss: Tensor = self._loss(logits[:, None], targets[:, None].to(logits.dtype))
        return loss
