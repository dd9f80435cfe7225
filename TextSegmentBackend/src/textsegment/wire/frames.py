"""Response to a segmentation request: a stream of frames, the last of which gives the outcome."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from textsegment.doubt import Calibration
from textsegment.errors import LimitExceededError, StreamBrokenError, TextSegmentError
from textsegment.segmenter import Estimated, MaskReady, Progress, Queued
from textsegment.wire.caution_codec import read_warnings, warning_fields
from textsegment.wire.contract import PROTOCOL_VERSION, version_mismatch
from textsegment.wire.failures import MAX_REPORT_BYTES, ErrorReport
from textsegment.wire.mask_codec import decode_mask, encode_mask, max_mask_bytes
from textsegment.wire.mask_codec import judged as mask_judged
from textsegment.wire.mask_codec import without_details as mask_without_details
from textsegment.wire.strict_json import read_object, write_object

STREAM_MAGIC = b"TSF" + str(PROTOCOL_VERSION).encode()
"""First four bytes of the stream."""

# Kind, length of the payload, CRC-32 of kind and payload.
_HEAD = struct.Struct("<4sII")
_MAX_SMALL_BYTES = 2**12
_MAX_DONE_BYTES = 2**20
_MAX_POSITION = 2**31
_MAX_SECONDS = 1e9
_MAX_MEMORY = 2**50
_MAX_WARNINGS = 1024
_STAGE_CHARACTERS = 64


class FrameKind(bytes, Enum):
    """Kind of a frame, which is its first four bytes."""

    QUEUED = b"QUEU"
    ESTIMATE = b"ESTI"
    PROGRESS = b"PROG"
    MASK = b"MASK"
    DONE = b"DONE"
    ERROR = b"ERRO"


_KINDS = {kind.value: kind for kind in FrameKind}


@dataclass(frozen=True)
class Done:
    """Last frame of a successful job, sent after every mask.

    Attributes:
        provenance: What produced the masks: model, weights digest, version, device; values are scalars or
            tuples of scalars.
        warnings: Messages for the user that concern the whole image.
    """

    provenance: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """Last frame of a failed job; masks sent before it are valid."""

    report: ErrorReport


Frame = Queued | Estimated | Progress | MaskReady | Done | Failed


def encode_frame(frame: Frame) -> bytes:
    """Encode one frame; the first must be preceded by ``STREAM_MAGIC``.

    Raises:
        LimitExceededError: Warnings and provenance together exceed 1 MiB, or there are too many warnings.
    """
    if isinstance(frame, Queued):
        return _framed(FrameKind.QUEUED, write_object({"position": frame.position}))
    if isinstance(frame, Estimated):
        seconds = None if frame.seconds is None else float(frame.seconds)
        estimate = {"patches": frame.patches, "seconds": seconds, "memory_bytes": frame.memory_bytes}
        return _framed(FrameKind.ESTIMATE, write_object(estimate))
    if isinstance(frame, Progress):
        return _framed(
            FrameKind.PROGRESS, write_object({"fraction": float(frame.fraction), "stage": frame.stage})
        )
    if isinstance(frame, MaskReady):
        return _framed(FrameKind.MASK, encode_mask(frame.mask))
    if isinstance(frame, Failed):
        return _framed(FrameKind.ERROR, frame.report.to_json(details=True))
    fields: dict[str, Any] = {"provenance": dict(frame.provenance), **warning_fields(frame.warnings)}
    payload = write_object(fields)
    if len(payload) > _MAX_DONE_BYTES:
        fields.pop("cautions", None)  # the sentences say the same
        payload = write_object(fields)
    if len(payload) > _MAX_DONE_BYTES or len(frame.warnings) > _MAX_WARNINGS:
        raise LimitExceededError("The result has too many or too long warnings to be sent.")
    return _framed(FrameKind.DONE, payload)


def split_frame(frame: bytes) -> tuple[FrameKind, bytes]:
    """Split a frame from ``encode_frame`` into kind and payload."""
    return FrameKind(frame[:4]), frame[_HEAD.size :]


def without_details(frame: bytes) -> bytes:
    """Return a frame in the form that the first clients understand; see the feature ``details``."""
    kind, payload = split_frame(frame)
    if kind is FrameKind.MASK:
        return _framed(kind, mask_without_details(payload))
    name = {FrameKind.DONE: "cautions", FrameKind.ERROR: "caution"}.get(kind)
    if name is not None:
        fields = json.loads(payload)
        if fields.pop(name, None) is not None:
            return _framed(kind, write_object(fields))
    return frame


def judged(frame: bytes, calibration: Calibration | None) -> bytes:
    """Return a frame with the verdict on its mask, if it is one; see ``mask_codec.judged``."""
    kind, payload = split_frame(frame)
    return _framed(kind, mask_judged(payload, calibration)) if kind is FrameKind.MASK else frame


class FrameDecoder:
    """Incremental decoder of one response: push bytes as they arrive, get frames.

    The length of a frame is checked before its payload is buffered, so memory is bounded by one mask of the
    volume. After an error the decoder must not be used again; the frames before it are valid.

    Args:
        spatial_shape: Shape (i, j, k) of the volume; masks must lie inside it.

    Attributes:
        is_finished: Whether ``Done`` or ``Failed`` has been received.
    """

    def __init__(self, spatial_shape: tuple[int, int, int]) -> None:
        self.is_finished = False
        self._spatial_shape = spatial_shape
        self._has_begun = False
        self._buffer = bytearray()
        self._max_bytes = {
            FrameKind.QUEUED: _MAX_SMALL_BYTES,
            FrameKind.ESTIMATE: _MAX_SMALL_BYTES,
            FrameKind.PROGRESS: _MAX_SMALL_BYTES,
            FrameKind.MASK: max_mask_bytes(spatial_shape),
            FrameKind.DONE: _MAX_DONE_BYTES,
            FrameKind.ERROR: MAX_REPORT_BYTES,
        }

    def push(self, data: bytes) -> Iterator[Frame]:
        """Feed bytes of the stream to the decoder and yield each frame that they complete.

        Raises:
            VersionMismatchError: The stream uses another version of the protocol.
            StreamBrokenError: The stream is corrupt, or something follows the last frame.
        """
        self._buffer += data
        return self._drain()

    def finish(self) -> None:
        """Check that the stream ended with ``Done`` or ``Failed``.

        Raises:
            StreamBrokenError: The stream ended before that.
        """
        if not self.is_finished or self._buffer:
            raise StreamBrokenError(
                "The answer of the server broke off.", "Ask again: repeating a request is harmless."
            )

    def _drain(self) -> Iterator[Frame]:
        if not self._has_begun and not self._begin():
            return
        while (found := self._next_payload()) is not None:
            kind, payload = found
            frame = self._decode(kind, payload)
            self.is_finished = isinstance(frame, (Done, Failed))
            yield frame

    def _begin(self) -> bool:
        magic = bytes(self._buffer[: len(STREAM_MAGIC)])
        if magic[:3] != STREAM_MAGIC[: len(magic)][:3]:
            raise StreamBrokenError("The answer is not of TextSegment.", "Check the address of the server.")
        if len(magic) < len(STREAM_MAGIC):
            return False
        if magic != STREAM_MAGIC:
            raise version_mismatch(chr(magic[3]))
        del self._buffer[: len(STREAM_MAGIC)]
        self._has_begun = True
        return True

    def _next_payload(self) -> tuple[FrameKind, bytearray] | None:
        if self.is_finished:
            if self._buffer:
                raise StreamBrokenError("Something follows the last frame of the answer.")
            return None
        if len(self._buffer) < _HEAD.size:
            return None
        name, length, checksum = _HEAD.unpack_from(self._buffer)
        kind = _KINDS.get(name)
        if kind is None or length > self._max_bytes[kind]:
            raise StreamBrokenError("The answer holds a frame of unknown kind or impossible size.")
        end = _HEAD.size + length
        if len(self._buffer) < end:
            return None
        payload = self._buffer[_HEAD.size : end]
        del self._buffer[:end]
        if _checksum(kind, payload) != checksum:
            raise StreamBrokenError("The answer was damaged on the way.", "Ask again.")
        return kind, payload

    def _decode(self, kind: FrameKind, payload: bytearray) -> Frame:
        try:
            if kind is FrameKind.MASK:
                return MaskReady(decode_mask(payload, self._spatial_shape))
            if kind is FrameKind.ERROR:
                return Failed(ErrorReport.from_json(payload))
            return _decode_small(kind, payload)
        except TextSegmentError as error:
            raise StreamBrokenError(f"A frame of the answer cannot be understood: {error.message}") from error


def _decode_small(kind: FrameKind, payload: bytearray) -> Queued | Estimated | Progress | Done:
    given = read_object(payload, f"The frame {kind.value.decode('ascii')}")
    frame: Queued | Estimated | Progress | Done
    if kind is FrameKind.QUEUED:
        frame = Queued(given.whole("position", 0, _MAX_POSITION))
    elif kind is FrameKind.ESTIMATE:
        seconds = given.real_or_nan("seconds", 0, _MAX_SECONDS)
        frame = Estimated(
            given.whole("patches", 0, _MAX_POSITION),
            None if math.isnan(seconds) else seconds,
            given.whole("memory_bytes", 0, _MAX_MEMORY),
        )
    elif kind is FrameKind.PROGRESS:
        frame = Progress(given.real("fraction", 0, 1), given.text("stage", _STAGE_CHARACTERS))
    else:
        frame = Done(given.scalars("provenance"), read_warnings(given, _MAX_WARNINGS, _MAX_DONE_BYTES))
    given.end()
    return frame


def _framed(kind: FrameKind, payload: bytes) -> bytes:
    return _HEAD.pack(kind, len(payload), _checksum(kind, payload)) + payload


def _checksum(kind: bytes, payload: bytes | bytearray) -> int:
    return zlib.crc32(payload, zlib.crc32(kind))
