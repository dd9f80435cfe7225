"""What a source of labelled scans yields, whatever its layout on disk: scans, and masks under raw names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from textsegment.files.scan import Scan
from textsegment.segmentation import StructureMask


class Labels(Protocol):
    """Labels of one scan, as a source stores them."""

    @property
    def path(self) -> Path:
        """File or folder of the labels, for messages."""
        ...

    def masks_on(self, scan: Scan) -> Iterator[StructureMask]:
        """Yield the masks on the grid of the scan, under raw names, one by one, empty ones included.

        Raises:
            InputError: The labels cannot be read, do not lie on the scan, or hold numbers without a name.
        """
        ...


@dataclass(frozen=True)
class SourceCase:
    """One labelled scan of a source.

    Attributes:
        sample_id: Name of the case, unique in the source.
        patient_id: Name of the patient in the source.
        modality: DICOM code of the modality.
        image: File or DICOM folder of the scan.
        labels: Its labels.
        looked_for: Raw names that were searched for in this scan: where they are not drawn, they are absent.
        partly: Raw names that were drawn over a part of their length only.
        split: ``train``, ``validation`` or ``test``, if the source says so.
        weight: Relative frequency with which the case is drawn in training.
    """

    sample_id: str
    patient_id: str
    modality: str
    image: Path
    labels: Labels
    looked_for: frozenset[str]
    partly: frozenset[str] = frozenset()
    split: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Source:
    """Labelled scans in one layout.

    Attributes:
        name: Name of the data set.
        layout: Name of the layout, for messages.
        cases: The scans; iterated more than once, and cheap to iterate.
        licence: Licence of the data, as far as the source states it.
        groups: Parts of unions that the source defines itself, in place of those of the vocabulary.
        answers: Meanings of raw names that the source itself states.
    """

    name: str
    layout: str
    cases: Iterable[SourceCase]
    licence: str = ""
    groups: Mapping[str, tuple[str, ...]] | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
