import shutil

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from made_dicom import write_enhanced, write_series
from made_scans import OBLIQUE, SHEARED, affine, all_orientations, rotation
from pydicom.data import get_testdata_file
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless, generate_uid

from textsegment.errors import (
    GeometryError,
    InputError,
    InputNotFoundError,
    InputUnreadableError,
    ModalityError,
    TextSegmentError,
    VolumeInvalidError,
)
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom.series import list_series

SHAPE = (12, 10, 6)
STORED = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.uint16)
HU = STORED.astype(int) - 1024
# Axes of right-handed grids (in LPS): what a stack of DICOM slices is after sorting.
RIGHT_HANDED = [matrix for matrix in all_orientations() if np.linalg.det(matrix) > 0]


@pytest.mark.parametrize("matrix", [*RIGHT_HANDED[::3], OBLIQUE])
def test_series_is_read_exactly(tmp_path, matrix):
    write_series(tmp_path, STORED, matrix)
    volume = read_dicom(tmp_path).volume
    assert np.array_equal(volume.voxels, HU)
    assert np.allclose(volume.geometry.affine, matrix, atol=1e-5)
    assert volume.modality == "CT"
    assert volume.warnings == ()


def test_one_file_stands_for_its_series(tmp_path):
    paths = write_series(tmp_path, STORED, OBLIQUE)
    write_series(tmp_path, STORED[:, :, :4], OBLIQUE, series_number=8)
    assert np.array_equal(read_dicom(paths[3]).volume.voxels, HU)


def test_series_in_a_folder_below(tmp_path):
    write_series(tmp_path / "study" / "series", STORED, OBLIQUE)
    (tmp_path / "readme.txt").write_text("no image")
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, HU)


def test_gantry_tilt_is_kept_exactly_and_warned_of(tmp_path):
    """Fault 29."""
    write_series(tmp_path, STORED, SHEARED)
    volume = read_dicom(tmp_path).volume
    assert np.allclose(volume.geometry.affine, SHEARED, atol=1e-5)
    assert np.array_equal(volume.voxels, HU)
    assert any("tilt" in warning for warning in volume.require_segmentable())


def test_missing_slices_are_filled_in_with_a_warning(tmp_path):
    """Fault 29."""
    for path in write_series(tmp_path, STORED, OBLIQUE)[2:4]:
        path.unlink()
    volume = read_dicom(tmp_path).volume
    assert volume.geometry.spatial_shape == SHAPE
    assert np.allclose(volume.geometry.affine, OBLIQUE, atol=1e-5)
    # The phantom is linear along k, so filling in gives the lost slices back.
    assert np.array_equal(volume.voxels, HU)
    assert "2 were filled in" in volume.warnings[0]


def test_each_slice_has_its_own_scaling(tmp_path):
    slopes = [1.0, 2.0, 0.37, 1.25, 3.0, 0.1]
    write_series(tmp_path, STORED, OBLIQUE, modality="PT", slopes=slopes, intercept=0)
    volume = read_dicom(tmp_path).volume
    assert volume.modality == "PT"
    assert volume.voxels.dtype == np.float32
    assert np.allclose(volume.voxels, STORED * np.array(slopes), rtol=1e-6)


@pytest.mark.parametrize("lacking", [("RescaleSlope", "RescaleIntercept"), ("RescaleIntercept",)])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_ct_without_rescale_tags_is_warned_of(tmp_path, lacking, how):
    """io4: they must be given in a CT; what is stored is no Hounsfield unit then."""

    def change(dataset, k):
        for keyword in lacking:
            if how == "absent":
                del dataset[keyword]
            else:
                setattr(dataset, keyword, None)

    write_series(tmp_path / "CT", STORED, OBLIQUE, change=change)
    write_series(tmp_path / "MR", STORED, OBLIQUE, modality="MR", change=change)
    volume = read_dicom(tmp_path / "CT").volume
    assert [warning.code for warning in volume.warnings] == ["rescale_missing"]
    assert np.array_equal(volume.voxels, STORED)
    assert read_dicom(tmp_path / "MR").volume.warnings == ()


@pytest.mark.parametrize(("unit", "warns"), [("HU", False), ("", False), ("US", True), ("MGML", True)])
def test_a_ct_of_another_unit_is_warned_of(tmp_path, unit, warns):
    """io4: density or effective atomic number of dual energy, say."""
    write_series(tmp_path, STORED, OBLIQUE, change=lambda dataset, k: setattr(dataset, "RescaleType", unit))
    warnings = read_dicom(tmp_path).volume.warnings
    assert [(warning.code, dict(warning.values)) for warning in warnings] == (
        [("rescale_type", {"unit": unit})] if warns else []
    )


