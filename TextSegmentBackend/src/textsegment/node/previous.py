"""Earlier structure sets of a series: what a new run replaces, keeps and never touches.

Regions count as the node's own only if the journal has their fingerprint: then they are exactly what the node
wrote, and nobody has edited them. Everything else is kept. A set that a person has approved is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.errors import InputError
from textsegment.files.dicom.match import references_of_structure_set, require_same_scan
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom.values import convert_values
from textsegment.files.rtstruct.revision import fingerprints, region_names, write_without


@dataclass(frozen=True)
class Previous:
    """What becomes of the earlier structure set.

    Attributes:
        append_to: File with its regions that are kept, which the new set extends; None if it extends none.
        kept: Names of the regions that are kept, which are not made again.
        kept_fingerprints: Fingerprints of the regions that are kept.
        cautions: What the user should know.
    """

    append_to: Path | None = None
    kept: tuple[str, ...] = ()
    kept_fingerprints: frozenset[str] = frozenset()
    cautions: tuple[Caution, ...] = ()

    @property
    def reason(self) -> str:
        """What was done, for the journal: without names, which a person may have given."""
        return " ".join(caution for caution in self.cautions if caution.code != "regions_kept")


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
    if str(latest.get("ApprovalStatus") or "") == "APPROVED":
        return Previous(cautions=(Caution("approved_set_kept"),))
    found = fingerprints(latest)
    replaced = {number for number, digest in found.items() if digest in known}
    names = region_names(latest, _numbers(latest) - replaced)
    cautions = [Caution("regions_replaced", count=len(replaced))] if replaced else []
    if names:
        cautions.append(Caution("regions_kept", names=", ".join(names)))
    path = folder / "previous.part"
    write_without(latest, replaced, path)
    kept = frozenset(digest for number, digest in found.items() if number not in replaced)
    return Previous(path, names, kept, tuple(cautions))


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


def _numbers(dataset: Dataset) -> set[int]:
    return {int(roi.ROINumber) for roi in dataset.get("StructureSetROISequence") or ()}
