"""Strict where the standards are strict, and no stricter (io6)."""

import gzip
import shutil
import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from made_headers import made_meta, made_nrrd
from made_scans import OBLIQUE, phantom

from textsegment.errors import GeometryError, InputNotFoundError, InputUnreadableError
from textsegment.files.images.itk_image import read_itk_image, write_itk_image
from textsegment.files.images.nifti import read_nifti, write_nifti
from textsegment.files.reading import read_volume

# Byte offsets of fields of the NIfTI-1 header.
QFAC, VOX_OFFSET, QFORM_CODE, SFORM_CODE, QUATERN, SROW_X = 76, 108, 252, 254, 256, 280


def patched(path, offset, layout, *values):
    content = bytearray(path.read_bytes())
    struct.pack_into("<" + layout, content, offset, *values)
    path.write_bytes(content)
    return path


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "image.nii"
    write_nifti(path, phantom(), OBLIQUE, "test")
    return path


@pytest.mark.parametrize("qfac", [0.0, 1.0, 2.0, np.nan])
def test_qfac_of_zero_is_one(plain, qfac):
    """io6: so says the standard; only a negative one flips."""
    raw = read_nifti(patched(patched(plain, SFORM_CODE, "h", 0), QFAC, "f", qfac))
    assert np.allclose(raw.geometry.affine, OBLIQUE, atol=1e-4)
    assert raw.warnings == ()
    flipped = read_nifti(patched(plain, QFAC, "f", -1.0)).geometry.affine
    assert np.allclose(flipped[:3, 2], -OBLIQUE[:3, 2], atol=1e-4)


def test_qfac_of_zero_beside_an_sform(plain):
    assert read_nifti(patched(plain, QFAC, "f", 0.0)).warnings == ()


@pytest.mark.parametrize("excess", [1e-7, 1e-5, 9e-5])
def test_a_quaternion_that_is_a_little_too_long_is_shortened(plain, excess):
    """io6: rounding, not damage."""
    half_turn = np.array([0.6, 0.0, 0.8]) * (1 + excess)
    patched(patched(plain, SFORM_CODE, "h", 0), QUATERN, "fff", *half_turn)
    raw = read_nifti(plain)
    assert np.allclose(np.linalg.det(raw.geometry.direction), 1, atol=1e-4)
    assert np.allclose(raw.geometry.direction @ [0.6, 0, 0.8], [0.6, 0, 0.8], atol=1e-4), "its axis"
    assert raw.warnings == ()


@pytest.mark.parametrize("excess", [1e-3, 0.5, np.nan])
def test_a_quaternion_that_is_much_too_long_is_refused(plain, excess):
    patched(patched(plain, SFORM_CODE, "h", 0), QUATERN, "fff", *(np.array([0.6, 0.0, 0.8]) * (1 + excess)))
    with pytest.raises(GeometryError, match="qform"):
        read_nifti(plain)


def test_an_sform_of_zeros_gives_way_to_the_qform(plain):
    """io6: with a warning."""
    raw = read_nifti(patched(plain, SROW_X, "12f", *[0.0] * 12))
    assert np.allclose(raw.geometry.affine, OBLIQUE, atol=1e-4)
    assert "sform" in raw.warnings[0]
    with pytest.raises(GeometryError):
        read_nifti(patched(plain, QFORM_CODE, "h", 0))


@pytest.mark.parametrize("offset", [0.0, 1.0, 348.0, 351.0, -16.0, 352.5, np.nan])
def test_voxels_that_begin_inside_the_header_are_refused(plain, offset):
    """io6: bytes of the header would be taken for voxels."""
    with pytest.raises(InputUnreadableError):
        read_nifti(patched(plain, VOX_OFFSET, "f", offset))


def test_voxels_behind_extensions(plain):
    content = plain.read_bytes()
    plain.write_bytes(content[:352] + b"\0" * 32 + content[352:])
    assert np.array_equal(read_nifti(patched(plain, VOX_OFFSET, "f", 384.0)).voxels, phantom())


