"""Requests that must be refused (docs/faults.md), while the server's memory stays flat."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zlib

import numpy as np
import pytest
from server_process import ServerProcess, frames, raw_request, read_answer, report, wait_until
from wire_samples import OBLIQUE, deflate_bomb, made_volume, smooth_volume

from textsegment.geometry import Geometry
from textsegment.testing import phantom
from textsegment.volume import Volume
from textsegment.wire.contract import INFO_ROUTE, JSON_TYPE, SEGMENT_ROUTE, VOLUME_TYPE, volume_path
from textsegment.wire.volumes.codec import CHUNK_HEAD, encode_volume, wire_volume
from textsegment.wire.volumes.header import CHUNK_BYTES, HEADER_BYTES

MEBIBYTE = 2**20
DIGEST = "0" * 64
LIMITS = {"max_volume_bytes": 64 * MEBIBYTE, "max_prompts": 20, "max_prompt_characters": 50}


@pytest.fixture(scope="module")
def server():
    with ServerProcess(limits=LIMITS, store_bytes=256 * MEBIBYTE) as process:
        volume = wire_volume(phantom())
        process.put(volume)
        list(frames(process.post(volume.digest, ["liver"]), volume))  # everything is loaded
        yield process


@pytest.fixture
def flat_memory(server):
    """Fail if the server ever takes more than 50 MB while the test runs."""
    before = server.rss()
    server.forget_peak()
    yield
    assert server.peak_rss() - before <= 50 * MEBIBYTE


def header(
    magic=b"TSV1", encoding=1, dtype=3, modality=b"CT", shape=(64, 64, 64), first=0, affine=OBLIQUE
) -> bytes:
    """A header with a valid checksum whatever its fields say."""
    numbers = np.asarray(affine, dtype="<f8").tobytes()
    body = struct.pack("<4sBB2s3II", magic, encoding, dtype, modality, *shape, first) + numbers
    return body + struct.pack("<I", zlib.crc32(body))


def chunk(payload: bytes) -> bytes:
    return CHUNK_HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def put(server, body, digest=DIGEST):
    return server.session().put(
        server.url + volume_path(digest), data=body, headers={"Content-Type": VOLUME_TYPE}, timeout=120
    )


def refused(server, body, digest=DIGEST) -> tuple[int, str]:
    answer = put(server, body, digest)
    return answer.status_code, report(answer).code


TOO_LARGE = (413, "limit_exceeded")


def head_only(server, length: int) -> tuple[int, bytes]:
    """Send the head of an upload and not a byte of its body."""
    fields = {
        "Host": f"127.0.0.1:{server.port}",
        "TextSegment-Protocol": "1",
        "Content-Type": VOLUME_TYPE,
        "Content-Length": str(length),
    }
    with server.connect() as connection:
        connection.sendall(raw_request("PUT", volume_path(DIGEST), fields))
        return read_answer(connection)


@pytest.mark.usefixtures("flat_memory")
def test_oversized_content_length(server):
    """Fault 1."""
    for length in (66 * MEBIBYTE, 2**40, 10**17):
        status, body = head_only(server, length)
        assert (status, json.loads(body)["code"]) == TOO_LARGE
    assert head_only(server, 10**400)[0] == 400
    answer = server.post_raw(b" " * (2 * MEBIBYTE))
    assert (answer.status_code, report(answer).code) == TOO_LARGE


@pytest.mark.usefixtures("flat_memory")
def test_oversized_chunked_body(server):
    """Fault 2."""

    def endless():
        yield header(encoding=0, shape=(256, 256, 256))
        piece = chunk(bytes(CHUNK_BYTES))
        for _ in range(1000):
            yield piece

    assert refused(server, endless()) == TOO_LARGE
    answer = server.post_raw(b" " * MEBIBYTE for _ in range(200))
    assert (answer.status_code, report(answer).code) == TOO_LARGE


@pytest.mark.usefixtures("flat_memory")
def test_deflate_bomb(server):
    """Fault 3."""
    few_hundred_bytes = zlib.compress(zlib.compress(bytes(2**27), 9), 9)
    assert len(few_hundred_bytes) < 1000
    assert refused(server, header() + chunk(few_hundred_bytes)) == (422, "request_invalid")
    assert refused(server, header() + chunk(deflate_bomb(CHUNK_BYTES))) == TOO_LARGE


@pytest.mark.usefixtures("flat_memory")
def test_chunk_beyond_the_declared_shape(server):
    """Fault 4."""
    tiny = header(encoding=0, shape=(2, 2, 2))
    assert refused(server, tiny + CHUNK_HEAD.pack(2**32 - 1, 0) + bytes(100)) == TOO_LARGE
    assert refused(server, tiny + chunk(bytes(17))) == TOO_LARGE
    assert refused(server, tiny + chunk(bytes(16)) + b"more") == TOO_LARGE


@pytest.mark.usefixtures("flat_memory")
@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (1, 1, 2**32 - 1), (512, 512, 129)])
def test_declared_size_over_the_cap(server, shape):
    """Fault 5."""
    assert refused(server, header(shape=shape)) == TOO_LARGE


@pytest.mark.usefixtures("flat_memory")
def test_too_many_or_too_long_prompts(server):
    """Faults 6 and 7."""
    for prompts in (["liver"] * 21, [f"p{n}" for n in range(50_000)], ["x" * 51], ["x" * 900_000]):
        answer = server.post_raw(json.dumps({"volume": DIGEST, "prompts": prompts}).encode())
        assert (answer.status_code, report(answer).code) == TOO_LARGE


def good_upload() -> bytes:
    return b"".join(encode_volume(made_volume()))


def test_empty_body(server):
    """Fault 8."""
    assert refused(server, b"") == (422, "request_invalid")
    assert refused(server, iter(())) == (422, "request_invalid")
    assert report(server.post_raw(b"")).code == "request_invalid"


@pytest.mark.parametrize("body", [b"\0" * 1000, b"\x1f\x8b" + b"x" * 5000, b"<html></html>" * 50])
def test_garbage(server, body):
    """Fault 9."""
    assert refused(server, body) == (422, "request_invalid")
    assert report(server.post_raw(body)).code == "request_invalid"


def test_truncated(server):
    """Fault 10."""
    body = good_upload()
    for end in (1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 5, len(body) - 1):
        assert refused(server, body[:end]) == (422, "request_invalid")


def test_not_three_positive_dimensions(server):
    """Faults 11 and 12."""
    for shape in ((0, 4, 4), (4, 0, 4), (4, 4, 0)):
        assert refused(server, header(shape=shape)) == (422, "geometry_invalid")


def test_type_that_is_no_grey_value(server):
    """Fault 13."""
    assert refused(server, header(dtype=8)) == (422, "request_invalid")


def bad_volume(voxels) -> tuple[bytes, str]:
    volume = wire_volume(Volume(voxels, Geometry(voxels.shape, OBLIQUE), "CT"))
    return b"".join(encode_volume(volume)), volume.digest


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_nan_or_infinite_voxels(server, value):
    """Fault 14."""
    voxels = np.arange(2 * CHUNK_BYTES // 4, dtype=np.float32).reshape(64, 64, -1)
    voxels[1, 2, 3] = value
    assert refused(server, *bad_volume(voxels)) == (422, "volume_invalid")


def test_constant_volume(server):
    """Fault 15."""
    assert refused(server, *bad_volume(np.full((9, 9, 9), 7, np.int16))) == (422, "volume_invalid")


def test_affine_that_is_no_map(server):
    """Faults 16 and 17."""
    singular = OBLIQUE.copy()
    singular[:3, 0] = singular[:3, 1]
    for affine in (singular, OBLIQUE * 0, OBLIQUE * np.nan, OBLIQUE * [1, 1, 0, 1]):
        assert refused(server, header(affine=affine)) == (422, "geometry_invalid")


@pytest.mark.parametrize(
    "body",
    [
        {"volume": DIGEST},
        {"volume": DIGEST, "prompts": "liver"},
        {"volume": DIGEST, "prompts": [1]},
        {"volume": 5, "prompts": ["liver"]},
        {"volume": "../../etc/passwd", "prompts": ["liver"]},
        {"volume": DIGEST, "prompts": ["liver"], "more": 1},
        {"volume": DIGEST, "prompts": ["liver"], "region": [0, 0, 0, 5, 5]},
        {"volume": DIGEST, "prompts": ["liver"], "region": [0, 0, -1, 5, 5, 5]},
        {"volume": DIGEST, "prompts": ["liver"], "fast": 1},
        {"volume": DIGEST, "prompts": ["liver"], "estimate": "yes"},
        [],
        {},
        None,
    ],
)
def test_wrong_json_types(server, body):
    """Fault 18."""
    answer = server.post_raw(json.dumps(body).encode())
    assert (answer.status_code, report(answer).code) == (422, "request_invalid")


@pytest.mark.parametrize("prompts", [[], [""], ["liver", "  "], ["li\u0000ver"]])
def test_blank_prompts(server, prompts):
    """Fault 19."""
    answer = server.post_raw(json.dumps({"volume": DIGEST, "prompts": prompts}).encode())
    assert (answer.status_code, report(answer).code) == (422, "prompt_invalid")


@pytest.mark.parametrize("modality", [b"XX", b"\0\0", b"ct"])
def test_unknown_modality(server, modality):
    """Fault 20."""
    assert refused(server, header(modality=modality)) == (422, "request_invalid")


def test_checksum_mismatch(server):
    """Fault 21."""
    body = bytearray(good_upload())
    body[-1] ^= 1
    assert refused(server, bytes(body)) == (422, "checksum_mismatch")
    assert refused(server, good_upload(), "1" * 64) == (422, "checksum_mismatch")
    session = server.session()
    assert session.head(server.url + volume_path("1" * 64)).headers["TextSegment-Next-Chunk"] == "0"


def test_pickle_and_object_arrays_are_garbage(server):
    """Fault 41."""
    saved = io.BytesIO()
    np.save(saved, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for body in (pickle.dumps(["liver"] * 100), saved.getvalue() * 3):
        assert refused(server, body) == (422, "request_invalid")


def test_nothing_of_refused_uploads_stays(server):
    test_checksum_mismatch(server)
    files = [path for path in server.store.rglob("*") if path.is_file() and path.suffix != ".lock"]
    known = [path for path in files if path.stat().st_size == wire_volume(phantom()).voxels.nbytes]
    partial = [path for path in files if path not in known]
    # Complete chunks of a broken upload are kept for a while, each under the name of its volume.
    assert sum(path.stat().st_size for path in partial) <= 64 * MEBIBYTE


def test_other_version(server):
    """Fault 61."""
    for version in ("2", "0", "x", "1.0", ""):
        session = server.session()
        session.headers["TextSegment-Protocol"] = version
        answer = server.put(made_volume(), session)
        assert (answer.status_code, report(answer).code) == (426, "version_mismatch")
        assert answer.headers["Upgrade"] == "textsegment/1"
    assert put(server, header(magic=b"TSV2")).status_code == 426
    del session.headers["TextSegment-Protocol"]
    assert session.get(server.url + INFO_ROUTE).status_code == 200


def test_wrong_type_of_body_is_refused_before_it_is_read(server):
    for method, path in (("PUT", volume_path(DIGEST)), ("POST", SEGMENT_ROUTE)):
        fields = {
            "Host": "localhost",
            "TextSegment-Protocol": "1",
            "Content-Type": "text/plain",
            "Content-Length": "1000",
        }
        with server.connect() as connection:
            connection.sendall(raw_request(method, path, fields))
            status, body = read_answer(connection)
        assert (status, json.loads(body)["code"]) == (422, "request_invalid")


def test_content_type_may_have_parameters(server):
    volume = smooth_volume((20, 20, 20))
    server.put(volume)
    session = server.session()
    answer = session.post(
        server.url + SEGMENT_ROUTE,
        data=json.dumps({"volume": volume.digest, "prompts": ["cerebellum"]}),
        headers={"Content-Type": f"{JSON_TYPE}; charset=utf-8"},
    )
    assert answer.status_code == 200


def test_the_server_still_works(server):
    volume = wire_volume(phantom())
    server.put(volume)
    assert list(frames(server.post(volume.digest, ["liver"]), volume))
    wait_until(lambda: server.events("job"), "the job is logged")
