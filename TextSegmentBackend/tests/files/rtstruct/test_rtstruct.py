"""Contours of structure sets, read back by programs of other people: matplotlib, scikit-image, OpenCV."""

from importlib import import_module

import numpy as np
import pydicom
import pytest
from made_dicom import write_enhanced, write_series
from made_scans import ANISOTROPIC, OBLIQUE, SHEARED, affine, rotation, segmentation
from pictured_sets import (
    AXIAL,
    CORONAL,
    FEET_FIRST,
    SAGITTAL,
    SHAPE,
    contours,
    made_scan,
    mask_by_even_odd,
    names,
    pictures,
    result,
)
from pydicom.uid import generate_uid

from textsegment.errors import (
    GeometryError,
    OutputError,
)
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.rtstruct.writer import write_rtstruct

ORIENTATIONS = {
    "axial": affine(AXIAL),
    "sagittal": affine(SAGITTAL),
    "coronal": affine(CORONAL),
    "feet first": affine(FEET_FIRST),
    "oblique": OBLIQUE,
    "in reversed order": OBLIQUE @ np.diag([1, 1, -1, 1]),
    "doubly oblique, square pixels": affine(rotation(-0.4, 0.9, 0.2) @ AXIAL, (1.3, 1.3, 3)),
    "anisotropic": ANISOTROPIC,
    "tilted gantry": SHEARED,
    "far away": affine(AXIAL, (0.97, 0.97, 3.27), (-250.4, 812.3, -1432.9)),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_contours_give_the_masks_back_exactly(tmp_path, orientation):
    scan = made_scan(tmp_path / "scan", ORIENTATIONS[orientation])
    warnings = write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    assert names(dataset) == list(pictures())
    for name, mask in pictures().items():
        assert np.array_equal(mask_by_even_odd(dataset, name, scan.volume.geometry), mask), name
    said = [warning.code for warning in warnings]
    assert said == ([] if orientation in ("axial", "feet first", "far away") else ["not_axial"])


def test_each_contour_lies_on_the_image_that_it_names(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    images = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, (tmp_path / "scan").iterdir())}
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    for name in names(dataset):
        for contour in contours(dataset, name):
            (reference,) = contour.ContourImageSequence
            image = images[reference.ReferencedSOPInstanceUID]
            assert reference.ReferencedSOPClassUID == image.SOPClassUID
            row, column = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            height = (points - np.array(image.ImagePositionPatient, dtype=float)) @ np.cross(row, column)
            assert np.abs(height).max() < 1e-3
            assert contour.ContourGeometricType == "CLOSED_PLANAR"
            assert contour.NumberOfContourPoints == len(points) >= 3
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    first = next(iter(images.values()))
    assert frame.FrameOfReferenceUID == dataset.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert study.ReferencedSOPInstanceUID == dataset.StudyInstanceUID == first.StudyInstanceUID
    assert series.SeriesInstanceUID == first.SeriesInstanceUID != dataset.SeriesInstanceUID
    assert {image.ReferencedSOPInstanceUID for image in series.ContourImageSequence} == set(images)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_dcmrtstruct2nii_reads_the_masks(tmp_path, monkeypatch):
    import SimpleITK as sitk  # noqa: N813

    monkeypatch.setattr(pydicom, "read_file", pydicom.dcmread, raising=False)
    adapters = import_module("dcmrtstruct2nii.adapters.input.contours.rtstructinputadapter")
    convert = import_module("dcmrtstruct2nii.adapters.convert.rtstructcontour2mask")
    scan = made_scan(tmp_path / "scan", affine(rotation(0.2, 0.1, -0.3) @ AXIAL, (0.9, 1.4, 2.5)))
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "scan")))
    image = reader.Execute()
    for roi in adapters.RtStructInputAdapter().ingest(str(tmp_path / "plan.dcm")):
        read = convert.DcmPatientCoords2Mask().convert(roi["sequence"], image, 0, 1)
        mask = sitk.GetArrayFromImage(read).T.astype(bool)
        assert np.array_equal(mask, pictures()[roi["name"]]), roi["name"]


def test_rt_utils_reads_the_masks(tmp_path):
    """It rounds points to whole pixels, and needs square images of square pixels."""
    rt_utils = import_module("rt_utils")
    shape = (64, 64, 14)
    scan = made_scan(tmp_path / "scan", affine(AXIAL, (1.4, 1.4, 3)), shape)
    masks = pictures(shape)
    write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm")
    read = rt_utils.RTStructBuilder.create_from(str(tmp_path / "scan"), str(tmp_path / "plan.dcm"))
    assert read.get_roi_names() == list(masks)
    for name, mask in masks.items():
        found = read.get_roi_mask_by_name(name).transpose(1, 0, 2)
        assert dice(found, mask) >= 0.99 or mask.sum() * scan.volume.geometry.voxel_volume_ml < 1, name


