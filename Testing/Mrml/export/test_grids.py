"""Segments on other grids than the image, transforms, and images found in folders."""

import numpy as np
import pydicom
import pytest
import slicer
import vtk
from cases import volume_node
from export_case import SHAPE, axial, dice, draw, transform
from textsegment.errors import (
    GeometryError,
    OutputError,
)
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from TextSegmentLib.export.regions import take_region
from TextSegmentLib.export.request import ExportRequest, Format


def test_a_segment_on_a_finer_grid_is_resampled(case, tmp_path):
    affine = case.scan.volume.geometry.affine.copy()
    affine[:3, 3] = case.scan.volume.geometry.to_ras([8.75, 3.75, 5.75])
    affine[:3, :3] /= 2
    shape = (40, 30, 24)  # half as large, from 8.5 to 28.5 along i
    draw(case, "PTV", np.ones(shape, dtype=bool), Geometry(shape, affine))
    exported = case.export(ExportRequest(Format.SEGMENTATION, tmp_path / "plan"), {"PTV"})
    found = case.read(exported.file).full_mask("PTV")
    expected = np.zeros(SHAPE, dtype=bool)
    expected[9:29, 4:19, 6:18] = True
    assert dice(found, expected) >= 0.99


def between_voxels(case, shift):
    """Returns the exported mask of a 30 × 20 × 10 voxel segment that begins ``shift`` voxels along i."""
    geometry = case.scan.volume.geometry
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_ras([shift, 0.3, 0.3])
    draw(case, "Body", np.ones((30, 20, 10), dtype=bool), Geometry((30, 20, 10), affine))
    return take_region(case.segmentation_node, case.node, case.regions[-1]).to_mask(geometry)


def test_a_segment_between_the_voxels_is_cut_at_the_border(case):
    mask = between_voxels(case, -4.4)
    expected = np.zeros(SHAPE, dtype=bool)
    expected[:26, :20, :10] = True  # nearest neighbors: from -4 to 25 along i
    assert np.array_equal(mask.full(SHAPE), expected)
    assert "beyond the image" in mask.warnings[0]


def test_a_segment_far_beside_the_image_is_empty(case):
    assert between_voxels(case, 200.4).statistics.is_empty


def test_what_reaches_beyond_the_image_is_cut_and_said_so(case, tmp_path):
    affine = case.scan.volume.geometry.affine.copy()
    affine[:3, 3] = case.scan.volume.geometry.to_ras([-5, 0, 0])
    draw(case, "Body", np.ones((30, 20, 10), dtype=bool), Geometry((30, 20, 10), affine))
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"Body"})
    assert np.count_nonzero(case.read(exported.file).full_mask("Body")) == 25 * 20 * 10
    (roi,) = pydicom.dcmread(exported.file).StructureSetROISequence
    assert "beyond the image" in roi.ROIDescription


def test_a_transform_above_both_changes_nothing_and_is_said(case, tmp_path):
    above = transform(np.diag([1, -1, 1, 1]))
    for node in (case.node, case.segmentation_node):
        node.SetAndObserveTransformNodeID(above.GetID())
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"liver"})
    assert "under a transform" in exported.warnings[0]
    assert np.array_equal(case.read(exported.file).full_mask("Liver"), case.expected("liver"))


def test_a_transform_above_the_segments_alone_moves_them(case, tmp_path):
    step = np.eye(4)
    step[:3, 3] = case.scan.volume.geometry.affine[:3, :3] @ [2, 0, 1]
    case.segmentation_node.SetAndObserveTransformNodeID(transform(step).GetID())
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"liver"})
    expected = np.roll(case.expected("liver"), (2, 0, 1), (0, 1, 2))
    assert np.array_equal(case.read(exported.file).full_mask("Liver"), expected)


def test_a_hardened_transform_is_refused(case, tmp_path):
    step = np.eye(4)
    step[:3, 3] = (0, 7, 0)
    for node in (case.node, case.segmentation_node):
        node.SetAndObserveTransformNodeID(transform(step).GetID())
        assert slicer.vtkSlicerTransformLogic.hardenTransform(node)
    with pytest.raises(GeometryError, match="moved, cut or resampled"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    assert not list(tmp_path.glob("*.dcm"))


def test_a_non_linear_transform_between_them_is_refused(case, tmp_path):
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    bent.SetAndObserveTransformToParent(spline)
    case.segmentation_node.SetAndObserveTransformNodeID(bent.GetID())
    with pytest.raises(OutputError, match="non-linear"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))


def test_an_image_with_other_axes_is_found_in_a_folder(case, tmp_path):
    """As after conversion to NIfTI: the same voxels with one axis flipped and the axes permuted."""
    scan = case.scan.volume
    affine = scan.geometry.affine @ [[0, -1, 0, SHAPE[0] - 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    voxels = np.ascontiguousarray(scan.voxels[::-1].transpose(1, 0, 2))
    case.node = volume_node(Volume(voxels, Geometry(voxels.shape, affine), "CT"), "Turned")
    exported = case.export(
        ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=case.folder), {"liver"}
    )
    assert np.array_equal(case.read(exported.file).full_mask("Liver"), case.expected("liver"))


def test_the_series_in_a_folder_is_the_one_with_these_voxels(case, tmp_path, write_series):
    other = np.random.default_rng(6).integers(0, 2000, SHAPE).astype(np.uint16)
    write_series(case.folder, other, axial(), series_number=1)
    case.node.RemoveAttribute("DICOM.instanceUIDs")
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=case.folder))
    file = pydicom.dcmread(exported.file)
    assert file.StudyInstanceUID == case.scan.source.study_instance_uid


@pytest.mark.parametrize(
    ("shift", "seed", "said"), [(0, 6, "show something else"), (3, 5, "No series in this folder")]
)
def test_a_folder_of_other_images_is_refused(case, tmp_path, write_series, shift, seed, said):
    stored = np.random.default_rng(seed).integers(0, 2000, SHAPE).astype(np.uint16)
    affine = axial()
    affine[2, 3] += shift
    write_series(tmp_path / "other", stored, affine)
    with pytest.raises(GeometryError, match=said):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=tmp_path / "other"))
