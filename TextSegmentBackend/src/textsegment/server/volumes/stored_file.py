"""Files of stored volumes, which others may remove or change while the server runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import VolumeUnknownError
from textsegment.wire.volumes.header import VolumeHeader


@dataclass(frozen=True)
class StoredFile:
    """A complete file, with its state when it was completed.

    Attributes:
        path: Path of the file.
        state: Device, inode, size and modification time; None if the file was missing already.
    """

    path: Path
    state: tuple[int, ...] | None

    @classmethod
    def of(cls, path: Path) -> StoredFile:
        """Record the state of a file."""
        return cls(path, _state(path))

    @property
    def is_intact(self) -> bool:
        """Whether the file still exists, unchanged."""
        return self.state is not None and _state(self.path) == self.state


def map_voxels(path: Path, header: VolumeHeader) -> NDArray[Any]:
    """Return stored voxels ``[i, j, k]`` as a read-only memory map.

    Raises:
        VolumeUnknownError: If the file is missing or truncated; the client can upload it again.
    """
    try:
        return np.memmap(path, dtype=header.dtype, mode="r", shape=header.geometry.spatial_shape)
    except (OSError, ValueError) as error:
        raise VolumeUnknownError(
            "The server does not hold this volume any more.", "Upload it again."
        ) from error


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
