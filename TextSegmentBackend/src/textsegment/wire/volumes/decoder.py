"""Incremental decoding of an upload, holding at most one chunk of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from textsegment.errors import ChecksumError, LimitExceededError, RequestError, UploadOutOfStepError
from textsegment.wire.inflate import inflate, max_deflated_bytes
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.codec import CHUNK_HEAD
from textsegment.wire.volumes.header import HEADER_BYTES, Encoding, VolumeHeader, read_header


class VolumeDecoder:
    """Incremental decoder of one upload: push bytes as they arrive, get voxel bytes chunk by chunk.

    Nothing is allocated before the declared size has been checked against the limits, and then at most one
    chunk. After an error the decoder must not be used again; the chunks before it are valid.

    Args:
        limits: Limits of this server.
        stored: Header of an earlier, interrupted upload with the same digest, if any.
        stored_chunks: Number of chunks kept from that upload.

    Attributes:
        header: Header of the upload; None until it has arrived.
        next_chunk: Index of the next chunk, which equals the number of complete chunks.
    """

    def __init__(self, limits: Limits, stored: VolumeHeader | None = None, stored_chunks: int = 0) -> None:
        self.header: VolumeHeader | None = None
        self.next_chunk = stored_chunks
        self._limits = limits
        self._stored = stored
        self._encoding = Encoding.RAW
        self._buffer = bytearray()

    def push(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Feed bytes of the body to the decoder and yield (index, voxel bytes) for each completed chunk.

        Chunks are decoded lazily during iteration, so that a few hundred bytes that inflate to many chunks
        never occupy memory all at once. If the first index is 0, the upload starts over and stored chunks are
        void.

        Raises:
            RequestError: The data are not a valid upload; see also ``read_header``.
            ChecksumError: A chunk was damaged in transit.
            LimitExceededError: The volume is too large, or there are more data than the header declares.
            UploadOutOfStepError: The upload resumes at another chunk, or with another volume, than the stored
                one.
        """
        self._buffer += data
        return self._drain()

    def finish(self) -> None:
        """Check that the body ended with the last chunk.

        Raises:
            RequestError: The body is empty or truncated; complete chunks may be kept.
        """
        if self.header is None:
            raise RequestError("The upload is empty or ends in its header.")
        if self.next_chunk < self.header.chunk_count or self._buffer:
            raise RequestError(
                f"The upload broke off after {self.next_chunk} of {self.header.chunk_count} chunks.",
                "Go on at the next chunk.",
            )

    def _drain(self) -> Iterator[tuple[int, bytes]]:
        if self.header is None:
            if len(self._buffer) < HEADER_BYTES:
                return
            self.header = self._begin(bytes(self._take(HEADER_BYTES)))
        while (payload := self._next_payload(self.header)) is not None:
            raw = self._decode(payload, self.header)
            chunk = self.next_chunk
            self.next_chunk += 1
            yield chunk, raw

    def _begin(self, head: bytes) -> VolumeHeader:
        header, self._encoding, first_chunk = read_header(head, self._limits)
        if first_chunk and (first_chunk != self.next_chunk or header != self._stored):
            raise UploadOutOfStepError(
                f"The server stands at chunk {self.next_chunk} of another state of this upload.",
                "Ask for the next chunk, or begin at chunk 0.",
            )
        self.next_chunk = first_chunk
        return header

    def _next_payload(self, header: VolumeHeader) -> bytearray | None:
        if self.next_chunk == header.chunk_count:
            if self._buffer:
                raise LimitExceededError("More comes than the header of the upload declares.")
            return None
        if len(self._buffer) < CHUNK_HEAD.size:
            return None
        length, checksum = CHUNK_HEAD.unpack_from(self._buffer)
        self._require_length(length, header.chunk_size(self.next_chunk))
        if len(self._buffer) < CHUNK_HEAD.size + length:
            return None
        self._take(CHUNK_HEAD.size)
        payload = self._take(length)
        if zlib.crc32(payload) != checksum:
            raise ChecksumError(
                f"Chunk {self.next_chunk} of the upload was damaged on the way.", "Go on at this chunk."
            )
        return payload

    def _require_length(self, length: int, raw_bytes: int) -> None:
        is_raw = self._encoding is Encoding.RAW
        if length > (raw_bytes if is_raw else max_deflated_bytes(raw_bytes)):
            raise LimitExceededError("A chunk is larger than the header of the upload declares.")
        if is_raw and length < raw_bytes:
            raise RequestError("A chunk is smaller than the header of the upload declares.")

    def _decode(self, payload: bytearray, header: VolumeHeader) -> bytes:
        if self._encoding is Encoding.RAW:
            return bytes(payload)
        shuffled = inflate(payload, header.chunk_size(self.next_chunk))
        planes = np.frombuffer(shuffled, dtype=np.uint8).reshape(header.voxel_bytes, -1)
        return planes.T.tobytes()

    def _take(self, count: int) -> bytearray:
        taken = self._buffer[:count]
        del self._buffer[:count]
        return taken
