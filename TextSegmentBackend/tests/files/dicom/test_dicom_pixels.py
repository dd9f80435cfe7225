"""Decoded voxels, against pydicom and against what was stored."""

import numpy as np
import pydicom
import pytest
from made_dicom import write_enhanced, write_series
from made_scans import OBLIQUE
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from textsegment.errors import InputUnreadableError, VolumeInvalidError
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.reader import read_dicom

SHAPE = (40, 32, 3)
SYNTAXES = [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless]
PHOTOMETRIC = ["MONOCHROME1", "MONOCHROME2"]


def stored_values(bits, signed):
    low = -(1 << (bits - 1)) if signed else 0
    return np.random.default_rng(0).integers(low, low + (1 << bits), SHAPE)


def pixels_of(allocated, bits, signed, photometric, stored, syntax=ExplicitVRLittleEndian, **elements):
    def change(dataset, k):
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
        dataset.PixelRepresentation = int(signed)
        dataset.PhotometricInterpretation = photometric
        dtype = f"<{'i' if signed else 'u'}{allocated // 8}"
        dataset.PixelData = np.ascontiguousarray(stored[:, :, k].T).astype(dtype).tobytes()
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        if syntax != ExplicitVRLittleEndian:
            dataset.compress(syntax)

    return change


def as_pydicom_reads(paths):
    planes = []
    for path in paths:
        dataset = pydicom.dcmread(path)
        planes.append(apply_modality_lut(dataset.pixel_array, dataset).T)
    return np.stack(planes, axis=-1)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("photometric", PHOTOMETRIC)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("allocated", "bits"), [(16, 16), (16, 12), (16, 10), (8, 8)])
def test_every_photometric_interpretation_and_sign(tmp_path, allocated, bits, signed, photometric, syntax):
    """io3: a CT in MONOCHROME1 came out as 2047 - HU; it says how to show an image, not what it holds."""
    stored = stored_values(bits, signed)
    change = pixels_of(allocated, bits, signed, photometric, stored, syntax)
    paths = write_series(tmp_path, stored, OBLIQUE, change=change)
    voxels = read_dicom(tmp_path).volume.voxels
    assert np.array_equal(voxels, stored - 1024)
    assert np.array_equal(voxels, as_pydicom_reads(paths))


@pytest.mark.parametrize("photometric", PHOTOMETRIC)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("slope", "intercept"), [("0.5", "-3.25"), ("-1", "0"), ("2", "100000"), ("1", "0")])
def test_every_scaling(tmp_path, photometric, signed, slope, intercept):
    """io3: with fractions, inverted by the slope, beyond 16 bits."""
    stored = stored_values(12, signed)
    scaling = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    change = pixels_of(16, 12, signed, photometric, stored, **scaling)
    paths = write_series(tmp_path, stored, OBLIQUE, change=change)
    voxels = read_dicom(tmp_path).volume.voxels
    assert np.array_equal(voxels, stored * float(slope) + float(intercept))
    assert np.array_equal(voxels, as_pydicom_reads(paths))


@pytest.mark.parametrize("photometric", PHOTOMETRIC)
@pytest.mark.parametrize("compression", [None, RLELossless, JPEG2000Lossless])
def test_enhanced_objects(tmp_path, photometric, compression):
    """io3: several frames in one file."""
    path = tmp_path / "enhanced.dcm"
    stored = np.kron(stored_values(8, signed=False), np.ones((8, 8, 1), dtype=int))
    write_enhanced(path, stored, OBLIQUE, compression=compression)
    dataset = pydicom.dcmread(path)
    dataset.PhotometricInterpretation = photometric
    dataset.save_as(path)
    assert np.array_equal(read_dicom(path).volume.voxels, stored * 2)


def test_frames_without_a_scaling_of_their_own_take_that_of_the_file(tmp_path):
    path = tmp_path / "enhanced.dcm"
    stored = stored_values(12, signed=False)
    write_enhanced(path, stored, OBLIQUE)
    dataset = pydicom.dcmread(path)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.PixelValueTransformationSequence
    dataset.RescaleSlope, dataset.RescaleIntercept = "3", "-7"
    dataset.save_as(path)
    assert np.array_equal(read_dicom(path).volume.voxels, stored * 3 - 7)


@pytest.mark.parametrize("photometric", PHOTOMETRIC)
def test_a_table_in_place_of_slope_and_intercept(tmp_path, photometric):
    """io3: the other way that the standard has to say what values mean (PS3.3 C.11.1)."""
    stored = stored_values(8, signed=False)
    table = Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table.add_new("LUTData", "US", [(i * 7) % 4000 for i in range(256)])
    table.ModalityLUTType = "HU"
    change = pixels_of(16, 8, False, photometric, stored, ModalityLUTSequence=[table])
    paths = write_series(tmp_path, stored, OBLIQUE, change=change)
    voxels = read_dicom(tmp_path).volume.voxels
    assert np.array_equal(voxels, (stored * 7) % 4000)
    assert np.array_equal(voxels, as_pydicom_reads(paths))


@pytest.mark.parametrize("signed", [False, True])
def test_overlays_in_unused_bits_are_no_part_of_the_values(tmp_path, signed):
    stored = stored_values(12, signed)
    overlaid = (stored & 0xFFF) | (np.random.default_rng(1).integers(0, 2, SHAPE) << 15)

    def change(dataset, k):
        pixels_of(16, 12, signed, "MONOCHROME1", stored)(dataset, k)
        dataset.PixelData = np.ascontiguousarray(overlaid[:, :, k].T).astype("<u2").tobytes()

    write_series(tmp_path, stored, OBLIQUE, change=change)
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, stored - 1024)


def test_elements_that_careless_writers_leave_out(tmp_path):
    stored = stored_values(12, signed=False)

    def change(dataset, k):
        pixels_of(16, 12, False, "MONOCHROME2", stored)(dataset, k)
        del dataset.PhotometricInterpretation, dataset.PixelRepresentation, dataset.SamplesPerPixel

    write_series(tmp_path, stored, OBLIQUE, change=change)
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, stored - 1024)


@pytest.mark.parametrize("slope", ["1E300", "NaN"])
def test_absurd_scaling_is_no_crash(tmp_path, slope):
    stored = stored_values(12, signed=False)
    change = pixels_of(16, 12, False, "MONOCHROME2", stored, RescaleSlope=slope)
    with quiet_pydicom():
        write_series(tmp_path, stored, OBLIQUE, change=change)
    volume = read_dicom(tmp_path).volume
    assert volume.voxels.shape == SHAPE
    with pytest.raises(VolumeInvalidError):
        volume.require_segmentable()


def test_no_pixels_of_a_patient_stay_behind(tmp_path, monkeypatch):
    """Compressed pixels go through a file: nothing of it stays, whatever happens."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    stored = stored_values(12, signed=False)
    change = pixels_of(16, 12, False, "MONOCHROME2", stored, JPEGLSLossless)
    paths = write_series(tmp_path / "series", stored, OBLIQUE, change=change)
    read_dicom(tmp_path / "series")
    dataset = pydicom.dcmread(paths[2])
    dataset.PixelData = dataset.PixelData[:40]
    dataset.save_as(paths[2])
    with pytest.raises(InputUnreadableError):
        read_dicom(tmp_path / "series")
    assert list((tmp_path / "temporary").iterdir()) == []
