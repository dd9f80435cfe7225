"""What files say in words of one structure: what it is, how it was made, what should be known about it.

It is written so that what should be known can be read again: a structure that is taken from a file carries
it on.
"""

from __future__ import annotations

from textsegment.caution import Caution
from textsegment.segmentation import StructureMask

# A short text of DICOM (VR ST).
LONGEST_DESCRIPTION = 1024
_NOTE = "Note: "
_MORE = "And more: see the report."


def description_of(mask: StructureMask, *remarks: str) -> str:
    """Return what is to be said of a structure; sentences that have no room are left out, which is said.

    Args:
        mask: The structure.
        remarks: Sentences that come before what should be known.
    """
    words = " ".join([f"{mask.origin.recipe or mask.structure}.", *remarks])
    if note := joined(mask.warnings, LONGEST_DESCRIPTION - len(words) - len(_NOTE) - 1):
        words = f"{words} {_NOTE}{note}"
    return words[:LONGEST_DESCRIPTION]


def joined(warnings: tuple[str, ...], longest: int) -> str:
    """Return warnings in one line of limited length; an end says so if there is no room for all."""
    said = ""
    for number, warning in enumerate(warnings):
        longer = f"{said} {warning}".strip()
        has_room = len(longer) + (len(_MORE) + 1 if number < len(warnings) - 1 else 0) <= longest
        if not has_room:
            return f"{said} {_MORE}".strip()
        said = longer
    return said


def warnings_in(structure: str, description: str) -> tuple[Caution, ...]:
    """Return what a description of this program says that should be known of a structure.

    Args:
        structure: Its name.
        description: From a file, of this program or another.
    """
    note = description.partition(_NOTE)[2].strip()
    return (Caution("said_in_file", structure, note=note),) if note else ()
