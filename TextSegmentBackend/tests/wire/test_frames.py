import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import SHAPE, cut, error_or_none, made_mask, memory_bound

from textsegment.errors import (
    BusyError,
    LimitExceededError,
    OutOfMemoryError,
    StreamBrokenError,
    VersionMismatchError,
)
from textsegment.segmenter import Estimated, MaskReady, Progress, Queued
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import STREAM_MAGIC, Done, Failed, FrameDecoder, encode_frame

PROVENANCE = {
    "model": "sat-demo",
    "precision": "fp32",
    "spacing_mm": (1.5, 1.5, 3.0),
    "flag": True,
    "none": None,
}
FAILED = Failed(ErrorReport.from_error(OutOfMemoryError("No memory.", "Take a smaller image.")))
FRAMES = [
    Queued(2),
    Queued(0),
    Progress(0.25, "encoding"),
    MaskReady(made_mask()),
    Done(PROVENANCE, ("Sheared.",)),
]


def stream(frames) -> bytes:
    return STREAM_MAGIC + b"".join(encode_frame(f) for f in frames)


def framed(kind: bytes, payload: bytes) -> bytes:
    return struct.pack("<4sII", kind, len(payload), zlib.crc32(kind + payload)) + payload


def received(pieces: list[bytes]) -> list:
    decoder = FrameDecoder(SHAPE)
    frames = [frame for piece in pieces for frame in decoder.push(piece)]
    decoder.finish()
    return frames


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
events = st.one_of(
    st.builds(Queued, st.integers(0, 1000)),
    st.builds(Progress, st.floats(0, 1), texts),
    st.builds(lambda seed: MaskReady(made_mask(seed)), st.integers(0, 9)),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(-1e9, 1e9), texts)
lasts = st.one_of(
    st.builds(
        Done,
        st.dictionaries(texts, st.one_of(scalars, st.lists(scalars, max_size=3).map(tuple)), max_size=4),
        st.lists(texts, max_size=3).map(tuple),
    ),
    st.builds(lambda text, hint: Failed(ErrorReport("busy", text, hint, (), 7)), texts, texts),
)


@given(st.lists(events, max_size=5), lasts, st.lists(st.integers(0, 10_000), max_size=20))
def test_frames_come_back_however_the_network_cuts_them(frames, last, places):
    frames = [*frames, last]
    again = received(cut(stream(frames), places))
    assert [encode_frame(f) for f in again] == [encode_frame(f) for f in frames]
    assert [f for f in again if not isinstance(f, MaskReady)] == [
        f for f in frames if not isinstance(f, MaskReady)
    ]


def test_byte_by_byte():
    data = stream(FRAMES)
    frames = received([data[i : i + 1] for i in range(len(data))])
    assert [type(f) for f in frames] == [type(f) for f in FRAMES]
    assert np.array_equal(frames[3].mask.mask, FRAMES[3].mask.mask)
    assert frames[4] == FRAMES[4]


@pytest.mark.parametrize("last", [FRAMES[-1], FAILED])
def test_truncated_at_every_byte_is_a_broken_stream(last):
    data = stream([*FRAMES[:-1], last])
    for length in range(len(data)):
        error = error_or_none(lambda end=length: received([data[:end]]))
        assert type(error) is StreamBrokenError, length
    assert len(received([data])) == len(FRAMES)


