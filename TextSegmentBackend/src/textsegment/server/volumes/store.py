"""Store of uploaded volumes on disk: limited in size and time, each accessible to its owner only."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path

from textsegment.errors import StorageError, TextSegmentError, VolumeUnknownError
from textsegment.server.volumes.private_folder import PrivateFolder
from textsegment.server.volumes.stored_file import StoredFile
from textsegment.server.volumes.upload import PartialVolume, Upload, store_full
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.header import VolumeHeader

# Minimum size that a volume counts for, which also limits the number of volumes.
_LEAST_BYTES = 2**20

Name = tuple[str, str]
"""Owner and digest, since a digest alone grants no access."""


@dataclass(eq=False)
class StoredVolume:
    """A complete volume in the store.

    Attributes:
        header: Grid, data type and modality.
        file: File with the raw voxels.
        touched: Time of the last access, on the monotonic clock.
        users: Number of jobs that are using it.
    """

    header: VolumeHeader
    file: StoredFile
    touched: float
    users: int = 0

    @property
    def voxels(self) -> Path:
        """Path of the file with the raw voxels."""
        return self.file.path


class VolumeStore:
    """Complete volumes and interrupted uploads in a private folder.

    Sizes are counted as stored, not as announced. All owners of anything in the store have equal shares of
    it. When the store or the disk is full, unused volumes of owners above their share go first, least
    recently used first. For an owner below its share, active uploads of owners above theirs go next, then
    unused volumes of any owner.

    Files that have vanished from the folder or were changed there are noticed on access and forgotten; they
    can be uploaded again. The store is thread-safe.

    Args:
        folder: Private folder for the files.
        limits: Limits of a single volume.
        max_bytes: Maximum size of all volumes and uploads.
        expiry_s: Seconds without access after which a volume or interrupted upload is dropped.
    """

    def __init__(self, folder: PrivateFolder, limits: Limits, max_bytes: int, expiry_s: float) -> None:
        self._folder = folder
        self._limits = limits
        self._max_bytes = max_bytes
        self._expiry_s = expiry_s
        self._lock = threading.RLock()
        self._volumes: dict[Name, StoredVolume] = {}  # least recently used first
        self._parked: dict[Name, PartialVolume] = {}  # oldest first
        self._active: dict[PartialVolume, Name] = {}  # oldest first

    @property
    def bytes(self) -> int:
        """Size of all volumes and uploads in bytes."""
        return sum(self._bytes_by_owner().values())

    @property
    def uploads(self) -> int:
        """Number of active uploads."""
        return len(self._active)

    def uploads_of(self, owner: str) -> int:
        """Return the number of active uploads of an owner."""
        return sum(name[0] == owner for name in self._active.values())

    def is_arriving(self, name: Name) -> bool:
        """Return whether an upload of a volume is active, or interrupted but not put aside yet."""
        return name in self._active.values()

    def next_chunk(self, name: Name) -> int:
        """Return how many chunks of a volume are stored, including those of an interrupted upload."""
        with self._lock:
            if (volume := self._touch(name)) is not None:
                return volume.header.chunk_count
            partial = self._look_at_parked(name)
            return 0 if partial is None else partial.next_chunk

    def has(self, name: Name) -> bool:
        """Return whether a volume is complete; asking resets its expiry."""
        with self._lock:
            return self._touch(name) is not None

    @contextmanager
    def using(self, name: Name) -> Iterator[StoredVolume]:
        """Keep a volume from being dropped while the block runs.

        Raises:
            VolumeUnknownError: If the volume is missing or incomplete.
        """
        with self._lock:
            volume = self._touch(name)
            if volume is None:
                raise VolumeUnknownError("The server does not hold this volume.", "Upload it again.")
            volume.users += 1
        try:
            yield volume
        finally:
            with self._lock:
                volume.users -= 1
                self._touch(name)

    @contextmanager
    def upload(self, name: Name) -> Iterator[Upload]:
        """Receive a volume while the block runs; ``complete`` must be called before its end.

        If the block ends without it, the chunks so far are kept for the next upload of the same name.
        Simultaneous uploads do not disturb each other, because each has its own file.
        """
        with self._lock:
            partial = self._look_at_parked(name) or PartialVolume(self._folder.new_file())
            self._parked.pop(name, None)
            self._active[partial] = name
        upload = Upload(
            self._limits, partial, bind(self._reserve, partial, name[0]), bind(self._make_room, name[0])
        )
        try:
            yield upload
        except StorageError:  # makes room for others
            upload.settle()
            partial.discard()
            raise
        finally:
            upload.settle()
            with self._lock:
                del self._active[partial]
                self._park(name, partial)

    def complete(self, name: Name, upload: Upload) -> None:
        """Turn a finished upload into a stored volume.

        Raises:
            RequestError: If chunks are missing.
            ChecksumError: If it is not the volume that was announced; nothing of it is kept.
            VolumeInvalidError: If its values cannot be segmented; nothing of it is kept.
        """
        upload.finish()
        try:
            header = upload.partial.prove(name[1])
        except TextSegmentError:
            upload.partial.discard()
            raise
        with self._lock:
            if self._touch(name) is not None:
                upload.partial.discard()
            else:
                self._volumes[name] = StoredVolume(header, upload.partial.hand_over(), time.monotonic())

    def expire(self) -> None:
        """Drop volumes and interrupted uploads that have not been accessed for too long."""
        oldest = time.monotonic() - self._expiry_s
        with self._lock:
            for name in [n for n, v in self._volumes.items() if v.touched < oldest and not v.users]:
                self._volumes.pop(name).voxels.unlink(missing_ok=True)
            for name in [n for n, p in self._parked.items() if p.touched < oldest]:
                self._parked.pop(name).discard()

    def clear(self) -> None:
        """Drop everything, when the server stops."""
        with self._lock:
            for volume in self._volumes.values():
                volume.voxels.unlink(missing_ok=True)
            for partial in self._parked.values():
                partial.discard()
            self._volumes.clear()
            self._parked.clear()

    def _touch(self, name: Name) -> StoredVolume | None:
        volume = self._volumes.pop(name, None)
        if volume is None:
            return None
        now = time.monotonic()
        is_old = volume.users == 0 and now - volume.touched > self._expiry_s
        if is_old or not volume.file.is_intact:
            volume.voxels.unlink(missing_ok=True)
            return None
        volume.touched = now
        self._volumes[name] = volume
        return volume

    def _look_at_parked(self, name: Name) -> PartialVolume | None:
        partial = self._parked.get(name)
        if partial is not None and not partial.is_intact:
            self._parked.pop(name).discard()
            return None
        return partial

    def _park(self, name: Name, partial: PartialVolume) -> None:
        other = self._parked.get(name)
        if other is not None and other.next_chunk >= partial.next_chunk:
            partial.discard()
        elif partial.next_chunk > 0 and name not in self._volumes:
            if other is not None:
                other.discard()
            self._parked[name] = partial
        else:
            partial.discard()

    def _reserve(self, partial: PartialVolume, owner: str, count: int) -> None:
        """Make and reserve room for bytes that are about to be written."""
        with self._lock:
            while self.bytes + count > self._max_bytes:
                self._make_room(owner)
            partial.bytes += count

    def _make_room(self, owner: str) -> None:
        """Remove one volume or upload to make room for an upload of ``owner``.

        Raises:
            StorageError: If there is nothing that may be removed for this owner.
        """
        with self._lock:
            held = self._bytes_by_owner()
            own = held[owner]
            share = self._max_bytes / len(held)
            heaviest_first = sorted(held, key=lambda one: held[one], reverse=True)
            above = [other for other in heaviest_first if held[other] > share]
            if any(map(self._evict_idle, above)):
                return
            if own < share:
                if any(map(self._give_up_upload, (other for other in above if other != owner))):
                    return
                if any(map(self._evict_idle, heaviest_first)):
                    return
            elif self._evict_idle(owner):
                return
            raise store_full()

    def _give_up_upload(self, owner: str) -> bool:
        newest = next((p for p, name in reversed(self._active.items()) if name[0] == owner and p.bytes), None)
        if newest is not None:
            newest.give_up()
        return newest is not None

    def _evict_idle(self, owner: str) -> bool:
        broken = next((name for name in self._parked if name[0] == owner), None)
        if broken is not None:
            self._parked.pop(broken).discard()
            return True
        idle = next((n for n, volume in self._volumes.items() if n[0] == owner and not volume.users), None)
        if idle is not None:
            self._volumes.pop(idle).voxels.unlink(missing_ok=True)
        return idle is not None

    def _bytes_by_owner(self) -> dict[str, int]:
        held: dict[str, int] = defaultdict(int)
        with self._lock:
            for (owner, _), volume in self._volumes.items():
                held[owner] += max(volume.header.volume_bytes, _LEAST_BYTES)
            for (owner, _), partial in self._parked.items():
                held[owner] += max(partial.bytes, _LEAST_BYTES)
            for partial, (owner, _) in self._active.items():
                held[owner] += partial.bytes
        return held
