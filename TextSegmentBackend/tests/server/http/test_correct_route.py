"""``POST /v1/correct``: what is refused before anything is computed, and what is written down about it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from server_process import ServerProcess, frames, report, wait_until

from textsegment.correction import Correction, Edit
from textsegment.geometry import Box
from textsegment.segmenter import MaskReady
from textsegment.testing import ball, phantom
from textsegment.wire.contract import CORRECT_ROUTE, CORRECTION_TYPE, JSON_TYPE
from textsegment.wire.correction_codec import encode_correction, max_correction_bytes
from textsegment.wire.frames import Done
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.codec import wire_volume

VOLUME = wire_volume(phantom((20, 18, 12)))
LIMITS = {"max_volume_bytes": 2**20, "max_voxels": 2**15, "max_request_bytes": 2**12}
NAME = "Tumour of Jane Doe"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    audit = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    with ServerProcess(limits=LIMITS, keys=("key-of-this-test",), audit_file=str(audit)) as process:
        process.audit = audit
        process.put(VOLUME, session=process.session("key-of-this-test"))
        yield process


def made(**options) -> bytes:
    drawn = [Edit.slice_of(ball("liver", VOLUME.geometry), 2, n) for n in (4, 7)]
    correction = Correction.of(VOLUME, drawn, **{"name": NAME, **options})
    return encode_correction(correction, options.pop("digest", VOLUME.digest))


def post(server, body, media_type=CORRECTION_TYPE):
    return server.session("key-of-this-test").post(
        server.url + CORRECT_ROUTE, data=body, headers={"Content-Type": media_type}, stream=True
    )


def noted(server) -> list[dict[str, Any]]:
    """Lines of the audit about corrections that were answered."""
    lines = (
        [json.loads(line) for line in server.audit.read_text().splitlines()] if server.audit.exists() else []
    )
    return [line for line in lines if line["route"] == CORRECT_ROUTE and line["result"] == "done"]


def test_it_is_answered_and_repeated_and_the_name_is_nowhere(server):
    body = made(prompt="liver")
    before = len(noted(server))
    first, second = (list(frames(post(server, body), VOLUME)) for _ in range(2))
    for answer in (first, second):
        (mask,) = [frame.mask for frame in answer if isinstance(frame, MaskReady)]
        assert mask.structure == NAME
        assert isinstance(answer[-1], Done)
        assert answer[-1].provenance["model"] == "fake"

    # The line about the second answer is written behind it.
    wait_until(lambda: len(noted(server)) == before + 2, "both lines")
    assert [(line["structures"], line["result"]) for line in noted(server)[before:]] == [
        (["liver"], "done")
    ] * 2
    assert "Jane" not in server.audit.read_text()


def test_what_is_refused_before_the_answer_begins(server):
    other = wire_volume(phantom((20, 18, 12), modality="MR"))
    elsewhere = made().replace(b'"stop":[20,18,5]', b'"stop":[20,99,5]')
    for body, media_type, status, code in (
        (made(), JSON_TYPE, 422, "request_invalid"),
        (b"TSC2" + made()[4:], CORRECTION_TYPE, 426, "version_mismatch"),
        (b"x" * (max_correction_bytes(Limits(**LIMITS)) + 1), CORRECTION_TYPE, 413, "limit_exceeded"),
        (encode_correction(Correction.of(other, [slice_()], name="x"), other.digest),
         CORRECTION_TYPE, 404, "volume_unknown"),
        (elsewhere, CORRECTION_TYPE, 422, "edit_invalid"),
        (made(prompt="livr"), CORRECTION_TYPE, 422, "structure_unknown"),
    ):  # fmt: skip
        answer = post(server, body, media_type)
        assert (answer.status_code, report(answer).code) == (status, code)


def slice_() -> Edit:
    return Edit.slice_of(np.eye(20, 18, dtype=bool)[:, :, None].repeat(12, axis=2), 2, 3)


def test_damaged_bits_are_an_error_of_the_job(server):
    answer = post(server, made()[:-3])
    assert answer.status_code == 200
    *_, last = frames(answer, VOLUME)
    assert last.report.code == "request_invalid"


def test_edits_larger_than_the_volume_are_refused_unread(server):
    whole = Edit.block(Box((0, 0, 0), (20, 18, 11)), belongs=False)
    many = Correction.of(VOLUME, [slice_(), whole, whole, whole], name="x")
    answer = post(server, encode_correction(many, VOLUME.digest))
    assert (answer.status_code, report(answer).code) == (413, "limit_exceeded")
    assert json.loads(answer.headers["TextSegment-Caution"])["code"] == "limit_edits"
