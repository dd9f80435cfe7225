"""The engine of a server in front of Ray Serve, whose jobs survive the death of replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from textsegment.errors import EngineLostError, OutOfMemoryError
from textsegment.segmenter import ModelInfo, Progress
from textsegment.server.engines.engine import StoredRequest
from textsegment.server.jobs.resume import resumed
from textsegment.server.volumes.stored_file import map_voxels
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import FrameKind, encode_frame, split_frame

# A job that kills its replica every time must not kill them all.
_TRIES = 3

# Except ``RayTaskError``, which reports a defect of ours in the replica.
_LOST = (RayError, RayServeException)


class RayEngine:
    """Runs jobs on the replicas of a deployment; see ``Engine``.

    A job continues on another replica if its own dies.

    The voxels are passed through Ray's object store: replicas on this machine read them in place, others get
    a copy.

    Args:
        handle: Handle of a deployment of ``SegmenterReplica``.
        slots: Number of jobs given to Ray at once, equal to the maximum number of replicas. Jobs that wait
            inside Ray for a replica make it start more of them.
    """

    def __init__(self, handle: DeploymentHandle, slots: int) -> None:
        self._handle = handle
        self._slots = slots
        self._is_lost = False

    @property
    def slots(self) -> int:
        """Number of jobs that are given to Ray at once."""
        return self._slots

    @property
    def is_ready(self) -> bool:
        """Whether the last job kept its replica; see ``Engine.is_ready``."""
        return not self._is_lost

    async def start(self) -> ModelInfo:
        """Wait for a replica, and return the description of its model; see ``Engine.start``."""
        try:
            info: ModelInfo = await self._handle.info.remote()
        except _LOST as error:
            raise EngineLostError(
                "No replica of the engine could be started.", "Ray's log says why."
            ) from error
        return info

    async def stop(self) -> None:
        """Do nothing: whoever started the replicas stops them. See ``Engine.stop``."""

    def run(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        """Run a job; see ``Engine.run``. Closing the iterator does not wait for the replica."""
        return resumed(self._attempt, work, retry_on=(EngineLostError,), tries=_TRIES)

    async def _attempt(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        yield encode_frame(Progress(0.0, "preparing"))  # a replica may have to start first
        voxels = await asyncio.to_thread(_share, work)
        handle = self._handle.options(stream=True, session_id=work.digest)
        response = handle.segment.remote(
            voxels, work.header, work.digest, work.prompts, work.effort, work.correction, work.tidy
        )
        try:
            async for frame in response:
                kind, payload = split_frame(frame)
                self._is_lost = False
                if kind is FrameKind.ERROR:
                    raise ErrorReport.from_json(payload).to_error()
                yield frame
        except RayTaskError:
            raise
        except _LOST as error:
            self._is_lost = True
            raise EngineLostError("The engine stopped in mid-job.", "Try again later.") from error
        finally:
            response.cancel()  # has no effect once the call has ended


def _share(work: StoredRequest) -> Any:
    """Put the voxels of a job into the object store, where they stay as long as the reference exists."""
    voxels = map_voxels(work.voxels, work.header)
    try:
        # A memmap would be copied in and out; a plain array is read in place.
        return ray.put(voxels.view(np.ndarray))
    except (ObjectStoreFullError, OutOfDiskError) as error:
        raise OutOfMemoryError(
            "Ray's object store has no room for the volume.", "Try again later."
        ) from error
