"""Resuming a job after its worker or replica has died, without the client noticing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from textsegment.errors import TextSegmentError
from textsegment.segmenter import Progress
from textsegment.server.engines.engine import StoredRequest
from textsegment.wire.frames import FrameKind, encode_frame, split_frame
from textsegment.wire.mask_codec import mask_structure
from textsegment.wire.strict_json import read_object

Attempt = Callable[[StoredRequest], AsyncGenerator[bytes, None]]
"""Function that runs a job once; see ``Engine.run``."""


async def resumed(
    attempt: Attempt, work: StoredRequest, retry_on: tuple[type[TextSegmentError], ...], tries: int = 2
) -> AsyncGenerator[bytes, None]:
    """Run a job, and after certain errors run what is still missing again.

    No mask is yielded twice, and progress never decreases.

    Args:
        attempt: Function that runs the job once.
        work: Request to carry out.
        retry_on: Errors after which the job is attempted again.
        tries: Maximum number of attempts.

    Yields:
        Encoded frames; see ``Engine.run``.

    Raises:
        TextSegmentError: Any other error, or the error of the last attempt.
    """
    sent: set[str] = set()
    reached = 0.0
    for tries_left in reversed(range(tries)):
        # If all masks were sent, only the last frame is missing: one prompt is repeated to get it.
        prompts = tuple(p for p in work.prompts if p.text not in sent) or work.prompts[:1]
        if work.tidy:
            prompts = work.prompts  # a whole is tidied by its parts, which may have been sent
        floor = reached
        try:
            async with aclosing(attempt(replace(work, prompts=prompts))) as frames:
                async for frame in frames:
                    kind, payload = split_frame(frame)
                    if kind is FrameKind.MASK:
                        structure = mask_structure(payload)
                        if structure in sent:
                            continue
                        sent.add(structure)
                        yield frame
                    elif kind is FrameKind.PROGRESS:
                        progress = _progress(payload, floor)
                        reached = max(reached, progress.fraction)
                        yield encode_frame(progress)
                    else:
                        yield frame
            return
        except retry_on:
            if not tries_left:
                raise


def _progress(payload: bytes, floor: float) -> Progress:
    given = read_object(payload, "Progress")
    return Progress(floor + (1 - floor) * given.real("fraction", 0, 1), given.text("stage", 64))
