"""Where the scan lies in a folder, and what is no part of it."""

import numpy as np
import pytest
from made_dicom import write_series
from made_scans import OBLIQUE, SHEARED, affine, rotation
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from textsegment.errors import GeometryError, InputError, InputUnreadableError, VolumeInvalidError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom.series import list_series

SHAPE = (12, 10, 16)
STORED = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.uint16)
HU = STORED.astype(int) - 1024
SAGITTAL = affine(rotation(0, np.pi / 2, 0))


def codes(volume):
    return [getattr(warning, "code", "") for warning in volume.warnings]


def scout(dataset, k):
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def unmarked(dataset, k):
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]


def screenshot(dataset, k):
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing


@pytest.mark.parametrize("change", [scout, unmarked, screenshot])
@pytest.mark.parametrize("count", [1, 3])
def test_the_scan_below_a_scout_or_a_screenshot(tmp_path, change, count):
    """io5: the search ended at the first level with any image, and the one-slice scout was segmented."""
    write_series(tmp_path, STORED[:, :, :count], SAGITTAL, series_number=1, change=change)
    write_series(tmp_path / "study" / "series", STORED, OBLIQUE)
    volume = read_dicom(tmp_path).volume
    assert np.array_equal(volume.voxels, HU)


def test_dose_pages_beside_the_scan_are_no_second_series(tmp_path):
    """io5: more pages than a scout has slices."""
    write_series(tmp_path, STORED, OBLIQUE)
    write_series(tmp_path, STORED[:, :, :9], OBLIQUE, series_number=999, change=screenshot)
    volume = read_dicom(tmp_path).volume
    assert np.array_equal(volume.voxels, HU)
    assert volume.warnings[0].code == "unplaced_images_left_out"
    assert volume.warnings[0].values["count"] == 9
    assert len(list_series(tmp_path)) == 2


def test_a_scan_on_top_keeps_what_lies_below_out(tmp_path):
    write_series(tmp_path, STORED, OBLIQUE)
    write_series(tmp_path / "derived", STORED[:, :, :8], OBLIQUE, series_number=9)
    assert np.array_equal(read_dicom(tmp_path).volume.voxels, HU)


def test_linked_folders_are_followed(tmp_path):
    """io5: "There are no DICOM images" in a folder of links to series."""
    write_series(tmp_path / "archive" / "series", STORED, OBLIQUE)
    study = tmp_path / "study"
    study.mkdir()
    (study / "ct").symlink_to(tmp_path / "archive" / "series")
    assert np.array_equal(read_dicom(study).volume.voxels, HU)
    assert np.array_equal(read_dicom(study / "ct").volume.voxels, HU)


def test_linked_files_are_followed(tmp_path):
    paths = write_series(tmp_path / "archive", STORED, OBLIQUE)
    study = tmp_path / "study"
    study.mkdir()
    for number, path in enumerate(paths):
        (study / f"IM{number}").symlink_to(path)
    for given in (study, study / "IM3"):
        assert np.array_equal(read_dicom(given).volume.voxels, HU)


def test_links_in_a_circle_come_to_an_end(tmp_path):
    """io5: with a guard."""
    write_series(tmp_path / "a" / "b", STORED, OBLIQUE)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "again").symlink_to(tmp_path / "a" / "b")
    volume = read_dicom(tmp_path).volume
    assert np.array_equal(volume.voxels, HU)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "self").symlink_to(tmp_path / "empty")
    with pytest.raises(InputUnreadableError, match="no DICOM"):
        read_dicom(tmp_path / "empty")


@pytest.mark.parametrize("count", [1, 3, 6])
@pytest.mark.parametrize("placed", [False, True])
def test_objects_of_another_kind_in_the_series(tmp_path, count, placed):
    """io5: a screenshot or a dose page refused the whole series."""
    series = generate_uid()

    def capture(dataset, k):
        screenshot(dataset, k) if not placed else None
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        dataset.SeriesInstanceUID = series

    write_series(
        tmp_path, STORED, OBLIQUE, change=lambda dataset, k: setattr(dataset, "SeriesInstanceUID", series)
    )
    write_series(tmp_path, STORED[:, :, :count], OBLIQUE, series_number=4, change=capture)
    scan = read_dicom(tmp_path)
    assert np.array_equal(scan.volume.voxels, HU)
    assert codes(scan.volume) == ["foreign_objects_left_out"]
    assert scan.volume.warnings[0].values["count"] == count
    assert len(scan.source.planes) == SHAPE[2]


def turned(dataset):
    dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]


