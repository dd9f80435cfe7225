"""FreeSurfer's files, zip files, and one volume of several."""

import gzip
import os
import shutil
import zipfile

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from made_dicom import write_series
from made_scans import MIRRORED, OBLIQUE, phantom

from textsegment.errors import InputError, InputUnreadableError, LimitExceededError, VolumeInvalidError
from textsegment.files import archive
from textsegment.files.images.itk_image import write_itk_image
from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_scan, read_volume

FRAMES = np.stack([phantom() + 1000 * frame for frame in range(3)], axis=-1)


@pytest.mark.parametrize("matrix", [OBLIQUE, MIRRORED])
@pytest.mark.parametrize("suffix", [".mgz", ".mgh"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_freesurfer(tmp_path, matrix, suffix, dtype):
    voxels = (phantom() % 251).astype(dtype)
    nib.save(nib.MGHImage(voxels, matrix), tmp_path / f"scan{suffix}")
    volume = read_volume(tmp_path / f"scan{suffix}", modality="MR")
    assert np.array_equal(volume.voxels, voxels)
    assert np.allclose(volume.geometry.affine, matrix, atol=1e-4)
    assert volume.voxels.dtype == dtype
    assert volume.warnings == ()


def test_freesurfer_without_orientation_and_damaged(tmp_path):
    image = nib.MGHImage(phantom(), OBLIQUE)
    image.header["goodRASFlag"] = 0
    nib.save(image, tmp_path / "scan.mgh")
    content = bytearray((tmp_path / "scan.mgh").read_bytes())
    content[28:30] = b"\0\0"
    (tmp_path / "scan.mgh").write_bytes(content)
    assert read_volume(tmp_path / "scan.mgh", modality="MR").warnings[0].code == "orientation_coronal"
    for damaged in (content[:200], content[:-400], b"garbage" * 99):
        (tmp_path / "scan.mgh").write_bytes(damaged)
        with pytest.raises(InputUnreadableError):
            read_volume(tmp_path / "scan.mgh")


def write_frames(path):
    if path.suffix == ".mgz":
        nib.save(nib.MGHImage(FRAMES.astype(np.int32), OBLIQUE), path)
    elif path.name.endswith((".nii", ".nii.gz")):
        nib.save(nib.Nifti1Image(FRAMES, OBLIQUE), path)
    else:
        image = sitk.GetImageFromArray(FRAMES.T, isVector=False)
        affine_lps = np.diag([-1.0, -1, 1, 1]) @ OBLIQUE
        spacing = np.linalg.norm(affine_lps[:3, :3], axis=0)
        direction = np.eye(4)
        direction[:3, :3] = affine_lps[:3, :3] / spacing
        image.SetSpacing([*spacing, 1.0])
        image.SetDirection(direction.ravel().tolist())
        image.SetOrigin([*affine_lps[:3, 3], 0.0])
        sitk.WriteImage(image, str(path))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mha", "a.mgz"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_one_volume_of_several(tmp_path, name, number):
    write_frames(tmp_path / name)
    volume = read_scan(tmp_path / name, modality="MR", volume_number=number).volume
    assert np.array_equal(volume.voxels, FRAMES[..., number - 1])
    assert np.allclose(volume.geometry.affine, OBLIQUE, atol=1e-4)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha", "a.mgz"])
def test_which_volume_has_to_be_said(tmp_path, name):
    write_frames(tmp_path / name)
    with pytest.raises(VolumeInvalidError, match="--volume and a number from 1 to 3"):
        read_volume(tmp_path / name)
    for number in (0, 4, -1):
        with pytest.raises(InputError, match="from 1 to 3"):
            read_scan(tmp_path / name, volume_number=number)


def test_a_sequence_of_slicer(tmp_path):
    """NRRD with a list of values a voxel."""
    path = tmp_path / "sequence.seq.nrrd"
    header = (
        "NRRD0005\ntype: short\ndimension: 4\nspace: left-posterior-superior\nsizes: 3 4 3 2\n"
        "space directions: none (1,0,0) (0,2,0) (0,0,3)\nkinds: list domain domain domain\nendian: little\n"
        "encoding: raw\nspace origin: (5,6,7)\n\n"
    )
    values = np.arange(72, dtype="<i2")
    path.write_bytes(header.encode() + values.tobytes())
    expected = values.reshape((3, 4, 3, 2), order="F")
    for number in (1, 2, 3):
        volume = read_scan(path, modality="CT", volume_number=number).volume
        assert np.array_equal(volume.voxels, expected[number - 1])
        assert volume.geometry.spacing == (1, 2, 3)
    with pytest.raises(VolumeInvalidError, match="--volume"):
        read_volume(path)


def test_a_volume_of_a_single_one(tmp_path):
    for name, write in (("a.nii.gz", lambda path: write_nifti(path, phantom(), OBLIQUE, "")),
                        ("a.nrrd", lambda path: write_itk_image(path, phantom(), OBLIQUE))):  # fmt: skip
        write(tmp_path / name)
        assert np.array_equal(
            read_scan(tmp_path / name, modality="CT", volume_number=1).volume.voxels, phantom()
        )
        with pytest.raises(InputError, match="leave --volume out"):
            read_scan(tmp_path / name, volume_number=2)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.rglob("*")):
            packed.write(file, file.relative_to(folder.parent))
    return path


@pytest.fixture
def no_leftovers(tmp_path, monkeypatch):
    """The place for temporary files, which is empty at the end."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("no_leftovers")
def test_zip_of_a_dicom_series_and_of_files(tmp_path):
    stored = (phantom() + 200).astype(np.uint16)
    write_series(tmp_path / "series", stored, OBLIQUE, intercept=-200)
    write_nifti(tmp_path / "one.nii.gz", phantom(), OBLIQUE, "")
    (tmp_path / "nifti").mkdir()
    shutil.move(tmp_path / "one.nii.gz", tmp_path / "nifti")
    (tmp_path / "meta").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(phantom().T), str(tmp_path / "meta" / "a.mhd"))
    for name in ("series", "nifti", "meta"):
        scan = read_scan(zipped(tmp_path / name, tmp_path / f"{name}.zip"), modality="CT")
        assert np.array_equal(scan.volume.voxels, phantom())
        assert (scan.source is not None) == (name == "series")
    renamed = (tmp_path / "series.zip").rename(tmp_path / "series.dat")
    assert read_volume(renamed).modality == "CT"


@pytest.mark.usefixtures("no_leftovers")
def test_zip_of_several_or_no_images(tmp_path):
    (tmp_path / "two").mkdir()
    for name in ("a.nii", "b.nii"):
        write_nifti(tmp_path / "two" / name, phantom(), OBLIQUE, "")
    with pytest.raises(InputError, match="several images: 2"):
        read_volume(zipped(tmp_path / "two", tmp_path / "two.zip"))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "text.txt").write_text("no image")
    with pytest.raises(InputUnreadableError):
        read_volume(zipped(tmp_path / "none", tmp_path / "none.zip"))


@pytest.mark.usefixtures("no_leftovers")
def test_zip_is_bounded_by_what_comes_out_not_by_what_it_announces(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.nii", bytes(8 << 20))
    with pytest.raises(LimitExceededError):
        read_volume(tmp_path / "bomb.zip")
    content = (tmp_path / "bomb.zip").read_bytes()
    small = (1000).to_bytes(4, "little")
    (tmp_path / "liar.zip").write_bytes(content.replace((8 << 20).to_bytes(4, "little"), small))
    with pytest.raises((LimitExceededError, InputUnreadableError)):
        read_volume(tmp_path / "liar.zip")
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as packed:
        for number in range(4):
            packed.writestr(f"{number}.txt", b"")
    with pytest.raises(LimitExceededError):
        read_volume(tmp_path / "many.zip")


@pytest.mark.usefixtures("no_leftovers")
def test_names_in_a_zip_lead_nowhere(tmp_path):
    write_nifti(tmp_path / "good.nii.gz", phantom(), OBLIQUE, "")
    good = (tmp_path / "good.nii.gz").read_bytes()
    for number, name in enumerate(
        ("../../evil.nii.gz", "/tmp/evil.nii.gz", "..\\evil.nii.gz", "C:\\evil.nii.gz")
    ):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(zipfile.ZipInfo(name), good)
            link = zipfile.ZipInfo("link.nrrd")  # unpacked it is a file that holds a path
            link.external_attr = 0o120777 << 16
            packed.writestr(link, "/etc/passwd")
            packed.writestr("__MACOSX/._evil.nii.gz", b"\x00\x05\x16\x07")
            packed.writestr("..", b"")
        with pytest.raises(InputError):  # the link is no image
            read_volume(path)
    assert not list(tmp_path.rglob("*evil*"))
    assert not os.path.lexists("/tmp/evil.nii.gz")


@pytest.mark.usefixtures("no_leftovers")
def test_damaged_and_encrypted_zip(tmp_path):
    write_nifti(tmp_path / "a.nii", phantom(), OBLIQUE, "")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(tmp_path / "a.nii", "a.nii")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    encrypted = bytearray(content)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(magic) + offset] |= 1
    for broken in (content[: len(content) // 2], content[:60] + b"\xff" * 40 + content[100:], encrypted):
        (tmp_path / "b.zip").write_bytes(broken)
        with pytest.raises(InputUnreadableError):
            read_volume(tmp_path / "b.zip")


def test_gzip_of_any_format(tmp_path):
    nib.save(nib.MGHImage(phantom().astype(np.int32), OBLIQUE), tmp_path / "a.mgh")
    (tmp_path / "b.mgh").write_bytes(gzip.compress((tmp_path / "a.mgh").read_bytes()))
    assert np.array_equal(read_volume(tmp_path / "b.mgh", modality="MR").voxels, phantom())
