"""NRRD and MetaImage files with headers written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

NRRD = """NRRD0004
type: {type}
dimension: 3
space: {space}
sizes: {sizes}
space directions: {directions}
kinds: domain domain domain
endian: little
encoding: raw
space origin: {origin}

"""
META = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = {matrix}
Offset = 0 0 0
ElementSpacing = {spacing}
DimSize = {sizes}
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""
VOXELS = np.arange(24, dtype="<i2")


def made_nrrd(folder: Path, **changes: str) -> Path:
    """Write a small file with other entries than usual."""
    fields = {
        "type": "short",
        "space": "left-posterior-superior",
        "sizes": "4 3 2",
        "directions": "(1,0,0) (0,2,0) (0,0,3)",
        "origin": "(5,6,7)",
    }
    path = folder / "image.nrrd"
    path.write_bytes(NRRD.format(**(fields | changes)).encode() + VOXELS.tobytes())
    return path


def made_meta(folder: Path, **changes: str) -> Path:
    """Write a small file with other entries than usual."""
    fields = {"matrix": "1 0 0 0 1 0 0 0 1", "spacing": "1 2 3", "sizes": "4 3 2"}
    path = folder / "image.mha"
    path.write_bytes(META.format(**(fields | changes)).encode() + VOXELS.tobytes())
    return path
