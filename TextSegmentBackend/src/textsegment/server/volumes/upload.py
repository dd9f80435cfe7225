"""Upload of a volume: decoded, checked and written to disk chunk by chunk."""

from __future__ import annotations

import errno
import io
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from textsegment.errors import ChecksumError, RequestError, StorageError, UploadOutOfStepError
from textsegment.server.volumes.stored_file import StoredFile
from textsegment.volume import require_range
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.decoder import VolumeDecoder
from textsegment.wire.volumes.header import VolumeHeader

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)  # errors that removing other files can resolve


class PartialVolume:
    """The chunks of a volume received so far, in a file of their own.

    Digest and value range are updated with each chunk, so that the file need not be read again.

    Attributes:
        path: Path of the file, which exists once the first chunk has begun.
        bytes: Size of the file in bytes, including a chunk about to be written.
        header: Header of the volume; None before chunk 0.
        next_chunk: Number of chunks received.
        touched: Time of the last chunk, on the monotonic clock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self.header: VolumeHeader | None = None
        self.next_chunk = 0
        self.touched = time.monotonic()
        self._file: StoredFile | None = None

    @property
    def is_intact(self) -> bool:
        """Whether the received chunks are still in the file, unchanged."""
        return self._file is None or self._file.is_intact

    def begin(self, header: VolumeHeader) -> None:
        """Discard the current content, and get ready for chunk 0."""
        self.header = header
        self.next_chunk = self.bytes = 0
        self._digest = header.begin_digest()
        self._low, self._high = math.inf, -math.inf
        with _disk():
            self.path.unlink(missing_ok=True)
            self.path.touch(mode=0o600, exist_ok=False)
        self._file = StoredFile.of(self.path)

    def add(self, raw: bytes, make_room: Callable[[], object]) -> None:
        """Append the voxel bytes of the next chunk.

        Args:
            raw: Decoded bytes of the chunk.
            make_room: Called whenever the disk is full; raises StorageError if no room can be made.

        Raises:
            RequestError: If a boolean voxel is neither 0 nor 1.
            StorageError: If there is no room, or the disk fails.
            UploadOutOfStepError: If earlier chunks are no longer in the file.
        """
        assert self.header is not None
        self._require_intact()
        voxels = np.frombuffer(raw, dtype=self.header.dtype)
        if self.header.dtype == "|b1" and voxels.view(np.uint8).max() > 1:
            raise RequestError("A boolean voxel is neither 0 nor 1.")
        # NumPy's minimum and maximum propagate NaN, unlike Python's min and max.
        self._low = float(np.minimum(self._low, voxels.min()))
        self._high = float(np.maximum(self._high, voxels.max()))
        self._digest.update(raw)
        with _disk(), self._opened() as file:
            rest = memoryview(raw)
            while rest:
                try:
                    rest = rest[file.write(rest) :]
                except OSError as error:
                    if error.errno not in _NO_ROOM:
                        raise
                    make_room()
        self._file = StoredFile.of(self.path)
        self.next_chunk += 1
        self.touched = time.monotonic()

    def prove(self, digest: str) -> VolumeHeader:
        """Verify the complete volume, and return its header.

        Raises:
            ChecksumError: If its digest is not the one that was announced.
            VolumeInvalidError: If voxels are NaN, infinite or absurdly large, or all the same.
            UploadOutOfStepError: If the chunks are no longer in the file.
        """
        assert self.header is not None
        self._require_intact()
        if self._digest.hexdigest() != digest:
            raise ChecksumError(
                "The volume that arrived is not the one that was announced.", "Upload it again."
            )
        require_range(self._low, self._high)
        return self.header

    def _require_intact(self) -> None:
        if not self.is_intact:
            raise self._lost()

    def _opened(self) -> io.FileIO:
        """Open the file at its end; a missing file is not recreated, since its beginning would be lost."""
        try:
            file = io.FileIO(self.path, "r+")
        except FileNotFoundError:
            raise self._lost() from None
        file.seek(0, io.SEEK_END)
        return file

    def _lost(self) -> UploadOutOfStepError:
        self.discard()
        return UploadOutOfStepError("The server has lost what it had of the volume.", "Begin at chunk 0.")

    def give_up(self) -> None:
        """Remove the file of an active upload, which then has to start over, to make room for others."""
        self.bytes = 0
        self.path.unlink(missing_ok=True)

    def hand_over(self) -> StoredFile:
        """Return the file and give up ownership of it."""
        file, self._file = self._file, None
        assert file is not None
        self.header, self.next_chunk, self.bytes = None, 0, 0
        return file

    def discard(self) -> None:
        """Remove the file, unless it has been handed over."""
        if self.header is not None:
            self.hand_over().path.unlink(missing_ok=True)


class Upload:
    """One request that uploads chunks; its methods may block and should be called in a thread.

    Args:
        limits: Limits of a volume.
        partial: Chunks from an earlier request, or an empty one; used by this upload alone.
        reserve: Called with the size of a chunk before it is written; raises StorageError if there is no
            room.
        make_room: Called whenever the disk is full; see ``PartialVolume.add``.
    """

    def __init__(
        self,
        limits: Limits,
        partial: PartialVolume,
        reserve: Callable[[int], None],
        make_room: Callable[[], object],
    ) -> None:
        self.partial = partial
        self._decoder = VolumeDecoder(limits, partial.header, partial.next_chunk)
        self._reserve = reserve
        self._make_room = make_room
        self._busy = threading.Lock()

    def push(self, data: bytes) -> None:
        """Consume bytes of the body, and write the chunks that they complete.

        Raises:
            TextSegmentError: As raised by ``VolumeDecoder.push``, ``PartialVolume.add`` and ``reserve``.
        """
        with self._busy:
            for chunk, raw in self._decoder.push(data):
                if chunk == 0:
                    assert self._decoder.header is not None
                    self.partial.begin(self._decoder.header)
                self._reserve(len(raw))
                self.partial.add(raw, self._make_room)

    def finish(self) -> None:
        """Check that the body ended where the volume does; see ``VolumeDecoder.finish``."""
        self._decoder.finish()

    def settle(self) -> None:
        """Wait until no thread is inside ``push``."""
        with self._busy:
            pass


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise store_full() from error
        raise StorageError(
            "The server cannot keep the volume.", "Ask its operator to look at the disk."
        ) from error


def store_full() -> StorageError:
    """Return the error for a volume that does not fit in the store."""
    return StorageError("The server has no room for this volume.", "Try again later, or ask its operator.")
