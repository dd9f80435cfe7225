"""A job that is tried again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from textsegment.errors import DeviceError, EngineLostError
from textsegment.prompt import Prompt
from textsegment.segmenter import MaskReady, Progress
from textsegment.server.engines.engine import StoredRequest
from textsegment.server.jobs.resume import resumed
from textsegment.testing import FakeSegmenter, phantom
from textsegment.wire.frames import STREAM_MAGIC, Done, FrameDecoder, encode_frame
from textsegment.wire.volumes.header import VolumeHeader

VOLUME = phantom()
NAMES = ("liver", "left kidney", "right kidney")
WORK = StoredRequest("0" * 64, VolumeHeader.of(VOLUME), Path("nowhere"), tuple(map(Prompt, NAMES)))


class Attempts:
    """Runs jobs in this process, and fails behind so many frames, once for each number given."""

    def __init__(self, *fail_behind: int, error=EngineLostError) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.closed = 0
        self._fail_behind = list(fail_behind)
        self._error = error

    async def __call__(self, work: StoredRequest) -> AsyncIterator[bytes]:
        self.asked.append(tuple(p.text for p in work.prompts))
        events: list = []
        result = FakeSegmenter().segment(VOLUME, work.prompts, on_event=events.append)
        frames = [*events, Done(result.provenance, result.warnings)]
        left = self._fail_behind.pop(0) if self._fail_behind else len(frames) + 1
        try:
            for frame in frames:
                if left == 0:
                    raise self._error("It died.")
                left -= 1
                yield encode_frame(frame)
        finally:
            self.closed += 1


def run(attempts: Attempts, tries: int = 2, work: StoredRequest = WORK) -> list:
    async def collect() -> bytes:
        return b"".join([f async for f in resumed(attempts, work, (EngineLostError,), tries)])

    decoder = FrameDecoder(VOLUME.geometry.spatial_shape)
    return list(decoder.push(STREAM_MAGIC + asyncio.run(collect())))


# Frames of one attempt: progress, then progress and mask for each of three, then done.
@pytest.mark.parametrize("fail_behind", range(8))
def test_is_whole_wherever_the_first_attempt_fails(fail_behind):
    """Fault 54."""
    attempts = Attempts(fail_behind)
    frames = run(attempts)
    assert [f.mask.structure for f in frames if isinstance(f, MaskReady)] == list(NAMES)
    fractions = [f.fraction for f in frames if isinstance(f, Progress)]
    assert fractions == sorted(fractions)
    assert isinstance(frames[-1], Done)
    assert sum(isinstance(f, Done) for f in frames) == 1
    assert attempts.closed == 2
    sent = max(0, (fail_behind - 1) // 2)
    assert attempts.asked == [NAMES, NAMES[sent:] or NAMES[:1]]


def test_a_whole_is_tidied_by_its_parts_in_the_second_attempt_too():
    attempts = Attempts(5)
    frames = run(attempts, work=replace(WORK, tidy=True))
    assert [f.mask.structure for f in frames if isinstance(f, MaskReady)] == list(NAMES)
    assert attempts.asked == [NAMES, NAMES]


def test_gives_up_after_the_last_try():
    attempts = Attempts(1, 1, 1, 1)
    with pytest.raises(EngineLostError):
        run(attempts, tries=3)
    assert len(attempts.asked) == 3


def test_other_errors_are_not_tried_again():
    attempts = Attempts(3, error=DeviceError)
    with pytest.raises(DeviceError):
        run(attempts)
    assert len(attempts.asked) == 1


def test_closing_closes_the_attempt():
    attempts = Attempts()

    async def begin_and_close() -> None:
        frames = resumed(attempts, WORK, (EngineLostError,))
        await anext(frames)
        await frames.aclose()

    asyncio.run(begin_and_close())
    assert attempts.closed == 1
