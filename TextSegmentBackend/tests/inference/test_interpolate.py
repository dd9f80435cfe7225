"""Interpolation along one axis after the other is the trilinear one, whatever the orientation."""

from itertools import permutations, product

import numpy as np
import pytest

from textsegment.inference.image.canonical import resample
from textsegment.inference.image.interpolate import ParallelGrids, interpolate

SHAPE = (9, 7, 5)
VOXELS = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)


def matrix_of(axes, signs, scale=(0.37, 0.61, 1.4), shift=(0.3, -0.8, 0.45)):
    """An axis of the result after the other runs along an axis of the source, forwards or backwards."""
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for n, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        matrix[axis, n] = sign * scale[n]
        matrix[axis, 3] = shift[n] if sign > 0 else SHAPE[axis] - 1 - shift[n]
    return matrix


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_it_is_the_same_in_all_48_orientations(axes, signs):
    matrix = matrix_of(axes, signs)
    ours = interpolate(VOXELS, matrix, (20, 14, 6))
    theirs = resample(VOXELS, matrix, (20, 14, 6), order=1, dtype=np.float32)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_oblique_grids_are_resampled_too():
    matrix = matrix_of((0, 1, 2), (1, 1, 1))
    matrix[0, 1] = 0.2
    theirs = resample(VOXELS, matrix, (20, 14, 6), order=1, dtype=np.float32)
    np.testing.assert_array_equal(interpolate(VOXELS, matrix, (20, 14, 6)), theirs)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 5), (9, 1, 5)])
def test_sources_of_one_voxel_along_an_axis(shape):
    voxels = VOXELS[tuple(slice(n) for n in shape)]
    matrix = matrix_of((0, 1, 2), (1, 1, 1), shift=(0.0, 0.0, 0.0))
    theirs = resample(voxels, matrix, (5, 5, 5), order=1, dtype=np.float32)
    np.testing.assert_allclose(interpolate(voxels, matrix, (5, 5, 5)), theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_planes_above_a_threshold_hold_the_same_numbers(axes, signs):
    voxels = np.where(VOXELS > 200, VOXELS, 0).astype(np.uint8)
    matrix = matrix_of(axes, signs)
    whole = interpolate(voxels, matrix, (20, 14, 6))
    parallel = ParallelGrids.between(voxels, matrix, whole.shape)
    for axis in (0, 2):
        found = np.zeros_like(whole)
        for where, values in parallel.planes_above(127, axis):
            np.testing.assert_array_equal(values, whole[where])
            found[where] = values
        np.testing.assert_array_equal(found > 127, whole > 127)
