"""A real server in a process of its own, and what tests need to talk with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import requests

from textsegment.volume import Volume
from textsegment.wire.contract import (
    JSON_TYPE,
    PROTOCOL_HEADER,
    SEGMENT_ROUTE,
    VOLUME_TYPE,
    volume_path,
)
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import Frame, FrameDecoder
from textsegment.wire.messages import SegmentRequest
from textsegment.wire.volumes.codec import encode_volume
from textsegment.wire.volumes.header import Encoding

DEADLINE_S = 120.0
FAKE = "textsegment.testing:FakeSegmenter"
_SUPPORT = Path(__file__).parent


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition; fail if it does not come true in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited too long: {what}"
        time.sleep(0.01)


def _heed_the_terminal() -> None:
    """A shell lets what runs in its background ignore these signals, and that is inherited."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class ServerProcess:
    """A server on loopback; a context manager that ends it and looks for what must not be in its logs.

    Args:
        segmenter: What makes the segmenter.
        arguments: Keyword arguments, for one worker each.
        engine: Keyword arguments of ``LocalEngine``.
        max_file_bytes: Largest file that the server can write: its disk is full beyond.
        max_open_files: How many files the server can have open; negative if it may raise that.
        heartbeat_s: Interval of heartbeats, if it is not the one of the protocol.
        command: A command line to start instead, which announces itself as JSON.
        environment: Added to that of the server.
        start_new_session: Whether signals can be sent to the server and its workers together.
        settings: Of ``ServerSettings``; ``limits`` as a dictionary.
    """

    def __init__(
        self,
        segmenter: str = FAKE,
        arguments: Sequence[Mapping[str, Any]] = ({},),
        engine: Mapping[str, Any] | None = None,
        max_file_bytes: int = 0,
        max_open_files: int = 0,
        heartbeat_s: float = 0,
        command: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        start_new_session: bool = False,
        **settings: Any,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="textsegment-test-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._open = contextlib.ExitStack()
        self._secrets: set[str] = set(settings.get("keys", ()))
        self.key = next(iter(settings.get("keys", ())), "")
        self.store = self._folder / "store"
        settings.setdefault("store_folder", str(self.store))
        settings.setdefault("stop_grace_s", 2.0)
        wanted = {
            "segmenter": segmenter,
            "arguments": list(arguments),
            "engine": dict(engine or {}),
            "max_file_bytes": max_file_bytes,
            "max_open_files": max_open_files,
            "heartbeat_s": heartbeat_s,
            "settings": settings,
        }
        self._log = self._folder / "log"
        path = os.pathsep.join([str(_SUPPORT), os.environ.get("PYTHONPATH", "")])
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                list(command) or [sys.executable, str(_SUPPORT / "served.py"), json.dumps(wanted)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=start_new_session,
                preexec_fn=_heed_the_terminal if start_new_session else None,
                env={**os.environ, "PYTHONPATH": path, **(environment or {})},
            )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        if not first:
            self.process.wait(DEADLINE_S)
            self.announced: dict[str, Any] = {}
            return
        self.announced = json.loads(first)
        self.url: str = self.announced["url"]
        self.port: int = self.announced["port"]

    @property
    def log(self) -> str:
        """Everything on stderr until now."""
        return self._log.read_text()

    def events(self, event: str) -> list[dict[str, Any]]:
        """Lines of the log of one kind."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def __enter__(self) -> ServerProcess:
        assert self.announced, self.log
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        assert self.process.returncode in (0, -signal.SIGKILL), self.log
        self.check_log()

    def check_log(self) -> None:
        """Fail if the log holds a traceback, or anything of a client."""
        log = self.log
        assert "Traceback" not in log, log
        assert '"defect"' not in log, log
        for secret in self._secrets:
            assert secret not in log

    def end(self) -> None:
        """Let the server end as it does when its parent is gone; kill what is left."""
        tree = self.tree()
        self._open.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(DEADLINE_S)
        finally:
            for process in tree:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()

    def tree(self) -> list[psutil.Process]:
        """The server and all its children."""
        try:
            server = psutil.Process(self.process.pid)
            return [server, *server.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        found = []
        for process in self.tree()[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):  # a dying one, too
                if "spawn_main" in " ".join(process.cmdline()):
                    found.append(process.pid)
        return found

    def rss(self) -> int:
        """Resident memory of the server process, in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def forget_peak(self) -> None:
        """Begin to measure ``peak_rss`` anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_rss(self) -> int:
        """Most memory that the server process has had since ``forget_peak``, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def session(self, key: str | None = None) -> requests.Session:
        """A session that speaks the protocol; with the first key of the server unless told otherwise."""
        session = self._open.enter_context(requests.Session())
        session.trust_env = False
        session.headers[PROTOCOL_HEADER] = "1"
        key = self.key if key is None else key
        if key:
            session.headers["Authorization"] = f"Bearer {key}"
        return session

    def put(
        self, volume: Volume, session: requests.Session | None = None, encoding: Encoding = Encoding.DEFLATED
    ) -> requests.Response:
        """Upload a volume from ``wire_volume``."""
        self._secrets.add(volume.digest)
        return (session or self.session()).put(
            self.url + volume_path(volume.digest),
            data=encode_volume(volume, encoding),
            headers={"Content-Type": VOLUME_TYPE},
            timeout=DEADLINE_S,
        )

    def head(self, volume: Volume, session: requests.Session | None = None) -> requests.Response:
        """Ask for a volume."""
        return (session or self.session()).head(self.url + volume_path(volume.digest), timeout=DEADLINE_S)

    def post(
        self, digest: str, prompts: Sequence[str], session: requests.Session | None = None
    ) -> requests.Response:
        """Ask for structures; the answer is not read yet."""
        self._secrets.add(digest)
        return self.post_raw(SegmentRequest(digest, tuple(prompts)).to_json(), session)  # type: ignore[arg-type]

    def post_raw(self, body: bytes, session: requests.Session | None = None) -> requests.Response:
        """Send any body as a request to segment."""
        answer = (session or self.session()).post(
            self.url + SEGMENT_ROUTE,
            data=body,
            headers={"Content-Type": JSON_TYPE},
            stream=True,
            timeout=DEADLINE_S,
        )
        return self._open.enter_context(answer)

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)


def frames(answer: requests.Response, volume: Volume) -> Iterator[Frame]:
    """Read an answer; fails if it is broken."""
    assert answer.status_code == 200, answer.content
    decoder = FrameDecoder(volume.geometry.spatial_shape)
    for piece in answer.iter_content(None):
        yield from decoder.push(piece)
    decoder.finish()


def report(answer: requests.Response) -> ErrorReport:
    """The report in an answer with an error status."""
    assert answer.status_code >= 400, answer.status_code
    return ErrorReport.from_json(answer.content)


def raw_request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request, as given."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read a whole answer with a length: status and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    length = int(next(v for n, _, v in (x.partition(":") for x in lines) if n.lower() == "content-length"))
    while len(body) < length:
        piece = connection.recv(65536)
        assert piece, body
        body += piece
    return int(lines[0].split(" ")[1]), body
