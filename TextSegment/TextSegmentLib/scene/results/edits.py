"""Detection of segments edited since a run made them: done in a worker, and cached.

Comparing voxels takes seconds where Slicer has merged many segments into one large image, as it does when a
scene is saved. A cached verdict stays valid as long as the segment's image is the same and unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import vtk

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.history.packed_mask import PackedMask, changes_between
from TextSegmentLib.scene.segment.content import Content, LabelImage
from TextSegmentLib.scene.segment.segments import BINARY_LABELMAP


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a segment was edited, and its voxels.

    Attributes:
        is_edited: Whether the segment differs from what a run made.
        volume_ml: Current volume in millilitres; not measured if the segment was not edited.
        mask: Current voxels; None if there are none, or if nobody has asked for them.
        changes: Number of slices that the user has edited; None if that cannot be told.
    """

    is_edited: bool
    volume_ml: float = 0.0
    mask: PackedMask | None = None
    changes: int | None = None


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
    """Segment to be checked for edits.

    Attributes:
        segment_id: Identifier of the segment.
        segment: The segment.
        original: Content that a run gave it; None for a segment of the user's own, which is never edited.
        find_result: Returns the mask that a run gave it; None if it was not stored.
    """

    segment_id: str
    segment: Any
    original: Content | None
    find_result: Callable[[], PackedMask | None] = lambda: None


@dataclass(frozen=True, eq=False)
class Stroke:
    """Change of a segment's voxels by the user, or by another program."""

    segment_id: str
    before: PackedMask | None
    after: PackedMask | None


@dataclass(frozen=True, eq=False)
class _Task:
    """Suspect whose voxels are compared in the worker."""

    suspect: Suspect
    image: LabelImage
    label: int
    result: PackedMask | None


class EditWatch:
    """Tracks which segments of one segmentation were edited, and how."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Seen | None, Verdict]] = {}
        self._task: BackgroundTask[dict[str, Verdict]] | None = None
        self._asked: dict[str, _Seen] = {}
        self._strokes: list[Stroke] = []

    def remember(self, segment_id: str, segment: Any, mask: PackedMask | None) -> None:
        """Record the voxels that this module has just given a segment as unedited."""
        self._known[segment_id] = (_Seen(segment), Verdict(is_edited=False, mask=mask))
        self._asked.pop(segment_id, None)

    def expect(self, segment_id: str, mask: PackedMask | None) -> None:
        """Record the voxels that this module has just given a segment, which is checked for edits again."""
        self._known[segment_id] = (None, Verdict(is_edited=False, mask=mask))
        self._asked.pop(segment_id, None)  # the answer would be about earlier voxels

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

    def take_strokes(self) -> list[Stroke]:
        """Return the changes seen since the last call, oldest first."""
        strokes, self._strokes = self._strokes, []
        return strokes

    def _ask(self, unknown: list[Suspect]) -> None:
        images: dict[str, LabelImage] = {}
        work = []
        for each in unknown:
            image = each.segment.GetRepresentation(BINARY_LABELMAP)
            key = "" if image is None else image.GetAddressAsString("")
            if key not in images:
                images[key] = LabelImage(image)
            work.append(_Task(each, images[key], each.segment.GetLabelValue(), each.find_result()))
        self._asked = {each.segment_id: _Seen(each.segment) for each in unknown}
        self._task = BackgroundTask(lambda _report, _cancel: _judge(work)).start()

    def _take(self) -> None:
        if self._task is None or not self._task.is_over:
            return
        task, self._task = self._task, None
        for segment_id, verdict in task.result().items():
            seen = self._asked.get(segment_id)
            if seen is None:
                continue
            # If the segment changed meanwhile, this no longer matches it, and it is checked again.
            _seen, before = self._known.get(segment_id, (None, None))
            self._known[segment_id] = (seen, verdict)
            if before is not None and _is_stroke(before.mask, verdict.mask):
                self._strokes.append(Stroke(segment_id, before.mask, verdict.mask))


def _judge(work: list[_Task]) -> dict[str, Verdict]:
    return {task.suspect.segment_id: _verdict(task) for task in work}


def _verdict(task: _Task) -> Verdict:
    suspect, image, label = task.suspect, task.image, task.label
    if suspect.original is not None and image.holds(label, suspect.original):
        return Verdict(is_edited=False, mask=task.result or _as_made(suspect.original, image, label))
    mask = PackedMask.of(image.mask(label), image.to_ras)
    if suspect.original is None:
        return Verdict(is_edited=False, mask=mask)
    count = None if task.result is None else changes_between(task.result, mask)
    return Verdict(True, image.volume_ml(label), mask, count)


def _as_made(original: Content, image: LabelImage, label: int) -> PackedMask | None:
    """Return the voxels of a segment that is as a run made it, without reading the whole image."""
    inside = image.inside(label, original)
    if inside is None:
        return PackedMask.of(image.mask(label), image.to_ras)
    to_ras = image.to_ras
    to_ras[:3, 3] = original.corner_ras
    return PackedMask.of(inside, to_ras)


def _is_stroke(before: PackedMask | None, after: PackedMask | None) -> bool:
    """Return whether voxels have changed; a segment that was moved as it is was not drawn in."""
    if before is None or after is None:
        return before is not after
    return before.content.digest != after.content.digest
