from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import slicerio
from made_dicom import write_series
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHAPE, SHEARED, phantom

from textsegment.errors import (
    InputNotFoundError,
    InputUnreadableError,
    ModalityError,
    VolumeInvalidError,
)
from textsegment.files.images.itk_image import write_itk_image
from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_volume

CHEST = Path(slicerio.__file__).parent / "data" / "CTChest4.nrrd"


@pytest.mark.parametrize("matrix", [OBLIQUE, MIRRORED, SHEARED])
def test_every_format_gives_the_same_volume(tmp_path, matrix):
    for name in ("a.nii", "a.nii.gz", "A.NII.GZ"):
        write_nifti(tmp_path / name, phantom(), matrix, "test")
    for name in ("a.nrrd", "a.mha"):
        write_itk_image(tmp_path / name, phantom(), matrix)
    for name in ("a.nii", "a.nii.gz", "A.NII.GZ", "a.nrrd", "a.mha"):
        volume = read_volume(str(tmp_path / name), modality="mri")
        assert np.array_equal(volume.voxels, phantom())
        assert np.allclose(volume.geometry.affine, matrix, rtol=0, atol=1e-12)
        assert volume.modality == "MR"
        assert volume.warnings == ()


def test_dicom_folder_and_file(tmp_path):
    paths = write_series(tmp_path, phantom((6, 5, 4), np.uint16) + 300, OBLIQUE, modality="MR", intercept=0)
    odd_name = tmp_path / "IM0001"
    paths[1].rename(odd_name)
    for path in (tmp_path, paths[0], odd_name):
        volume = read_volume(path)
        assert volume.geometry.spatial_shape == (6, 5, 4)
        assert volume.modality == "MR"
        assert volume.warnings == ()
    assert read_volume(tmp_path, modality="CT").modality == "CT"


def test_chest_ct_is_guessed_to_be_ct():
    volume = read_volume(CHEST)
    assert volume.modality == "CT"
    assert "--modality" in volume.warnings[0]
    assert read_volume(CHEST, modality="CT").warnings == ()
    assert volume.require_segmentable()


def test_unknown_modality(tmp_path):
    write_nifti(tmp_path / "a.nii", phantom(), OBLIQUE, "test")
    with pytest.raises(ModalityError):
        read_volume(tmp_path / "a.nii", modality="X-ray")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_nan_infinite_and_constant_voxels_are_read_and_cannot_be_segmented(tmp_path, value):
    voxels = np.zeros(SHAPE, dtype=np.float32)
    voxels[2, 3, 4] = value
    nib.save(nib.Nifti1Image(voxels, OBLIQUE), tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz")
    with pytest.raises(VolumeInvalidError):
        volume.require_segmentable()


def test_sheared_anisotropic_and_tiny_volumes_warn(tmp_path):
    write_nifti(tmp_path / "sheared.nii", phantom(), SHEARED, "test")
    write_nifti(tmp_path / "anisotropic.nii", phantom(), ANISOTROPIC, "test")
    sheared = read_volume(tmp_path / "sheared.nii", modality="CT").require_segmentable()
    anisotropic = read_volume(tmp_path / "anisotropic.nii", modality="CT").require_segmentable()
    assert any("sheared" in warning for warning in sheared)
    assert any("thick" in warning for warning in sheared)
    assert any("anisotropic" in warning for warning in anisotropic)


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(InputNotFoundError):
        read_volume(tmp_path / "nothing.nii.gz")
    for name in ("photo.jpg", "image.xyz", "image.mgz", "noname", "empty.dcm"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff" if name == "photo.jpg" else b"")
        with pytest.raises(InputUnreadableError):
            read_volume(tmp_path / name)
    with pytest.raises(InputUnreadableError, match=r"\.nii\.gz"):
        read_volume(tmp_path / "image.xyz")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.dcm"])
def test_garbage_says_nothing_of_its_content_or_name(tmp_path, name):
    path = tmp_path / f"SECRET-{name}"
    path.write_bytes(b"\0" * 128 + b"DICM" + b"SECRET" * 200)
    with pytest.raises(InputUnreadableError) as caught:
        read_volume(path)
    assert "SECRET" not in str(caught.value)
