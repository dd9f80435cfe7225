"""A window that shows the output of a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

_UPDATE_MS = 500


class LogWindow:
    """Opens when a button is clicked, and stays up to date while it is open.

    Args:
        button: Button that opens the window.
        read: Returns the text to show.
    """

    def __init__(self, button: Any, read: Callable[[], str]) -> None:
        self._read = read
        self._dialog = qt.QDialog(button)
        self._dialog.windowTitle = _("Log of the engine")
        self._text = qt.QPlainTextEdit()
        self._text.readOnly = True
        self._text.accessibleName = _("Log of the engine")
        qt.QVBoxLayout(self._dialog).addWidget(self._text)
        self._dialog.resize(700, 400)
        self._timer = qt.QTimer(self._dialog)
        self._timer.setInterval(_UPDATE_MS)
        self._timer.connect("timeout()", self._update)
        self._dialog.connect("finished(int)", lambda _result: self._timer.stop())
        button.connect("clicked()", self._open)

    def _open(self) -> None:
        self._update()
        self._timer.start()
        self._dialog.show()
        self._dialog.raise_()

    def _update(self) -> None:
        text = self._read() or _("Nothing was written.")
        if text != self._text.plainText:
            self._text.plainText = text
            bar = self._text.verticalScrollBar()
            bar.value = bar.maximum
