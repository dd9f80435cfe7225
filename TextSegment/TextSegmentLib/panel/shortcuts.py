"""Keys of the panel: some work in all of it, some in Slicer's window while a segment is being corrected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt

Keys = Mapping[str, Callable[[], object]]
"""Functions by key sequence, such as ``Ctrl+Z``."""


def bind_keys(widget: Any, keys: Keys, context: Any = qt.Qt.WidgetWithChildrenShortcut) -> list[Any]:
    """Bind keys to functions while a widget, or one inside of it, has the focus; return the shortcuts."""
    shortcuts = []
    for key, does in keys.items():
        shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
        shortcut.setContext(context)
        shortcut.connect("activated()", does)
        shortcuts.append(shortcut)
    return shortcuts


class WindowKeys:
    """Keys that work in Slicer's whole window, so also while the mouse draws in a view.

    Args:
        window: Slicer's main window; None if there is none.
        keys: Functions by key sequence.
    """

    def __init__(self, window: Any, keys: Keys) -> None:
        self._shortcuts = [] if window is None else bind_keys(window, keys, qt.Qt.WindowShortcut)
        self.enable(False)

    def enable(self, enabled: bool) -> None:
        """Switch the keys on or off."""
        for shortcut in self._shortcuts:
            shortcut.enabled = enabled

    def remove(self) -> None:
        """Remove the keys for good, because the panel is being destroyed."""
        self.enable(False)
        for shortcut in self._shortcuts:
            shortcut.deleteLater()
        self._shortcuts = []
