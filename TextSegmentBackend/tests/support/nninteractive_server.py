"""A stand-in for ``nninteractive-server`` 2.x, which speaks its protocol as published (SERVER_CLIENT.md).

The network is replaced by a rule that a test can foresee: of the voxels that look like what was marked, those
that hang together with a mark.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from nnInteractive.inference.remote.serialization import pack_array, unpack_array
from scipy.ndimage import label

LICENSE = "CC BY-NC-SA 4.0"
CAPABILITIES = {
    "supported_interactions": {
        "scribble": True,
        "lasso": True,
        "points": True,
        "bbox2d": True,
        "bbox3d": False,
    },
    "channel_mapping": {
        "prev_seg": 0,
        "bbox2d": [1, 2],
        "lasso": [1, 2],
        "points": [3, 4],
        "scribble": [5, 6],
    },
    "num_interaction_channels": 7,
    "supports_initial_label": True,
    "supports_zero_shot_label_refinement": True,
    "preferred_scribble_thickness": [2, 2, 2],
    "interaction_decay": 0.98,
    "patch_size": [192, 192, 192],
    "do_autozoom": True,
    "inference_session_version": "2.6.0",
    "license": LICENSE,
    "supports_undo": True,
}
_SIMILAR = 50.0


class StandIn:
    """State of the server: one session at a time, as ``--max-sessions 1``.

    Attributes:
        url: Address.
        asked: Paths of all requests, in order.
        images: Images that were sent, ``[k, j, i]``.
        marks: What was marked since the last reset: kind, whether it belongs, and a boolean array.
        initial: Mask to begin with, or None.
        runs: Number of predictions.
        failing: Status with which the next prompt fails, or 0.
        hanging: Set to let predictions go on; cleared to hold them.
    """

    def __init__(self, key: str | None, capabilities: dict[str, Any]) -> None:
        self.key, self.capabilities = key, capabilities
        self.url = ""
        self.asked: list[str] = []
        self.images: list[np.ndarray] = []
        self.marks: list[tuple[str, bool, np.ndarray]] = []
        self.initial: np.ndarray | None = None
        self.lease: str | None = None
        self.buffer: np.ndarray | None = None
        self.runs = 0
        self.failing = 0
        self.hanging = threading.Event()
        self.hanging.set()
        self.reached = threading.Event()

    def expire(self) -> None:
        """Give the session up, as after ten idle minutes."""
        self.lease = None

    def answer(self, path: str, meta: dict[str, Any], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to a request with a valid lease."""
        if path == "/set_image":
            image = unpack_array(body)
            assert image.ndim == 4
            assert image.any(), "Input image is entirely zero"
            self.images.append(image[0])
            self.marks, self.initial = [], None
            return _json({"original_image_shape": list(image.shape)})
        if path == "/set_target_buffer":
            asked = json.loads(body)
            assert np.dtype(asked["dtype"]).kind in "biu"
            self.buffer = np.zeros(asked["shape"], dtype=asked["dtype"])
            return _json({})
        if path == "/reset_interactions":
            self._reset()
            return _json({})
        if path == "/add_initial_seg_interaction":
            given = unpack_array(body)
            assert given.shape == self.images[-1].shape
            self._reset()
            self.initial = given > 0
            self.buffer[:] = given
            return self._predicted(meta["run_prediction"])
        if self.failing:
            status, self.failing = self.failing, 0
            return status, {}, b'{"detail":"no"}'
        kind = path.removeprefix("/add_").removesuffix("_interaction")
        return self._marked(kind, meta, body)

    def _reset(self) -> None:
        self.marks, self.initial = [], None
        if self.buffer is not None:
            self.buffer[:] = 0

    def _marked(self, kind: str, meta: dict[str, Any], body: bytes) -> tuple[int, dict[str, str], bytes]:
        shape = self.images[-1].shape
        mark = np.zeros(shape, dtype=bool)
        if kind in ("point", "bbox"):
            meta = json.loads(body)
        if kind == "point":
            place = tuple(round(n) for n in meta["coordinates"])
            assert all(0 <= n < size for n, size in zip(place, shape, strict=True))
            mark[place] = True
        elif kind == "bbox":
            sizes = [b - a for a, b in meta["bbox_coords"]]
            assert all(sizes)
            assert 1 in sizes, "a 3D box, which the model does not take"
            mark[tuple(slice(a, b) for a, b in meta["bbox_coords"])] = True
        else:
            assert kind in ("scribble", "lasso")
            given, box = unpack_array(body), meta["interaction_bbox"]
            assert list(given.shape) == [b - a for a, b in box]
            assert 1 in given.shape, "scribbles and lassos lie in one slice"
            assert all(a >= 0 and b <= n for (a, b), n in zip(box, shape, strict=True))
            mark[tuple(slice(a, b) for a, b in box)] = given > 0
        assert mark.any()
        self.marks.append((kind, bool(meta["include_interaction"]), mark))
        return self._predicted(meta["run_prediction"])

    def _predicted(self, runs: bool) -> tuple[int, dict[str, str], bytes]:
        if not runs:
            return 200, {"X-Meta": '{"ran_prediction":false,"bbox":null}'}, b""
        self.reached.set()
        self.hanging.wait(60)
        self.runs += 1
        before = self.buffer.copy()
        self.buffer[:] = self._network()
        places = np.argwhere(before != self.buffer)
        if not len(places):
            return 200, {"X-Meta": '{"ran_prediction":true,"bbox":null}'}, b""
        box = [[int(a), int(b) + 1] for a, b in zip(places.min(axis=0), places.max(axis=0), strict=True)]
        part = np.ascontiguousarray(self.buffer[tuple(slice(a, b) for a, b in box)])
        meta = {"ran_prediction": True, "bbox": box, "dtype": str(part.dtype), "shape": list(part.shape)}
        return 200, {"X-Meta": json.dumps(meta)}, pack_array(part)

    def _network(self) -> np.ndarray:
        found = np.zeros(self.images[-1].shape, dtype=bool) if self.initial is None else self.initial.copy()
        for belongs in (True, False):
            marks = [mark for _, wanted, mark in self.marks if wanted is belongs]
            if marks:
                found[self._alike(np.any(marks, axis=0))] = belongs
        return found

    def _alike(self, mark: np.ndarray) -> np.ndarray:
        image = self.images[-1].astype(np.float64)
        numbers, _ = label(np.abs(image - image[mark].mean()) <= _SIMILAR)
        return np.isin(numbers, np.setdiff1d(numbers[mark], [0]))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.state.asked.append(self.path)
        try:
            status, headers, answer = self._answer(body)
        except (AssertionError, ValueError) as error:
            status, headers, answer = 400, {}, json.dumps({"detail": str(error)}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        state = self.server.state
        if state.key is not None and self.headers.get("Authorization") != f"Bearer {state.key}":
            return 401, {}, b'{"detail":"invalid or missing bearer token"}'
        if self.path == "/claim":
            if state.lease is not None:
                return 503, {"Retry-After": "10"}, b'{"detail":"server is at capacity (1 sessions)"}'
            state.lease = uuid.uuid4().hex
            times = {"idle_timeout_seconds": 600.0, "liveness_timeout_seconds": 60.0, "max_sessions": 1}
            return _json({"lease_token": state.lease, **times})
        if self.path == "/capabilities":
            return _json(state.capabilities)
        if self.path == "/release":
            if self.headers.get("X-Lease-Token") == state.lease:
                state.lease = None
            return _json({"released": True})
        if self.headers.get("X-Lease-Token") != state.lease or state.lease is None:
            return 410, {}, b'{"detail":"lease expired or unknown"}'
        meta = json.loads(self.headers.get("X-Meta") or "{}")
        return state.answer(self.path, meta, body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: StandIn


def _json(fields: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(fields).encode()


@contextmanager
def stand_in(key: str | None = None, **capabilities: Any) -> Iterator[StandIn]:
    """Run the stand-in on a free port of this computer.

    Args:
        key: Key that it wants, or None.
        capabilities: What differs from the published model; None leaves an entry out.
    """
    told = {name: value for name, value in {**CAPABILITIES, **capabilities}.items() if value is not None}
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = StandIn(key, told)
    server.state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.state
    finally:
        server.state.hanging.set()
        server.shutdown()
        server.server_close()
        thread.join(60)
