"""Masks that came through another program land on the voxels of the DICOM series that they belong to."""

from dataclasses import replace
from itertools import permutations, product

import made_dicom
import numpy as np
import pytest

from textsegment.errors import GeometryError
from textsegment.files.dicom.grid_match import ImageMismatchError, find_scan, is_same_image, move_between
from textsegment.files.scan import Scan
from textsegment.geometry import Geometry
from textsegment.origin import Maker, Origin
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume
from textsegment.wire.export_order import MismatchReason, VoxelSample

SHAPE = (5, 6, 7)


def grid():
    affine = np.array([[1.9, 0.2, 0, -31], [-0.2, 2.1, 0, 12.5], [0, 0, 3.3, 700], [0, 0, 0, 1]])
    return Geometry(SHAPE, affine)


def turned(geometry, axes, signs):
    """The same voxels at the same places, stored in another order."""
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1
    shape = tuple(geometry.spatial_shape[axis] for axis in axes)
    for new, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        to_old[axis, new] = sign
        to_old[axis, 3] = 0 if sign > 0 else geometry.spatial_shape[axis] - 1
    return Geometry(shape, geometry.affine @ to_old)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_a_mask_stays_where_it_is_in_the_patient(axes, signs):
    here, there = grid(), turned(grid(), axes, signs)
    region = np.zeros(SHAPE, dtype=bool)
    region[1:3, 2:6, 4] = region[2, 3, 1] = True
    move = move_between(here, there)
    mask = StructureMask.measured("liver", region, here, warnings=("a note",))
    moved = move.apply(mask, there)
    points = here.to_ras(np.argwhere(region))
    back = there.to_ras(np.argwhere(moved.full(there.spatial_shape)))
    assert np.allclose(points[np.lexsort(points.T.round(3))], back[np.lexsort(back.T.round(3))], atol=1e-9)
    assert (moved.structure, moved.warnings) == ("liver", ("a note",))


def test_who_made_a_mask_stays_with_it():

    mask = replace(StructureMask.measured("x", np.ones(SHAPE, bool), grid()), origin=Origin(Maker.EDITED))
    assert move_between(grid(), grid()).apply(mask, grid()).origin.maker is Maker.EDITED


@pytest.mark.parametrize(
    "other",
    [
        Geometry((5, 6, 8), grid().affine),
        Geometry(SHAPE, grid().affine + np.eye(4, k=3)),
        Geometry(SHAPE, grid().affine @ np.diag([1.1, 1, 1, 1])),
    ],
)
def test_another_grid_is_told(other):
    assert move_between(grid(), other) is None


def test_voxels_tell_images_on_one_grid_apart():
    voxels = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    index = np.argwhere(np.ones(SHAPE, bool))
    values = voxels[tuple(index.T)].astype(float)
    scan, move = Scan(Volume(voxels, grid(), "PT"), None), move_between(grid(), grid())
    assert is_same_image(VoxelSample(index, values * 3 + 7), scan, move)
    assert not is_same_image(VoxelSample(index, values[::-1]), scan, move)
    assert not is_same_image(VoxelSample(index, np.zeros(len(index))), scan, move)


def test_the_series_of_a_folder_that_has_the_voxels_is_found(tmp_path):
    stored = np.random.default_rng(2).integers(0, 2000, (10, 9, 8)).astype(np.uint16)
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])
    made_dicom.write_series(tmp_path / "a", stored[::-1], affine)
    made_dicom.write_series(tmp_path / "b", stored, affine)
    index = np.argwhere(np.ones(stored.shape, bool))[::7]
    sample = VoxelSample(index, stored[tuple(index.T)].astype(float))
    geometry = find_scan([tmp_path / "b"], Geometry(stored.shape, affine), sample)[0].volume.geometry
    assert geometry.spatial_shape == stored.shape
    for images, grid_of, reason in (
        ([tmp_path / "a"], Geometry(stored.shape, affine), MismatchReason.OTHER_IMAGE),
        ([tmp_path / "b"], grid(), MismatchReason.NO_GRID),
        (sorted((tmp_path / "b").iterdir()), grid(), MismatchReason.MOVED),
    ):
        with pytest.raises(ImageMismatchError) as refused:
            find_scan(images, grid_of, sample)
        assert refused.value.reason is reason
        assert isinstance(refused.value, GeometryError)
