"""Every format against every other: the same masks agree entirely, whatever they are called."""

from itertools import product

import numpy as np
import pytest
from made_dicom import write_series
from scipy.spatial.transform import Rotation

from textsegment.compare.comparison import compare
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.results import write_result
from textsegment.files.segmentations import read_segmentation
from textsegment.segmentation import Segmentation, StructureMask

SHAPE = (30, 26, 14)
# Oblique and anisotropic.
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [0.1, -0.15, 0.2]).as_matrix() @ np.diag([-1.4, -1.3, 3.9])
AFFINE[:3, 3] = (20, 30, -25)
FORMATS = ("a.rtstruct.dcm", "b.seg.nrrd", "c.nii.gz", "d.seg.dcm", "e.nrrd", "folder")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same masks in every format, one with a hole, one empty, one with a name in another script."""
    folder = tmp_path_factory.mktemp("formats")
    write_series(folder / "ct", np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.uint16), AFFINE)
    scan = read_dicom(folder / "ct")
    geometry = scan.volume.geometry
    liver, kidney = np.zeros(geometry.spatial_shape, bool), np.zeros(geometry.spatial_shape, bool)
    liver[4:16, 5:14, 3:9] = True
    liver[8:11, 8:11, 5:7] = False
    kidney[20:27, 12:22, 2:12] = True
    masks = {"liver": liver, "Rein côté gauche": kidney, "spleen": np.zeros_like(liver)}
    measured = tuple(StructureMask.measured(name, mask, geometry) for name, mask in masks.items())
    for name in FORMATS:
        write_result(Segmentation(geometry, measured, {}), folder / name, source=scan.source)
    return {name: read_segmentation(folder / name, scan=scan) for name in FORMATS}


@pytest.mark.parametrize(("one", "other"), list(product(FORMATS, FORMATS)))
def test_two_formats_agree(written, one, other):
    found = compare(written[one], written[other])
    compared = {each.reference.structure: each.measures for each in found.structures}
    assert "liver" in compared
    assert len(compared) >= 2 or "a.rtstruct.dcm" in (one, other)  # its names are ASCII
    for measures in compared.values():
        assert measures.dice == 1
        assert measures.surface_dice == 1
        assert not measures.hd95_mm > 1e-3  # none for two empty masks
    assert not set(found.matching.missing) & set(found.matching.extra)