def test_copies_of_a_file_are_read_once(tmp_path):
    paths = write_series(tmp_path, STORED, OBLIQUE)
    (tmp_path / "copy.dcm").write_bytes(paths[2].read_bytes())
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, HU)


def test_emptied_identifiers_are_no_copies(tmp_path):
    def anonymise(dataset, k):
        dataset.SOPInstanceUID = dataset.SeriesInstanceUID = ""
        del dataset.SeriesNumber

    write_series(tmp_path, STORED, OBLIQUE, change=anonymise)
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, HU)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_pixels(tmp_path, syntax):
    stored = np.kron(STORED, np.ones((8, 8, 1), dtype=np.uint16))
    write_series(tmp_path, stored, OBLIQUE, change=lambda dataset, k: dataset.compress(syntax))
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, stored.astype(int) - 1024)


def test_lossless_jpeg(tmp_path):
    """As most archives compress; GDCM makes the picture, since pydicom knows no such encoder."""
    stored = np.kron(STORED, np.ones((8, 8, 1), dtype=np.uint16))

    def compress(dataset, k):
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetCompressor("JPEG")
        writer.UseCompressionOn()
        writer.SetFileName(str(tmp_path / "picture.dcm"))
        writer.Execute(sitk.GetImageFromArray(stored[:, :, k].T))
        picture = pydicom.dcmread(tmp_path / "picture.dcm")
        assert picture.file_meta.TransferSyntaxUID == JPEGLosslessSV1
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        dataset.PixelData = picture.PixelData
        dataset["PixelData"].is_undefined_length = True

    write_series(tmp_path / "series", stored, OBLIQUE, change=compress)
    assert np.array_equal(read_dicom(tmp_path / "series").volume.voxels, stored.astype(int) - 1024)


@pytest.mark.parametrize("name", [
    "MR_small", "MR_small_implicit", "MR_small_bigendian", "MR_small_expb", "MR_small_padded", "MR_small_RLE",
    "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "693_J2KI", "J2K_pixelrep_mismatch", "CT_small",
])  # fmt: skip
def test_real_slices_in_all_transfer_syntaxes_read_as_pydicom_reads_them(tmp_path, name):
    path = get_testdata_file(f"{name}.dcm", download=False)
    shutil.copy(path, tmp_path)
    with quiet_pydicom():
        dataset = pydicom.dcmread(path)
        stored = dataset.pixel_array
    scaled = stored * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    assert np.array_equal(read_dicom(tmp_path).volume.voxels[:, :, 0], scaled.T)


def test_old_files_without_a_preamble(tmp_path):
    for path in write_series(tmp_path, STORED, OBLIQUE):
        path.write_bytes(path.read_bytes()[132:])
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, HU)


def test_time_points_are_refused(tmp_path):
    def early_and_late(dataset, k):
        dataset.ImagePositionPatient = ["0", "0", str(k // 2)]

    write_series(tmp_path, STORED, OBLIQUE, change=early_and_late)
    with pytest.raises(VolumeInvalidError, match="same place"):
        read_dicom(tmp_path)


def test_mixed_orientation_is_refused(tmp_path):
    def turn(dataset, k):
        if k > 2:
            dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]

    write_series(tmp_path, STORED, affine(np.eye(3)), change=turn)
    with pytest.raises(GeometryError, match="directions"):
        read_dicom(tmp_path)


def test_scout_is_left_out(tmp_path):
    def scout(dataset, k):
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    write_series(tmp_path, STORED, OBLIQUE)
    write_series(tmp_path, STORED, SHEARED, series_number=1, change=scout)
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, HU)


def test_short_series_beside_a_long_one_is_left_out_with_a_warning(tmp_path):
    write_series(tmp_path, STORED, OBLIQUE)
    write_series(tmp_path, STORED[:, :, :2], OBLIQUE, series_number=9)
    volume = read_dicom(tmp_path).volume
    assert np.array_equal(volume.voxels, HU)
    assert "series 3 (CT, 6 slices) was taken, the only one of 4 slices or more" in volume.warnings[0]
    assert "Beside it: series 9 (CT, 2 slices)" in volume.warnings[0]
    assert read_dicom(tmp_path, series="9").volume.geometry.spatial_shape == (12, 10, 2)


