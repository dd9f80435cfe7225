"""The node as a whole: its threads, from start to an orderly stop."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

import pydicom.config
from filelock import FileLock, Timeout

from textsegment.errors import SettingsError, TextSegmentError
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.disk.atomic import make_folder
from textsegment.node.bell import Bell
from textsegment.node.intake import Intake
from textsegment.node.journal.entries import Entry, State
from textsegment.node.journal.journal import Journal
from textsegment.node.keeper import Keeper
from textsegment.node.monitor import MonitorServer
from textsegment.node.network.associations import ImageService
from textsegment.node.network.delivery import Courier
from textsegment.node.network.dicomweb import WebArchive
from textsegment.node.network.polling import Poller
from textsegment.node.plan import plan_of
from textsegment.node.runner import Runner
from textsegment.node.settings import NodeSettings
from textsegment.node.spool import Spool
from textsegment.segmenter import Segmenter
from textsegment.server.logs import describe_defect, log

_TICK_S = 0.2
_EXPIRE_S = 60.0
_PAUSE_S = 5.0


class Node:
    """A running node.

    Args:
        settings: Settings.
        segmenter: What segments.

    Raises:
        SettingsError: Another node uses the folder, a port is taken, or a rule cannot be carried out.
        JournalError: The journal cannot be used.
        TextSegmentError: The segmenter cannot be reached.
    """

    def __init__(self, settings: NodeSettings, segmenter: Segmenter) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._news = Bell()
        make_folder(settings.folder)
        self._lock = FileLock(settings.folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise SettingsError(
                "Another node uses this folder.", "Stop it, or give another folder."
            ) from error
        self.spool = Spool(settings.folder, settings.limits)
        hashed = settings.identifiers == "hashed"
        self.journal = Journal(self.spool.journal, hashed=hashed, on_change=self._news.ring)
        asks = None if settings.limits.counts_from is None else self._count
        self.intake = Intake(self.journal, self.spool, settings.limits, hashed=hashed, count_of=asks)
        self._keeper = Keeper(settings, self.journal, self.spool, self.intake)
        self._runner = Runner(settings, self.journal, self.spool, self.intake, segmenter)
        self._require_runnable(segmenter)
        self._couriers = [
            Courier(destination, self.journal, self.spool, settings.limits)
            for destination in settings.destinations
        ]
        self._pollers = [
            Poller(poll, self.intake, self.journal, settings.limits.quiet_s) for poll in settings.polls
        ]
        self.spool.clean()
        self.service = None if settings.receive is None else ImageService(settings.receive, self.intake)
        self._monitor = (
            None
            if settings.monitor is None
            else MonitorServer(settings.monitor, self.journal, self._gauges, self._faults)
        )
        self._threads: list[threading.Thread] = []
        self._expired_at = 0.0

    def start(self) -> None:
        """Begin to work; returns at once."""
        self._begin("keeper", self._keep)
        self._begin("runner", self._runner.run_next)
        for courier in self._couriers:
            self._begin(f"courier {courier.destination.name}", self._courier_step(courier))
        for poller in self._pollers:
            self._begin(f"poller {poller.poll.name}", self._poller_step(poller))
        if self.service is not None:
            thread = threading.Thread(target=self.service.serve, name="receiver", daemon=True)
            thread.start()
            self._threads.append(thread)
        log("node_started", process=os.getpid())

    def stop(self) -> None:
        """Stop: no more images are taken, the running job is put back, deliveries end with their file."""
        self._stopping.set()
        self._news.ring()
        self._runner.stop()
        if self.service is not None:
            self.service.close()
        if self._monitor is not None:
            self._monitor.close()
        for thread in self._threads:
            thread.join(30.0)
        self._runner.close()
        self.journal.close()
        self._lock.release()
        log("node_stopped")

    def _begin(self, name: str, step: Callable[[], object]) -> None:
        """Repeat a step in a thread of its own: at once if it did something or there is news, else soon."""

        def repeat() -> None:
            while not self._stopping.is_set():
                pause_s, seen = 0.0, self._news.count
                try:
                    if not step():
                        self._news.wait(seen, _TICK_S)
                except TextSegmentError as error:
                    log("step_failed", level=logging.WARNING, step=name, code=error.code, is_bounded=True)
                    pause_s = _PAUSE_S
                except Exception as error:  # noqa: BLE001 – the node must go on; the log says what happened
                    log("defect", level=logging.ERROR, step=name, **describe_defect(error))
                    pause_s = _PAUSE_S
                self._stopping.wait(pause_s)

        thread = threading.Thread(target=repeat, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _keep(self) -> None:
        self._keeper.decide()
        # Not at each call even if the spool is full: what is removed is news, which calls again at once.
        if time.monotonic() - self._expired_at > (_TICK_S if self.spool.is_full else _EXPIRE_S):
            self._keeper.expire()
            self._expired_at = time.monotonic()

    def _courier_step(self, courier: Courier) -> Callable[[], object]:
        return lambda: courier.deliver_due(self._stopping.is_set)

    def _poller_step(self, poller: Poller) -> Callable[[], object]:
        def step() -> None:
            begin = time.monotonic()
            try:
                poller.run(self._stopping.is_set)
            finally:
                self._stopping.wait(max(0.0, poller.poll.interval_s - (time.monotonic() - begin)))

        return step

    def _count(self, entry: Entry) -> int | None:
        """Return how many images the archive has of a series; None if it does not know or cannot be asked."""
        images = self.spool.images(self.intake.spool_key(entry))
        if not images or self._settings.limits.counts_from is None:
            return None
        try:
            with quiet_pydicom():
                header = read_dataset(
                    next(iter(images.values())),
                    stop_before_pixels=True,
                    specific_tags=["StudyInstanceUID", "SeriesInstanceUID"],
                )
            archive = WebArchive(self._settings.web(self._settings.limits.counts_from))
            return archive.count(str(header.StudyInstanceUID), str(header.SeriesInstanceUID))
        except TextSegmentError as error:
            log("count_failed", code=error.code, is_bounded=True)
            return None

    def _require_runnable(self, segmenter: Segmenter) -> None:
        """Check that the model has something for each rule, before a series comes."""
        structures = segmenter.info().structures
        for rule in self._settings.rules:
            problems = []
            for modality, available in structures.items():
                try:
                    plan_of(rule, modality, tuple(available))
                    break
                except TextSegmentError as error:
                    problems.append(error)
            else:
                first = problems[0] if problems else SettingsError("The model has no structures.")
                raise SettingsError(f"Rule {rule.name!r}: {first.message}", first.hint)

    def _gauges(self) -> dict[str, float]:
        figures = {
            "spool_bytes": float(self.spool.size_bytes),
            "images_taken_total": float(self.intake.taken),
            "images_repeated_total": float(self.intake.repeated),
            "images_refused_total": float(self.intake.refused.total()),
        }
        if self.service is not None:
            figures["associations"] = float(self.service.associations)
            figures["associations_rejected_total"] = float(self.service.rejected.total())
        return figures

    def _faults(self) -> list[str]:
        found = ["spool_full"] if self.spool.is_full else []
        if any(not thread.is_alive() for thread in self._threads) and not self._stopping.is_set():
            found.append("thread_ended")
        monitor = self._settings.monitor
        red_after_s = 60.0 * monitor.red_after_minutes if monitor is not None else 0.0
        if any(time.monotonic() - poller.reached_at > red_after_s for poller in self._pollers):
            found.append("source_unreachable")
        return found


def quiet_libraries() -> None:
    """Keep pydicom from logging values, for the whole process: its own switches are not made for threads."""
    logging.getLogger("pydicom").disabled = True
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE


def idle(node: Node) -> bool:
    """Return whether nothing is left to do."""
    counts = node.journal.counts()
    return not any(counts[state.value] for state in State if not state.is_final)
