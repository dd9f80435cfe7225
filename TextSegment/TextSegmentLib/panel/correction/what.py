"""Which segment is corrected, and what is known of what was drawn in it, in words."""

from __future__ import annotations

from html import escape
from typing import Any

from slicer.i18n import tr as _

from TextSegmentLib.scene.results.rows import ResultRow, RowState
from TextSegmentLib.scene.segment.segments import is_completed

TAKE_BACK = "take back"
"""Link that takes the acceptance of a segment back."""


def what_is_corrected(segment: Any, row: ResultRow | None) -> str:
    """Return which segment is corrected, and what is known of what was drawn in it."""
    if segment is None:
        return escape(_("Select one segment in the table, and draw in it where it is wrong."))
    name = segment.GetName()
    if is_completed(segment):
        text = escape(_("{name} was accepted: nothing changes it.").format(name=name))
        link = f" <a href='{TAKE_BACK}'>{escape(_('Take that back'))}</a>" if row is not None else ""
        return text + link
    if row is None:
        return escape(_("{name}: drawn by you.").format(name=name))
    if row.state is not RowState.EDITED:
        return escape(_("{name}: draw in a few slices where it is wrong.").format(name=name))
    if row.edited_slices is None:
        text = _("{name}: the result that it was edited from is not stored with the scene.")
        return escape(text.format(name=name))
    count = row.edited_slices
    text = _("{name}: 1 slice edited.") if count == 1 else _("{name}: {count} slices edited.")
    return escape(text.format(name=name, count=count))
