"""docs/protocol.md says what the code does: its example, read twice, and its tables."""

import hashlib
import json
import re
import struct
import zlib
from dataclasses import MISSING, asdict, fields
from pathlib import Path

import numpy as np
import pytest
from wire_samples import decoded

from textsegment.caution import Caution
from textsegment.correction import Correction, Edit
from textsegment.effort import Effort
from textsegment.errors import LimitExceededError, StreamBrokenError
from textsegment.geometry import Box, Geometry
from textsegment.modality import MODALITIES
from textsegment.prompt import Prompt
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.segmenter import MaskReady, Progress, Queued
from textsegment.server.http.errors import error_response
from textsegment.volume import Volume
from textsegment.wire import contour_codec, contract
from textsegment.wire.caution_codec import warning_fields
from textsegment.wire.correction_codec import (
    MAX_EDITS,
    MAX_HEAD_BYTES,
    decode_correction,
    encode_correction,
)
from textsegment.wire.failures import ErrorReport, error_classes, status_of
from textsegment.wire.frames import Done, FrameDecoder, encode_frame
from textsegment.wire.limits import Limits
from textsegment.wire.messages import SegmentRequest, ServerInfo
from textsegment.wire.volumes.codec import assemble_volume, encode_volume, wire_volume
from textsegment.wire.volumes.header import CHUNK_BYTES, DTYPES, HEADER_BYTES, Encoding

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
PROSE = " ".join(TEXT.split())


