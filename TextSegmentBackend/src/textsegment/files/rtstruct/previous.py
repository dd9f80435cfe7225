"""The structure set of an earlier run: what a new run replaces, keeps, and never touches.

Regions are replaced only if a machine made them and nobody has edited them since; all others are kept. A set
that a person has approved is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.rtstruct.reader import read_structure_set
from textsegment.files.rtstruct.regions import number_of
from textsegment.files.rtstruct.revision import fingerprints, region_names, untouched, write_without
from textsegment.segmentation import Segmentation
from textsegment.vocabulary.roi_names import roi_names


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

    def left_to_write(
        self, segmentation: Segmentation, names: Mapping[str, str], *, short_names: bool = False
    ) -> Segmentation:
        """Return the masks whose output names are not taken by regions that are kept.

        Args:
            segmentation: Masks of the new run.
            names: Output names by structure; structures not listed keep their own name.
            short_names: Whether names are limited to 16 characters.
        """
        taken = {name.casefold() for name in self.kept}
        written = roi_names(segmentation.named(names), short=short_names, unicode=True)
        named = zip(segmentation, written, strict=True)
        masks = tuple(mask for mask, name in named if name.casefold() not in taken)
        return replace(segmentation, masks=masks)


def read_previous(path: Path, source: SourceSeries, folder: Path) -> Previous:
    """Read the structure set of an earlier run from a file, and prepare it for being extended.

    What this program made and nobody has edited is known by the mark in each region; see ``revision``.

    Args:
        path: Structure set.
        source: Scan on which it was drawn.
        folder: Folder for a temporary file.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: It is not a structure set, or is damaged.
        InputError: It belongs to another patient, other images or another frame of reference.
    """
    dataset, _ = read_structure_set(path, source)
    return prepare(dataset, untouched(dataset), folder)


def prepare(dataset: Dataset, replaced: Collection[int], folder: Path) -> Previous:
    """Prepare an earlier structure set for being extended by the regions of a new run.

    Args:
        dataset: Structure set with converted values; not changed.
        replaced: Numbers of the regions that a machine made and nobody has edited.
        folder: Folder for a temporary file.
    """
    if str(dataset.get("ApprovalStatus") or "") == "APPROVED":
        return Previous(cautions=(Caution("approved_set_kept"),))
    items = dataset.get("StructureSetROISequence") or ()
    numbers = {number_of(roi, "ROINumber") for roi in items}
    names = region_names(dataset, {number for number in numbers if number is not None} - set(replaced))
    cautions = [Caution("regions_replaced", count=len(replaced))] if replaced else []
    if names:
        cautions.append(Caution("regions_kept", names=", ".join(names)))
    path = folder / "previous.part"
    write_without(dataset, replaced, path)
    found = fingerprints(dataset).items()
    kept = frozenset(digest for number, digest in found if number not in replaced)
    return Previous(path, names, kept, tuple(cautions))
