"""Prometheus metrics, without client data in their labels."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class Metrics:
    """All metrics of one application.

    Attributes:
        requests: Number of answered requests by route and status.
        jobs: Number of finished jobs by outcome: ``done``, ``cancelled``, or an error code.
        masks: Number of masks sent.
        seconds: Seconds of jobs by stage: ``waiting``, then ``first_mask`` and ``computing``, both measured
            from the end of the wait.
        upload_bytes: Bytes of uploads as transferred.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter(
            "textsegment_requests", "Answered requests", ("route", "status"), registry=registry
        )
        self.jobs = Counter("textsegment_jobs", "Ended jobs", ("outcome",), registry=registry)
        self.masks = Counter("textsegment_masks", "Masks sent", registry=registry)
        self.seconds = Histogram(
            "textsegment_job_seconds", "Seconds of jobs", ("stage",), buckets=_SECONDS, registry=registry
        )
        self.upload_bytes = Counter(
            "textsegment_upload_bytes", "Bytes of uploads as they travelled", registry=registry
        )

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is obtained by a call whenever it is read.

        Args:
            name: Name of the metric, without the prefix ``textsegment_``.
            meaning: Help text of the metric.
            value: Returns the current value.
        """
        Gauge(f"textsegment_{name}", meaning, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return bytes(generate_latest(self._registry))
