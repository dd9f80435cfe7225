"""Logic of the module, without a GUI: used by scripts and by the panel alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment.errors import BusyError
from textsegment.geometry import Box
from textsegment.modality import ModalityGuess, modality_code
from textsegment.prompt import unique_prompts
from textsegment.segmenter import ModelInfo, Segmenter
from textsegment.vocabulary.availability import as_available
from textsegment.vocabulary.resolve import Resolution, resolve
from textsegment.vocabulary.selection import Selection, check_text, find_structures

from TextSegmentLib.correction.beginning import begin_correction
from TextSegmentLib.correction.correction_run import CorrectionRun
from TextSegmentLib.correction.edited_segment import Mark
from TextSegmentLib.engine.default import default_segmenter
from TextSegmentLib.scene.modality import guess_modality
from TextSegmentLib.scene.region import effort_of
from TextSegmentLib.scene.results.results import Results
from TextSegmentLib.scene.results.rows import ResultRow
from TextSegmentLib.scene.run.again import begin_again
from TextSegmentLib.scene.run.finding import Request
from TextSegmentLib.scene.run.run import Run
from TextSegmentLib.scene.run.target import Target
from TextSegmentLib.scene.volume_node import read_volume_node

_WAIT_S = 0.01


class TextSegmentLogic:
    """Segments volume nodes by text.

    >>> segmentation_node = TextSegmentLogic().segment(volume_node, "liver, spleen")
    """

    def __init__(self) -> None:
        self._run: Run | None = None

    @property
    def run(self) -> Run | None:
        """Last run that was started here; None before the first."""
        return self._run

    def segment(
        self,
        volumeNode: Any,
        text: str,
        segmentationNode: Any = None,
        *,
        modality: str | None = None,
        segmenter: Segmenter | None = None,
        roiNode: Any = None,
        tidy: bool | None = None,
        check: bool = False,
        wait: bool = True,
        on_event: Callable[[Run], None] = lambda run: None,
    ) -> Any:
        """Segment what a text names; terms for several structures ("ribs") run without confirmation.

        Args:
            volumeNode: Scalar volume node.
            text: Names of structures, such as ``"liver, left kidney"``.
            segmentationNode: Segmentation node that receives the segments; None for a new one.
            modality: ``CT``, ``MR`` or ``PT``; None for a guess, see ``guess_modality``.
            segmenter: Segmenter that finds the structures; None for the engine that was chosen in the panel,
                which is started if necessary.
            roiNode: Markups ROI that limits the segmentation, which saves time; None for the whole image.
            tidy: Whether to remove stray parts by rules of anatomy; None for what is usual for the model.
            check: Whether to look at the image a second time, shifted, to find out which masks are unstable.
            wait: Whether to return only at the end; the GUI stays responsive meanwhile.
            on_event: Callback that gets the run after every change.

        Returns:
            The segmentation node; without ``wait``, the ``Run``, whose ``process_events`` has to be called.

        Raises:
            TextSegmentError: The run could not begin, failed, or was cancelled. Without ``wait``, later
                failures are the ``error`` of the run.
        """
        check_text(text)
        self._require_idle()
        code = modality_code(modality or self.guess_modality(volumeNode).code)

        def choose(model: ModelInfo) -> Selection:
            return find_structures(text, code, model.structures.get(code, ()), lambda meaning: True)

        run = self._begin(
            volumeNode,
            segmentationNode,
            code,
            choose,
            (),
            segmenter,
            on_event,
            roi_node=roiNode,
            tidy=tidy,
            check=check,
        )
        if not wait:
            return run
        while run.process_events():
            _wait_a_moment()
        if run.error is not None:
            raise run.error
        return run.segmentation_node

    def start(
        self,
        volume_node: Any,
        structures: Sequence[str],
        segmentation_node: Any = None,
        *,
        modality: str,
        segmenter: Segmenter,
        roi_node: Any = None,
        replaced: Sequence[ResultRow] = (),
        tidy: bool | None = None,
        check: bool = False,
        on_event: Callable[[Run], None] = lambda run: None,
    ) -> Run:
        """Start a run that looks for structures, and return at once.

        Args:
            volume_node: Scalar volume node.
            structures: Prompts for the model, as ``resolve`` returns them.
            segmentation_node: Segmentation that receives the segments; None for a new one beside the volume.
            modality: DICOM modality code.
            segmenter: Segmenter that finds the structures.
            roi_node: Markups ROI that limits the segmentation; None for the whole image.
            replaced: Rows of the segmentation whose segments are replaced, as in ``redo``.
            tidy: Whether to tidy the masks; None for what is usual for the model.
            check: Whether to look at the image a second time, to find out which masks are unstable.
            on_event: Callback that gets the run after every change.

        Returns:
            The run, whose ``process_events`` has to be called until it returns False.

        Raises:
            BusyError: A run that was started here is still active.
            TextSegmentError: The nodes or the structures cannot be used; nothing was changed.
        """
        self._require_idle()
        names = tuple(prompt.text for prompt in unique_prompts(structures))
        return self._begin(
            volume_node,
            segmentation_node,
            modality_code(modality),
            lambda model: Selection(names),
            names,
            segmenter,
            on_event,
            replaced,
            roi_node,
            tidy=tidy,
            check=check,
        )

    def redo(
        self,
        results: Results,
        row: ResultRow,
        *,
        segmenter: Segmenter,
        tidy: bool | None = None,
        on_event: Callable[[Run], None] = lambda run: None,
    ) -> Run:
        """Look for one structure again; see ``Results.make_way`` for what becomes of its segment.

        Args:
            results: Results that hold the row.
            row: Row whose structure to look for again.
            segmenter: Segmenter that finds the structure.
            tidy: Whether to tidy the mask; None for what is usual for the model.
            on_event: Callback that gets the run after every change.

        Returns:
            The run; see ``start``.

        Raises:
            BusyError: A run that was started here is still active.
            TextSegmentError: The volume or the segmentation was deleted, or cannot be used any more.
        """
        self._require_idle()
        self._run = begin_again(results, row, segmenter, tidy=tidy, on_event=on_event)
        return self._run

    def _begin(
        self,
        volume_node: Any,
        segmentation_node: Any,
        modality: str,
        choose: Callable[[ModelInfo], Selection],
        structures: Sequence[str],
        segmenter: Segmenter | None,
        on_event: Callable[[Run], None],
        replaced: Sequence[ResultRow] = (),
        roi_node: Any = None,
        *,
        tidy: bool | None = None,
        check: bool = False,
    ) -> Run:
        source = read_volume_node(volume_node)
        effort = replace(effort_of(roi_node, volume_node, source.geometry), check=check)
        request = Request(modality, choose, effort, tidy)
        segmenter = segmenter or default_segmenter()
        target = Target.prepare(volume_node, segmentation_node)
        results = Results(volume_node, target.node)
        self._run = Run(
            source, target, results, request, structures, segmenter, replaced=replaced, on_event=on_event
        )
        return self._run

    def _require_idle(self) -> None:
        if self._run is not None and self._run.is_active:
            raise BusyError(_("A run is not over."), _("Wait for its end, or cancel it."))

    def correct(
        self,
        results: Results,
        segment_id: str,
        *,
        segmenter: Segmenter,
        modality: str = "",
        marks: Sequence[Mark] = (),
        box: Box | None = None,
        anew: bool = False,
        on_event: Callable[[CorrectionRun], None] = lambda run: None,
    ) -> CorrectionRun:
        """Carry what the user has drawn in a segment to the rest of it; no segment is changed yet.

        Args:
            results: Results of the segmentation that holds the segment, which may be the user's own.
            segment_id: Identifier of the segment.
            segmenter: Segmenter that carries the edits on.
            modality: DICOM modality code; empty for that of the run that made the segment, or a guess.
            marks: Points that the user has placed.
            box: Box of voxels that may change; None for all.
            anew: Whether to look for the structure again in the box, rather than to carry edits on.
            on_event: Callback that gets the correction after every change.

        Returns:
            The correction, whose ``process_events`` has to be called until it returns False; ``take_over``
            then puts its outcome in the place of the segment.

        Raises:
            TextSegmentError: The nodes or the segment cannot be used, or the segment was accepted.
        """
        return begin_correction(
            results, segment_id, segmenter, modality, tuple(marks), box, anew=anew, on_event=on_event
        )

    def results_of(self, volumeNode: Any, segmentationNode: Any) -> Results:
        """Return the results that a segmentation holds, also those of earlier sessions."""
        return Results(volumeNode, segmentationNode)

    def resolve(self, text: str, modality: str, model: ModelInfo | None = None) -> list[Resolution]:
        """Return what a text stands for, term by term; fast enough to call on every keystroke.

        Args:
            text: Text as typed so far.
            modality: ``CT``, ``MR`` or ``PT``.
            model: Model to check availability against; None to skip this check.

        Raises:
            ModalityError: The modality is not one of these.
        """
        found = resolve(text, modality)
        if model is None:
            return found
        available = frozenset(model.structures.get(modality, ()))
        return [as_available(each, available) for each in found]

    def guess_modality(self, volume_node: Any) -> ModalityGuess:
        """Return the most likely modality of a volume, and where it comes from.

        Raises:
            VolumeInvalidError: The node is not a scan.
        """
        return guess_modality(volume_node)


def _wait_a_moment() -> None:
    slicer.app.processEvents()
    time.sleep(_WAIT_S)
