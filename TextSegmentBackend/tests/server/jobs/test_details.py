"""What a client that does not ask for details is sent: what the first clients understand, to the byte."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from wire_samples import SHAPE, made_mask

from textsegment.caution import Caution
from textsegment.doubt import Calibration, of
from textsegment.segmenter import Estimated, MaskReady, Progress
from textsegment.server.jobs.job import ServerJob
from textsegment.server.jobs.schedule import Schedule
from textsegment.server.metrics import Metrics
from textsegment.wire.caution_codec import caution_fields
from textsegment.wire.frames import STREAM_MAGIC, Done, FrameDecoder, FrameKind, encode_frame, split_frame

PLAIN = made_mask()
DETAILED = replace(
    PLAIN,
    statistics=replace(PLAIN.statistics, unsure_share=0.25, part_count=2),
    warnings=(*PLAIN.warnings, Caution("not_found", structure="liver")),
)
DONE = Done({"model": "x", "calibration": (0.3, 0.4, 12, 200)}, (Caution("fast"), "Sheared."))
FRAMES = (Estimated(1, None, 1), Progress(0.5, "encoding"), MaskReady(DETAILED), DONE)


class Engine:
    """Answers every request alike."""

    async def run(self, work):
        for frame in FRAMES:
            yield encode_frame(frame)


def sent(**options) -> list[bytes]:
    place = Schedule(lambda: 1, 8, 8).admit("owner")
    job = ServerJob(SimpleNamespace(prompts=(), correction=b""), place, Engine(), Metrics(), **options)

    async def all_frames():
        return [frame async for frame in job.frames()]

    return asyncio.run(all_frames())


def test_with_details_frames_pass_as_they_are():
    assert sent(sends_estimate=True, sends_details=True) == [encode_frame(frame) for frame in FRAMES]


def heads(frames: list[bytes]) -> list[dict]:
    payloads = [split_frame(frame)[1] for frame in frames if split_frame(frame)[0] is FrameKind.MASK]
    return [json.loads(payload[4 : 4 + int.from_bytes(payload[:4], "little")]) for payload in payloads]


@pytest.mark.parametrize(
    ("calibration", "verdict"), [(Calibration(0.3, 0.4, 12, 200), "check"), (None, "not judged")]
)
def test_the_server_judges_for_clients_that_cannot(monkeypatch, calibration, verdict):
    """Verdict and reasons are those of ``doubt.of``; Python clients judge themselves, and read past them."""
    odd = replace(PLAIN, statistics=replace(PLAIN.statistics, unsure_share=0.75))
    monkeypatch.setattr(f"{__name__}.FRAMES", (MaskReady(odd), DONE))
    frames = sent(sends_details=True, calibration=calibration)
    (head,) = heads(frames)
    assert head["statistics"]["verdict"] == verdict
    reasons = of(odd, calibration).reasons
    assert head["statistics"]["reasons"] == list(reasons)
    assert head["statistics"]["reason_cautions"] == list(map(caution_fields, reasons))
    mask, done = FrameDecoder(SHAPE).push(STREAM_MAGIC + b"".join(frames))
    assert mask.mask.statistics == odd.statistics
    assert done == DONE


def test_a_tidied_mask_is_judged_as_one(monkeypatch):
    """What lay on the other side is gone, so a small share of it speaks against the mask no more."""
    odd = replace(
        PLAIN,
        structure="left kidney",
        statistics=replace(PLAIN.statistics, wrong_side_share=0.3, volume_ml=150.0, touches_border=False),
        warnings=(),
    )
    tidied = replace(odd, warnings=(Caution("tidy_side", volume_ml=3.5),))
    monkeypatch.setattr(f"{__name__}.FRAMES", (MaskReady(odd), MaskReady(tidied), DONE))
    before, after = heads(sent(sends_details=True))
    assert before["statistics"]["reasons"] == ["30 % of it lies on the other side of the body"]
    assert "reasons" not in after["statistics"]


@pytest.mark.parametrize("estimate", [False, True])
def test_without_details_nothing_is_sent_that_an_old_client_refuses(estimate):
    frames = sent(sends_estimate=estimate)
    warnings = tuple(str(warning) for warning in DETAILED.warnings)
    plain = replace(PLAIN, warnings=warnings)
    old = [Progress(0.5, "encoding"), MaskReady(plain), Done(DONE.provenance, tuple(map(str, DONE.warnings)))]
    if estimate:
        old.insert(0, FRAMES[0])
    assert frames == [encode_frame(frame) for frame in old]
    decoder = FrameDecoder(SHAPE)
    *_, mask, done = decoder.push(STREAM_MAGIC + b"".join(frames))
    decoder.finish()
    assert mask.mask.warnings == warnings
    assert done.warnings == DONE.warnings
