"""One image from file to result, with the state that all images of a command share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from textsegment.caution import Caution
from textsegment.cli.outputs import OutputOptions, require_absent, require_distinct
from textsegment.cli.progress import ProgressBar, Stopwatch
from textsegment.cli.region import read_region
from textsegment.cli.selection import SelectionCriteria
from textsegment.cli.writing import write_masks, write_reports
from textsegment.derive.structures import require_whole
from textsegment.derive.tidy import is_tidy_by_default
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.effort import Effort
from textsegment.files.report.summary import make_report

if TYPE_CHECKING:
    from textsegment.client.remote import RemoteSegmenter
    from textsegment.segmenter import Event, ModelInfo, Segmenter


@dataclass
class Session:
    """Options of a command, and the model, which is loaded when first needed.

    Attributes:
        request: Criteria that select the structures, and their names.
        model: Name of the model.
        device: Device name; see ``LocalSegmenter``.
        precision: Precision; see ``LocalSegmenter``.
        server: Segmenter of a server that replaces the model in this process, or None.
        modality: DICOM modality code that overrides that of the image, or None.
        series: Number of the DICOM series, or None.
        volume_number: Number, from 1, of the volume in a file with several, or None.
        roi: Region of the image to segment, see ``read_region``, or None for the whole image.
        fast: Whether patches overlap less, for speed.
        check: Whether everything is computed twice, to tell how far masks can be relied on.
        tidy: Whether masks are tidied by rules of anatomy; None for what is usual for the model.
        yes: Whether sets of structures run without asking.
        overwrite: Whether existing results may be overwritten.
        quiet: Whether to hide progress.
    """

    request: SelectionCriteria
    model: str = "sat-demo"
    device: str = "auto"
    precision: str = "auto"
    server: RemoteSegmenter | None = None
    modality: str | None = None
    series: str | None = None
    volume_number: int | None = None
    roi: str | None = None
    fast: bool = False
    check: bool = False
    tidy: bool | None = None
    yes: bool = False
    overwrite: bool = False
    quiet: bool = False

    @cached_property
    def segmenter(self) -> Segmenter:
        """Segmenter of the server, or the model loaded on its device."""
        if self.server is not None:
            return self.server
        with self._status("Loading the model"):
            self._import_of_engine.result()
            from textsegment.inference.engine import LocalSegmenter

            return LocalSegmenter(self.model, device=self.device, precision=self.precision)

    @cached_property
    def info(self) -> ModelInfo:
        """Description of the model that segments."""
        segmenter = self.segmenter
        with self._status("Asking the server" if self.server else "Loading the model"):
            return segmenter.info()

    @cached_property
    def _import_of_engine(self) -> Future[Any]:
        """Import of the local engine, in a thread: it takes as long as reading a large scan."""
        executor = ThreadPoolExecutor(1)
        try:
            return executor.submit(import_module, "textsegment.inference.engine")
        finally:
            executor.shutdown(wait=False)

    @property
    def tidies(self) -> bool:
        """Whether masks are tidied: as the user said, or else as is usual for the model."""
        return is_tidy_by_default(self.info) if self.tidy is None else self.tidy

    def run(self, image: Path, targets: OutputOptions, *, label: str = "") -> dict[str, Any]:
        """Segment one image, write all outputs, and return the report.

        Args:
            image: File or folder of the image.
            targets: Output options.
            label: Text before progress messages; empty for a single image.

        Raises:
            TextSegmentError: On any failure; outputs already written are complete.
        """
        from textsegment.files.masks import read_masks
        from textsegment.files.reading import read_scan
        from textsegment.files.results import require_writable

        watch = Stopwatch()
        if self.server is None:
            _ = self._import_of_engine  # goes on while the image is read
        with watch.measure("read"), self._status(f"{label}Reading"):
            scan = read_scan(
                image, modality=self.modality, series=self.series, volume_number=self.volume_number
            )
            for path in targets.results:
                require_writable(path, scan.source, append_to=targets.earlier_set)
            given = None if self.request.given is None else read_masks(self.request.given, scan)
        volume = scan.volume
        region = None if self.roi is None else read_region(self.roi, scan)
        effort = Effort(region, self.fast, self.check)
        effort = effort.within(volume.geometry.spatial_shape)
        with watch.measure("load_model"):
            available = self.info.structures.get(volume.modality, ())
        plan, notes = self.request.plan(
            volume.modality, available, self._consent, [mask.structure for mask in given or ()]
        )
        if given is not None:
            require_whole(given[name] for name in plan.given)
        files = targets.files(plan.written_names)
        require_distinct(files)
        if not self.overwrite:
            require_absent(files)
        with ProgressBar(label, len(set(plan.prompts)), quiet=self.quiet) as bar:
            on_event = _both(watch.on_event, bar.on_event)
            if self.tidies:
                result = segment_tidily(
                    self.segmenter, volume, plan.prompts, effort=effort, on_event=on_event
                ).tidy
            else:
                result = self.segmenter.segment(volume, plan.prompts, effort=effort, on_event=on_event)
        result = plan.finish(result, volume.voxels, given)
        if plan.given:
            notes += (f"Taken from the structures that were given: {', '.join(plan.given)}.",)
        with watch.measure("write"), self._status(f"{label}Writing"):
            said = write_masks(scan, result, plan, targets)
        cautions = tuple(sentence for sentence in said if isinstance(sentence, Caution))
        report = make_report(
            volume,
            replace(result, warnings=(*result.warnings, *cautions)),
            names=plan.names,
            missing=plan.missing,
            notes=(*notes, *(sentence for sentence in said if sentence not in cautions)),
            seconds=watch.seconds,
        )
        write_reports(volume, result, plan, report, targets)
        return report

    def _status(self, text: str) -> Any:
        console = Console(stderr=True, quiet=self.quiet)
        return console.status(f"{text} …")

    def _consent(self, meaning: str) -> bool:
        if not self.yes and sys.stdin.isatty():
            self.yes = typer.confirm(f"{meaning}\nSegment them all?", err=True)
        return self.yes


def _both(first: Callable[[Event], None], second: Callable[[Event], None]) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        first(event)
        second(event)

    return on_event