def test_contours_stay_within_the_outer_edges_of_the_image(tmp_path, scan):
    write_rtstruct(result(scan, {"liver": np.ones(SHAPE, dtype=bool)}), scan.source, tmp_path / "plan.dcm")
    for contour in contours(pydicom.dcmread(tmp_path / "plan.dcm"), "liver"):
        points_ras = np.array(contour.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        index = scan.volume.geometry.to_index(points_ras)[:, :2]
        assert index.min() > -0.5
        assert (index < np.array(SHAPE[:2]) - 0.5).all()


def test_contours_of_a_series_with_gaps_lie_on_its_own_images(tmp_path):
    folder = tmp_path / "scan"
    for path in write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE) % 999, OBLIQUE)[5:7]:
        path.unlink()
    scan = read_dicom(folder)
    masks = pictures()
    _, between, gaps = write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm")
    assert "Between the images of the series only, so left out of the structure set: prostate" in between
    assert "own images only" in gaps
    found = mask_by_even_odd(pydicom.dcmread(tmp_path / "plan.dcm"), "liver", scan.volume.geometry)
    assert not found[:, :, 5:7].any()
    assert np.array_equal(np.delete(found, (5, 6), axis=2), np.delete(masks["liver"], (5, 6), axis=2))


def test_contours_on_unevenly_spaced_images_lie_in_their_planes(tmp_path):
    places = np.array([0, 1, 2.3, 3.2, 4.45, 5.45, 6.45, 7.45])

    def move(dataset, k):
        position = OBLIQUE @ [0, 0, places[k], 1]
        dataset.ImagePositionPatient = [f"{v:.6f}" for v in position[:3] * [-1, -1, 1]]

    scan = made_scan(tmp_path / "scan", OBLIQUE, (44, 36, 8), change=move)
    shape = scan.volume.geometry.spatial_shape
    i, j, _ = np.indices(shape)
    column = np.hypot((i - 20) * 0.7, (j - 18) * 1.1) < 10
    write_rtstruct(result(scan, {"aorta": column}), scan.source, tmp_path / "plan.dcm")
    found = contours(pydicom.dcmread(tmp_path / "plan.dcm"), "aorta")
    grid = segmentation(OBLIQUE, {"aorta": np.zeros((44, 36, 8), dtype=bool)}).geometry
    at = [grid.to_index(np.reshape(c.ContourData, (-1, 3)).astype(float) * [-1, -1, 1])[:, 2] for c in found]
    assert np.allclose([a.mean() for a in at], places, atol=1e-3)
    assert max(np.ptp(a) for a in at) < 1e-3
    assert len({c.ContourImageSequence[0].ReferencedSOPInstanceUID for c in found}) == 8


def test_contours_on_an_enhanced_object_name_its_frames(tmp_path):
    order = [13, 3, 1, 0, 2, 4, *range(5, 13)]
    stored = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 999
    write_enhanced(tmp_path / "enhanced.dcm", stored, OBLIQUE, order=order)
    scan = read_dicom(tmp_path / "enhanced.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    for contour in contours(dataset, "liver"):
        points_ras = np.array(contour.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        k = round(float(scan.volume.geometry.to_index(points_ras)[0, 2]))
        assert order[contour.ContourImageSequence[0].ReferencedFrameNumber - 1] == k
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    (image,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence
    assert "ReferencedFrameNumber" not in image


def test_outlines_of_a_very_rough_structure_are_not_cut_short(tmp_path):
    """More points than the 65534 bytes that an explicit representation has room for."""
    scan = made_scan(tmp_path / "scan", affine(AXIAL), (150, 150, 2))
    rough = np.random.default_rng(0).random((150, 150, 2)) > 0.3
    write_rtstruct(result(scan, {"lung": rough}), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    assert max(contour.NumberOfContourPoints for contour in contours(dataset, "lung")) > 65534 / 3 / 8
    assert np.array_equal(mask_by_even_odd(dataset, "lung", scan.volume.geometry), rough)


def test_a_grid_that_was_rounded_is_that_of_the_scan(tmp_path, scan):
    """Of a file in single precision, or of an application that has LPS."""
    rounded = scan.volume.geometry.affine.astype(np.float32)
    assert not np.array_equal(rounded, scan.volume.geometry.affine)
    write_rtstruct(segmentation(rounded, pictures()), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    found = mask_by_even_odd(dataset, "liver", scan.volume.geometry)
    assert np.array_equal(found, pictures()["liver"])


def test_another_grid_and_lost_identifiers_are_refused(tmp_path, scan):
    moved = scan.volume.geometry.affine.copy()
    moved[0, 3] += 1
    with pytest.raises(GeometryError, match="another grid"):
        write_rtstruct(segmentation(moved, pictures()), scan.source, tmp_path / "plan.dcm")
    uid = generate_uid()
    careless = made_scan(tmp_path / "b", OBLIQUE, change=lambda d, k: setattr(d, "SOPInstanceUID", uid))
    with pytest.raises(OutputError, match="No DICOM object can refer"):
        write_rtstruct(result(careless), careless.source, tmp_path / "plan.dcm")
    with pytest.raises(OutputError, match="folder"):
        write_rtstruct(result(scan), scan.source, tmp_path / "none" / "plan.dcm")
    assert not (tmp_path / "plan.dcm").exists()
