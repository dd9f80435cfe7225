"""Looks at the file of a stored volume: others can remove or change it while the server runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import VolumeUnknownError
from textsegment.wire.volume_header import VolumeHeader


@dataclass(frozen=True)
class StoredFile:
    """A file that is complete, as it was then.

    Attributes:
        path: Where it is.
        state: What tells whether it is still the same one, unchanged; None if it was missing from the start.
    """

    path: Path
    state: tuple[int, ...] | None

    @classmethod
    def of(cls, path: Path) -> StoredFile:
        """Note the state of a file."""
        return cls(path, _state(path))

    @property
    def is_intact(self) -> bool:
        """Whether it is still there as it was."""
        return self.state is not None and _state(self.path) == self.state


def map_voxels(path: Path, header: VolumeHeader) -> NDArray[Any]:
    """Return stored voxels ``[i, j, k]``; they are read from the file when they are looked at.

    Raises:
        VolumeUnknownError: The file is gone, or shorter than it was: the client can bring it again.
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
