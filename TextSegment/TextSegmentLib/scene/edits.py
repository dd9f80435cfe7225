"""Detection of segments edited since a run made them: done in a worker, and cached.

Comparing voxels takes seconds where Slicer has merged many segments into one large image, as it does when a
scene is saved. A cached verdict stays valid as long as the segment's image is the same and unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import vtk

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.scene.content import Content, LabelImage
from TextSegmentLib.scene.segments import BINARY_LABELMAP


@dataclass(frozen=True)
class Verdict:
    """Whether a segment was edited, and its volume if so.

    Attributes:
        is_edited: Whether the segment differs from what a run made.
        volume_ml: Current volume in millilitres; not measured if the segment was not edited.
    """

    is_edited: bool
    volume_ml: float = 0.0


class _Seen:
    """Image and label of a segment at one moment; does not keep the image alive."""

    def __init__(self, segment: Any) -> None:
        image = segment.GetRepresentation(BINARY_LABELMAP)
        self._image = vtk.vtkWeakReference()
        self._image.Set(image)
        self._is_empty = image is None
        self._time = 0 if image is None else image.GetMTime()
        self._label = segment.GetLabelValue()

    def is_now(self, segment: Any) -> bool:
        """Return whether a segment still has the same image and label, unchanged."""
        image = segment.GetRepresentation(BINARY_LABELMAP)
        if image is None or self._is_empty:
            return image is None and self._is_empty
        return (
            image is self._image.Get()
            and image.GetMTime() == self._time
            and segment.GetLabelValue() == self._label
        )


@dataclass(frozen=True, eq=False)
class Suspect:
    """Segment to be checked for edits, with the content that a run gave it."""

    segment_id: str
    segment: Any
    original: Content


class EditWatch:
    """Tracks which segments of one segmentation were edited."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Seen, Verdict]] = {}
        self._task: BackgroundTask[dict[str, Verdict]] | None = None
        self._asked: dict[str, _Seen] = {}

    def remember(self, segment_id: str, segment: Any) -> None:
        """Record a segment that a run has just made as unedited."""
        self._known[segment_id] = (_Seen(segment), Verdict(is_edited=False))

    def verdict(self, segment_id: str, segment: Any) -> Verdict | None:
        """Return the verdict on a segment in its current state; None if it was not checked yet."""
        seen, verdict = self._known.get(segment_id, (None, None))
        return verdict if seen is not None and seen.is_now(segment) else None

    def look(self, suspects: Iterable[Suspect]) -> bool:
        """Collect the worker's verdicts, and have it check the segments without one; never blocks.

        Returns:
            Whether more verdicts are to come.
        """
        self._take()
        unknown = [each for each in suspects if self.verdict(each.segment_id, each.segment) is None]
        if unknown and self._task is None:
            self._ask(unknown)
        return self._task is not None

    def settle(self, suspects: Iterable[Suspect]) -> None:
        """Wait until every segment has a verdict; takes seconds for large images."""
        everything = list(suspects)
        while self.look(everything):
            assert self._task is not None
            self._task.wait()

    def _ask(self, unknown: list[Suspect]) -> None:
        images: dict[str, LabelImage] = {}
        work = []
        for each in unknown:
            image = each.segment.GetRepresentation(BINARY_LABELMAP)
            key = "" if image is None else image.GetAddressAsString("")
            if key not in images:
                images[key] = LabelImage(image)
            work.append((each.segment_id, images[key], each.segment.GetLabelValue(), each.original))
        self._asked = {each.segment_id: _Seen(each.segment) for each in unknown}
        self._task = BackgroundTask(lambda _report, _cancel: _judge(work)).start()

    def _take(self) -> None:
        if self._task is None or not self._task.is_over:
            return
        task, self._task = self._task, None
        for segment_id, verdict in task.result().items():
            # If the segment changed meanwhile, this no longer matches it, and it is checked again.
            self._known[segment_id] = (self._asked[segment_id], verdict)


def _judge(work: list[tuple[str, LabelImage, int, Content]]) -> dict[str, Verdict]:
    verdicts = {}
    for segment_id, image, label, original in work:
        is_edited = not image.holds(label, original)
        verdicts[segment_id] = Verdict(is_edited, image.volume_ml(label) if is_edited else 0.0)
    return verdicts
