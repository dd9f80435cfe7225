"""Monitoring: status for operators, health, and Prometheus metrics, without patient data."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from textsegment.errors import PortInUseError
from textsegment.node.journal.entries import State
from textsegment.node.journal.journal import Journal
from textsegment.node.settings import Monitor

_PREFIX = "textsegment_node"


def status_of(journal: Journal, *, limit: int = 20) -> dict[str, Any]:
    """Return the status of a node from its journal.

    Args:
        journal: Journal.
        limit: Number of the newest series that are listed.

    Returns:
        ``counts`` of series by state, the newest ``series``, the ``deliveries`` that wait or were given up,
        and ``last_delivery_at``; times are in seconds since 1970.
    """
    undelivered = [each for each in journal.deliveries() if each.state != "delivered"]
    return {
        "counts": journal.counts(),
        "series": [
            {
                "entry": entry.id,
                "series": entry.uid,
                "version": entry.version,
                "state": entry.state.value,
                "sender": entry.sender,
                "images": entry.images,
                "rule": entry.rule,
                "reason": entry.reason,
                "code": entry.code,
                "hint": entry.hint,
                "attempts": entry.attempts,
                "next_at": entry.next_at or None,
                "received_at": entry.received_at,
                "changed_at": entry.changed_at,
                "seconds": entry.seconds,
                "engine_seconds": entry.engine_seconds,
                "history": [
                    {"at": at, "state": state, "code": code, "reason": reason}
                    for at, state, code, reason in journal.history(entry.id)
                ],
            }
            for entry in journal.entries(limit=limit)
        ],
        "deliveries": [
            {
                "entry": each.series,
                "file": each.file,
                "destination": each.destination,
                "state": each.state,
                "attempts": each.attempts,
                "next_at": each.next_at or None,
                "code": each.code,
                "reason": each.reason,
            }
            for each in undelivered
        ],
        "last_delivery_at": journal.last_delivery_at(),
    }


def faults_of(journal: Journal, red_after_s: float) -> tuple[str, ...]:
    """Return what is wrong with a node by its journal: codes, none if all is well.

    - ``nothing_delivered``: results wait, and nothing has arrived anywhere for too long;
    - ``nothing_segmented``: series wait after failed attempts, for too long.

    Args:
        journal: Journal.
        red_after_s: Time after which waiting is too long.
    """
    now, found = time.time(), []
    waiting = journal.entries(State.SEGMENTED)
    since = max(min((entry.changed_at for entry in waiting), default=now), journal.last_delivery_at() or 0.0)
    if waiting and now - since > red_after_s:
        found.append("nothing_delivered")
    stuck = [entry for entry in journal.entries(State.DECIDED) if entry.code]
    if any(now - entry.received_at > red_after_s for entry in stuck):
        found.append("nothing_segmented")
    return tuple(found)


class MonitorServer:
    """Answers ``GET /healthz``, ``/metrics`` and ``/status`` on this computer only.

    Args:
        settings: Settings.
        journal: Journal.
        gauges: Returns further figures, by name, when asked.
        faults: Returns what else is wrong, as codes.

    Raises:
        PortInUseError: Another program listens at the port.
    """

    def __init__(
        self,
        settings: Monitor,
        journal: Journal,
        gauges: Callable[[], dict[str, float]],
        faults: Callable[[], Iterable[str]],
    ) -> None:
        self._settings, self._journal, self._gauges, self._faults = settings, journal, gauges, faults
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one request."""

            timeout = 10

            def do_GET(self) -> None:
                """Answer a request."""
                status, kind, body = monitor.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", settings.port), Handler)
        except OSError as error:
            raise PortInUseError(
                f"Port {settings.port} is in use by another program.", "Choose another monitor.port."
            ) from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.2,), name="monitor", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def faults(self) -> tuple[str, ...]:
        """Return everything that is wrong, as codes."""
        return (*faults_of(self._journal, self._settings.red_after_minutes * 60), *self._faults())

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body of the answer to a request."""
        if path == "/healthz":
            faults = self.faults()
            body = {"status": "red" if faults else "green", "faults": faults}
            return 503 if faults else 200, "application/json", json.dumps(body).encode()
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", bytes(generate_latest(self._registry))
        if path == "/status":
            return 200, "application/json", json.dumps(status_of(self._journal)).encode()
        return 404, "text/plain", b"There are /healthz, /metrics and /status.\n"

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics, as Prometheus wants them."""
        series = GaugeMetricFamily(f"{_PREFIX}_series", "Series by state", labels=["state"])
        for state, count in self._journal.counts().items():
            series.add_metric([state], count)
        yield series
        undelivered = GaugeMetricFamily(
            f"{_PREFIX}_deliveries_waiting", "Files that wait", labels=["destination"]
        )
        waiting = [each.destination for each in self._journal.deliveries(state="waiting")]
        for name in sorted(set(waiting)):
            undelivered.add_metric([name], waiting.count(name))
        yield undelivered
        last = self._journal.last_delivery_at()
        if last is not None:
            yield GaugeMetricFamily(
                f"{_PREFIX}_last_delivery_seconds", "Time of the last delivery", value=last
            )
        yield GaugeMetricFamily(
            f"{_PREFIX}_healthy", "Whether health is green", value=float(not self.faults())
        )
        for name, value in self._gauges().items():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(f"{_PREFIX}_{name.removesuffix('_total')}", name.replace("_", " "), value=value)
