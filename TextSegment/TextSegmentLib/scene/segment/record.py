"""Record that a run keeps in a segment's tags, so that its results can be shown again after save and load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import textsegment
import vtk
from textsegment import doubt
from textsegment.caution import Caution
from textsegment.derive.tidy import said_of_tidying
from textsegment.doubt import NO_DOUBT, Doubt
from textsegment.segmentation import StructureMask
from textsegment.segmenter import ModelInfo

from TextSegmentLib.scene.results.rows import RowState, state_of
from TextSegmentLib.scene.segment.content import Content
from TextSegmentLib.scene.segment.doubt_tags import doubt_from_tags, doubt_to_tags

_TAG = "TextSegment."
_KEYS = (
    "model",
    "weights_sha256",
    "prompt",
    "modality",
    "version",
    "date",
    "run",
    "state",
    "volume_ml",
    "confidence",
    "content",
    "box",
    "warnings",
    "segment",
    "verdict",
    "reasons",
    "tidied",
    "tidied_ml",
)
# Segmentation files use "|" and "~" as delimiters in tags, and cannot hold line breaks there.
_PUNCTUATION = str.maketrans({"|": "/", "~": "-", "\n": " ", "\r": " "})


@dataclass(frozen=True, eq=False)
class SegmentRecord:
    """Record of how a segment was made.

    Attributes:
        run_id: Identifier of the run that made it.
        structure: Prompt that the model was asked with.
        modality: DICOM modality code of the image.
        date: Time at which it was made, in UTC, ISO 8601.
        state: State of its row at that time.
        volume_ml: Volume in millilitres at that time.
        confidence: Mean probability under the mask.
        content: Content of its label map at that time.
        warnings: Sentences for the user.
        model: Name of the model that made it.
        doubt: What speaks against it.
        tidied: What tidying has removed from what the model had found; empty for nothing.
        tidied_ml: How much it has removed, in millilitres.
    """

    run_id: str
    structure: str
    modality: str
    date: str
    state: RowState
    volume_ml: float
    confidence: float
    content: Content
    warnings: tuple[str, ...]
    model: str
    doubt: Doubt = NO_DOUBT
    tidied: str = ""
    tidied_ml: float = 0.0

    @classmethod
    def of(cls, segment: Any, segment_id: str) -> SegmentRecord | None:
        """Read the tags of a segment; return None if no run made it, or if it is a copy of such a segment."""
        run_id = tag_of(segment, "run")
        if not run_id or tag_of(segment, "segment") not in ("", segment_id):
            return None
        try:
            return cls(
                run_id=run_id,
                structure=tag_of(segment, "prompt"),
                modality=tag_of(segment, "modality"),
                date=tag_of(segment, "date"),
                state=RowState(tag_of(segment, "state")),
                volume_ml=float(tag_of(segment, "volume_ml")),
                confidence=float(tag_of(segment, "confidence")),
                content=Content.from_text(tag_of(segment, "content"), _shape(tag_of(segment, "box"))),
                warnings=tuple(filter(None, [tag_of(segment, "warnings")])),
                model=tag_of(segment, "model"),
                doubt=doubt_from_tags(tag_of(segment, "verdict"), tag_of(segment, "reasons")),
                tidied=tag_of(segment, "tidied"),
                tidied_ml=float(tag_of(segment, "tidied_ml") or 0.0),
            )
        except ValueError:  # somebody has changed the tags
            return None


def tags_for(
    mask: StructureMask, model: ModelInfo, content: Content, *, run_id: str, modality: str
) -> dict[str, str]:
    """Return the tags for the segment of a mask, to be written by ``mark``."""
    shape = content.shape or ()
    tidied = said_of_tidying(mask.warnings)
    others = [each for each in mask.warnings if each not in tidied]
    return {
        "model": model.model,
        "weights_sha256": model.weights_sha256,
        "prompt": mask.structure,
        "modality": modality,
        "version": textsegment.__version__,
        "date": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "run": run_id,
        "state": state_of(mask.statistics),
        "volume_ml": f"{mask.statistics.volume_ml:.6g}",
        "confidence": f"{mask.statistics.mean_confidence:.4f}",
        "content": content.to_text(),
        "box": " ".join(map(str, shape)),
        **({"warnings": " ".join(others)} if others else {}),
        **({"tidied": " ".join(tidied), "tidied_ml": f"{_removed_ml(tidied):.4g}"} if tidied else {}),
        **doubt_to_tags(doubt.of(mask, model.calibration)),
    }


def _removed_ml(tidied: Iterable[Caution]) -> float:
    """Return how much was removed, which each of these cautions says under one name or another."""
    values = (caution.values for caution in tidied)
    return float(sum(each.get("removed_ml", each.get("volume_ml", 0.0)) for each in values))


def mark(segment: Any, tags: Mapping[str, str], *, only: bool = False) -> None:
    """Write tags to a segment; characters that a segmentation file cannot hold are replaced.

    Args:
        segment: Segment to write to.
        tags: Tags that ``tags_for`` or ``tags_of`` returned.
        only: Whether to remove this module's other tags.
    """
    for key in _KEYS if only else ():
        if key not in tags:
            segment.RemoveTag(f"{_TAG}{key}")
    for key, value in tags.items():
        segment.SetTag(f"{_TAG}{key}", value.translate(_PUNCTUATION))


def mark_anew(segmentation_node: Any, segment: Any, tags: Mapping[str, str]) -> None:
    """Replace this module's tags of a segment that is in a node.

    It is announced once: for each announcement Slicer looks at all segments, which blocks the GUI for seconds
    if there are dozens.
    """
    was_modifying = segmentation_node.StartModify()
    try:
        mark(segment, tags, only=True)
    finally:
        segmentation_node.EndModify(was_modifying)


def tag_of(segment: Any, key: str) -> str:
    """Return the value of a tag that ``mark`` wrote; empty if there is none."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(f"{_TAG}{key}", value) else ""


def tags_of(segment: Any) -> dict[str, str]:
    """Return all tags of this module that a segment has."""
    return {key: value for key in _KEYS if (value := tag_of(segment, key))}


def untidied_tags(tags: Mapping[str, str], raw: Content, raw_ml: float) -> dict[str, str]:
    """Return tags as they were before the mask was tidied.

    Args:
        tags: Tags of the tidied segment.
        raw: Content of the mask as the model had found it.
        raw_ml: Its volume in millilitres.
    """
    before = {key: value for key, value in tags.items() if key not in ("tidied", "tidied_ml")}
    box = " ".join(map(str, raw.shape or ()))
    before |= {"content": raw.to_text(), "box": box, "volume_ml": f"{raw_ml:.6g}"}
    return {key: value for key, value in before.items() if value}


def _shape(text: str) -> tuple[int, int, int] | None:
    if not text:
        return None
    i, j, k = (int(part) for part in text.split())
    return (i, j, k)
