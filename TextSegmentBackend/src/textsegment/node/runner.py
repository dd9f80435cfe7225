"""The runner: segments one series after another, while the products of the one before are written."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from textsegment.derive.plan import DerivationPlan
from textsegment.derive.tidy import is_tidy_by_default
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.effort import Effort
from textsegment.errors import (
    CancelledError,
    DiskFullError,
    EngineLostError,
    InputError,
    OutputError,
    PromptError,
    SeriesIncompleteError,
    SettingsError,
    TextSegmentError,
)
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.scan import Scan
from textsegment.node.intake import Intake
from textsegment.node.journal.entries import Entry, State
from textsegment.node.journal.journal import Journal
from textsegment.node.plan import plan_of
from textsegment.node.products import ProductWriter, Segmented
from textsegment.node.rules.rule import Rule
from textsegment.node.settings import NodeSettings
from textsegment.node.spool import Spool
from textsegment.segmentation import Segmentation
from textsegment.segmenter import CancelToken, Segmenter
from textsegment.server.logs import describe_defect, log


class Runner:
    """Segments the series that were decided on, the oldest first.

    The engine has one series at a time. Writing the products of a series takes place in a thread of its own,
    so that the engine can go on; at most one series is being written.

    Args:
        settings: Settings of the node.
        journal: Journal.
        spool: Spool.
        intake: Knows where the images of an entry are.
        segmenter: What segments.
    """

    def __init__(
        self, settings: NodeSettings, journal: Journal, spool: Spool, intake: Intake, segmenter: Segmenter
    ) -> None:
        self._settings, self._journal, self._spool, self._intake = settings, journal, spool, intake
        self._segmenter = segmenter
        self._writer = ProductWriter(settings, journal, spool)
        self._cancel = CancelToken()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._finishing: tuple[Entry, Future[None]] | None = None

    def recover(self) -> None:
        """Take up series that were left in the middle, by a process that ended or a journal that was full.

        There is one runner, so nothing runs while this is called, but for the series that is being written.
        """
        being_written = self._being_written()
        for entry in self._journal.entries(State.RUNNING):
            if being_written is not None and entry.id == being_written.id:
                continue
            if entry.attempts < self._settings.limits.attempts:
                self._journal.set_state(entry.id, State.DECIDED, reason="It ended in the middle.")
                continue
            error = EngineLostError("The node did not survive this series.", "See docs/node.md.")
            self._journal.set_state(entry.id, State.FAILED, error=error)

    def stop(self) -> None:
        """Ask the running job to stop; its series is segmented after the next start."""
        self._cancel.cancel()

    def close(self) -> None:
        """Wait until the products of the last series are written; nothing may run any more."""
        self._thread.shutdown(wait=True)

    def run_next(self) -> bool:
        """Segment the next series that is due; returns whether there was one."""
        self.recover()
        now, being_written = time.time(), self._being_written()
        due = (
            entry
            for entry in self._journal.entries(State.DECIDED)
            # A second version needs to know the regions of the first one.
            if entry.next_at <= now and (being_written is None or entry.uid != being_written.uid)
        )
        entry = next(due, None)
        if entry is None:
            return False
        rule = next((rule for rule in self._settings.rules if rule.name == entry.rule), None)
        if rule is None:
            self._journal.set_state(
                entry.id, State.IGNORED, reason="The rule that matched is no longer there."
            )
            return True
        self._journal.set_state(entry.id, State.RUNNING)
        with self._recorded(entry):
            job = self._run(entry, rule)
            if self._finishing is not None:
                wait([self._finishing[1]])
            self._finishing = (entry, self._thread.submit(self._finish, job))
        return True

    def _being_written(self) -> Entry | None:
        """Return the entry whose products are being written."""
        if self._finishing is None or self._finishing[1].done():
            return None
        return self._finishing[0]

    def _finish(self, job: Segmented) -> None:
        try:
            with self._recorded(job.entry):
                self._writer.finish(job)
                log("segmented", entry=job.entry.id, rule=job.rule.name, seconds=round(job.engine_seconds, 2))
        except (
            TextSegmentError
        ) as error:  # the journal cannot be written: it is taken up again by ``recover``
            log("step_failed", level=logging.WARNING, step="writer", code=error.code, is_bounded=True)

    @contextmanager
    def _recorded(self, entry: Entry) -> Iterator[None]:
        """Turn whatever is raised into a state of an entry: one series must not stop the others."""
        try:
            yield
        except CancelledError:
            self._journal.set_state(entry.id, State.DECIDED, reason="The node was stopped.")
        except TextSegmentError as error:
            self._fail(entry, error)
        except Exception as error:  # noqa: BLE001 – the next series may do
            log("defect", **describe_defect(error))
            self._fail(
                entry, TextSegmentError("This is a defect of TextSegment.", "Report it, with the log.")
            )

    def _fail(self, entry: Entry, error: TextSegmentError) -> None:
        is_final = isinstance(error, (InputError, PromptError, SettingsError, OutputError))
        # What the disk or the system does not permit now may be possible later.
        if isinstance(error, DiskFullError) or isinstance(error.__cause__, OSError):
            is_final = False
        log("segmentation_failed", entry=entry.id, code=error.code, is_final=is_final)
        if is_final:
            self._journal.set_state(entry.id, State.FAILED, error=error)
            return
        wait_s = self._settings.limits.wait_s(entry.attempts + 1)
        self._journal.set_state(entry.id, State.DECIDED, error=error, next_at=time.time() + wait_s)

    def _run(self, entry: Entry, rule: Rule) -> Segmented:
        scan = self._read(entry, rule)
        assert scan.source is not None
        available = self._segmenter.info().structures.get(scan.volume.modality, ())
        plan, notes = plan_of(rule, scan.volume.modality, tuple(available))
        begin = time.monotonic()
        result = self._segment(scan, plan, rule)
        engine_seconds = time.monotonic() - begin
        result = plan.finish(result, scan.volume.voxels)
        return Segmented(entry, rule, scan.volume, scan.source, plan, notes, result, engine_seconds)

    def _segment(self, scan: Scan, plan: DerivationPlan, rule: Rule) -> Segmentation:
        effort = Effort(fast=rule.fast, check=rule.check)
        is_tidy = is_tidy_by_default(self._segmenter.info()) if rule.tidy is None else rule.tidy
        if not is_tidy:
            return self._segmenter.segment(scan.volume, plan.prompts, effort=effort, cancel=self._cancel)
        tidied = segment_tidily(
            self._segmenter, scan.volume, plan.prompts, effort=effort, cancel=self._cancel
        )
        return tidied.tidy

    def _read(self, entry: Entry, rule: Rule) -> Scan:
        wanted = self._journal.images(entry.uid, entry.version)
        present = self._spool.images(self._intake.spool_key(entry))
        if not wanted <= present.keys():
            raise SeriesIncompleteError("Images have left the spool.", "Send the whole series again.")
        scan = read_dicom([path for key, path in present.items() if key in wanted])
        assert scan.source is not None
        scan.source.require_referable()
        if not rule.allow_gaps and len(scan.source.planes) != scan.volume.geometry.spatial_shape[2]:
            raise SeriesIncompleteError(
                "Slices are missing, or unevenly spaced.",
                "Send the whole series again, or set allow_gaps in the rule.",
            )
        return scan