def test_several_series_are_listed_without_patient_data(tmp_path):
    write_series(tmp_path, STORED, OBLIQUE)
    write_series(tmp_path, STORED[:, :, :5], OBLIQUE, series_number=9, modality="MR")
    with pytest.raises(InputError) as caught:
        read_dicom(tmp_path)
    text = str(caught.value)
    assert "series 3 (CT, 6 slices); series 9 (MR, 5 slices)" in text
    assert "ecret" not in text.lower()
    assert read_dicom(tmp_path, modality="MR").volume.geometry.spatial_shape == (12, 10, 5)


def test_a_folder_of_several_patients_is_said_to_be_one(tmp_path):
    def other(dataset, k):
        dataset.PatientID = "SECRET-OTHER"

    write_series(tmp_path / "a", STORED, OBLIQUE)
    write_series(tmp_path / "b", STORED, OBLIQUE, change=other)
    with pytest.raises(InputError) as caught:
        read_dicom(tmp_path)
    assert "several patients: give a folder for each" in caught.value.hint
    assert "ecret" not in str(caught.value).lower()


def test_modality_can_be_overruled_and_has_to_be_known(tmp_path):
    def secondary(dataset, k):
        dataset.Modality = "OT"

    write_series(tmp_path, STORED, OBLIQUE, change=secondary)
    with pytest.raises(ModalityError, match=r"OT.*--modality"):
        read_dicom(tmp_path)
    assert read_dicom(tmp_path, modality="ct").volume.modality == "CT"
    with pytest.raises(ModalityError):
        read_dicom(tmp_path, modality="XX")


@pytest.mark.parametrize(
    "name", ["rtstruct.dcm", "rtplan.dcm", "rtdose.dcm", "reportsi.dcm", "liver_1frame.dcm"]
)
def test_objects_that_are_no_scan(name):
    with pytest.raises(VolumeInvalidError, match="no scan"):
        read_dicom(get_testdata_file(name))


def test_real_slice_with_signed_values_reads_as_pydicom_does():
    volume = read_dicom(get_testdata_file("CT_small.dcm")).volume
    assert volume.geometry.spatial_shape == (128, 128, 1)
    assert volume.voxels[0, 0, 0] == 175 - 1024
    assert volume.modality == "CT"


def test_colour_mosaic_and_radiograph_are_refused(tmp_path):
    def colour(dataset, k):
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"

    def mosaic(dataset, k):
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]

    def radiograph(dataset, k):
        del dataset.ImagePositionPatient

    def not_a_number(dataset, k):
        dataset.PixelSpacing = ["0", "1"]

    for change, error in (
        (colour, VolumeInvalidError),
        (mosaic, VolumeInvalidError),
        (radiograph, GeometryError),
        (not_a_number, GeometryError),
    ):
        folder = tmp_path / change.__name__
        write_series(folder, STORED, OBLIQUE, change=change)
        with pytest.raises(error):
            read_dicom(folder)


