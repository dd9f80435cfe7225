"""Uploads that break, expire, meet, or find no room."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from server_process import ServerProcess, frames, raw_request, read_answer, report, wait_until
from wire_samples import made_volume, smooth_volume

from textsegment.wire.contract import NEXT_CHUNK_HEADER, VOLUME_TYPE, volume_path
from textsegment.wire.volumes.codec import encode_volume
from textsegment.wire.volumes.header import Encoding

MEBIBYTE = 2**20
CHUNKS = 9


def several_chunks(seed=0):
    """A volume of nine chunks that does not shrink."""
    return made_volume((CHUNKS, 128, 1024), "<i2", seed)


def files(server) -> list:
    return [p for p in server.store.rglob("*") if p.is_file() and not p.name.startswith(".")]


def stored_bytes(server) -> int:
    return sum(path.stat().st_size for path in files(server))


def put_pieces(server, volume, pieces):
    return server.session().put(
        server.url + volume_path(volume.digest),
        data=pieces,
        headers={"Content-Type": VOLUME_TYPE},
        timeout=120,
    )


def break_upload(server, volume, complete_chunks) -> None:
    """Send some chunks and half of another, then close the connection."""
    pieces = list(encode_volume(volume))[: complete_chunks + 2]
    with server.connect() as connection:
        connection.sendall(upload_head(volume) + b"".join(pieces)[: -len(pieces[-1]) // 2])


def upload_head(volume) -> bytes:
    """Everything of an upload that comes before its body."""
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "1",
        "Content-Type": VOLUME_TYPE,
        "Content-Length": str(sum(map(len, encode_volume(volume)))),
    }
    return raw_request("PUT", volume_path(volume.digest), fields)


def next_chunk(server, volume) -> int:
    return int(server.head(volume).headers[NEXT_CHUNK_HEADER])


def test_broken_upload_goes_on_where_it_broke(server):
    """Fault 50."""
    volume = several_chunks()
    break_upload(server, volume, 4)
    wait_until(lambda: next_chunk(server, volume) == 4, "what arrived is kept")
    assert server.head(volume).status_code == 404
    answer = put_pieces(server, volume, encode_volume(volume, Encoding.RAW, first_chunk=4))
    assert (answer.status_code, answer.headers[NEXT_CHUNK_HEADER]) == (201, str(CHUNKS))
    assert list(frames(server.post(volume.digest, ["liver"]), volume))


def test_upload_that_is_still_on_its_way_is_not_waited_for_long(server):
    """Fault 50."""
    volume = several_chunks(11)
    with server.connect() as connection:
        connection.sendall(upload_head(volume) + next(encode_volume(volume)))
        assert next_chunk(server, volume) == 0


def test_upload_may_break_many_times(server):
    """Fault 50."""
    volume = several_chunks(1)
    for first in range(CHUNKS):
        pieces = list(encode_volume(volume, first_chunk=first))[:2]
        answer = put_pieces(server, volume, iter(pieces))
        if first < CHUNKS - 1:
            assert (answer.status_code, report(answer).code) == (422, "request_invalid")
        assert answer.headers[NEXT_CHUNK_HEADER] == str(first + 1)
    assert answer.status_code == 201


def test_upload_at_another_place_is_refused_with_the_right_one(server):
    volume = several_chunks(2)
    break_upload(server, volume, 3)
    wait_until(lambda: next_chunk(server, volume) == 3, "what arrived is kept")
    for first in (2, 4, CHUNKS - 1):
        answer = put_pieces(server, volume, encode_volume(volume, first_chunk=first))
        assert (answer.status_code, report(answer).code) == (409, "upload_out_of_step")
        assert answer.headers[NEXT_CHUNK_HEADER] == "3"


def test_damaged_chunk_is_refused_and_those_before_it_are_kept(server):
    volume = several_chunks(3)
    pieces = list(encode_volume(volume))
    pieces[3] = pieces[3][:-1] + bytes([pieces[3][-1] ^ 1])
    answer = put_pieces(server, volume, iter(pieces))
    assert (answer.status_code, report(answer).code) == (422, "checksum_mismatch")
    assert answer.headers[NEXT_CHUNK_HEADER] == "2"
    assert put_pieces(server, volume, encode_volume(volume, first_chunk=2)).status_code == 201


def test_chunk_0_begins_afresh_with_another_volume(server):
    volume, other = several_chunks(4), several_chunks(5)
    pieces = list(encode_volume(other))[:4]
    assert put_pieces(server, volume, iter(pieces)).headers[NEXT_CHUNK_HEADER] == "3"
    assert put_pieces(server, volume, encode_volume(volume)).status_code == 201


def test_volume_of_another_digest_is_thrown_away(server):
    volume, other = several_chunks(6), several_chunks(7)
    before = stored_bytes(server)
    answer = put_pieces(server, volume, encode_volume(other))
    assert (answer.status_code, report(answer).code) == (422, "checksum_mismatch")
    assert answer.headers[NEXT_CHUNK_HEADER] == "0"
    assert stored_bytes(server) == before


def test_same_volume_may_come_from_many_at_once(server):
    volume = several_chunks(8)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.put(volume).status_code, range(8)))
    assert set(answers) <= {200, 201}
    assert sum(path.stat().st_size == volume.voxels.nbytes for path in files(server)) >= 1
    assert list(frames(server.post(volume.digest, ["liver"]), volume))


def test_stored_voxels_are_those_of_the_volume(server):
    volume = several_chunks(9)
    server.put(volume)
    assert any(path.read_bytes() == volume.voxels.tobytes() for path in files(server))


@pytest.mark.parametrize("dtype", ["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<f4", "<f8"])
def test_every_type_arrives(server, dtype):
    voxels = np.arange(64 * 64 * 80).reshape(64, 64, 80) % 100 // 50
    volume = smooth_volume((64, 64, 80), dtype) if dtype != "|b1" else made_volume(voxels.shape, dtype)
    assert server.put(volume).status_code == 201


def test_expired_volume_is_unknown():
    """Fault 52."""
    with ServerProcess(store_expiry_s=0.3) as server:
        volume, other = several_chunks(), several_chunks(1)
        server.put(volume)
        break_upload(server, other, 2)
        wait_until(
            lambda: [line["method"] for line in server.events("request")] == ["PUT"] * 2, "both uploads"
        )
        wait_until(lambda: files(server) == [], "the server forgets by itself")
        answer = server.post(volume.digest, ["liver"])
        assert (answer.status_code, report(answer).code) == (404, "volume_unknown")
        assert next_chunk(server, other) == 0
        assert server.put(volume).status_code == 201


def test_least_recently_used_volume_makes_room():
    size = several_chunks().voxels.nbytes
    limits = {"max_volume_bytes": 2 * size}
    with ServerProcess(store_bytes=3 * size, limits=limits) as server:
        a, b, c, d = (several_chunks(seed) for seed in range(4))
        for volume in (a, b, c):
            server.put(volume)
        assert server.head(a).status_code == 200  # now b is the oldest
        assert server.put(d).status_code == 201
        assert [server.head(v).status_code for v in (a, b, c, d)] == [200, 404, 200, 200]
        assert stored_bytes(server) <= 3 * size


def test_volume_in_use_is_never_thrown_out():
    size = several_chunks().voxels.nbytes
    arguments = [{"seconds": 30}]
    limits = {"max_volume_bytes": size}
    with ServerProcess(arguments=arguments, store_bytes=size, limits=limits) as server:
        volume, other = several_chunks(), several_chunks(1)
        server.put(volume)
        answer = server.post(volume.digest, ["liver"])
        refused = server.put(other)
        assert (refused.status_code, report(refused).code) == (507, "storage_failed")
        answer.close()
        wait_until(lambda: server.put(other).status_code == 201, "the volume is free")
        assert server.head(volume).status_code == 404


def test_full_disk_leaves_no_partial_file():
    """Fault 57."""
    volume = several_chunks()
    small = smooth_volume((20, 20, 20))
    with ServerProcess(max_file_bytes=volume.voxels.nbytes // 2) as server:
        answer = server.put(volume)
        assert (answer.status_code, report(answer).code) == (507, "storage_failed")
        assert answer.headers[NEXT_CHUNK_HEADER] == "0"
        assert files(server) == []
        assert server.put(small).status_code == 201
        assert list(frames(server.post(small.digest, ["cerebellum"]), small))


def test_store_is_private_and_named_by_the_server_alone(server):
    """Fault 43."""
    volume = several_chunks(10)
    server.put(volume)
    (folder,) = (p for p in server.store.iterdir() if p.is_dir())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files(server))
    assert not any(volume.digest[:8] in str(path) for path in files(server))


def test_too_many_uploads_at_once_are_asked_to_wait():
    with ServerProcess(max_uploads=2) as server:
        volume = several_chunks()
        fields = {
            "Host": "localhost",
            "TextSegment-Protocol": "1",
            "Content-Type": VOLUME_TYPE,
            "Content-Length": "100000",
        }
        connections = [server.connect() for _ in range(2)]
        for connection in connections:
            connection.sendall(raw_request("PUT", volume_path(volume.digest), fields, b"TSV1"))

        def is_busy() -> bool:
            answer: requests.Response = server.put(volume)
            return answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0

        wait_until(is_busy, "uploads are counted")
        for connection in connections:
            connection.close()
        wait_until(lambda: server.put(volume).status_code in (200, 201), "uploads are forgotten")


def test_upload_that_is_refused_early_can_read_why(server):
    """The rest of a body that nobody wants is swallowed, not cut off."""
    volume = several_chunks()
    body = b"".join(encode_volume(volume))
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "2",
        "Content-Type": VOLUME_TYPE,
        "Content-Length": str(len(body)),
    }
    with server.connect() as connection:
        connection.sendall(raw_request("PUT", volume_path(volume.digest), fields, body))
        assert read_answer(connection)[0] == 426
        fields["TextSegment-Protocol"] = "1"  # the connection is still good
        connection.sendall(raw_request("HEAD", volume_path(volume.digest), fields | {"Content-Length": "0"}))
        assert connection.recv(65536).startswith(b"HTTP/1.1 ")
