import gzip
import struct
from contextlib import suppress

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHEARED, affine, all_orientations, phantom, rotation

from textsegment.errors import GeometryError, InputError, InputUnreadableError, VolumeInvalidError
from textsegment.files.images.itk_image import affine_of
from textsegment.files.images.nifti import read_nifti, write_nifti

# Byte offsets of fields of the NIfTI-1 header.
DIM, DATATYPE, PIXDIM, SCL_SLOPE, QFORM_CODE, SFORM_CODE, SROW_X, MAGIC = 40, 70, 76, 112, 252, 254, 280, 344


@pytest.fixture
def plain(tmp_path):
    """A good uncompressed file to be damaged."""
    path = tmp_path / "image.nii"
    write_nifti(path, phantom(), OBLIQUE, "test")
    return path


def patched(path, offset, layout, *values):
    content = bytearray(path.read_bytes())
    struct.pack_into("<" + layout, content, offset, *values)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("matrix", [*all_orientations(), OBLIQUE, MIRRORED, SHEARED, ANISOTROPIC])
def test_round_trip_is_exact(tmp_path, matrix):
    path = tmp_path / "image.nii.gz"
    write_nifti(path, phantom(), matrix, "test")
    raw = read_nifti(path)
    assert np.array_equal(raw.voxels, phantom())
    assert raw.voxels.dtype == np.int16
    assert np.array_equal(raw.geometry.affine, matrix)
    assert raw.warnings == ()
    other = nib.load(path)
    assert np.array_equal(other.affine, matrix)
    assert np.array_equal(np.asarray(other.dataobj), phantom())


@pytest.mark.parametrize("matrix", [*all_orientations(), OBLIQUE, MIRRORED, ANISOTROPIC])
def test_itk_reads_what_is_written(tmp_path, matrix):
    path = tmp_path / "image.nii.gz"
    write_nifti(path, phantom(), matrix, "test")
    image = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(image).T, phantom())
    assert np.allclose(affine_of(image), matrix, atol=1e-4)


def test_sheared_file_has_no_qform_that_lies(tmp_path):
    path = tmp_path / "image.nii"
    write_nifti(path, phantom(), SHEARED, "test")
    header = nib.load(path).header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 1)
    assert read_nifti(path).geometry.is_sheared


@settings(max_examples=30)
@given(angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3), sizes=st.tuples(*[st.floats(0.05, 20)] * 3))
def test_any_rotation_and_voxel_size(tmp_path_factory, angles, sizes):
    matrix = affine(rotation(*angles), spacing=sizes)
    path = tmp_path_factory.mktemp("any") / "image.nii"
    write_nifti(path, phantom(), matrix, "test")
    raw = read_nifti(path)
    assert np.array_equal(raw.geometry.affine, matrix)
    assert raw.warnings == ()


def test_qform_alone_is_used(tmp_path):
    image = nib.Nifti1Image(phantom(), OBLIQUE)
    image.set_sform(None, code=0)
    image.set_qform(OBLIQUE, code=1)
    nib.save(image, tmp_path / "image.nii")
    raw = read_nifti(tmp_path / "image.nii")
    assert np.allclose(raw.geometry.affine, OBLIQUE, atol=1e-4)
    assert raw.warnings == ()


def test_no_orientation_is_a_warning(plain):
    patched(plain, QFORM_CODE, "hh", 0, 0)
    raw = read_nifti(plain)
    assert np.allclose(raw.geometry.spacing, (0.7, 1.1, 2.5))
    assert "orientation" in raw.warnings[0]


def test_qform_and_sform_that_differ_are_a_warning_and_the_sform_is_used(tmp_path):
    """Fault 23."""
    image = nib.Nifti1Image(phantom(), OBLIQUE)
    image.set_sform(OBLIQUE, code=1)
    image.set_qform(MIRRORED, code=1)
    nib.save(image, tmp_path / "image.nii")
    raw = read_nifti(tmp_path / "image.nii")
    assert np.array_equal(raw.geometry.affine, OBLIQUE)
    assert len(raw.warnings) == 1
    assert "sform" in raw.warnings[0]


def test_damaged_qform_beside_an_sform_is_a_warning(plain):
    patched(plain, 256, "fff", 5.0, 5.0, 5.0)
    raw = read_nifti(plain)
    assert np.array_equal(raw.geometry.affine, OBLIQUE)
    assert "qform" in raw.warnings[0]
    patched(plain, SFORM_CODE, "h", 0)
    with pytest.raises(GeometryError):
        read_nifti(plain)


def test_voxel_sizes_that_contradict_the_matrix_are_a_warning(plain):
    patched(plain, QFORM_CODE, "h", 0)
    patched(plain, PIXDIM + 4, "f", 3.0)
    raw = read_nifti(plain)
    assert np.array_equal(raw.geometry.affine, OBLIQUE)
    assert "voxel sizes" in raw.warnings[0]


