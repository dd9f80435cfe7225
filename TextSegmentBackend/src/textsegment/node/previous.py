"""Earlier structure sets of a series: what a new run replaces, keeps and never touches.

Regions count as the node's own only if the journal has their fingerprint: then they are exactly what the node
wrote, and nobody has edited them. Everything else is kept. A set that a person has approved is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from pydicom.dataset import Dataset

from textsegment.errors import InputError
from textsegment.files.dicom.match import references_of_structure_set, require_same_scan
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom.values import convert_values
from textsegment.files.rtstruct.previous import Previous, prepare
from textsegment.files.rtstruct.revision import fingerprints


def revise(
    candidates: Iterable[Dataset], source: SourceSeries, known: Collection[str], folder: Path
) -> Previous:
    """Find the latest structure set that goes back to this node, and prepare it for being extended.

    Args:
        candidates: Structure sets of the study, from an archive or a file.
        source: The series.
        known: Fingerprints of all regions that the node has made for the series.
        folder: Folder for a temporary file.
    """
    ours = _descended([each for each in candidates if _is_of(each, source)], known)
    if not ours:
        return Previous()
    latest = max(ours, key=_made_at)
    replaced = {number for number, digest in fingerprints(latest).items() if digest in known}
    return prepare(latest, replaced, folder)


def _is_of(dataset: Dataset, source: SourceSeries) -> bool:
    """Return whether a structure set was drawn on the images of the series."""
    convert_values(dataset)
    references = references_of_structure_set(dataset)
    if not references.images and not references.series:
        return False
    try:
        require_same_scan(references, source)
    except InputError:
        return False
    return True


def _descended(candidates: list[Dataset], known: Collection[str]) -> list[Dataset]:
    """Return the sets that hold a region of ours, or succeed a set that does."""
    ours = [each for each in candidates if set(fingerprints(each).values()) & set(known)]
    while True:
        uids = {str(each.get("SOPInstanceUID")) for each in ours}
        more = [
            each
            for each in candidates
            if str(each.get("SOPInstanceUID")) not in uids and _predecessors(each) & uids
        ]
        if not more:
            return ours
        ours += more


def _predecessors(dataset: Dataset) -> set[str]:
    items = dataset.get("PredecessorStructureSetSequence") or ()
    return {str(item.get("ReferencedSOPInstanceUID")) for item in items}


def _made_at(dataset: Dataset) -> tuple[str, ...]:
    moments = ("StructureSetDate", "StructureSetTime", "InstanceCreationDate", "InstanceCreationTime")
    return tuple(str(dataset.get(keyword) or "") for keyword in moments)
