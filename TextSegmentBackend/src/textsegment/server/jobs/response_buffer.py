"""Answers that their readers have not taken yet: so far the engine may run ahead of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from textsegment.server.http.body import ClientGoneError


class ResponseBuffer:
    """Frames of all answers that wait for their readers, bounded together.

    An engine that has computed is free for others, however slowly its reader takes the answer. Where there is
    no room, the engine has to wait for its own reader: in step with one that takes everything at once, and
    for a bounded time with any other.

    Args:
        patience_s: So long in all the engine waits for the reader of one answer.
        max_bytes: Of all frames, but for one frame of each job that computes.
    """

    def __init__(self, reader_wait_s: float, max_bytes: int = 2**25) -> None:
        self._reader_wait_s = reader_wait_s
        self._max_bytes = max_bytes
        self._bytes = 0
        self._taken: asyncio.Future[None] | None = None  # whoever waits for room makes it

    async def run_ahead(
        self, frames: AsyncIterator[bytes], done: Callable[[], None], hang_up: Callable[[], None]
    ) -> AsyncGenerator[bytes, None]:
        """Yield frames of one answer, and run their source ahead of whoever takes them.

        A frame counts until the next one is asked for. Closing the iterator ends a wait for the source.

        Args:
            frames: The caller closes them, behind this iterator.
            done: Called when they have come to their end.
            hang_up: Called when patience has come to its end.

        Raises:
            ClientGoneError: The same.
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
        """Add a frame that fits, or is alone in its box; return when all is within the bound."""
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
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with its result.
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
    """What waits for one reader."""

    def __init__(self, reader_wait_s: float) -> None:
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.bytes = 0
        self.reader_wait_s = reader_wait_s
