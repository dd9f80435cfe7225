"""Makes a corrected mask of edits and of what the network says about the region around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from textsegment.correction import Correction
from textsegment.correction.distance import distance, signed_distance
from textsegment.correction.propagation import drawn_slices, propagate
from textsegment.correction.request import MARGIN_MM
from textsegment.correction.result import finished
from textsegment.geometry import Box
from textsegment.inference.correct import looks
from textsegment.inference.correct.cells import LEVELS, CellGrid
from textsegment.inference.correct.gather import CellFeatures
from textsegment.inference.correct.linear import fitted_logits
from textsegment.inference.correct.trees import learn_and_decide
from textsegment.segmentation import StructureMask

# An old mask without probabilities is this sure of itself: one logit for so many millimetres of depth.
_MM_PER_LOGIT = 3.0
# An old mask and the probability that disagrees with it are that sure at least.
_LEAST_LOGIT = 0.2


@dataclass(frozen=True, eq=False)
class Corrector:
    """A correction on its grid of cells.

    Attributes:
        correction: Request to carry out.
        cells: Grid of cells over its region.
    """

    correction: Correction
    cells: CellGrid

    @cached_property
    def _base(self) -> NDArray[np.bool_]:
        return self.correction.base_in(self.cells.box)

    @cached_property
    def _base_share(self) -> NDArray[np.float32]:
        return self.cells.means(self._base)

    @cached_property
    def _known(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        known, inside = self.correction.known_in(self.cells.box)
        count = self.cells.sums(known, np.int32)
        return count > 0, (self.cells.sums(inside, np.int32) > count / 2)

    def mask(self, seen: CellFeatures | None) -> StructureMask:
        """Return the corrected mask.

        Args:
            seen: What the network says about the cells, in C order; None if it cannot be asked.
        """
        known, inside = self._known
        base = self._base_share > 0.5
        spacing = self.cells.spacing
        carried = propagate(base, known, inside, spacing)
        share = self._decided(seen, base, carried)
        return self._finished(share)

    def _decided(
        self, seen: CellFeatures | None, base: NDArray[np.bool_], carried: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        known, inside = self._known
        spacing = self.cells.spacing
        image = self.cells.means(self.correction.volume.voxels[self.cells.box.slices])
        old = self._old_logits(seen, base)
        columns = [looks.intensities(image, spacing)]
        if seen is not None:
            columns.insert(0, seen.features)
        if any(len(drawn_slices(known, axis)) for axis in range(3)):
            columns += [
                old.reshape(-1, 1),
                looks.positions(self.cells.shape),
                looks.shapes(base, carried, spacing),
            ]
            near = distance(base | inside | (carried > 0), spacing, MARGIN_MM) < MARGIN_MM
            found = learn_and_decide(
                np.concatenate(columns, axis=1),
                known.ravel(),
                inside.ravel(),
                base.ravel() if base.any() else None,
                near.ravel(),
            )
            return found.reshape(self.cells.shape)
        away = distance(known, spacing, 4 * MARGIN_MM)
        fitted = fitted_logits(
            looks.standardised(np.concatenate(columns, axis=1)),
            old.ravel(),
            known.ravel(),
            inside.ravel(),
            away.ravel(),
        )
        chances = 1 / (1 + np.exp(-fitted.reshape(self.cells.shape)))
        return np.where(known, inside, chances).astype(np.float32)

    def _old_logits(self, seen: CellFeatures | None, base: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the logits of the model where they agree with the old mask, else those of its shape."""
        depth = signed_distance(base, self.cells.spacing, looks.MOST_LOGIT * _MM_PER_LOGIT)
        shape = depth / np.float32(_MM_PER_LOGIT)
        if seen is None or seen.probability is None:
            return shape
        said = looks.logits(seen.probability).reshape(self.cells.shape)
        least = np.where(base, np.maximum(shape, _LEAST_LOGIT), np.minimum(shape, -_LEAST_LOGIT))
        return np.where((said > 0) == base, said, least).astype(np.float32)

    def _finished(self, share: NDArray[np.float32]) -> StructureMask:
        found = Box.around((share > 1 / LEVELS) | (self._base_share > 0))
        if found is None:
            return finished(self.correction, None, None)
        region, strides = self.cells.box, self.cells.strides
        start = [r + (a - 1) * n for r, a, n in zip(region.start, found.start, strides, strict=True)]
        stop = [r + (b + 1) * n for r, b, n in zip(region.start, found.stop, strides, strict=True)]
        part = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).intersection(region)
        within = tuple(
            slice(a - r, b - r) for a, b, r in zip(part.start, part.stop, region.start, strict=True)
        )
        new = self.cells.refined(share, part)
        if max(strides) > 1:
            # The old mask is finer than the cells: keep its details where the cells do not change.
            old = self.cells.refined(self._base_share, part)
            new += (1 - np.abs(new - old)) * (self._base[within] - old)
        return finished(self.correction, part, new > 0.5, parts_touching=_parts_touching)


def _parts_touching(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of a mask that share a voxel with the seeds; all of it if no part does."""
    numbers, count = label(mask)
    touched = np.zeros(count + 1, dtype=bool)
    touched[numbers[seeds & mask]] = True
    touched[0] = False
    return np.asarray(touched[numbers]) if touched.any() else mask
