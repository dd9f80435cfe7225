"""Opening of image files and recognition of their formats by content, whatever their names."""

from __future__ import annotations

import bz2
import gzip
import zlib
from enum import Enum
from pathlib import Path
from typing import BinaryIO, cast

_GZIP = b"\x1f\x8b"
_BZIP2 = b"BZh"
_HEAD_BYTES = 4096
_NIFTI_SIZES = (348, 540)
# Data type codes of MGH: 8-bit, 16-bit and 32-bit integers, and float.
_MGH_TYPES = (0, 1, 3, 4)


class FileKind(Enum):
    """Formats of image files."""

    DICOM = "DICOM"
    NIFTI = "NIfTI"
    NRRD = "NRRD"
    META = "MetaImage"
    MGH = "MGH"
    ZIP = "zip"


_SUFFIXES = {
    FileKind.DICOM: (".dcm",),
    FileKind.NIFTI: (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"),
    FileKind.NRRD: (".nrrd", ".nhdr"),
    FileKind.META: (".mha", ".mhd"),
    FileKind.MGH: (".mgz", ".mgh"),
    FileKind.ZIP: (".zip",),
}
ALL_SUFFIXES = tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
"""File name suffixes of all known formats."""


def open_image(path: Path) -> BinaryIO:
    """Open a file for reading, decompressing gzip and bzip2 transparently."""
    with path.open("rb") as stream:
        first = stream.read(3)
    if first.startswith(_GZIP):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if first == _BZIP2:
        return cast(BinaryIO, bz2.open(path, "rb"))
    return path.open("rb")


def is_gzip(path: Path) -> bool:
    """Return whether a file is compressed as a whole with gzip."""
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP


def is_compressed(path: Path) -> bool:
    """Return whether a file is compressed as a whole."""
    with path.open("rb") as stream:
        first = stream.read(3)
    return first.startswith(_GZIP) or first == _BZIP2


def kind_of(path: Path) -> FileKind | None:
    """Return the format of a file, determined by its first bytes or, if these are inconclusive, by its name.

    Raises:
        OSError: The file cannot be read.
    """
    return _kind_in(_head(path)) or kind_of_name(path.name)


def kind_of_name(name: str) -> FileKind | None:
    """Return the format indicated by the name of a file; None if unknown."""
    return next((kind for kind, suffixes in _SUFFIXES.items() if name.lower().endswith(suffixes)), None)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        raw = stream.read(_HEAD_BYTES)
    if not raw.startswith(_GZIP) and raw[:3] != _BZIP2:
        return raw
    try:
        with open_image(path) as stream:
            return stream.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return raw


def _kind_in(head: bytes) -> FileKind | None:
    if head[128:132] == b"DICM":
        return FileKind.DICOM
    if head.startswith(b"PK\x03\x04"):
        return FileKind.ZIP
    if head.startswith(b"NRRD0"):
        return FileKind.NRRD
    sizes = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    if len(head) >= max(_NIFTI_SIZES[:1]) and sizes & set(_NIFTI_SIZES):
        return FileKind.NIFTI
    if _is_mgh(head):
        return FileKind.MGH
    if b"NDims" in head and b"=" in head.split(b"\n", 1)[0]:
        return FileKind.META
    return None


def _is_mgh(head: bytes) -> bool:
    numbers = [int.from_bytes(head[at : at + 4], "big", signed=True) for at in range(0, 24, 4)]
    version, *sizes, kind = numbers
    return len(head) >= 284 and version == 1 and all(size > 0 for size in sizes) and kind in _MGH_TYPES
