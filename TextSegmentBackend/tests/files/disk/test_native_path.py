"""Names that native libraries cannot take."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from made_dicom import write_series
from made_scans import OBLIQUE, phantom
from pydicom.uid import JPEGLSLossless

from textsegment.errors import InputUnreadableError
from textsegment.files.disk import native_path
from textsegment.files.disk.native_path import path_to_read, path_to_write
from textsegment.files.images.itk_image import read_itk_image, write_itk_image
from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_volume

NAMES = [
    pytest.param(os.fsdecode("Müller".encode("latin-1")), id="Latin-1"),
    pytest.param(os.fsdecode(b"\xff\xfe"), id="no text"),
    pytest.param(os.fsdecode("影像".encode("shift_jis", "replace")), id="Shift-JIS"),
    "Müller",
    "左肺 🫁",
]


def folder_named(parent: Path, name: str) -> Path:
    folder = parent / name
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii", ".nii.gz"])
def test_file_and_folder_of_any_name(tmp_path, name, suffix):
    """io2: a name that is not UTF-8 ended the whole process."""
    path = folder_named(tmp_path, name) / f"{name}{suffix}"
    write = write_nifti if suffix.startswith(".nii") else write_itk_image
    write(path, phantom(), OBLIQUE, *(("",) if suffix.startswith(".nii") else ()))
    volume = read_volume(path, modality="CT")
    assert np.array_equal(volume.voxels, phantom())
    assert np.allclose(volume.geometry.affine, OBLIQUE, rtol=0, atol=1e-5)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compressed", [False, True])
def test_dicom_folder_of_any_name(tmp_path, name, compressed):
    """io2: the same, where the pixels are decoded."""
    stored = np.kron(phantom() + 200, np.ones((8, 8, 1))).astype(np.uint16)
    change = (lambda dataset, k: dataset.compress(JPEGLSLossless)) if compressed else None
    folder = folder_named(tmp_path, name)
    for path in write_series(folder, stored, OBLIQUE, change=change):
        path.rename(path.with_name(f"{name}{path.name}"))
    assert np.array_equal(read_volume(folder).voxels, stored.astype(int) - 1024)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
@pytest.mark.parametrize("links", [True, False])
def test_detached_header_of_any_name(tmp_path, monkeypatch, name, suffix, links):
    """io2: header and data, also where links may not be made."""
    if not links:
        monkeypatch.setattr(Path, "symlink_to", lambda *_: (_ for _ in ()).throw(OSError(1)))
    folder = folder_named(tmp_path, name)
    sitk.WriteImage(sitk.GetImageFromArray(phantom().T), str(tmp_path / f"image{suffix}"))
    for path in tmp_path.glob("image.*"):
        path.rename(folder / path.name)
    assert np.array_equal(read_itk_image(folder / f"image{suffix}").voxels, phantom())


def test_nothing_is_left_behind_and_plain_paths_are_used_as_they_are(tmp_path):
    plain, odd = tmp_path / "a.mha", tmp_path / "ä.mha"
    for path in (plain, odd):
        path.write_bytes(b"content")
    with path_to_read(plain) as given:
        assert given == str(plain)
    with path_to_read(odd) as given:
        assert given.isascii()
        assert Path(given).read_bytes() == b"content"
    assert not Path(given).parent.exists()
    assert odd.read_bytes() == b"content"
    with path_to_write(odd) as given:
        Path(given).write_bytes(b"other")
    assert odd.read_bytes() == b"other"
    assert not Path(given).parent.exists()


def test_home_of_the_user_has_such_a_name_too(tmp_path, monkeypatch):
    """io2: as of most Windows users with an umlaut, whose temporary folder lies in their home."""
    odd = tmp_path / "ä.mha"
    odd.write_bytes(b"content")
    monkeypatch.setattr(native_path.tempfile, "gettempdir", lambda: str(tmp_path / "Jürgen"))
    with path_to_read(odd) as given:
        assert given.isascii()
    monkeypatch.setattr(native_path, "_ELSEWHERE", ())
    with pytest.raises(InputUnreadableError, match="letters"), path_to_read(odd):
        pass


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_batch_survives_such_names(tmp_path, name):
    """io2: SIGABRT, the whole batch dead, ``.unfinished`` left behind."""
    folder = folder_named(tmp_path, name)
    write_itk_image(folder / "first.nrrd", phantom((40, 36, 20)), OBLIQUE)
    write_itk_image(folder / f"{name}.mha", phantom((40, 36, 20)), OBLIQUE)
    done = subprocess.run(
        [
            sys.executable, "-c", "from textsegment.cli.main import main; main()", "segment", folder, "liver",
            "-o", folder / "out", "--modality", "CT", "--json", folder / "all.json",
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"2 of 2 images are done" in done.stdout
    folders = sorted(path for path in (folder / "out").iterdir())
    assert len(folders) == 2
    assert all((path / "liver.nii.gz").is_file() for path in folders)


def test_only_modules_that_ask_for_plain_paths_use_the_native_library():
    """io2: no path of a user reaches it unchecked; whoever uses it elsewhere has to ask as well."""
    sources = Path(native_path.__file__).parents[2]
    users = {path.name: path.read_text() for path in sources.rglob("*.py")}
    users = {name: text for name, text in users.items() if "import SimpleITK" in text}
    assert set(users) == {"itk_image.py", "pixels.py"}
    for text in users.values():
        assert "native_path import" in text
        for given in re.findall(r"SetFileName\((.*)\)\n|WriteImage\(\w+, (\w+)", text):
            assert "".join(given) in ("plain_path", "str(path)")
    assert 'path = folder / "pixels.dcm"' in users["pixels.py"], "in a plain folder of our own"
