"""Masks of another program as an object of their DICOM series."""

import numpy as np
import pytest
from made_dicom import write_series
from made_scans import OBLIQUE, segmentation

from textsegment.files.dicom.grid_match import ImageMismatchError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.export import export
from textsegment.wire.export_order import ExportOrder, VoxelSample

SHAPE = (20, 16, 6)


@pytest.fixture
def scan(tmp_path):
    write_series(tmp_path / "scan", np.arange(np.prod(SHAPE)).reshape(SHAPE), OBLIQUE)
    return read_dicom(tmp_path / "scan")


def mask_of(shape):
    mask = np.zeros(shape, dtype=bool)
    mask[3:9, 2:11, 1:3] = True
    mask[12, 13, 4] = True
    return mask


def order(tmp_path, scan, *, flipped=False, other=False):
    """Masks on the grid of the scan, or on the same with its slices the other way round."""
    affine, mask = scan.volume.geometry.affine.copy(), mask_of(SHAPE)
    voxels = scan.volume.voxels
    if flipped:
        affine[:3, 3] += affine[:3, 2] * (SHAPE[2] - 1)
        affine[:3, 2] *= -1
        mask, voxels = mask[:, :, ::-1], voxels[:, :, ::-1]
    random = np.random.default_rng(0)
    index = random.integers(SHAPE, size=(100, 3))
    values = random.normal(size=100) if other else voxels[tuple(index.T)].astype(float)
    masks = segmentation(affine, {"liver": mask})
    path = tmp_path / "out.seg.dcm"
    return ExportOrder(
        masks, VoxelSample(index, values), (str(tmp_path / "scan"),), str(path), {"liver": "Liver"}
    )


@pytest.mark.parametrize("flipped", [False, True])
def test_masks_lie_where_they_lay_in_the_other_program(tmp_path, scan, flipped):
    assert export(order(tmp_path, scan, flipped=flipped)) == ()
    (found,) = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=scan.volume.geometry, source=scan.source)
    assert found.structure == "Liver"
    assert np.array_equal(found.full(SHAPE), mask_of(SHAPE))


def test_images_that_show_something_else_get_no_masks(tmp_path, scan):
    with pytest.raises(ImageMismatchError):
        export(order(tmp_path, scan, other=True))
    assert not (tmp_path / "out.seg.dcm").exists()
