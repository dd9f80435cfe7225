"""The part of a correction that executes in its worker: it touches no node, and never blocks the GUI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from textsegment.effort import Effort
from textsegment.geometry import Box
from textsegment.origin import Maker, Origin
from textsegment.segmentation import StructureMask
from textsegment.segmenter import CancelToken, MaskReady, Segmenter

from TextSegmentLib.background import Report
from TextSegmentLib.correction.edited_segment import Drawing, EditedSegment, Mark
from TextSegmentLib.history.packed_mask import PackedMask
from TextSegmentLib.scene.run.finding import VoxelsCopied
from TextSegmentLib.scene.volume_node import VolumeSource


@dataclass(frozen=True, eq=False)
class CorrectionOrder:
    """What to correct, and how.

    Attributes:
        segment: Segment with what was drawn in it.
        modality: DICOM modality code of the image.
        marks: Points that the user has placed.
        within: Box of voxels that may change; None for all.
        anew: Whether to look for the structure again in the box, rather than to carry edits on.
    """

    segment: EditedSegment
    modality: str
    marks: Sequence[Mark] = ()
    within: Box | None = None
    anew: bool = False


@dataclass(frozen=True, eq=False)
class CorrectedMask:
    """Outcome of a correction.

    Attributes:
        mask: Corrected mask, on the grid of the volume.
        packed: The same in the volume's space; None if it is empty.
        drawn: Voxels that the user has drawn, in the volume's space; None if there are none.
        removed: Voxels of the segment that would go, in the volume's space; None if there are none.
        before: Segment as it was drawn, in the volume's space; None if it was empty.
        volume_before_ml: Its volume then, in millilitres.
    """

    mask: StructureMask
    packed: PackedMask | None
    drawn: PackedMask | None
    removed: PackedMask | None
    before: PackedMask | None
    volume_before_ml: float


def correct(
    source: VolumeSource, segmenter: Segmenter, order: CorrectionOrder, report: Report, cancel: CancelToken
) -> CorrectedMask:
    """Correct a segment; what was drawn stays as it was drawn, whatever the engine says.

    Args:
        source: Voxels and geometry of the volume.
        segmenter: Segmenter that carries the edits on.
        order: What to correct.
        report: Callback that gets ``ModelInfo``, ``VoxelsCopied`` and the events of the segmenter.
        cancel: Token that asks to stop.

    Raises:
        TextSegmentError: There is nothing to carry on, or the segmenter failed.
    """
    model = segmenter.info()
    report(model)
    volume = source.to_volume(order.modality)
    report(VoxelsCopied())
    drawing = order.segment.compare(source.geometry, order.marks)
    structure = order.segment.record.structure if order.segment.record is not None else ""
    is_known = structure in model.structures.get(order.modality, ())

    def on_event(event: Any) -> None:
        if not isinstance(event, MaskReady):
            report(event)

    if order.anew:
        effort = Effort(region=order.within)
        found = segmenter.segment(volume, [structure], effort=effort, on_event=on_event, cancel=cancel)
        mask = found[structure]
    else:
        mask = segmenter.correct(
            volume,
            edits=drawing.edits,
            base=drawing.base,
            prompt=structure if is_known else None,
            name=structure or order.segment.name,
            within=order.within,
            on_event=on_event,
            cancel=cancel,
        )
    return _outcome(mask, drawing, order.within, source, structure or order.segment.name)


def _outcome(
    mask: StructureMask, drawing: Drawing, within: Box | None, source: VolumeSource, structure: str
) -> CorrectedMask:
    """Return the mask of the engine, with everything as it was where nothing may change."""
    geometry = source.geometry
    new = mask.full(geometry.spatial_shape)
    known, inside = drawing.known()
    if within is not None:
        found, new = new, drawing.current.copy()
        new[within.slices] = found[within.slices]
    new = np.where(known, inside, new)
    measured = StructureMask.measured(
        structure, new, geometry, voxels=source.voxels_kji.transpose(2, 1, 0), warnings=mask.warnings
    )
    before_ml = float(np.count_nonzero(drawing.current) * geometry.voxel_volume_ml)
    return CorrectedMask(
        replace(measured, origin=Origin(Maker.EDITED)),
        _packed(new, geometry.affine),
        _packed(known, geometry.affine),
        _packed(drawing.current & ~new, geometry.affine),
        _packed(drawing.current, geometry.affine),
        before_ml,
    )


def _packed(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> PackedMask | None:
    return PackedMask.of(mask.transpose(2, 1, 0), affine)
