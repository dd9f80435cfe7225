"""Whether structure sets and segmentations belong to a scan."""

import numpy as np
import pydicom
import pytest
from made_dicom import write_series
from made_scans import OBLIQUE, segmentation
from pydicom.uid import generate_uid

from textsegment.errors import InputError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.masks import read_masks
from textsegment.files.results import require_writable
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.files.scan import Scan

SHAPE = (20, 16, 6)
FRAME, STUDY = generate_uid(), generate_uid()


def made_scan(folder, *, modality="CT", patient="SECRET-ID", frame=FRAME):
    """A series of a study whose series share the frame of reference: phases, PET and CT."""

    def change(dataset, k):
        dataset.FrameOfReferenceUID, dataset.StudyInstanceUID = frame, STUDY
        dataset.PatientID = patient

    write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE), OBLIQUE, modality=modality, change=change)
    return read_dicom(folder)


def block(seed=0):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3 + seed : 9, 2:11, 1:5] = True
    return mask


def result(scan, **masks):
    return segmentation(scan.volume.geometry.affine, masks or {"GTV": block(), "liver": block(2)})


WRITERS = {"plan.rtstruct.dcm": write_rtstruct, "plan.seg.dcm": write_dicom_seg}


def written(scan, path, change=None):
    WRITERS[path.name](result(scan), scan.source, path)
    if change is not None:
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)
    return path


def used(path, scan):
    return read_masks(path, Scan(scan.volume, scan.source))


@pytest.fixture
def scan(tmp_path):
    return made_scan(tmp_path / "scan")


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_made_of_a_scan_belongs_to_it(tmp_path, scan, name):
    read = used(written(scan, tmp_path / name), scan)
    assert read.warnings == ()
    assert np.array_equal(read.full_mask("GTV"), block())


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("modality", ["CT", "PT", "MR"])
def test_other_images_in_the_same_frame_of_reference_are_refused(tmp_path, scan, name, modality):
    """rt2: another phase, or PET and CT: one frame of reference, not one scan."""
    path = written(scan, tmp_path / name)
    other = made_scan(tmp_path / "other", modality=modality)
    assert other.source.frame_of_reference_uid == scan.source.frame_of_reference_uid
    with pytest.raises(InputError, match="other images"):
        used(path, other)


@pytest.mark.parametrize("name", WRITERS)
def test_another_patient_is_refused_even_on_the_same_images(tmp_path, scan, name):
    """rt2: --use took the structures of another patient."""

    def change(dataset):
        dataset.PatientID = "ANOTHER"

    with pytest.raises(InputError, match="another patient") as caught:
        used(written(scan, tmp_path / name, change), scan)
    assert "ANOTHER" not in str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
def test_a_patient_without_an_identifier_is_known_by_the_images(tmp_path, scan, name):
    """rt2: half anonymised."""

    def change(dataset):
        dataset.PatientID, dataset.PatientName = "", "Anon^17"

    assert used(written(scan, tmp_path / name, change), scan).warnings == ()


def test_a_name_alone_tells_patients_apart_where_no_image_does(tmp_path, scan):
    """rt2: identifiers missing, series named only."""

    def change(dataset):
        dataset.PatientID, dataset.PatientName = "", "Other^Person"
        (frame,) = dataset.ReferencedFrameOfReferenceSequence
        del frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence
        for item in dataset.ROIContourSequence:
            for contour in item.ContourSequence:
                del contour.ContourImageSequence

    with pytest.raises(InputError, match="another patient"):
        used(written(scan, tmp_path / "plan.rtstruct.dcm", change), scan)


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_images_with_another_frame_of_reference_are_accepted_with_a_word(tmp_path, scan, name):
    """rt2, the opposite: the frame of reference was exchanged, the images were not."""
    other = generate_uid()

    def change(dataset):
        dataset.FrameOfReferenceUID = other
        for item in dataset.get("ReferencedFrameOfReferenceSequence", ()):
            item.FrameOfReferenceUID = other
        for roi in dataset.get("StructureSetROISequence", ()):
            roi.ReferencedFrameOfReferenceUID = other

    read = used(written(scan, tmp_path / name, change), scan)
    assert [warning.code for warning in read.warnings] == ["other_frame_of_same_images"]
    assert np.array_equal(read.full_mask("GTV"), block())


def test_contours_alone_can_name_the_images(tmp_path, scan):
    """rt2: sets that have no list of images."""

    def change(dataset):
        del dataset.ReferencedFrameOfReferenceSequence
        for roi in dataset.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = "1.2.3"

    read = used(written(scan, tmp_path / "plan.rtstruct.dcm", change), scan)
    assert [mask.structure for mask in read] == ["GTV", "liver"]
    with pytest.raises(InputError, match="frame of reference"):
        used(tmp_path / "plan.rtstruct.dcm", made_scan(tmp_path / "other"))


def test_a_set_that_names_no_images_is_accepted_with_a_word(tmp_path, scan):
    """rt2: nothing but the frame of reference speaks for it."""

    def change(dataset):
        del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
        for item in dataset.ROIContourSequence:
            for contour in item.ContourSequence:
                del contour.ContourImageSequence

    read = used(written(scan, tmp_path / "plan.rtstruct.dcm", change), scan)
    assert [warning.code for warning in read.warnings] == ["no_images_named"]
    assert len(read) == 2


