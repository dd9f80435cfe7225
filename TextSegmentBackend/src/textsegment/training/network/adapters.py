"""Low-rank adapters: a frozen weight W learns as W + up · down, with a few hundredths of its parameters.

They are merged into the weights at export, so that a fine-tuned file is an ordinary one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from textsegment.model.sat import SAT
from textsegment.training.settings import ADAPTERS

_MARK = ".parametrizations."


class LowRank(nn.Module):
    """Change of a weight by the product of two thin matrices, which is zero at the start.

    Args:
        weight: Weight of a linear layer (out, in) or of a convolution (out, in, h, w, d).
        rank: Number of columns of ``up`` and rows of ``down``.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.shape[0], weight[0].numel()
        self.up = nn.Parameter(torch.zeros(outputs, rank))
        self.down = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed weight."""
        return weight + (self.up @ self.down).view_as(weight)


def add_adapters(network: nn.Module, parts: Sequence[str], rank: int) -> int:
    """Add adapters to the weight matrices of some parts (see ``ADAPTERS``); return their number.

    Weights on which an adapter would be no smaller than the weight itself are left alone.
    """
    prefixes = tuple(prefix for part in parts for prefix in ADAPTERS.get(part, ()))
    count = 0
    for name, module in list(network.named_modules()) if prefixes else []:
        for weight_name, weight in list(module.named_parameters(recurse=False)):
            is_matrix = weight.ndim >= 2 and weight.numel() > rank * (weight.shape[0] + weight[0].numel())
            if is_matrix and f"{name}.{weight_name}".startswith(prefixes):
                parametrize.register_parametrization(module, weight_name, LowRank(weight, rank))
                count += 1
    return count


def is_adapter(name: str) -> bool:
    """Return whether a parameter, by its name, belongs to an adapter.

    >>> is_adapter("layers.0.linear1.parametrizations.weight.0.up"), is_adapter("layers.0.linear1.bias")
    (True, False)
    """
    return _MARK in name and name.endswith((".up", ".down"))


def merged(network: SAT) -> SAT:
    """Return a network with ordinary weights: itself if it has no adapters, or else a copy."""
    adapted = {
        name: module for name, module in network.named_modules() if parametrize.is_parametrized(module)
    }
    if not adapted:
        return network
    state = {name: tensor for name, tensor in network.state_dict().items() if _MARK not in name}
    with torch.no_grad():
        for name, module in adapted.items():
            assert isinstance(module.parametrizations, nn.ModuleDict)
            for weight_name in module.parametrizations:
                state[f"{name}.{weight_name}"] = getattr(module, weight_name).detach()
    plain = SAT(network.config).to(next(network.parameters()).device)
    plain.load_state_dict(state)
    return plain.train(network.training)
