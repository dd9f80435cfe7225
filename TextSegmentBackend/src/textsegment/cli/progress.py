"""Progress of a job in the terminal, and how long its steps take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from textsegment import segmenter
from textsegment.segmenter import Estimated, Event, MaskReady, Queued

_STEPS = {
    "uploading": "upload",
    "waiting": "wait",
    "preparing": "prepare",
    "encoding": "encode",
    "decoding": "decode",
    "finishing": "restore",
}


class Stopwatch:
    """Adds up seconds per step, both measured around blocks of code and reported by the engine.

    Attributes:
        seconds: Seconds by name of the step.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Add the duration of the block to a step."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._last = time.perf_counter()
            self._add(step, self._last - start)

    def on_event(self, event: Event) -> None:
        """Add the time since the last event to the step that the engine reports."""
        if isinstance(event, segmenter.Progress):
            now = time.perf_counter()
            self._add(_STEPS.get(event.stage, "other"), now - self._last)
            self._last = now

    def _add(self, step: str, seconds: float) -> None:
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds


class ProgressBar:
    """Progress bar on stderr with stage, finished structures and time left; hidden if stderr is no terminal.

    Args:
        label: Text before the bar; empty for a single image.
        structures: Number of structures expected.
        quiet: Whether to hide the bar.
    """

    def __init__(self, label: str, structures: int, *, quiet: bool) -> None:
        console = Console(stderr=True)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[label]}{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[done]}/{task.fields[structures]} structures"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self._progress = Progress(
            *columns, console=console, transient=True, disable=quiet or not console.is_terminal
        )
        self._task: TaskID = self._progress.add_task(
            "starting", total=1.0, label=label, done=0, structures=structures
        )
        self._done = 0

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_event(self, event: Event) -> None:
        """Update the bar from an event of the engine."""
        if isinstance(event, segmenter.Progress):
            self._progress.update(self._task, completed=event.fraction, description=event.stage)
        elif isinstance(event, Estimated):
            if event.patches and not self._progress.disable:
                self._progress.console.print(_said(event), style="dim", highlight=False)
        elif isinstance(event, Queued):
            waiting = f"queued behind {event.position}" if event.position else "starting"
            self._progress.update(self._task, description=waiting)
        elif isinstance(event, MaskReady):
            self._done += 1
            self._progress.update(self._task, done=self._done)


def _said(event: Estimated) -> str:
    """Return the cost of a job as text, such as "3 patches, about 12 s, 1.1 GiB of memory"."""
    patches = "1 patch" if event.patches == 1 else f"{event.patches} patches"
    seconds = "" if event.seconds is None else f", about {duration(event.seconds)}"
    return f"{patches}{seconds}, {event.memory_bytes / 2**30:.1f} GiB of memory"


def duration(seconds: float) -> str:
    """Format a duration in seconds for people.

    >>> duration(8.4), duration(200), duration(9000)
    ('8 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
