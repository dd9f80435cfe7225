"""Losses of knowledge injection. All use log-sum-exp, so that no temperature overflows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def text_text_loss(first: Tensor, second: Tensor, ids: Tensor, scale: Tensor) -> Tensor:
    """Return the loss of stage 1: cross-entropy over the similarities of a batch, in both directions.

    Targets are soft: a row with k columns of its own id has the target 1/√k in each of them (ones,
    L2-normalised), as in the published recipe.

    Args:
        first: L2-normalised features of the first texts, (N, width).
        second: L2-normalised features of the second texts, (N, width).
        ids: Concept of each pair, int64 (N,).
        scale: Factor of the similarities, exp of the learnt temperature.
    """
    similarity = scale * first @ second.T
    targets = F.normalize((ids[:, None] == ids[None, :]).to(similarity.dtype), dim=1)
    rows = -(targets * F.log_softmax(similarity, dim=1)).sum(1).mean()
    columns = -(targets * F.log_softmax(similarity.T, dim=1)).sum(1).mean()
    return (rows + columns) / 2


def image_text_loss(image: Tensor, text: Tensor, ids: Tensor, scale: Tensor) -> Tensor:
    """Return the loss of stage 2, in both directions.

    For row i it is −log(e^s(i,i) / (e^s(i,i) + Σ e^s(i,j))), summed over the j of other ids: other pairs of
    the same concept and modality are neither attracted nor repelled.

    Args:
        image: L2-normalised features of structures in images, (N, width).
        text: L2-normalised features of their names, (N, width).
        ids: Concept and modality of each pair as one number, int64 (N,).
        scale: Factor of the similarities, exp of the learnt temperature.
    """
    similarity = scale * image @ text.T
    others_of_same_id = (ids[:, None] == ids[None, :]) & ~torch.eye(
        len(ids), dtype=torch.bool, device=ids.device
    )
    similarity = similarity.masked_fill(others_of_same_id, -torch.inf)
    own = similarity.diagonal()
    rows = (similarity.logsumexp(1) - own).mean()
    columns = (similarity.logsumexp(0) - own).mean()
    return (rows + columns) / 2
