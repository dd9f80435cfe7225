"""Restore probabilities on the canonical grid to a mask on the grid of the scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.geometry import Box
from textsegment.inference.accumulate import LEVELS, THRESHOLD, ProbabilityBox
from textsegment.inference.image.canonical import CanonicalImage
from textsegment.inference.image.grid import box_on, index_map
from textsegment.inference.image.interpolate import ParallelGrids, Part, interpolate
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.volume import Volume

# Voxels resampled at once: 64 MB of float32.
_SLAB_VOXELS = 2**24

_NOWHERE = Box((0, 0, 0), (0, 0, 0))


def restore_mask(
    structure: str,
    probability: ProbabilityBox | None,
    canonical: CanonicalImage,
    volume: Volume,
    warnings: tuple[str, ...] = (),
    *,
    within: Box | None = None,
) -> StructureMask:
    """Resample the probabilities of a structure to the scan (trilinear), threshold them, measure the mask.

    Outside the cropped canonical image the probability is zero. Beyond the last voxel *centres* of the whole
    canonical grid it is that of the nearest centre, since the scan extends up to half a coarse voxel farther.

    Args:
        structure: Name of the structure.
        probability: Probabilities on the cropped canonical grid; None if the structure was not found.
        canonical: Canonical image, whose grid is that of the probabilities.
        volume: Scan that was segmented.
        warnings: Sentences about this structure for the user.
        within: Box of voxels of the scan that was segmented, to which the mask is limited; None for all.
    """
    if probability is None:
        return _empty(structure, warnings)
    seen = within or Box((0, 0, 0), volume.geometry.spatial_shape)
    box = box_on(canonical.original, canonical.geometry, probability.box).intersection(seen)
    if 0 in box.shape:
        return _empty(structure, warnings)
    padded = _padded(probability, canonical)
    # Maps an index in the box of the scan to an index of the padded probabilities.
    matrix = index_map(canonical.geometry, canonical.original.cropped(box))
    matrix[:3, 3] -= np.subtract(probability.box.start, 1)
    mask, count, level_sum, intensity_sum = _thresholded(padded, matrix, volume.voxels[box.slices], box.shape)
    tight = Box.around(mask) if count else None
    if tight is None:
        return _empty(structure, warnings)
    i, j, k = np.add(box.start, tight.start).tolist()
    p, q, r = np.add(box.start, tight.stop).tolist()
    final = Box((i, j, k), (p, q, r))
    statistics = MaskStatistics(
        voxel_count=count,
        volume_ml=count * volume.geometry.voxel_volume_ml,
        mean_intensity=intensity_sum / count,
        mean_confidence=level_sum / count / LEVELS,
        touches_border=final.reaches(seen),
    )
    return StructureMask(structure, final, mask[tight.slices].copy(order="K"), statistics, warnings)


def _thresholded(
    levels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    voxels: NDArray[Any],
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.bool_], int, float, float]:
    """Resample levels to voxels of the scan, and threshold them.

    Returns:
        Mask in the memory order of the voxels, the number of its true voxels, and the sums of the levels and
        of the intensities inside it.
    """
    k_is_outer = abs(voxels.strides[0]) < abs(voxels.strides[2])
    mask = np.zeros(shape, dtype=bool, order="F" if k_is_outer else "C")
    parallel = ParallelGrids.between(levels, matrix, shape)
    axis = 2 if k_is_outer and parallel is not None else 0
    parts = _slabs(levels, matrix, shape) if parallel is None else parallel.planes_above(THRESHOLD, axis)
    count, level_sum, intensity_sum = 0, 0.0, 0.0
    for where, found in parts:
        hits = found > THRESHOLD
        mask[where] = hits
        inside = found[hits]
        count += len(inside)
        level_sum += float(inside.sum(dtype=np.float64))
        if k_is_outer and parallel is not None:  # walk along memory
            intensity_sum += float(voxels[where].T[mask[where].T].sum(dtype=np.float64))
        else:
            intensity_sum += float(voxels[where][hits].sum(dtype=np.float64))
    return mask, count, level_sum, intensity_sum


def _slabs(
    levels: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, int, int]
) -> Iterator[tuple[Part, NDArray[np.float32]]]:
    """Resample between grids that are not parallel, and yield the result slab by slab."""
    rows = max(1, _SLAB_VOXELS // (shape[1] * shape[2]))
    for start in range(0, shape[0], rows):
        stop = min(start + rows, shape[0])
        slab_matrix = matrix.copy()
        slab_matrix[:3, 3] += matrix[:3, 0] * start
        yield (
            (slice(start, stop), slice(None), slice(None)),
            interpolate(levels, slab_matrix, (stop - start, shape[1], shape[2])),
        )


def _empty(structure: str, warnings: tuple[str, ...]) -> StructureMask:
    statistics = MaskStatistics(0, 0.0, float("nan"), float("nan"), touches_border=False)
    found_nothing = (*warnings, Caution("not_found", structure=structure))
    return StructureMask(structure, _NOWHERE, np.zeros((0, 0, 0), dtype=bool), statistics, found_nothing)


def _padded(probability: ProbabilityBox, canonical: CanonicalImage) -> NDArray[np.uint8]:
    """Pad by one voxel on every side: with zero, or with the nearest voxel where the canonical grid ends."""
    padded = np.pad(probability.levels, 1)
    start = np.add(probability.box.start, canonical.crop.start)
    stop = np.add(probability.box.stop, canonical.crop.start)
    for axis in range(3):
        faces = np.moveaxis(padded, axis, 0)
        if start[axis] == 0:
            faces[0] = faces[1]
        if stop[axis] == canonical.full_shape[axis]:
            faces[-1] = faces[-2]
    return padded
