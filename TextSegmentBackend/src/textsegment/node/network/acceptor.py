"""The listening side of associations: pynetdicom's, with the limits that it lacks."""

from __future__ import annotations

import gc
import logging
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from textsegment.server.logs import log

ANNOUNCED_PDU = 2**17
"""Largest unit of the protocol that we announce; dcmtk and others send no larger ones."""
LONGEST_PDU = 2**20
"""Largest unit of the protocol that is read; requests hold at most 128 contexts."""
_CONNECTIONS_TO_COLLECT = 100  # those that have ended leave circular references


class Acceptor(ThreadedAssociationServer):
    """Server that checks addresses first, and shakes hands in the thread of the connection."""

    daemon_threads = True
    request_queue_size = 64
    tls: ssl.SSLContext | None
    handshake_s: float
    admits: Callable[[str, Sequence[str]], bool]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._begun: WeakKeyDictionary[object, float] = WeakKeyDictionary()
        self._connections = 0  # since garbage was collected
        super().__init__(*args, **kwargs)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether a connection may be opened; if not, it is closed."""
        addresses = [str(association.requestor.address) for association in self.active_associations]
        return type(self).admits(str(client_address[0]), addresses)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands if there is TLS, then begin the association."""
        self._connections += 1
        if self.tls is not None:
            request.settimeout(self.handshake_s)
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except OSError:
                log("association_rejected", reason="tls", is_bounded=True)
                self.shutdown_request(request)
                return
        request.settimeout(self.handshake_s)
        super().process_request_thread(request, client_address)

    def service_actions(self) -> None:
        """End connections that have not become associations in time, however slowly they talk."""
        # Not the library's own actions: it collects garbage every minute, which beside a loaded model takes
        # a tenth of a second in which nothing else happens.
        if self._connections >= _CONNECTIONS_TO_COLLECT:
            self._connections = 0
            gc.collect()
        now = time.monotonic()
        for association in self.active_associations:
            begun = self._begun.setdefault(association, now)
            if not association.is_established and now - begun > self.handshake_s:
                disconnect(association)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log that a connection failed, without what the peer has sent."""
        log("association_failed", level=logging.WARNING, is_bounded=True)


class Handler(RequestHandler):
    """Begins associations that refuse to read more than the longest unit of the protocol at once."""

    def _create_association(self) -> Any:
        association = super()._create_association()
        connection = association.dul.socket
        assert connection is not None
        read = connection.recv

        def bounded(count: int) -> bytearray:
            if count > LONGEST_PDU:
                raise OSError("too long")
            return read(count)

        connection.recv = bounded  # type: ignore[assignment,method-assign]
        return association


def disconnect(association: Any) -> None:
    """Break the connection of an association, whatever it is doing."""
    connection = association.dul.socket.socket if association.dul.socket else None
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
