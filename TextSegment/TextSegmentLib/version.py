"""Version check of Slicer, made before any other part is imported.

This file, and everything imported before it, must also run in the Python of old Slicer versions.
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
    """Check that the module can run in this Slicer.

    Raises:
        RuntimeError: This Slicer is too old.
    """
    if refusal():
        raise RuntimeError(refusal())


def show_refusal(layout: Any) -> bool:
    """Show the reason for a refusal in place of the panel; return whether there was one."""
    if not refusal():
        return False
    import qt

    label = qt.QLabel(refusal())
    label.wordWrap = True
    layout.addWidget(label)
    return True
