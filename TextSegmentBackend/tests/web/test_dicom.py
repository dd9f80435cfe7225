"""DICOM series on the page: voxels and place as the package reads them, asked about, or refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_dicom import write_enhanced, write_series
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHEARED, all_orientations
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import MPEG2MPML, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from read_series import STORED, read_by, require_equal


@pytest.fixture
def page(series_page):
    return series_page


@pytest.mark.parametrize("number", range(0, 48, 5))
def test_in_all_directions(page, tmp_path, number):
    write_series(tmp_path, STORED, all_orientations()[number])
    require_equal(page, tmp_path)


@pytest.mark.parametrize("affine", [OBLIQUE, MIRRORED, SHEARED, ANISOTROPIC], ids=str)
def test_oblique_mirrored_and_tilted(page, tmp_path, affine):
    write_series(tmp_path, STORED, affine)
    require_equal(page, tmp_path)


def implicit(dataset: Dataset, k: int) -> None:
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    nest(dataset, k)


def deflated(dataset: Dataset, k: int) -> None:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    nest(dataset, k)


def nest(dataset: Dataset, k: int) -> None:
    """Sequences of known and unknown length in front of the pixels, and a long private element."""
    inner = Dataset()
    inner.CodeValue = "x"
    inner.RescaleSlope = "77"
    sequence = Sequence([inner, Dataset()])
    sequence.is_undefined_length = k % 2 == 0
    dataset.ProcedureCodeSequence = sequence
    dataset["ProcedureCodeSequence"].is_undefined_length = k % 2 == 0
    dataset.private_block(0x0029, "PRIVATE", create=True).add_new(0x10, "OB", bytes(20000))


def signed(dataset: Dataset, k: int) -> None:
    dataset.PixelRepresentation = 1
    dataset.PixelData = (STORED[:, :, k].T - 400).astype("<i2").tobytes()


def few_bits(dataset: Dataset, k: int) -> None:
    dataset.BitsStored, dataset.HighBit = 12, 11


def half_steps(dataset: Dataset, k: int) -> None:
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-3.25"


def own_steps(dataset: Dataset, k: int) -> None:
    dataset.RescaleSlope = str(1 + k)


def moved(dataset: Dataset, k: int) -> None:
    """Uneven distances."""
    z = float(dataset.ImagePositionPatient[2]) + (0.8 if k in (2, 3) else 0)
    dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], z]


def bare(dataset: Dataset, k: int) -> None:
    del dataset.RescaleSlope, dataset.RescaleIntercept


@pytest.mark.parametrize(
    "change",
    [implicit, deflated, nest, signed, few_bits, half_steps, own_steps, moved, bare],
)
def test_however_it_is_written(page, tmp_path, change: Callable[[Dataset, int], None]):
    write_series(tmp_path, STORED, all_orientations()[0], change=change)
    require_equal(page, tmp_path)


def test_missing_slices_are_filled_in_and_said(page, tmp_path):
    paths = write_series(tmp_path, STORED, OBLIQUE)
    paths[3].unlink()
    require_equal(page, tmp_path)


def test_enhanced_multiframe(page, tmp_path):
    write_enhanced(
        tmp_path / "a.dcm", STORED, SHEARED, order=[3, 0, 1, 2, 6, 5, 4], slopes=[1, 2, 3, 4, 5, 6, 7]
    )
    require_equal(page, tmp_path)


@pytest.mark.parametrize("correction", ["START", "ADMIN", "NONE"])
def test_pet_becomes_suv(page, tmp_path, correction):
    def pet(dataset: Dataset, k: int) -> None:
        dataset.Units, dataset.DecayCorrection, dataset.PatientWeight = "BQML", correction, "71.5"
        dataset.SeriesDate, dataset.SeriesTime = "20240102", "001530"
        dataset.AcquisitionDate, dataset.AcquisitionTime = "20240102", f"0015{k:02}.25"
        info = Dataset()
        info.RadionuclideTotalDose, info.RadionuclideHalfLife = "251000000", "6586.2"
        info.RadiopharmaceuticalStartTime = "231201.5"
        dataset.RadiopharmaceuticalInformationSequence = [info]

    write_series(tmp_path, STORED, OBLIQUE, modality="PT", intercept=0, change=pet)
    require_equal(page, tmp_path)


def test_several_series_are_asked_about_and_scouts_are_not(page, tmp_path):
    write_series(tmp_path / "a", STORED, OBLIQUE)
    write_series(tmp_path / "scout", STORED[:, :, :2], SHEARED, series_number=1)
    (tmp_path / "notes.txt").write_text("no image")
    require_equal(page, tmp_path)
    write_series(tmp_path / "b", STORED, OBLIQUE, series_number=4, modality="MR")
    found = read_by(page, tmp_path)
    assert found["choices"] == ["series 3 (CT, 7 slices)", "series 4 (MR, 7 slices)"]


def twice(dataset: Dataset, k: int) -> None:
    dataset.ImagePositionPatient = [0, 0, k // 2]


def turned(dataset: Dataset, k: int) -> None:
    if k > 2:
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]


def sideways(dataset: Dataset, k: int) -> None:
    dataset.ImagePositionPatient = [(k * 7) % 5, 0, k]


def coloured(dataset: Dataset, k: int) -> None:
    dataset.PhotometricInterpretation = "RGB"


def placeless(dataset: Dataset, k: int) -> None:
    del dataset.ImagePositionPatient


def of_another_kind(dataset: Dataset, k: int) -> None:
    dataset.Modality = "US"


def packed(dataset: Dataset, k: int) -> None:
    dataset.PixelData = encapsulate([b"not decoded here"])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (twice, "volume_invalid"),
        (turned, "geometry_invalid"),
        (sideways, "geometry_invalid"),
        (coloured, "volume_invalid"),
        (placeless, "geometry_invalid"),
        (of_another_kind, "modality_unsupported"),
        (packed, "input_unreadable"),
    ],
)
def test_what_makes_no_grid_is_refused(page, tmp_path, change, code):
    write_series(tmp_path, STORED, all_orientations()[0], change=change)
    found = read_by(page, tmp_path)
    assert found.get("code") == code, found
    assert found["message"].endswith(".")


def test_half_a_file_is_refused(page, tmp_path):
    for path in write_series(tmp_path, STORED, OBLIQUE):
        path.write_bytes(path.read_bytes()[:-20])
    assert read_by(page, tmp_path)["code"] == "input_unreadable"
