import os
from pathlib import Path

import pytest

from textsegment.errors import DiskFullError, OutputError
from textsegment.files.disk.atomic import atomic_output, make_folder


def write_and_raise(target, error):
    with atomic_output(target) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "out.nii.gz"
    with atomic_output(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["out.nii.gz"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "out.txt"
    target.write_bytes(b"precious")
    with pytest.raises(KeyboardInterrupt):
        write_and_raise(target, KeyboardInterrupt())
    assert target.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk_is_said_so(tmp_path):
    target = tmp_path / "out.txt"
    # The kernel's own answer of a full disk.
    with pytest.raises(OSError) as of_kernel:
        Path("/dev/full").write_bytes(b"more")
    with pytest.raises(DiskFullError) as caught:
        write_and_raise(target, of_kernel.value)
    assert caught.value.code == "disk_full"
    assert not list(tmp_path.iterdir())


def test_missing_folder(tmp_path):
    with pytest.raises(OutputError, match="does not exist"), atomic_output(tmp_path / "no" / "out.txt"):
        pytest.fail("the block must not run")


def test_folder_device_and_no_permission_are_refused(tmp_path):
    with pytest.raises(OutputError, match="folder"), atomic_output(tmp_path):
        pytest.fail("the block must not run")
    if Path("/dev/null").exists():
        with pytest.raises(OutputError, match="device"), atomic_output("/dev/null"):
            pytest.fail("the block must not run")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    kept = tmp_path / "kept.txt"
    kept.write_bytes(b"precious")
    kept.chmod(0o444)
    with pytest.raises(OutputError, match="may not be changed"), atomic_output(kept):
        pytest.fail("the block must not run")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="may not be written"), atomic_output(tmp_path / "new.txt"):
            pytest.fail("the block must not run")
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_mode_and_link_are_kept(tmp_path):
    real = tmp_path / "real.txt"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(real)
    with atomic_output(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual.txt").write_bytes(b"")
    with atomic_output(tmp_path / "out.txt") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "out.txt").stat().st_mode == (tmp_path / "usual.txt").stat().st_mode


def test_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / "out").write_bytes(b"precious")
    with pytest.raises(OutputError):
        make_folder(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"precious"
