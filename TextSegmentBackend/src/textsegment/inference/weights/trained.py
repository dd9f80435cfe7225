"""Weights that ``textsegment train`` wrote: models of their own name, and their cards."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from textsegment.errors import InputNotFoundError, WeightsError
from textsegment.files.disk.atomic import atomic_output
from textsegment.inference.weights.hub import sha256_of
from textsegment.inference.weights.models import file_of
from textsegment.inference.weights.registry import DEMO, PUBLISHED
from textsegment.inference.weights.store import FileRecord, ModelRecord, Store
from textsegment.model.checkpoints import checkpoint

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def import_trained(name: str, path: Path) -> Path:
    """Copy trained weights to this computer's models, under a name of their own.

    Args:
        name: Lower-case letters, digits and hyphens; an imported model of that name is replaced.
        path: File that training wrote.

    Returns:
        Path of the copy.

    Raises:
        InputNotFoundError: There is no such file.
        WeightsError: The name is that of a published model, or no name; or the folder is in use.
        CheckpointError: The file is no weights file, or is damaged.
        OutputError: The disk is full, or the weights folder cannot be written.
    """
    if not path.is_file():
        raise InputNotFoundError("There is no such file of weights.", "Give a file that training wrote.")
    if not _NAME.fullmatch(name) or name in {DEMO, *PUBLISHED}:
        raise WeightsError(
            "Trained weights need a name of their own.", "Use up to 40 small letters, digits and hyphens."
        )
    checkpoint.load(path)  # refuses what is no model
    store = Store()
    with store.exclusive():
        target = store.weights_file(name)
        with atomic_output(target) as temporary:
            shutil.copyfile(path, temporary)
        seen = FileRecord(target.name, target.stat().st_size, sha256_of(target))
        store.write_record(name, ModelRecord("", "", seen, seen, seen))
    return target


def card_of(name: str) -> Mapping[str, str]:
    """Return what a weights file says about its making: data, licence, steps, origin.

    Args:
        name: Name of a model on this computer, or path of a weights file.

    Raises:
        WeightsError: There is no such model, or its weights are not on this computer.
        CheckpointError: The file is damaged.
    """
    path, _digest = file_of(name)
    return checkpoint.load(path).source
