"""State of a segment at one moment, and how it is brought back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment.errors import OutputError

from TextSegmentLib.history.packed_mask import PackedMask, are_same
from TextSegmentLib.scene.segment.record import mark_anew, tags_of
from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP


@dataclass(frozen=True, eq=False)
class SegmentState:
    """Voxels of a segment and what this module has written about them.

    Attributes:
        mask: Voxels in the space of the segmentation; None if the segment is empty.
        tags: This module's own tags, by key.
        metadata: Segment without voxels: name, color, and tags of all programs, with which a segment that is
            gone is made again; an existing one keeps its own.
    """

    mask: PackedMask | None
    tags: dict[str, str]
    metadata: Any

    @classmethod
    def of(cls, segment: Any, mask: PackedMask | None) -> SegmentState:
        """Capture a segment whose voxels are known."""
        metadata = slicer.vtkSegment()
        metadata.DeepCopyMetadata(segment)
        return cls(mask, tags_of(segment), metadata)

    def has_voxels_of(self, other: SegmentState) -> bool:
        """Return whether both have the same voxels."""
        return are_same(self.mask, other.mask)

    def restore(self, segmentation_node: Any, segment_id: str) -> None:
        """Give a segment these voxels and tags; it is made again if it is gone.

        Raises:
            OutputError: Slicer refuses the voxels.
        """
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        if segment is None:
            self._make(segmentation_node, segment_id)
        else:
            write_mask(segmentation_node, segment_id, self.mask)
            mark_anew(segmentation_node, segment, self.tags)

    def _make(self, segmentation_node: Any, segment_id: str) -> None:
        segment = slicer.vtkSegment()
        segment.DeepCopyMetadata(self.metadata)
        segment.SetLabelValue(1)
        image = slicer.vtkOrientedImageData() if self.mask is None else self.mask.to_labelmap()
        segment.AddRepresentation(BINARY_LABELMAP, image)
        if not segmentation_node.GetSegmentation().AddSegment(segment, segment_id):
            raise _refused()


def write_mask(segmentation_node: Any, segment_id: str, mask: PackedMask | None) -> None:
    """Replace the voxels of a segment; no voxel of another segment changes.

    Args:
        segmentation_node: Segmentation that holds the segment.
        segment_id: Identifier of the segment, which must exist.
        mask: New voxels, in the space of the segmentation; None for none.

    Raises:
        OutputError: Slicer refuses the voxels.
    """
    segmentation = segmentation_node.GetSegmentation()
    if mask is None:
        segmentation.ClearSegment(segment_id)
        return
    segment = segmentation.GetSegment(segment_id)
    image = segment.GetRepresentation(BINARY_LABELMAP)
    if image is None:
        segment.AddRepresentation(BINARY_LABELMAP, slicer.vtkOrientedImageData())
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    labelmap = mask.to_labelmap(neighbor=image)
    if not logic.SetBinaryLabelmapToSegment(labelmap, segmentation_node, segment_id, logic.MODE_REPLACE):
        raise _refused()


def _refused() -> OutputError:
    return OutputError(_("The segmentation takes no label map."), _("Choose a new segmentation."))
