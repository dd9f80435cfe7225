"""Strict loading: a module gets exactly the tensors it declares, each with its declared shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from textsegment.errors import CheckpointError

NAMES_SHOWN = 5


def check_names(expected: Collection[str], given: Collection[str]) -> None:
    """Compare the names of a checkpoint with those of a network.

    Raises:
        CheckpointError: They differ; the message has the missing and the unexpected names.
    """
    missing = [name for name in expected if name not in given]
    unexpected = [name for name in given if name not in expected]
    if missing or unexpected:
        found = [_listed("missing", missing), _listed("unexpected", unexpected)]
        raise CheckpointError(
            f"The checkpoint does not fit the network: {'; '.join(part for part in found if part)}.",
            "Use the file that belongs to this model.",
        )


def check_shapes(expected: Mapping[str, tuple[int, ...]], given: Mapping[str, Tensor]) -> None:
    """Compare the shapes of tensors that both sides have.

    Raises:
        CheckpointError: They differ; the message has the names of these tensors.
    """
    wrong = [
        f"{name} is {list(given[name].shape)} instead of {list(shape)}"
        for name, shape in expected.items()
        if tuple(given[name].shape) != shape
    ]
    if wrong:
        raise CheckpointError(
            f"The checkpoint does not fit the network: {_listed('other shapes', wrong)}.",
            "Use the file that belongs to this model.",
        )


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter and buffer of a module, keyed by name."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def assign(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Assign tensors to the parameters and buffers of a module without copying them.

    The module may be on torch's ``meta`` device, so that no memory is spent on initial values.

    Raises:
        CheckpointError: A name is missing or unexpected, or a shape differs.
    """
    expected = shapes_of(module)
    check_names(expected, tensors)
    check_shapes(expected, tensors)
    module.load_state_dict(dict(tensors), strict=True, assign=True)


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{what}: {', '.join(names[:NAMES_SHOWN])}{more}"
