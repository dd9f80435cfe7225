import numpy as np
import pydicom
import pytest
from made_dicom import write_series
from made_scans import MIRRORED, OBLIQUE, SHEARED, segmentation
from pydicom.data import get_testdata_file

from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError, TextSegmentError
from textsegment.files.dicom import read_dicom
from textsegment.files.rtstruct import write_rtstruct
from textsegment.files.rtstruct_read import read_rtstruct

SHAPE = (24, 20, 8)


def made_scan(folder, matrix=OBLIQUE):
    write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE), matrix)
    return read_dicom(folder)


def written(scan, path, masks):
    write_rtstruct(segmentation(scan.volume.geometry.affine, masks), scan.source, path)
    return pydicom.dcmread(path)


def rough(seed):
    return np.random.default_rng(seed).random(SHAPE) > 0.6


@pytest.mark.parametrize("matrix", [OBLIQUE, MIRRORED, SHEARED])
def test_any_mask_comes_back_exactly(tmp_path, matrix):
    scan = made_scan(tmp_path / "scan", matrix)
    masks = {"liver": rough(0), "left kidney": rough(1)}
    written(scan, tmp_path / "plan.dcm", masks)
    read = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert [mask.structure for mask in read] == list(masks)
    assert read.geometry == scan.volume.geometry
    for name, mask in masks.items():
        assert np.array_equal(read.full_mask(name), mask)
        assert read[name].warnings == ()


def test_separate_contours_of_a_hole_are_understood(tmp_path):
    scan = made_scan(tmp_path / "scan")
    outer, inner = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    outer[3:18, 4:16, 2], inner[6:12, 7:12, 2] = True, True
    dataset = written(scan, tmp_path / "plan.dcm", {"liver": outer, "spleen": inner})
    first, second = dataset.ROIContourSequence
    first.ContourSequence.append(second.ContourSequence[0])
    dataset.save_as(tmp_path / "plan.dcm")
    assert np.array_equal(
        read_rtstruct(tmp_path / "plan.dcm", scan.source).full_mask("liver"), outer & ~inner
    )


def test_points_lines_and_empty_regions_are_no_masks(tmp_path):
    scan = made_scan(tmp_path / "scan")
    dataset = written(scan, tmp_path / "plan.dcm", {"a": rough(0), "b": rough(1), "c": rough(2)})
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        contour.ContourGeometricType = "OPEN_PLANAR"
    del dataset.ROIContourSequence[1].ContourSequence
    dataset.save_as(tmp_path / "plan.dcm")
    assert [mask.structure for mask in read_rtstruct(tmp_path / "plan.dcm", scan.source)] == ["c"]


def test_contours_beside_the_slices_are_left_out_with_a_warning(tmp_path):
    scan = made_scan(tmp_path / "scan")
    box = np.zeros(SHAPE, dtype=bool)
    box[3:18, 4:16, 2:5] = True
    dataset = written(scan, tmp_path / "plan.dcm", {"liver": box})
    normal = np.linalg.inv(scan.volume.geometry.affine)[2, :3] * [-1, -1, 1]
    shift = 0.4 * normal / (normal @ normal)
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [
        f"{v:.4f}" for v in (np.reshape(contour.ContourData, (-1, 3)).astype(float) + shift).ravel()
    ]
    dataset.save_as(tmp_path / "plan.dcm")
    (mask,) = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert "lie on no slice of the scan were left out: 1" in mask.warnings[0]
    assert mask.statistics.voxel_count == box.sum() * 2 / 3


def test_regions_of_another_frame_of_reference_are_left_out_with_a_warning(tmp_path):
    scan = made_scan(tmp_path / "scan")
    dataset = written(scan, tmp_path / "plan.dcm", {"a": rough(0), "b": rough(1), "c": rough(2)})
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    del dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID
    dataset.save_as(tmp_path / "plan.dcm")
    read = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert [mask.structure for mask in read] == ["b", "c"]
    assert read.warnings == ("Regions of another frame of reference were left out: 1.",)


def test_contours_beyond_the_image_are_cut_off_with_a_warning(tmp_path):
    scan = made_scan(tmp_path / "scan")
    box = np.zeros(SHAPE, dtype=bool)
    box[3:18, 4:16, 2:5] = True
    dataset = written(scan, tmp_path / "plan.dcm", {"liver": box})
    shift = 12 * scan.volume.geometry.affine[:3, 0] * [-1, -1, 1]
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    moved = np.reshape(contour.ContourData, (-1, 3)).astype(float) + shift
    contour.ContourData = [f"{v:.4f}" for v in moved.ravel()]
    dataset.save_as(tmp_path / "plan.dcm")
    (mask,) = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert mask.warnings == ("Contours that reach beyond the image were cut off at its border: 1.",)
    assert mask.statistics.voxel_count == 2 * 15 * 12 + 9 * 12


def test_other_files_are_refused(tmp_path):
    scan = made_scan(tmp_path / "scan")
    with pytest.raises(InputNotFoundError):
        read_rtstruct(tmp_path / "none.dcm", scan.source)
    with pytest.raises(InputUnreadableError, match="no structure set"):
        read_rtstruct(next((tmp_path / "scan").iterdir()), scan.source)
    with pytest.raises(InputError, match="frame of reference"):
        read_rtstruct(get_testdata_file("rtstruct.dcm"), scan.source)


def test_no_damage_gives_another_error_or_speaks_of_the_patient(tmp_path):
    scan, path = made_scan(tmp_path / "scan"), tmp_path / "plan.dcm"
    written(scan, path, {"liver": np.pad(np.ones((4, 4, 2), dtype=bool), ((3, 17), (3, 13), (2, 4)))})
    whole, generator, messages = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(200):
        content = bytearray(whole[: generator.choice([len(whole), generator.integers(140, len(whole))])])
        for place in generator.integers(132, len(content), 5):
            content[place] = generator.integers(256)
        path.write_bytes(content)
        try:
            read_rtstruct(path, scan.source)
        except TextSegmentError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("secret" in message.lower() for message in messages)
