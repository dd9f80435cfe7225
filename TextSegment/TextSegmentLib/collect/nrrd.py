"""NRRD files without any text from the scene: a grid, voxels, and for a segment its name.

Slicer's own writers run on the GUI thread and keep names and tags; these run in a worker.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from textsegment.geometry import Geometry
from textsegment.segmentation import StructureMask

_LEVEL = 1
_TYPES = {"i": "int", "u": "uint", "f": "float"}
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_scan(path: Path, voxels_kji: NDArray[Any], geometry: Geometry) -> None:
    """Write a scan.

    Args:
        path: Target file, ``.nrrd``.
        voxels_kji: Voxels, ``[k, j, i]``.
        geometry: Their grid.
    """
    _write(path, voxels_kji, geometry.affine, {})


def write_segment(path: Path, mask: StructureMask, geometry: Geometry) -> None:
    """Write one mask as a segmentation of 3D Slicer, cut to its box.

    Args:
        path: Target file, ``.seg.nrrd``.
        mask: The mask; not empty.
        geometry: Grid of the scan, whose origin is moved to the box.
    """
    affine = geometry.affine.copy()
    affine[:3, 3] += geometry.affine[:3, :3] @ np.array(mask.box.start, dtype=float)
    i, j, k = mask.box.shape
    fields = {
        "Segment0_ID": "Segment_1",
        "Segment0_Name": mask.structure,
        "Segment0_Color": "0.5 0.5 0.5",
        "Segment0_Extent": f"0 {i - 1} 0 {j - 1} 0 {k - 1}",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    _write(path, mask.mask.astype(np.uint8).transpose(2, 1, 0), affine, fields)


def _write(path: Path, kji: NDArray[Any], affine_ras: NDArray[np.float64], fields: Mapping[str, str]) -> None:
    affine = _RAS_TO_LPS @ affine_ras
    directions = " ".join(_vector(affine[:3, axis]) for axis in range(3))
    kind = kji.dtype
    lines = [
        "NRRD0004",
        f"type: {_type_name(kind)}",
        "dimension: 3",
        "space: left-posterior-superior",
        "sizes: " + " ".join(map(str, kji.shape[::-1])),
        f"space directions: {directions}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(affine[:3, 3])}",
        *(f"{name}:={value}" for name, value in fields.items()),
    ]
    packer = zlib.compressobj(_LEVEL, wbits=31)  # gzip
    with path.open("xb") as file:
        file.write(("\n".join(lines) + "\n\n").encode())
        for slab in kji:
            file.write(packer.compress(np.ascontiguousarray(slab, dtype=kind.newbyteorder("<")).tobytes()))
        file.write(packer.flush())


def _vector(values: NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


def _type_name(kind: np.dtype[Any]) -> str:
    if kind.kind == "f":
        return "float" if kind.itemsize == 4 else "double"
    return f"{_TYPES[kind.kind]}{kind.itemsize * 8}"
