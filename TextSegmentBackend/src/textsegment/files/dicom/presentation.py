"""How a new DICOM series presents itself in lists: label, description, number, names in any script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textsegment.errors import SettingsError

if TYPE_CHECKING:
    from textsegment.files.dicom.source import SourceSeries

_LONGEST_LABEL = 16  # a short string (VR SH)
_LONGEST_DESCRIPTION = 64  # a long string (VR LO)
# Series of scanners have small numbers: each kind of ours has its own, with that of the scan at the end.
_FIRST_NUMBERS = {"RTSTRUCT": 1000, "SEG": 2000}
_LARGEST_SCAN_NUMBER = 10**8


@dataclass(frozen=True)
class Presentation:
    """How a new series is shown.

    Attributes:
        label: Of a structure set or segmentation, at most 16 characters; None for that of this program.
        series_description: At most 64 characters; None for a sentence that says that a machine made it.
        unicode_names: Whether texts of a structure set may be in any script. Some planning systems show ASCII
            only, so without it names in other scripts get another name.

    Raises:
        SettingsError: A text is empty, too long, or holds a backslash or a control character; or it is not
            ASCII and ``unicode_names`` is not set.

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
        """The label as a code string (VR CS): capitals, digits, spaces and underscores."""
        text = re.sub(r"[^A-Z0-9 _]", "_", (self.label or "TextSegment").upper())
        return text[:_LONGEST_LABEL].strip(" _") or "TEXTSEGMENT"


def series_number(source: SourceSeries, modality: str) -> int:
    """Return the number of a new series: 1003 for a structure set of series 3, 2003 for a segmentation.

    Args:
        source: The scan.
        modality: ``RTSTRUCT`` or ``SEG``.
    """
    try:
        scan = int(str(source.datasets[0].get("SeriesNumber")))
    except ValueError:
        scan = 0
    return _FIRST_NUMBERS[modality] + (scan if 0 <= scan <= _LARGEST_SCAN_NUMBER else 0)
