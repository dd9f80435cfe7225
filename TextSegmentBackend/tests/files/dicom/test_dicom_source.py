import numpy as np
import pytest
from made_dicom import write_enhanced, write_series
from made_scans import OBLIQUE
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from textsegment.errors import OutputError
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.reader import read_dicom

SHAPE = (12, 10, 6)
STORED = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.uint16)
LPS = np.array([-1.0, -1.0, 1.0])


def test_planes_name_their_objects_in_the_order_of_the_volume(tmp_path):
    made: dict[int, Dataset] = {}
    write_series(tmp_path, STORED, OBLIQUE, change=lambda dataset, k: made.setdefault(k, dataset))
    scan = read_dicom(tmp_path)
    source = scan.source
    assert [plane.sop_instance_uid for plane in source.planes] == [made[k].SOPInstanceUID for k in range(6)]
    assert {plane.sop_class_uid for plane in source.planes} == {made[0].SOPClassUID}
    assert [plane.place for plane in source.planes] == list(range(6))
    assert {plane.frame_number for plane in source.planes} == {None}
    for k, plane in enumerate(source.planes):
        assert np.allclose(LPS * plane.plane.position_lps, scan.volume.geometry.to_ras([0, 0, k]), atol=1e-5)
    assert [dataset.SOPInstanceUID for dataset in source.datasets] == [
        made[k].SOPInstanceUID for k in range(6)
    ]
    assert source.study_instance_uid == made[0].StudyInstanceUID
    assert source.series_instance_uid == made[0].SeriesInstanceUID
    assert source.frame_of_reference_uid == made[0].FrameOfReferenceUID
    assert source.patient_and_study().PatientID == "SECRET-ID"
    assert source.patient_and_study().AccessionNumber == ""
    source.require_referable()


def test_missing_slices_leave_a_gap_in_the_places(tmp_path):
    for path in write_series(tmp_path, STORED, OBLIQUE)[2:4]:
        path.unlink()
    assert [plane.place for plane in read_dicom(tmp_path).source.planes] == [0, 1, 4, 5]


def test_frames_of_one_object(tmp_path):
    write_enhanced(tmp_path / "enhanced.dcm", STORED, OBLIQUE, order=[5, 3, 1, 0, 2, 4])
    source = read_dicom(tmp_path).source
    assert [plane.frame_number for plane in source.planes] == [4, 3, 5, 2, 6, 1]
    assert len(source.datasets) == 1
    source.require_referable()


def test_nothing_of_the_patient_shows(tmp_path):
    write_series(tmp_path, STORED, OBLIQUE)
    scan = read_dicom(tmp_path)
    shown = repr(scan) + repr(scan.source) + repr(scan.source.planes) + repr(scan.volume)
    assert "ecret" not in shown.lower()
    assert scan.source.series_instance_uid not in shown


def test_odd_values_that_are_only_repeated_do_no_harm_and_are_not_logged(tmp_path, caplog):
    def odd(dataset, k):
        dataset.SpecificCharacterSet = "SECRET"
        dataset.PatientWeight = dataset.PatientSize = None
        dataset["PatientWeight"]._value = "70,5"
        dataset["PatientSize"]._value = "tall"

    with quiet_pydicom():
        write_series(tmp_path, STORED, OBLIQUE, change=odd)
    assert "PatientWeight" not in read_dicom(tmp_path).source.patient_and_study()
    assert caplog.text == ""


@pytest.mark.parametrize("value", ["", "anonymous"])
@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "FrameOfReferenceUID", "StudyInstanceUID"])
def test_badly_anonymised_images_cannot_be_referred_to(tmp_path, keyword, value):
    with quiet_pydicom():
        write_series(tmp_path, STORED, OBLIQUE, change=lambda dataset, k: setattr(dataset, keyword, value))
    source = read_dicom(tmp_path).source
    with pytest.raises(OutputError, match="lack identifiers"):
        source.require_referable()


def test_shared_identifiers_and_mixed_frames_cannot_be_referred_to(tmp_path):
    uid = generate_uid()
    write_series(tmp_path / "a", STORED, OBLIQUE, change=lambda d, k: setattr(d, "SOPInstanceUID", uid))
    with pytest.raises(OutputError, match="share"):
        read_dicom(tmp_path / "a").source.require_referable()
    write_series(
        tmp_path / "b", STORED, OBLIQUE, change=lambda d, k: setattr(d, "FrameOfReferenceUID", generate_uid())
    )
    with pytest.raises(OutputError, match="different frames"):
        read_dicom(tmp_path / "b").source.require_referable()