UNITS = [("mm", 1.0), ("cm", 10.0), ("m", 1000.0), ("um", 1e-3), ("microns", 1e-3)]


@pytest.mark.parametrize(("unit", "factor"), UNITS)
def test_space_units_of_nrrd(tmp_path, unit, factor):
    """io6: voxels of 0.07 cm are not of 0.07 mm."""
    plain = read_itk_image(made_nrrd(tmp_path)).geometry.affine
    line = f'left-posterior-superior\nspace units: "{unit}" "{unit}" "{unit}"'
    raw = read_itk_image(made_nrrd(tmp_path, space=line))
    assert np.allclose(raw.geometry.affine[:3], plain[:3] * factor)
    assert raw.warnings == ()


def test_units_of_nrrd_axes(tmp_path):
    path = tmp_path / "image.nrrd"
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nspacings: 0.1 0.2 0.3\n"
        'units: "cm" "cm" "cm"\nendian: little\nencoding: raw\n\n'
    )
    path.write_bytes(header.encode() + np.arange(24, dtype="<i2").tobytes())
    assert np.allclose(read_itk_image(path).geometry.spacing, (1, 2, 3))


def test_a_unit_that_is_not_known_is_said(tmp_path):
    line = 'left-posterior-superior\nspace units: "px" "px" "px"'
    raw = read_itk_image(made_nrrd(tmp_path, space=line))
    assert [warning.code for warning in raw.warnings] == ["unit_unknown"]


@pytest.mark.parametrize(("unit", "factor"), UNITS)
def test_distance_units_of_metaimage(tmp_path, unit, factor):
    """io6: the same there."""
    path = made_meta(tmp_path, spacing=f"1 2 3\nDistanceUnits = {unit}")
    assert np.allclose(read_itk_image(path).geometry.spacing, np.array([1, 2, 3]) * factor)


def without(path, key):
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(key.encode())))
    return path


def test_metaimage_without_voxel_sizes_is_refused(tmp_path):
    """io6: ITK makes up 1 mm; NRRD is refused as well."""
    with pytest.raises(GeometryError, match="voxel sizes"):
        read_itk_image(without(made_meta(tmp_path), "ElementSpacing"))
    sized = made_meta(tmp_path, spacing="1 2 3\nElementSize = 1 2 3")
    assert read_itk_image(without(sized, "ElementSpacing")).geometry.spacing == (1, 2, 3)


def test_metaimage_without_orientation_is_said(tmp_path):
    """io6: as for NRRD."""
    raw = read_itk_image(without(made_meta(tmp_path), "TransformMatrix"))
    assert [warning.code for warning in raw.warnings] == ["orientation_unsaid"]
    assert read_itk_image(made_meta(tmp_path)).warnings == ()


@pytest.mark.parametrize(("short", "long"), [
    ("RAS", "right-anterior-superior"), ("LPS", "left-posterior-superior"), ("LAS", "left-anterior-superior"),
])  # fmt: skip
def test_short_names_of_spaces(tmp_path, short, long):
    """io6: no false warning."""
    expected = read_itk_image(made_nrrd(tmp_path, space=long))
    raw = read_itk_image(made_nrrd(tmp_path, space=short))
    assert np.array_equal(raw.geometry.affine, expected.geometry.affine)
    assert raw.warnings == expected.warnings == ()


