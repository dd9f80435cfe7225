"""Products of a series: structure set, segmentation and report, written into the spool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.derive.plan import DerivationPlan
from textsegment.files.dicom.presentation import Presentation
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.report.page import write_report_page
from textsegment.files.report.structured import write_structured_report
from textsegment.files.report.summary import make_report, write_json
from textsegment.files.rtstruct.previous import Previous
from textsegment.files.rtstruct.revision import read_set
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.node.connections import WebDestination
from textsegment.node.journal.entries import Entry
from textsegment.node.journal.journal import Journal
from textsegment.node.network.dicomweb import WebArchive
from textsegment.node.previous import revise
from textsegment.node.rules.rule import Rule
from textsegment.node.settings import NodeSettings
from textsegment.node.spool import Spool
from textsegment.segmentation import Segmentation
from textsegment.volume import Volume

_STRUCTURE_SET, _SEGMENTATION, _REPORT = "plan.rtstruct.dcm", "plan.seg.dcm", "report.sr.dcm"
_PAGE, _FIGURES = "report.html", "report.json"


@dataclass(frozen=True, eq=False, repr=False)
class Segmented:
    """A series that the engine is done with.

    Attributes:
        entry: Entry of the journal.
        rule: Rule that decided about it.
        volume: Image.
        source: DICOM series of the image.
        plan: Structures and their names.
        notes: Notes about the choice of structures.
        result: Masks, with derived structures.
        engine_seconds: Time that the engine took.
    """

    entry: Entry
    rule: Rule
    volume: Volume
    source: SourceSeries
    plan: DerivationPlan
    notes: tuple[str, ...]
    result: Segmentation
    engine_seconds: float


class ProductWriter:
    """Writes the products of series, and records them in the journal.

    Args:
        settings: Settings of the node.
        journal: Journal.
        spool: Spool.
    """

    def __init__(self, settings: NodeSettings, journal: Journal, spool: Spool) -> None:
        self._settings, self._journal, self._spool = settings, journal, spool

    def finish(self, job: Segmented) -> None:
        """Write everything that the rule asks for; once this returns, it is about to be delivered.

        Raises:
            TextSegmentError: Nothing was found, an archive cannot be asked for the earlier set, or the disk
                is full.
        """
        folder = self._spool.begin_results(job.entry.id)
        previous = self._previous(job, folder)
        files, made = self._write(job, previous, folder)
        self._spool.finish_results(job.entry.id)
        destinations = job.rule.destinations
        self._journal.add_results(job.entry, files, destinations, made, job.engine_seconds, previous.reason)

    def _write(
        self, job: Segmented, previous: Previous, folder: Path
    ) -> tuple[tuple[str, ...], frozenset[str]]:
        """Write all products; returns the names of those that are delivered, and fingerprints of regions."""
        rule, plan = job.rule, job.plan
        said: list[str] = list(previous.cautions)
        files: list[str] = []
        made: list[str] = []
        shown = Presentation(rule.label, rule.series_description)
        masks = previous.left_to_write(job.result, plan.names, short_names=rule.short_names)
        if "rtstruct" in rule.outputs and len(masks):
            said += write_rtstruct(
                masks,
                job.source,
                folder / _STRUCTURE_SET,
                names=plan.names,
                short_names=rule.short_names,
                append_to=previous.append_to,
                presentation=shown,
                styles=plan.styles,
                on_region=made.append,
            )
            files.append(_STRUCTURE_SET)
        if "seg" in rule.outputs and len(job.result):
            said += write_dicom_seg(
                job.result,
                job.source,
                folder / _SEGMENTATION,
                names=plan.names,
                presentation=shown,
                styles=plan.styles,
            )
            files.append(_SEGMENTATION)
        if previous.append_to is not None:
            previous.append_to.unlink(missing_ok=True)
        if "report" in rule.outputs:
            self._write_report(job, said, folder)
            files.append(_REPORT)
        return tuple(files), frozenset(made)

    def _write_report(self, job: Segmented, said: list[str], folder: Path) -> None:
        cautions = tuple(sentence for sentence in dict.fromkeys(said) if isinstance(sentence, Caution))
        report = make_report(
            job.volume,
            replace(job.result, warnings=(*job.result.warnings, *cautions)),
            names=job.plan.names,
            missing=job.plan.missing,
            notes=(*job.notes, *(each for each in dict.fromkeys(said) if each not in cautions)),
        )
        write_json(report, folder / _FIGURES)
        write_report_page(job.volume, job.result, report, folder / _PAGE)
        write_structured_report(report, job.source, folder / _REPORT)

    def _previous(self, job: Segmented, folder: Path) -> Previous:
        """Return what becomes of the set of an earlier run: that of an archive, else that of the spool."""
        known = self._journal.fingerprints(job.entry.uid)
        if "rtstruct" not in job.rule.outputs or not known:
            return Previous()
        return revise(self._earlier_sets(job), job.source, known, folder)

    def _earlier_sets(self, job: Segmented) -> Iterator[Dataset]:
        services = [self._settings.destination(name) for name in job.rule.destinations]
        archives = [service for service in services if isinstance(service, WebDestination)]
        for archive in archives:
            yield from WebArchive(archive).structure_sets(job.source.study_instance_uid)
        if archives:
            return  # what is no longer in the archive was removed by a person
        for earlier in self._journal.entries():
            path = self._spool.results(earlier.id) / _STRUCTURE_SET
            if earlier.uid == job.entry.uid and earlier.version < job.entry.version and path.is_file():
                yield read_set(path)
