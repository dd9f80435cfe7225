"""What the user has drawn in a segment: its differences from the result that is stored with the scene.

Nobody has to declare anything. The voxels are read in a worker, on the grid of the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from slicer.i18n import tr as _
from textsegment.correction import Edit
from textsegment.errors import EditError
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import StructureMask

from TextSegmentLib.export.regions import RegionSource, SegmentRegion, take_region
from TextSegmentLib.history.packed_mask import PackedMask
from TextSegmentLib.history.stored_masks import Kind, StoredMasks
from TextSegmentLib.scene.segment.content import whole_shift
from TextSegmentLib.scene.segment.record import SegmentRecord
from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP, is_completed


@dataclass(frozen=True, eq=False)
class Mark:
    """Point that the user has placed.

    Attributes:
        point_ras: Position in the space of the volume (RAS, mm), before its parent transform.
        belongs: Whether the structure is there.
    """

    point_ras: tuple[float, float, float]
    belongs: bool


@dataclass(frozen=True, eq=False)
class Drawing:
    """Segment on the grid of the volume, with what the user has drawn in it.

    Attributes:
        base: Mask before the user drew in it; None for a segment that the user began.
        current: Voxels of the segment now, ``[i, j, k]``, on the whole grid.
        edits: What the user has drawn, oldest first.
    """

    base: StructureMask | None
    current: NDArray[np.bool_]
    edits: tuple[Edit, ...]

    def known(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the voxels that the user has drawn, and those of them that belong to the structure."""
        known, inside = np.zeros_like(self.current), np.zeros_like(self.current)
        for edit in self.edits:  # the last one counts
            known[edit.box.slices] |= edit.known
            inside[edit.box.slices] = np.where(edit.known, edit.inside, inside[edit.box.slices])
        return known, inside


@dataclass(frozen=True, eq=False)
class EditedSegment:
    """Segment captured on the calling thread, to be compared in a worker; create it with ``take``.

    Attributes:
        segment_id: Identifier of the segment.
        name: Name of the segment.
        record: How a run made it; None for a segment that the user began.
        source: Its voxels.
    """

    segment_id: str
    name: str
    record: SegmentRecord | None
    source: RegionSource
    _result: PackedMask | None
    _drawn: PackedMask | None

    @classmethod
    def take(cls, segmentation_node: Any, volume_node: Any, segment_id: str) -> EditedSegment:
        """Capture a segment without reading its voxels.

        Raises:
            EditError: The segment was removed, or accepted.
            OutputError: It has no label map, or lies under another non-linear transform than the volume.
        """
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        if segment is None:
            raise EditError(_("The segment was removed."), _("Choose another one."))
        name = segment.GetName()
        if is_completed(segment):
            text = _("{name} was accepted, so nothing changes it.").format(name=name)
            raise EditError(text, _("Take the acceptance back first."))
        record = SegmentRecord.of(segment, segment_id)
        stored = StoredMasks(segmentation_node)
        region = SegmentRegion(segment_id, name, record.structure if record else name, "", "", "")
        return cls(
            segment_id,
            name,
            record,
            take_region(segmentation_node, volume_node, region),
            stored.find(Kind.RESULT, record.content) if record is not None else None,
            stored.find(Kind.DRAWN, record.content) if record is not None else None,
        )

    def is_changed(self, segment: Any) -> bool:
        """Return whether a segment has other voxels, or may have, than when it was captured."""
        image = segment.GetRepresentation(BINARY_LABELMAP)
        time = image.GetMTime() if image is not None else 0
        source = self.source
        return image is not source.image or time != source.time or segment.GetLabelValue() != source.label

    def compare(self, geometry: Geometry, marks: Sequence[Mark] = ()) -> Drawing:
        """Return what the user has drawn, on a grid in the volume's space; slow, so call it in a worker.

        Raises:
            EditError: The result that was edited is not stored with the scene, the segment lies on another
                grid than the volume, or a point lies outside of it.
        """
        if not self.source.is_on(geometry):
            raise _another_grid(self.name)
        current = self.source.to_mask(geometry).full(geometry.spatial_shape)
        points = tuple(Edit.stroke(mark.point_ras, geometry, belongs=mark.belongs) for mark in marks)
        base, before, earlier = None, np.zeros_like(current), tuple[Edit, ...]()
        if self.record is not None:
            base = self._base(geometry, current)
            before = base.full(geometry.spatial_shape)
            earlier = self._drawn_earlier(geometry, before)
        drawn = Edit.between(before, current, spacing=geometry.spacing)
        return Drawing(base, current, (*earlier, *drawn, *points))

    def _base(self, geometry: Geometry, current: NDArray[np.bool_]) -> StructureMask:
        assert self.record is not None
        if self._result is not None:
            region, start = self._placed(self._result, geometry)
            return StructureMask.measured(self.record.structure, region, geometry, start=start)
        if self.source.is_edited(self.record.content):
            raise EditError(
                _("The result that {name} was edited from is not stored with the scene.").format(
                    name=self.name
                ),
                _("Look for the structure again, and correct that; your segment stays beside it."),
            )
        return StructureMask.measured(self.record.structure, current, geometry)

    def _drawn_earlier(self, geometry: Geometry, before: NDArray[np.bool_]) -> tuple[Edit, ...]:
        """Return what was drawn before the last correction, which holds it unchanged."""
        if self._drawn is None:
            return ()
        known, start = self._placed(self._drawn, geometry)
        i, j, k = start
        p, q, r = known.shape
        box = Box(start, (i + p, j + q, k + r))
        return (Edit(box, known, before[box.slices] & known),)

    def _placed(self, mask: PackedMask, geometry: Geometry) -> tuple[NDArray[np.bool_], tuple[int, int, int]]:
        """Return a stored mask ``[i, j, k]`` and the index of its first voxel on the grid."""
        region = np.ascontiguousarray(mask.mask_kji().transpose(2, 1, 0))
        to_index = np.linalg.inv(geometry.affine) @ self.source.to_volume @ mask.to_ras
        i, j, k = region.shape
        shift = whole_shift(to_index, (0, i - 1, 0, j - 1, 0, k - 1))
        if shift is None or (shift < 0).any() or (shift + region.shape > geometry.spatial_shape).any():
            raise _another_grid(self.name)
        return region, (int(shift[0]), int(shift[1]), int(shift[2]))


def _another_grid(name: str) -> EditError:
    return EditError(
        _("{name} lies on another grid than the image, so drawn slices cannot be told.").format(name=name),
        _("Choose the image that it was made on, and its geometry in the Segment Editor."),
    )
