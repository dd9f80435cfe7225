"""Segments as masks on the grid of an image, in their current state, including edited and hand-drawn ones.

The grid is that of the volume before its parent transform, as in the DICOM images. Segments on another grid
are resampled with Slicer's own functions, in slabs, so that no single call takes long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _
from textsegment.doubt import NO_DOUBT, Doubt
from textsegment.errors import OutputError, VolumeInvalidError
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import StructureMask
from textsegment.vocabulary.structures import find_structure
from vtk.util import numpy_support

from TextSegmentLib.scene.alignment import volume_to_segmentation
from TextSegmentLib.scene.results.rows import RowState
from TextSegmentLib.scene.segment.content import Content, LabelImage, corners_of, has_voxels, whole_shift
from TextSegmentLib.scene.segment.doubt_tags import doubt_from_tags
from TextSegmentLib.scene.segment.record import tag_of
from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP, is_completed
from TextSegmentLib.scene.volume_node import matrix_of, vtk_matrix

_SLAB_VOXELS = 2_000_000


@dataclass(frozen=True)
class SegmentRegion:
    """Segment that can be exported.

    Attributes:
        segment_id: Identifier in the segmentation.
        name: Name in the segment table.
        structure: Name in the vocabulary if it has one, else ``name``.
        model: Name of the model that found it; empty for a segment that this module did not make.
        original: Content of its label map when it was made, see ``Content.to_text``; empty without a model.
        note: Warnings given when it was made, and what tidying has changed; may be empty.
        is_corrected: Whether the engine has corrected it from what the user drew.
        doubt: What speaks against it as the model made it; nothing once it was accepted.
    """

    segment_id: str
    name: str
    structure: str
    model: str
    original: str
    note: str
    is_corrected: bool = False
    doubt: Doubt = NO_DOUBT


def list_regions(segmentation_node: Any) -> list[SegmentRegion]:
    """Return the segments of a node that can be exported, in order."""
    segmentation = segmentation_node.GetSegmentation()
    regions: list[SegmentRegion] = []
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        name = segment.GetName()
        structure = _structure_of(name, tag_of(segment, "prompt"))
        if structure in {region.structure for region in regions}:
            structure = name  # structures must be unique, since masks are referred to by them
        segment_id = segmentation.GetNthSegmentID(number)
        regions.append(SegmentRegion(segment_id, name, structure, *_made(segment)))
    return regions


def _made(segment: Any) -> tuple[str, str, str, bool, Doubt]:
    is_corrected = tag_of(segment, "state") == RowState.CORRECTED
    doubt = doubt_from_tags(tag_of(segment, "verdict"), tag_of(segment, "reasons"))
    return (
        tag_of(segment, "model"),
        tag_of(segment, "content"),
        " ".join(filter(None, [tag_of(segment, "warnings"), tag_of(segment, "tidied")])),
        is_corrected,
        NO_DOUBT if is_completed(segment) else doubt,
    )


def _structure_of(name: str, prompt: str) -> str:
    """Return the structure of a segment; a name that the user gave it takes precedence over its prompt."""
    if prompt and name.startswith(prompt) and name.removeprefix(prompt).strip().isdecimal():
        return prompt  # the number was appended since the name was taken
    known = find_structure(name)
    return known.name if known is not None else name


@dataclass(frozen=True, eq=False)
class RegionSource:
    """Segment captured on the calling thread, to be read in a worker.

    Attributes:
        region: Segment to export.
        image: Label map that holds the segment, possibly with others; None if the segment is empty.
        label: Label value of the segment in the image.
        time: Modification time of the image.
        to_volume: 4×4 matrix from the segmentation's space to the volume's.
    """

    region: SegmentRegion
    image: Any
    label: int
    time: int
    to_volume: NDArray[np.float64]

    def require_unchanged(self) -> None:
        """Check, after ``to_mask``, that the voxels did not change while they were read.

        Raises:
            VolumeInvalidError: They did change.
        """
        if self.image is not None and self.image.GetMTime() != self.time:
            raise VolumeInvalidError(
                _("The segment {name} was changed while it was read.").format(name=self.region.name),
                _("Start again."),
            )

    def is_on(self, geometry: Geometry) -> bool:
        """Return whether the voxels lie on a grid in the volume's space; an empty segment does."""
        if not has_voxels(self.image):
            return True
        to_index = (
            np.linalg.inv(geometry.affine) @ self.to_volume @ matrix_of(self.image.GetImageToWorldMatrix)
        )
        return whole_shift(to_index, self.image.GetExtent()) is not None

    def is_edited(self, original: Content) -> bool:
        """Return whether a person has edited the content that was made; slow, so call it in a worker."""
        now = LabelImage(self.image).content(self.label)
        # The place does not count: moving an image and its segments together is not an edit.
        return now is None or now.digest != original.digest

    def to_mask(self, geometry: Geometry) -> StructureMask:
        """Return the segment as a mask on a grid in the volume's space; slow, so call it in a worker."""
        structure = self.region.structure
        if self.image is None or self.image.GetNumberOfPoints() == 0:
            return StructureMask.measured(structure, np.zeros((0, 0, 0), dtype=bool), geometry)
        to_index = (
            np.linalg.inv(geometry.affine) @ self.to_volume @ matrix_of(self.image.GetImageToWorldMatrix)
        )
        shift = whole_shift(to_index, self.image.GetExtent())
        whole = _voxels(self.image) == self.label
        box = Box.around(whole)
        if box is None:
            return StructureMask.measured(structure, np.zeros((0, 0, 0), dtype=bool), geometry)
        first = np.array(self.image.GetExtent()[::2])
        if shift is not None:
            start, region = np.add(box.start, first) + shift, whole[box.slices]
            return _clipped(structure, region, start, geometry)
        low, high = _reach(box, first, to_index)
        # One voxel beyond the grid is enough to detect that the segment is cut off.
        low, high = np.maximum(low, -1), np.minimum(high, np.add(geometry.spatial_shape, 1))
        return _clipped(structure, self._resampled(low, high, geometry), low, geometry)

    def _resampled(
        self, low: NDArray[np.int64], high: NDArray[np.int64], geometry: Geometry
    ) -> NDArray[np.bool_]:
        """Resample the segment (nearest neighbor) to ``low <= index < high`` of the grid, ``[i, j, k]``."""
        there = slicer.vtkOrientedImageData()
        there.ShallowCopy(self.image)
        there.SetGeometryFromImageToWorldMatrix(
            vtk_matrix(self.to_volume @ matrix_of(self.image.GetImageToWorldMatrix))
        )
        region = np.zeros(np.maximum(high - low, 0), dtype=bool)
        if region.size == 0:
            return region
        thickness = max(1, _SLAB_VOXELS // (region.shape[0] * region.shape[1]))
        for k in range(low[2], high[2], thickness):
            end = min(k + thickness, high[2])
            wanted, got = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
            extent = (low[0], high[0] - 1, low[1], high[1] - 1, k, end - 1)
            wanted.SetExtent([int(value) for value in extent])
            wanted.SetGeometryFromImageToWorldMatrix(vtk_matrix(geometry.affine))
            resample = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
            if not resample(there, wanted, got):
                raise OutputError(
                    _("The segment {name} cannot be brought to the grid of the image.").format(
                        name=self.region.name
                    )
                )
            region[:, :, k - low[2] : end - low[2]] = _voxels(got) == self.label
        return region


def take_region(segmentation_node: Any, volume_node: Any, region: SegmentRegion) -> RegionSource:
    """Capture a segment without copying its voxels.

    Raises:
        OutputError: The segment is gone, has no label map, or is under another non-linear transform than the
            volume.
    """
    segmentation = segmentation_node.GetSegmentation()
    segment = segmentation.GetSegment(region.segment_id)
    if segment is None:
        raise OutputError(_("The segment {name} was removed.").format(name=region.name), _("Choose anew."))
    image = segment.GetRepresentation(BINARY_LABELMAP)
    if image is None and segmentation.GetSourceRepresentationName() != BINARY_LABELMAP:
        raise OutputError(
            _("The segmentation holds surfaces, not label maps."),
            _("Make label maps of them in the module Segmentations."),
        )
    to_segmentation = volume_to_segmentation(volume_node, segmentation_node)
    to_volume = matrix_of(lambda matrix: matrix.Invert(to_segmentation, matrix))
    time = image.GetMTime() if image is not None else 0
    return RegionSource(region, image, segment.GetLabelValue(), time, to_volume)


def _reach(
    box: Box, first: NDArray[np.int64], to_index: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the half-open index range of the grid that encloses a box of a label map."""
    low = first + box.start - 0.5
    high = first + box.stop - 0.5
    corners = (to_index @ corners_of(low, high))[:3]
    return np.floor(corners.min(axis=1)).astype(np.int64), np.ceil(corners.max(axis=1)).astype(np.int64) + 1


def _clipped(
    structure: str, region: NDArray[np.bool_], start: NDArray[np.int64], geometry: Geometry
) -> StructureMask:
    """Clip a region that begins at ``start`` to the grid; the mask gets a warning if voxels are cut off."""
    low = np.clip(start, 0, geometry.spatial_shape)
    high = np.clip(start + region.shape, low, geometry.spatial_shape)
    inside = region[tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))]
    warnings: tuple[str, ...] = ()
    if np.count_nonzero(inside) < np.count_nonzero(region):
        warnings = ("It reached beyond the image, and was cut off at its border.",)
    i, j, k = (int(value) for value in low)
    return StructureMask.measured(structure, inside, geometry, start=(i, j, k), warnings=warnings)


def _voxels(image: Any) -> NDArray[Any]:
    """Return the voxels of a label map, ``[i, j, k]``."""
    i, j, k = image.GetDimensions()
    scalars = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return scalars.reshape(k, j, i).transpose(2, 1, 0)
