"""Checkpoints of a run: everything that it needs to go on exactly as it would have."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from textsegment.errors import CheckpointError
from textsegment.files.atomic import atomic_output
from textsegment.training.settings import TrainingSettings

LAST = "last.pt"
# May differ when a run goes on: they do not change what was learnt so far.
_FREE = ("steps", "checkpoint_every", "validate_every", "patience", "cache_gb", "workers", "learning_rate")


def save_state(folder: Path, settings: TrainingSettings, state: dict[str, Any]) -> None:
    """Write a checkpoint; an interrupted write leaves the one before."""
    with atomic_output(folder / LAST) as path:
        torch.save(state | {"settings": _fixed(settings)}, path)


def read_state(folder: Path, settings: TrainingSettings, device: torch.device) -> dict[str, Any] | None:
    """Read the checkpoint of a folder; None if there is none.

    Raises:
        CheckpointError: It is damaged, or belongs to a run with other settings.
    """
    path = folder / LAST
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError) as error:
        raise CheckpointError(f"{LAST} is damaged.", "Remove it to begin again.") from error
    before, now = state.get("settings", {}), _fixed(settings)
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        raise CheckpointError(
            f"The run in this folder was begun with other settings: {', '.join(changed)}.",
            "Give the same ones, or another folder.",
        )
    return state


def _fixed(settings: TrainingSettings) -> dict[str, str]:
    return {name: repr(value) for name, value in asdict(settings).items() if name not in _FREE}
