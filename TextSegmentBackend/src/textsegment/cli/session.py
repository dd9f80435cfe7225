"""One image from file to result; what all images of a command share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from textsegment.cli.outputs import Targets, require_absent
from textsegment.cli.progress import ProgressBar, Stopwatch
from textsegment.cli.report import make_report, write_json
from textsegment.vocabulary.wanted import find_structures

if TYPE_CHECKING:
    from textsegment.client.remote import RemoteSegmenter
    from textsegment.segmenter import Event, ModelInfo, Segmenter


@dataclass
class Session:
    """A command's wishes, and the model, which is loaded when it is first needed.

    Attributes:
        text: Structures, as typed; checked by ``check_text``.
        model: Name of the model.
        device: As for ``LocalSegmenter``.
        precision: As for ``LocalSegmenter``.
        server: Does the work in place of a model in this process, or None.
        modality: DICOM code that overrules the image, or None.
        yes: Whether sets of structures may run without a question.
        overwrite: Whether existing results may be replaced.
        quiet: Whether to show no progress.
    """

    text: str
    model: str = "sat-demo"
    device: str = "auto"
    precision: str = "auto"
    server: RemoteSegmenter | None = None
    modality: str | None = None
    yes: bool = False
    overwrite: bool = False
    quiet: bool = False

    @cached_property
    def segmenter(self) -> Segmenter:
        """The server, or the model on its device."""
        if self.server is not None:
            return self.server
        from textsegment.inference.engine import LocalSegmenter

        with self._status("Loading the model"):
            return LocalSegmenter(self.model, device=self.device, precision=self.precision)

    @cached_property
    def info(self) -> ModelInfo:
        """What segments."""
        segmenter = self.segmenter
        with self._status("Asking the server" if self.server else "Loading the model"):
            return segmenter.info()

    def run(self, image: Path, targets: Targets, *, label: str = "") -> dict[str, Any]:
        """Segment one image, write everything, and return its report.

        Raises:
            TextSegmentError: Any failure; no output is written then, or only whole ones.
        """
        from textsegment.files.reading import read_volume
        from textsegment.files.results import write_result

        watch = Stopwatch()
        with watch.measure("read"), self._status(f"{label}Reading"):
            volume = read_volume(image, modality=self.modality)
        with watch.measure("load_model"):
            available = self.info.structures.get(volume.modality, ())
        wanted = find_structures(self.text, volume.modality, available, self._consent)
        if not self.overwrite:
            require_absent(targets.files(tuple(dict.fromkeys(wanted.structures))))
        with ProgressBar(label, len(set(wanted.structures)), quiet=self.quiet) as bar:
            result = self.segmenter.segment(
                volume, wanted.structures, on_event=_both(watch.on_event, bar.on_event)
            )
        with watch.measure("write"), self._status(f"{label}Writing"):
            write_result(result, targets.result)
            if targets.preview is not None:
                from textsegment.files.preview import write_preview

                write_preview(volume, result, targets.preview)
        report = make_report(volume, result, wanted.notes, watch.seconds)
        if targets.report is not None:
            write_json(report, targets.report)
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
