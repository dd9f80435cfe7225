"""Room for volumes: full disks, and keys that want more than their share; sv6 in all of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server_process import ServerProcess, frames, raw_request, read_answer, report, wait_until
from wire_samples import made_volume

from textsegment.wire.contract import NEXT_CHUNK_HEADER, VOLUME_TYPE, volume_path
from textsegment.wire.frames import Done
from textsegment.wire.volumes.codec import encode_volume

GREEDY, MODEST = "greedy-" + "a" * 20, "modest-" + "b" * 20
CHUNKS = 8
SIZE = CHUNKS * 2**18


def several_chunks(seed: int):
    """A volume of eight chunks, two MiB, that does not shrink."""
    return made_volume((CHUNKS, 128, 1024), "<i2", seed)


def upload_head(volume, key: str) -> bytes:
    fields = {
        "Host": "localhost",
        "Authorization": f"Bearer {key}",
        "TextSegment-Protocol": "1",
        "Content-Type": VOLUME_TYPE,
        "Content-Length": str(sum(map(len, encode_volume(volume)))),
    }
    return raw_request("PUT", volume_path(volume.digest), fields)


def stored_bytes(folder: Path) -> int:
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return sum(path.stat().st_size for path in files)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of ten MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("disks can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_drops_idle_volumes_and_goes_on(small_disk):
    """sv6: with idle volumes stored, a full disk refused every further one until they expired."""
    with ServerProcess(store_folder=str(small_disk)) as server:
        volumes = [several_chunks(seed) for seed in range(12)]
        for volume in volumes:
            assert server.put(volume).status_code == 201
        *_, last = frames(server.post(volumes[-1].digest, ["liver"]), volumes[-1])
        assert isinstance(last, Done)
        assert [server.head(volume).status_code for volume in volumes[-3:]] == [200] * 3
        assert server.head(volumes[0]).status_code == 404


def test_disk_that_others_have_filled_is_a_clear_error_and_leaves_nothing(small_disk):
    """sv6, variant: nothing of ours can be removed."""
    with ServerProcess(store_folder=str(small_disk)) as server:
        (small_disk / "of somebody else").write_bytes(os.urandom(9 * 2**20))
        refused = server.put(several_chunks(0))
        assert (refused.status_code, report(refused).code) == (507, "storage_failed")
        assert stored_bytes(small_disk) == 9 * 2**20
        (small_disk / "of somebody else").unlink()
        assert server.put(several_chunks(0)).status_code == 201


def test_volumes_in_use_are_not_dropped_for_a_full_disk(small_disk):
    """sv6, variant: a running job keeps its volume."""
    with ServerProcess(arguments=[{"seconds": 600}], store_folder=str(small_disk)) as server:
        used = several_chunks(0)
        server.put(used)
        events = frames(server.post(used.digest, ["liver"]), used)
        next(events)
        for seed in range(1, 7):
            assert server.put(several_chunks(seed)).status_code == 201
        assert server.head(used).status_code == 200


def test_announced_bytes_refuse_nobody():
    """sv6: eight uploads of one key that had only said how much they would bring refused all other keys."""
    settings = {"store_bytes": 2 * SIZE, "limits": {"max_volume_bytes": SIZE}}
    with ServerProcess(keys=[GREEDY, MODEST], **settings) as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(8)]
        for seed, connection in enumerate(connections):
            volume = several_chunks(seed)
            connection.sendall(upload_head(volume, GREEDY) + b"".join(list(encode_volume(volume))[:2]))
        wait_until(lambda: stored_bytes(server.store) == 8 * 2**18, "a chunk of each is there")
        assert server.put(several_chunks(20), server.session(MODEST)).status_code == 201


def test_who_has_less_than_its_share_gets_the_room_of_who_has_more():
    """sv6, variant: the bytes are there, and all in use by uploads of one key."""
    settings = {"store_bytes": 4 * SIZE, "limits": {"max_volume_bytes": SIZE}}
    with ServerProcess(keys=[GREEDY, MODEST], **settings) as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(4)]
        for seed, connection in enumerate(connections):
            volume = several_chunks(seed)
            connection.sendall(upload_head(volume, GREEDY) + b"".join(encode_volume(volume))[:-1])
        wait_until(lambda: stored_bytes(server.store) >= 4 * (SIZE - 2**18), "nearly all is there")
        modest = server.session(MODEST)
        volumes = [several_chunks(20), several_chunks(21)]
        for volume in volumes:
            assert server.put(volume, modest).status_code == 201
        assert [server.head(volume, modest).status_code for volume in volumes] == [200, 200]
        outcomes = []
        for seed, connection in enumerate(connections):
            connection.sendall(b"".join(encode_volume(several_chunks(seed)))[-1:])
            outcomes.append(read_answer(connection)[0])
        assert set(outcomes) <= {201, 409, 507}
        assert 409 in outcomes
        assert [server.head(volume, modest).status_code for volume in volumes] == [200, 200]
        assert stored_bytes(server.store) <= 4 * SIZE


def test_who_has_more_than_its_share_drops_nothing_of_others():
    """sv6, variant: volumes of a modest key stay, however many a greedy one brings."""
    settings = {"store_bytes": 4 * SIZE, "limits": {"max_volume_bytes": SIZE}}
    with ServerProcess(keys=[GREEDY, MODEST], **settings) as server:
        greedy, modest = server.session(GREEDY), server.session(MODEST)
        kept = several_chunks(50)
        assert server.put(kept, modest).status_code == 201
        for seed in range(8):
            assert server.put(several_chunks(seed), greedy).status_code == 201
        assert server.head(kept, modest).status_code == 200


def test_one_key_alone_has_all_the_room():
    settings = {"store_bytes": 4 * SIZE, "limits": {"max_volume_bytes": SIZE}}
    with ServerProcess(keys=[GREEDY, MODEST], **settings) as server:
        volumes = [several_chunks(seed) for seed in range(4)]
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda volume: server.put(volume).status_code, volumes)) == {201}
        assert [server.head(volume).status_code for volume in volumes] == [200] * 4


def test_places_for_uploads_are_shared():
    """sv6, variant: one key holds all places, and lets its uploads hang."""
    with ServerProcess(keys=[GREEDY, MODEST], max_uploads=4) as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(4)]
        for seed, connection in enumerate(connections):
            connection.sendall(upload_head(several_chunks(seed), GREEDY) + b"TSV1")
        statuses = sorted(read_answer(connection)[0] for connection in connections[2:])
        assert statuses == [429, 429]
        volume = several_chunks(20)
        answer = server.put(volume, server.session(MODEST))
        assert (answer.status_code, answer.headers[NEXT_CHUNK_HEADER]) == (201, str(CHUNKS))
