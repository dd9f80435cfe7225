"""What stands between a client and a server: a network that breaks, a proxy."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Relay:
    """Passes connections on to a port of this computer.

    Args:
        port: Where to; 0 for nowhere: callers are hung up.

    Attributes:
        most_bytes: Connections break when the client has sent more; taken back to None by that.
        sent_bytes: What clients have sent in all.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.most_bytes: int | None = None
        self.sent_bytes = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Break all connections."""
        for end in tuple(self._open):
            _shut(end)

    def admit(self, client: socket.socket) -> bool:
        """Greet a client; return whether it may pass."""
        return self.port != 0

    @contextmanager
    def running(self) -> Iterator[Relay]:
        """Work until the block ends."""
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            _shut(self._listener)
            self._listener.close()
            self.cut()
            thread.join(60)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if not self.admit(client):
                return
            with socket.create_connection(("127.0.0.1", self.port)) as server:
                ends = {client, server}
                self._open |= ends
                back = threading.Thread(target=self._pump, args=(server, client, False), daemon=True)
                back.start()
                self._pump(client, server, True)
                back.join()
                self._open -= ends

    def _pump(self, source: socket.socket, sink: socket.socket, is_counted: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                self.sent_bytes += len(data) if is_counted else 0
                if is_counted and self.most_bytes is not None and passed > self.most_bytes:
                    self.most_bytes = None
                    break
                sink.sendall(data)
        _shut(source)
        _shut(sink)


class Tunnel(Relay):
    """A proxy that answers CONNECT and leads to one port, whatever name it is asked for.

    Args:
        port: Where to.
        refusal: Status to answer with instead.

    Attributes:
        heads: What clients said to the proxy.
    """

    def __init__(self, port: int = 0, refusal: str = "") -> None:
        super().__init__(port)
        self.heads: list[bytes] = []
        self._refusal = refusal

    def admit(self, client: socket.socket) -> bool:
        """Answer CONNECT."""
        self.heads.append(client.recv(65536))
        client.sendall(f"HTTP/1.1 {self._refusal or '200 OK'}\r\n\r\n".encode())
        return not self._refusal


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
