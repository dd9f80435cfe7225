"""``POST /v1/contours``: the contours that structure sets have, without anything about the images."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server_process import ServerProcess, report

from textsegment.files.rtstruct.contours import outlines_at
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import StructureMask
from textsegment.testing import ball
from textsegment.wire.contract import CONTOURS_ROUTE, JSON_TYPE, OUTLINE_TYPE

LIMITS = {"max_volume_bytes": 2**20, "max_voxels": 2**15, "max_request_bytes": 2**12}
DOCUMENT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
AFFINE = np.array([[0.9, 0.1, 0.3, -10], [-0.2, 1.1, 0.4, 20], [0.1, 0, 2.5, -30], [0, 0, 0, 1]])
PLANE = {"place": 2, "corner": [0, 0, 0], "i": [1, 0, 0], "j": [0, 1, 0]}


@pytest.fixture(scope="module")
def server():
    with ServerProcess(limits=LIMITS) as process:
        yield process


def body_of(head: Any, bits: bytes, magic: bytes = b"TSO1") -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return magic + struct.pack("<I", len(text)) + text + zlib.compress(bits)


def post(server, body: bytes, media_type: str = OUTLINE_TYPE):
    return server.session().post(server.url + CONTOURS_ROUTE, data=body, headers={"Content-Type": media_type})


def plane_at(place: float) -> dict[str, Any]:
    corner = (AFFINE @ [0, 0, place, 1])[:3]
    return {
        "place": place,
        "corner": corner.tolist(),
        "i": AFFINE[:3, 0].tolist(),
        "j": AFFINE[:3, 1].tolist(),
    }


def test_contours_are_those_of_structure_sets(server):
    """Holes, several parts, slices without any, and a plane between two slices, on a sheared grid."""
    whole = ball("liver", Geometry((24, 20, 12), np.eye(4)))
    inside = np.argwhere(whole)
    middle = inside.mean(0).round().astype(int)
    whole[tuple(middle)] = False
    whole[2:4, 3:6, middle[2]] = True
    box = Box.around(whole)
    mask = StructureMask.measured("liver", whole, Geometry((24, 20, 12), AFFINE))
    places = [*range(12), middle[2] + 0.4]
    head = {"start": box.start, "stop": box.stop, "planes": [plane_at(float(place)) for place in places]}
    answer = post(server, body_of(head, np.packbits(whole[box.slices].reshape(-1)).tobytes()))
    assert answer.status_code == 200
    found = answer.json()["contours"]
    spacing = tuple(np.linalg.norm(AFFINE[:3, :2], axis=0))
    expected = [
        (number, ring) for number, place in enumerate(places) for ring in outlines_at(mask, place, spacing)
    ]
    assert len(expected) > 5
    assert [one["plane"] for one in found] == [number for number, _ in expected]
    for one, (number, ring) in zip(found, expected, strict=True):
        homogeneous = np.column_stack([ring, np.full(len(ring), places[number]), np.ones(len(ring))])
        np.testing.assert_allclose(
            np.reshape(one["points"], (-1, 3)), (homogeneous @ AFFINE.T)[:, :3], atol=1e-4
        )


def test_an_empty_mask_has_no_contours(server):
    head = {"start": [0, 0, 0], "stop": [0, 0, 0], "planes": [PLANE]}
    assert post(server, body_of(head, b"")).json() == {"contours": []}


def test_answers_as_documented(server):
    (shown,) = re.findall(r"^```hex outline\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    lines = [line.partition("#")[0] if line[0] != "'" else line for line in shown.splitlines()]
    body = b"".join(line[1:-1].encode() if line[0] == "'" else bytes.fromhex(line) for line in lines)
    (expected,) = re.findall(r"^```json contours\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert post(server, body).content.decode() == expected.strip()


HEAD = {"start": [0, 0, 2], "stop": [2, 2, 4], "planes": [PLANE]}
BITS = b"\xff"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"TSO", "request_invalid"),
        (body_of(HEAD, BITS, b"TSO2"), "version_mismatch"),
        (body_of(HEAD, BITS, b"TSF1"), "request_invalid"),
        (b"TSO1" + struct.pack("<I", 10**6) + b"{}", "request_invalid"),
        (body_of(b"{", BITS), "request_invalid"),
        (body_of({**HEAD, "more": 1}, BITS), "request_invalid"),
        (body_of({**HEAD, "stop": [2, 2, 1]}, BITS), "request_invalid"),
        (body_of({**HEAD, "start": [-1, 0, 0]}, BITS), "request_invalid"),
        (body_of({**HEAD, "planes": [None]}, BITS), "request_invalid"),
        (body_of({**HEAD, "planes": [{**PLANE, "i": [0, 0, 0]}]}, BITS), "request_invalid"),
        (body_of({**HEAD, "planes": [{**PLANE, "i": [1, 0]}]}, BITS), "request_invalid"),
        (body_of({**HEAD, "planes": [{**PLANE, "place": 1e300}]}, BITS), "request_invalid"),
        (body_of(HEAD, BITS + b"\xff"), "limit_exceeded"),
        (body_of(HEAD, b""), "request_invalid"),
        (body_of({**HEAD, "stop": [200, 200, 200]}, BITS), "limit_exceeded"),
        (body_of(HEAD, BITS)[:-3], "request_invalid"),
    ],
)
def test_bad_requests_are_refused(server, body, code):
    assert report(post(server, body)).code == code


def test_the_type_and_the_length_of_the_body_are_checked(server):
    assert report(post(server, body_of(HEAD, BITS), JSON_TYPE)).code == "request_invalid"
    assert report(post(server, bytes(2**20))).code == "limit_exceeded"
