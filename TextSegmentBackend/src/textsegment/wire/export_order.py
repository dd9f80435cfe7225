"""Export orders: one line of JSON by which Slicer has the engine's Python write a DICOM object."""

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
from textsegment.wire.caution_codec import read_warnings, warning_fields
from textsegment.wire.strict_json import Fields

_LEVEL = 1
_MOST_WARNINGS, _LONGEST_WARNING = 1024, 2**20


class MismatchReason(str, Enum):
    """Reason why DICOM images do not match a grid."""

    MOVED = "moved"
    """The images lie on another grid."""
    NO_GRID = "no_grid"
    """No series in the folder lies on the grid."""
    OTHER_IMAGE = "other_image"
    """A series in the folder lies on the grid but shows something else."""


@dataclass(frozen=True, eq=False)
class VoxelSample:
    """Sample of the voxels of an image, which distinguishes it from others on the same grid.

    Attributes:
        index: Voxel indices (i, j, k), an integer array of shape (n, 3).
        values: Voxel values, an array of shape (n,).
    """

    index: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExportOrder:
    """Description of a DICOM object to be written.

    Attributes:
        segmentation: Masks, each with its origin, on the grid of the image.
        sample: Sample of the voxels of the image.
        images: Paths of the DICOM files of the image, or of one folder that contains them.
        path: File to write; its suffix determines the format, see ``write_result``.
        names: Output names by structure.
        short_names: Whether names are limited to 16 characters.
        append_to: Structure set whose regions are included in the new one, or None.
        template: Template of a site as TOML, by which the masks are finished, derived, named and coloured;
            empty for none.

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
    template: str = ""

    def to_json(self) -> str:
        """Serialise the order as one line of JSON."""
        return json.dumps(
            {
                **segmentation_to_fields(self.segmentation),
                "sample": {"index": self.sample.index.tolist(), "values": self.sample.values.tolist()},
                "images": self.images,
                "path": self.path,
                "names": self.names,
                "short_names": self.short_names,
                "append_to": self.append_to,
                "template": self.template,
            }
        )

    @classmethod
    def from_json(cls, line: str) -> ExportOrder:
        """Recreate the order from the output of ``to_json``."""
        given = json.loads(line)
        sample = given["sample"]
        return cls(
            segmentation_from_fields(given),
            VoxelSample(np.array(sample["index"], dtype=np.int64), np.array(sample["values"], dtype=float)),
            tuple(given["images"]),
            given["path"],
            given["names"],
            given["short_names"],
            given["append_to"],
            given.get("template", ""),
        )


def segmentation_to_fields(segmentation: Segmentation) -> dict[str, Any]:
    """Return grid, masks and provenance of a segmentation as JSON-compatible values."""
    geometry = segmentation.geometry
    return {
        "shape": geometry.spatial_shape,
        "affine": geometry.affine.tolist(),
        "masks": [_to_fields(mask) for mask in segmentation],
        "provenance": dict(segmentation.provenance),
    }


def segmentation_from_fields(given: dict[str, Any]) -> Segmentation:
    """Recreate a segmentation from the output of ``segmentation_to_fields``."""
    i, j, k = given["shape"]
    geometry = Geometry((i, j, k), np.array(given["affine"]))
    masks = tuple(_from_fields(fields, geometry) for fields in given["masks"])
    return Segmentation(geometry, masks, given["provenance"])


def _to_fields(mask: StructureMask) -> dict[str, Any]:
    bits = zlib.compress(np.packbits(mask.mask).tobytes(), _LEVEL)
    return {
        "structure": mask.structure,
        "start": mask.box.start,
        "shape": mask.mask.shape,
        "bits": base64.b64encode(bits).decode(),
        "maker": mask.origin.maker.value,
        "recipe": mask.origin.recipe,
        "union_of": mask.origin.union_of,
        "tidied": mask.origin.tidied,
        **warning_fields(mask.warnings),
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
        warnings=read_warnings(Fields(fields, "The mask"), _MOST_WARNINGS, _LONGEST_WARNING),
    )
    union_of = tuple(fields.get("union_of", ()))
    origin = Origin(
        Maker(fields["maker"]), fields.get("recipe", ""), union_of, tidied=fields.get("tidied", False)
    )
    return replace(mask, origin=origin)
