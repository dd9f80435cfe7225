"""The folder for volumes: what a server removes, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from server_process import ServerProcess
from wire_samples import smooth_volume

from textsegment.server.volumes.private_folder import LOCK, MARKER, PrivateFolder

DIES = """
import os, sys
from pathlib import Path
from textsegment.server.volumes.private_folder import PrivateFolder
folder = PrivateFolder(Path(sys.argv[1]))
folder.new_file().write_bytes(b"voxels")
print(folder.path, flush=True)
os._exit(9)
"""


def leftover(base: Path) -> Path:
    """What a server leaves that dies without a chance to remove its folder."""
    command = [sys.executable, "-c", DIES, str(base)]
    died = subprocess.run(command, capture_output=True, text=True, check=False)
    assert died.returncode == 9, died.stderr
    return Path(died.stdout.strip())


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_folders_of_the_user_are_left_alone(tmp_path):
    """sv1: a store folder with ``volumes-2024`` and ``volumes-annotated``; both were deleted at start."""
    for name in ("volumes-2024", "volumes-annotated", "volumes-" + "0" * 16, "volumes-", "other"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "scan.nii.gz").write_bytes(b"hours of work")
        (tmp_path / name / "deep" / "notes.txt").write_bytes(b"more")
    (tmp_path / "volumes-2024.lock").write_bytes(b"")
    (tmp_path / "volumes-list").write_bytes(b"a file")
    (tmp_path / "volumes-empty").mkdir()
    before = contents(tmp_path)
    with ServerProcess(store_folder=str(tmp_path)) as server:
        assert server.put(smooth_volume((20, 20, 20))).status_code == 201
        assert before.items() <= contents(tmp_path).items()
    assert contents(tmp_path) == before


def made_like_ours(folder: Path, **marker: str) -> Path:
    folder.mkdir(parents=True)
    (folder / LOCK).touch()
    (folder / MARKER).write_text(json.dumps({"made by": "textsegment", "folder": folder.name} | marker))
    (folder / "scan.nii.gz").write_bytes(b"hours of work")
    return folder


@pytest.mark.parametrize(
    "kind", ["copy", "renamed", "other maker", "no lock", "damaged", "huge", "link as marker", "link as lock"]
)
def test_what_only_resembles_a_leftover_is_left_alone(tmp_path, kind):
    """sv1, variants: everything but a folder with a marker of its own and a lock that is free."""
    folder = tmp_path / "base" / ("volumes-" + "a" * 16)
    made_like_ours(folder, **{"made by": "somebody"} if kind == "other maker" else {})
    if kind in ("copy", "renamed"):
        (shutil.copytree if kind == "copy" else shutil.move)(folder, folder.with_name("volumes-" + "b" * 16))
        shutil.rmtree(folder, ignore_errors=True)
    elif kind == "no lock":
        (folder / LOCK).unlink()
    elif kind == "damaged":
        (folder / MARKER).write_bytes(b"\xff{")
    elif kind == "huge":
        (folder / MARKER).write_text((folder / MARKER).read_text() + " " * 5000)
    elif kind.startswith("link"):
        name = MARKER if kind == "link as marker" else LOCK
        (folder / name).rename(tmp_path / "elsewhere")
        (folder / name).symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path)
    PrivateFolder(tmp_path / "base").remove()
    assert contents(tmp_path) == before


def test_links_are_not_followed(tmp_path):
    """sv1, variant: a link in the store folder, or in a leftover, that leads to data of the user."""
    base, data = tmp_path / "base", tmp_path / "data"
    base.mkdir()
    made_like_ours(data / ("volumes-" + "a" * 16))
    (base / ("volumes-" + "a" * 16)).symlink_to(data / ("volumes-" + "a" * 16))
    left = leftover(base)
    (left / "link").symlink_to(data)
    before = contents(data)
    PrivateFolder(base).remove()
    assert not left.exists()
    assert contents(data) == before


def test_leftover_of_a_dead_server_is_removed(tmp_path):
    """sv1: voxels do not stay on the disk because of it."""
    left = leftover(tmp_path)
    assert any(path.read_bytes() == b"voxels" for path in left.iterdir())
    PrivateFolder(tmp_path).remove()
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_living_server_is_left_alone(tmp_path):
    living = PrivateFolder(tmp_path)
    living.new_file().write_bytes(b"voxels")
    before = contents(living.path)
    PrivateFolder(tmp_path).remove()
    assert contents(living.path) == before
    living.remove()
    living.remove()
    assert list(tmp_path.iterdir()) == []


def test_another_folder_in_its_place_is_not_removed(tmp_path):
    """sv1, variant: somebody has replaced the folder while the server ran."""
    folder = PrivateFolder(tmp_path)
    shutil.rmtree(folder.path)
    folder.path.mkdir()
    (folder.path / "scan.nii.gz").write_bytes(b"hours of work")
    folder.remove()
    assert (folder.path / "scan.nii.gz").exists()


def test_second_server_leaves_the_volumes_of_one_whose_lock_has_aged_away(tmp_path):
    """sv4: what cleans temporary folders removes files that nobody has touched for long, the lock as well."""
    volume = smooth_volume((20, 20, 20))
    with ServerProcess(store_folder=str(tmp_path)) as first:
        assert first.put(volume).status_code == 201
        for lock in [*tmp_path.glob("*.lock"), *tmp_path.glob(f"*/{LOCK}")]:
            lock.unlink()
        before = contents(tmp_path)
        with ServerProcess(store_folder=str(tmp_path)):
            pass
        assert contents(tmp_path) == before
        assert first.head(volume).status_code == 200


as_root = pytest.mark.skipif(os.getuid() != 0, reason="gives folders to other users")
SOMEBODY, US = 12345, 10001

# Everything is imported before the rights are given up: Python may lie where others cannot read.
AS_US = """
import os, sys, tempfile
from pathlib import Path
from textsegment.errors import SettingsError
from textsegment.server.volumes.private_folder import PrivateFolder
PrivateFolder(Path(tempfile.mkdtemp()) / "first").remove()
os.setgroups([int(sys.argv[2])]); os.setgid(10001); os.setuid(10001)
try:
    folder = PrivateFolder(Path(sys.argv[1]))
