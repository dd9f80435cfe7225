"""What a run has brought, and what becomes of it: rows, and their segments in a segmentation node.

The segments carry as tags what is needed to show them again after their scene was saved and loaded.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import textsegment
from slicer.i18n import tr as _
from textsegment.errors import CancelledError, OutputError
from textsegment.segmentation import StructureMask
from textsegment.segmenter import ModelInfo

from TextSegmentLib.scene.finding import FoundMask
from TextSegmentLib.scene.rows import ResultRow, RowState, state_of
from TextSegmentLib.scene.segments import (
    Content,
    Original,
    add_segment,
    is_completed,
    set_status,
    tag_of,
    volume_ml,
)
from TextSegmentLib.scene.target import Target


class Results:
    """Rows and segments of a run. Nothing but these segments is ever changed.

    Args:
        target: Where the segments go.
        rows: One a structure, in order.
        modality: DICOM code of the volume.
        run_id: Tells the segments from those of other runs; empty for a new one.

    Attributes:
        rows: One a structure, in order.
        modality: DICOM code of the volume.
    """

    def __init__(self, target: Target, rows: Sequence[ResultRow], modality: str, run_id: str = "") -> None:
        self.rows = list(rows)
        self.modality = modality
        self._target = target
        self._id = run_id or uuid.uuid4().hex
        self._originals: dict[str, Original] = {}

    @classmethod
    def of_segments(cls, volume_node: Any, segmentation_node: Any) -> Results | None:
        """Return those of the last run that a segmentation has segments of; None if there are none.

        What a run did not find has left no segment, and no row.
        """
        segmentation = segmentation_node.GetSegmentation()
        segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
        last = max(segments, key=lambda segment: tag_of(segment, "date"), default=None)
        if last is None or not (run_id := tag_of(last, "run")):
            return None
        try:
            target = Target(volume_node, segmentation_node)
        except OutputError:  # they cannot lie on this image
            return None
        results = cls(target, [], tag_of(last, "modality"), run_id)
        for number, segment in enumerate(segments):
            if tag_of(segment, "run") == run_id:
                results._take_up(segment, segmentation.GetNthSegmentID(number))
        results.refresh()
        return results if results.rows else None

    @property
    def segmentation_node(self) -> Any:
        """Where the segments are; None once it was deleted."""
        return self._target.node

    @property
    def volume_node(self) -> Any:
        """What was segmented; None once it was deleted."""
        return self._target.volume_node

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the choice of the segmentation."""
        return self._target.warnings

    def require_nodes(self) -> None:
        """Check that volume and segmentation are still there.

        Raises:
            CancelledError: One is not.
        """
        if self.volume_node is None:
            raise CancelledError(_("The volume was deleted."), _("What was found before stays."))
        if self.segmentation_node is None:
            raise CancelledError(_("The segmentation was deleted."), _("Choose another one and start again."))

    def row(self, structure: str) -> ResultRow:
        """Return the row of a structure."""
        return next(row for row in self.rows if row.structure == structure)

    def add(self, found: FoundMask, model: ModelInfo) -> None:
        """Take what a model has found: a segment for it, unless it is empty.

        Raises:
            OutputError: The segmentation does not take it.
        """
        mask, segment_id = found.mask, None
        if found.labelmap is not None:
            content = found.content.moved(self._target.place(found.labelmap))
            tags = self._tags(mask, model, content)
            segment_id = add_segment(self.segmentation_node, mask.structure, found.labelmap, tags)
            self._originals[segment_id] = Original(content, found.labelmap)
        self.row(mask.structure).show(mask.statistics, segment_id, mask.warnings)

    def accept(self, structure: str) -> None:
        """Mark a segment as completed; undo keeps it from now on."""
        row = self.row(structure)
        if self._segment(row):
            row.accepted = True
            set_status(self._segment(row), "Completed")

    def delete(self, structure: str) -> None:
        """Remove the segment of a structure, edited or not."""
        row = self.row(structure)
        self._remove(row)
        row.lose()

    def make_way(self, structure: str) -> ResultRow:
        """Get ready for another result for a structure.

        Its segment is removed, but kept beside the one to come if it was edited or accepted.
        """
        row = self.row(structure)
        if not self._is_users_own(row):
            self._remove(row)
        row.wait()
        return row

    def undo(self, *, edited_too: bool = False) -> tuple[str, ...]:
        """Remove the segments.

        Args:
            edited_too: Whether to remove also what was edited or accepted since.

        Returns:
            Names of the segments that were kept because they were edited or accepted.
        """
        kept = []
        for row in self.rows:
            if not edited_too and self._is_users_own(row):
                kept.append(self._segment(row).GetName())
            elif row.segment_id is not None:
                self._remove(row)
                row.lose()
        self.take_back_node()
        return tuple(kept)

    def take_back_node(self) -> None:
        """Take back what was done to the segmentation node, if it holds no segment."""
        if self.segmentation_node is not None:
            self._target.take_back()

    def refresh(self) -> None:
        """Notice segments that somebody else has edited or removed."""
        for row in self.rows:
            segment = self._segment(row)
            if segment is not None and not self._originals[row.segment_id].is_still(segment):
                row.edit(volume_ml(segment))
            elif segment is None and row.segment_id is not None:
                row.lose()

    def _tags(self, mask: StructureMask, model: ModelInfo, content: Content) -> dict[str, str]:
        return {
            "model": model.model,
            "weights_sha256": model.weights_sha256,
            "prompt": mask.structure,
            "modality": self.modality,
            "version": textsegment.__version__,
            "date": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "run": self._id,
            "state": state_of(mask.statistics),
            "volume_ml": f"{mask.statistics.volume_ml:.6g}",
            "confidence": f"{mask.statistics.mean_confidence:.4f}",
            "content": content.to_text(),
            **({"warnings": " ".join(mask.warnings)} if mask.warnings else {}),
        }

    def _take_up(self, segment: Any, segment_id: str) -> None:
        """Make a row of a segment, unless its tags were not written by this version."""
        try:
            content = Content.from_text(tag_of(segment, "content"))
            row = ResultRow(
                tag_of(segment, "prompt"),
                RowState(tag_of(segment, "state")),
                segment_id,
                float(tag_of(segment, "volume_ml")),
                float(tag_of(segment, "confidence")),
                warnings=tuple(filter(None, [tag_of(segment, "warnings")])),
                accepted=is_completed(segment),
            )
        except ValueError:
            return
        # Of several, the newest: it was looked for again, and the older one kept.
        older = next((each for each in self.rows if each.structure == row.structure), None)
        if older is not None:
            if tag_of(segment, "date") <= tag_of(self._segment(older), "date"):
                return
            self.rows.remove(older)
        self.rows.append(row)
        self._originals[segment_id] = Original(content)

    def _segment(self, row: ResultRow) -> Any:
        node = self.segmentation_node
        if node is None or row.segment_id is None:
            return None
        segment = node.GetSegmentation().GetSegment(row.segment_id)
        # Somebody may have removed it, and a later run may have taken the identifier.
        return segment if segment and tag_of(segment, "run") == self._id else None

    def _is_users_own(self, row: ResultRow) -> bool:
        """Whether a segment was edited, or accepted as it is."""
        segment = self._segment(row)
        if segment is None:
            return False
        return row.accepted or not self._originals[row.segment_id].is_still(segment)

    def _remove(self, row: ResultRow) -> None:
        if self._segment(row) is not None:
            self.segmentation_node.GetSegmentation().RemoveSegment(row.segment_id)
            del self._originals[row.segment_id]
