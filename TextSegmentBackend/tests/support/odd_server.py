"""A small HTTP server that speaks the protocol, and misbehaves on purpose where a test tells it to."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from textsegment.errors import (
    TextSegmentError,
    UnauthorizedError,
    VolumeUnknownError,
)
from textsegment.segmenter import Queued
from textsegment.testing import FakeSegmenter
from textsegment.volume import Volume
from textsegment.wire import contract
from textsegment.wire.admission import require_version
from textsegment.wire.failures import ErrorReport, status_of
from textsegment.wire.frames import STREAM_MAGIC, Done, Failed, encode_frame
from textsegment.wire.limits import Limits
from textsegment.wire.messages import SegmentRequest, ServerInfo
from textsegment.wire.volumes.codec import assemble_volume
from textsegment.wire.volumes.decoder import VolumeDecoder
from textsegment.wire.volumes.header import VolumeHeader

KEY = "open-sesame-0123456789"

Fault = Callable[["Handler"], bool]
"""Does something odd with a request; returns whether that was the answer."""


@dataclass
class Partial:
    """What is there of an upload."""

    raw: bytearray = field(default_factory=bytearray)
    header: VolumeHeader | None = None
    chunks: int = 0


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class OddServer(ThreadingHTTPServer):
    """Serves balls; ``faults`` are used up one by one, each by the next request of its method."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, *, key: str | None = None, port: int = 0, segmenter: FakeSegmenter | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.key = key
        self.segmenter = segmenter or FakeSegmenter()
        self.limits = Limits()
        self.features = ", ".join(contract.FEATURES)
        self.faults: list[tuple[str, Fault]] = []
        self.requests: list[Seen] = []
        self.volumes: dict[str, Volume] = {}
        self.partial: dict[str, Partial] = {}
        self.hung_up = threading.Event()
        self.dripped_out = threading.Event()
        self.stopped = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def expect(self, method: str, *faults: Fault) -> None:
        """Let the next requests of a method meet faults."""
        self.faults += [(method, fault) for fault in faults]

    def next_fault(self, method: str) -> Fault | None:
        with self.lock:
            for number, (wanted, fault) in enumerate(self.faults):
                if wanted == method:
                    del self.faults[number]
                    return fault
        return None

    def methods(self) -> list[str]:
        return [seen.method for seen in self.requests]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of these tests hang up often: no traceback for that."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: OddServer

    def do_GET(self) -> None:
        self._serve(self._info)

    def do_HEAD(self) -> None:
        self._serve(self._head)

    def do_PUT(self) -> None:
        self._serve(self._put)

    def do_POST(self) -> None:
        self._serve(self._post)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self, answer: Callable[[], None]) -> None:
        seen = Seen(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        self.server.requests.append(seen)
        self.seen = seen
        fault = self.server.next_fault(self.command)
        try:
            if fault is not None and fault(self):
                self.close_connection = True
                return
            if self.server.key and self.headers["Authorization"] != f"Bearer {self.server.key}":
                raise UnauthorizedError("The access key is missing or wrong.", "Check it.")
            if self.path != contract.INFO_ROUTE:
                require_version(self.headers[contract.PROTOCOL_HEADER])
            answer()
        except TextSegmentError as error:
            self.refuse(error)
        except (ConnectionError, ssl.SSLError):
            self.server.hung_up.set()
            self.close_connection = True

    def refuse(self, error: TextSegmentError) -> None:
        """Answer with an error."""
        is_read = bool(self.seen.body) or self.command in ("GET", "HEAD")
        self.reply(status_of(error), ErrorReport.from_error(error).to_json(), close=not is_read)

    def reply(
        self, status: int, body: bytes = b"", *, close: bool = False, ours: bool = True, **headers: str
    ) -> None:
        """Answer."""
        self.send_response(status)
        if ours:
            self.send_header(contract.PROTOCOL_HEADER, "1")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.path.startswith("/v1/volumes/"):
            partial = self.server.partial.get(self.path.rpartition("/")[2], Partial())
            self.send_header(contract.NEXT_CHUNK_HEADER, str(partial.chunks))
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _info(self) -> None:
        if self.path != contract.INFO_ROUTE:
            self.reply(404, b"<html>not here</html>", ours=False)
            return
        info = ServerInfo("0.1.0", self.server.segmenter.info(), "0" * 64, self.server.limits)
        self.reply(200, info.to_json(), TextSegment_Features=self.server.features)

    def _head(self) -> None:
        self.reply(200 if self.path.rpartition("/")[2] in self.server.volumes else 404)

    def _put(self) -> None:
        digest = self.path.rpartition("/")[2]
        partial = self.server.partial.setdefault(digest, Partial())
        decoder = VolumeDecoder(self.server.limits, partial.header, partial.chunks)
        for piece in self.body_pieces():
            self.store(decoder, partial, piece)
        decoder.finish()
        assert partial.header is not None
        self.server.volumes[digest] = assemble_volume(partial.header, bytes(partial.raw), digest)
        self.reply(201)

    def store(self, decoder: VolumeDecoder, partial: Partial, piece: bytes) -> None:
        """Keep the chunks that a piece of an upload completes."""
        for number, chunk in decoder.push(piece):
            if number == 0:
                partial.raw.clear()
            partial.raw += chunk
            partial.chunks = number + 1
            partial.header = decoder.header

    def _post(self) -> None:
        request = SegmentRequest.from_json(b"".join(self.body_pieces()), self.server.limits)
        volume = self.server.volumes.get(request.volume)
        if volume is None:
            raise VolumeUnknownError("The server does not hold this volume.", "Upload it.")
        self.begin_stream()
        self.send_frames(encode_frame(Queued(0)))
        try:
            result = self.server.segmenter.segment(
                volume, request.prompts, on_event=lambda event: self.send_frames(encode_frame(event))
            )
            self.send_frames(encode_frame(Done(result.provenance, result.warnings)))
        except TextSegmentError as error:
            self.send_frames(encode_frame(Failed(ErrorReport.from_error(error))))
        self.wfile.write(b"0\r\n\r\n")

    def begin_stream(self) -> None:
        """Begin an answer of frames."""
        self.send_response(200)
        self.send_header(contract.PROTOCOL_HEADER, "1")
        self.send_header("Content-Type", contract.ANSWER_TYPE)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.send_frames(STREAM_MAGIC)

    def send_frames(self, data: bytes) -> None:
        """Send a piece of the stream."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def body_pieces(self) -> Iterator[bytes]:
        """Read the body of the request."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            piece = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.seen.body += piece
            yield piece
            return
        while size := int(self.rfile.readline() or b"0", 16):
            piece = self.rfile.read(size)
            if len(piece) < size or self.rfile.read(2) != b"\r\n":
                raise ConnectionAbortedError
            self.seen.body += piece
            yield piece
        self.rfile.readline()

    def wait_for_hang_up(self, limit_s: float = 600.0) -> None:
        """Say nothing until the client hangs up."""
        end = time.monotonic() + limit_s
        self.connection.settimeout(0.05)
        while time.monotonic() < end and not self.server.stopped.is_set():
            try:
                if not self.connection.recv(2**16):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.server.hung_up.set()


@contextmanager
def serving(server: OddServer, context: ssl.SSLContext | None = None) -> Iterator[OddServer]:
    """Let a server work until the block ends."""
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join(60)


def prompts_of(seen: Seen) -> list[str]:
    """Return what a request asked for."""
    return json.loads(seen.body)["prompts"]