def shifted(dataset):
    x, y, z = (float(v) for v in dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [f"{x + 30:.4f}", f"{y - 10:.4f}", f"{z:.4f}"]


def resized(dataset):
    dataset.Rows, dataset.Columns = 5, 24


def zoomed(dataset):
    dataset.PixelSpacing = ["3", "3"]


def far_away(dataset):
    normal = OBLIQUE[:3, 2] * [-1, -1, 1]
    position = [float(v) for v in dataset.ImagePositionPatient]
    dataset.ImagePositionPatient = [f"{p + 300 * n:.4f}" for p, n in zip(position, normal, strict=True)]


def nowhere(dataset):
    del dataset.ImagePositionPatient


DEVIATIONS = [turned, shifted, resized, zoomed, nowhere]


@pytest.mark.parametrize("deviate", [*DEVIATIONS, far_away])
@pytest.mark.parametrize("count", [1, 3])
def test_a_few_deviating_planes_are_set_aside(tmp_path, deviate, count):
    """io5: up to three of them refused the whole series."""

    def change(dataset, k):
        if k >= SHAPE[2] - count:
            deviate(dataset)

    write_series(tmp_path, STORED, OBLIQUE, change=change)
    scan = read_dicom(tmp_path)
    assert np.array_equal(scan.volume.voxels, HU[:, :, : SHAPE[2] - count])
    assert np.allclose(scan.volume.geometry.affine, OBLIQUE, atol=1e-4)
    assert codes(scan.volume) == ["stray_images_left_out"]
    assert scan.volume.warnings[0].values["count"] == count
    assert len(scan.source.planes) == SHAPE[2] - count


@pytest.mark.parametrize("deviate", [turned, shifted, resized])
def test_a_deviating_plane_first_or_inside_too(tmp_path, deviate):
    """io5: what is set aside inside is filled in from its neighbours, and both are said."""
    for name, number in (("first", 0), ("inside", 7)):
        write_series(
            tmp_path / name, STORED, OBLIQUE, change=lambda d, k, n=number: deviate(d) if k == n else None
        )
    assert np.array_equal(read_dicom(tmp_path / "first").volume.voxels, HU[:, :, 1:])
    inside = read_dicom(tmp_path / "inside").volume
    assert np.array_equal(inside.voxels, HU), "the phantom is linear along k"
    assert codes(inside)[0] == "stray_images_left_out"
    assert "filled in" in inside.warnings[1]


def test_a_repeated_slice_is_set_aside(tmp_path):
    """io5: two images of one place are one too many, not another time point."""

    def change(dataset, k):
        if k == 15:
            dataset.ImagePositionPatient = first["position"]
        elif k == 4:
            first["position"] = dataset.ImagePositionPatient

    first = {}
    write_series(tmp_path, STORED, OBLIQUE, change=change)
    volume = read_dicom(tmp_path).volume
    assert volume.geometry.spatial_shape == (12, 10, 15)
    assert codes(volume) == ["stray_images_left_out"]


@pytest.mark.parametrize("deviate", DEVIATIONS)
def test_many_deviating_planes_are_still_refused(tmp_path, deviate):
    write_series(
        tmp_path, STORED, OBLIQUE, change=lambda dataset, k: deviate(dataset) if k % 4 == 1 else None
    )
    with pytest.raises(InputError):
        read_dicom(tmp_path)


def test_time_points_of_a_few_slices_are_still_refused(tmp_path):
    def early_and_late(dataset, k):
        dataset.ImagePositionPatient = ["0", "0", str(k // 2)]

    write_series(tmp_path, STORED[:, :, :4], OBLIQUE, change=early_and_late)
    with pytest.raises(VolumeInvalidError, match="same place"):
        read_dicom(tmp_path)


def test_three_orthogonal_planes_are_still_refused(tmp_path):
    def orthogonal(dataset, k):
        dataset.ImageOrientationPatient = (["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"])[k] + (
            ["0", "1", "0"],
            ["0", "0", "1"],
            ["1", "0", "0"],
        )[k]

    write_series(tmp_path, STORED[:, :, :3], OBLIQUE, change=orthogonal)
    with pytest.raises(GeometryError, match="directions"):
        read_dicom(tmp_path)


def test_gantry_tilt_is_no_deviation(tmp_path):
    write_series(tmp_path, STORED, SHEARED, change=lambda dataset, k: turned(dataset) if k == 15 else None)
    volume = read_dicom(tmp_path).volume
    assert np.allclose(volume.geometry.affine, SHEARED, atol=1e-4)
    assert np.array_equal(volume.voxels, HU[:, :, :15])
