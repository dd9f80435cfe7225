"""A scan as read from files: the volume to segment, and the DICOM series that results refer to."""

from __future__ import annotations

from typing import NamedTuple

from textsegment.files.dicom.source import SourceSeries
from textsegment.volume import Volume


class Scan(NamedTuple):
    """A volume with the DICOM series that it came from.

    Attributes:
        volume: Volume to segment, without patient data.
        source: DICOM series, which keeps patient data in memory only; None if the scan was not read from
            DICOM files.
    """

    volume: Volume
    source: SourceSeries | None