def test_metres_become_millimetres(plain):
    content = bytearray(plain.read_bytes())
    content[123] = 1
    plain.write_bytes(content)
    assert np.allclose(read_nifti(plain).geometry.affine[:3], OBLIQUE[:3] * 1000)


def test_scaling_is_applied(plain):
    patched(plain, SCL_SLOPE, "ff", 0.5, -1000.0)
    raw = read_nifti(plain)
    assert raw.voxels.dtype == np.float32
    assert np.allclose(raw.voxels, phantom() * 0.5 - 1000)


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_no_scaling(plain, slope):
    patched(plain, SCL_SLOPE, "ff", slope, 7.0)
    assert np.array_equal(read_nifti(plain).voxels, phantom())


def test_other_byte_order_and_nifti_2(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.float32)
    nib.save(nib.Nifti1Image(phantom(dtype=np.float32), OBLIQUE, header), tmp_path / "big.nii")
    nib.save(nib.Nifti2Image(phantom(), OBLIQUE), tmp_path / "two.nii.gz")
    for name in ("big.nii", "two.nii.gz"):
        raw = read_nifti(tmp_path / name)
        assert np.array_equal(raw.voxels, phantom())
        assert raw.voxels.dtype.isnative
        assert np.array_equal(raw.geometry.affine, OBLIQUE)


@pytest.mark.parametrize("shape", [(9, 8, 7, 1), (9, 8, 7, 1, 1), (9, 8, 1), (1, 8, 7)])
def test_single_time_point_and_singleton_axis_are_fine(tmp_path, shape):
    nib.save(nib.Nifti1Image(phantom(shape), OBLIQUE), tmp_path / "image.nii.gz")
    raw = read_nifti(tmp_path / "image.nii.gz")
    assert np.array_equal(raw.voxels, phantom(shape).reshape(shape[:3]))


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 7, 2), (9, 8, 7, 1, 3)])
def test_flat_and_four_dimensional_images_are_refused(tmp_path, shape):
    nib.save(nib.Nifti1Image(phantom(shape), OBLIQUE), tmp_path / "image.nii.gz")
    with pytest.raises(VolumeInvalidError):
        read_nifti(tmp_path / "image.nii.gz")


@pytest.mark.parametrize("dtype", [np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_colours_and_complex_numbers_are_refused(tmp_path, dtype):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), dtype=dtype), np.eye(4)), tmp_path / "image.nii")
    with pytest.raises(VolumeInvalidError):
        read_nifti(tmp_path / "image.nii")


@pytest.mark.parametrize("size", [0, -3])
def test_zero_and_negative_dimension(plain, size):
    with pytest.raises(GeometryError):
        read_nifti(patched(plain, DIM + 4, "h", size))


@pytest.mark.parametrize("size", [0.0, np.nan, np.inf])
def test_zero_and_nan_voxel_size(plain, size):
    with pytest.raises(GeometryError):
        read_nifti(patched(plain, PIXDIM + 8, "f", size))


@pytest.mark.parametrize("row", [(0.0, 0.0, 0.0, 0.0), (np.nan, 0.0, 0.0, 0.0)])
def test_singular_affine(plain, row):
    with pytest.raises(GeometryError):
        read_nifti(patched(plain, SROW_X, "ffff", *row))


def test_negative_voxel_size_beside_an_sform_is_fine(plain):
    assert np.array_equal(read_nifti(patched(plain, PIXDIM + 4, "f", -0.7)).geometry.affine, OBLIQUE)


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
def test_empty_garbage_and_truncated_files(tmp_path, plain, name):
    path = tmp_path / name
    whole = plain.read_bytes()
    if name.endswith(".gz"):
        whole = gzip.compress(whole)
    for content in (b"", b"x", b"garbage" * 100, whole[:100], whole[:400], whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(InputUnreadableError):
            read_nifti(path)


def test_huge_header_takes_no_memory(plain):
    patched(plain, DIM + 2, "hhh", 32767, 32767, 32767)
    with pytest.raises(InputUnreadableError, match="too short"):
        read_nifti(plain)
    packed = plain.with_name("image.nii.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with pytest.raises(InputUnreadableError, match="too short"):
        read_nifti(packed)


@settings(max_examples=150)
@given(offset=st.integers(0, 351), content=st.binary(min_size=1, max_size=6))
def test_any_damage_of_the_header_is_read_or_refused_with_a_typed_error(tmp_path_factory, offset, content):
    path = tmp_path_factory.getbasetemp() / "damaged.nii"
    write_nifti(path, phantom(), OBLIQUE, "test")
    whole = bytearray(path.read_bytes())
    whole[offset : offset + len(content)] = content
    path.write_bytes(whole[: 352 + phantom().nbytes])
    with suppress(InputError):
        assert read_nifti(path).voxels.size > 0
