from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import slicerio
from made_headers import VOXELS, made_meta, made_nrrd
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHEARED, all_orientations, phantom

from textsegment.errors import (
    GeometryError,
    InputError,
    InputNotFoundError,
    InputUnreadableError,
    VolumeInvalidError,
)
from textsegment.files.images.itk_image import read_itk_image, write_itk_image

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("matrix", [*all_orientations()[::5], OBLIQUE, MIRRORED, SHEARED, ANISOTROPIC])
def test_round_trip_is_exact(tmp_path, matrix, suffix):
    path = tmp_path / f"image{suffix}"
    write_itk_image(path, phantom(), matrix)
    raw = read_itk_image(path)
    assert np.array_equal(raw.voxels, phantom())
    assert np.allclose(raw.geometry.affine, matrix, rtol=0, atol=1e-12)
    assert raw.warnings == ()


def test_pynrrd_reads_what_is_written(tmp_path):
    write_itk_image(tmp_path / "image.nrrd", phantom(), SHEARED)
    voxels, header = nrrd.read(str(tmp_path / "image.nrrd"))
    assert np.array_equal(voxels, phantom())
    assert np.allclose(header["space directions"].T, (LPS @ SHEARED)[:3, :3], atol=1e-12)
    assert np.allclose(header["space origin"], (LPS @ SHEARED)[:3, 3], atol=1e-12)


def test_the_chest_ct_of_slicer_is_read_right():
    """Against pynrrd, which shares no code with ITK."""
    path = Path(slicerio.__file__).parent / "data" / "CTChest4.nrrd"
    voxels, header = nrrd.read(str(path))
    raw = read_itk_image(path)
    assert np.array_equal(raw.voxels, voxels)
    assert raw.geometry.spatial_shape == (128, 128, 34)
    assert raw.geometry.axis_codes == "RAS"
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = header["space directions"].T
    affine_lps[:3, 3] = header["space origin"]
    assert np.allclose(raw.geometry.affine, LPS @ affine_lps, rtol=0, atol=1e-12)


def test_spaces(tmp_path):
    """The same numbers in three spaces are three places."""
    lps = read_itk_image(made_nrrd(tmp_path)).geometry.affine
    ras = read_itk_image(made_nrrd(tmp_path, space="right-anterior-superior")).geometry.affine
    las = read_itk_image(made_nrrd(tmp_path, space="left-anterior-superior")).geometry.affine
    assert np.allclose(lps, [[-1, 0, 0, -5], [0, -2, 0, -6], [0, 0, 3, 7], [0, 0, 0, 1]])
    assert np.allclose(ras, [[1, 0, 0, 5], [0, 2, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])
    assert np.allclose(las, [[-1, 0, 0, -5], [0, 2, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-left-handed"])
def test_unknown_space_is_a_warning(tmp_path, space):
    raw = read_itk_image(made_nrrd(tmp_path, space=space))
    assert "orientation" in raw.warnings[0]


@pytest.mark.parametrize("spacings", ["", "spacings: 1 nan 3\n", "spacings: 1 0 3\n", "spacings: 1 2 3\n"])
def test_nrrd_without_orientation(tmp_path, spacings):
    path = tmp_path / "image.nrrd"
    header = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\n{spacings}endian: little\nencoding: raw\n\n"
    path.write_bytes(header.encode() + VOXELS.tobytes())
    if spacings == "spacings: 1 2 3\n":
        raw = read_itk_image(path)
        assert raw.geometry.spacing == (1, 2, 3)
        assert raw.warnings
    else:
        with pytest.raises(GeometryError):
            read_itk_image(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"directions": "(0,0,0) (0,2,0) (0,0,3)"},
        {"directions": "(nan,0,0) (0,2,0) (0,0,3)"},
        {"directions": "(nan,nan,nan) (0,2,0) (0,0,3)"},
        {"directions": "(1,0,0) (1,0,0) (0,0,3)"},
        {"origin": "(nan,0,0)"},
        {"sizes": "4 0 2"},
        {"sizes": "4 -3 2"},
    ],
)
def test_bad_grid_of_nrrd(tmp_path, changes):
    with pytest.raises(GeometryError):
        read_itk_image(made_nrrd(tmp_path, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"spacing": "0 1 1"},
        {"spacing": "nan 1 1"},
        {"matrix": "1 0 0 1 0 0 0 0 1"},
        {"sizes": "4 0 2"},
    ],
)
def test_bad_grid_of_metaimage(tmp_path, changes):
    with pytest.raises(GeometryError):
        read_itk_image(made_meta(tmp_path, **changes))


def test_negative_dimension_of_metaimage(tmp_path):
    with pytest.raises(InputError):
        read_itk_image(made_meta(tmp_path, sizes="4 -3 2"))


def test_huge_header_takes_no_memory(tmp_path):
    for path in (
        made_nrrd(tmp_path, sizes="40000 40000 4000"),
        made_meta(tmp_path, sizes="40000 40000 4000"),
    ):
        with pytest.raises(InputUnreadableError, match="too short"):
            read_itk_image(path)


@pytest.mark.parametrize("make", [made_nrrd, made_meta])
def test_empty_garbage_and_truncated_files(tmp_path, make):
    path = make(tmp_path)
    whole = path.read_bytes()
    for content in (b"", b"garbage" * 100, whole[:60], whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(InputUnreadableError):
            read_itk_image(path)


def test_a_name_like_an_error_is_not_taken_for_one(tmp_path):
    path = tmp_path / "space vector determinant is 0.nrrd"
    path.write_bytes(b"garbage" * 100)
    with pytest.raises(InputUnreadableError):
        read_itk_image(path)


def test_detached_header(tmp_path):
    """io7: missing data are missing, not damaged."""
    for suffix in (".nhdr", ".mhd"):
        sitk.WriteImage(sitk.GetImageFromArray(phantom().T), str(tmp_path / f"image{suffix}"))
        assert np.array_equal(read_itk_image(tmp_path / f"image{suffix}").voxels, phantom())
    for data in (*tmp_path.glob("*.raw*"), *tmp_path.glob("*.zraw")):
        data.unlink()
    for suffix in (".nhdr", ".mhd"):
        with pytest.raises(InputNotFoundError, match="missing"):
            read_itk_image(tmp_path / f"image{suffix}")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_what_is_no_single_grey_volume_is_refused(tmp_path, suffix):
    path = str(tmp_path / f"image{suffix}")
    for image in (
        sitk.Image([4, 4], sitk.sitkInt16),
        sitk.Image([4, 4, 4, 3], sitk.sitkInt16),
        sitk.Image([4, 4, 4], sitk.sitkVectorUInt8, 3),
    ):
        sitk.WriteImage(image, path)
        with pytest.raises(VolumeInvalidError):
            read_itk_image(Path(path))


def test_single_time_point_is_fine(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(phantom().T[np.newaxis], isVector=False), str(tmp_path / "a.mha"))
    assert np.array_equal(read_itk_image(tmp_path / "a.mha").voxels, phantom())


def test_a_segmentation_is_no_scan():
    folder = Path(slicerio.__file__).parent / "data"
    for name in ("Segmentation.seg.nrrd", "SegmentationOverlapping.seg.nrrd"):
        with pytest.raises(VolumeInvalidError, match="segmentation"):
            read_itk_image(folder / name)
