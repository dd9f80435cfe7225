"""Writing of safetensors files, which appear complete or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from textsegment.errors import DiskFullError, OutputError


def write_weights(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], path: Path) -> None:
    """Write tensors with metadata, replacing an existing file.

    Raises:
        DiskFullError: There is too little room.
        OutputError: The file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    needed = sum(tensor.nbytes for tensor in tensors.values())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < needed:
            raise DiskFullError(f"The weights file needs {needed / 1e9:.2f} GB of room.", "Free some.")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, dict(metadata))
        partial.chmod(0o644)  # safetensors creates files that only their owner may read
        partial.replace(path)
    except (SafetensorError, OSError) as error:
        raise OutputError("The weights file cannot be written.", "Check the folder and its disk.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