def test_regions_that_were_drawn_on_other_images_are_left_out_with_a_word(tmp_path, scan):
    """rt2: a set of PET and CT, one region on each."""
    other = made_scan(tmp_path / "other", modality="PT")

    def change(dataset):
        (frame,) = dataset.ReferencedFrameOfReferenceSequence
        added = pydicom.Dataset()
        added.SeriesInstanceUID = other.source.series_instance_uid
        added.ContourImageSequence = [pydicom.Dataset() for _ in other.source.planes]
        for item, plane in zip(added.ContourImageSequence, other.source.planes, strict=True):
            item.ReferencedSOPClassUID = plane.sop_class_uid
            item.ReferencedSOPInstanceUID = plane.sop_instance_uid
        frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence.append(added)
        for contour in dataset.ROIContourSequence[1].ContourSequence:
            reference = contour.ContourImageSequence[0]
            reference.ReferencedSOPInstanceUID = other.source.planes[0].sop_instance_uid

    path = written(scan, tmp_path / "plan.rtstruct.dcm", change)
    for belongs, name in ((scan, "GTV"), (other, "liver")):
        read = used(path, belongs)
        assert [mask.structure for mask in read] == [name]
        assert [warning.code for warning in read.warnings] == ["regions_of_other_images"]


def test_a_part_of_the_images_is_still_the_scan(tmp_path, scan):
    """rt2: a slab of the scan that was drawn on; what lies beyond it is said, not refused."""
    path = written(scan, tmp_path / "plan.rtstruct.dcm")
    ordered = sorted((tmp_path / "scan").iterdir(), key=lambda path: pydicom.dcmread(path).InstanceNumber)
    for image in ordered[:3]:
        image.unlink()
    part = read_dicom(tmp_path / "scan")
    read = used(path, part)
    assert read.warnings == ()
    assert read["GTV"].warnings[0].code == "contours_left_out"
    assert read["GTV"].statistics.voxel_count == block()[:, :, 3:].sum()


def test_a_set_that_was_rejected_is_said(tmp_path, scan):
    """rt2: what a person decided about a set is not passed over."""

    def change(dataset):
        dataset.ApprovalStatus = "REJECTED"

    read = used(written(scan, tmp_path / "plan.rtstruct.dcm", change), scan)
    assert [warning.code for warning in read.warnings] == ["object_rejected"]


def approve(dataset):
    dataset.ApprovalStatus, dataset.ReviewerName, dataset.ReviewDate = "APPROVED", "Doctor", "20260102"


@pytest.mark.parametrize("change", [approve, lambda d: setattr(d, "SOPAuthorizationDateTime", "20260102")])
def test_extending_an_approved_set_says_that_the_new_one_is_not(tmp_path, scan, change):
    """rt2: an approved set was extended silently."""
    older = written(scan, tmp_path / "plan.rtstruct.dcm", change)
    added = result(scan, spleen=block())
    said = write_rtstruct(added, scan.source, tmp_path / "new.dcm", append_to=older)
    assert said[0] == "The structure set that was extended was approved by a person; the new one is not."
    assert pydicom.dcmread(tmp_path / "new.dcm").ApprovalStatus == "UNAPPROVED"
    assert pydicom.dcmread(older).get("ApprovalStatus") == ("APPROVED" if change is approve else "UNAPPROVED")


@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_a_set_of_other_images_is_not_extended(tmp_path, scan, modality):
    """rt2: --append-to across phases or PET and CT; known before anything is computed."""
    older = written(scan, tmp_path / "plan.rtstruct.dcm")
    other = made_scan(tmp_path / "other", modality=modality)
    new = tmp_path / "new.rtstruct.dcm"
    with pytest.raises(InputError, match="other images"):
        write_rtstruct(result(other), other.source, new, append_to=older)
    with pytest.raises(InputError, match="other images"):
        require_writable(new, other.source, append_to=older)
    assert require_writable(new, scan.source, append_to=older) is scan.source
    assert not new.exists()


def test_a_set_with_another_frame_for_the_same_images_is_extended_with_a_word(tmp_path, scan):
    """rt2, the opposite."""

    def change(dataset):
        dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3"
        for roi in dataset.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = "1.2.3"

    older, new = written(scan, tmp_path / "plan.rtstruct.dcm", change), tmp_path / "new.dcm"
    said = write_rtstruct(result(scan, spleen=block()), scan.source, new, append_to=older)
    assert "other_frame_of_same_images" in [warning.code for warning in said]
    read = read_rtstruct(new, scan.source)
    assert [mask.structure for mask in read] == ["GTV", "liver", "spleen"]


def test_no_reference_shows_a_patient(scan, tmp_path):
    from textsegment.files.dicom.match import references_of_structure_set

    dataset = pydicom.dcmread(written(scan, tmp_path / "plan.rtstruct.dcm"))
    assert "secret" not in repr(references_of_structure_set(dataset)).lower()
