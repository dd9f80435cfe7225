"""Structure sets that are extended: a new instance with the old regions and more."""

import numpy as np
import pydicom
import pytest
from made_scans import OBLIQUE
from pictured_sets import made_scan, mask_by_even_odd, names, pictures, result

from textsegment.errors import (
    InputError,
    InputNotFoundError,
    InputUnreadableError,
)
from textsegment.files.rtstruct.writer import write_rtstruct


def test_appending_makes_a_new_instance_and_keeps_the_old_regions(tmp_path, scan):
    masks = pictures()
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    write_rtstruct(result(scan, {"liver": masks["liver"]}), scan.source, before, names={"liver": "Liver"})
    old = pydicom.dcmread(before)
    old.ApprovalStatus, old.ReviewerName, old.ReviewDate = "APPROVED", "Doctor", "20260102"
    old.StructureSetLabel = "CLINICAL"
    old.StructureSetROISequence[0].ROINumber = old.ROIContourSequence[0].ReferencedROINumber = 7
    old.RTROIObservationsSequence[0].ReferencedROINumber = 7
    old.save_as(before)
    content = before.read_bytes()
    added = result(scan, {"liver": masks["spleen"], "spleen": masks["spleen"]})
    write_rtstruct(added, scan.source, after, append_to=before, names={"liver": "LIVER"})
    new = pydicom.dcmread(after)
    assert before.read_bytes() == content
    assert names(new) == ["Liver", "LIVER_2", "spleen"]
    assert [roi.ROINumber for roi in new.StructureSetROISequence] == [7, 8, 9]
    assert new.StructureSetROISequence[0] == old.StructureSetROISequence[0]
    assert new.ROIContourSequence[0] == old.ROIContourSequence[0]
    assert new.RTROIObservationsSequence[0] == old.RTROIObservationsSequence[0]
    assert len({item.ObservationNumber for item in new.RTROIObservationsSequence}) == 3
    assert new.SOPInstanceUID != old.SOPInstanceUID
    assert new.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert new.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in new
    assert new.StructureSetLabel == "CLINICAL"
    assert new.StructureSetDescription.startswith("Extended by a machine")
    assert len(new.ReferencedFrameOfReferenceSequence) == 1
    assert np.array_equal(mask_by_even_odd(new, "spleen", scan.volume.geometry), masks["spleen"])


def test_what_was_said_of_the_old_instance_is_not_said_of_the_new_one(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "old.dcm")
    old = pydicom.dcmread(tmp_path / "old.dcm")
    old.SOPInstanceStatus, old.SOPAuthorizationDateTime = "AO", "20260102"
    old.DeviceSerialNumber, old.StationName = "77", "PLANNING"
    old.DigitalSignaturesSequence = [pydicom.Dataset()]
    old.save_as(tmp_path / "old.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "new.dcm", append_to=tmp_path / "old.dcm")
    new = pydicom.dcmread(tmp_path / "new.dcm")
    for keyword in ("SOPInstanceStatus", "SOPAuthorizationDateTime", "DigitalSignaturesSequence"):
        assert keyword not in new
    for keyword in ("DeviceSerialNumber", "StationName"):
        assert keyword not in new


def test_numbers_of_regions_stay_within_what_dicom_can_hold(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "old.dcm")
    old = pydicom.dcmread(tmp_path / "old.dcm")
    old.StructureSetROISequence[0].ROINumber = old.ROIContourSequence[0].ReferencedROINumber = 2**31 - 1
    old.RTROIObservationsSequence[0].ReferencedROINumber = 2**31 - 1
    old.save_as(tmp_path / "old.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "new.dcm", append_to=tmp_path / "old.dcm")
    numbers = [roi.ROINumber for roi in pydicom.dcmread(tmp_path / "new.dcm").StructureSetROISequence]
    assert numbers == [2**31 - 1, 2, 3, 4, 5, 1, 6, 7, 8, 9]


def test_appending_over_the_file_itself(tmp_path, scan):
    path = tmp_path / "plan.dcm"
    write_rtstruct(result(scan), scan.source, path)
    write_rtstruct(result(scan), scan.source, path, append_to=path)
    assert len(names(pydicom.dcmread(path))) == 2 * len(pictures())


def test_only_a_structure_set_of_this_patient_and_place_can_be_extended(tmp_path, scan):
    other = made_scan(tmp_path / "other", OBLIQUE)
    write_rtstruct(result(other), other.source, tmp_path / "other.dcm")
    with pytest.raises(InputError, match="frame of reference"):
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "other.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "same.dcm")
    dataset = pydicom.dcmread(tmp_path / "same.dcm")
    dataset.PatientID = "ANOTHER"
    dataset.save_as(tmp_path / "same.dcm")
    with pytest.raises(InputError, match="another patient") as caught:
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "same.dcm")
    assert "ANOTHER" not in str(caught.value)
    with pytest.raises(InputNotFoundError):
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "none.dcm")
    for path in (next((tmp_path / "scan").iterdir()), __file__):
        with pytest.raises(InputUnreadableError):
            write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=path)
    whole = (tmp_path / "same.dcm").read_bytes()
    (tmp_path / "same.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError):
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "same.dcm")
    assert not (tmp_path / "plan.dcm").exists()
