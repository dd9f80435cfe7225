"""Makes a corrected mask of edits and of what the network says about the region around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from textsegment.correction import Correction
from textsegment.correction.distance import distance, signed_distance
from textsegment.correction.propagation import LIMIT_MM, drawn_slices, propagate
from textsegment.correction.request import MARGIN_MM
from textsegment.correction.result import finished, propagated
from textsegment.geometry import Box
from textsegment.inference.correct import looks
from textsegment.inference.correct.cells import CellGrid
from textsegment.inference.correct.erased import beyond_erased
from textsegment.inference.correct.gather import CellFeatures
from textsegment.inference.correct.linear import fitted_logits
from textsegment.inference.correct.trees import learn_and_decide
from textsegment.segmentation import StructureMask

# An old mask without probabilities is this sure of itself: one logit for so many millimetres of depth.
_MM_PER_LOGIT = 3.0
# An old mask and the probability that disagrees with it are that sure at least.
_LEAST_LOGIT = 0.2
# Where nothing else says so, a structure ends within about this distance of its tapering shape.
_TAPERING_MM = 2.0
# Near what was drawn, the old mask is believed less, over about this distance.
_TRUSTED_FROM_MM = 18.0
# What points, strokes and slices that were only erased teach fades over this distance at most.
_FADING_MM = 12.0
_LEAST_FADING_MM = 0.1


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
    def _counts(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Number of known voxels in each cell, and of those that are inside."""
        known, inside = self.correction.known_in(self.cells.box)
        return self.cells.sums(known), self.cells.sums(inside)

    @cached_property
    def _known(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        known, inside = self._counts
        return known > 0, inside > known / 2

    def mask(self, seen: CellFeatures | None) -> StructureMask:
        """Return the corrected mask.

        Args:
            seen: What the network says about the cells, in C order; None if it cannot be asked: then the
                edits are carried on by their shape.
        """
        if seen is None:
            return propagated(self.correction)
        known, inside = self._known
        if not known.any():  # all edits lie far outside of what may change
            return self._finished(self._base_share)
        base = self._base_share > 0.5
        old = self._old_logits(seen, base)
        image = self.cells.means(self.correction.volume.voxels[self.cells.box.slices])
        columns = np.concatenate([seen.features, looks.intensities(image, self.cells.spacing)], axis=1)
        if any(len(drawn_slices(known, axis)) for axis in range(3)):
            share = self._learnt_from_slices(columns, old, base)
        else:
            share = self._bent_by_strokes(columns, old, base)
        share = np.where(known, inside, share).astype(np.float32)
        # Away from where the decision changes, the old mask stays as it is.
        changed = binary_dilation((share > 0.5) != base, structure=np.ones((3, 3, 3)))
        return self._finished(np.where(changed, share, self._base_share))

    def _learnt_from_slices(
        self, columns: NDArray[np.float32], old: NDArray[np.float32], base: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        known, inside = self._known
        spacing = self.cells.spacing
        more = [old.reshape(-1, 1), looks.positions(self.cells.shape)]
        if base.any():
            more.append(signed_distance(base, spacing, LIMIT_MM).reshape(-1, 1))
        carried = propagate(base, known, inside, spacing)
        beyond = _beyond_last_slices(known)
        is_new = not base.any()
        away_mm = distance(known, spacing, 2 * MARGIN_MM)
        found = learn_and_decide(
            np.concatenate([columns, *more], axis=1),
            known.ravel(),
            inside.ravel(),
            None if is_new else base.ravel(),
            self._trust_in_old(away_mm).ravel(),
            (distance(base | inside | (carried > 0), spacing, MARGIN_MM) < MARGIN_MM).ravel(),
            evenly=is_new and bool(beyond.any()),
        )
        found = found.reshape(self.cells.shape)
        if not inside.any():
            # Slices were erased, and nothing says what the structure is like: far away the old mask stays.
            found = self._fading(found, base, away_mm)
        if is_new:
            # Nothing else says where the structure ends: beyond its last drawn slices it tapers off.
            found[beyond] /= 1 + np.exp(-np.clip(carried[beyond] / _TAPERING_MM, -30, 30))
        return found

    def _trust_in_old(self, away_mm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how far the old mask is believed where nothing was drawn: less so near what was drawn."""
        known, inside = self._known
        trust = 1 - np.exp(-np.square(away_mm / np.float32(_TRUSTED_FROM_MM)))
        trust[beyond_erased(self._base_share > 0.5, known, inside)] = 0
        return np.asarray(trust, dtype=np.float32)

    def _bent_by_strokes(
        self, columns: NDArray[np.float32], old: NDArray[np.float32], base: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        known, inside = self._known
        away_mm = distance(known, self.cells.spacing, 4 * MARGIN_MM)
        fitted = fitted_logits(
            looks.standardised(columns), old.ravel(), known.ravel(), inside.ravel(), away_mm.ravel()
        )
        found = 1 / (1 + np.exp(-np.clip(fitted.reshape(self.cells.shape), -30, 30)))
        return self._fading(found.astype(np.float32), base, away_mm)

    def _fading(
        self, found: NDArray[np.float32], base: NDArray[np.bool_], away_mm: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return what was learnt near the edits, and more and more of the old mask the farther they are.

        At the far end of the old mask, it stays whatever was learnt: a few edits never take all of it away.
        """
        if not base.any():
            return found
        width = max(min(_FADING_MM, float(away_mm[base].max()) / 2), _LEAST_FADING_MM)
        reach = np.exp(-np.square(away_mm / np.float32(width)) / 2)
        return np.asarray(reach * found + (1 - reach) * self._base_share, dtype=np.float32)

    def _old_logits(self, seen: CellFeatures, base: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the logits of the model where they agree with the old mask, else those of its shape."""
        depth = signed_distance(base, self.cells.spacing, looks.MOST_LOGIT * _MM_PER_LOGIT)
        shape = depth / np.float32(_MM_PER_LOGIT)
        if seen.probability is None:
            return shape
        said = looks.logits(seen.probability).reshape(self.cells.shape)
        least = np.where(base, np.maximum(shape, _LEAST_LOGIT), np.minimum(shape, -_LEAST_LOGIT))
        return np.where((said > 0) == base, said, least).astype(np.float32)

    def _finished(self, share: NDArray[np.float32]) -> StructureMask:
        found = Box.around((share >= 0.5) | (self._base_share > 0) | (self._counts[1] > 0))
        if found is None:
            return finished(self.correction, None, None)
        part = self.cells.voxels_of(found)
        mask = self._base[self.cells.within(part)].copy()
        changed = Box.around(share != self._base_share)
        if changed is not None:
            inner = self.cells.voxels_of(changed).intersection(part)
            origin = part.start
            there = tuple(
                slice(a - o, b - o) for a, b, o in zip(inner.start, inner.stop, origin, strict=True)
            )
            mask[there] = self._redrawn(share, inner)
        return finished(self.correction, part, mask, parts_touching=_parts_touching)

    def _redrawn(self, share: NDArray[np.float32], part: Box) -> NDArray[np.bool_]:
        """Return the new mask in a part of the region, from the shares of its cells."""
        base = self._base[self.cells.within(part)]
        mask = np.empty(part.shape, dtype=bool)
        rows = zip(self.cells.refined(share, part), self.cells.refined(self._base_share, part), strict=True)
        for i, (new, old) in enumerate(rows):
            if max(self.cells.strides) > 1:
                # The old mask is finer than the cells: keep its details where the cells do not change.
                new = new + (1 - np.abs(new - old)) * (base[i] - old)
            mask[i] = new > 0.5
        return mask


def _beyond_last_slices(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells outside of the outermost slices across an axis in which several were drawn."""
    found = np.zeros(known.shape, dtype=bool)
    for axis in range(3):
        numbers = drawn_slices(known, axis)
        if len(numbers) > 1:
            along = np.moveaxis(found, axis, 0)
            along[: numbers[0]] = along[numbers[-1] + 1 :] = True
    return found


def _parts_touching(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of a mask that share a voxel with the seeds; all of it if no part does."""
    numbers, count = label(mask)
    touched = np.zeros(count + 1, dtype=bool)
    touched[numbers[seeds & mask]] = True
    touched[0] = False
    return np.asarray(touched[numbers]) if touched.any() else mask
