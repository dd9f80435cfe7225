"""Which regions of a structure set nobody has touched, and the set without some of them."""

import numpy as np
import pydicom
import pytest
from made_dicom import write_series

from textsegment.errors import InputUnreadableError
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.rtstruct.revision import (
    fingerprints,
    read_set,
    region_names,
    untouched,
    write_without,
)
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.testing import FakeSegmenter

AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])


@pytest.fixture
def path(tmp_path):
    stored = np.random.default_rng(0).integers(900, 1200, (32, 30, 12)).astype(np.uint16)
    write_series(tmp_path / "scan", stored, AFFINE)
    scan = read_dicom(tmp_path / "scan")
    masks = FakeSegmenter().segment(scan.volume, ["liver", "heart"])
    write_rtstruct(masks, scan.source, tmp_path / "plan.rtstruct.dcm")
    return tmp_path / "plan.rtstruct.dcm"


def changed(path, change):
    """Fingerprints after a change, by number."""
    dataset = pydicom.dcmread(path)
    other = path.with_name("changed.dcm")
    with quiet_pydicom():
        change(dataset)
        dataset.save_as(other)
    return fingerprints(read_set(other))


def test_what_is_only_written_again_is_the_same(path):
    before = fingerprints(read_set(path))

    def through_another_system(dataset):
        dataset.SOPInstanceUID = dataset.SeriesInstanceUID = pydicom.uid.generate_uid()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.Manufacturer = "Somebody"
        for item in dataset.ROIContourSequence:
            item.ROIDisplayColor = [1, 2, 3]
            for contour in item.ContourSequence:
                contour.ContourData = [f"{float(value):.3f}" for value in contour.ContourData]

    assert changed(path, through_another_system) == before
    assert len(before) == 2


def test_marks_tell_what_nobody_has_changed_wherever_it_has_been(path):
    assert untouched(read_set(path)) == {1, 2}
    regions = pydicom.dcmread(path).StructureSetROISequence
    assert all(len(roi.ROIGenerationDescription) <= 64 for roi in regions)

    def through_another_system(dataset):
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        for item in dataset.ROIContourSequence:
            for contour in item.ContourSequence:
                contour.ContourData = [f"{float(value):.3f}" for value in contour.ContourData]

    assert untouched_after(path, through_another_system) == {1, 2}


def untouched_after(path, change):
    dataset = pydicom.dcmread(path)
    with quiet_pydicom():
        change(dataset)
        dataset.save_as(path)
    return untouched(read_set(path))


def edit_point(dataset):
    data = dataset.ROIContourSequence[0].ContourSequence[0].ContourData
    data[0] = float(data[0]) + 0.05


def remove_contour(dataset):
    del dataset.ROIContourSequence[0].ContourSequence[0]


def rename(dataset):
    dataset.StructureSetROISequence[0].ROIName = "Liver of Dr. X"


def say_edited(dataset):
    dataset.StructureSetROISequence[0].ROIGenerationAlgorithm = "SEMIAUTOMATIC"


def break_points(dataset):
    dataset.ROIContourSequence[0].ContourSequence[0].add_new("ContourData", "OB", b"?\\?\\?")


def drop_mark(dataset):
    dataset.StructureSetROISequence[0].ROIGenerationDescription = "TextSegment"


def copy_mark(dataset):
    first, second = dataset.StructureSetROISequence
    first.ROIGenerationDescription = second.ROIGenerationDescription


def double(dataset):
    for roi in dataset.StructureSetROISequence:
        roi.ROINumber = 1


@pytest.mark.parametrize(
    "change", [edit_point, remove_contour, rename, say_edited, break_points, drop_mark, copy_mark, double]
)
def test_what_a_person_has_changed_is_theirs(path, change):
    assert untouched_after(path, change) == (set() if change is double else {2})


@pytest.mark.parametrize("change", [edit_point, remove_contour, rename, say_edited, break_points])
def test_whatever_a_person_changes_shows(path, change):
    before, after = fingerprints(read_set(path)), changed(path, change)
    assert after.get(1) != before[1]
    assert after[2] == before[2]


def test_regions_of_one_number_have_no_fingerprint(path):
    def double(dataset):
        dataset.StructureSetROISequence.append(dataset.StructureSetROISequence[0])

    assert list(changed(path, double)) == [2]


def test_the_set_without_a_region_is_else_the_same(path):
    dataset = read_set(path)
    write_without(dataset, {1}, path.with_name("less.dcm"))
    less = read_set(path.with_name("less.dcm"))
    assert region_names(less, {1, 2}) == ("heart",)
    assert [item.ReferencedROINumber for item in less.ROIContourSequence] == [2]
    assert [item.ReferencedROINumber for item in less.RTROIObservationsSequence] == [2]
    assert less.SOPInstanceUID == dataset.SOPInstanceUID
    assert fingerprints(less) == {2: fingerprints(dataset)[2]}
    assert region_names(dataset, {1, 2}) == ("liver", "heart")


def test_another_file_is_refused(tmp_path):
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(InputUnreadableError):
        read_set(tmp_path / "text.dcm")
