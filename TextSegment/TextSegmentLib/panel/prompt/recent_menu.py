"""The menu of recent requests, which are stored in Slicer's settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

_KEY = "TextSegment/recentRequests"
_MOST = 12
_LONGEST_SHOWN = 60


class RecentMenu:
    """Fills the menu of a button each time it opens.

    Args:
        button: The ``QToolButton``.
        on_chosen: Called with the text of the request the user chooses.
    """

    def __init__(self, button: Any, on_chosen: Callable[[str], None]) -> None:
        self._on_chosen = on_chosen
        self._menu = qt.QMenu(button)
        self._menu.connect("aboutToShow()", self._fill)
        button.setMenu(self._menu)

    def remember(self, text: str) -> None:
        """Put a request at the top of the menu."""
        texts = [text, *(other for other in self._texts() if other != text)]
        qt.QSettings().setValue(_KEY, json.dumps(texts[:_MOST]))

    def _texts(self) -> list[str]:
        try:
            texts = json.loads(str(qt.QSettings().value(_KEY) or "[]"))
        except json.JSONDecodeError:
            return []
        return [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []

    def _fill(self) -> None:
        self._menu.clear()
        texts = self._texts()
        for text in texts:
            shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
            action = self._menu.addAction(shown.replace("&", "&&"))
            action.connect("triggered()", lambda chosen=text: self._on_chosen(chosen))
        if texts:
            self._menu.addSeparator()
            self._menu.addAction(_("Forget these")).connect(
                "triggered()", lambda: qt.QSettings().remove(_KEY)
            )
        else:
            self._menu.addAction(_("Nothing yet")).enabled = False
