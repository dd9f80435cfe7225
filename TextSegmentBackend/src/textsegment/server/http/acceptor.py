"""Accepts connections, bounded from the very start rather than only after the TLS handshake."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from textsegment.server.logs import log

# The process or the computer has no resources left for another connection.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RETRY_S = 0.5
_SHUTDOWN_S = 5.0


class Acceptor:
    """Accepts connections on a listening socket, in place of the asyncio server that uvicorn uses.

    TLS handshakes are limited in duration and number. If there are too many, the oldest is closed: a genuine
    handshake takes only a moment, so a client that merely holds connections open keeps nobody out.

    Args:
        listener: Listening socket.
        make_protocol: Factory of the protocol that serves a client after the handshake.
        tls: TLS context; None for plain connections.
        handshake_s: Time limit of a handshake.
        max_handshakes: Maximum number of simultaneous handshakes.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        handshake_s: float,
        max_handshakes: int,
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._make_protocol = make_protocol
        self._max_handshakes = max_handshakes
        self._options: dict[str, object] = {}
        if tls is not None:
            self._options = {"ssl": tls, "ssl_handshake_timeout": handshake_s}
            if sys.version_info >= (3, 11):
                self._options["ssl_shutdown_timeout"] = _SHUTDOWN_S
        self._beginning: dict[asyncio.Task[None], None] = {}  # oldest first
        self._ending: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    def close(self) -> None:
        """Stop accepting connections and abort the handshakes."""
        for task in (self._accepting, *self._beginning):
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until ``close`` has taken effect."""
        await asyncio.gather(self._accepting, *self._beginning, *self._ending, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    log("no_room_for_connections", level=logging.ERROR, is_bounded=True)
                    await asyncio.sleep(_RETRY_S)
                elif self._listener.fileno() < 0:
                    return
                continue  # that client is gone already
            self._keep(loop.create_task(self._begin(connection)))
            await asyncio.sleep(0)  # a flood of connections must not starve other tasks

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._beginning[task] = None
        task.add_done_callback(lambda task: self._beginning.pop(task, None))
        if len(self._beginning) > self._max_handshakes:
            oldest = next(iter(self._beginning))
            del self._beginning[oldest]  # it may take a moment to finish
            self._ending.add(oldest)
            oldest.add_done_callback(self._ending.discard)
            oldest.cancel()

    async def _begin(self, connection: socket.socket) -> None:
        make: Any = asyncio.get_running_loop().connect_accepted_socket
        connection.setblocking(False)
        with suppress(OSError):  # includes SSLError (no TLS, or too slow); asyncio closes the socket
            await make(self._make_protocol, connection, **self._options)
