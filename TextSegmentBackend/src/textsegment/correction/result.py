"""Makes the corrected mask: what was drawn stays, and parts that belong to nothing go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.correction.parts import touching
from textsegment.correction.propagation import propagate
from textsegment.correction.request import Correction
from textsegment.geometry import Box
from textsegment.origin import Maker, Origin
from textsegment.segmentation import StructureMask

PartsTouching = Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.bool_]]
"""Function of a mask and seeds that returns the parts of the mask that touch the seeds."""


def propagated(correction: Correction) -> StructureMask:
    """Return the mask that shape alone gives, without looking at the image."""
    box = correction.region()
    if box is None:
        return finished(correction, None, None)
    known, inside = correction.known_in(box)
    new = propagate(correction.base_in(box), known, inside, correction.volume.geometry.spacing)
    return finished(correction, box, new > 0, (Caution("edits_by_shape"),))


def finished(
    correction: Correction,
    box: Box | None,
    mask: NDArray[np.bool_] | None,
    warnings: tuple[str, ...] = (),
    parts_touching: PartsTouching = touching,
) -> StructureMask:
    """Return a corrected mask, measured.

    Drawn voxels are as they were drawn, voxels that may not change are as they were, and only those parts
    stay that touch the old mask or what was drawn.

    Args:
        correction: Request that is answered.
        box: Box of the mask on the grid of the volume; None if there is nothing to find.
        mask: Boolean array with the shape of ``box``.
        warnings: Messages for the user about this mask.
        parts_touching: Function that finds connected parts.
    """
    if box is None or mask is None:
        box, mask = Box((0, 0, 0), (0, 0, 0)), np.zeros((0, 0, 0), dtype=bool)
    known, inside = correction.known_in(box)
    base = correction.base_in(box)
    free = correction.may_change_in(box)
    new = np.where(known, inside, np.where(free, mask, base))
    if new.any():
        new = parts_touching(new, base | inside)
    volume = correction.volume
    found = StructureMask.measured(
        correction.name,
        new,
        volume.geometry,
        start=box.start,
        voxels=volume.voxels,
        warnings=(*correction.warnings, *warnings),
    )
    if found.statistics.is_empty:
        nothing = Caution("not_found", structure=correction.name)
        found = replace(found, warnings=(*found.warnings, nothing))
    return replace(found, origin=Origin(Maker.EDITED))
