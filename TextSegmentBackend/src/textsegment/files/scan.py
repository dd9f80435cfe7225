"""A scan as it was read: what is segmented, and what objects made of the result refer back to."""

from __future__ import annotations

from typing import NamedTuple

from textsegment.files.dicom.source import SourceSeries
from textsegment.volume import Volume


class Scan(NamedTuple):
    """A scan.

    Attributes:
        volume: What is segmented: no patient data.
        source: The DICOM series, patient data in memory only; None if the scan was not read from DICOM files.
    """

    volume: Volume
    source: SourceSeries | None
