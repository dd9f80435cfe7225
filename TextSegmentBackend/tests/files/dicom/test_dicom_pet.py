"""SUV by body weight: value × weight in grams / dose as it was when the scan began."""

import numpy as np
import pydicom
import pytest
from made_dicom import write_series
from made_scans import OBLIQUE
from pydicom.dataset import Dataset

from textsegment.errors import TextSegmentError, VolumeInvalidError
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.reader import read_dicom

SHAPE = (8, 6, 5)
STORED = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.uint16)
DOSE_BQ, HALF_LIFE_S, WEIGHT_KG = 370e6, 6586.2, 70.0
ACTIVITY = STORED * 40.0
HOUR = 2 ** (-3600 / HALF_LIFE_S)


def pet(folder, **changes):
    """A series of activities, injected at 9:30, scanned at 10:30; None takes an attribute away."""
    drug = {
        "RadionuclideTotalDose": DOSE_BQ,
        "RadionuclideHalfLife": HALF_LIFE_S,
        "RadiopharmaceuticalStartTime": "093000.00",
    }
    image = {
        "Units": "BQML",
        "DecayCorrection": "START",
        "PatientWeight": WEIGHT_KG,
        "SeriesDate": "20260102",
        "SeriesTime": "103000.00",
        "AcquisitionDate": "20260102",
    }

    def change(dataset, k):
        values = image | {"AcquisitionTime": f"10{30 + 3 * k}00.00"} | changes
        info = drug | {key: values.pop(key) for key in list(values) if key.startswith("Radio")}
        for target, given in ((dataset, values), (item := Dataset(), info)):
            for key, value in given.items():
                if value is not None:
                    setattr(target, key, value)
        dataset.RadiopharmaceuticalInformationSequence = [item]

    with quiet_pydicom():
        write_series(folder, STORED, OBLIQUE, modality="PT", slopes=[40.0] * 5, intercept=0, change=change)
    return read_dicom(folder).volume


@pytest.mark.parametrize(
    ("changes", "decay"),
    [
        ({}, HOUR),
        ({"DecayCorrection": "ADMIN"}, 1.0),
        ({"RadiopharmaceuticalStartDateTime": "20260102093000.000000"}, HOUR),
        # The date of the injection was changed by anonymising, its time was not.
        ({"RadiopharmaceuticalStartDateTime": "19000101093000"}, HOUR),
        # Past midnight.
        (
            {"RadiopharmaceuticalStartTime": "233000", "SeriesTime": "003000", "AcquisitionTime": "003000"},
            HOUR,
        ),
        # The series was made anew in the evening.
        ({"SeriesTime": "200000"}, HOUR),
        ({"AcquisitionDate": None}, HOUR),
    ],
)
def test_activity_becomes_suv(tmp_path, changes, decay):
    volume = pet(tmp_path, **changes)
    assert np.allclose(volume.voxels, ACTIVITY * WEIGHT_KG * 1000 / (DOSE_BQ * decay), rtol=1e-5)
    assert volume.voxels.dtype == np.float32
    assert volume.warnings == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PatientWeight": None}, "weight"),
        ({"PatientWeight": 0}, "weight"),
        ({"RadionuclideTotalDose": None}, "dose"),
        ({"RadionuclideHalfLife": None}, "half-life"),
        ({"DecayCorrection": "NONE"}, "decay"),
        ({"DecayCorrection": None}, "decay"),
        ({"RadiopharmaceuticalStartTime": None}, "injection"),
        ({"RadiopharmaceuticalStartTime": "half past nine"}, "injection"),
        ({"SeriesTime": None, "AcquisitionTime": None}, "time of the scan"),
    ],
)
def test_without_what_it_takes_values_stay_activities_with_a_warning(tmp_path, changes, reason):
    volume = pet(tmp_path, **changes)
    assert np.allclose(volume.voxels, ACTIVITY)
    (warning,) = volume.warnings
    assert warning.startswith("The PET values are Bq/ml, not SUV")
    assert reason in warning


def test_suv_of_the_files_is_kept(tmp_path):
    volume = pet(tmp_path / "body weight", Units="GML", PatientWeight=None)
    assert np.allclose(volume.voxels, ACTIVITY)
    assert volume.warnings == ()
    assert "another measure" in pet(tmp_path / "lean", Units="GML", SUVType="LBM").warnings[0]
    assert "none of activity" in pet(tmp_path / "other", Units="PROPCPS").warnings[0]


def philips(path, **factors):
    for file in path.iterdir():
        dataset = pydicom.dcmread(file)
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, value in factors.items():
            block.add_new(int(element[1:], 16), "DS", value)
        dataset.save_as(file)
    return read_dicom(path).volume


def test_counts_need_a_factor(tmp_path):
    with pytest.raises(VolumeInvalidError, match="counts"):
        pet(tmp_path, Units="CNTS")
    by_suv = philips(tmp_path, x00="0.00025", x09="1.5")
    assert np.allclose(by_suv.voxels, ACTIVITY * 0.00025, rtol=1e-5)
    by_activity = philips(tmp_path, x00="0", x09="1.5")
    assert np.allclose(by_activity.voxels, ACTIVITY * 1.5 * WEIGHT_KG * 1000 / (DOSE_BQ * HOUR), rtol=1e-5)


def test_no_damage_gives_another_error_or_speaks_of_the_patient(tmp_path):
    pet(tmp_path)
    path = sorted(tmp_path.iterdir())[0]
    whole, generator, messages = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(150):
        content = bytearray(whole)
        for place in generator.integers(132, len(content), 4):
            content[place] = generator.integers(256)
        path.write_bytes(content)
        try:
            messages += read_dicom(tmp_path).volume.warnings
        except TextSegmentError as error:
            messages.append(str(error))
    assert messages
    assert not any("secret" in message.lower() for message in messages)
