"""What computes behind the server: worker processes on this computer, or a cluster."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import LimitExceededError
from textsegment.prompt import Prompt
from textsegment.segmenter import ModelInfo
from textsegment.wire.volume_header import VolumeHeader


@dataclass(frozen=True)
class StoredRequest:
    """One job.

    Attributes:
        digest: Of the volume; jobs with the same digest are quicker where the last one ran.
        header: Grid, type and modality of the volume.
        voxels: File with the bare voxels, little endian in C order; it stays there as long as the job runs.
        prompts: What to look for, each once.
        effort: How much of the volume is computed.
    """

    digest: str
    header: VolumeHeader
    voxels: Path
    prompts: tuple[Prompt, ...]
    effort: Effort = WHOLE_IMAGE


class Engine(Protocol):
    """Runs jobs, some at once; which one comes next is not its business (see ``schedule``)."""

    @property
    def slots(self) -> int:
        """How many jobs run at once; may change while the server runs."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether a job would be computed now, or soon: not while all that computes is starting or hangs."""
        ...

    async def start(self) -> ModelInfo:
        """Load the model and say what answers.

        Raises:
            TextSegmentError: It cannot work: weights, device, memory.
        """
        ...

    async def stop(self) -> None:
        """End everything that was started, running jobs included; harmless when called twice."""
        ...

    def run(self, work: StoredRequest) -> AsyncGenerator[bytes, None]:
        """Run a job.

        Yields:
            Encoded frames (``wire.frames.encode_frame``) of the kinds PROG, MASK and, last, DONE; each
            prompt has exactly one mask before DONE.

        Closing the iterator (``aclose``, or cancelling the task that waits for it) cancels the job; it
        returns when the slot is free again.

        Raises:
            EngineLostError: What computed died.
            TextSegmentError: Any failure of the job, typed.
        """
        ...


def took_too_long(job_time_s: float) -> LimitExceededError:
    """Return the error for a job that was given up because it took too long."""
    return LimitExceededError(
        f"The job took longer than the {job_time_s:.0f} s that are accepted.",
        "Ask for fewer structures, or ask the operator of the server.",
    )
