"""Colors that are readable on both light and dark backgrounds."""

from __future__ import annotations

from typing import Any

import qt

from TextSegmentLib.panel.prompt.meaning import Colors

_LIGHT = Colors(muted="#666666", problem="#b02a1a")
_DARK = Colors(muted="#a8a8a8", problem="#ff8a73")


def colors_of(widget: Any) -> Colors:
    """Return the colors that suit the background of a widget."""
    palette = widget.palette  # keep a reference, since PythonQt returns a pointer into it
    background = palette.color(qt.QPalette.Active, qt.QPalette.Window)
    return _DARK if background.lightness() < 128 else _LIGHT
