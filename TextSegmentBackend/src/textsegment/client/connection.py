"""urllib3 connections with deadlines that another thread can break."""

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

# How often a postponed deadline is re-examined.
_LOOK_S = 5.0


class Deadline:
    """A timer that runs an action unless it is postponed or cancelled first.

    Args:
        seconds: Time from now until the action runs.
        action: Function to run, in another thread.

    Attributes:
        has_passed: Whether the deadline has passed.
    """

    def __init__(self, seconds: float, action: Callable[[], object]) -> None:
        self.has_passed = False
        self._action = action
        self._is_over = threading.Event()
        self.put_off(seconds)
        threading.Thread(target=self._watch, name="textsegment-deadline", daemon=True).start()

    def put_off(self, seconds: float) -> None:
        """Move the deadline to the given number of seconds from now."""
        self._moment = time.monotonic() + seconds

    def end(self) -> None:
        """Cancel the deadline."""
        self._is_over.set()

    def _watch(self) -> None:
        while (left := self._moment - time.monotonic()) > 0:
            if self._is_over.wait(min(left, _LOOK_S)):
                return
        self.has_passed = True
        self._action()


class ConnectionGuard:
    """Guard of the single connection that a transport has open at a time.

    Args:
        send_s: Seconds allowed for sending one piece of a request.
        answer_s: Seconds allowed in total for the headers of a response.
        silence_s: Seconds for which a server that has begun to respond may be silent.
    """

    def __init__(self, send_s: float, answer_s: float, silence_s: float) -> None:
        self.send_s = send_s
        self.answer_s = answer_s
        self.silence_s = silence_s
        self._handle: socket.socket | None = None
        self._is_cut = False
        self._lock = threading.Lock()

    def take(self, sock: socket.socket) -> None:
        """Guard a new socket in place of the previous one.

        Raises:
            CancelledError: The guard was cut.
        """
        with self._lock:
            self._drop()
            if self._is_cut:
                sock.close()
                raise CancelledError("The connection was closed.")
            # TLS takes over the socket and detaches this object; a duplicated handle stays valid.
            self._handle = sock.dup()

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Break the connection if the block takes longer than the given time.

        A socket timeout restarts with every byte, so it does not stop a server that trickles its response.

        Raises:
            TimeoutError: The block took longer.
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
        if deadline.has_passed:  # a premature end is not always an error: headers may simply stop
            raise TimeoutError("The answer comes in too slowly.")

    def hang_up(self) -> None:
        """Break the current connection, whatever it is waiting for; a new one may follow."""
        with self._lock:
            self._drop()

    def cut(self) -> None:
        """Break the current connection, whatever it is waiting for, and allow no new one."""
        with self._lock:
            self._is_cut = True
            self._drop()

    def _drop(self) -> None:
        if self._handle is None:
            return
        with contextlib.suppress(OSError):  # the peer may have closed it already
            self._handle.shutdown(socket.SHUT_RDWR)
        self._handle.close()
        self._handle = None


class GuardedAdapter(HTTPAdapter):
    """Adapter for ``requests`` whose connections are guarded.

    Args:
        guard: Guard that watches the connections.
        context: TLS context that verifies certificates; None for plain http.
    """

    def __init__(self, guard: ConnectionGuard, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._pools = _pools_of(guard)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the connection pools; called by ``requests``."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create the pools of connections through a proxy; called by ``requests``."""
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
        with self.guard.within(self.guard.answer_s):  # the proxy responds as well
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
