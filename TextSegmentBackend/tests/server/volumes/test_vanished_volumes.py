"""Files of stored volumes that vanish or change while the server runs; sv4 in all of them.

What cleans temporary folders takes files that look forgotten. A client has the volume and can bring it again,
if it is told so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from server_process import ServerProcess, frames, raw_request, read_answer, report, wait_until
from wire_samples import made_volume

from textsegment.client.remote import RemoteSegmenter
from textsegment.prompt import Prompt
from textsegment.server.volumes.private_folder import LOCK, MARKER, PrivateFolder
from textsegment.testing import phantom
from textsegment.wire.contract import NEXT_CHUNK_HEADER, VOLUME_TYPE, volume_path
from textsegment.wire.frames import Done, Failed
from textsegment.wire.volumes.codec import encode_volume
from textsegment.wire.volumes.header import Encoding

CHUNKS = 9


def several_chunks(seed: int):
    return made_volume((CHUNKS, 128, 1024), "<i2", seed)


def file_of(server: ServerProcess, volume) -> Path:
    """The file with the voxels of a volume, or with the first half of them."""
    data = volume.voxels.tobytes()
    found = [p for p in server.store.rglob("*") if p.is_file() and not p.name.startswith(".")]
    (path,) = (path for path in found if data.startswith(path.read_bytes()[: len(data) // 3]))
    return path


def overwrite(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1000)


LOSSES: dict[str, Callable[[Path], object]] = {
    "file removed": Path.unlink,
    "file cut": cut,
    "file overwritten": overwrite,
    "folder removed": lambda path: shutil.rmtree(path.parent),
    "folder moved": lambda path: path.parent.rename(path.parent.with_name("taken-away")),
    "folder of all removed": lambda path: shutil.rmtree(path.parent.parent),
    "lock and file removed": lambda path: [(path.parent / LOCK).unlink(), path.unlink()],
    "marker and file removed": lambda path: [(path.parent / MARKER).unlink(), path.unlink()],
}


@pytest.mark.parametrize("loss", LOSSES)
def test_volume_that_is_lost_can_be_brought_again(server, loss):
    """sv4: one vanished file was ``internal`` for ever."""
    volume = several_chunks(list(LOSSES).index(loss))
    assert server.put(volume).status_code == 201
    LOSSES[loss](file_of(server, volume))
    answer = server.post(volume.digest, ["liver"])
    assert (answer.status_code, report(answer).code) == (404, "volume_unknown")
    asked = server.head(volume)
    assert (asked.status_code, asked.headers[NEXT_CHUNK_HEADER]) == (404, "0")
    assert server.put(volume).status_code == 201
    *_, last = frames(server.post(volume.digest, ["liver"]), volume)
    assert isinstance(last, Done)


def test_client_brings_a_lost_volume_again_by_itself(server):
    volume = phantom()
    shape = volume.geometry.spatial_shape
    with RemoteSegmenter(server.url) as segmenter:
        before = segmenter.segment(volume, [Prompt("liver")])
        for path in server.store.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                path.unlink()
        after = segmenter.segment(volume, [Prompt("liver")])
    assert np.array_equal(after.masks[0].full(shape), before.masks[0].full(shape))


def test_volume_that_is_lost_while_its_job_waits_is_unknown():
    with ServerProcess(arguments=[{"seconds": 600}]) as server:
        first, second = several_chunks(20), several_chunks(21)
        server.put(first)
        server.put(second)
        running = server.post(first.digest, ["liver"])
        events = frames(running, first)
        next(events)
        waiting = frames(server.post(second.digest, ["liver"]), second)
        next(waiting)
        file_of(server, second).unlink()
        running.close()
        *_, last = waiting
        assert isinstance(last, Failed)
        assert last.report.code == "volume_unknown"


def head_of(volume) -> bytes:
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "1",
        "Content-Type": VOLUME_TYPE,
        "Content-Length": str(sum(map(len, encode_volume(volume)))),
    }
    return raw_request("PUT", volume_path(volume.digest), fields)


def are_there(server, volume, chunks: int) -> bool:
    try:
        return file_of(server, volume).stat().st_size >= volume.voxels.nbytes * chunks // CHUNKS
    except ValueError:
        return False


@pytest.mark.parametrize("loss", ["file removed", "file cut", "file overwritten", "folder removed"])
def test_broken_upload_whose_file_is_lost_begins_anew(server, loss):
    volume = several_chunks(30 + list(LOSSES).index(loss))
    with server.connect() as connection:
        connection.sendall(head_of(volume) + b"".join(list(encode_volume(volume))[:5]))
        wait_until(lambda: are_there(server, volume, 4), "four chunks are there")
    assert server.head(volume).headers[NEXT_CHUNK_HEADER] == "4"
    LOSSES[loss](file_of(server, volume))
    answer = server.session().put(
        server.url + volume_path(volume.digest),
        data=encode_volume(volume, Encoding.RAW, first_chunk=4),
        headers={"Content-Type": VOLUME_TYPE},
    )
    assert (answer.status_code, answer.headers[NEXT_CHUNK_HEADER]) == (409, "0")
    assert server.put(volume).status_code == 201


@pytest.mark.parametrize("loss", ["file removed", "file cut", "file overwritten", "folder removed"])
def test_upload_whose_file_is_lost_on_its_way_begins_anew(server, loss):
    volume = several_chunks(40 + list(LOSSES).index(loss))
    pieces = list(encode_volume(volume))
    with server.connect() as connection:
        connection.sendall(head_of(volume) + b"".join(pieces[:5]))
        wait_until(lambda: are_there(server, volume, 4), "four chunks are there")
        LOSSES[loss](file_of(server, volume))
        connection.sendall(b"".join(pieces[5:]))
        status, body = read_answer(connection)
    assert (status, b"upload_out_of_step" in body) == (409, True)
    assert server.head(volume).headers[NEXT_CHUNK_HEADER] == "0"
    assert server.put(volume).status_code == 201


def test_nothing_of_the_lost_folder_stays_at_the_end(tmp_path):
    """The voxels go even if the marker and the lock of their folder went first."""
    with ServerProcess(store_folder=str(tmp_path)) as server:
        server.store = tmp_path
        old, new = several_chunks(50), several_chunks(51)
        server.put(old)
        (file_of(server, old).parent / MARKER).unlink()
        server.put(new)
        assert file_of(server, old).parent != file_of(server, new).parent
        assert server.head(old).status_code == 200
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] in ([], [LOCK])


def test_folder_in_use_looks_used(tmp_path):
    """What goes by age leaves the marker and the lock of a living server alone."""
    folder = PrivateFolder(tmp_path)
    for path in (folder.path, folder.path / MARKER, folder.path / LOCK):
        os.utime(path, (1, 1))
    folder.keep()
    for path in (folder.path, folder.path / MARKER, folder.path / LOCK):
        assert path.stat().st_mtime > 1e9
    folder.remove()