def block(name: str) -> str:
    (found,) = re.findall(rf"^```{name}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return found.strip()


def bytes_of(name: str) -> bytes:
    def one(line: str) -> bytes:
        return line[1:-1].encode("ascii") if line.startswith("'") else bytes.fromhex(line.partition("#")[0])

    return b"".join(one(line) for line in block(f"hex {name}").splitlines())


def table(first_heading: str) -> list[list[str]]:
    """Cells of the rows below the heading."""
    lines = TEXT[TEXT.index(f"| {first_heading} |") :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        rows.append([cell.strip().replace("\\|", "|") for cell in cells])
    return rows


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def example() -> Volume:
    voxels = np.array([-1000, 40, 60, 300, -1024, 50], dtype=np.int16).reshape(2, 1, 3)
    affine = [[1, 0, 0, -10], [0, 1, 0, 20], [0, 0, 2.5, -30], [0, 0, 0, 1]]
    return wire_volume(Volume(voxels, Geometry((2, 1, 3), affine), "CT"))


def test_upload_as_the_code_makes_it():
    assert b"".join(encode_volume(example(), Encoding.RAW)) == bytes_of("upload-raw")
    assert example().digest == block("text digest")


@pytest.mark.parametrize("name", ["upload-raw", "upload-deflated"])
def test_upload_as_the_code_reads_it(name):
    decoder, raw = decoded([bytes_of(name)])
    volume = assemble_volume(decoder.header, raw, block("text digest"))
    assert np.array_equal(volume.voxels, example().voxels)
    assert volume.geometry == example().geometry


@pytest.mark.parametrize("name", ["upload-raw", "upload-deflated"])
def test_upload_as_a_stranger_reads_it(name):
    data = bytes_of(name)
    assert data[:4] == b"TSV1"
    encoding, dtype = data[4], data[5]
    shape = struct.unpack_from("<3I", data, 8)
    assert struct.unpack_from("<I", data, 20) == (0,)
    assert struct.unpack_from("<I", data, 152) == (zlib.crc32(data[:152]),)
    length, checksum = struct.unpack_from("<II", data, 156)
    payload = data[164:]
    assert (len(payload), zlib.crc32(payload)) == (length, checksum)
    if encoding == 1:
        planes, count = zlib.decompress(payload), shape[0] * shape[1] * shape[2]
        payload = bytes(planes[p * count + v] for v in range(count) for p in range(2))
    assert struct.unpack("<6h", payload) == (-1000, 40, 60, 300, -1024, 50)
    text = f"{data[6:8].decode()}|{names(table('Code')[dtype][2])[0]}|{shape}|".encode()
    assert hashlib.sha256(text + data[24:152] + payload).hexdigest() == block("text digest")


def test_request():
    body = block("json request").encode()
    request = SegmentRequest(block("text digest"), (Prompt("liver"), Prompt("spleen")))
    assert request.to_json() == body
    assert SegmentRequest.from_json(body, Limits()) == request


def test_request_for_tidied_masks():
    body = block("json request for tidied masks").encode()
    request = SegmentRequest(block("text digest"), (Prompt("lung"),), wants_details=True, tidy=True)
    assert request.to_json() == body
    assert SegmentRequest.from_json(body, Limits()) == request


def test_request_with_a_region():
    body = block("json request with a region").encode()
    effort = Effort(Box((0, 0, 1), (2, 1, 3)), fast=True)
    request = SegmentRequest(block("text digest"), (Prompt("liver"),), effort)
    assert request.to_json() == body
    assert SegmentRequest.from_json(body, Limits()) == request


def drawn() -> Correction:
    """The correction of the example."""
    volume = example()
    mask = np.array([[[True, True]], [[False, True]]])
    base = StructureMask.measured("Liver", mask, volume.geometry, start=(0, 0, 1))
    slice_ = Edit.slice_of(np.array([[[0, 0, 0]], [[0, 1, 0]]], dtype=bool), 2, 1)
    marked = Edit(Box((0, 0, 0), (1, 1, 3)), np.array([[[True, False, False]]]), np.zeros((1, 1, 3), bool))
    return Correction.of(volume, [slice_, marked], base=base, prompt="liver")


def test_correction_as_the_code_makes_and_reads_it():
    body = bytes_of("correction")
    ours = encode_correction(drawn(), block("text digest"))
    assert (ours[:233], zlib.decompress(ours[233:])) == (body[:233], zlib.decompress(body[233:]))
    read = decode_correction(body, example(), Limits())
    assert (read.name, read.prompt, read.base.box) == ("Liver", Prompt("liver"), drawn().base.box)
    assert np.array_equal(read.base.mask, drawn().base.mask)
    for one, other in zip(read.edits, drawn().edits, strict=True):
        assert one.box == other.box
        assert np.array_equal(one.known, other.known)
        assert np.array_equal(one.inside, other.inside)


def test_correction_as_a_stranger_reads_it():
    body = bytes_of("correction")
    assert body[:4] == b"TSC1"
    (length,) = struct.unpack_from("<I", body, 4)
    head = json.loads(body[8 : 8 + length])
    fields_of_head = {names(row[0])[0] for row in table("Field of a correction")}
    assert fields_of_head == {*head, "within"}
    bits = zlib.decompress(body[8 + length :])
    sizes = [int(np.prod(np.subtract(box["stop"], box["start"]))) for box in (head["base"], *head["edits"])]
    planes = [sizes[0], *(size for size in sizes[1:] for _ in range(2))]
    assert len(bits) == sum(-(-size // 8) for size in planes)
    assert [f"{byte:08b}"[:size] for byte, size in zip(bits, planes, strict=True)] == [
        "1101", "11", "01", "100", "000",
    ]  # fmt: skip


def test_outline_as_the_code_reads_it():
    request = contour_codec.decode_outline_request(bytes_of("outline"), Limits())
    assert request.box == Box((0, 0, 1), (2, 1, 3))
    assert request.mask.tolist() == [[[True, True]], [[False, True]]]
    (plane,) = request.planes
    lps = example().geometry.affine * [[-1], [-1], [1], [1]]
    np.testing.assert_array_equal(plane.corner, (lps @ [0, 0, 2, 1])[:3])
    np.testing.assert_array_equal([plane.i, plane.j], lps[:3, :2].T)
    fields_of_plane = {names(row[0])[0] for row in table("Field of a plane")}
    assert fields_of_plane == {"place", "corner", "i", "j"}


def test_answer_as_the_code_reads_it():
    decoder = FrameDecoder((2, 1, 3))
    queued, progress, liver, spleen, done = decoder.push(bytes_of("answer"))
    decoder.finish()
    assert queued == Queued(0)
    assert progress == Progress(0.5, "encoding")
    assert isinstance(liver, MaskReady)
    assert liver.mask.box == Box((0, 0, 1), (2, 1, 3))
    assert liver.mask.mask.tolist() == [[[True, True]], [[False, True]]]
    assert example().voxels[liver.mask.full((2, 1, 3))].mean() == liver.mask.statistics.mean_intensity
    assert spleen.mask.structure == "spleen"
    assert spleen.mask.statistics.is_empty
    assert done == Done({"model": "sat-demo", "spacing_mm": (1.5, 1.5, 3.0)})
    # Compressors may differ; all else is the same to the byte.
    assert b"".join(map(encode_frame, (queued, progress, done))) in without_masks(bytes_of("answer"))


def without_masks(data: bytes) -> bytes:
    return b"".join(framed for kind, framed, _ in frames_of(data) if kind != b"MASK")


def frames_of(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Kind, whole frame, payload of each frame, as a stranger reads them."""
    assert data[:4] == b"TSF1"
    at, found = 4, []
    while at < len(data):
        kind, length, checksum = struct.unpack_from("<4sII", data, at)
        payload = data[at + 12 : at + 12 + length]
        assert zlib.crc32(kind + payload) == checksum
        found.append((kind, data[at : at + 12 + length], payload))
        at += 12 + length
    return found


def test_answer_as_a_stranger_reads_it():
    frames = frames_of(bytes_of("answer"))
    assert [kind for kind, _, _ in frames] == [b"QUEU", b"PROG", b"MASK", b"MASK", b"DONE"]
    for _, _, payload in frames[2:4]:
        (length,) = struct.unpack_from("<I", payload)
        head = json.loads(payload[4 : 4 + length])
        count = np.prod(np.subtract(head["stop"], head["start"]))
        bits = "".join(f"{byte:08b}" for byte in zlib.decompress(payload[4 + length :]))
        assert len(bits) == -(-count // 8) * 8
        assert bits[:count].count("1") == head["statistics"]["voxel_count"]
        assert "1" not in bits[count:]


def test_routes_and_headers():
    routes = [name for row in table("Route") for name in names(row[0])]
    assert routes == [
        f"GET {contract.HEALTH_ROUTE}",
        f"GET {contract.READY_ROUTE}",
        f"GET {contract.METRICS_ROUTE}",
        f"GET {contract.INFO_ROUTE}",
        f"HEAD {contract.VOLUME_ROUTE}",
        f"PUT {contract.VOLUME_ROUTE}",
        f"POST {contract.SEGMENT_ROUTE}",
        f"POST {contract.RESOLVE_ROUTE}",
        f"POST {contract.SEARCH_ROUTE}",
        f"GET {contract.TREE_ROUTE}",
        f"GET {contract.TEMPLATES_ROUTE}",
        f"GET {contract.STRUCTURES_ROUTE}",
        f"POST {contract.CONTOURS_ROUTE}",
        f"POST {contract.CORRECT_ROUTE}",
    ]
    for text in (
        f"# The protocol, version {contract.PROTOCOL_VERSION} ",
        f"`{contract.PROTOCOL_HEADER}: {contract.PROTOCOL_VERSION}`",
        f"`{contract.NEXT_CHUNK_HEADER}: N`",
        f"`Upgrade: {contract.UPGRADE_PROTOCOL}`",
        f"`{contract.VOLUME_TYPE}`",
        f"`{contract.ANSWER_TYPE}`",
        f"`{contract.JSON_TYPE}`",
        f"`{contract.CORRECTION_TYPE}`",
        f"`{contract.OUTLINE_TYPE}`",
        f"head, at most {contour_codec.MAX_HEAD_BYTES}",
        f"at most {contour_codec.MAX_PLANES} planes",
        f"more than {contour_codec.MAX_POINTS} points",
        f"head, at most {MAX_HEAD_BYTES}",
        f"at most {MAX_EDITS} edits",
        f"every {contract.HEARTBEAT_S} seconds",
        f"**{CHUNK_BYTES} bytes**",
        f"header of {HEADER_BYTES} bytes",
    ):
        assert text in PROSE, text


def test_information_and_limits():
    info = ServerInfo.from_json(block("json info").encode())
    assert info.limits == Limits()
    assert {names(row[0])[0]: int(row[1]) for row in table("Limit")} == asdict(Limits())


def test_types_and_modalities():
    rows = table("Code")
    assert [(int(row[0]), names(row[2])) for row in rows] == [(n, [d]) for n, d in enumerate(DTYPES)]
    assert "Modalities are " + ", ".join(f"`{m}`" for m in MODALITIES) in PROSE


def test_status_of_every_error_that_a_server_reports():
    documented = {code: int(row[0]) for row in table("Status") for code in names(row[1])}
    kinds = error_classes()
    assert documented == {code: status_of(kinds[code]("")) for code in documented}
    # Of files, of results and of the client: no server sends these.
    rest = {"input_not_found", "input_unreadable", "output_unwritable", "structures_overlap", "stream_broken"}
    rest |= {"disk_full", "expression_invalid", "nothing_found"}
    rest |= {"settings_invalid", "port_in_use", "server_unreachable", "tls_failed", "server_timeout"}
    # Of the DICOM node, of templates and of the self-test.
    rest |= {"destination_failed", "destination_refused", "destination_unreachable", "series_incomplete"}
    rest |= {"journal_unusable", "rules_invalid", "spool_full", "template_invalid", "selftest_failed"}
    assert set(kinds) - set(documented) == rest


def test_error_report():
    report = ErrorReport.from_json(block("json error").encode())
    assert report.code in error_classes()
    assert report.to_json() == block("json error").encode()


def test_details():
    optional = {names(row[0])[0] for row in table("Detail")}
    assert optional == {f.name for f in fields(MaskStatistics) if f.default is not MISSING}
    assert ", ".join(f"`{name}`" for name in contract.FEATURES) in PROSE
    assert f"header `{contract.CALIBRATION_HEADER}`" in PROSE
    shown = json.loads(block("json caution"))
    assert warning_fields([Caution("not_found", structure="spleen")])["cautions"] == [shown]


def test_caution_of_an_error():
    """The header is what the server makes of the error that a volume beyond the usual limits causes."""
    with pytest.raises(LimitExceededError) as caught:
        Limits().require_volume((2**12, 2**12, 2**12), 2)
    answer = error_response(caught.value)
    assert answer.headers[contract.CAUTION_HEADER] == block("json caution header")
    assert f"`{contract.CAUTION_HEADER}`" in PROSE


def test_longest_payloads():
    shape = (100, 100, 100)
    packed = 100**3 // 8
    for kind, _, longest in table("Kind"):
        frame = names(kind)[0].encode()
        size = 4 + 65536 + packed + packed // 128 + 64 if frame == b"MASK" else int(longest)
        start = b"TSF1" + frame
        assert list(FrameDecoder(shape).push(start + struct.pack("<II", size, 0))) == []
        with pytest.raises(StreamBrokenError, match="impossible size"):
            list(FrameDecoder(shape).push(start + struct.pack("<II", size + 1, 0)))
