"""What Slicer hands to the Python of the engine, to be written as a DICOM object: one line of JSON."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.geometry import Geometry
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation, StructureMask

_LEVEL = 1


class MismatchReason(str, Enum):
    """Why DICOM images are not those of a grid."""

    MOVED = "moved"
    """The images are on another grid."""
    NO_GRID = "no_grid"
    """No series of the folder is on the grid."""
    OTHER_IMAGE = "other_image"
    """A series of the folder is on the grid, but shows something else."""


@dataclass(frozen=True, eq=False)
class VoxelSample:
    """Some voxels of an image, by which it is told from others on the same grid.

    Attributes:
        index: Of the voxels, int (n, 3), i, j, k.
        values: Their values, (n,).
    """

    index: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExportOrder:
    """An object to be written.

    Attributes:
        segmentation: The masks, each with its origin, on the grid of the image.
        sample: Voxels of the image.
        images: Paths of its DICOM files, or of one folder that has them.
        path: The file to write; its end says the format, see ``write_result``.
        names: Names by structure.
        short_names: At most 16 characters a name.
        append_to: A structure set whose regions the new one has too; None for none.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> found = FakeSegmenter().segment(phantom(), ["liver"])
        >>> sample = VoxelSample(np.zeros((1, 3), int), np.zeros(1))
        >>> line = ExportOrder(found, sample, ("scan",), "out.seg.dcm", {"liver": "Liver"}).to_json()
        >>> again = ExportOrder.from_json(line)
        >>> bool((again.segmentation.full_mask("liver") == found.full_mask("liver")).all())
        True
    """

    segmentation: Segmentation
    sample: VoxelSample
    images: tuple[str, ...]
    path: str
    names: dict[str, str]
    short_names: bool = False
    append_to: str | None = None

    def to_json(self) -> str:
        """Return it as one line."""
        geometry = self.segmentation.geometry
        return json.dumps(
            {
                "shape": geometry.spatial_shape,
                "affine": geometry.affine.tolist(),
                "masks": [_to_fields(mask) for mask in self.segmentation],
                "provenance": dict(self.segmentation.provenance),
                "sample": {"index": self.sample.index.tolist(), "values": self.sample.values.tolist()},
                "images": self.images,
                "path": self.path,
                "names": self.names,
                "short_names": self.short_names,
                "append_to": self.append_to,
            }
        )

    @classmethod
    def from_json(cls, line: str) -> ExportOrder:
        """Return what ``to_json`` was called on."""
        given = json.loads(line)
        i, j, k = given["shape"]
        geometry = Geometry((i, j, k), np.array(given["affine"]))
        masks = tuple(_from_fields(fields, geometry) for fields in given["masks"])
        sample = given["sample"]
        return cls(
            Segmentation(geometry, masks, given["provenance"]),
            VoxelSample(np.array(sample["index"], dtype=np.int64), np.array(sample["values"], dtype=float)),
            tuple(given["images"]),
            given["path"],
            given["names"],
            given["short_names"],
            given["append_to"],
        )


def _to_fields(mask: StructureMask) -> dict[str, Any]:
    bits = zlib.compress(np.packbits(mask.mask).tobytes(), _LEVEL)
    return {
        "structure": mask.structure,
        "start": mask.box.start,
        "shape": mask.mask.shape,
        "bits": base64.b64encode(bits).decode(),
        "warnings": mask.warnings,
        "maker": mask.origin.maker.value,
    }


def _from_fields(fields: dict[str, Any], geometry: Geometry) -> StructureMask:
    i, j, k = fields["shape"]
    packed = np.frombuffer(zlib.decompress(base64.b64decode(fields["bits"])), dtype=np.uint8)
    region = np.unpackbits(packed, count=i * j * k).view(np.bool_).reshape(i, j, k)
    a, b, c = fields["start"]
    mask = StructureMask.measured(
        fields["structure"],
        region,
        geometry,
        start=(a, b, c),
        warnings=tuple(fields["warnings"]),
    )
    return replace(mask, origin=Origin(Maker(fields["maker"])))