def test_missing_empty_and_damaged(tmp_path):
    with pytest.raises(InputNotFoundError):
        read_dicom(tmp_path / "nothing")
    with pytest.raises(InputUnreadableError, match="no DICOM"):
        read_dicom(tmp_path)
    path = write_series(tmp_path / "series", STORED, OBLIQUE)[2]
    whole = path.read_bytes()
    for content in (whole[:-300], whole[: len(whole) // 3]):
        path.write_bytes(content)
        with pytest.raises((InputUnreadableError, GeometryError)):
            read_dicom(path)
    path.write_bytes(b"")
    with pytest.raises(InputUnreadableError):
        read_dicom(path)


def test_no_damage_gives_another_error_or_speaks_of_the_patient(tmp_path):
    path = write_series(tmp_path, STORED[:, :, :1], OBLIQUE)[0]
    whole = path.read_bytes()
    generator, messages = np.random.default_rng(0), []
    for _ in range(150):
        content = bytearray(whole[: generator.integers(150, len(whole))])
        for place in generator.integers(132, len(content), 4):
            content[place] = generator.integers(256)
        path.write_bytes(content)
        messages.append(message_of(path))
    assert sum(message == "" for message in messages) < 100
    assert not any("secret" in message.lower() for message in messages)


def message_of(path):
    try:
        read_dicom(path)
    except TextSegmentError as error:
        return str(error)
    return ""


def test_enhanced_multi_frame(tmp_path):
    write_enhanced(tmp_path / "enhanced.dcm", STORED, OBLIQUE, order=[5, 3, 1, 0, 2, 4])
    volume = read_dicom(tmp_path).volume
    assert np.array_equal(volume.voxels, STORED * 2)
    assert np.allclose(volume.geometry.affine, OBLIQUE, atol=1e-5)
    assert volume.modality == "MR"


def test_enhanced_multi_frame_that_is_not_simple(tmp_path):
    path = tmp_path / "enhanced.dcm"
    write_enhanced(path, STORED, OBLIQUE, order=[0, 1, 2, 0, 1, 2])
    with pytest.raises(VolumeInvalidError, match="same place"):
        read_dicom(path)


@pytest.mark.parametrize("compression", [None, RLELossless, JPEG2000Lossless])
def test_each_frame_has_its_own_scaling(tmp_path, compression):
    slopes = [1.0, 2.0, 0.37, 1.25, 3.0, 0.1]
    stored = np.kron(STORED, np.ones((8, 8, 1), dtype=np.uint16))
    order = [5, 3, 1, 0, 2, 4]
    write_enhanced(tmp_path / "e.dcm", stored, OBLIQUE, order=order, slopes=slopes, compression=compression)
    expected = stored * np.array([slopes[order.index(k)] for k in range(6)])
    assert np.allclose(read_dicom(tmp_path / "e.dcm").volume.voxels, expected, rtol=1e-6)


def test_frames_without_a_place_are_refused(tmp_path):
    def cine(dataset, k):
        dataset.NumberOfFrames = 2
        dataset.PixelData = dataset.PixelData * 2

    write_series(tmp_path, STORED, OBLIQUE, change=cine)
    with pytest.raises(GeometryError, match="frames"):
        read_dicom(tmp_path)


def test_same_identifier_in_every_slice(tmp_path):
    """Careless anonymisers give all slices one identifier; they are no copies of each other."""
    uid = generate_uid()

    def same(dataset, k):
        dataset.SOPInstanceUID = uid

    write_series(tmp_path, STORED, affine(rotation(0, 0, 0.2)), change=same)
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, HU)


def test_files_given_one_by_one(tmp_path):
    paths = write_series(tmp_path, STORED, OBLIQUE)
    write_series(tmp_path, STORED[:, :, :5], OBLIQUE, series_number=9)
    assert np.array_equal(read_dicom(paths).volume.voxels, HU)
    assert read_dicom([str(path) for path in paths[:5]]).volume.geometry.spatial_shape == (12, 10, 5)
    with pytest.raises(InputNotFoundError):
        read_dicom([*paths, tmp_path / "none.dcm"])
    with pytest.raises(InputUnreadableError):
        read_dicom([])


def test_series_are_listed_and_chosen_by_number_or_identifier(tmp_path):
    write_series(tmp_path, STORED, OBLIQUE, series_number=12)
    write_series(tmp_path / "more", STORED[:, :, :5], OBLIQUE, series_number=9, modality="MR")
    write_series(tmp_path, STORED[:, :, :4], OBLIQUE, series_number=2)
    for path in (tmp_path / "more").iterdir():
        path.rename(tmp_path / path.name)
    listed = list_series(tmp_path)
    assert list(map(str, listed)) == [
        "series 2 (CT, 4 slices)", "series 9 (MR, 5 slices)", "series 12 (CT, 6 slices)"
    ]  # fmt: skip
    assert read_dicom(tmp_path, series="12").volume.geometry.spatial_shape[2] == 6
    assert read_dicom(tmp_path, series=listed[0].headers[0].series).volume.geometry.spatial_shape[2] == 4
    with pytest.raises(InputError, match="no series of this number") as caught:
        read_dicom(tmp_path, series="7")
    assert "series 9 (MR, 5 slices)" in caught.value.hint
    with pytest.raises(InputError) as caught:
        read_dicom(tmp_path)
    assert "--series" in caught.value.hint


def test_series_of_the_same_number_get_letters(tmp_path):
    for count in (5, 6):
        write_series(tmp_path / str(count), STORED[:, :, :count], OBLIQUE)
    keys = {series.plane_count: series.key for series in list_series(tmp_path)}
    assert set(keys.values()) == {"3a", "3b"}
    assert read_dicom(tmp_path, series=keys[5].upper()).volume.geometry.spatial_shape[2] == 5
    with pytest.raises(InputError, match="no series of this number, or several"):
        read_dicom(tmp_path, series="3")
