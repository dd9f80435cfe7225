"""A server on this computer that plays the Hugging Face hub, with the faults that lines and mirrors have."""

import hashlib
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Request:
    path: str
    range: str | None
    authorization: str | None


@dataclass
class LocalHub:
    """Serves one repository; also takes requests as an HTTP proxy.

    Attributes:
        files: Content by path inside the repository.
        commit: Hash of the newest commit; older ones are served too.
        announced: Replaces size or SHA-256 in the listing, by path.
        break_after: Bytes of a file after which the line breaks, one entry used up a transfer.
        statuses: HTTP errors to answer with first, one used up a request.
        ignores_ranges: Sends every file from its beginning.
        api_answer: Sent for the listing instead of the real one.
        requests: What was asked.
    """

    files: dict[str, bytes]
    repository: str = "zzh99/SAT"
    commit: str = COMMIT
    announced: dict[str, dict] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ignores_ranges: bool = False
    api_answer: bytes | None = None
    requests: list[Request] = field(default_factory=list)

    def __enter__(self):
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self):
        return self._server.server_address[1]

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def transfers(self):
        """Ranges that were asked of files, in order."""
        return [request.range for request in self.requests if request.path.startswith("/cdn/")]

    def answer(self, handler):
        path = unquote(urlsplit(handler.path).path)
        self.requests.append(
            Request(path, handler.headers.get("Range"), handler.headers.get("Authorization"))
        )
        if self.statuses:
            return self._send(handler, self.statuses.pop(0))
        if match := re.fullmatch(rf"/api/models/{self.repository}/revision/(.+)", path):
            return self._send_listing(handler, match[1])
        if match := re.fullmatch(rf"/{self.repository}/resolve/([0-9a-f]+)/(.+)", path):
            # As the hub does: large files are on another host.
            location = f"http://localhost:{self.port}/cdn/{match[2]}"
            return self._send(handler, 302, headers={"Location": location, "X-Repo-Commit": match[1]})
        if path.startswith("/cdn/") and path.removeprefix("/cdn/") in self.files:
            return self._send_file(handler, self.files[path.removeprefix("/cdn/")])
        return self._send(handler, 404)

    def _send_listing(self, handler, revision):
        commit = self.commit if revision == "main" else revision
        siblings = [{"rfilename": "README.md", "size": 10, "blobId": "abc"}]
        for path, content in self.files.items():
            large = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            large |= self.announced.get(path, {})
            siblings.append({"rfilename": path, "size": large["size"], "blobId": "abc", "lfs": large})
        listing = json.dumps({"id": self.repository, "sha": commit, "siblings": siblings}).encode()
        self._send(handler, 200, listing if self.api_answer is None else self.api_answer)

    def _send_file(self, handler, content):
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        start = int(asked[1]) if asked and not self.ignores_ranges else 0
        body = content[start:]
        headers = {"Content-Length": str(len(body)), "Accept-Ranges": "bytes"}
        if asked and not self.ignores_ranges:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if self.break_after:
            body = body[: self.break_after.pop(0)]
            handler.close_connection = True
        self._send(handler, 206 if "Content-Range" in headers else 200, body, headers)

    def _send(self, handler, status, body=b"", headers=()):
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
            handler.send_header(name, value)
        handler.end_headers()
        with suppress(ConnectionError):  # whoever asked has heard enough
            handler.wfile.write(body)
