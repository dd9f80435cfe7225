"""Whether this Slicer is new enough: asked before any other part is imported.

This file, like all that is imported before it, has to run in the Python of old Slicers too.
"""

from typing import Any

import slicer
from slicer.i18n import tr as _

_OLDEST = (5, 12)


def refusal() -> str:
    """Return why the module cannot run in this Slicer; empty if it can."""
    version = (slicer.app.majorVersion, slicer.app.minorVersion)
    if version >= _OLDEST:
        return ""
    text = _(
        "TextSegment needs Slicer {oldest} or newer, and this is Slicer {version}. "
        "Get a newer one from download.slicer.org."
    )
    return text.format(oldest=".".join(map(str, _OLDEST)), version=".".join(map(str, version)))


def require() -> None:
    """Check it.

    Raises:
        RuntimeError: This Slicer is too old.
    """
    if refusal():
        raise RuntimeError(refusal())


def show_refusal(layout: Any) -> bool:
    """Show it instead of a panel; return whether there was one to show."""
    if not refusal():
        return False
    import qt

    label = qt.QLabel(refusal())
    label.wordWrap = True
    layout.addWidget(label)
    return True