def made(folder, kind):
    path = folder / kind
    if kind.startswith("nii"):
        write_nifti(folder / f"a.{kind}", phantom(), OBLIQUE, "")
        return (folder / f"a.{kind}").rename(path)
    write_itk_image(folder / f"a.{kind}", phantom(), OBLIQUE)
    return (folder / f"a.{kind}").rename(path)


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "nrrd", "mha"])
@pytest.mark.parametrize(
    "name", ["scan.nii", "scan.nii.gz", "scan.nrrd", "scan.mha", "scan.dcm", "scan", "scan.mgz"]
)
def test_a_file_is_judged_by_its_first_bytes(tmp_path, kind, name):
    """io6: not by its name."""
    path = made(tmp_path, kind).rename(tmp_path / name)
    volume = read_volume(path, modality="CT")
    assert np.array_equal(volume.voxels, phantom())
    assert np.allclose(volume.geometry.affine, OBLIQUE, atol=1e-5)


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_missing_data_of_a_header_are_missing(tmp_path, suffix):
    """io7: not damaged."""
    sitk.WriteImage(sitk.GetImageFromArray(phantom().T), str(tmp_path / f"image{suffix}"))
    shutil.copy(tmp_path / f"image{suffix}", tmp_path / f"alone{suffix}")
    for path in tmp_path.glob("image.*"):
        path.unlink()
    with pytest.raises(InputNotFoundError, match="missing"):
        read_volume(tmp_path / f"alone{suffix}", modality="CT")


@pytest.mark.parametrize("pair", [nib.Nifti1Pair, nib.Nifti2Pair])
@pytest.mark.parametrize("end", ["hdr", "img"])
@pytest.mark.parametrize("packed", [False, True])
def test_nifti_in_two_files(tmp_path, pair, end, packed):
    image = pair(phantom(), OBLIQUE)
    image.set_sform(OBLIQUE, 1)
    nib.save(image, tmp_path / "scan.img")
    if packed:
        for path in list(tmp_path.iterdir()):
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    given = tmp_path / (f"scan.{end}.gz" if packed else f"scan.{end}")
    volume = read_volume(given, modality="CT")
    assert np.array_equal(volume.voxels, phantom())
    assert np.allclose(volume.geometry.affine, OBLIQUE, atol=1e-5)
    assert volume.warnings == ()
    next(path for path in tmp_path.iterdir() if path != given).unlink()
    with pytest.raises(InputNotFoundError, match="missing"):
        read_volume(given, modality="CT")


def test_analyze(tmp_path):
    """It has no orientation: that is said."""
    image = nib.AnalyzeImage(phantom(), np.diag([-2.0, 2, 3, 1]))
    nib.save(image, tmp_path / "scan.img")
    volume = read_volume(tmp_path / "scan.hdr", modality="MR")
    assert np.array_equal(volume.voxels, phantom())
    assert volume.geometry.spacing == (2, 2, 3)
    assert "left and right" in volume.warnings[0]


NRRD_OF_SLICES = """NRRD0004
type: short
dimension: 3
space: left-posterior-superior
sizes: 9 8 7
space directions: (1,0,0) (0,1,0) (0,0,1)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (0,0,0)
data file: """
META_OF_SLICES = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 0 0 0
ElementSpacing = 1 1 1
DimSize = 9 8 7
ElementType = MET_SHORT
ElementDataFile = """
LISTED = "\n".join(f"s{k:03d}.raw" for k in range(7)) + "\n"


@pytest.mark.parametrize("header", [NRRD_OF_SLICES, META_OF_SLICES])
@pytest.mark.parametrize("files", [f"LIST\n{LISTED}", "s%03d.raw 0 6 1\n"])
def test_slices_in_files_of_their_own(tmp_path, header, files):
    """io7: found by their list or their pattern, and missed if one is missing."""
    for k in range(7):
        (tmp_path / f"s{k:03d}.raw").write_bytes(phantom()[:, :, k].tobytes(order="F"))
    path = tmp_path / ("a.nhdr" if header is NRRD_OF_SLICES else "a.mhd")
    path.write_text(header + files)
    volume = read_volume(path, modality="CT")
    assert np.array_equal(volume.voxels, phantom())
    assert volume.warnings == ()
    (tmp_path / "s003.raw").unlink()
    with pytest.raises(InputNotFoundError, match="missing"):
        read_volume(path, modality="CT")


def test_a_link_that_leads_nowhere_says_so(tmp_path):
    """io1: DataLad links files that it has not fetched."""
    (tmp_path / "a.nii.gz").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputNotFoundError, match="leads nowhere"):
        read_volume(tmp_path / "a.nii.gz")
