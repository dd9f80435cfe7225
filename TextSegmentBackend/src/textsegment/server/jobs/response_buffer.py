"""Buffer for responses, which lets the engine run ahead of slow readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from textsegment.server.http.body import ClientGoneError


class ResponseBuffer:
    """Frames of all responses that wait for their readers, with a common limit.

    An engine that has finished computing is free for other jobs, however slowly the response is read. When
    the buffer is full, the engine has to wait for its own reader: in step with one that takes everything at
    once, and for a limited time with any other.

    Args:
        reader_wait_s: Total time that the engine waits for the reader of one response.
        max_bytes: Maximum size of all frames, not counting one frame of each running job.
    """

    def __init__(self, reader_wait_s: float, max_bytes: int = 2**25) -> None:
        self._reader_wait_s = reader_wait_s
        self._max_bytes = max_bytes
        self._bytes = 0
        self._taken: asyncio.Future[None] | None = None  # created by whoever waits for room

    async def run_ahead(
        self, frames: AsyncIterator[bytes], done: Callable[[], None], hang_up: Callable[[], None]
    ) -> AsyncGenerator[bytes, None]:
        """Yield the frames of one response, while their source runs ahead of the reader.

        A frame counts toward the limit until the next one is requested. Closing the iterator stops the
        source.

        Args:
            frames: Source of the frames; the caller closes it after this iterator.
            done: Called when the source is exhausted.
            hang_up: Called when the reader has been waited for too long.

        Raises:
            ClientGoneError: If the reader has been waited for too long.
        """
        box = _Box(self._reader_wait_s)
        filling = asyncio.create_task(self._fill(box, frames, done, hang_up))
        try:
            while (frame := await box.frames.get()) is not None:
                yield frame
                self._take(box, len(frame))
            await filling
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
            self._take(box, box.bytes)

    async def _fill(
        self,
        box: _Box,
        frames: AsyncIterator[bytes],
        done: Callable[[], None],
        hang_up: Callable[[], None],
    ) -> None:
        try:
            async for frame in frames:
                await self._put(box, frame)
            done()
        except ClientGoneError:
            hang_up()
            raise
        finally:
            box.frames.put_nowait(None)

    async def _put(self, box: _Box, frame: bytes) -> None:
        """Add a frame once it fits or its box is empty; return when the limit is met or the box is empty."""
        await self._wait(box, lambda: self._bytes + len(frame) <= self._max_bytes or not box.bytes)
        self._bytes += len(frame)
        box.bytes += len(frame)
        box.frames.put_nowait(frame)
        await self._wait(box, lambda: self._bytes <= self._max_bytes or not box.bytes)

    async def _wait(self, box: _Box, condition: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while not condition():
            if self._taken is None:
                self._taken = loop.create_future()
            begin = loop.time()
            # Not wait_for, which before Python 3.12 swallows a cancellation that coincides with the result.
            done, _ = await asyncio.wait((self._taken,), timeout=box.reader_wait_s)
            if not done:
                raise ClientGoneError
            box.reader_wait_s -= loop.time() - begin

    def _take(self, box: _Box, count: int) -> None:
        self._bytes -= count
        box.bytes -= count
        if self._taken is not None:
            self._taken.set_result(None)
            self._taken = None


class _Box:
    """Frames that wait for one reader."""

    def __init__(self, reader_wait_s: float) -> None:
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.bytes = 0
        self.reader_wait_s = reader_wait_s
