"""The engine behind the server: worker processes on this computer, or a cluster."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from textsegment.caution import Caution
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import LimitExceededError
from textsegment.prompt import Prompt
from textsegment.segmenter import ModelInfo
from textsegment.wire.volumes.header import VolumeHeader


@dataclass(frozen=True)
class StoredRequest:
    """A request whose volume is stored on the server.

    Attributes:
        digest: Digest of the volume; a job runs faster where the last job with the same digest ran.
        header: Grid, data type and modality of the volume.
        voxels: File with the raw voxels, little-endian in C order; it exists as long as the job runs.
        prompts: Prompts, each once.
        effort: How much of the volume to compute.
        correction: Body of ``POST /v1/correct``; empty if the prompts are to be segmented.
        tidy: Whether the masks are tidied by rules of anatomy; then all of them come at the end.
    """

    digest: str
    header: VolumeHeader
    voxels: Path
    prompts: tuple[Prompt, ...]
    effort: Effort = WHOLE_IMAGE
    correction: bytes = b""
    tidy: bool = False


class Engine(Protocol):
    """Runs jobs, several at once; their order is decided elsewhere (see ``schedule``)."""

    @property
    def slots(self) -> int:
        """Number of jobs that can run at once; may change while the server runs."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether a job would be computed soon; False while all workers are starting or hang."""
        ...

    async def start(self) -> ModelInfo:
        """Load the model and return its description.

        Raises:
            TextSegmentError: If the engine cannot start, for lack of weights, a device or memory.
        """
        ...

    async def stop(self) -> None:
        """Stop everything, including running jobs; may be called more than once."""
        ...

    def run(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        """Run a job and stream its frames.

        Yields:
            Encoded frames (``wire.frames.encode_frame``): progress and other events, exactly one MASK for
            each prompt, or for the correction, and, last, DONE.

        Closing the iterator (``aclose``, or cancelling the task that awaits it) cancels the job, and returns
        once the slot is free again.

        Raises:
            EngineLostError: If the process that computes dies.
            TextSegmentError: If the job fails for any other reason.
        """
        ...


def took_too_long(job_time_s: float) -> LimitExceededError:
    """Return the error for a job that exceeded the time limit of ``job_time_s`` seconds."""
    return LimitExceededError(
        Caution("limit_job_time", most_s=job_time_s),
        "Ask for fewer structures, or ask the operator of the server.",
    )
