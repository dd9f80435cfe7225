"""Uploaded volumes: on disk, bounded, for a while, and each only for the owner who brought it."""

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
from textsegment.wire.volume_header import VolumeHeader

# What a small volume counts for, so that their number is bounded too.
_LEAST_BYTES = 2**20

Name = tuple[str, str]
"""Owner and digest: a digest alone opens nothing."""


@dataclass(eq=False)
class StoredVolume:
    """A complete volume.

    Attributes:
        header: Grid, type, modality.
        file: The bare voxels.
        touched: When it was last asked for, on the monotonic clock.
        users: Jobs that need it now.
    """

    header: VolumeHeader
    file: StoredFile
    touched: float
    users: int = 0

    @property
    def voxels(self) -> Path:
        """File with the bare voxels."""
        return self.file.path


class VolumeStore:
    """Volumes and broken uploads in a private folder.

    What exists counts, not what was announced. Without room, or with a full disk, something goes: what nobody
    uses, the least recently used first, of owners above their share; then uploads of such, if it is for one
    below; then what nobody uses of others. All who have anything here have equal shares.

    What has vanished from the folder, or was changed there, is forgotten when it is asked for: it can be
    uploaded again. Safe to use from several threads.

    Args:
        folder: For the files.
        limits: Of one volume.
        max_bytes: Of all together.
        expiry_s: A volume or broken upload that nobody touches for so long is forgotten.
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
        """All that is there."""
        return sum(self._bytes_by_owner().values())

    @property
    def uploads(self) -> int:
        """Uploads that are on their way."""
        return len(self._active)

    def uploads_of(self, owner: str) -> int:
        """Uploads of one owner that are on their way."""
        return sum(name[0] == owner for name in self._active.values())

    def is_arriving(self, name: Name) -> bool:
        """Whether an upload of a volume is on its way, or has broken and has not been put aside yet."""
        return name in self._active.values()

    def next_chunk(self, name: Name) -> int:
        """Return how many chunks of a volume are there, broken uploads included."""
        with self._lock:
            if (volume := self._touch(name)) is not None:
                return volume.header.chunk_count
            partial = self._look_at_parked(name)
            return 0 if partial is None else partial.next_chunk

    def has(self, name: Name) -> bool:
        """Whether the volume is complete; asking keeps it from expiring."""
        with self._lock:
            return self._touch(name) is not None

    @contextmanager
    def using(self, name: Name) -> Iterator[StoredVolume]:
        """Keep a volume from being thrown out while the block runs.

        Raises:
            VolumeUnknownError: It is not there, or not complete.
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
        """Take in a volume while the block runs; it is complete when ``complete`` was called before its end.

        What is there when the block ends otherwise is kept for the next upload of the same name. Several at
        once are harmless: each has its own file.
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
        except StorageError:  # room for others
            upload.settle()
            partial.discard()
            raise
        finally:
            upload.settle()
            with self._lock:
                del self._active[partial]
                self._park(name, partial)

    def complete(self, name: Name, upload: Upload) -> None:
        """Turn a whole upload into a volume.

        Raises:
            RequestError: Chunks are missing.
            ChecksumError: It is not the volume that was announced; nothing of it is kept.
            VolumeInvalidError: Its values cannot be segmented; nothing of it is kept.
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
        """Forget what nobody has touched for long."""
        oldest = time.monotonic() - self._expiry_s
        with self._lock:
            for name in [n for n, v in self._volumes.items() if v.touched < oldest and not v.users]:
                self._volumes.pop(name).voxels.unlink(missing_ok=True)
            for name in [n for n, p in self._parked.items() if p.touched < oldest]:
                self._parked.pop(name).discard()

    def clear(self) -> None:
        """Forget everything, at the end of the server."""
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
        """Make room for bytes that are about to be written."""
        with self._lock:
            while self.bytes + count > self._max_bytes:
                self._make_room(owner)
            partial.bytes += count

    def _make_room(self, owner: str) -> None:
        """Remove something, for an upload of ``owner``.

        Raises:
            StorageError: All is in use, and the owner has its share.
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
