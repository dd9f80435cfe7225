"""Text descriptions of structures in files: what a structure is, how it was made, and its warnings.

The format allows warnings to be read back, so that a structure taken from a file keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textsegment.caution import Caution
from textsegment.doubt import notes_on
from textsegment.segmentation import StructureMask

# Length of a DICOM Short Text (VR ST).
LONGEST_DESCRIPTION = 1024
_NOTE = "Note: "
_MORE = "And more: see the report."


def description_of(mask: StructureMask, provenance: Mapping[str, Any], *remarks: str) -> str:
    """Return the description of a structure; warnings that do not fit are replaced by a note saying so.

    Args:
        mask: Mask of the structure.
        provenance: Provenance of its segmentation, by which the mask is judged.
        remarks: Sentences to put before doubt and warnings.
    """
    words = " ".join([f"{mask.origin.recipe or mask.structure}.", *remarks])
    if note := joined(notes_on(mask, provenance), LONGEST_DESCRIPTION - len(words) - len(_NOTE) - 1):
        words = f"{words} {_NOTE}{note}"
    return words[:LONGEST_DESCRIPTION]


def joined(warnings: tuple[str, ...], longest: int) -> str:
    """Join warnings to one line of limited length; if not all of them fit, its end says so."""
    said = ""
    for number, warning in enumerate(warnings):
        longer = f"{said} {warning}".strip()
        has_room = len(longer) + (len(_MORE) + 1 if number < len(warnings) - 1 else 0) <= longest
        if not has_room:
            return f"{said} {_MORE}".strip()
        said = longer
    return said


def warnings_in(structure: str, description: str) -> tuple[Caution, ...]:
    """Return the warnings about a structure in a description written by this program.

    Args:
        structure: Name of the structure.
        description: Description from a file, written by this program or another.
    """
    note = description.partition(_NOTE)[2].strip()
    return (Caution("said_in_file", structure, note=note),) if note else ()
