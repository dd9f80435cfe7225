"""Connections of urllib3 that another thread can break, and that know what they wait for."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from textsegment.errors import CancelledError

# So often a deadline is looked at that was put off.
_LOOK_S = 5.0


class Deadline:
    """A moment at which something happens, unless it is put off or ended before.

    Args:
        seconds: From now on.
        action: What happens, in another thread.

    Attributes:
        has_passed: Whether it has happened.
    """

    def __init__(self, seconds: float, action: Callable[[], object]) -> None:
        self.has_passed = False
        self._action = action
        self._is_over = threading.Event()
        self.put_off(seconds)
        threading.Thread(target=self._watch, name="textsegment-deadline", daemon=True).start()

    def put_off(self, seconds: float) -> None:
        """Set it to so many seconds from now."""
        self._moment = time.monotonic() + seconds

    def end(self) -> None:
        """Let it not happen any more."""
        self._is_over.set()

    def _watch(self) -> None:
        while (left := self._moment - time.monotonic()) > 0:
            if self._is_over.wait(min(left, _LOOK_S)):
                return
        self.has_passed = True
        self._action()


class ConnectionGuard:
    """The one connection that a transport has at a time.

    Args:
        send_s: How long a piece of a request may take to be sent.
        answer_s: How long the head of an answer may take in all.
        silence_s: How long a server that has begun to answer may be silent.
    """

    def __init__(self, send_s: float, answer_s: float, silence_s: float) -> None:
        self.send_s = send_s
        self.answer_s = answer_s
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

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Break the connection if the block takes longer.

        The timeout of a socket begins anew with every byte, and so is none for a server that drips.

        Raises:
            TimeoutError: It took longer.
        """
        deadline = Deadline(seconds, self.hang_up)
        try:
            yield deadline
        except Exception as error:
            if deadline.has_passed:
                raise TimeoutError("The answer comes in too slowly.") from error
            raise
        finally:
            deadline.end()
        if deadline.has_passed:  # an end too soon is not always an error: headers may just end
            raise TimeoutError("The answer comes in too slowly.")

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

    def _tunnel(self) -> None:
        with self.guard.within(self.guard.answer_s):  # a proxy answers, too
            super()._tunnel()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        sock = self.sock
        response: HTTPResponse | None = None
        try:
            with self.guard.within(self.guard.answer_s):
                response = super().getresponse()
        except TimeoutError:
            if response is not None:
                response.close()
            raise
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
