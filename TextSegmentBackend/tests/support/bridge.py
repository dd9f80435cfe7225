"""A bridge between two network namespaces: loopback in one, a socket file, loopback in the other.

As a program it is what runs inside: it starts a command there and carries its connections until it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

Open = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Bridge:
    """One side of a bridge, in a thread of its own.

    Args:
        folder: Holds the socket files.
        into: Ports of which connections go to the other side.
        out_of: Ports of this side to which connections of the other side come.
    """

    def __init__(self, folder: Path, into: Sequence[int], out_of: Sequence[int]) -> None:
        self._folder, self._into, self._out_of = folder, into, out_of
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """Break all connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        for server in self._servers:
            server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self) -> None:
        self._servers = [
            await asyncio.start_server(
                self._carrier(lambda path=self._folder / str(port): asyncio.open_unix_connection(path)),
                "127.0.0.1",
                port,
            )
            for port in self._into
        ]
        for port in self._out_of:
            path = self._folder / str(port)
            self._servers.append(
                await asyncio.start_unix_server(
                    self._carrier(lambda port=port: asyncio.open_connection("127.0.0.1", port)), path
                )
            )

    @staticmethod
    def _carrier(
        connect: Open,
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                far_reader, far_writer = await connect()
            except OSError:
                writer.transport.abort()
                return
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

        return carry


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(1 << 16):
            writer.write(block)
            await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
    with contextlib.suppress(OSError):
        writer.close()


def _main() -> None:
    wanted = json.loads(sys.argv[1])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    bridge = Bridge(Path(wanted["folder"]), wanted["into"], wanted["out_of"])
    command = subprocess.Popen(wanted["command"])
    sys.stdin.read()  # until the parent is gone or closes it
    command.terminate()
    command.wait()
    bridge.close()


if __name__ == "__main__":
    _main()
