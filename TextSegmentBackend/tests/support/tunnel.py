"""A proxy that leads to one port, whatever name it is asked for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Tunnel:
    """Answers CONNECT.

    Args:
        port: On this computer.
        refusal: Status to answer with instead.

    Attributes:
        heads: What clients said to the proxy.
    """

    def __init__(self, port: int = 0, refusal: str = "") -> None:
        self.heads: list[bytes] = []
        self._port = port
        self._refusal = refusal
        self._socket = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:  # the test is over
                return
            self.heads.append(client.recv(65536))
            if self._refusal:
                client.sendall(f"HTTP/1.1 {self._refusal}\r\n\r\n".encode())
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._port))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=_relay, args=(client, server), daemon=True).start()

    @contextmanager
    def running(self) -> Iterator[Tunnel]:
        """Work until the block ends."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            thread.join(5)


def _relay(client: socket.socket, server: socket.socket) -> None:
    with client, server:
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
