"""Presentation of a new DICOM series in lists: label, description and number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textsegment.errors import SettingsError

if TYPE_CHECKING:
    from textsegment.files.dicom.source import SourceSeries

_LONGEST_LABEL = 16  # short string (VR SH)
_LONGEST_DESCRIPTION = 64  # long string (VR LO)
# Scanners use small series numbers: add the number of the scan to a base for each kind of object.
_FIRST_NUMBERS = {"RTSTRUCT": 1000, "SEG": 2000, "SR": 3000}
_LARGEST_SCAN_NUMBER = 10**8


@dataclass(frozen=True)
class Presentation:
    """Texts with which a new series is displayed.

    Attributes:
        label: Label of the structure set or segmentation, at most 16 characters; None for the default.
        series_description: Series description, at most 64 characters; None for one that says that a machine
            made it.
        unicode_names: Whether texts of a structure set may be in any script. Some planning systems display
            ASCII only; if False, structures with names in other scripts are renamed.

    Raises:
        SettingsError: A text is empty, too long, or contains a backslash or control character; or it is not
            ASCII and ``unicode_names`` is False.

    Example:
        >>> Presentation(label="Boost", series_description="OAR of week 3").label
        'Boost'
    """

    label: str | None = None
    series_description: str | None = None
    unicode_names: bool = False

    def __post_init__(self) -> None:
        self._require("The label", self.label, _LONGEST_LABEL)
        self._require("The description of the series", self.series_description, _LONGEST_DESCRIPTION)

    def _require(self, what: str, text: str | None, longest: int) -> None:
        if text is None:
            return
        if not text.strip() or len(text) > longest or "\\" in text or not text.isprintable():
            raise SettingsError(f"{what} has 1 to {longest} characters, no backslash.", "Shorten it.")
        if not text.isascii() and not self.unicode_names:
            raise SettingsError(f"{what} is not in ASCII.", "Add --unicode-names, or spell it in ASCII.")

    @property
    def content_label(self) -> str:
        """Label as a code string (VR CS): capitals, digits, spaces and underscores."""
        text = re.sub(r"[^A-Z0-9 _]", "_", (self.label or "TextSegment").upper())
        return text[:_LONGEST_LABEL].strip(" _") or "TEXTSEGMENT"


def series_number(source: SourceSeries, modality: str) -> int:
    """Return the number of a new series: for series 3, 1003 for a structure set, 2003 for a segmentation.

    Args:
        source: Scan that the new series refers to.
        modality: ``RTSTRUCT``, ``SEG`` or ``SR``.
    """
    try:
        scan = int(str(source.datasets[0].get("SeriesNumber")))
    except ValueError:
        scan = 0
    return _FIRST_NUMBERS[modality] + (scan if 0 <= scan <= _LARGEST_SCAN_NUMBER else 0)