except SettingsError as error:
    sys.exit(f"{error} {error.hint}")
file = folder.new_file()
file.write_bytes(b"voxels")
assert file.parent == folder.path, "the same folder for all"
second = PrivateFolder(Path(sys.argv[1]))
assert file.read_bytes() == b"voxels", "it lives"
second.remove()
folder.remove()
print("used")
"""


def use_as_us(base: Path, group: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_US, str(base), str(group)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.fixture
def place():
    """A folder that others reach; ``tmp_path`` is of this user alone."""
    with tempfile.TemporaryDirectory(prefix="textsegment-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@as_root
@pytest.mark.parametrize(
    ("owner", "group", "mode"),
    [
        (0, SOMEBODY, 0o2777),  # emptyDir with fsGroup
        (0, SOMEBODY, 0o2775),  # a persistent volume with fsGroup
        (SOMEBODY, SOMEBODY, 0o777),  # a folder of the host
        (SOMEBODY, SOMEBODY, 0o2770),  # a share of the department
        (SOMEBODY, SOMEBODY, 0o730),  # one that can be written, not listed
        (US, US, 0o700),
    ],
)
def test_folder_of_another_user_that_can_be_used_is_used(place, owner, group, mode):
    """sv5: the volumes of our own Kubernetes file were refused, as belonging to another user."""
    base = place / "volumes"
    base.mkdir()
    os.chown(base, owner, group)
    base.chmod(mode)
    done = use_as_us(base, SOMEBODY)
    assert (done.returncode, done.stdout.strip()) == (0, "used"), done.stderr
    assert list(base.iterdir()) == []


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o2750])
def test_folder_that_cannot_be_used_is_a_clear_error(place, mode):
    """sv5, variant: what counts is whether a folder can be made in it."""
    base = place / "volumes"
    base.mkdir()
    os.chown(base, 0, SOMEBODY)
    base.chmod(mode)
    done = use_as_us(base, SOMEBODY)
    assert "cannot be made" in done.stderr
    assert "--store-folder" in done.stderr


@as_root
@pytest.mark.parametrize("owner", [0, SOMEBODY])
def test_folder_that_a_stranger_made_among_those_of_all_is_refused(place, owner):
    """sv5, variant: in a folder like /tmp anybody could have laid a trap under the name of ours."""
    place.chmod(0o1777)
    base = place / "textsegment-10001"
    base.mkdir()
    os.chown(base, owner, owner)
    base.chmod(0o777)
    done = use_as_us(base, SOMEBODY)
    if owner == 0:
        assert done.stdout.strip() == "used", done.stderr
    else:
        assert "belongs to another user" in done.stderr


@as_root
def test_server_uses_a_folder_of_another_user(place):
    """sv5, in a whole server."""
    base = place / "volumes"
    base.mkdir()
    os.chown(base, SOMEBODY, SOMEBODY)
    base.chmod(0o2777)
    with ServerProcess(store_folder=str(base)) as server:
        assert server.put(smooth_volume((20, 20, 20))).status_code == 201
        assert len(list(base.iterdir())) == 1
    assert list(base.iterdir()) == []


def test_folder_of_all_can_be_used():
    """sv5, without the rights of root: /var/tmp is of root, and used by everybody."""
    folder = PrivateFolder(Path("/var/tmp"))
    try:
        assert folder.path.stat().st_mode & 0o077 == 0
        folder.new_file().write_bytes(b"voxels")
    finally:
        folder.remove()
    assert not folder.path.exists()
