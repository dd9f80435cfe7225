"""Connections of urllib3 that another thread can break, and that know what they wait for."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from textsegment.errors import CancelledError


class ConnectionGuard:
    """The one connection that a transport has at a time.

    Args:
        send_s: How long a piece of a request may take to be sent.
        silence_s: How long a server that has begun to answer may be silent.
    """

    def __init__(self, send_s: float, silence_s: float) -> None:
        self.send_s = send_s
        self.silence_s = silence_s
        self._handle: socket.socket | None = None
        self._is_cut = False
        self._lock = threading.Lock()

    def take(self, sock: socket.socket) -> None:
        """Watch a fresh socket instead of the one before.

        Raises:
            CancelledError: The connection was cut.
        """
        with self._lock:
            self._drop()
            if self._is_cut:
                sock.close()
                raise CancelledError("The connection was closed.")
            # TLS takes the socket over and leaves this object void; a second handle stays good.
            self._handle = sock.dup()

    def hang_up(self) -> None:
        """Break the present connection, whatever it waits for; a new one may follow."""
        with self._lock:
            self._drop()

    def cut(self) -> None:
        """Break the present connection, whatever it waits for, and let no new one begin."""
        with self._lock:
            self._is_cut = True
            self._drop()

    def _drop(self) -> None:
        if self._handle is None:
            return
        with contextlib.suppress(OSError):  # the other side may have closed it
            self._handle.shutdown(socket.SHUT_RDWR)
        self._handle.close()
        self._handle = None


class GuardedAdapter(HTTPAdapter):
    """Adapter of requests whose connections are guarded.

    Args:
        guard: Watches them.
        context: How certificates are checked; None for plain http.
    """

    def __init__(self, guard: ConnectionGuard, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._pools = _pools_of(guard)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools; called by requests."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools of connections through a proxy; called by requests."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Connection(HTTPConnection):
    guard: ConnectionGuard

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self.guard.take(sock)
        return sock

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.guard.send_s)
        super().send(data)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        sock = self.sock
        response = super().getresponse()
        sock.settimeout(self.guard.silence_s)
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    pass


def _pools_of(guard: ConnectionGuard) -> dict[str, type[HTTPConnectionPool]]:
    plain = type("GuardedConnection", (_Connection,), {"guard": guard})
    tls = type("GuardedTlsConnection", (_TlsConnection,), {"guard": guard})
    return {
        "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("GuardedTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