@settings(max_examples=300)
@given(st.data())
def test_every_flipped_bit_is_noticed(data):
    sent = bytearray(stream(FRAMES))
    bit = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[bit // 8] ^= 1 << bit % 8
    error = error_or_none(lambda: received([bytes(sent)]))
    assert isinstance(error, (StreamBrokenError, VersionMismatchError))


def test_frames_before_the_damage_are_given_out():
    data = bytearray(stream(FRAMES))
    data[-1] ^= 1
    decoder, got = FrameDecoder(SHAPE), []
    with pytest.raises(StreamBrokenError, match="damaged"):
        got.extend(decoder.push(bytes(data)))
    assert len(got) == 4
    assert not decoder.is_finished


@given(st.binary(max_size=300), st.booleans())
def test_garbage(data, behind_magic):
    error = error_or_none(lambda: received([STREAM_MAGIC * behind_magic + data]))
    assert isinstance(error, (StreamBrokenError, VersionMismatchError))


@given(st.sampled_from([b"QUEU", b"PROG", b"MASK", b"DONE", b"ERRO"]), st.binary(max_size=200))
def test_garbage_that_is_checksummed(kind, payload):
    assert type(error_or_none(lambda: received([STREAM_MAGIC + framed(kind, payload)]))) is StreamBrokenError


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (b"QUEU", {"position": -1}),
        (b"QUEU", {"position": 1.5}),
        (b"QUEU", {"position": True}),
        (b"QUEU", {"position": 1, "more": 1}),
        (b"QUEU", {}),
        (b"PROG", {"fraction": 1.01, "stage": "decoding"}),
        (b"PROG", {"fraction": "0.5", "stage": "decoding"}),
        (b"PROG", {"fraction": 0.5, "stage": "x" * 65}),
        (b"PROG", {"fraction": 0.5, "stage": "\ud800"}),
        (b"DONE", {"provenance": [], "warnings": []}),
        (b"DONE", {"provenance": {"a": {}}, "warnings": []}),
        (b"DONE", {"provenance": {"a": [[]]}, "warnings": []}),
        (b"DONE", {"provenance": {"a": "\udfff"}, "warnings": []}),
        (b"DONE", {"provenance": {}, "warnings": "text"}),
        (b"ERRO", {"code": "busy", "message": "m", "hint": ""}),
    ],
)
def test_fields_that_mean_nothing_are_refused(kind, payload):
    with pytest.raises(StreamBrokenError, match="understood"):
        received([STREAM_MAGIC + framed(kind, json.dumps(payload).encode())])


def test_deep_nesting_is_refused():
    text = b'{"provenance":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b'},"warnings":[]}'
    with pytest.raises(StreamBrokenError):
        received([STREAM_MAGIC + framed(b"DONE", text)])


@pytest.mark.parametrize("last", [FRAMES[-1], FAILED])
def test_nothing_may_follow_the_last_frame(last):
    for more in (b"\0", encode_frame(Queued(0)), encode_frame(last)):
        with pytest.raises(StreamBrokenError, match="follows"):
            received([stream([last]), more])
        with pytest.raises(StreamBrokenError, match="follows"):
            received([stream([last]) + more])


def test_stream_without_end_is_broken():
    for data in (b"", b"TS", STREAM_MAGIC, stream(FRAMES[:-1])):
        with pytest.raises(StreamBrokenError, match="broke off"):
            received([data])


def test_other_version():
    with pytest.raises(VersionMismatchError, match="'2'"):
        received([b"TSF2" + stream(FRAMES)[4:]])


def test_page_of_a_proxy_is_noticed_at_its_first_byte():
    with pytest.raises(StreamBrokenError, match="not of TextSegment"):
        list(FrameDecoder(SHAPE).push(b"<"))


def test_length_is_bounded_before_the_payload_is_kept():
    for kind in (b"QUEU", b"PROG", b"MASK", b"DONE", b"ERRO", b"JUNK"):
        with memory_bound(2**18), pytest.raises(StreamBrokenError, match="impossible size"):
            received([STREAM_MAGIC + struct.pack("<4sII", kind, 2**32 - 1, 0)])


def test_mask_outside_the_volume_is_refused():
    decoder = FrameDecoder((9, 7, 4))
    with pytest.raises(StreamBrokenError, match="not inside"):
        list(decoder.push(stream(FRAMES)))


def test_failure_becomes_the_exception_that_was_raised():
    report = ErrorReport.from_error(BusyError("Full.", "Later.", retry_after_s=9))
    (frame,) = received([stream([Failed(report)])])
    error = frame.report.to_error()
    assert type(error) is BusyError
    assert (error.message, error.hint, error.retry_after_s) == ("Full.", "Later.", 9)


def test_warnings_that_no_client_would_take_are_not_sent():
    with pytest.raises(LimitExceededError):
        encode_frame(Done({}, ("x" * 2**20,)))


@pytest.mark.parametrize("seconds", [None, 0.0, 12.5])
def test_estimates_come_back(seconds):
    sent = Estimated(3, seconds, 2**31)
    assert received([STREAM_MAGIC + encode_frame(sent) + encode_frame(FRAMES[-1])])[0] == sent
