"""The runner: segments one series after another, and writes the results into the spool."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.derive.expression import parse_definition
from textsegment.derive.plan import DerivationPlan, make_plan
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
from textsegment.files.dicom.header import read_dataset
from textsegment.files.dicom.presentation import Presentation
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.report.page import write_report_page
from textsegment.files.report.structured import write_structured_report
from textsegment.files.report.summary import make_report, write_json
from textsegment.files.results import write_result
from textsegment.files.rtstruct.previous import Previous
from textsegment.files.rtstruct.revision import fingerprints, read_set
from textsegment.files.scan import Scan
from textsegment.node.connections import WebDestination
from textsegment.node.intake import Intake
from textsegment.node.journal.entries import Entry, State
from textsegment.node.journal.journal import Journal
from textsegment.node.network.dicomweb import WebArchive
from textsegment.node.previous import revise
from textsegment.node.rules.rule import Rule
from textsegment.node.settings import NodeSettings
from textsegment.node.spool import Spool
from textsegment.segmentation import Segmentation
from textsegment.segmenter import CancelToken, Segmenter
from textsegment.server.logs import describe_defect, log
from textsegment.templates import template_named
from textsegment.vocabulary.selection import find_structures
from textsegment.vocabulary.template import Template

_STRUCTURE_SET, _SEGMENTATION, _REPORT = "plan.rtstruct.dcm", "plan.seg.dcm", "report.sr.dcm"
_PAGE, _FIGURES = "report.html", "report.json"


def read_template(name: str) -> Template:
    """Return the template that a rule names: the only place where the node reads templates.

    Raises:
        TextSegmentError: There is no such template, or its file is not valid.
    """
    return template_named(name)


def plan_of(rule: Rule, modality: str, available: tuple[str, ...]) -> tuple[DerivationPlan, tuple[str, ...]]:
    """Return what a rule makes of an image, and notes for the user.

    Args:
        rule: The rule.
        modality: Modality of the image.
        available: Structures that the model has in this modality.

    Raises:
        PromptError: The model lacks structures, or a definition cannot be carried out.
        ModalityError: The modality is not supported.
    """
    structures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if rule.text:
        chosen = find_structures(rule.text, modality, available, lambda meaning: True)
        structures, notes = chosen.structures, chosen.notes
    plan = make_plan(
        structures,
        modality=modality,
        available=available,
        template=None if rule.template is None else read_template(rule.template),
        definitions=tuple(parse_definition(text) for text in rule.derive),
        naming=rule.naming,
    )
    return plan, notes


class Runner:
    """Segments the series that were decided on, the oldest first.

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
        self._cancel = CancelToken()

    def recover(self) -> None:
        """Take up series that were left in the middle, by a process that ended or a journal that was full.

        There is one runner, so nothing runs while this is called.
        """
        for entry in self._journal.entries(State.RUNNING):
            if entry.attempts < self._settings.limits.attempts:
                self._journal.set_state(entry.id, State.DECIDED, reason="It ended in the middle.")
                continue
            error = EngineLostError("The node did not survive this series.", "See docs/node.md.")
            self._journal.set_state(entry.id, State.FAILED, error=error)

    def stop(self) -> None:
        """Ask the running job to stop; its series is segmented after the next start."""
        self._cancel.cancel()

    def run_next(self) -> bool:
        """Segment the next series that is due; returns whether there was one."""
        self.recover()
        now = time.time()
        due = (entry for entry in self._journal.entries(State.DECIDED) if entry.next_at <= now)
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
        try:
            self._run(entry, rule)
        except CancelledError:
            self._journal.set_state(entry.id, State.DECIDED, reason="The node was stopped.")
        except TextSegmentError as error:
            self._fail(entry, error)
        except Exception as error:  # noqa: BLE001 – one series must not stop the others
            log("defect", **describe_defect(error))
            self._fail(
                entry, TextSegmentError("This is a defect of TextSegment.", "Report it, with the log.")
            )
        return True

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

    def _run(self, entry: Entry, rule: Rule) -> None:
        scan = self._read(entry, rule)
        available = self._segmenter.info().structures.get(scan.volume.modality, ())
        plan, notes = plan_of(rule, scan.volume.modality, tuple(available))
        begin = time.monotonic()
        result = self._segment(scan, plan, rule)
        engine_seconds = time.monotonic() - begin
        result = plan.finish(result, scan.volume.voxels)
        folder = self._spool.begin_results(entry.id)
        previous = self._previous(entry, rule, scan, folder)
        files = self._write(scan, result, plan, notes, rule, previous, folder)
        made: set[str] = set()
        if _STRUCTURE_SET in files:
            made = set(fingerprints(read_dataset(folder / _STRUCTURE_SET)).values())
            made -= previous.kept_fingerprints
        self._spool.finish_results(entry.id)
        self._journal.add_results(entry, files, rule.destinations, made, engine_seconds, previous.reason)
        log("segmented", entry=entry.id, rule=rule.name, seconds=round(engine_seconds, 2))

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

    def _write(
        self,
        scan: Scan,
        result: Segmentation,
        plan: DerivationPlan,
        notes: tuple[str, ...],
        rule: Rule,
        previous: Previous,
        folder: Path,
    ) -> tuple[str, ...]:
        """Write all results; returns the names of those that are delivered."""
        said: list[str] = list(previous.cautions)
        files: list[str] = []
        shown = Presentation(rule.label, rule.series_description)
        for output, name in (("rtstruct", _STRUCTURE_SET), ("seg", _SEGMENTATION)):
            masks = (
                result
                if output == "seg"
                else previous.left_to_write(result, plan.names, short_names=rule.short_names)
            )
            if output not in rule.outputs or not len(masks):
                continue
            write_result(
                masks,
                folder / name,
                names=plan.names,
                source=scan.source,
                short_names=rule.short_names,
                append_to=previous.append_to,
                presentation=shown,
                styles=plan.styles,
                on_warning=said.append,
            )
            files.append(name)
        if previous.append_to is not None:
            previous.append_to.unlink(missing_ok=True)
        if "report" in rule.outputs:
            cautions = tuple(sentence for sentence in dict.fromkeys(said) if isinstance(sentence, Caution))
            report = make_report(
                scan.volume,
                replace(result, warnings=(*result.warnings, *cautions)),
                names=plan.names,
                missing=plan.missing,
                notes=(*notes, *(each for each in dict.fromkeys(said) if each not in cautions)),
            )
            write_json(report, folder / _FIGURES)
            write_report_page(scan.volume, result, report, folder / _PAGE)
            assert scan.source is not None
            write_structured_report(report, scan.source, folder / _REPORT)
            files.append(_REPORT)
        return tuple(files)

    def _previous(self, entry: Entry, rule: Rule, scan: Scan, folder: Path) -> Previous:
        """Return what becomes of the set of an earlier run: that of an archive, else that of the spool."""
        known = self._journal.fingerprints(entry.uid)
        if "rtstruct" not in rule.outputs or not known:
            return Previous()
        assert scan.source is not None
        return revise(self._earlier_sets(entry, rule, scan), scan.source, known, folder)

    def _earlier_sets(self, entry: Entry, rule: Rule, scan: Scan) -> Iterator[Dataset]:
        services = [self._settings.destination(name) for name in rule.destinations]
        archives = [service for service in services if isinstance(service, WebDestination)]
        assert scan.source is not None
        for archive in archives:
            yield from WebArchive(archive).structure_sets(scan.source.study_instance_uid)
        if archives:
            return  # what is no longer in the archive was removed by a person
        for earlier in self._journal.entries():
            path = self._spool.results(earlier.id) / _STRUCTURE_SET
            if earlier.uid == entry.uid and earlier.version < entry.version and path.is_file():
                yield read_set(path)
