"""Colours that can be read on a light and on a dark background."""

from __future__ import annotations

from typing import Any

import qt

from TextSegmentLib.panel.prompt.meaning import Colors

_LIGHT = Colors(muted="#666666", problem="#b02a1a")
_DARK = Colors(muted="#a8a8a8", problem="#ff8a73")


def colors_of(widget: Any) -> Colors:
    """Return the colours that suit the background of a widget."""
    palette = widget.palette  # held, since PythonQt returns a pointer into it
    background = palette.color(qt.QPalette.Active, qt.QPalette.Window)
    return _DARK if background.lightness() < 128 else _LIGHT
